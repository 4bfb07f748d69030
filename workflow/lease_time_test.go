package workflow_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

// card is the effect by which a request's card is owed.
func (r *replica) card(n workflow.Number) workflow.Effect {
	r.t.Helper()
	es := effects(r.load(n), workflow.CardEffect)
	if len(es) != 1 {
		r.t.Fatalf("%d cards are owed, want 1", len(es))
	}
	return es[0]
}

// TestLease_LastsAsLongAsItSays: another replica takes an effect over when its lease is over and not a moment before, with
// what is added for clocks that do not run alike.
func TestLease_LastsAsLongAsItSays(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		a, b := f.replicas[0], f.replicas[1]
		wake := a.pauses("before_post")
		defer close(wake)
		n := a.asks(invite(50002))
		synctest.Wait()
		b.runner.Wake()
		f.passes(1500 * time.Millisecond) // by now the second one has seen the lease
		f.passes(41 * time.Second)
		if got := a.card(n).Lease; got.Owner != "replica-0" || got.Epoch != 1 {
			t.Fatalf("42.5 s after the lease of 40 s was granted it is %+v", got)
		}
		f.passes(8 * time.Second)
		if got := b.load(n); got.Card.TS == "" {
			t.Errorf("50 s after it was granted, nobody has taken over: %+v", got.Effects)
		}
	})
}

// TestLease_IsRenewedForEachTry: a replica that tries again and again has a lease of its own time for each try, and the
// other one sees that it is another lease than the one that it saw first.
func TestLease_IsRenewedForEachTry(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		a, b := f.replicas[0], f.replicas[1]
		f.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return errors.New("slack is away"), nil })
		n := a.asks(invite(50002))
		synctest.Wait()
		b.runner.Wake()
		first := a.card(n).Lease
		f.passes(25 * time.Second) // tries after 1, 2, 4 and 8 s more
		if again := a.card(n).Lease; !again.At.After(first.At) || again.Owner != first.Owner || again.Epoch != 1 {
			t.Errorf("a try that began with too little left of the lease %+v had %+v", first, again)
		}
		f.passes(25 * time.Second)
		if got := a.card(n).Lease; got.Owner != "replica-0" {
			t.Errorf("the lease that was renewed was taken for the first one: %+v", got)
		}
	})
}

// TestLease_CoversALongCall: a call may take longer than a lease without one.
func TestLease_CoversALongCall(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		f.wire.slows(func(call string) time.Duration {
			if call == "CreateCompShareTeamRelation" {
				return 100 * time.Second
			}
			return 0
		})
		n := f.replicas[0].asks(invite(50002))
		f.passes(time.Second)
		f.replicas[0].approves(n)
		for range 10 {
			f.replicas[1].runner.Wake()
			f.passes(15 * time.Second)
		}
		f.passes(5 * time.Minute)
		f.once(n, "50002", 1, workflow.Done)
		for _, v := range f.replicas[1].history(n) {
			if v == workflow.Lose {
				t.Error("the call was taken for lost")
			}
		}
	}, 2*time.Minute)
}

// TestLease_ACardIsLeftToWhoeverIsAboutIt: what a card owes next goes to the replica that may be about to post it.
func TestLease_ACardIsLeftToWhoeverIsAboutIt(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		a, b := f.replicas[0], f.replicas[1]
		wake := a.pauses("before_post")
		n := a.asks(invite(50002))
		f.passes(5 * time.Second)
		b.approves(n)
		f.passes(5 * time.Second)
		f.desk.mu.Lock()
		cards := len(f.desk.cards[n])
		f.desk.mu.Unlock()
		if cards != 0 {
			t.Errorf("the second replica has posted a card beside the first one")
		}
		close(wake)
		f.passes(2 * time.Minute)
		f.once(n, "50002", 1, workflow.Done)
	})
}

// TestLease_ChangedBetweenReadAndBegin: what another replica may have done to a membership between the read and the begin
// is seen before the call: it is signed anew, and nothing is called on what was read before.
func TestLease_ChangedBetweenReadAndBegin(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		a := f.replicas[0]
		d := invite(50004) // invited
		d.Action, d.As, d.HasAs = workflow.Rename, "new", true
		n := a.asks(d)
		f.passes(5 * time.Second)
		changed := false
		for _, r := range f.replicas {
			r.steps = func(point string) {
				if point == "before_begin" && !changed {
					changed = true
					f.gpu.SetRelation(compsharefake.Relation{Team: 1001, Company: 50004, Status: compsharefake.Joined, Remark: "other"})
				}
			}
		}
		a.approves(n)
		f.passes(time.Minute)
		if r := a.load(n); r.State != workflow.Pending || len(r.Decisions) != 0 || len(f.gpu.Mutations()) != 0 {
			t.Errorf("it is %s with the decisions %v after the calls %v", r.State, r.Decisions, f.gpu.Mutations())
		}
		a.approves(n)
		f.passes(time.Minute)
		if r := a.load(n); r.State != workflow.Done || len(f.gpu.Mutations()) != 1 {
			t.Errorf("signed anew it is %s after %d calls", r.State, len(f.gpu.Mutations()))
		}
	})
}
