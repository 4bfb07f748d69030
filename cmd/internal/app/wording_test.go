package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// Who asked is told to withdraw only what can still be withdrawn.
func TestWording_OwnRequest(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world) {
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.Status, Status: 400, Code: "DAYU.4402", Count: -1})
		for user, want := range map[string]struct{ pending, failed string }{
			"U0REQ": {"take it back with `withdraw`", "so somebody else must decide it: ask one of its approvers"},
			"U0BOB": {"用 `withdraw` 撤回", "需由他人决定：请联系审批人"},
		} {
			r, card := w.asks(user, "add @alice to warehouse/"+space+" as viewer")
			click := slackfake.ClickInput{User: user, Channel: card.Channel, TS: card.TS, ActionID: "approve"}
			w.refused(click, r.Number, want.pending)
			w.clicks("U0LEAD", card, "approve")
			w.becomes(r.Number, workflow.Failed)
			click.ActionID = "retry"
			if got := w.answered(click); !strings.Contains(got, want.failed) || strings.Contains(got, "withdraw") {
				t.Errorf("%s presses Retry: answered %q, want %q in it and no way to withdraw", user, got, want.failed)
			}
		}
	})
}

// Whoever is told that a membership ends soon reads what ends, when, and how to keep it, if a rule lets them ask.
func TestWording_EndsSoon(t *testing.T) {
	t.Parallel()
	policy := strings.Replace(timePolicy, `{name: members, systems: [warehouse], requesters: ["*"]`, `{name: members, systems: [warehouse], requesters: [U0REQ, U0BOB]`, 1)
	inBothModesAt(t, rig.Options{Policy: policy}, func(t *testing.T, w *world, clock *pushed) {
		r := w.granted("add @alice to warehouse/" + space + " as viewer for 3d")
		bob := w.granted("add @bob to warehouse/" + space + " as viewer for 3d")
		longer := func(r workflow.Request) string { return "`/access extend " + r.Number.String() + " for 3d`" }
		clock.push(2*day + time.Minute)
		ends := "the access from #" + r.Number.String() + " ends "
		got := w.directly("U0REQ", ends)
		for _, want := range []string{"Soon over: ", "Then #" + r.Child.String() + " is carried out: Remove <@U0ALICE>", "To keep it, type " + longer(r)} {
			if !strings.Contains(got, want) {
				t.Errorf("the requester reads %q, want %q in it", got, want)
			}
		}
		got = w.directly("U0BOB", "即将到期：#"+bob.Number.String()+" 给予的权限将于 ")
		if !strings.Contains(got, "到期，届时执行 #"+bob.Child.String()+"：") || !strings.Contains(got, "如需继续，请尽早输入 "+longer(bob)) {
			t.Errorf("the member reads %q", got)
		}
		if got := w.directly("U0ALICE", "即将到期：#"+r.Number.String()); strings.Contains(got, "extend") {
			t.Errorf("whom no rule lets ask reads %q", got)
		}
		typed := strings.Trim(strings.TrimPrefix(longer(r), "`/access "), "`")
		if n := numberIn(w.types("U0REQ", typed)); n == 0 || w.request(n).Extends != r.Number {
			t.Errorf("what it says to type made #%v", n)
		}
	})
}

// Where only the end of a membership moves, the card that is signed says so, and so does what became of it.
func TestWording_OnlyTheEndMoves(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		grant := "add @alice to warehouse/" + space + " as viewer"
		r := w.granted(grant + " for 2d")
		for _, c := range []struct {
			typed, card, result string
			moves               bool
		}{
			{"extend " + r.Number.String() + " for 7d", "Already *viewer (r00004)*; approving moves the end to 7d from then", "done: the end was moved to <!date^", true},
			{grant + " for 14d", "Already *viewer (r00004)*; approving moves the end to 14d from then", "done: the end was moved to <!date^", true},
			{grant + " for 1h", "Nothing to do: already *viewer (r00004)*", "already so before, nothing was called", false},
		} {
			more, card := w.asks("U0REQ", c.typed)
			if got := w.reads(more.Number, c.card); strings.Contains(got, "Nothing to do") == c.moves {
				t.Errorf("the card of %q reads %q", c.typed, got)
			}
			w.clicks("U0LEAD", card, "approve")
			more, card = w.becomes(more.Number, workflow.Done)
			w.threadOf(card, c.result)
			if got := w.directly("U0REQ", "Your request #"+more.Number.String()+": "); !strings.Contains(got, c.result) {
				t.Errorf("the requester of %q reads %q, want %q in it", c.typed, got, c.result)
			}
			if c.moves {
				w.directly("U0ALICE", "您的成员身份到期时间已变更（#"+more.Number.String())
			}
			end := w.request(r.Child)
			if i := slices.IndexFunc(end.Effects, func(e workflow.Effect) bool { return e.Kind == workflow.CallEffect }); c.moves && !end.Effects[i].Due.Equal(more.Result.Until) {
				t.Errorf("%q says %v, but it ends %v", c.typed, more.Result.Until, end.Effects[i].Due)
			}
		}
		more, card := w.asks("U0BOB", grant)
		w.reads(more.Number, "approving lifts the time limit")
		w.clicks("U0LEAD", card, "approve")
		_, card = w.becomes(more.Number, workflow.Done)
		w.threadOf(card, "done: the time limit was lifted")
		w.directly("U0BOB", "期限已取消")
		clock.push(60 * day)
		w.keeps(alice, "r00004")
	})
}

// An undo that came to nothing can be asked for again; while one is under way, or has been carried out, it cannot.
func TestUndo_AgainWhereItCameToNothing(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		w.roles(alice, "r00003")
		r := w.granted("role @alice on warehouse/" + space + " as viewer")
		offered := func(want bool) {
			t.Helper()
			w.eventually(fmt.Sprintf("undo is offered: %v", want), func() bool {
				m, _ := w.card(r.Number)
				return slices.Contains(actionIDs(m), "undo") == want
			})
		}
		again := func() (workflow.Request, slackfake.Message) {
			t.Helper()
			offered(true)
			card, _ := w.card(r.Number)
			last := w.request(r.Number).Child
			w.clicks("U0REQ", card, "undo")
			w.eventually("the undoing is asked for", func() bool { return w.request(r.Number).Child != last })
			undo, undoCard := w.carded(w.request(r.Number).Child)
			w.shows(r.Number, "undo asked for as #"+undo.Number.String())
			offered(false)
			w.refused(slackfake.ClickInput{User: "U0REQ", Channel: card.Channel, TS: card.TS, ActionID: "undo", Stale: true}, r.Number, "can no longer be done")
			return undo, undoCard
		}
		denied, card := again()
		w.clicks("U0BOB", card, "deny")
		v, _ := w.Slack.View("U0BOB")
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0BOB", ViewID: v.ID, Values: fill("reason", "not yet")}); err != nil {
			t.Fatal(err)
		}
		w.becomes(denied.Number, workflow.Denied)
		w.shows(r.Number, "undo asked for as #"+denied.Number.String())

		withdrawn, _ := again()
		w.types("U0REQ", "withdraw "+withdrawn.Number.String())

		expired, _ := again()
		clock.push(25 * hour)
		w.becomes(expired.Number, workflow.Expired)

		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.UpdateWorkSpaceUserOrGroup, Kind: dataartsfake.Status, Status: 400, Code: "DAYU.4402"})
		failed, card := again()
		w.clicks("U0BOB", card, "approve")
		w.becomes(failed.Number, workflow.Failed)
		offered(true)
		w.clicks("U0LEAD", card, "retry")
		w.becomes(failed.Number, workflow.Done)
		w.awaits(alice, "r00003")
		offered(false)
		if got := w.request(r.Number); got.State != workflow.Done || got.MayUndo() {
			t.Errorf("what was undone is %s and can be undone again", got.State)
		}
	})
}
