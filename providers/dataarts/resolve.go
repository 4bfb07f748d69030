package dataarts

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	iamsdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/model"

	"countersign/workflow"
)

const (
	// byName begins a WHO that is an IAM user's name.
	byName = "user:"

	userAge = 5 * time.Minute
	// roleAge is how old the list of a workspace's roles may be where a name is found in it.
	roleAge = 2 * time.Minute
	most    = 1000 // names remembered of each kind
)

// userName is what an IAM user may be called, and no more than what is harmless in a query.
var userName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

var _ workflow.Resolver = (*Provider)(nil)

// Resolve implements workflow.Resolver. A WHO of the form user:NAME becomes the ID that IAM knows under the name, and a
// role that is no preset, whether by name or by ID, one of the workspace's own list: a policy that names such a role by
// its name must see the name, however the role was typed.
func (p *Provider) Resolve(ctx context.Context, d workflow.Draft) (workflow.Draft, error) {
	if name, ok := strings.CutPrefix(d.Subject.ID, byName); ok && d.Subject.Kind != workflow.UserGroup {
		id, r := p.userNamed(ctx, name, d)
		if r != nil {
			return d, r
		}
		d.Subject.ID, d.Subject.From = id, workflow.FromIAM+name
	}
	if !d.HasAs || !idShape.MatchString(d.Group) || !slices.Contains(Actions(), d.Action) {
		return d, nil
	}
	for item := range strings.SplitSeq(d.As, ",") {
		if item = strings.TrimSpace(item); item == "" || isPreset(item) {
			continue
		}
		role, r := p.roleNamed(ctx, item, d)
		if r != nil {
			return d, r
		}
		d.Roles = append(d.Roles, role)
	}
	return d, nil
}

// userNamed is IAM's KeystoneListUsers, GET /v3/users?name=, which needs the right to read users.
func (p *Provider) userNamed(ctx context.Context, name string, d workflow.Draft) (string, *workflow.Refusal) {
	switch {
	case !userName.MatchString(name):
		return "", workflow.Refuse(workflow.BadIAM, byName+name)
	case p.iam == "":
		return "", workflow.Refuse(workflow.NoLookUp, byName+name, p.system)
	}
	if id, ok := p.users.get(name); ok {
		return id, nil
	}
	domain := p.domain(ctx, d.Group)
	got, f := fetch[struct {
		Users []struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			DomainID string `json:"domain_id"`
		} `json:"users"`
	}](ctx, p, api{
		name: "KeystoneListUsers", def: iamsdk.GenReqDefForKeystoneListUsers(), limit: listLimit, iam: true, domain: domain,
		req: &model.KeystoneListUsersRequest{Name: &name},
	})
	switch {
	case f != nil && (f.Class == workflow.ClassPermission || f.Class == workflow.ClassKey):
		return "", workflow.Refuse(workflow.NoLookUp, byName+name, p.system)
	case f != nil || got.Users == nil:
		return "", workflow.Refuse(workflow.Unresolved, byName+name, p.system)
	}
	var ids []string
	for _, u := range got.Users {
		if u.Name == name && idShape.MatchString(u.ID) && (domain == "" || u.DomainID == "" || u.DomainID == domain) {
			ids = append(ids, u.ID)
		}
	}
	slices.Sort(ids)
	switch ids = slices.Compact(ids); len(ids) {
	case 0:
		return "", workflow.Refuse(workflow.UnknownName, byName+name, p.system)
	case 1:
		p.users.put(name, ids[0])
		return ids[0], nil
	default:
		return "", workflow.Refuse(workflow.Ambiguous, append([]string{byName + name}, ids...)...)
	}
}

// domain is the account that a workspace's members belong to; empty where that cannot be told.
func (p *Provider) domain(ctx context.Context, workspace string) string {
	if known := p.account.Load(); known != nil {
		return *known
	}
	if !idShape.MatchString(workspace) {
		return ""
	}
	rows, f := p.rows(ctx, workspace)
	if f != nil {
		return ""
	}
	p.learn(rows)
	return domainOf(rows)
}

// learn remembers the account that rows tell.
func (p *Provider) learn(rows []row) {
	if domain := domainOf(rows); domain != "" {
		p.account.Store(&domain)
	}
}

// roleNamed finds a role that is no preset in the workspace's list.
func (p *Provider) roleNamed(ctx context.Context, item string, d workflow.Draft) (workflow.RoleRef, *workflow.Refusal) {
	roles, old := p.known.get(d.Group)
	found := rolesCalled(roles, item)
	if !old || len(found) == 0 {
		b := p.freshRoles(ctx, d.Group)
		if b != nil {
			return workflow.RoleRef{}, p.unlisted(b, item, d)
		}
		roles, _ = p.known.get(d.Group)
		found = rolesCalled(roles, item)
	}
	switch len(found) {
	case 0:
		if d.Action == workflow.DropRole && roleShape.MatchString(item) {
			return workflow.RoleRef{ID: item}, nil // a role that is no longer given may still be had
		}
		return workflow.RoleRef{}, workflow.Refuse(workflow.BadRole, append([]string{item}, choices(roles)...)...)
	case 1:
		return found[0], nil
	default:
		ids := make([]string, len(found))
		for i, r := range found {
			ids[i] = r.ID
		}
		return workflow.RoleRef{}, workflow.Refuse(workflow.Ambiguous, append([]string{item}, ids...)...)
	}
}

func (p *Provider) unlisted(b *problem, item string, d workflow.Draft) *workflow.Refusal {
	if deniesWorkspace(b) {
		return workflow.Refuse(workflow.Unreadable, d.System+"/"+d.Group, noWorkspace(b.fault).Error())
	}
	return workflow.Refuse(workflow.Unresolved, item, d.System+"/"+d.Group)
}

// freshRoles reads the workspace's roles and remembers them, with names that say nothing wrong.
func (p *Provider) freshRoles(ctx context.Context, workspace string) *problem {
	roles, b := p.roles(ctx, workspace)
	if b != nil {
		return b
	}
	p.known.put(workspace, honest(roles))
	return nil
}

// honest takes the names from roles whose names a policy could take for other roles: those of the presets, those that
// look like IDs, and those that several roles share a letter's case apart. A preset's own name stays.
func honest(roles []workflow.RoleRef) []workflow.RoleRef {
	out := slices.Clone(roles)
	for i, r := range out {
		if _, ok := preset(r.ID); !ok && (isPreset(r.Name) || roleShape.MatchString(strings.ToLower(r.Name))) {
			out[i].Name = ""
		}
	}
	return out
}

// rolesCalled are the roles that an item may mean: the one of that ID, or all of that name.
func rolesCalled(roles []workflow.RoleRef, item string) []workflow.RoleRef {
	var found []workflow.RoleRef
	for _, r := range roles {
		if r.ID == item {
			return []workflow.RoleRef{unshared(roles, r)}
		}
		if r.Name != "" && strings.EqualFold(r.Name, item) {
			found = append(found, r)
		}
	}
	return found
}

// unshared is r without its name if another role has the same.
func unshared(roles []workflow.RoleRef, r workflow.RoleRef) workflow.RoleRef {
	for _, o := range roles {
		if o.ID != r.ID && strings.EqualFold(o.Name, r.Name) {
			r.Name = ""
		}
	}
	return r
}

func isPreset(item string) bool {
	return slices.ContainsFunc(presets, func(r workflow.RoleRef) bool {
		return strings.EqualFold(item, r.ID) || strings.EqualFold(item, r.Name)
	})
}

// choices are the names of roles, or their IDs where a name would not do.
func choices(roles []workflow.RoleRef) []string {
	var words []string
	for _, r := range roles {
		if r = unshared(roles, r); r.Name != "" {
			words = append(words, r.Name)
		} else {
			words = append(words, r.ID)
		}
	}
	return words
}
