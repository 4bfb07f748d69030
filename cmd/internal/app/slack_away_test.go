package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

func TestSlackAway_NoHotLoop(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"link_disabled", "too_many_websockets"} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rig.Options{})
			before := len(w.Slack.Connects())
			w.Slack.RefuseSockets(reason)
			w.Slack.DropSockets()
			w.eventually("not ready", func() bool { return !w.app.Ready() })
			time.Sleep(6 * time.Second)
			connects := w.Slack.Connects()[before:]
			if len(connects) == 0 || len(connects) > 5 {
				t.Errorf("%d connects in 6 s, want 1 to 5", len(connects))
			}
			for i := 1; i < len(connects); i++ {
				if gap := connects[i].Sub(connects[i-1]); gap < 900*time.Millisecond {
					t.Errorf("two connects within %v", gap)
				}
			}
			w.Slack.RefuseSockets("")
			w.within(40*time.Second, "ready again", w.app.Ready)
			w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		})
	}
}

// TestSlackAway_NoPing: a connection that is only seemingly alive is given up and opened anew.
func TestSlackAway_NoPing(t *testing.T) {
	if testing.Short() {
		t.Skip("Slack must be silent for half a minute")
	}
	t.Parallel()
	w := newWorld(t, rig.Options{})
	before := len(w.Slack.Connects())
	w.Slack.StopPings(true)
	w.within(75*time.Second, "connected anew", func() bool { return len(w.Slack.Connects()) > before })
	w.Slack.StopPings(false)
	w.eventually("ready", w.ready)
	w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
}

func TestSlackAway_FatalTokenEndsWithTheMend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, code string }{{"bot", "token_revoked"}, {"app", "invalid_auth"}, {"app", "token_expired"}} {
		t.Run(c.kind+" "+c.code, func(t *testing.T) {
			t.Parallel()
			w := newRig(t, rig.Options{})
			w.Slack.RevokeToken(c.kind, c.code)
			err := w.runUntilItEnds()
			if _, ok := errors.AsType[*bot.FatalError](err); !ok || !strings.Contains(fmt.Sprint(err), c.code) {
				t.Errorf("Run: %v, want a fatal error with %s and the mend", err, c.code)
			}
		})
	}
}

// runUntilItEnds runs the bot, which must end by itself, and returns why.
func (w *world) runUntilItEnds() error {
	w.t.Helper()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	a, err := app.New(ctx, app.Options{Config: cfg, Env: w.Env, Logger: w.logger()})
	if err != nil {
		w.t.Fatal(err)
	}
	err = a.Run(ctx)
	if ctx.Err() != nil {
		w.t.Fatal("the bot did not end by itself")
	}
	return err
}

// TestRateLimits_BurstLosesNone lets Slack refuse posts in every shape of a rate limit while a burst of requests comes
// in: none is lost or posted twice, and no answer waits for Slack.
func TestRateLimits_BurstLosesNone(t *testing.T) {
	t.Parallel()
	const burst = 60
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for i, f := range []slackfake.Fault{
			{Kind: slackfake.RateLimited, RetryAfter: "1"},
			{Kind: slackfake.RateLimited},
			{Kind: slackfake.RateLimited, RetryAfter: "1.5"},
			{Kind: slackfake.RateLimitedOK},
		} {
			f.Method, f.Skip = "chat.postMessage", 5*(i+1)
			w.Slack.Fault(f)
		}
		var numbers []workflow.Number
		for i := range burst {
			answer := w.types("U0REQ", fmt.Sprintf("invite %d to gpu-lab/1001", 60000+i)) // fails if it comes later than Slack waits
			numbers = append(numbers, numberIn(answer))
		}
		w.within(60*time.Second, "a card for each", func() bool {
			for _, n := range numbers {
				if w.request(n).Card.TS == "" {
					return false
				}
			}
			return true
		})
		if got := len(w.cards(rig.Channel)); got != burst {
			t.Errorf("%d cards, want %d", got, burst)
		}
	})
}

// TestRateLimits_EditsAndPostsApart closes chat.update for a while: posts and cloud calls go on.
func TestRateLimits_EditsAndPostsApart(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.settled(r.Number)
		w.Slack.Fault(slackfake.Fault{Method: "chat.update", Kind: slackfake.RateLimited, RetryAfter: "12"})
		begun := time.Now()
		w.clicks("U0LEAD", card, "approve")
		w.threadOf(card, "done")
		w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		if took := time.Since(begun); took > 11*time.Second {
			t.Errorf("a limit on edits has held up posts for %v", took)
		}
		w.becomes(r.Number, workflow.Done)
	})
}
