package compshare_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

func TestProvider_ReadWhereItLeads(t *testing.T) {
	t.Parallel()
	answered := []workflow.Warning{workflow.Answered}
	at := func(status, remark string) workflow.Position {
		return workflow.Position{Status: status, Remark: remark}
	}
	tests := map[string]struct {
		action    workflow.Action
		status    string // of the relation; empty: there is none
		now, then workflow.Position
		warnings  []workflow.Warning
	}{
		"invite":              {workflow.Invite, "", at("absent", ""), at("pending", "李四"), nil},
		"invite the rejected": {workflow.Invite, "Rejected", at("rejected", "旧"), at("pending", "李四"), answered},
		"invite the joined":   {workflow.Invite, "Joined", at("joined", "旧"), at("joined", "旧"), answered},
		"invite twice":        {workflow.Invite, "Pending", at("pending", "旧"), at("pending", "旧"), nil},
		"resend":              {workflow.Resend, "Pending", at("pending", "旧"), at("pending", "旧"), nil},
		"resend to nobody":    {workflow.Resend, "", at("absent", ""), at("", ""), nil},
		"cancel":              {workflow.Cancel, "Pending", at("pending", "旧"), at("canceled", "旧"), nil},
		"cancel the joined":   {workflow.Cancel, "Joined", at("joined", "旧"), at("", ""), answered},
		"rename":              {workflow.Rename, "Joined", at("joined", "旧"), at("joined", "李四"), nil},
		"accept":              {workflow.Accept, "Pending", at("pending", "旧"), at("joined", "旧"), nil},
		"reject":              {workflow.Reject, "Pending", at("pending", "旧"), at("rejected", "旧"), nil},
		"a status of its own": {workflow.Rename, "Frozen", at("frozen", "旧"), at("frozen", "李四"), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := fake(t, compsharefake.Quirks{})
			c, put := change(tt.action, "50006"), compsharefake.Relation{Team: 1001, Company: 50006, Status: tt.status, Remark: "旧"}
			group := "gpu-research"
			if tt.action == workflow.Invite {
				c.Remark = "李四"
			}
			if tt.action == workflow.Accept || tt.action == workflow.Reject {
				c, put.Team, put.Company = change(tt.action, ""), 2001, 50001
				s.AddTeam(2001, 50010, "partner")
				group = "partner"
			}
			s.SetRelation(put)
			m := mustRead(t, p, c)
			got := workflow.Membership{Now: m.Now, Then: m.Then, Warnings: m.Warnings, GroupName: m.GroupName, Wanted: m.Wanted}
			want := workflow.Membership{Now: tt.now, Then: tt.then, Warnings: tt.warnings, GroupName: group}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the vendor answers of a team that does not exist is not published: only the account's own list of teams tells.
func TestProvider_ReadUnknownTeam(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		team  string
		fault compsharefake.Fault // of the list of teams
		class workflow.Class
	}{
		"none":                {"4711", compsharefake.Fault{}, workflow.ClassGroup},
		"somebody else's":     {"2001", compsharefake.Fault{}, workflow.ClassGroup},
		"list not allowed":    {"4711", compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: 299}, workflow.ClassRefused},
		"list cut off":        {"4711", compsharefake.Fault{Kind: compsharefake.Cut}, workflow.ClassRefused},
		"list that is none":   {"4711", compsharefake.Fault{Kind: compsharefake.EmptyObject}, workflow.ClassRefused},
		"theirs, list barred": {"2001", compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: 299}, workflow.ClassPermission},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := fake(t, compsharefake.Quirks{})
			if tt.fault.Kind != "" {
				tt.fault.Action = "ListCompShareTeam"
				s.Fault(tt.fault)
			}
			c := change(workflow.Invite, "50002")
			c.Group = tt.team
			_, err := p.Read(t.Context(), c)
			f, ok := errors.AsType[*workflow.Fault](err)
			if !ok || f.Class != tt.class || f.Code == "" {
				t.Errorf("Read: %#v, want class %s and the vendor's code", err, tt.class)
			}
		})
	}
	s, p := fake(t, compsharefake.Quirks{})
	s.Fault(compsharefake.Fault{Action: "GetCompShareTeamInfo", Kind: compsharefake.RetCode, RetCode: 230, Message: "Params [TeamId] not available"})
	_, err := p.Read(t.Context(), change(workflow.Invite, "50002"))
	if f, ok := errors.AsType[*workflow.Fault](err); !ok || f.Class != workflow.ClassRefused {
		t.Errorf("a team that the account has: %v", err)
	}
}

// A company is unknown to a team only where both lists were read.
func TestProvider_ReadNotSureOfNobody(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	s.Fault(compsharefake.Fault{Action: "ListCompShareTeamInvite", Kind: compsharefake.RetCode, RetCode: 299})
	if m := mustRead(t, p, change(workflow.Rename, "50006")); m.Fit != workflow.Differs {
		t.Errorf("fit %s: the vendor is not asked", m.Fit)
	}
}

func TestProvider_Directory(t *testing.T) {
	t.Parallel()
	_, p := fake(t, compsharefake.Quirks{})
	d := p.Directory()
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != 2 || groups[0] != (workflow.Group{ID: "1001", Name: "gpu-research"}) {
		t.Errorf("Groups = %v, %v", groups, err)
	}
	members, err := d.Members(t.Context(), "1001")
	want := workflow.Listed{
		Subject:  workflow.Subject{Kind: workflow.Member, ID: "50003"},
		Position: workflow.Position{Status: "joined", Remark: "陈静"},
	}
	if err != nil || len(members) != 3 || !cmp.Equal(members[0], want) {
		t.Errorf("Members = %v, %v", members, err)
	}
	if roles, err := d.Roles(t.Context(), "1001"); err != nil || len(roles) != 0 {
		t.Errorf("Roles = %v, %v", roles, err)
	}
	if _, err := d.Members(t.Context(), "x"); err == nil {
		t.Error("a team that is no number was read")
	}
}
