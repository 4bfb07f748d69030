package workflow_test

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"countersign/workflow"
)

// epoch is when the requests of the pure tests are made.
var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

const team = "T0HOME"

func person(user string) workflow.Person { return workflow.Person{User: user, Team: team} }

// actor is a full member who is in some user groups.
func actor(user string, groups ...string) workflow.Actor {
	return workflow.Actor{Person: person(user), Standing: workflow.FullMember, Groups: groups}
}

func anyOf(count int, ids ...string) workflow.Approvers {
	return workflow.Approvers{AnyOf: ids, Count: count}
}

// rule lets everybody ask for anything.
func rule(approvers ...workflow.Approvers) workflow.Rule {
	return workflow.Rule{
		Name: "all", Requesters: []string{workflow.Everyone}, Approvers: approvers, Channel: "C0APPROVALS",
		Expires: 24 * time.Hour, RemindEvery: 4 * time.Hour,
	}
}

func policy(rules ...workflow.Rule) workflow.Policy {
	return workflow.Policy{Rules: rules, Teams: []string{team}}
}

// grant is a timed addition: of all changes the one that owes most.
func grant() workflow.Change {
	return workflow.Change{
		Action: workflow.Add, System: "warehouse", Group: "ws", Limit: time.Hour,
		Subject: workflow.Subject{Kind: workflow.Member, ID: "alice"}, Roles: []workflow.RoleRef{{ID: "r00002", Name: "developer"}},
	}
}

func absent() workflow.Membership {
	return workflow.Membership{State: "absent", Fit: workflow.Differs, Wanted: "r00002"}
}

func refusedBy(code string) workflow.Outcome {
	return workflow.Outcome{Verdict: workflow.Refused, Fault: &workflow.Fault{Class: workflow.ClassRefused, Code: code, Text: "no"}}
}

func unclear() workflow.Outcome {
	return workflow.Outcome{Verdict: workflow.Unclear, Fault: &workflow.Fault{Class: workflow.ClassUnclear, Text: "cut"}}
}

// submitted is a pending request of a person under the first rule of a policy.
func submitted(t rapid.TB, p workflow.Policy, c workflow.Change, by workflow.Actor) workflow.Request {
	t.Helper()
	r, ok := p.Find(c, by.Person, by.Groups)
	if !ok {
		t.Fatalf("no rule lets %s ask for %s", by.User, c.Action)
	}
	blank := workflow.Request{Number: 7, Change: c, Rule: r, Requester: by.Person, RequesterGroups: by.Groups}
	return must(t, blank, workflow.Command{Verb: workflow.Submit, Actor: by, Via: "test"}, p, epoch)
}

// must applies a command that must not be refused.
func must(t rapid.TB, r workflow.Request, c workflow.Command, p workflow.Policy, now time.Time) workflow.Request {
	t.Helper()
	tr, err := workflow.Apply(r, c, p, now)
	if err != nil {
		t.Fatalf("%s on %q: %v", c.Verb, r.State, err)
	}
	return tr.Request
}

// mustRefuse applies a command that must be refused for a reason, and returns the refusal.
func mustRefuse(t rapid.TB, r workflow.Request, c workflow.Command, p workflow.Policy, now time.Time, want workflow.Kind) *workflow.Refusal {
	t.Helper()
	tr, err := workflow.Apply(r, c, p, now)
	ref, ok := errors.AsType[*workflow.Refusal](err)
	if !ok {
		t.Fatalf("%s by %s on %q led to %q, %v; want the refusal %s", c.Verb, c.Actor.User, r.State, tr.Request.State, err, want)
	}
	if ref.Kind != want {
		t.Fatalf("%s by %s on %q: refused for %s, want %s", c.Verb, c.Actor.User, r.State, ref.Kind, want)
	}
	return ref
}

func approveBy(a workflow.Actor) workflow.Command {
	return workflow.Command{Verb: workflow.Approve, Actor: a, Via: "test"}
}

// effects are the effects of a kind that a request owes.
func effects(r workflow.Request, k workflow.EffectKind) []workflow.Effect {
	var es []workflow.Effect
	for _, e := range r.Effects {
		if e.Kind == k {
			es = append(es, e)
		}
	}
	return es
}

// same fails unless two values are equal, showing how they differ.
func same(t rapid.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
