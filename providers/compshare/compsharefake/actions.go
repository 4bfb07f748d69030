package compsharefake

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// action is one call of the API.
type action struct {
	mutating bool
	do       func(*Server, *caller) (answer, *refusal)
}

var actions = map[string]action{
	"CreateCompShareTeamRelation": {true, (*Server).invite},
	"SetCompShareTeamRelation":    {true, (*Server).setRelation},
	"CreateCompShareTeam":         {true, (*Server).createTeam},
	"UpdateCompShareTeam":         {true, (*Server).updateTeam},
	"DeleteCompShareTeam":         {true, (*Server).deleteTeam},
	"GetCompShareTeamInfo":        {false, (*Server).teamInfo},
	"ListCompShareTeam":           {false, (*Server).listTeams},
	"ListCompShareTeamJoined":     {false, (*Server).listJoined},
	"ListCompShareTeamInvite":     {false, (*Server).listInvites},
	"ListCompShareTeamOperateLog": {false, (*Server).listLogs},
}

// owned is the team that a call names, if the caller owns it.
func (s *Server) owned(c *caller) (*Team, *refusal) {
	id, no := c.number("TeamId")
	if no != nil {
		return nil, no
	}
	t := s.st.team(id)
	if t == nil {
		return nil, &refusal{code: s.codes.NoTeam, text: "team not exist"}
	}
	if t.Owner != c.company {
		return nil, &refusal{code: 299, text: "permission denied"}
	}
	return t, nil
}

// maxInvitees is how many companies one call may invite.
const maxInvitees = 100

// invite is CreateCompShareTeamRelation.
func (s *Server) invite(c *caller) (answer, *refusal) {
	t, no := s.owned(c)
	if no != nil {
		return nil, no
	}
	if c.flat[invitee(0)] == "" || c.flat[invitee(maxInvitees)] != "" {
		return nil, badParam("UserInfo")
	}
	failed := answer{}
	for i := 0; c.flat[invitee(i)] != ""; i++ {
		company, no := c.number(invitee(i))
		if no != nil {
			return nil, no
		}
		if no := s.inviteOne(t, company, c.flat[fmt.Sprintf("UserInfo.%d.RemarkName", i)]); no != nil {
			failed[strconv.Itoa(int(company))] = answer{"Code": no.code, "Message": no.text}
			continue
		}
		c.applied = true
	}
	if s.quirks.ErrorMapText && len(failed) == 0 {
		return answer{"ErrorMap": ""}, nil
	}
	return answer{"ErrorMap": failed}, nil
}

func (s *Server) inviteOne(t *Team, company uint32, remark string) *refusal {
	if company == t.Owner {
		return &refusal{code: s.codes.WrongState, text: "the owner cannot be invited"}
	}
	now := s.opts.Now().Unix()
	r := s.st.relation(t.ID, company)
	switch {
	case r != nil && (r.Status == Pending || r.Status == Joined):
		return &refusal{code: 16001, text: "user already in team"}
	case s.quirks.MaxMembers > 0 && s.st.members(t.ID) >= s.quirks.MaxMembers:
		return &refusal{code: 17001, text: "quota insufficient"}
	case r != nil && !s.quirks.OldRows:
		r.Status, r.Remark, r.Created, r.Sent, r.Virtual = Pending, remark, now, r.Sent+1, 0
	default:
		s.st.Relations = append(s.st.Relations, Relation{
			Team: t.ID, Company: company, Status: Pending, Remark: remark, Created: now, Sent: 1,
		})
	}
	s.log(t.ID, "InviteMember", fmt.Sprintf("invite %d", company))
	return nil
}

// setRelation is SetCompShareTeamRelation. The invitee agrees and rejects; the rest is the owner's.
func (s *Server) setRelation(c *caller) (answer, *refusal) {
	status := c.flat["Status"]
	if !slices.Contains([]string{"Agree", "Reject", "Cancel", "UpdateRemarkName", "Send"}, status) {
		return nil, badParam("Status")
	}
	r, no := s.subject(c, status == "Agree" || status == "Reject")
	if no != nil {
		return nil, no
	}
	if status == "UpdateRemarkName" {
		return s.rename(c, r)
	}
	if status == "Cancel" && r.Status == Joined && s.quirks.CancelRemoves {
		r.Status, c.applied = Canceled, true
		return answer{"Message": ""}, nil
	}
	if r.Status != Pending {
		return nil, &refusal{code: s.codes.WrongState, text: "relation is " + strings.ToLower(r.Status)}
	}
	switch status {
	case "Agree":
		s.st.join(r)
	case "Reject":
		r.Status = Rejected
	case "Cancel":
		r.Status = Canceled
	default:
		r.Sent++
	}
	c.applied = true
	s.log(r.Team, status, fmt.Sprintf("%s %d", status, r.Company))
	return answer{"Message": ""}, nil
}

// subject is the relation that a call is about: the caller's own, or that of UserCompanyId in the caller's team.
func (s *Server) subject(c *caller, own bool) (*Relation, *refusal) {
	team, no := c.number("TeamId")
	if no != nil {
		return nil, no
	}
	company := c.company
	if !own {
		if _, no := s.owned(c); no != nil {
			return nil, no
		}
		if company, no = c.number("UserCompanyId"); no != nil {
			return nil, no
		}
	}
	if r := s.st.relation(team, company); r != nil {
		return r, nil
	}
	return nil, &refusal{code: s.codes.NoRelation, text: "relation not exist"}
}

func (s *Server) rename(c *caller, r *Relation) (answer, *refusal) {
	if c.flat["RemarkName"] == "" {
		return nil, badParam("RemarkName")
	}
	r.Remark, c.applied = c.flat["RemarkName"], true
	return answer{"Message": ""}, nil
}

// createTeam is CreateCompShareTeam. Its answer does not tell the new team's number.
func (s *Server) createTeam(c *caller) (answer, *refusal) {
	if c.flat["Name"] == "" {
		return nil, badParam("Name")
	}
	s.putTeam(Team{
		ID: s.st.LastTeam + 1, Owner: c.company, Name: c.flat["Name"], Description: c.flat["Description"],
	})
	c.applied = true
	s.log(s.st.LastTeam, "CreateTeam", "create "+c.flat["Name"])
	return answer{"Message": ""}, nil
}

// updateTeam is UpdateCompShareTeam.
func (s *Server) updateTeam(c *caller) (answer, *refusal) {
	t, no := s.owned(c)
	if no != nil {
		return nil, no
	}
	for name, field := range map[string]*string{"Name": &t.Name, "Description": &t.Description} {
		if text := c.flat[name]; text != "" {
			*field, c.applied = text, true
		}
	}
	s.log(t.ID, "UpdateTeam", "update")
	return answer{"Message": ""}, nil
}

// deleteTeam is DeleteCompShareTeam.
func (s *Server) deleteTeam(c *caller) (answer, *refusal) {
	t, no := s.owned(c)
	if no != nil {
		return nil, no
	}
	if slices.ContainsFunc(s.st.Relations, func(r Relation) bool {
		return r.Team == t.ID && (r.Status == Pending || r.Status == Joined)
	}) {
		return nil, &refusal{code: s.codes.NotEmpty, text: "team has members"}
	}
	t.Deleted, c.applied = true, true
	return answer{"Message": ""}, nil
}

func (s *Server) log(team uint32, kind, content string) {
	s.st.Logs = append(s.st.Logs, Log{
		Team: team, Content: content, Type: kind, Status: "Success", Created: s.opts.Now().Unix(),
	})
}
