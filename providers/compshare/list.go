package compshare

import (
	"context"
	"encoding/json"

	"github.com/ucloud/ucloud-sdk-go/services/ucompshare"

	"countersign/workflow"
)

// Group is a team.
type Group struct {
	ID   uint32 `json:"id"`
	Name string `json:"name"`
}

// Groups are the teams that the account owns (ListCompShareTeam; docs.ucloud.cn, page of that name). Its error is a
// *workflow.Fault.
func (p *Provider) Groups(ctx context.Context) ([]Group, error) {
	var data struct {
		Teams []struct {
			ID   number `json:"Id"`
			Name string
		}
	}
	if err := p.read(ctx, "ListCompShareTeam", &ucompshare.ListCompShareTeamRequest{}, &data); err != nil {
		return nil, err
	}
	groups := make([]Group, 0, len(data.Teams))
	for _, t := range data.Teams {
		groups = append(groups, Group{ID: t.ID.id(), Name: t.Name})
	}
	return groups, nil
}

// disowns reports whether the account is known to own no such team: the list of its teams was read and has others only.
// Where that list cannot be read either, nothing is known.
func (p *Provider) disowns(ctx context.Context, team int) bool {
	var data struct{ Teams json.RawMessage }
	if err := p.read(ctx, "ListCompShareTeam", &ucompshare.ListCompShareTeamRequest{}, &data); err != nil {
		return false
	}
	var teams []struct {
		ID number `json:"Id"`
	}
	if err := json.Unmarshal(data.Teams, &teams); err != nil { // also where there is no list at all
		return false
	}
	for _, t := range teams {
		if t.ID == number(team) || t.ID.id() == 0 {
			return false
		}
	}
	return true
}

// Members are the relations of a team, of any status (GetCompShareTeamInfo; docs.ucloud.cn, page of that name). Its
// error is a *workflow.Fault.
func (p *Provider) Members(ctx context.Context, group string) ([]Member, error) {
	t, err := targetOf(workflow.Change{Action: workflow.Accept, Group: group})
	if err != nil {
		return nil, err
	}
	rows, _, err := p.members(ctx, t.team)
	return rows, err
}
