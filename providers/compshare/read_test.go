package compshare_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/providers/compshare"
	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

// fits is the table of fit.go, written again.
var fits = map[workflow.Action]map[string]workflow.Fit{
	workflow.Invite: {"": "differs", "Pending": "satisfied", "Joined": "satisfied", "Rejected": "differs", "Canceled": "differs", "Frozen": "differs"},
	workflow.Resend: {"": "impossible", "Pending": "differs", "Joined": "impossible", "Rejected": "differs", "Canceled": "differs", "Frozen": "differs"},
	workflow.Cancel: {"": "satisfied", "Pending": "differs", "Joined": "impossible", "Rejected": "satisfied", "Canceled": "satisfied", "Frozen": "impossible"},
	workflow.Rename: {"": "impossible", "Pending": "differs", "Joined": "differs", "Rejected": "differs", "Canceled": "differs", "Frozen": "differs"},
	workflow.Accept: {"": "differs", "Pending": "differs", "Joined": "satisfied", "Rejected": "differs", "Canceled": "differs", "Frozen": "differs"},
	workflow.Reject: {"": "differs", "Pending": "differs", "Joined": "impossible", "Rejected": "satisfied", "Canceled": "differs", "Frozen": "impossible"},
}

func TestProvider_ReadFits(t *testing.T) {
	t.Parallel()
	for _, q := range []compsharefake.Quirks{{}, {LowerStatus: true, NullLists: true, TextNumbers: true, TextRetCode: true, KeepRejected: true}} {
		s, p := fake(t, q)
		for action, byStatus := range fits {
			for status, want := range byStatus {
				c := change(action, "50006")
				put := compsharefake.Relation{Team: 1001, Company: 50006, Status: status, Remark: "旧", Created: 1795300431}
				if action == workflow.Accept || action == workflow.Reject {
					c, put.Team, put.Company = change(action, ""), 2001, 50001
				}
				s.SetRelation(put)
				got := mustRead(t, p, c)
				if got.Fit != want || got.Blind != (action == workflow.Resend && want == workflow.Differs) {
					t.Errorf("%s of %q: fit %s, blind %v, want %s", action, status, got.Fit, got.Blind, want)
				}
				wantState := strings.ToLower(status) + `, since 2026-11-21T22:33:51Z, remark "旧"`
				if status == "" {
					wantState = "absent"
				}
				if got.State != wantState {
					t.Errorf("%s of %q: state %q, want %q", action, status, got.State, wantState)
				}
				if (got.Why != nil) != (want == workflow.Impossible) || (got.Why != nil && got.Why.Class != workflow.ClassState) {
					t.Errorf("%s of %q: why %+v", action, status, got.Why)
				}
				if !json.Valid(got.Row) {
					t.Errorf("%s of %q: row %q", action, status, got.Row)
				}
			}
		}
		if n := len(s.Mutations()); n != 0 {
			t.Errorf("reading made %d mutating calls", n)
		}
	}
}

func TestProvider_ReadRenameSatisfiedByRemark(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	s.SetRelation(compsharefake.Relation{Team: 1001, Company: 50006, Status: compsharefake.Joined, Remark: "李四"})
	if m := mustRead(t, p, change(workflow.Rename, "50006")); m.Fit != workflow.Satisfied {
		t.Errorf("fit %s, want satisfied", m.Fit)
	}
}

// A remark, the time of the invitation and the status each make another membership.
func TestProvider_ReadStateTellsMembershipsApart(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	seen := map[string]bool{}
	for _, r := range []compsharefake.Relation{
		{Status: compsharefake.Pending, Created: 1000},
		{Status: compsharefake.Pending, Created: 1001},
		{Status: compsharefake.Pending, Created: 1000, Remark: "a"},
		{Status: compsharefake.Canceled, Created: 1000},
		{Status: "unknown", Created: 1000},
		{Status: "absent", Remark: "imitates"},
		{},
	} {
		r.Team, r.Company = 1001, 50006
		s.SetRelation(r)
		seen[mustRead(t, p, change(workflow.Invite, "50006")).State] = true
	}
	if len(seen) != 7 {
		t.Errorf("%d states, want 7: %v", len(seen), seen)
	}
}

func TestProvider_ReadPrefersLiveRow(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{OldRows: true})
	s.SetRelation(compsharefake.Relation{Team: 1001, Company: 50006, Status: compsharefake.Canceled, Created: 1 << 40})
	c := change(workflow.Invite, "50006")
	before := mustRead(t, p, c)
	if out := mustApply(t, p, c); out.Verdict != workflow.Applied {
		t.Fatalf("Apply = %+v", out)
	}
	if after := mustRead(t, p, c); before.Fit != workflow.Differs || after.Fit != workflow.Satisfied {
		t.Errorf("fit %s then %s, want differs then satisfied", before.Fit, after.Fit)
	}
}

// That GetCompShareTeamInfo lists pending invitations is inferred; where it does not, a pending one is not absent.
func TestProvider_ReadSeesInvitationsListedApart(t *testing.T) {
	t.Parallel()
	_, p := fake(t, compsharefake.Quirks{InvitesApart: true})
	if m := mustRead(t, p, change(workflow.Cancel, "50004")); m.Fit != workflow.Differs || !strings.HasPrefix(m.State, "pending") {
		t.Errorf("Read = %+v, want pending", m)
	}
}

func TestProvider_ReadDoesWithoutListOfInvitations(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	for _, code := range []int{161, 299, 230} {
		for _, c := range []workflow.Change{change(workflow.Invite, "50002"), change(workflow.Accept, "")} {
			s.Fault(compsharefake.Fault{Action: "ListCompShareTeamInvite", Kind: compsharefake.RetCode, RetCode: code})
			if m := mustRead(t, p, c); m.State != "absent" || m.Fit != workflow.Differs {
				t.Errorf("RetCode %d: Read = %+v", code, m)
			}
		}
	}
	s.Fault(compsharefake.Fault{Action: "ListCompShareTeamInvite", Kind: compsharefake.Cut})
	if m, err := p.Read(t.Context(), change(workflow.Invite, "50002")); err == nil {
		t.Errorf("Read = %+v although the second list was cut off", m)
	}
}

func TestProvider_ReadFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		class      workflow.Class
		code       string
	}{
		{"nothing about a team", `{"Action":"GetCompShareTeamInfoResponse","RetCode":0}`, workflow.ClassUnclear, ""},
		{"another team", `{"Action":"GetCompShareTeamInfoResponse","RetCode":0,"Team":{"Id":1002}}`, workflow.ClassUnclear, ""},
		{"a deleted team", `{"Action":"GetCompShareTeamInfoResponse","RetCode":0,"Team":{"Id":1001,"Deleted":1}}`, workflow.ClassGroup, ""},
		{"rows that are none", `{"Action":"GetCompShareTeamInfoResponse","RetCode":0,"Team":{"Id":1001},"TeamRelation":[{"UserCompanyId":"x"}]}`, workflow.ClassUnclear, ""},
		{"no RetCode", `{"Action":"GetCompShareTeamInfoResponse","Team":{"Id":1001}}`, workflow.ClassUnclear, ""},
		{"an empty object", `{}`, workflow.ClassUnclear, ""},
		{"null", `null`, workflow.ClassUnclear, ""},
		{"a list", `[]`, workflow.ClassUnclear, ""},
		{"nothing", ``, workflow.ClassUnclear, ""},
		{"a page", `<html></html>`, workflow.ClassUnclear, ""},
		{"another call's answer", `{"Action":"ListCompShareTeamResponse","RetCode":0,"Team":{"Id":1001}}`, workflow.ClassUnclear, ""},
		{"an answer without Action", `{"RetCode":0,"Team":{"Id":1001}}`, workflow.ClassUnclear, ""},
		{"a wrong key", `{"RetCode":171,"Message":"Signature VerifyAC Error"}`, workflow.ClassKey, "RetCode 171"},
		{"rights", `{"Action":"GetCompShareTeamInfoResponse","RetCode":299,"Message":"no"}`, workflow.ClassPermission, "RetCode 299"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := says(t, tt.body)
			_, read := p.Read(t.Context(), change(workflow.Cancel, "50002"))
			_, listed := p.Members(t.Context(), "1001")
			for _, err := range []error{read, listed} {
				f, ok := errors.AsType[*workflow.Fault](err)
				if !ok || f.Class != tt.class || f.Code != tt.code || f.Error() == "" {
					t.Errorf("error %#v, want class %s and code %q", err, tt.class, tt.code)
				}
				assertNoSecret(t, err)
			}
		})
	}
}

// A number cut off to 32 bits would be somebody else's.
func TestProvider_ReadRefusesNumberAbove32Bits(t *testing.T) {
	t.Parallel()
	p := says(t, `{"Action":"GetCompShareTeamInfoResponse","RetCode":0,"Team":{"Id":1001},
		"TeamRelation":[{"UserCompanyId":4295017298,"Status":"Joined"}]}`) // 2^32 + 50002
	m, err := p.Members(t.Context(), "1001")
	if err != nil || len(m) != 1 || m[0].Company != 0 || m[0].Team != 1001 {
		t.Errorf("Members = %+v, %v", m, err)
	}
}

func TestProvider_ReadNeedsNumbers(t *testing.T) {
	t.Parallel()
	asked := 0
	p := raw(t, func(http.ResponseWriter, *http.Request) { asked++ })
	for _, c := range []workflow.Change{
		{Action: workflow.Invite, Group: "1001"},
		{Action: workflow.Invite, Group: "+1", Subject: member("5")},
		{Action: workflow.Accept, Group: "x"},
		{Action: workflow.Invite, Group: "1", Subject: member("4294967296")},
	} {
		if _, err := p.Read(t.Context(), c); err == nil {
			t.Errorf("Read(%+v) succeeded", c)
		}
		if out := p.Apply(t.Context(), c, workflow.Membership{}); out.Verdict != workflow.Refused {
			t.Errorf("Apply(%+v) = %+v", c, out)
		}
	}
	if asked != 0 {
		t.Errorf("%d requests", asked)
	}
}

func TestProvider_Lists(t *testing.T) {
	t.Parallel()
	for _, q := range []compsharefake.Quirks{{}, {TextNumbers: true, LowerStatus: true}} {
		_, p := fake(t, q)
		groups, err := p.Groups(t.Context())
		if err != nil || len(groups) != 2 || groups[0] != (compshare.Group{ID: 1001, Name: "gpu-research"}) {
			t.Errorf("Groups = %+v, %v", groups, err)
		}
		members, err := p.Members(t.Context(), "1001")
		if err != nil || len(members) != 3 {
			t.Fatalf("Members = %+v, %v", members, err)
		}
		want := compshare.Member{
			Team: 1001, Company: 50003, Virtual: 60001, Status: compshare.Joined, Remark: "陈静",
			Created: time.Unix(1795200000, 0).UTC(), TeamName: "gpu-research",
		}
		if members[0] != want {
			t.Errorf("Members[0] = %+v, want %+v", members[0], want)
		}
	}
	_, p := fake(t, compsharefake.Quirks{NullLists: true})
	if _, err := p.Members(t.Context(), "2001"); err == nil {
		t.Error("Members of another company's team succeeded")
	}
	if members, err := p.Members(t.Context(), "1002"); err != nil || len(members) != 0 {
		t.Errorf("Members of an empty team = %v, %v", members, err)
	}
}
