package dataarts

import (
	"context"

	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	"countersign/workflow"
)

// Workspace is a group of this provider.
type Workspace struct {
	ID   string
	Name string
}

// Member is a member of a workspace, a user or a user group.
type Member struct {
	Subject workflow.Subject
	Name    string
	// Owner is the vendor's domain_owner: the account that owns the workspace, which should not be removed.
	Owner bool
	Roles []workflow.RoleRef
}

// Admin reports whether m has the role that administers the workspace.
func (m Member) Admin() bool {
	for _, r := range m.Roles {
		if r.ID == adminID {
			return true
		}
	}
	return false
}

// Groups are the workspaces of the instance: the vendor's ListManagerWorkSpaces, GET
// /v1/{project_id}/workspaces/{instance_id}. Its ListWorkspaces is about data models. The error is a *workflow.Fault.
func (p *Provider) Groups(ctx context.Context) ([]Workspace, error) {
	if p.instance == "" {
		return nil, &workflow.Fault{Class: workflow.ClassRefused, Text: "no instance_id is configured"}
	}
	rows, f := readAll(func(w workspaceRow) string { return w.ID },
		func(offset int) (page[workspaceRow], *workflow.Fault) { return p.workspaces(ctx, offset) })
	if f != nil {
		return nil, f
	}
	groups := make([]Workspace, len(rows))
	for i, r := range rows {
		groups[i] = Workspace(r)
	}
	return groups, nil
}

// workspaceRow is the vendor's Workspacebody, as far as it is used.
type workspaceRow struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *Provider) workspaces(ctx context.Context, offset int) (page[workspaceRow], *workflow.Fault) {
	limit, from := int32(pageSize), int32(offset)
	return fetch[page[workspaceRow]](ctx, p, api{
		name: "ListManagerWorkSpaces", def: studio.GenReqDefForListManagerWorkSpaces(), limit: listLimit,
		req: &model.ListManagerWorkSpacesRequest{InstanceId: p.instance, Limit: &limit, Offset: &from},
	})
}

// Roles are the roles that a workspace has, the presets and others: the vendor's ListWorkspaceRoles, GET
// /v2/{project_id}/users/role. The error is a *workflow.Fault, of ClassGroup if there is no such workspace.
func (p *Provider) Roles(ctx context.Context, workspace string) ([]workflow.RoleRef, error) {
	if f := p.shaped(workspace); f != nil {
		return nil, f
	}
	roles, b := p.roles(ctx, workspace)
	if b != nil && deniesWorkspace(b) {
		return nil, noWorkspace(b.fault)
	}
	if b != nil {
		return nil, b.fault
	}
	return roles, nil
}

// Members are the members of a workspace: the vendor's ListWorkspaceusers, GET /v2/{project_id}/{workspace_id}/users.
// Of a workspace that does not exist there are none, without an error. The error is a *workflow.Fault.
func (p *Provider) Members(ctx context.Context, workspace string) ([]Member, error) {
	if f := p.shaped(workspace); f != nil {
		return nil, f
	}
	rows, f := p.rows(ctx, workspace)
	if f != nil {
		return nil, f
	}
	members := make([]Member, len(rows))
	for i, r := range rows {
		members[i] = r.member()
	}
	return members, nil
}

func (p *Provider) shaped(workspace string) *workflow.Fault {
	if idShape.MatchString(workspace) {
		return nil
	}
	return &workflow.Fault{Class: workflow.ClassGroup, Text: p.clean("not a workspace's ID: " + workspace)}
}

func (r row) member() Member {
	m := Member{Subject: workflow.Subject{Kind: workflow.Member, ID: r.UserID}, Name: r.UserName}
	if r.Type == typeGroup {
		m.Subject.Kind = workflow.UserGroup
	}
	m.Owner = r.DomainOwner != nil && bool(*r.DomainOwner)
	for _, role := range r.Roles {
		m.Roles = append(m.Roles, role.ref())
	}
	return m
}
