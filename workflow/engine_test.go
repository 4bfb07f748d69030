package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// still is a world whose runner has been stopped: what a test does is all that happens.
func still(t *testing.T, f func(w *world)) {
	t.Helper()
	virtual(t, func(w *world) {
		w.stop()
		f(w)
	})
}

func submission(delivery string, drafts ...workflow.Draft) workflow.Submission {
	return workflow.Submission{Delivery: delivery, Actor: asker, Drafts: drafts, Reason: "because", Via: "test"}
}

func refusalOf(t *testing.T, err error, want workflow.Kind) *workflow.Refusal {
	t.Helper()
	ref, ok := errors.AsType[*workflow.Refusal](err)
	if !ok || ref.Kind != want {
		t.Fatalf("%v, want the refusal %s", err, want)
	}
	return ref
}

func TestEngine_SubmitStoresAllOrNothing(t *testing.T) {
	still(t, func(w *world) {
		ctx := context.Background()
		rs, err := w.engine.Submit(ctx, submission("", invite(60001), invite(60002), invite(60003)))
		if err != nil || len(rs) != 3 || rs[0].Number+2 != rs[2].Number {
			t.Fatalf("%+v, %v", rs, err)
		}
		long := rule(anyOf(1, lead.User))
		long.MaxDuration = time.Hour
		for name, c := range map[string]struct {
			want workflow.Kind
			edit func(*workflow.Submission)
		}{
			"UnknownSystem": {workflow.BadSystem, func(s *workflow.Submission) { s.Drafts[1].System = "nowhere" }},
			"OtherProvider": {workflow.ActionNotHere, func(s *workflow.Submission) { s.Drafts[1].Action = workflow.Add }},
			"BadCompany":    {workflow.BadCompany, func(s *workflow.Submission) { s.Drafts[1].Subject.ID = "x" }},
			"Twice":         {workflow.RepeatedWho, func(s *workflow.Submission) { s.Drafts[1].Subject.ID = "0060004" }},
			"LongReason":    {workflow.TooLong, func(s *workflow.Submission) { s.Reason = strings.Repeat("长", workflow.MaxReason+1) }},
			"Guest":         {workflow.Guest, func(s *workflow.Submission) { s.Actor.Standing = workflow.IsGuest }},
			"LongDuration": {workflow.LongDuration, func(s *workflow.Submission) {
				s.Drafts[1] = member(workflow.Add, dataartsfake.UserAlice, "viewer", 2*time.Hour)
			}},
			"TooMany": {workflow.TooManyWho, func(s *workflow.Submission) {
				for i := range workflow.MaxWho {
					s.Drafts = append(s.Drafts, invite(70000+i))
				}
			}},
		} {
			w.engine.SetPolicy(policy(long))
			sub := submission(name, invite(60004), invite(60005), invite(60006))
			c.edit(&sub)
			_, err := w.engine.Submit(ctx, sub)
			refusalOf(t, err, c.want)
		}
		if all := w.all(); len(all) != 3 {
			t.Errorf("%d requests are stored, want 3", len(all))
		}
		sub := submission("", invite(60004))
		sub.Reason = strings.Repeat("长", workflow.MaxReason)
		if _, err := w.engine.Submit(ctx, sub); err != nil {
			t.Errorf("a reason of the full length: %v", err)
		}
	})
}

func TestEngine_SubmitNamesEveryBadDraft(t *testing.T) {
	still(t, func(w *world) {
		sub := submission("", invite(60001), invite(60002), invite(60003))
		sub.Drafts[0].Subject.ID, sub.Drafts[2].Subject.ID = "x", "y"
		_, err := w.engine.Submit(context.Background(), sub)
		ref := refusalOf(t, err, workflow.BadCompany)
		if len(ref.More) != 1 || ref.More[0].Args[0] != "y" || ref.Args[0] != "x" {
			t.Errorf("%v and %v", ref, ref.More)
		}
	})
}

func TestEngine_SameDeliveryMakesNothingNew(t *testing.T) {
	still(t, func(w *world) {
		ctx := context.Background()
		sub := submission("trigger", invite(60001), invite(60002))
		first, err := w.engine.Submit(ctx, sub)
		if err != nil {
			t.Fatal(err)
		}
		w.does(asker, first[0].Number, workflow.Withdraw)
		again := func(name string) {
			t.Helper()
			rs, err := w.engine.Submit(ctx, sub)
			if err != nil || len(rs) != 2 || rs[0].Number != first[0].Number || rs[1].Number != first[1].Number {
				t.Fatalf("%s: %+v, %v", name, rs, err)
			}
			if rs[0].State != workflow.Withdrawn {
				t.Errorf("%s: the first is shown as %q", name, rs[0].State)
			}
		}
		again("unchanged")
		sub.Actor.Standing = workflow.NotLookedUp
		again("the person cannot be looked up")
		sub.Actor.Standing = workflow.FullMember
		w.engine.SetPolicy(policy())
		again("no rule any more")
		if all := w.all(); len(all) != 2 {
			t.Errorf("%d requests are stored", len(all))
		}

		sub.Delivery = "another" // refused, it must not be taken for delivered later
		for range 2 {
			_, err = w.engine.Submit(ctx, sub)
			refusalOf(t, err, workflow.NoRule)
		}
		w.engine.SetPolicy(w.policy)
		if rs, err := w.engine.Submit(ctx, sub); err != nil || len(rs) != 2 || rs[0].Number == first[0].Number {
			t.Errorf("%+v, %v", rs, err)
		}
	})
}

func TestEngine_UnreadGroupMayBeAnEarlierRule(t *testing.T) {
	still(t, func(w *world) {
		strict, lenient := rule(anyOf(2, lead.User, "U0B")), rule(anyOf(1, lead.User))
		strict.Name, strict.Requesters = "strict", []string{"S0CONTRACTORS"}
		w.engine.SetPolicy(policy(strict, lenient))
		sub := submission("", invite(60001))
		sub.Actor.Unread = []string{"S0CONTRACTORS"}
		_, err := w.engine.Submit(context.Background(), sub)
		refusalOf(t, err, workflow.Unverified)

		sub.Actor.Unread, sub.Actor.Groups = nil, []string{"S0CONTRACTORS"}
		if rs, err := w.engine.Submit(context.Background(), sub); err != nil || rs[0].Rule.Name != "strict" {
			t.Errorf("%+v, %v", rs, err)
		}
		sub.Actor.Groups, sub.Actor.Unread = nil, []string{"S0OTHER"}
		if rs, err := w.engine.Submit(context.Background(), sub); err != nil || rs[0].Rule.Name != "all" {
			t.Errorf("%+v, %v", rs, err)
		}
	})
}

func TestEngine_OneOfManyClicksWins(t *testing.T) {
	still(t, func(w *world) {
		ctx := context.Background()
		var ids []string
		for i := range 12 {
			ids = append(ids, fmt.Sprintf("U0APPROVER%d", i))
		}
		w.engine.SetPolicy(policy(rule(anyOf(1, ids...))))
		n := w.asks(invite(60001))
		var mu sync.Mutex
		won := 0
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				v := workflow.Approve
				if i%2 == 1 {
					v = workflow.Deny
				}
				_, err := w.engine.Do(ctx, n, workflow.Command{Verb: v, Actor: actor(id), Via: "test"})
				ref, refused := errors.AsType[*workflow.Refusal](err)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !refused || ref.Request == nil || ref.Request.State == workflow.Pending:
					t.Errorf("%s: %v", id, err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d clicks won", won)
		}
		if r := w.load(n); len(r.Decisions) != 1 || r.State != workflow.Approved && r.State != workflow.Denied {
			t.Errorf("it is %q after %v", r.State, r.Decisions)
		}
	})
}

func TestEngine_TryChangesNothing(t *testing.T) {
	still(t, func(w *world) {
		ctx := context.Background()
		n := w.asks(invite(60001))
		before := w.load(n)
		if err := w.engine.Try(ctx, n, workflow.Command{Verb: workflow.Deny, Actor: lead}); err != nil {
			t.Error(err)
		}
		refusalOf(t, w.engine.Try(ctx, n, workflow.Command{Verb: workflow.Deny, Actor: asker}), workflow.OwnRequest)
		refusalOf(t, w.engine.Try(ctx, 999, workflow.Command{Verb: workflow.Deny, Actor: lead}), workflow.NotFound)
		_, err := w.engine.Do(ctx, 999, workflow.Command{Verb: workflow.Deny, Actor: lead})
		refusalOf(t, err, workflow.NotFound)
		same(t, "the request", w.load(n), before)
		time.Sleep(25 * time.Hour)
		refusalOf(t, w.engine.Try(ctx, n, workflow.Command{Verb: workflow.Deny, Actor: lead}), workflow.WrongState)
		w.is(n, workflow.Pending) // as stored
	})
}

func TestEngine_ReasonIsBounded(t *testing.T) {
	still(t, func(w *world) {
		n := w.asks(invite(60001))
		deny := workflow.Command{Verb: workflow.Deny, Actor: lead, Reason: strings.Repeat("x", workflow.MaxReason+1)}
		_, err := w.engine.Do(context.Background(), n, deny)
		refusalOf(t, err, workflow.TooLong)
	})
}

func TestEngine_ExtendPostponesTheEnd(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.approved(member(workflow.Add, dataartsfake.UserAlice, "developer", 2*time.Hour))
		synctest.Wait()
		child := w.is(n, workflow.Done).Child
		w.passes(time.Hour)
		rs, err := w.engine.Extend(context.Background(), n, 3*time.Hour, submission(""))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.approves(rs[0].Number)
		synctest.Wait()
		w.is(rs[0].Number, workflow.Done)
		w.passes(2 * time.Hour) // past the first end
		w.is(child, workflow.Approved)
		w.passes(time.Hour)
		w.is(child, workflow.Done)
		if roles := w.rolesOf(dataartsfake.UserAlice); roles != nil {
			t.Errorf("roles %v", roles)
		}
	})
}

func TestEngine_UndoIsARequestOfItsOwn(t *testing.T) {
	virtual(t, func(w *world) {
		w.studio.SetMember(dataartsfake.WorkspaceAnalytics, dataartsfake.Member{
			UserID: dataartsfake.UserBob, UserName: "bob", Roles: []string{dataartsfake.RoleViewer},
		})
		n := w.approved(member(workflow.SetRole, dataartsfake.UserBob, "admin", 0))
		synctest.Wait()
		w.is(n, workflow.Done)
		undo := w.does(asker, n, workflow.Undo).Child
		synctest.Wait()
		w.is(undo, workflow.Pending)
		_, err := w.engine.Do(context.Background(), undo, approveBy(asker))
		refusalOf(t, err, workflow.OwnRequest)
		_, err = w.engine.Do(context.Background(), n, workflow.Command{Verb: workflow.Undo, Actor: lead})
		refusalOf(t, err, workflow.WrongState)
		w.approves(undo)
		synctest.Wait()
		w.is(undo, workflow.Done)
		same(t, "roles", w.rolesOf(dataartsfake.UserBob), []string{dataartsfake.RoleViewer})
	})
}

// TestEngine_PanicInALookUpRefuses: several names are looked up at once, each in a goroutine of its own, where a panic
// would end the process.
func TestEngine_PanicInALookUpRefuses(t *testing.T) {
	still(t, func(w *world) {
		named := func(names ...string) workflow.Submission {
			var drafts []workflow.Draft
			for _, name := range names {
				drafts = append(drafts, member(workflow.Add, "user:"+name, "viewer", 0))
			}
			return submission("", drafts...)
		}
		rs, err := w.engine.Submit(context.Background(), named("alice", "bob"))
		if err != nil || rs[1].Change.Subject.ID != dataartsfake.UserBob {
			t.Fatalf("%+v, %v", rs, err)
		}
		w.wire.slows(func(string) time.Duration { panic("a bug") })
		_, err = w.engine.Submit(context.Background(), named("alice", "bob", "carol"))
		refusalOf(t, err, workflow.Unresolved)
	})
}
