package dataarts_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/dataarts"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// actions are those that a refusal lists.
const actions = "add, role, add-role, drop-role, remove"

func draft(a workflow.Action, who workflow.Subject, as ...string) workflow.Draft {
	d := workflow.Draft{Action: a, System: "warehouse", Group: analytics, Subject: who}
	if len(as) > 0 {
		d.As, d.HasAs = as[0], true
	}
	return d
}

func TestCheck_Accepts(t *testing.T) {
	p := open(t, options("http://127.0.0.1:1"))
	developer := workflow.RoleRef{ID: "r00002", Name: "developer"}
	tests := map[string]struct {
		draft workflow.Draft
		roles []workflow.RoleRef
	}{
		"by name":        {draft(workflow.Add, user(alice), "developer"), []workflow.RoleRef{developer}},
		"by ID":          {draft(workflow.SetRole, user(alice), "r00002"), []workflow.RoleRef{developer}},
		"any case":       {draft(workflow.Add, user(alice), "DeVeloper"), []workflow.RoleRef{developer}},
		"a group":        {draft(workflow.Add, userGroup(platform), "developer"), []workflow.RoleRef{developer}},
		"remove":         {draft(workflow.RemoveOne, user(alice)), nil},
		"remove a group": {draft(workflow.RemoveOne, userGroup(platform)), nil},
		"one of its own": {draft(workflow.Add, user(alice), "r10001"), []workflow.RoleRef{{ID: "r10001"}}},
		"in order, once": {
			draft(workflow.Add, user(alice), "viewer, developer,r00002"),
			[]workflow.RoleRef{developer, {ID: "r00004", Name: "viewer"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := p.Check(tt.draft)
			if err != nil {
				t.Fatal(err)
			}
			want := workflow.Change{
				Action: tt.draft.Action, System: "warehouse", Group: analytics, Subject: tt.draft.Subject, Roles: tt.roles,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheck_KeepsTimeLimitAndMention(t *testing.T) {
	p := open(t, options("http://127.0.0.1:1"))
	d := draft(workflow.Add, workflow.Subject{ID: alice, Slack: "U0ALICE"}, "viewer")
	d.Limit = time.Hour
	c, err := p.Check(d)
	if err != nil {
		t.Fatal(err)
	}
	if c.Limit != time.Hour || c.Subject != (workflow.Subject{Kind: workflow.Member, ID: alice, Slack: "U0ALICE"}) {
		t.Errorf("Check = %+v", c)
	}
}

func TestCheck_Refuses(t *testing.T) {
	p := open(t, options("http://127.0.0.1:1"))
	inGroup := func(group string) workflow.Draft {
		d := draft(workflow.Add, user(alice), "viewer")
		d.Group = group
		return d
	}
	limited := draft(workflow.RemoveOne, user(alice))
	limited.Limit = time.Hour
	tests := map[string]struct {
		draft workflow.Draft
		kind  workflow.Kind
		args  []string
	}{
		"CompShare's action": {
			draft(workflow.Invite, user(alice)), workflow.ActionNotHere,
			[]string{"invite", "warehouse", actions},
		},
		"no action at all":   {draft("grant", user(alice)), workflow.BadAction, []string{"grant", actions}},
		"nobody":             {draft(workflow.Add, workflow.Subject{}, "viewer"), workflow.MissingWho, []string{"add"}},
		"nobody's group":     {draft(workflow.RemoveOne, userGroup("")), workflow.MissingWho, []string{"remove"}},
		"short user":         {draft(workflow.Add, user("alice"), "viewer"), workflow.BadIAM, []string{"alice"}},
		"upper case":         {draft(workflow.Add, user(strings.ToUpper(alice)), "viewer"), workflow.BadIAM, []string{strings.ToUpper(alice)}},
		"line end":           {draft(workflow.Add, user(alice+"\n"), "viewer"), workflow.BadIAM, []string{alice + "\n"}},
		"path":               {draft(workflow.RemoveOne, user("../../"+alice[6:])), workflow.BadIAM, []string{"../../" + alice[6:]}},
		"short group":        {draft(workflow.Add, userGroup("g1"), "viewer"), workflow.BadIAM, []string{"group:g1"}},
		"unknown kind":       {draft(workflow.Add, workflow.Subject{Kind: "robot", ID: alice}, "viewer"), workflow.BadIAM, []string{alice}},
		"no workspace":       {inGroup(""), workflow.BadWorkspace, []string{""}},
		"a name":             {inGroup("analytics"), workflow.BadWorkspace, []string{"analytics"}},
		"a path":             {inGroup("{project_id}/" + analytics[13:]), workflow.BadWorkspace, []string{"{project_id}/" + analytics[13:]}},
		"add without as":     {draft(workflow.Add, user(alice)), workflow.MissingAs, []string{"add"}},
		"role without as":    {draft(workflow.SetRole, user(alice)), workflow.MissingAs, []string{"role"}},
		"remove with as":     {draft(workflow.RemoveOne, user(alice), "viewer"), workflow.AsNotAllowed, []string{"remove"}},
		"remove for a time":  {limited, workflow.NothingToEnd, []string{"remove"}},
		"unknown role":       {draft(workflow.Add, user(alice), "root"), workflow.BadRole, []string{"root", "admin, developer, operator, viewer"}},
		"one unknown role":   {draft(workflow.Add, user(alice), "viewer,king"), workflow.BadRole, []string{"king", "admin, developer, operator, viewer"}},
		"role of odd shape":  {draft(workflow.Add, user(alice), "r0/../x"), workflow.BadRole, []string{"r0/../x", "admin, developer, operator, viewer"}},
		"empty role":         {draft(workflow.Add, user(alice), ""), workflow.EmptyItem, nil},
		"empty item":         {draft(workflow.Add, user(alice), "viewer,,developer"), workflow.EmptyItem, nil},
		"too many":           {draft(workflow.Add, user(alice), manyRoles(101)), workflow.TooLong, []string{"100"}},
		"a hundred and junk": {draft(workflow.Add, user(alice), manyRoles(100)+",x"), workflow.BadRole, []string{"x", "admin, developer, operator, viewer"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := p.Check(tt.draft)
			r, ok := errors.AsType[*workflow.Refusal](err)
			if !ok {
				t.Fatalf("Check = %+v, %v; want a refusal", c, err)
			}
			if r.Kind != tt.kind || !slices.Equal(r.Args, tt.args) {
				t.Errorf("refused as %s %q, want %s %q", r.Kind, r.Args, tt.kind, tt.args)
			}
		})
	}
}

func manyRoles(n int) string {
	roles := make([]string, n)
	for i := range roles {
		roles[i] = "r1" + strings.Repeat("0", i)
	}
	return strings.Join(roles, ",")
}

// What Check lets pass reaches a URL unescaped.
func FuzzCheck(f *testing.F) {
	f.Add("add", alice, "member", analytics, "developer", true)
	f.Add("role", platform, "group", analytics, "r00001,viewer", true)
	f.Add("remove", "../../x", "", "{project_id}", "", false)
	f.Add("add", alice, "", analytics, "r0 , R00002,ADMIN", true)
	p, err := dataarts.New(options("http://127.0.0.1:1"))
	if err != nil {
		f.Fatal(err)
	}
	shape := regexp.MustCompile(`\A[a-z0-9]{32}\z`)
	f.Fuzz(func(t *testing.T, action, who, kind, group, as string, hasAs bool) {
		d := workflow.Draft{
			Action: workflow.Action(action), System: "warehouse", Group: group, As: as, HasAs: hasAs,
			Subject: workflow.Subject{Kind: workflow.SubjectKind(kind), ID: who},
		}
		c, err := p.Check(d)
		if err != nil {
			if _, ok := errors.AsType[*workflow.Refusal](err); !ok {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		if !shape.MatchString(c.Subject.ID) || !shape.MatchString(c.Group) {
			t.Fatalf("accepted %+v", c)
		}
		if (c.Action == workflow.RemoveOne) != (len(c.Roles) == 0) {
			t.Fatalf("%s with roles %v", c.Action, c.Roles)
		}
		again := d
		again.Subject, again.As = c.Subject, c.RoleIDs()
		if c2, err := p.Check(again); err != nil || !cmp.Equal(c, c2) {
			t.Fatalf("the canonical form of %+v is %+v, %v", c, c2, err)
		}
	})
}

func TestRoles_AreTheSeedsAndTheVendors(t *testing.T) {
	p := open(t, options("http://127.0.0.1:1"))
	for name, id := range map[string]string{
		"admin": dataartsfake.RoleAdmin, "developer": dataartsfake.RoleDeveloper, "operator": dataartsfake.RoleOperator,
		"viewer": dataartsfake.RoleViewer,
	} {
		c, err := p.Check(draft(workflow.Add, user(alice), name))
		if err != nil || c.RoleIDs() != id {
			t.Errorf("%s is %s, %v; want %s", name, c.RoleIDs(), err, id)
		}
	}
}
