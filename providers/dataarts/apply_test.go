package dataarts_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// The bodies and paths of every action, for users and for user groups.
func TestApply_Request(t *testing.T) {
	const base = "/v2/" + dataartsfake.ProjectID + "/" + analytics
	aliceFields := `"user_id":"` + alice + `","user_name":"alice","domain_id":"` + dataartsfake.DomainID + `"`
	tests := map[string]struct {
		change             workflow.Change
		present            bool
		method, path, body string
		after              []string
	}{
		"add a user": {
			change: change(workflow.Add, user(alice), "r00002"), method: "POST", path: base + "/users",
			body:  `{"type":0,"user_ids":[{` + aliceFields + `,"is_domain_owner":false}],"roles_ids":[{"role_id":"r00002"}]}`,
			after: []string{"r00002"},
		},
		"add a group": {
			change: change(workflow.Add, userGroup(platform), "r00004"), method: "POST", path: base + "/users",
			body:  `{"type":1,"groups":[{"id":"` + platform + `"}],"roles_ids":[{"role_id":"r00004"}]}`,
			after: []string{"r00004"},
		},
		"role of a user": {
			change: change(workflow.SetRole, user(alice), "r00003"), present: true, method: "PUT", path: base + "/users/" + alice,
			body: `{"type":0,"user_ids":[{` + aliceFields + `,"domain_name":"` + dataartsfake.DomainName +
				`","is_domain_owner":false}],"roles_ids":[{"role_id":"r00003"}]}`,
			after: []string{"r00003"},
		},
		"role of a group": {
			change: change(workflow.SetRole, userGroup(platform), "r00003", "r00004"), present: true, method: "PUT",
			path:  base + "/users/" + platform,
			body:  `{"type":1,"groups":[{"id":"` + platform + `"}],"roles_ids":[{"role_id":"r00003"},{"role_id":"r00004"}]}`,
			after: []string{"r00003", "r00004"},
		},
		"remove a user": {
			change: change(workflow.RemoveOne, user(alice)), present: true, method: "POST", path: base + "/delete-users",
			body: `{"user_ids":["` + alice + `"]}`,
		},
		"remove a group": {
			change: change(workflow.RemoveOne, userGroup(platform)), present: true, method: "POST", path: base + "/delete-users",
			body: `{"user_ids":["` + platform + `"]}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := cloud(t)
			if tt.present {
				s.SetMember(analytics, dataartsfake.Member{UserID: alice, UserName: "alice", Roles: []string{"r00001"}})
				s.SetMember(analytics, dataartsfake.Member{Type: 1, UserID: platform, Roles: []string{"r00001"}})
			}
			p := open(t, options(s.URL()))
			m := read(t, p, tt.change)
			reads := len(s.Calls())
			out := apply(t, p, tt.change, m)
			if out.Verdict != workflow.Applied || out.Fault != nil || out.RequestID == "" {
				t.Fatalf("Apply = %+v %v", out, out.Fault)
			}
			calls := s.Calls()[reads:]
			if len(calls) != 1 || calls[0].Method != tt.method || calls[0].Path != tt.path || calls[0].RequestID != out.RequestID {
				t.Fatalf("calls = %+v", calls)
			}
			if diff := cmp.Diff(asJSON(t, tt.body), asJSON(t, calls[0].Body)); diff != "" {
				t.Error(diff)
			}
			if got := rolesOf(s, tt.change.Subject); !slices.Equal(got, tt.after) {
				t.Errorf("roles afterwards %q, want %q", got, tt.after)
			}
			if m := read(t, p, tt.change); m.Fit != workflow.Satisfied {
				t.Errorf("read back: %+v", m)
			}
		})
	}
}

func TestApply_LeavesOthersAlone(t *testing.T) {
	s := cloud(t)
	s.SetMember(analytics, member(alice, "r00002"))
	s.SetMember(analytics, member(bob, "r00003"))
	before := s.Members(dataartsfake.WorkspaceRisk)
	p := open(t, options(s.URL()))
	do(t, p, change(workflow.SetRole, user(alice), "r00004"))
	do(t, p, change(workflow.RemoveOne, user(alice)))
	if got := rolesOf(s, user(bob)); !slices.Equal(got, []string{"r00003"}) {
		t.Errorf("bob has %q", got)
	}
	if got := rolesOf(s, user(owner)); !slices.Equal(got, []string{"r00001"}) {
		t.Errorf("the owner has %q", got)
	}
	if diff := cmp.Diff(before, s.Members(dataartsfake.WorkspaceRisk)); diff != "" {
		t.Error(diff)
	}
}

// Without IAM, whatever the reason, a user is added by the ID alone.
func TestApply_AddWithoutIAM(t *testing.T) {
	want := `{"type":0,"user_ids":[{"user_id":"` + alice + `"}],"roles_ids":[{"role_id":"r00002"}]}`
	tests := map[string]struct {
		prepare func(*dataartsfake.Server)
		noIAM   bool
		asked   int
	}{
		"not configured": {noIAM: true},
		"forbidden":      {prepare: func(s *dataartsfake.Server) { s.SetBehaviour(dataartsfake.Behaviour{IAMRefused: true}) }, asked: 1},
		"unknown there": {
			prepare: func(s *dataartsfake.Server) {
				s.AddFault(dataartsfake.Fault{Route: dataartsfake.ShowUser, Kind: dataartsfake.Status, Status: 404})
			}, asked: 1,
		},
		"broken": {
			prepare: func(s *dataartsfake.Server) {
				s.AddFault(dataartsfake.Fault{Route: dataartsfake.ShowUser, Kind: dataartsfake.HTML200})
			}, asked: 1,
		},
		"huge": {
			prepare: func(s *dataartsfake.Server) {
				s.AddFault(dataartsfake.Fault{Route: dataartsfake.ShowUser, Kind: dataartsfake.HugeBody})
			}, asked: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := cloud(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			o := options(s.URL())
			if tt.noIAM {
				o.IAMEndpoint = ""
			}
			if out := do(t, open(t, o), change(workflow.Add, user(alice), "r00002")); out.Verdict != workflow.Applied {
				t.Fatalf("%+v", out)
			}
			if diff := cmp.Diff(asJSON(t, want), asJSON(t, s.Mutations()[0].Body)); diff != "" {
				t.Error(diff)
			}
			asked := 0
			for _, c := range s.Calls() {
				if c.Route == dataartsfake.ShowUser {
					asked++
				}
			}
			if asked != tt.asked {
				t.Errorf("IAM was asked %d times, want %d", asked, tt.asked)
			}
		})
	}
}

func TestApply_SlowIAMHoldsNothingUp(t *testing.T) {
	s := cloud(t)
	s.AddFault(dataartsfake.Fault{Route: dataartsfake.ShowUser, Kind: dataartsfake.Delay, Delay: time.Minute})
	begun := time.Now()
	out := do(t, open(t, options(s.URL())), change(workflow.Add, user(alice), "r00002"))
	if took := time.Since(begun); took > 20*time.Second || out.Verdict != workflow.Applied {
		t.Errorf("%+v after %v", out, took)
	}
}

// An answer about somebody else is not sent, nor a Row of somebody else.
func TestApply_SendsNobodyElsesFields(t *testing.T) {
	s := cloud(t)
	s.SetMember(analytics, member(alice, "r00002"))
	p := open(t, options(s.URL()))
	c := change(workflow.SetRole, user(alice), "r00003")
	m := read(t, p, c)
	for _, row := range []string{``, `null`, `7`, `{"user_id":"` + bob + `","user_name":"bob"}`} {
		m.Row = []byte(row)
		if out := apply(t, p, c, m); out.Verdict != workflow.Applied {
			t.Fatalf("%q: %+v", row, out)
		}
	}
	want := `{"type":0,"user_ids":[{"user_id":"` + alice + `"}],"roles_ids":[{"role_id":"r00003"}]}`
	for _, call := range s.Mutations() {
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, call.Body)); diff != "" {
			t.Error(diff)
		}
	}
}

// faultsOfCalls are all that can go wrong with a mutating call, and what it then is.
var faultsOfCalls = []struct {
	fault   dataartsfake.Fault
	verdict workflow.Verdict
	class   workflow.Class
	code    string
	applied bool
}{
	{dataartsfake.Fault{Kind: dataartsfake.ApplyThenCut}, workflow.Unclear, workflow.ClassUnclear, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.CutBefore}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.TruncatedBody}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.TruncatedBody, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.HTML200}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.HTML200, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.Empty200}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.Empty200, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.Null200}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.Empty204}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.Empty204, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.Redirect302}, workflow.Unclear, workflow.ClassUnclear, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.HugeBody, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.IsSuccessFalse, Message: "quota is used up"}, workflow.Refused, workflow.ClassQuota, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.IsSuccessFalse, Message: "成员配额已用完"}, workflow.Refused, workflow.ClassQuota, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.IsSuccessFalse, Message: "unquotable"}, workflow.Refused, workflow.ClassRefused, "", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 429, Message: "quota of calls"}, workflow.Refused, workflow.ClassThrottled, "APIGW.0308", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 500, Message: "quota service down"}, workflow.Unclear, workflow.ClassUnclear, "DAYU.3531", false},
	{dataartsfake.Fault{Kind: dataartsfake.IsSuccessFalse, Applies: true}, workflow.Refused, workflow.ClassRefused, "", true},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 400}, workflow.Refused, workflow.ClassRefused, "DAYU.4402", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 401}, workflow.Refused, workflow.ClassKey, "APIGW.0301", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 403}, workflow.Refused, workflow.ClassPermission, "APIGW.0302", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 404}, workflow.Refused, workflow.ClassRefused, "APIGW.0101", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 408, Code: "APIGW.0201"}, workflow.Unclear, workflow.ClassUnclear, "APIGW.0201", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 429}, workflow.Refused, workflow.ClassThrottled, "APIGW.0308", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 500}, workflow.Unclear, workflow.ClassUnclear, "DAYU.3531", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 500, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "DAYU.3531", true},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 502, Applies: true}, workflow.Unclear, workflow.ClassUnclear, "APIGW.0201", true},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 503}, workflow.Unclear, workflow.ClassUnclear, "APIGW.0201", false},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 504}, workflow.Unclear, workflow.ClassUnclear, "APIGW.0201", false},
}

// Every fault of every action: what it is told to be, that one request was sent, and who is a member afterwards.
func TestApply_Faults(t *testing.T) {
	actions := []struct {
		change         workflow.Change
		present, after []string
	}{
		{change(workflow.Add, user(alice), "r00002"), nil, []string{"r00002"}},
		{change(workflow.SetRole, user(alice), "r00002"), []string{"r00003"}, []string{"r00002"}},
		{change(workflow.AddRole, user(alice), "r00002"), []string{"r00003"}, []string{"r00002", "r00003"}},
		{change(workflow.DropRole, user(alice), "r00002"), []string{"r00002", "r00003"}, []string{"r00003"}},
		{change(workflow.RemoveOne, user(alice)), []string{"r00003"}, nil},
		{change(workflow.Add, userGroup(platform), "r00002"), nil, []string{"r00002"}},
		{change(workflow.SetRole, userGroup(platform), "r00002"), []string{"r00003"}, []string{"r00002"}},
		{change(workflow.AddRole, userGroup(platform), "r00002"), []string{"r00003"}, []string{"r00002", "r00003"}},
		{change(workflow.DropRole, userGroup(platform), "r00002"), []string{"r00002", "r00003"}, []string{"r00003"}},
		{change(workflow.RemoveOne, userGroup(platform)), []string{"r00003"}, nil},
	}
	for _, a := range actions {
		for _, tt := range faultsOfCalls {
			name := fmt.Sprintf("%s/%s/%s%d/%t", a.change.Action, a.change.Subject.Kind, tt.fault.Kind, tt.fault.Status, tt.fault.Applies)
			t.Run(name, func(t *testing.T) {
				s := cloud(t)
				if a.present != nil {
					m := member(a.change.Subject.ID, a.present...)
					if a.change.Subject.Kind == workflow.UserGroup {
						m.Type = dataartsfake.TypeGroup
					}
					s.SetMember(analytics, m)
				}
				p := open(t, options(s.URL()))
				m := read(t, p, a.change)
				reads := len(s.Calls())
				s.AddFault(tt.fault)
				out := apply(t, p, a.change, m)
				if out.Verdict != tt.verdict || out.Fault == nil || out.Fault.Class != tt.class || out.Fault.Code != tt.code {
					t.Errorf("%+v %+v", out, out.Fault)
				}
				if out.Fault.Text == "" {
					t.Error("no text")
				}
				if tt.fault.Message != "" && out.Fault.Text != tt.fault.Message {
					t.Errorf("text %q, want %q", out.Fault.Text, tt.fault.Message)
				}
				calls := s.Calls()[reads:]
				if len(calls) != 1 || !calls[0].Mutating || calls[0].Applied != tt.applied {
					t.Errorf("calls = %+v", calls)
				}
				if want := len(calls) == 1 && calls[0].Status != 0; want && out.RequestID == "" {
					t.Error("the answer's request ID is lost")
				}
				after := a.present
				if tt.applied {
					after = a.after
				}
				if got := rolesOf(s, a.change.Subject); !slices.Equal(got, after) {
					t.Errorf("roles %q, want %q", got, after)
				}
				fit := workflow.Differs
				if tt.applied {
					fit = workflow.Satisfied
				}
				if m := read(t, p, a.change); m.Fit != fit {
					t.Errorf("read back %s, want %s", m.Fit, fit)
				}
			})
		}
	}
}

// Giving up says nothing about what the vendor then does.
func TestApply_GivesUpWithItsContext(t *testing.T) {
	for _, first := range []bool{true, false} {
		s := cloud(t)
		p := open(t, options(s.URL()))
		c := change(workflow.Add, user(alice), "r00002")
		m := read(t, p, c)
		s.AddFault(dataartsfake.Fault{Kind: dataartsfake.Delay, Delay: 2 * time.Second, Applies: first})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // once it is under way
			defer cancel()
			for ctx.Err() == nil && (len(s.Mutations()) == 0 || first && rolesOf(s, user(alice)) == nil) {
				time.Sleep(time.Millisecond)
			}
		}()
		out := applyIn(ctx, p, c, m)
		cancel()
		if out.Verdict != workflow.Unclear || out.Fault.Class != workflow.ClassUnclear {
			t.Errorf("%+v %+v", out, out.Fault)
		}
		if got := rolesOf(s, user(alice)) != nil; got != first {
			t.Errorf("applied at once: %t, want %t", got, first)
		}
		for deadline := time.Now().Add(30 * time.Second); rolesOf(s, user(alice)) == nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		if rolesOf(s, user(alice)) == nil || len(s.Mutations()) != 1 {
			t.Errorf("late: %v, %d calls", rolesOf(s, user(alice)), len(s.Mutations()))
		}
	}
}

func TestApply_CancelledBeforehand(t *testing.T) {
	s := cloud(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := applyIn(ctx, open(t, options(s.URL())), change(workflow.Add, user(alice), "r00002"), workflow.Membership{})
	if out.Verdict != workflow.Unclear || len(s.Calls()) != 0 {
		t.Errorf("%+v, %d calls", out, len(s.Calls()))
	}
}

// What was not sent has not happened.
func TestApply_NobodyListens(t *testing.T) {
	s := cloud(t)
	url := s.URL()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range []string{url, "https://dayu.countersign.invalid"} {
		out := apply(t, open(t, options(endpoint)), change(workflow.Add, user(alice), "r00002"), workflow.Membership{})
		if out.Verdict != workflow.Refused || out.Fault.Class != workflow.ClassVendor {
			t.Errorf("%s: %+v %+v", endpoint, out, out.Fault)
		}
	}
	tls := answering(t, func(http.ResponseWriter, *http.Request) { t.Error("plain http was answered") })
	out := apply(t, open(t, options("https"+tls[len("http"):])), change(workflow.Add, user(alice), "r00002"), workflow.Membership{})
	if out.Verdict != workflow.Refused || out.Fault.Class != workflow.ClassVendor {
		t.Errorf("no TLS there: %+v %+v", out, out.Fault)
	}
}

func TestProvider_ConcurrentUse(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	const n = 50
	for i := range n {
		s.AddIAMUser(dataartsfake.IAMUser{ID: fmt.Sprintf("%032d", i), Name: fmt.Sprintf("user-%d", i)})
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c := change(workflow.Add, user(fmt.Sprintf("%032d", i)), "r00002")
			// Others join meanwhile, which the list may show as a change: that is a reason to read again.
			m := workflow.Membership{}
			for try := 0; ; try++ {
				var err error
				if m, err = p.Read(t.Context(), c); err == nil || try == 20 {
					break
				}
			}
			if out := p.Apply(t.Context(), c, m); out.Verdict != workflow.Applied {
				t.Errorf("%+v %v", out, out.Fault)
			}
		})
	}
	wg.Wait()
	if got := len(s.Members(analytics)); got != n+1 {
		t.Errorf("%d members, want %d", got, n+1)
	}
	if got := len(s.Mutations()); got != n {
		t.Errorf("%d calls, want %d", got, n)
	}
}
