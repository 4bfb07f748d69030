package app_test

import (
	"strings"
	"testing"

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
