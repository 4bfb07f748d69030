package compshare_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/compshare"
	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

// applied is what each change sends, and what it makes of the seed's relation.
var applied = map[workflow.Action]struct {
	action string
	params map[string]string
	does   func(*compsharefake.Relation)
}{
	workflow.Invite: {
		"CreateCompShareTeamRelation",
		map[string]string{"TeamId": "1001", "UserInfo.0.UserCompanyId": "50002"},
		func(r *compsharefake.Relation) {
			r.Team, r.Company, r.Status, r.Sent = 1001, 50002, compsharefake.Pending, 1
		},
	},
	workflow.Resend: {
		"SetCompShareTeamRelation",
		map[string]string{"TeamId": "1001", "UserCompanyId": "50004", "Status": "Send"},
		func(r *compsharefake.Relation) { r.Sent++ },
	},
	workflow.Cancel: {
		"SetCompShareTeamRelation",
		map[string]string{"TeamId": "1001", "UserCompanyId": "50004", "Status": "Cancel"},
		func(r *compsharefake.Relation) { r.Status = compsharefake.Canceled },
	},
	workflow.Rename: {
		"SetCompShareTeamRelation",
		map[string]string{"TeamId": "1001", "UserCompanyId": "50003", "Status": "UpdateRemarkName", "RemarkName": "李四"},
		func(r *compsharefake.Relation) { r.Remark = "李四" },
	},
	workflow.Accept: {
		"SetCompShareTeamRelation",
		map[string]string{"TeamId": "2001", "Status": "Agree"},
		func(r *compsharefake.Relation) { r.Status, r.Virtual = compsharefake.Joined, 60002 },
	},
	workflow.Reject: {
		"SetCompShareTeamRelation",
		map[string]string{"TeamId": "2001", "Status": "Reject"},
		func(r *compsharefake.Relation) { r.Status = compsharefake.Rejected },
	},
}

// wanted is the relation of a change after it was applied once to what was before.
func wanted(c workflow.Change, before, now compsharefake.Relation) compsharefake.Relation {
	applied[c.Action].does(&before)
	if before.Created == 0 {
		before.Created = now.Created // a new relation's, by the clock
	}
	return before
}

func TestProvider_ApplyMakesOneCall(t *testing.T) {
	t.Parallel()
	for _, q := range []compsharefake.Quirks{{}, {ErrorMapText: true, TextRetCode: true}} {
		for _, c := range changes() {
			s, p := fake(t, q)
			before := subject(s, c)
			m := mustRead(t, p, c)
			s.ResetCalls()

			out := p.Apply(t.Context(), c, m)
			calls := s.Calls()
			if out.Verdict != workflow.Applied || out.Fault != nil || len(calls) != 1 {
				t.Fatalf("%s: %+v by %d calls", c.Action, out, len(calls))
			}
			if out.RequestID != calls[0].RequestID || out.RequestID == "" {
				t.Errorf("%s: request ID %q, want %q", c.Action, out.RequestID, calls[0].RequestID)
			}
			want := applied[c.Action]
			params := maps.Clone(want.params)
			params["Action"], params["Region"] = want.action, "cn-wlcb"
			if diff := cmp.Diff(params, calls[0].Params); diff != "" {
				t.Errorf("%s: parameters (-want +got):\n%s", c.Action, diff)
			}
			now := subject(s, c)
			if diff := cmp.Diff(wanted(c, before, now), now); diff != "" {
				t.Errorf("%s: relation (-want +got):\n%s", c.Action, diff)
			}
			if got := mustRead(t, p, c); got.Fit != workflow.Satisfied && c.Action != workflow.Resend {
				t.Errorf("%s: reads %+v afterwards", c.Action, got)
			}
		}
	}
}

func TestProvider_ApplyInviteSendsRemark(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	c := change(workflow.Invite, "50002")
	c.Remark = "张三 & co=+%20\U0001F680"
	if out := mustApply(t, p, c); out.Verdict != workflow.Applied {
		t.Fatalf("Apply = %+v", out)
	}
	if got := find(s, 1001, 50002).Remark; got != c.Remark {
		t.Errorf("remark %q, want %q", got, c.Remark)
	}
}

func TestProvider_ApplyRefusedByVendor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change workflow.Change
		set    func(*compsharefake.Server)
		want   workflow.Fault
	}{
		{
			"invited already", change(workflow.Invite, "50004"), func(*compsharefake.Server) {},
			workflow.Fault{Class: workflow.ClassState, Code: "ErrorMap 16001", Text: "user already in team"},
		},
		{
			"not verified", change(workflow.Invite, "50002"), func(s *compsharefake.Server) { s.SetUnverified(50001, true) },
			workflow.Fault{Class: workflow.ClassUnverified, Code: "RetCode 226606", Text: "account is not real-name verified"},
		},
		{
			"no relation", change(workflow.Rename, "50002"), func(*compsharefake.Server) {},
			workflow.Fault{Class: workflow.ClassRefused, Code: "RetCode 16002", Text: "relation not exist"},
		},
		{
			"joined meanwhile", change(workflow.Cancel, "50003"), func(*compsharefake.Server) {},
			workflow.Fault{Class: workflow.ClassRefused, Code: "RetCode 16003", Text: "relation is joined"},
		},
		{
			"another key", change(workflow.Accept, ""),
			func(s *compsharefake.Server) { s.AddAccount(publicKey, "another", 50001) },
			workflow.Fault{Class: workflow.ClassKey, Code: "RetCode 171", Text: "Signature VerifyAC Error"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, p := fake(t, compsharefake.Quirks{})
			tt.set(s)
			out := mustApply(t, p, tt.change)
			calls := s.Calls()
			if len(calls) != 1 || calls[0].Applied {
				t.Fatalf("calls %+v, want one that is not applied", calls)
			}
			tt.want.RequestID = calls[0].RequestID
			want := workflow.Outcome{Verdict: workflow.Refused, Fault: &tt.want, RequestID: tt.want.RequestID}
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// Even where Cancel would remove a member, nobody is removed: what Read found impossible is not sent.
func TestProvider_ApplyNeverCancelsJoined(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{CancelRemoves: true})
	c := change(workflow.Cancel, "50003")
	m := mustRead(t, p, c)
	out := p.Apply(t.Context(), c, m)
	if out.Verdict != workflow.Refused || out.Fault == nil || out.Fault.Class != workflow.ClassState {
		t.Errorf("Apply = %+v", out)
	}
	if n := len(s.Mutations()); n != 0 || s.Status(1001, 50003) != compsharefake.Joined {
		t.Errorf("%d calls, relation %q", n, s.Status(1001, 50003))
	}
}

func TestProvider_ApplyRefusesActionOfAnother(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	for _, a := range []workflow.Action{workflow.Add, workflow.SetRole, workflow.RemoveOne, ""} {
		if out := mustApply(t, p, change(a, "50003")); out.Verdict != workflow.Refused {
			t.Errorf("Apply(%q) = %+v", a, out)
		}
	}
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestProvider_ApplyJudgesRetCodes(t *testing.T) {
	t.Parallel()
	tests := map[int]struct {
		verdict workflow.Verdict
		class   workflow.Class
	}{
		110: {workflow.Unclear, workflow.ClassUnclear}, 130: {workflow.Unclear, workflow.ClassVendor},
		150: {workflow.Unclear, workflow.ClassVendor}, 8433: {workflow.Unclear, workflow.ClassVendor},
		-1:  {workflow.Unclear, workflow.ClassVendor},
		153: {workflow.Refused, workflow.ClassThrottled}, 429: {workflow.Refused, workflow.ClassThrottled},
		170: {workflow.Refused, workflow.ClassKey}, 171: {workflow.Refused, workflow.ClassKey},
		172: {workflow.Refused, workflow.ClassKey}, 174: {workflow.Refused, workflow.ClassKey},
		292: {workflow.Refused, workflow.ClassPermission}, 293: {workflow.Refused, workflow.ClassPermission},
		294: {workflow.Refused, workflow.ClassPermission}, 295: {workflow.Refused, workflow.ClassPermission},
		299:    {workflow.Refused, workflow.ClassPermission},
		226601: {workflow.Refused, workflow.ClassUnverified}, 226606: {workflow.Refused, workflow.ClassUnverified},
		160: {workflow.Refused, workflow.ClassRefused}, 161: {workflow.Refused, workflow.ClassRefused},
		230: {workflow.Refused, workflow.ClassRefused}, 16004: {workflow.Refused, workflow.ClassRefused},
		226607: {workflow.Refused, workflow.ClassRefused}, 17001: {workflow.Refused, workflow.ClassQuota},
	}
	s, p := fake(t, compsharefake.Quirks{})
	for code, want := range tests {
		s.Fault(compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: code, Message: "why"})
		out := mustApply(t, p, change(workflow.Cancel, "50004"))
		wantFault := workflow.Fault{Class: want.class, Code: fmt.Sprintf("RetCode %d", code), Text: "why", RequestID: out.RequestID}
		if out.Verdict != want.verdict || out.Fault == nil || *out.Fault != wantFault || out.RequestID == "" {
			t.Errorf("RetCode %d: %+v, want %s %+v", code, out, want.verdict, wantFault)
		}
	}
	if n, m := len(s.Calls()), len(tests); n != m {
		t.Errorf("%d calls, want %d: something was sent again", n, m)
	}
}

// A quota is told by its text where no code tells anything else; the verdict is the code's alone.
func TestProvider_ApplyKnowsQuotas(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{MaxMembers: 2})
	out := mustApply(t, p, change(workflow.Invite, "50002"))
	if f := out.Fault; out.Verdict != workflow.Refused || f == nil || f.Class != workflow.ClassQuota || f.Code != "ErrorMap 17001" {
		t.Errorf("a full team: %+v %+v", out, out.Fault)
	}
	for _, tt := range []struct {
		code  int
		text  string
		class workflow.Class
	}{
		{16009, "team member Quota exceeded", workflow.ClassQuota},
		{16009, "团队成员配额不足", workflow.ClassQuota},
		{16009, "not quotable", workflow.ClassRefused},
		{299, "no right to change the quota", workflow.ClassPermission},
		{150, "quota service down", workflow.ClassVendor},
	} {
		s.Fault(compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: tt.code, Message: tt.text})
		out := mustApply(t, p, change(workflow.Cancel, "50004"))
		if out.Fault == nil || out.Fault.Class != tt.class || out.Fault.Text != tt.text || (out.Verdict == workflow.Unclear) != (tt.code == 150) {
			t.Errorf("RetCode %d %q: %+v %+v, want %s", tt.code, tt.text, out, out.Fault, tt.class)
		}
	}
}

func TestProvider_ApplyReadsErrorMap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, errorMap string
		verdict        workflow.Verdict
		code           string
	}{
		{"an empty object", `{}`, workflow.Applied, ""},
		{"an empty text", `""`, workflow.Applied, ""},
		{"an object in a text", `"{}"`, workflow.Applied, ""},
		{"null", `null`, workflow.Applied, ""},
		{"an entry", `{"50002":{"Code":16001,"Message":"x"}}`, workflow.Refused, "ErrorMap 16001"},
		{"an entry in a text", `"{\"50002\":{\"Code\":\"17\",\"Message\":\"x\"}}"`, workflow.Refused, "ErrorMap 17"},
		{"an entry of a time-out", `{"50002":{"Code":110}}`, workflow.Unclear, "ErrorMap 110"},
		{"an entry without a code", `{"50002":{}}`, workflow.Unclear, "ErrorMap 0"},
		{"an entry about another", `{"50003":{"Code":16001}}`, workflow.Unclear, ""},
		{"a text", `"user already in team"`, workflow.Unclear, ""},
		{"a list", `[1]`, workflow.Unclear, ""},
		{"an entry that is a text", `{"50002":"no"}`, workflow.Unclear, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := says(t, `{"Action":"CreateCompShareTeamRelationResponse","RetCode":0,"ErrorMap":`+tt.errorMap+`}`)
			out := mustApply(t, p, change(workflow.Invite, "50002"))
			if out.Verdict != tt.verdict || (out.Fault != nil && out.Fault.Code != tt.code) {
				t.Errorf("Apply = %+v %v, want %s %q", out, out.Fault, tt.verdict, tt.code)
			}
		})
	}
}

var _ workflow.Provider = (*compshare.Provider)(nil)
