package app_test

import (
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// Whatever Slack does to the posts and edits of a request, it ends done, once, with one card, one reply and two direct
// messages. The worlds go through it side by side, since most of it is waiting.
func TestSlackDown_MessagesEndRightAndOnce(t *testing.T) {
	t.Parallel()
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			type run struct {
				name string
				w    *world
				r    workflow.Request
				card slackfake.Message
			}
			var runs []*run
			for _, f := range []slackfake.Fault{
				{Kind: slackfake.RateLimited, RetryAfter: "1"},
				{Kind: slackfake.RateLimited},
				{Kind: slackfake.RateLimitedOK},
				{Kind: slackfake.Status500HTML},
				{Kind: slackfake.CutBefore},
				{Kind: slackfake.ApplyThenCut},
				{Kind: slackfake.Truncated},
				{Kind: slackfake.ApplyThenError, Code: "internal_error"},
				{Kind: slackfake.ErrorCode, Code: "service_unavailable"},
				{Kind: slackfake.Hang, For: 200 * time.Millisecond},
				{Kind: slackfake.ApplyThenHang, For: 200 * time.Millisecond},
			} {
				c := &run{name: strings.TrimSpace(string(f.Kind) + " " + f.RetryAfter + f.Code), w: newWorld(t, rig.Options{Mode: mode})}
				for _, method := range []string{"chat.postMessage", "chat.update"} {
					f.Method = method
					c.w.Slack.Fault(f)
				}
				c.r.Number = numberIn(c.w.types("U0REQ", "invite 50002 to gpu-lab/1001"))
				for range map[bool]int{true: 0, false: 3}[slow(f)] { // the next posts: direct messages and the reply
					f.Method, f.Skip = "chat.postMessage", 0
					c.w.Slack.Fault(f)
				}
				runs = append(runs, c)
			}
			for _, c := range runs {
				c.r, c.card = c.w.carded(c.r.Number)
				c.w.clicks("U0LEAD", c.card, "approve")
			}
			for _, c := range runs {
				w := c.w
				w.within(40*time.Second, c.name+": done", func() bool {
					r, m := w.request(c.r.Number), w.cards(rig.Channel)
					return r.State == workflow.Done && len(r.Effects) == 0 && strings.Contains(slackfake.Text(m[0]), "*done*")
				})
				if got := len(w.cards(rig.Channel)); got != 1 {
					t.Errorf("%s: %d cards, want 1", c.name, got)
				}
				if got := len(w.Slack.Thread(c.card.Channel, c.card.TS)); got != 1 {
					t.Errorf("%s: %d replies, want 1", c.name, got)
				}
				if got := len(w.Slack.DM("U0REQ")); got != 2 {
					t.Errorf("%s: %d direct messages, want 2", c.name, got)
				}
				if got := w.calls(); len(got) != 1 {
					t.Errorf("%s: calls %v, want one", c.name, got)
				}
			}
		})
	}
}

// slow reports whether the bot must guess how long to wait: five seconds, each time.
func slow(f slackfake.Fault) bool {
	return f.Kind == slackfake.RateLimitedOK || f.Kind == slackfake.RateLimited && f.RetryAfter == ""
}

func TestSlackDown_NeverFailsAResult(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.settled(r.Number)
		for _, method := range []string{"chat.postMessage", "chat.update"} {
			w.Slack.Fault(slackfake.Fault{Method: method, Kind: slackfake.Status500HTML, Count: -1})
		}
		w.clicks("U0LEAD", card, "approve")
		w.eventually("done", func() bool { return w.request(r.Number).State == workflow.Done })
		w.eventually("an edit was tried", func() bool { return len(w.Slack.Calls("chat.update")) > 0 })
		w.Slack.ClearFaults()
		w.becomes(r.Number, workflow.Done)
		w.threadOf(card, "done")
	})
}

func TestSlackDown_LostCardLeavesTheRequestAlone(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.settled(r.Number)
		w.Slack.Fault(slackfake.Fault{Method: "chat.update", Kind: slackfake.ErrorCode, Code: "message_not_found", Count: -1})
		w.clicks("U0LEAD", card, "approve")
		w.eventually("done", func() bool {
			return w.request(r.Number).State == workflow.Done && len(w.request(r.Number).Effects) == 0
		})
		w.directly("U0REQ", "done")
	})
}

func TestRestart_PendingStaysDecidable(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		approve, first := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		deny, second := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.clicks("U0LEAD", second, "deny")
		form, ok := w.Slack.View("U0LEAD")
		if !ok {
			t.Fatal("no form")
		}
		w.stop()
		w.start()
		w.clicks("U0LEAD", first, "approve")
		_, card := w.becomes(approve.Number, workflow.Done)
		if card.TS != first.TS {
			t.Errorf("the card is %s, want %s edited in place", card.TS, first.TS)
		}
		block, action := theInput(t, form)
		values := map[string]map[string]any{block: {action: "no longer needed"}}
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", ViewID: form.ID, Values: values}); err != nil {
			t.Fatal(err)
		}
		w.becomes(deny.Number, workflow.Denied)
		if got := len(w.cards(rig.Channel)); got != 2 {
			t.Errorf("%d cards for two requests", got)
		}
		w.stop()
		w.start()
		w.refused(slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve", Stale: true}, approve.Number, "已不能这样操作")
	})
}

func TestRestart_OwedMessagesAreSentOnce(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		// Slack takes the card and the bot never learns of it.
		w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.ApplyThenHang, For: time.Second})
		n := numberIn(w.types("U0REQ", "invite 50002 to gpu-lab/1001"))
		w.eventually("the card is in Slack", func() bool { return len(w.cards(rig.Channel)) == 1 })
		w.stop()
		w.Slack.ClearFaults()
		w.start()
		_, card := w.carded(n)
		w.clicks("U0LEAD", card, "approve")
		w.becomes(n, workflow.Done)
		if got := len(w.cards(rig.Channel)); got != 1 {
			t.Errorf("%d cards, want 1", got)
		}
	})
}

func TestSocket_SurvivesDisconnects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{Mode: bot.Socket})
	for _, reason := range []string{"refresh_requested", "warning", ""} {
		if reason == "" {
			w.Slack.DropSockets()
		} else {
			w.Slack.Disconnect(reason)
		}
		if reason == "warning" {
			continue
		}
		w.eventually("connected again", func() bool { return w.ready() })
	}
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
}
