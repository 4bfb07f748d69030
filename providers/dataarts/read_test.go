package dataarts_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

func TestRead_Fit(t *testing.T) {
	const none = ""
	tests := map[string]struct {
		present string // roles, comma-separated; none: not a member
		change  workflow.Change
		state   string
		fit     workflow.Fit
		class   workflow.Class
	}{
		"add, absent":              {none, change(workflow.Add, user(alice), "r00002"), "absent", workflow.Differs, ""},
		"add, as wanted":           {"r00002", change(workflow.Add, user(alice), "r00002"), "r00002", workflow.Satisfied, ""},
		"add, as wanted, unsorted": {"r00004,r00002", change(workflow.Add, user(alice), "r00002", "r00004"), "r00002,r00004", workflow.Satisfied, ""},
		"add, with other roles":    {"r00003", change(workflow.Add, user(alice), "r00002"), "r00003", workflow.Impossible, workflow.ClassState},
		"add, with more roles":     {"r00002,r00003", change(workflow.Add, user(alice), "r00002"), "r00002,r00003", workflow.Impossible, workflow.ClassState},
		"role, absent":             {none, change(workflow.SetRole, user(alice), "r00002"), "absent", workflow.Impossible, workflow.ClassState},
		"role, as wanted":          {"r00002", change(workflow.SetRole, user(alice), "r00002"), "r00002", workflow.Satisfied, ""},
		"role, other":              {"r00003", change(workflow.SetRole, user(alice), "r00002"), "r00003", workflow.Differs, ""},
		"role, a subset":           {"r00002,r00003", change(workflow.SetRole, user(alice), "r00002"), "r00002,r00003", workflow.Differs, ""},
		"remove, present":          {"r00003", change(workflow.RemoveOne, user(alice)), "r00003", workflow.Differs, ""},
		"remove, absent":           {none, change(workflow.RemoveOne, user(alice)), "absent", workflow.Satisfied, ""},
		"group, absent":            {none, change(workflow.Add, userGroup(platform), "r00002"), "absent", workflow.Differs, ""},
		"group, present":           {"r00002", change(workflow.Add, userGroup(platform), "r00002"), "r00002", workflow.Satisfied, ""},
		"group, remove":            {"r00002", change(workflow.RemoveOne, userGroup(platform)), "r00002", workflow.Differs, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := cloud(t)
			if tt.present != none {
				m := member(tt.change.Subject.ID, strings.Split(tt.present, ",")...)
				if tt.change.Subject.Kind == workflow.UserGroup {
					m.Type = dataartsfake.TypeGroup
				}
				s.SetMember(analytics, m)
			}
			m := read(t, open(t, options(s.URL())), tt.change)
			if m.State != tt.state || m.Fit != tt.fit {
				t.Errorf("%q %s, want %q %s", m.State, m.Fit, tt.state, tt.fit)
			}
			if tt.present != none && strings.Join(m.Roles, ",") != m.State {
				t.Errorf("Roles = %q in state %q", m.Roles, m.State)
			}
			switch {
			case tt.class == "" && m.Why != nil, tt.class != "" && (m.Why == nil || m.Why.Class != tt.class):
				t.Errorf("Why = %+v, want class %q", m.Why, tt.class)
			}
			if n := len(s.Mutations()); n > 0 {
				t.Errorf("Read made %d mutating calls", n)
			}
		})
	}
}

func TestRead_GroupAndUserOfOneIDAreTwo(t *testing.T) {
	s := cloud(t)
	s.SetMember(analytics, member(platform, "r00002"))
	if m := read(t, open(t, options(s.URL())), change(workflow.RemoveOne, userGroup(platform))); m.State != "absent" {
		t.Errorf("the row of a user passes for that of a group: %+v", m)
	}
}

func TestRead_MemberWithoutRolesIsPresent(t *testing.T) {
	s := cloud(t)
	s.SetMember(analytics, member(alice))
	m := read(t, open(t, options(s.URL())), change(workflow.RemoveOne, user(alice)))
	if m.State != "none" || m.Fit != workflow.Differs {
		t.Errorf("%+v", m)
	}
}

// The vendor lists a workspace that does not exist like an empty one.
func TestRead_UnknownWorkspace(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	for _, a := range []workflow.Action{workflow.Add, workflow.SetRole, workflow.RemoveOne} {
		c := change(a, user(alice), "r00002")
		c.Group = strings.Repeat("0", 32)
		m := read(t, p, c)
		if m.Fit != workflow.Impossible || m.Why == nil || m.Why.Class != workflow.ClassGroup {
			t.Errorf("%s: %+v", a, m)
		}
		if m.Why != nil && (m.Why.Code != "DLM.4001" || !strings.HasPrefix(m.Why.Text, "no such workspace")) {
			t.Errorf("%s: %+v", a, m.Why)
		}
	}
}

func TestRead_EmptyWorkspaceThatExists(t *testing.T) {
	s := cloud(t)
	empty := strings.Repeat("1", 32)
	s.AddWorkspace(empty, "empty")
	p := open(t, options(s.URL()))
	c := change(workflow.RemoveOne, user(alice))
	c.Group = empty
	if m := read(t, p, c); m.Fit != workflow.Satisfied || m.State != "absent" {
		t.Errorf("remove: %+v", m)
	}
	c = change(workflow.Add, user(alice), "r00002")
	c.Group = empty
	if m := read(t, p, c); m.Fit != workflow.Differs {
		t.Errorf("add: %+v", m)
	}
}

// Whether the workspace exists is not known if the roles cannot be read: that refuses nothing and confirms nothing.
func TestRead_WorkspaceThatCannotBeConfirmed(t *testing.T) {
	for status, class := range map[int]workflow.Class{
		401: workflow.ClassKey, 403: workflow.ClassPermission, 429: workflow.ClassThrottled, 500: workflow.ClassVendor,
		503: workflow.ClassVendor,
	} {
		s := cloud(t)
		s.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceRoles, Kind: dataartsfake.Status, Status: status})
		c := change(workflow.RemoveOne, user(alice))
		c.Group = strings.Repeat("0", 32)
		if f := readFault(t, open(t, options(s.URL())), c); f.Class != class {
			t.Errorf("%d: %+v", status, f)
		}
	}
}

// Where the roles cannot be read, the instance's own list may tell that the workspace exists.
func TestRead_EmptyWorkspaceThatTheInstanceShows(t *testing.T) {
	for _, hidden := range []string{"", dataartsfake.ShowWorkSpace, dataartsfake.ListManagerWorkSpaces} {
		s := cloud(t)
		empty := strings.Repeat("1", 32)
		s.AddWorkspace(empty, "empty")
		for _, route := range []string{dataartsfake.ListWorkspaceRoles, hidden} {
			if route != "" {
				s.AddFault(dataartsfake.Fault{Route: route, Kind: dataartsfake.Status, Status: 404, Code: "APIGW.0101", Count: -1})
			}
		}
		c := change(workflow.Add, user(alice), "r00002")
		c.Group = empty
		if m := read(t, open(t, options(s.URL())), c); m.Fit != workflow.Differs || m.State != "absent" {
			t.Errorf("without %q: %+v", hidden, m)
		}
		c.Group = strings.Repeat("0", 32)
		if f := readFault(t, open(t, options(s.URL())), c); f.Code != "APIGW.0101" {
			t.Errorf("without %q, of a workspace that is not there: %+v", hidden, f)
		}
	}
}

func TestRead_RoleOfTheWorkspacesOwn(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	if m := read(t, p, change(workflow.Add, user(alice), dataartsfake.RoleAuditor)); m.Fit != workflow.Differs {
		t.Errorf("a role that exists: %+v", m)
	}
	m := read(t, p, change(workflow.Add, user(alice), "r99999"))
	if m.Fit != workflow.Impossible || !strings.Contains(m.Why.Text, "r99999") || !strings.Contains(m.Why.Text, "r10001 Auditor") {
		t.Errorf("a role that does not: %+v", m.Why)
	}
}

func TestRead_Pages(t *testing.T) {
	for _, mode := range []dataartsfake.OffsetMode{
		dataartsfake.OffsetRecords, dataartsfake.OffsetPages, dataartsfake.OffsetPagesFrom,
	} {
		for _, n := range []int{1, 99, 100, 101, 200, 250} {
			for _, size := range []int{0, 30} {
				t.Run(fmt.Sprintf("%q/%d/%d", mode, n, size), func(t *testing.T) {
					s := cloud(t)
					s.SetBehaviour(dataartsfake.Behaviour{Offset: mode, PageSize: size})
					crowd(s, n)
					members, err := open(t, options(s.URL())).Members(t.Context(), analytics)
					if err != nil {
						t.Fatal(err)
					}
					seen := map[string]bool{}
					for _, m := range members {
						seen[m.Subject.ID] = true
					}
					if len(members) != n || len(seen) != n {
						t.Errorf("%d members, %d different, of %d", len(members), len(seen), n)
					}
				})
			}
		}
	}
}

func TestRead_PagesThatOverlap(t *testing.T) {
	s := cloud(t)
	crowd(s, 250)
	s.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceusers, Kind: dataartsfake.DuplicateRows, Count: -1})
	members, err := open(t, options(s.URL())).Members(t.Context(), analytics)
	if err != nil || len(members) != 250 {
		t.Errorf("%d members, %v", len(members), err)
	}
}

// A list that cannot be whole is no list: nobody is absent from it.
func TestRead_ListThatDisagreesWithItsCount(t *testing.T) {
	for _, kind := range []dataartsfake.Kind{dataartsfake.WrongCount, dataartsfake.NoCount} {
		for _, n := range []int{1, 100, 150} {
			s := cloud(t)
			crowd(s, n)
			s.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceusers, Kind: kind, Count: -1})
			p := open(t, options(s.URL()))
			if f := readFault(t, p, change(workflow.RemoveOne, user(alice))); f.Class != workflow.ClassUnclear {
				t.Errorf("%s with %d: %+v", kind, n, f)
			}
			if calls := len(s.Calls()); calls > 8 {
				t.Errorf("%s with %d: %d calls", kind, n, calls)
			}
		}
	}
}

func TestRead_ListThatChangesMeanwhile(t *testing.T) {
	var calls atomic.Int32
	url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		n := calls.Add(1)
		rows := make([]string, 100)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"user_id":"%032d","type":0}`, int(n)*1000+i)
		}
		_, _ = fmt.Fprintf(w, `{"count":%d,"data":[%s]}`, 200+n, strings.Join(rows, ","))
	})
	if f := readFault(t, open(t, options(url)), change(workflow.RemoveOne, user(alice))); f.Class != workflow.ClassUnclear {
		t.Errorf("%+v", f)
	}
}

// A server that ignores offset repeats its only page.
func TestRead_ServerThatIgnoresOffset(t *testing.T) {
	var calls atomic.Int32
	url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = fmt.Fprintf(w, `{"count":2,"data":[{"user_id":%q,"type":0,"roles":[]}]}`, bob)
	})
	if f := readFault(t, open(t, options(url)), change(workflow.RemoveOne, user(alice))); f.Class != workflow.ClassUnclear {
		t.Errorf("%+v", f)
	}
	if n := calls.Load(); n > 5 {
		t.Errorf("%d calls", n)
	}
}

func TestRead_BodiesThatAreNoList(t *testing.T) {
	for _, body := range []string{
		``, `null`, `{}`, `[]`, `{"is_success":false}`, `<html></html>`, `{"count":"many","data":[]}`, `{"count":-1,"data":[]}`,
		`{"count":0,"data":[]}{"count":1}`, `{"count":1,"data":[{"user_id":7}]}`, `{"count":1,"data":[]}`,
		`{"count":1,"data":[{"type":0,"user_id":"` + alice + `","roles":[{"role_code":"x"}]}]}`,
		`{"count":1,"data":[{"type":0,"user_id":"` + alice + `","domain_owner":"perhaps"}]}`,
	} {
		url := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		f := readFault(t, open(t, options(url)), change(workflow.RemoveOne, user(alice)))
		if f.Class != workflow.ClassUnclear {
			t.Errorf("%s: %+v", body, f)
		}
	}
}

// The SDK's float32 turns 1700000000123 into 1700000038912; times far from that must not matter, whatever their form.
func TestRead_IgnoresTimes(t *testing.T) {
	states := map[string]bool{}
	for _, when := range []string{"1700000000123", "1700000038912", `"2026-11-21"`, "null", "1e400"} {
		url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"count":1,"data":[{"type":0,"user_id":%q,"create_time":%s,"update_time":%s,
				"roles":[{"role_id":"r00002"}]}]}`, alice, when, when)
		})
		m := read(t, open(t, options(url)), change(workflow.RemoveOne, user(alice)))
		states[m.State+string(m.Row)] = true
	}
	if len(states) != 1 {
		t.Errorf("different memberships by time: %v", states)
	}
}

func TestRead_DomainOwnerAsString(t *testing.T) {
	s := cloud(t)
	s.SetBehaviour(dataartsfake.Behaviour{OwnerAsString: true})
	members, err := open(t, options(s.URL())).Members(t.Context(), analytics)
	if err != nil || len(members) != 1 || !members[0].Owner || !members[0].Admin() {
		t.Errorf("Members = %+v, %v", members, err)
	}
}

// faultsOfReads are all that can go wrong with a read, and how it is told.
var faultsOfReads = []struct {
	fault dataartsfake.Fault
	class workflow.Class
	code  string
}{
	{dataartsfake.Fault{Kind: dataartsfake.CutBefore}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.TruncatedBody}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.HTML200}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.Empty200}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.Null200}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.Empty204}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.Redirect302}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.IsSuccessFalse, Message: "no"}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.HugeBody}, workflow.ClassUnclear, ""},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 400}, workflow.ClassRefused, "DAYU.4402"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 401}, workflow.ClassKey, "APIGW.0301"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 403}, workflow.ClassPermission, "APIGW.0302"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 404}, workflow.ClassRefused, "APIGW.0101"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 429}, workflow.ClassThrottled, "APIGW.0308"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 500}, workflow.ClassVendor, "DAYU.3531"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 502}, workflow.ClassVendor, "APIGW.0201"},
	{dataartsfake.Fault{Kind: dataartsfake.Status, Status: 503}, workflow.ClassVendor, "APIGW.0201"},
}

func TestRead_Faults(t *testing.T) {
	for _, tt := range faultsOfReads {
		t.Run(fmt.Sprintf("%s%d", tt.fault.Kind, tt.fault.Status), func(t *testing.T) {
			s := cloud(t)
			tt.fault.Count = -1
			s.AddFault(tt.fault)
			f := readFault(t, open(t, options(s.URL())), change(workflow.Add, user(alice), "r00002"))
			if f.Class != tt.class || f.Code != tt.code || f.Text == "" {
				t.Errorf("%+v, want %s %q", f, tt.class, tt.code)
			}
			if tt.code != "" && f.RequestID == "" {
				t.Error("no request ID")
			}
			// Go's transport itself repeats a GET whose connection died under it; nothing else repeats anything.
			if n := len(s.Calls()); n > 2 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestRead_EndsWithItsContext(t *testing.T) {
	s := cloud(t)
	s.AddFault(dataartsfake.Fault{Kind: dataartsfake.Delay, Delay: time.Minute, Count: -1})
	p := open(t, options(s.URL()))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := p.Read(ctx, change(workflow.Add, user(alice), "r00002"))
	f, ok := errors.AsType[*workflow.Fault](err)
	if !ok || f.Class != workflow.ClassUnclear {
		t.Errorf("Read: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestReads_ForLaterUse(t *testing.T) {
	s := cloud(t)
	s.SetMember(analytics, dataartsfake.Member{Type: 1, UserID: platform, UserName: "platform", Roles: []string{"r00004"}})
	p := open(t, options(s.URL()))
	groups, err := p.Groups(t.Context())
	if err != nil || len(groups) != 2 || groups[0].ID != analytics || groups[0].Name != "analytics" {
		t.Errorf("Groups = %+v, %v", groups, err)
	}
	roles, err := p.Roles(t.Context(), analytics)
	if err != nil || !slices.Contains(roles, workflow.RoleRef{ID: "r00002", Name: "developer"}) ||
		!slices.Contains(roles, workflow.RoleRef{ID: "r10001", Name: "Auditor"}) {
		t.Errorf("Roles = %+v, %v", roles, err)
	}
	members, err := p.Members(t.Context(), analytics)
	if err != nil || len(members) != 2 {
		t.Fatalf("Members = %+v, %v", members, err)
	}
	if diff := cmp.Diff(userGroup(platform), members[1].Subject); diff != "" || members[1].Admin() || !members[0].Admin() {
		t.Errorf("%+v %s", members, diff)
	}
	_, err = p.Roles(t.Context(), strings.Repeat("0", 32))
	if f, ok := errors.AsType[*workflow.Fault](err); !ok || f.Class != workflow.ClassGroup {
		t.Errorf("Roles of nothing: %v", err)
	}
}
