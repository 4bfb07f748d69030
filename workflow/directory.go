package workflow

import (
	"context"
	"slices"
)

// Directory reads what a system holds, live, for people who look before they ask. Its errors are a *Fault.
type Directory interface {
	// Groups are the teams or workspaces of the system.
	Groups(ctx context.Context) ([]Group, error)
	// Members are the memberships in a group, of any standing.
	Members(ctx context.Context, group string) ([]Listed, error)
	// Roles are the roles that can be given in a group; none where the provider has no roles.
	Roles(ctx context.Context, group string) ([]RoleRef, error)
}

// Group is a team or a workspace. Its name is the vendor's, untrusted.
type Group struct{ ID, Name string }

// Listed is one membership in a list. Its name is the vendor's, untrusted.
type Listed struct {
	Subject  Subject
	Name     string
	Position Position
}

// MayRead refuses whoever no rule lets ask for anything in a group of a system. An empty group is any.
func (p Policy) MayRead(system, group string, a Actor) *Refusal {
	if ref := p.Vet(a); ref != nil {
		return ref
	}
	lets := func(groups []string) bool {
		return slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return anyOrIn(r.Systems, system) && (group == "" || anyOrIn(r.Groups, group)) && r.lets(a.Person, groups)
		})
	}
	switch {
	case lets(a.Groups):
		return nil
	case lets(a.Unread):
		return Refuse(Unverified)
	case group == "":
		return Refuse(NoReadRule, system)
	default:
		return Refuse(NoReadRule, system+"/"+group)
	}
}
