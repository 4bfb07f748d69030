package dataarts

import (
	"context"

	"countersign/workflow"
)

// Directory reads the provider's lists for people.
func (p *Provider) Directory() workflow.Directory { return directory{p} }

type directory struct{ p *Provider }

// Groups implements workflow.Directory.
func (d directory) Groups(ctx context.Context) ([]workflow.Group, error) {
	spaces, err := d.p.Groups(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]workflow.Group, len(spaces))
	for i, w := range spaces {
		groups[i] = workflow.Group{ID: w.ID, Name: d.p.clean(w.Name)}
	}
	return groups, nil
}

// Members implements workflow.Directory. Where nobody is listed, the roles tell whether there is such a workspace.
func (d directory) Members(ctx context.Context, group string) ([]workflow.Listed, error) {
	members, err := d.p.Members(ctx, group)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		if _, err := d.p.Roles(ctx, group); err != nil {
			return nil, err
		}
	}
	listed := make([]workflow.Listed, len(members))
	for i, m := range members {
		pos := workflow.Position{Status: "member"}
		for _, r := range m.Roles {
			pos.Roles = append(pos.Roles, workflow.RoleRef{ID: r.ID, Name: d.p.clean(r.Name)})
		}
		listed[i] = workflow.Listed{Subject: m.Subject, Name: d.p.clean(m.Name), Position: pos}
	}
	return listed, nil
}

// Roles implements workflow.Directory.
func (d directory) Roles(ctx context.Context, group string) ([]workflow.RoleRef, error) {
	roles, err := d.p.Roles(ctx, group)
	if err != nil {
		return nil, err
	}
	for i := range roles {
		roles[i].Name = d.p.clean(roles[i].Name)
	}
	return roles, nil
}
