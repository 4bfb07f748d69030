package app_test

import (
	"testing"

	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

func TestApp_MainJob(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training run")
		if r.State != workflow.Pending {
			t.Fatalf("state %s, want pending", r.State)
		}
		w.clicks("U0REQ", card, "approve")
		w.privately("U0REQ", "somebody else must decide")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		w.threadOf(card, "done")
		if got := w.CompShare.Status(1001, 50002); got != "Pending" {
			t.Errorf("the cloud holds %q, want Pending", got)
		}
		if got := len(w.CompShare.Mutations()); got != 1 {
			t.Errorf("%d mutating calls, want 1", got)
		}
		card, _ = w.card(r.Number)
		wantDecided(t, card)
		w.eventually("a DM to the requester", func() bool { return len(w.Slack.DM("U0REQ")) >= 2 })
	})
}
