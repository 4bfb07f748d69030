package compsharefake

import (
	"fmt"
	"slices"
	"strings"
)

// teamInfo is GetCompShareTeamInfo.
func (s *Server) teamInfo(c *caller) (answer, *refusal) {
	t, no := s.owned(c)
	if no != nil {
		return nil, no
	}
	rows := s.rows(func(r Relation) bool {
		return r.Team == t.ID && (r.Status != Pending || !s.quirks.InvitesApart)
	})
	return answer{
		"Team": answer{
			"Id": s.number(t.ID), "Name": t.Name, "CompanyId": s.number(t.Owner),
			"Description": t.Description, "Deleted": 0,
		},
		"TeamRelation": s.items(rows),
	}, nil
}

// listTeams is ListCompShareTeam: the teams that the caller owns.
func (s *Server) listTeams(c *caller) (answer, *refusal) {
	var teams []any
	for _, t := range s.st.Teams {
		if t.Owner != c.company || t.Deleted {
			continue
		}
		members := s.rows(func(r Relation) bool { return r.Team == t.ID && r.Status == Joined })
		teams = append(teams, answer{
			"Id": s.number(t.ID), "Name": t.Name, "CompanyId": s.number(t.Owner),
			"Description": t.Description, "MemberCount": len(members),
		})
	}
	return answer{"Teams": s.items(teams)}, nil
}

// listJoined is ListCompShareTeamJoined: the teams that the caller has joined.
func (s *Server) listJoined(c *caller) (answer, *refusal) {
	status := c.flat["Status"]
	if status == "" {
		status = Joined
	}
	rows := s.rows(func(r Relation) bool {
		return r.Company == c.company && (s.quirks.KeepRejected || strings.EqualFold(r.Status, status))
	})
	for _, row := range rows {
		row.(answer)["IsPersonalAccount"] = false
	}
	return answer{"JoinedTeams": s.items(rows)}, nil
}

// listInvites is ListCompShareTeamInvite: the invitations that the caller received, or that its team sent.
func (s *Server) listInvites(c *caller) (answer, *refusal) {
	team, no := c.count("TeamId", 0)
	if no != nil {
		return nil, no
	}
	rows := s.rows(func(r Relation) bool {
		t := s.st.team(r.Team)
		ours := t != nil && t.Owner == c.company && team != 0
		return (team == 0 || int64(r.Team) == team) && (r.Company == c.company || ours)
	})
	return answer{"Invites": s.items(rows)}, nil
}

// rows are the relations that pass, as the answers spell them.
func (s *Server) rows(pass func(Relation) bool) []any {
	var rows []any
	for _, r := range s.st.Relations {
		t := s.st.team(r.Team)
		if t == nil || !pass(r) {
			continue
		}
		rows = append(rows, answer{
			"TeamId": s.number(r.Team), "TeamName": t.Name, "UserCompanyId": s.number(r.Company),
			"VirtualCompanyId": s.number(r.Virtual), "Status": s.status(r.Status), "RemarkName": r.Remark,
			"CreateTime": r.Created, "AllocateAmount": 0, "AvailableAmount": 0,
		})
	}
	return rows
}

func (s *Server) status(status string) string {
	switch {
	case s.quirks.StatusText != "":
		return s.quirks.StatusText
	case s.quirks.LowerStatus:
		return strings.ToLower(status)
	}
	return status
}

func (s *Server) number(n uint32) any {
	if s.quirks.TextNumbers {
		return fmt.Sprint(n)
	}
	return n
}

// items is a list of an answer: [] when empty, or null.
func (s *Server) items(list []any) any {
	if len(list) == 0 && !s.quirks.NullLists {
		return []any{}
	}
	return list
}

// listLogs is ListCompShareTeamOperateLog.
func (s *Server) listLogs(c *caller) (answer, *refusal) {
	t, no := s.owned(c)
	if no != nil {
		return nil, no
	}
	var bounds [4]int64
	for i, name := range []string{"BeginTime", "EndTime", "Limit", "Offset"} {
		if bounds[i], no = c.count(name, []int64{0, 1 << 40, 25, 0}[i]); no != nil {
			return nil, no
		}
	}
	kinds, statuses := c.list("OperateType"), c.list("Status")
	var logs []any
	for _, l := range s.st.Logs {
		if l.Team == t.ID && l.Created >= bounds[0] && l.Created <= bounds[1] &&
			(len(kinds) == 0 || slices.Contains(kinds, l.Type)) &&
			(len(statuses) == 0 || slices.Contains(statuses, l.Status)) {
			logs = append(logs, answer{
				"Content": l.Content, "OperateType": l.Type, "Status": l.Status, "CreateTime": l.Created,
			})
		}
	}
	if c.flat["OrderByASC"] != "true" {
		slices.Reverse(logs)
	}
	first := min(int(bounds[3]), len(logs))
	last := min(first+int(min(bounds[2], 100)), len(logs))
	return answer{
		"Logs": s.items(logs[first:last]), "Total": len(logs),
		"OperateTypeList": s.names("CreateTeam", "UpdateTeam", "InviteMember", "Agree", "Reject", "Cancel", "Send"),
		"StatusList":      s.names("Success", "Failed"),
	}, nil
}

func (s *Server) names(list ...string) any {
	if !s.quirks.LogTypesMap {
		return list
	}
	m := map[string]string{}
	for _, name := range list {
		m[name] = name
	}
	return m
}
