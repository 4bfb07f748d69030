package dataarts

import (
	"cmp"
	"context"
	"slices"
	"time"

	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	"countersign/workflow"
)

const (
	// namePatience is how long the name of a workspace may take: it is a courtesy.
	namePatience = time.Second
	nameAge      = 10 * time.Minute
	// missAge is how long a name that could not be read is not asked for again.
	missAge = time.Minute
)

// goal are the roles that a change leads to, sorted; nil is no membership. A change of single roles leads nowhere from
// no membership.
func goal(c workflow.Change, present []string) []string {
	switch c.Action {
	case workflow.RemoveOne:
		return nil
	case workflow.AddRole, workflow.DropRole:
		if present == nil {
			return nil
		}
		return changed(c, present)
	default:
		return wanted(c)
	}
}

// changed are present roles with those of the change, or without them.
func changed(c workflow.Change, present []string) []string {
	if c.Action == workflow.DropRole {
		return slices.DeleteFunc(slices.Clone(present), func(id string) bool { return slices.Contains(wanted(c), id) })
	}
	all := slices.Concat(present, wanted(c))
	slices.Sort(all)
	return slices.Compact(all)
}

// fill completes a membership for people: where the subject stands and would stand, names, and what to be warned of.
func (p *Provider) fill(c workflow.Change, m *workflow.Membership, rows []row) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.is(c.Subject) })
	names := p.roleNames(c, rows)
	var present []string
	if i >= 0 {
		present = notNil(m.Roles)
		m.SubjectName = p.clean(rows[i].UserName)
	}
	m.Now = position(present, names)
	if m.Fit == workflow.Impossible {
		return
	}
	then := goal(c, present)
	m.Then, m.Wanted = position(then, names), absent
	if then != nil {
		m.Wanted = stateOf(then)
	}
	if c.Action != workflow.RemoveOne && c.Action != workflow.DropRole && slices.Contains(wanted(c), adminID) {
		m.Warnings = append(m.Warnings, workflow.HighRisk)
	}
	if slices.Contains(present, adminID) && !slices.Contains(then, adminID) && admins(rows) == 1 {
		m.Warnings = append(m.Warnings, workflow.LastAdmin)
	}
}

func notNil(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids
}

func position(ids []string, names map[string]string) workflow.Position {
	if ids == nil {
		return workflow.Position{Status: absent}
	}
	pos := workflow.Position{Status: "member"}
	for _, id := range ids {
		pos.Roles = append(pos.Roles, workflow.RoleRef{ID: id, Name: names[id]})
	}
	return pos
}

// roleNames are the names of roles, as far as the rows and the change tell.
func (p *Provider) roleNames(c workflow.Change, rows []row) map[string]string {
	names := map[string]string{}
	for _, r := range rows {
		for _, role := range r.Roles {
			names[role.ID] = p.clean(cmp.Or(role.Name, role.Code))
		}
	}
	for _, role := range c.Roles {
		if role.Name != "" {
			names[role.ID] = role.Name
		}
	}
	for _, role := range presets {
		names[role.ID] = role.Name
	}
	return names
}

// admins are how many rows have the role that administers the workspace.
func admins(rows []row) int {
	n := 0
	for _, r := range rows {
		if slices.ContainsFunc(r.Roles, func(role roleRow) bool { return role.ID == adminID }) {
			n++
		}
	}
	return n
}

// groupName is the name of a workspace: the vendor's ShowWorkSpace, GET
// /v1/{project_id}/workspaces/{instance_id}/{workspace_id}. It is empty where that cannot be read.
func (p *Provider) groupName(ctx context.Context, workspace string) string {
	if p.instance == "" {
		return ""
	}
	if name, ok := p.groups.get(workspace); ok {
		return name
	}
	ctx, cancel := context.WithTimeout(ctx, namePatience)
	defer cancel()
	got, f := fetch[workspaceRow](ctx, p, api{
		name: "ShowWorkSpace", def: studio.GenReqDefForShowWorkSpace(), limit: otherLimit,
		req: &model.ShowWorkSpaceRequest{InstanceId: p.instance, WorkspaceId: workspace},
	})
	if f != nil || got.ID != workspace {
		p.groups.putFor(workspace, "", missAge)
		return ""
	}
	name := p.clean(got.Name)
	p.groups.put(workspace, name)
	return name
}
