package dataarts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"countersign/workflow"
)

// absent is the State of somebody who is not a member; roleless of a member without a role.
const (
	absent   = "absent"
	roleless = "none"
)

// Read implements workflow.Provider by ListWorkspaceusers. Where that shows nobody at all, ListWorkspaceRoles tells
// whether the workspace exists. The State is "absent", or the IDs of the roles, sorted. Row is what Apply has to send
// of the user; for somebody who is to be added it is what IAM says of them, if that can be read within two seconds.
func (p *Provider) Read(ctx context.Context, c workflow.Change) (workflow.Membership, error) {
	if f := sound(c); f != nil {
		return workflow.Membership{}, f
	}
	rows, f := p.rows(ctx, c.Group)
	if f != nil {
		return workflow.Membership{}, f
	}
	p.learn(rows)
	m, f := p.judge(ctx, c, rows)
	if f != nil {
		return workflow.Membership{}, f
	}
	if m.Why == nil || m.Why.Class != workflow.ClassGroup {
		m.GroupName = p.groupName(ctx, c.Group)
	}
	return m, nil
}

func (p *Provider) judge(ctx context.Context, c workflow.Change, rows []row) (workflow.Membership, *workflow.Fault) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.is(c.Subject) })
	m := workflow.Membership{State: absent, Fit: fit(c, nil)}
	if i >= 0 {
		ids, f := rows[i].roleIDs()
		if f != nil {
			return m, f
		}
		m = workflow.Membership{State: stateOf(ids), Fit: fit(c, ids), Roles: ids, Row: rows[i].account().encode()}
	}
	m.Why = why(c, m)
	if m.Fit != workflow.Impossible || len(rows) == 0 {
		if err := p.confirm(ctx, c, &m, len(rows) > 0); err != nil {
			return m, err
		}
	}
	name := ""
	if c.Action == workflow.Add && m.Fit == workflow.Differs {
		name = p.newcomer(ctx, c.Subject, domainOf(rows), &m)
	}
	p.fill(c, &m, rows)
	if m.SubjectName == "" {
		m.SubjectName = p.clean(name)
	}
	return m, nil
}

// newcomer asks IAM about somebody who is to be added, and returns the name.
func (p *Provider) newcomer(ctx context.Context, who workflow.Subject, domain string, m *workflow.Membership) string {
	var name string
	var nobody *workflow.Fault
	if who.Kind == workflow.UserGroup {
		name, nobody = p.lookUpGroup(ctx, who.ID, domain)
	} else {
		var a account
		a, nobody = p.lookUp(ctx, who.ID, domain)
		m.Row, name = a.encode(), a.UserName
	}
	if nobody != nil {
		m.Fit, m.Why = workflow.Impossible, nobody
	}
	return name
}

// fit compares present roles, nil for somebody who is not a member, with what is wanted.
func fit(c workflow.Change, present []string) workflow.Fit {
	then := goal(c, present)
	isMember := present != nil
	switch {
	case !isMember && (c.Action == workflow.SetRole || c.Action == workflow.AddRole):
		return workflow.Impossible
	case isMember == (then != nil) && slices.Equal(present, then):
		return workflow.Satisfied
	case isMember && c.Action == workflow.Add,
		c.Action == workflow.DropRole && len(then) == 0:
		return workflow.Impossible
	default:
		return workflow.Differs
	}
}

// why explains an Impossible fit. To add a member who has other roles would at best be refused, and at worst replace
// the roles, which nobody approved; what an update does to somebody who is not there the vendor does not say.
func why(c workflow.Change, m workflow.Membership) *workflow.Fault {
	switch {
	case m.Fit != workflow.Impossible:
		return nil
	case c.Action == workflow.Add:
		return &workflow.Fault{
			Class: workflow.ClassState,
			Text:  "already a member, with " + named(m.Roles) + ": use role or add-role to change that",
		}
	case c.Action == workflow.DropRole:
		return &workflow.Fault{
			Class: workflow.ClassState,
			Text:  "that is the last role, with " + named(m.Roles) + " there would be none left: use remove to end the membership, or role to give another",
		}
	default:
		return &workflow.Fault{
			Class: workflow.ClassState,
			Text:  "not a member of the workspace: use add",
		}
	}
}

// confirm asks for the workspace's roles where something depends on them: whether the workspace exists at all, which an
// empty list does not tell, and whether a role exists that is no preset. That the workspace exists its instance may say too.
func (p *Provider) confirm(ctx context.Context, c workflow.Change, m *workflow.Membership, exists bool) *workflow.Fault {
	custom := slices.DeleteFunc(wanted(c), func(id string) bool { _, ok := preset(id); return ok })
	if c.Action == workflow.DropRole {
		custom = nil // what is taken away need not be there to be given
	}
	if exists && (m.Fit != workflow.Differs || len(custom) == 0) {
		return nil
	}
	roles, b := p.roles(ctx, c.Group)
	if b != nil {
		if !exists && deniesWorkspace(b) {
			m.Fit, m.Why = workflow.Impossible, noWorkspace(b.fault)
			return nil
		}
		if !exists && len(custom) == 0 && p.listed(ctx, c.Group) {
			return nil // the roles were only asked for in order to learn that
		}
		return b.fault
	}
	if !exists && len(roles) == 0 && !p.listed(ctx, c.Group) {
		return unclearList("neither members nor roles tell whether the workspace exists")
	}
	for _, id := range custom {
		if m.Fit == workflow.Differs && !slices.ContainsFunc(roles, func(r workflow.RoleRef) bool { return r.ID == id }) {
			m.Fit, m.Why = workflow.Impossible, &workflow.Fault{
				Class: workflow.ClassRole,
				Text:  p.clean(fmt.Sprintf("the workspace has no role %s; it has %s", id, list(roles))),
			}
		}
	}
	return nil
}

// listed reports whether the instance shows the workspace, which a list of no members does not tell.
func (p *Provider) listed(ctx context.Context, workspace string) bool {
	if p.groupName(ctx, workspace) != "" {
		return true
	}
	groups, err := p.Groups(ctx)
	return err == nil && slices.ContainsFunc(groups, func(w Workspace) bool { return w.ID == workspace })
}

// deniesWorkspace reports whether the vendor says that there is no such workspace: the service itself refused to list
// the roles, for a reason that is neither the key's nor the hour's. A gateway that does not know the API says nothing of
// the workspace.
func deniesWorkspace(b *problem) bool {
	switch b.fault.Class {
	case workflow.ClassGroup:
		return true
	case workflow.ClassRefused:
		return (b.status == http.StatusBadRequest || b.status == http.StatusNotFound) &&
			(strings.HasPrefix(b.fault.Code, "DAYU.") || strings.HasPrefix(b.fault.Code, "DLM."))
	default:
		return false
	}
}

func noWorkspace(f *workflow.Fault) *workflow.Fault {
	return &workflow.Fault{
		Class: workflow.ClassGroup, Code: f.Code, Text: "no such workspace: " + f.Text, RequestID: f.RequestID,
	}
}

// sound refuses a change that Check would not have made, so that nothing else reaches a URL.
func sound(c workflow.Change) *workflow.Fault {
	switch {
	case !slices.Contains(Actions(), c.Action), !known(c.Subject), !idShape.MatchString(c.Group),
		c.Action != workflow.RemoveOne && len(c.Roles) == 0:
		return &workflow.Fault{Class: workflow.ClassRefused, Text: "the change is not one for DataArts Studio"}
	}
	return nil
}

func wanted(c workflow.Change) []string {
	ids := make([]string, len(c.Roles))
	for i, r := range c.Roles {
		ids[i] = r.ID
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func stateOf(ids []string) string {
	if len(ids) == 0 {
		return roleless
	}
	return strings.Join(ids, ",")
}

func named(ids []string) string {
	refs := make([]workflow.RoleRef, len(ids))
	for i, id := range ids {
		refs[i] = workflow.RoleRef{ID: id}
		if r, ok := preset(id); ok {
			refs[i] = r
		}
	}
	return list(refs)
}

func list(roles []workflow.RoleRef) string {
	if len(roles) == 0 {
		return "no role"
	}
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = strings.TrimSpace(r.ID + " " + r.Name)
	}
	return strings.Join(texts, ", ")
}

// encode is a as a Membership's Row; nothing if nothing was read.
func (a account) encode() json.RawMessage {
	if a == (account{}) {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil // strings and a bool: it cannot fail
	}
	return b
}
