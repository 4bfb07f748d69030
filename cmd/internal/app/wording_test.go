package app_test

import (
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
