package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// Whoever may not see a request learns nothing of it by extending it: neither that it is there nor how it stands.
func TestExtend_HidesWhatShowHides(t *testing.T) {
	t.Parallel()
	o := rig.Options{Policy: `
  - {name: members, systems: [warehouse], requesters: ["*"], channel: C0APPROVALS, max_duration: 60d, approvers: [{any_of: [U0LEAD]}]}
`}
	inBothModes(t, o, func(t *testing.T, w *world) {
		pending, _ := w.asks("U0REQ", "add @alice to warehouse/"+space+" as viewer for 2d")
		stored := w.stored()
		hidden := func() {
			t.Helper()
			n := pending.Number.String()
			absent := w.types("U0BOB", "show "+n)
			if !strings.Contains(absent, "没有编号为 *"+n+"* 的申请") {
				t.Fatalf("show is answered %q", absent)
			}
			for _, typed := range []string{"extend " + n + " for 1d", "extend " + n + " for 90d", "withdraw " + n} {
				if got := w.types("U0BOB", typed); got != absent {
					t.Errorf("%q is answered %q, want %q", typed, got, absent)
				}
			}
			if got := w.stored(); got != stored {
				t.Errorf("%d requests are stored, want %d", got, stored)
			}
		}
		hidden()
		w.eventually("the attempt to withdraw is in the trail", func() bool {
			return slices.ContainsFunc(w.trail("refused"), func(e workflow.Entry) bool {
				return e.By.User == "U0BOB" && strings.Contains(e.Detail, "request "+pending.Number.String()+", command: not_requester")
			})
		})
		card, _ := w.card(pending.Number)
		w.clicks("U0LEAD", card, "approve")
		w.becomes(pending.Number, workflow.Done)
		stored = w.stored() // with the request that ends it
		hidden()
		// Who it is about may see it, and so may ask for more.
		longer, _ := w.asks("U0ALICE", "extend "+pending.Number.String()+" for 7d")
		if longer.Extends != pending.Number {
			t.Errorf("#%v extends #%v, want #%v", longer.Number, longer.Extends, pending.Number)
		}
	})
}

// What was extended once can be extended again by the number of the extension, whose card says how long it lasts.
func TestExtend_AnExtension(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r := w.granted("add @alice to warehouse/" + space + " as viewer for 2d")
		extends := func(n workflow.Number, d string) workflow.Request {
			t.Helper()
			longer, card := w.asks("U0REQ", "extend "+n.String()+" for "+d)
			if longer.Extends != r.Number {
				t.Errorf("#%v extends #%v, want #%v, which gave the membership", longer.Number, longer.Extends, r.Number)
			}
			if got := numberIn(w.types("U0REQ", "extend "+longer.Number.String()+" for 3d")); got != 0 {
				t.Errorf("what is not approved yet was extended as #%v", got)
			}
			w.clicks("U0LEAD", card, "approve")
			longer, _ = w.becomes(longer.Number, workflow.Done)
			return longer
		}
		first := extends(r.Number, "7d")
		second := extends(first.Number, "14d")
		extends(second.Number, "30d")
		clock.push(29*day + 23*time.Hour)
		w.keeps(alice, "r00004")
		clock.push(2 * time.Hour)
		w.awaits(alice, "absent")
		w.becomes(r.Child, workflow.Done)
	})
}
