package compshare

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/ucloud/ucloud-sdk-go/services/ucompshare"
	"github.com/ucloud/ucloud-sdk-go/ucloud"
	"github.com/ucloud/ucloud-sdk-go/ucloud/request"

	"countersign/workflow"
)

// Read reads how the change's subject stands to the team: as the team's owner (GetCompShareTeamInfo, then
// ListCompShareTeamInvite), or for accept and reject as the invited account itself (ListCompShareTeamJoined, then
// ListCompShareTeamInvite).
func (p *Provider) Read(ctx context.Context, c workflow.Change) (workflow.Membership, error) {
	t, err := targetOf(c)
	if err != nil {
		return workflow.Membership{}, err
	}
	var m Member
	var sure bool
	if forItself(c.Action) {
		m, err = p.readSelf(ctx, t.team)
	} else {
		m, sure, err = p.readMember(ctx, t)
	}
	if err != nil {
		return workflow.Membership{}, err
	}
	out := fit(c, m, sure)
	p.fill(c, m, &out)
	return out, nil
}

// target is what a change is about, in numbers.
type target struct{ team, company int }

// targetOf reads the numbers of a change. Those of a change that Check has seen can be read.
func targetOf(c workflow.Change) (target, error) {
	team, err := strconv.ParseUint(c.Group, 10, 32)
	var company uint64
	if err == nil && !forItself(c.Action) {
		company, err = strconv.ParseUint(c.Subject.ID, 10, 32)
	}
	if err != nil || team == 0 || (company == 0) != forItself(c.Action) {
		return target{}, &workflow.Fault{Class: workflow.ClassRefused, Text: "not sent: the change names no team or company"}
	}
	return target{int(team), int(company)}, nil
}

// readMember reads a company's row as the team's owner. That GetCompShareTeamInfo lists pending invitations is inferred
// from its enumeration of states, so that a company is called absent only if the list of invitations agrees; it is sure
// only if that list was read.
func (p *Provider) readMember(ctx context.Context, t target) (m Member, sure bool, err error) {
	members, name, err := p.members(ctx, t.team)
	if err != nil {
		return Member{}, false, err
	}
	theirs := rowsOf(members, t)
	if sure = len(theirs) > 0; !sure {
		invites, told, err := p.invites(ctx, ucloud.Int(t.team))
		if err != nil {
			return Member{}, false, err
		}
		theirs, sure = rowsOf(invites, t), told
	}
	m = present(theirs)
	m.TeamName = name
	return m, sure, nil
}

// readSelf reads the configured account's own row. The list of invitations is asked without TeamId, which is the
// owner's filter.
func (p *Provider) readSelf(ctx context.Context, team int) (Member, error) {
	var joined struct{ JoinedTeams []row }
	if err := p.read(ctx, "ListCompShareTeamJoined", &ucompshare.ListCompShareTeamJoinedRequest{}, &joined); err != nil {
		return Member{}, err
	}
	rows := rowsOf(p.rows(joined.JoinedTeams), target{team: team})
	if m := present(rows); m.Status == Joined {
		return m, nil
	}
	invites, _, err := p.invites(ctx, nil)
	if err != nil {
		return Member{}, err
	}
	return present(append(rows, rowsOf(invites, target{team: team})...)), nil
}

// invites is ListCompShareTeamInvite: by compshare.cn the invitations that the caller received, by docs.ucloud.cn those
// that a team has sent. It only adds to what another list said, so that an account which may not ask for it does
// without; told is then false.
func (p *Provider) invites(ctx context.Context, team *int) (rows []Member, told bool, err error) {
	var data struct{ Invites []row }
	req := &ucompshare.ListCompShareTeamInviteRequest{TeamId: team}
	err = p.read(ctx, "ListCompShareTeamInvite", req, &data)
	if no, ok := errors.AsType[*workflow.Fault](err); ok &&
		(no.Class == workflow.ClassRefused || no.Class == workflow.ClassPermission) {
		return nil, false, nil
	}
	return p.rows(data.Invites), err == nil, err
}

// members are all rows of GetCompShareTeamInfo, and the team's name. An answer that is about no team, or about another,
// is a fault: nobody is absent from a team that was not seen. What the vendor answers of a team that does not exist, or is
// somebody else's, is not published: a refusal counts as that only if the account's own list of teams lacks it.
func (p *Provider) members(ctx context.Context, team int) ([]Member, string, error) {
	var data struct {
		Team struct {
			ID      number `json:"Id"`
			Name    string
			Deleted number
		}
		TeamRelation []row
	}
	req := &ucompshare.GetCompShareTeamInfoRequest{TeamId: &team}
	if err := p.read(ctx, "GetCompShareTeamInfo", req, &data); err != nil {
		no, ok := errors.AsType[*workflow.Fault](err)
		refused := ok && strings.HasPrefix(no.Code, "RetCode") &&
			(no.Class == workflow.ClassRefused || no.Class == workflow.ClassPermission)
		if refused && p.disowns(ctx, team) {
			no.Class, no.Text = workflow.ClassGroup, "the account has no such team: "+no.Text
		}
		return nil, "", err
	}
	switch {
	case data.Team.ID != number(team):
		return nil, "", &workflow.Fault{Class: workflow.ClassUnclear, Text: "the answer is not about the team that was asked for"}
	case data.Team.Deleted != 0:
		return nil, "", &workflow.Fault{Class: workflow.ClassGroup, Text: "the team is deleted"}
	}
	for i := range data.TeamRelation {
		if data.TeamRelation[i].Team == 0 { // a row of the team's own list need not name it
			data.TeamRelation[i].Team = number(team)
		}
	}
	return p.rows(data.TeamRelation), data.Team.Name, nil
}

// read makes one reading call and decodes its answer into data.
func (p *Provider) read(ctx context.Context, action string, req request.Common, data any) error {
	a, out := p.call(ctx, action, req)
	if out.Verdict != workflow.Applied {
		return out.Fault
	}
	if err := json.Unmarshal(a.body, data); err != nil {
		return &workflow.Fault{
			Class: workflow.ClassUnclear, Text: "the answer of " + action + " is not as documented", RequestID: out.RequestID,
		}
	}
	return nil
}

func (p *Provider) rows(raw []row) []Member {
	rows := make([]Member, 0, len(raw))
	for _, r := range raw {
		rows = append(rows, p.member(r))
	}
	return rows
}

// rowsOf are the rows of the target's team, and of its company where it has one.
func rowsOf(rows []Member, t target) []Member {
	return slices.DeleteFunc(rows, func(m Member) bool {
		return m.Team != uint32(t.team) || (t.company != 0 && m.Company != uint32(t.company))
	})
}
