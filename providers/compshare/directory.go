package compshare

import (
	"context"
	"strconv"

	"countersign/workflow"
)

// Directory reads the provider's lists for people.
func (p *Provider) Directory() workflow.Directory { return directory{p} }

type directory struct{ p *Provider }

// Groups implements workflow.Directory.
func (d directory) Groups(ctx context.Context) ([]workflow.Group, error) {
	teams, err := d.p.Groups(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]workflow.Group, len(teams))
	for i, t := range teams {
		groups[i] = workflow.Group{ID: decimal(t.ID), Name: d.p.keys.text(t.Name)}
	}
	return groups, nil
}

// Members implements workflow.Directory.
func (d directory) Members(ctx context.Context, group string) ([]workflow.Listed, error) {
	members, err := d.p.Members(ctx, group)
	if err != nil {
		return nil, err
	}
	listed := make([]workflow.Listed, len(members))
	for i, m := range members {
		listed[i] = workflow.Listed{
			Subject: workflow.Subject{Kind: workflow.Member, ID: decimal(m.Company)}, Position: d.p.position(m),
		}
	}
	return listed, nil
}

// Roles implements workflow.Directory: CompShare has none.
func (directory) Roles(context.Context, string) ([]workflow.RoleRef, error) { return nil, nil }

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
