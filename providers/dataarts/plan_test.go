package dataarts_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/dataarts"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

var (
	admin     = workflow.RoleRef{ID: "r00001", Name: "admin"}
	developer = workflow.RoleRef{ID: "r00002", Name: "developer"}
	viewer    = workflow.RoleRef{ID: "r00004", Name: "viewer"}
	auditor   = workflow.RoleRef{ID: "r10001", Name: "Auditor"}
)

func as(roles ...workflow.RoleRef) workflow.Position {
	return workflow.Position{Status: "member", Roles: roles}
}

// What the change leads to must be what the next read says, to the letter: the end of a time limit compares the two.
func TestRead_WhereItLeads(t *testing.T) {
	const none = ""
	nobody := workflow.Position{Status: "absent"}
	tests := map[string]struct {
		present  string
		change   workflow.Change
		fit      workflow.Fit
		now      workflow.Position
		then     workflow.Position
		warnings []workflow.Warning
	}{
		"add":           {none, change(workflow.Add, user(alice), "r00002"), workflow.Differs, nobody, as(developer), nil},
		"add a group":   {none, change(workflow.Add, userGroup(platform), "r00002"), workflow.Differs, nobody, as(developer), nil},
		"role":          {"r00002", change(workflow.SetRole, user(alice), "r00004"), workflow.Differs, as(developer), as(viewer), nil},
		"a listed role": {"r10001", change(workflow.SetRole, user(alice), "r00004"), workflow.Differs, as(auditor), as(viewer), nil},
		"remove":        {"r00002", change(workflow.RemoveOne, user(alice)), workflow.Differs, as(developer), nobody, nil},
		"admin":         {"r00002", change(workflow.SetRole, user(alice), "r00001"), workflow.Differs, as(developer), as(admin), []workflow.Warning{workflow.HighRisk}},
		"more":          {"r00004", change(workflow.AddRole, user(alice), "r00002"), workflow.Differs, as(viewer), as(developer, viewer), nil},
		"more, there":   {"r00002,r00004", change(workflow.AddRole, user(alice), "r00002"), workflow.Satisfied, as(developer, viewer), as(developer, viewer), nil},
		"less":          {"r00002,r00004", change(workflow.DropRole, user(alice), "r00002"), workflow.Differs, as(developer, viewer), as(viewer), nil},
		"less, not had": {"r00004", change(workflow.DropRole, user(alice), "r00002"), workflow.Satisfied, as(viewer), as(viewer), nil},
		"less, absent":  {none, change(workflow.DropRole, user(alice), "r00002"), workflow.Satisfied, nobody, nobody, nil},
		"the last role": {"r00002", change(workflow.DropRole, user(alice), "r00002"), workflow.Impossible, as(developer), workflow.Position{}, nil},
		"more, absent":  {none, change(workflow.AddRole, user(alice), "r00002"), workflow.Impossible, nobody, workflow.Position{}, nil},
		"second admin":  {"r00001", change(workflow.RemoveOne, user(alice)), workflow.Differs, as(admin), nobody, nil},
		"last admin": {
			"r00001", change(workflow.RemoveOne, user(owner)), workflow.Differs, as(admin), nobody,
			[]workflow.Warning{workflow.LastAdmin},
		},
		"last admin's role": {
			"r00001", change(workflow.SetRole, user(owner), "r00002"), workflow.Differs, as(admin), as(developer),
			[]workflow.Warning{workflow.LastAdmin},
		},
		"admin besides": {
			"r00001,r00002", change(workflow.DropRole, user(owner), "r00001"), workflow.Differs, as(admin, developer), as(developer),
			[]workflow.Warning{workflow.LastAdmin},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cloud(t)
			if tt.present != none {
				s.SetMember(analytics, member(tt.change.Subject.ID, strings.Split(tt.present, ",")...))
			}
			p := open(t, options(s.URL()))
			m := read(t, p, tt.change)
			if m.Fit != tt.fit {
				t.Fatalf("fit %s, want %s: %+v", m.Fit, tt.fit, m)
			}
			if diff := cmp.Diff(tt.now, m.Now); diff != "" {
				t.Errorf("now: %s", diff)
			}
			if diff := cmp.Diff(tt.then, m.Then); diff != "" {
				t.Errorf("then: %s", diff)
			}
			if diff := cmp.Diff(tt.warnings, m.Warnings); diff != "" {
				t.Errorf("warnings: %s", diff)
			}
			if m.GroupName != "analytics" {
				t.Errorf("the workspace is called %q", m.GroupName)
			}
			if tt.fit != workflow.Differs {
				return
			}
			if out := apply(t, p, tt.change, m); out.Verdict != workflow.Applied {
				t.Fatalf("Apply = %+v", out)
			}
			if after := read(t, p, tt.change); after.State != m.Wanted || after.Fit != workflow.Satisfied {
				t.Errorf("it led to %q (%s), want %q", after.State, after.Fit, m.Wanted)
			}
		})
	}
}

func TestRead_Names(t *testing.T) {
	s := cloud(t)
	s.AddWorkspace(strings.Repeat("1", 32), "hush\u202e <@U0LEAD>")
	p := open(t, options(s.URL()))
	m := read(t, p, change(workflow.Add, user(alice), "r00002"))
	if m.SubjectName != "alice" || m.GroupName != "analytics" {
		t.Errorf("by IAM and ShowWorkSpace: %q in %q", m.SubjectName, m.GroupName)
	}
	if m := read(t, p, change(workflow.Add, userGroup(platform), "r00002")); m.SubjectName != "platform" {
		t.Errorf("a user group by IAM: %q", m.SubjectName)
	}
	s.SetMember(analytics, member(bob, "r00002"))
	if m := read(t, p, change(workflow.RemoveOne, user(bob))); m.SubjectName != "name-"+bob[:4] {
		t.Errorf("by the member's row: %q", m.SubjectName)
	}
	n := 0
	for _, c := range s.Calls() {
		if c.Route == dataartsfake.ShowWorkSpace {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the name of one workspace was asked for %d times", n)
	}
	c := change(workflow.RemoveOne, user(bob))
	c.Group = strings.Repeat("1", 32)
	if m := read(t, p, c); m.GroupName != "hush <@U0LEAD>" {
		t.Errorf("a name keeps what steers it: %q", m.GroupName)
	}
}

// A name is a courtesy: that it cannot be read, or not in time, changes nothing.
func TestRead_NameThatCannotBeRead(t *testing.T) {
	for _, f := range []dataartsfake.Fault{
		{Kind: dataartsfake.Status, Status: http.StatusForbidden},
		{Kind: dataartsfake.CutBefore, Count: -1}, // a GET is sent again on a connection that died
		{Kind: dataartsfake.HTML200},
		{Kind: dataartsfake.Delay, Delay: time.Minute},
	} {
		s := cloud(t)
		f.Route, f.Count = dataartsfake.ShowWorkSpace, -1
		s.AddFault(f)
		begun := time.Now()
		m := read(t, open(t, options(s.URL())), change(workflow.Add, user(alice), "r00002"))
		if m.Fit != workflow.Differs || m.GroupName != "" {
			t.Errorf("%s: %+v", f.Kind, m)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s: the read took %v", f.Kind, took)
		}
	}
}

// Only IAM's own word that there is no such user ends a request: nothing else that goes wrong there does.
func TestRead_UserThatIAMDoesNotKnow(t *testing.T) {
	stranger := strings.Repeat("9", 32)
	s := cloud(t)
	m := read(t, open(t, options(s.URL())), change(workflow.Add, user(stranger), "r00002"))
	if m.Fit != workflow.Impossible || m.Why.Class != workflow.ClassSubject || !strings.Contains(m.Why.Text, stranger) {
		t.Errorf("%+v", m.Why)
	}
	m = read(t, open(t, options(s.URL())), change(workflow.Add, userGroup(stranger), "r00002"))
	if m.Fit != workflow.Impossible || m.Why.Class != workflow.ClassSubject {
		t.Errorf("a user group: %+v", m.Why)
	}
	for _, f := range []dataartsfake.Fault{
		{Kind: dataartsfake.Status, Status: http.StatusNotFound},
		{Kind: dataartsfake.Status, Status: http.StatusForbidden},
		{Kind: dataartsfake.Status, Status: http.StatusInternalServerError},
		{Kind: dataartsfake.CutBefore, Count: -1}, // a GET is sent again on a connection that died
		{Kind: dataartsfake.Empty200},
	} {
		s := cloud(t)
		f.Route = dataartsfake.ShowUser
		s.AddFault(f)
		if m := read(t, open(t, options(s.URL())), change(workflow.Add, user(stranger), "r00002")); m.Fit != workflow.Differs {
			t.Errorf("%s %d: %+v", f.Kind, f.Status, m)
		}
	}
}

func TestRead_GatewayThatDoesNotKnowTheAPISaysNothingOfTheWorkspace(t *testing.T) {
	s := cloud(t)
	s.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceRoles, Kind: dataartsfake.Status, Status: http.StatusNotFound})
	c := change(workflow.RemoveOne, user(alice))
	c.Group = strings.Repeat("0", 32)
	if f := readFault(t, open(t, options(s.URL())), c); f.Class != workflow.ClassRefused || f.Code != "APIGW.0101" {
		t.Errorf("%+v", f)
	}
}

// That is_success is true does not suffice for a single role: somebody else may have written a set of their own.
func TestApply_SingleRoleIsReadBack(t *testing.T) {
	c := change(workflow.AddRole, user(alice), "r00002")
	tests := map[string]struct {
		fault dataartsfake.Fault
		want  workflow.Verdict
	}{
		"shown":          {dataartsfake.Fault{Route: dataartsfake.ListWorkspaceRoles, Kind: dataartsfake.Status}, workflow.Applied},
		"not readable":   {dataartsfake.Fault{Route: dataartsfake.ListWorkspaceusers, Kind: dataartsfake.Status, Status: 403}, workflow.Unclear},
		"said, not done": {dataartsfake.Fault{Route: dataartsfake.UpdateWorkSpaceUserOrGroup, Kind: dataartsfake.Status, Status: 403}, workflow.Refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := cloud(t)
			s.SetMember(analytics, member(alice, "r00004"))
			p := open(t, options(s.URL()))
			m := read(t, p, c)
			s.AddFault(tt.fault)
			if out := apply(t, p, c, m); out.Verdict != tt.want {
				t.Errorf("%+v, want %s", out, tt.want)
			}
		})
	}
}

func TestApply_SingleRoleNeverLeavesNone(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	for _, m := range []workflow.Membership{{}, {State: "absent"}, {State: "r00002", Roles: []string{"r00002"}}} {
		if out := apply(t, p, change(workflow.DropRole, user(alice), "r00002"), m); out.Verdict != workflow.Refused {
			t.Errorf("from %q: %+v", m.State, out)
		}
	}
	if n := len(s.Calls()); n > 0 {
		t.Errorf("%d calls", n)
	}
}

func resolve(t *testing.T, p *dataarts.Provider, d workflow.Draft) (workflow.Draft, *workflow.Refusal) {
	t.Helper()
	got, err := p.Resolve(t.Context(), d)
	if err == nil {
		return got, nil
	}
	ref, ok := errors.AsType[*workflow.Refusal](err)
	if !ok {
		t.Fatalf("Resolve: %v, want a *workflow.Refusal", err)
	}
	return got, ref
}

func TestResolve_NothingToAsk(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	for _, d := range []workflow.Draft{
		draft(workflow.Add, user(alice), "developer,R00001"), draft(workflow.RemoveOne, user(alice)),
		draft(workflow.Add, userGroup("user:x"), "viewer"), draft(workflow.Add, user(alice), ","),
	} {
		if got, ref := resolve(t, p, d); ref != nil || !cmp.Equal(got, d) {
			t.Errorf("Resolve(%+v) = %+v, %v", d, got, ref)
		}
	}
	if n := len(s.Calls()); n > 0 {
		t.Errorf("%d calls", n)
	}
}

func TestResolve_User(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	d, ref := resolve(t, p, draft(workflow.Add, user("user:alice"), "viewer"))
	if ref != nil || d.Subject != (workflow.Subject{Kind: workflow.Member, ID: alice, From: "iam:alice"}) {
		t.Fatalf("%+v, %v", d.Subject, ref)
	}
	before := len(s.Calls())
	if _, ref := resolve(t, p, draft(workflow.Add, user("user:alice"), "viewer")); ref != nil || len(s.Calls()) > before {
		t.Errorf("asked again: %v", ref)
	}
	c, err := p.Check(d)
	if err != nil || c.Subject.ID != alice || c.Subject.From != "iam:alice" {
		t.Errorf("Check = %+v, %v", c, err)
	}
	s.AddIAMUser(dataartsfake.IAMUser{ID: strings.Repeat("a", 32), Name: "bob", DomainID: dataartsfake.DomainID})
	s.AddIAMUser(dataartsfake.IAMUser{ID: strings.Repeat("b", 32), Name: "eve", DomainID: strings.Repeat("e", 32)})
	for who, want := range map[string]*workflow.Refusal{
		"user:nobody": workflow.Refuse(workflow.UnknownName, "user:nobody", "warehouse"),
		"user:eve":    workflow.Refuse(workflow.UnknownName, "user:eve", "warehouse"), // of another account
		"user:bob":    workflow.Refuse(workflow.Ambiguous, "user:bob", bob, strings.Repeat("a", 32)),
		"user:":       workflow.Refuse(workflow.BadIAM, "user:"),
		"user:a&b=c":  workflow.Refuse(workflow.BadIAM, "user:a&b=c"),
	} {
		if _, ref := resolve(t, p, draft(workflow.Add, user(who), "viewer")); !cmp.Equal(ref, want) {
			t.Errorf("%s: %v, want %v", who, ref, want)
		}
	}
}

func TestResolve_UserWithoutIAM(t *testing.T) {
	s := cloud(t)
	o := options(s.URL())
	o.IAMEndpoint = ""
	if _, ref := resolve(t, open(t, o), draft(workflow.Add, user("user:alice"), "viewer")); ref == nil || ref.Kind != workflow.NoLookUp {
		t.Errorf("%v", ref)
	}
	s.SetBehaviour(dataartsfake.Behaviour{IAMRefused: true})
	if _, ref := resolve(t, open(t, options(s.URL())), draft(workflow.Add, user("user:alice"), "viewer")); ref == nil || ref.Kind != workflow.NoLookUp {
		t.Errorf("%v", ref)
	}
	s.SetBehaviour(dataartsfake.Behaviour{})
	s.AddFault(dataartsfake.Fault{Route: dataartsfake.KeystoneListUsers, Kind: dataartsfake.CutBefore, Count: -1})
	if _, ref := resolve(t, open(t, options(s.URL())), draft(workflow.Add, user("user:alice"), "viewer")); ref == nil || ref.Kind != workflow.Unresolved {
		t.Errorf("%v", ref)
	}
}

func TestResolve_Role(t *testing.T) {
	s := cloud(t)
	s.AddRole(dataartsfake.Role{ID: "r20001", Name: "Steward"})
	s.AddRole(dataartsfake.Role{ID: "r20002", Name: "steward"})
	s.AddRole(dataartsfake.Role{ID: "r30001", Name: "Developer"}) // a wolf in sheep's clothing
	s.AddRole(dataartsfake.Role{ID: "r30002", Name: "r00004"})
	p := open(t, options(s.URL()))
	for _, tt := range []struct {
		as   string
		want []workflow.RoleRef
	}{
		{"auditor", []workflow.RoleRef{auditor}},
		{"r10001", []workflow.RoleRef{auditor}},
		{"viewer, Auditor", []workflow.RoleRef{viewer, auditor}},
		{"r20001", []workflow.RoleRef{{ID: "r20001"}}}, // its name is not its own
		{"r30001", []workflow.RoleRef{{ID: "r30001"}}},
		{"r30002", []workflow.RoleRef{{ID: "r30002"}}},
		{"developer", []workflow.RoleRef{developer}},
	} {
		d, ref := resolve(t, p, draft(workflow.Add, user(alice), tt.as))
		if ref != nil {
			t.Errorf("%s: %v", tt.as, ref)
			continue
		}
		c, err := p.Check(d)
		if err != nil || !slices.Equal(c.Roles, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.as, c.Roles, err, tt.want)
		}
	}
	_, ref := resolve(t, p, draft(workflow.Add, user(alice), "steward"))
	if want := workflow.Refuse(workflow.Ambiguous, "steward", "r20001", "r20002"); !cmp.Equal(ref, want) {
		t.Errorf("two of one name: %v, want %v", ref, want)
	}
	_, ref = resolve(t, p, draft(workflow.Add, user(alice), "king"))
	want := workflow.Refuse(workflow.BadRole, "king", "admin", "developer", "operator", "viewer", "Auditor", "r20001", "r20002", "r30001", "r30002")
	if !cmp.Equal(ref, want) {
		t.Errorf("none of the name: %v, want %v", ref, want)
	}
	d := draft(workflow.DropRole, user(alice), "r55555")
	if d, ref := resolve(t, p, d); ref != nil || !slices.Equal(d.Roles, []workflow.RoleRef{{ID: "r55555"}}) {
		t.Errorf("a role to be taken that is given no more: %+v, %v", d.Roles, ref)
	}
	// One that was made a moment ago is found although the list is remembered.
	s.AddRole(dataartsfake.Role{ID: "r40001", Name: "Newcomer"})
	if _, ref := resolve(t, p, draft(workflow.Add, user(alice), "newcomer")); ref != nil {
		t.Errorf("a new role: %v", ref)
	}
}

func TestResolve_RoleThatCannotBeLookedUp(t *testing.T) {
	s := cloud(t)
	s.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceRoles, Kind: dataartsfake.Status, Status: 500})
	p := open(t, options(s.URL()))
	if _, ref := resolve(t, p, draft(workflow.Add, user(alice), "auditor")); ref == nil || ref.Kind != workflow.Unresolved {
		t.Errorf("%v", ref)
	}
	d := draft(workflow.Add, user(alice), "auditor")
	d.Group = strings.Repeat("0", 32)
	if _, ref := resolve(t, p, d); ref == nil || ref.Kind != workflow.Unreadable || !strings.Contains(ref.Args[1], "no such workspace") {
		t.Errorf("%v", ref)
	}
}

func TestDirectory(t *testing.T) {
	s := cloud(t)
	s.SetMember(analytics, member(alice, "r00002", "r10001"))
	d := open(t, options(s.URL())).Directory()
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != 2 || groups[0] != (workflow.Group{ID: analytics, Name: "analytics"}) {
		t.Errorf("Groups = %v, %v", groups, err)
	}
	members, err := d.Members(t.Context(), analytics)
	want := []workflow.Listed{
		{Subject: user(owner), Name: "owner", Position: as(admin)},
		{Subject: user(alice), Name: "name-" + alice[:4], Position: as(developer, auditor)},
	}
	if diff := cmp.Diff(want, members); err != nil || diff != "" {
		t.Errorf("Members: %v %s", err, diff)
	}
	roles, err := d.Roles(t.Context(), analytics)
	if err != nil || len(roles) != 5 {
		t.Errorf("Roles = %v, %v", roles, err)
	}
	_, err = d.Members(t.Context(), strings.Repeat("0", 32))
	if f, ok := errors.AsType[*workflow.Fault](err); !ok || f.Class != workflow.ClassGroup {
		t.Errorf("an unknown workspace: %v", err)
	}
}
