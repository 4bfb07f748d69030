package workflow_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/workflow"
)

// carriedOut is a request that was approved and applied on a membership with roles.
func carriedOut(t *testing.T, c workflow.Change, before ...string) workflow.Transition {
	t.Helper()
	p := policy(rule(anyOf(1, "U0LEAD")))
	m := workflow.Membership{State: "before", Fit: workflow.Differs, Roles: before, Wanted: "after"}
	r := submitted(t, p, c, actor("U0REQ"))
	r = must(t, r, approveBy(actor("U0LEAD")), p, epoch)
	r = must(t, r, workflow.Command{Verb: workflow.Begin, Via: "test", Membership: m}, p, epoch)
	tr, err := workflow.Apply(r, workflow.Command{
		Verb: workflow.Succeed, Via: "test", Outcome: workflow.Outcome{Verdict: workflow.Applied}, Spare: 8,
	}, p, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func single(a workflow.Action, limit time.Duration, roles ...workflow.RoleRef) workflow.Change {
	c := grant()
	c.Action, c.Limit, c.Roles = a, limit, roles
	return c
}

var (
	developer = workflow.RoleRef{ID: "r00002", Name: "developer"}
	viewer    = workflow.RoleRef{ID: "r00004", Name: "viewer"}
)

// The end of a time limit takes what was given and nothing that was there before, whatever else has changed since.
func TestChild_EndsExactlyWhatWasAdded(t *testing.T) {
	t.Parallel()
	tr := carriedOut(t, single(workflow.AddRole, time.Hour, developer, viewer), "r00003", "r00004")
	if tr.Child == nil {
		t.Fatal("a timed role has no end")
	}
	want := single(workflow.DropRole, 0, developer)
	if diff := cmp.Diff(want, tr.Child.Change); diff != "" {
		t.Error(diff)
	}
	if plan := tr.Child.Plan; plan != nil && plan.Membership.State != "" {
		t.Errorf("state %q: a change of the other roles would hold the end up", plan.Membership.State)
	}
	if tr := carriedOut(t, single(workflow.DropRole, 0, developer), "r00002", "r00003"); tr.Child != nil {
		t.Errorf("a role that was taken has an end: %+v", tr.Child.Change)
	}
}

func TestUndo_OfSingleRoles(t *testing.T) {
	t.Parallel()
	p := policy(rule(anyOf(1, "U0LEAD")))
	for _, c := range []struct {
		change workflow.Change
		before []string
		want   workflow.Change
	}{
		{single(workflow.AddRole, 0, developer, viewer), []string{"r00004"}, single(workflow.DropRole, 0, developer)},
		{single(workflow.DropRole, 0, developer, viewer), []string{"r00002", "r00003"}, single(workflow.AddRole, 0, developer)},
	} {
		done := carriedOut(t, c.change, c.before...).Request
		if !done.MayUndo() {
			t.Fatalf("%s cannot be undone", c.change.Action)
		}
		tr, err := workflow.Apply(done, workflow.Command{Verb: workflow.Undo, Actor: actor("U0LEAD"), Via: "test", Spare: 9}, p, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, tr.Child.Change); diff != "" {
			t.Errorf("%s: %s", c.change.Action, diff)
		}
	}
}

func TestPolicy_MayRead(t *testing.T) {
	t.Parallel()
	one := rule(anyOf(1, "U0LEAD"))
	one.Systems, one.Groups, one.Requesters = []string{"gpu-lab"}, []string{"1001"}, []string{"U0REQ", "S0GPU"}
	p := policy(one)
	unread := actor("U0BOB")
	unread.Unread = []string{"S0GPU"}
	guest := actor("U0REQ")
	guest.Standing = workflow.IsGuest
	for name, c := range map[string]struct {
		actor         workflow.Actor
		system, group string
		want          workflow.Kind
	}{
		"named":          {actor("U0REQ"), "gpu-lab", "1001", ""},
		"any group":      {actor("U0REQ"), "gpu-lab", "", ""},
		"in a group":     {actor("U0BOB", "S0GPU"), "gpu-lab", "1001", ""},
		"another group":  {actor("U0REQ"), "gpu-lab", "1002", workflow.NoReadRule},
		"another system": {actor("U0REQ"), "warehouse", "", workflow.NoReadRule},
		"not named":      {actor("U0LEAD"), "gpu-lab", "1001", workflow.NoReadRule},
		"unread":         {unread, "gpu-lab", "1001", workflow.Unverified},
		"guest":          {guest, "gpu-lab", "1001", workflow.Guest},
		"not looked up":  {workflow.Actor{Person: person("U0REQ")}, "gpu-lab", "1001", workflow.Unverified},
	} {
		ref := p.MayRead(c.system, c.group, c.actor)
		switch {
		case c.want == "" && ref != nil:
			t.Errorf("%s: %v", name, ref)
		case c.want != "" && (ref == nil || ref.Kind != c.want):
			t.Errorf("%s: %v, want %s", name, ref, c.want)
		}
	}
}
