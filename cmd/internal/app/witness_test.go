package app_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/store/postgres/pgtest"
	"countersign/workflow"
)

// second starts a second replica in a world; the first is the world's own.
func (w *world) second(o app.Options) *app.App {
	w.t.Helper()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Ops.Socket += ".2"
	o.Config, o.Env, o.Logger = cfg, w.Env, w.logger().With("replica", 2)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	a, err := app.New(ctx, o)
	if err != nil {
		cancel()
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.eventually("the second replica is ready", a.Ready)
	return a
}

// heads are the posts of the trail's head.
func (w *world) heads() int { return len(w.Slack.Messages("C0DATA")) }

// witnessed is a rig on PostgreSQL that posts the head of the trail, with clocks that the test puts forward.
func witnessed(t *testing.T) (*world, app.Options, *atomic.Int64) {
	t.Helper()
	w := newRig(t, rig.Options{Database: pgtest.Shared(t).DSN(t)})
	w.edit("locale:", "audit: {channel: C0DATA, at: \"00:00\"}\nlocale:")
	start, ahead := time.Now(), &atomic.Int64{}
	return w, app.Options{
		Now:     func() time.Time { return time.Now().UTC().Add(time.Duration(ahead.Load())) },
		Elapsed: func() time.Duration { return time.Since(start) + time.Duration(ahead.Load()) },
	}, ahead
}

// TestWitness_LeavesTheSlowReplicaAlone: what one replica is about to post, another one does not post beside it.
func TestWitness_LeavesTheSlowReplicaAlone(t *testing.T) {
	t.Parallel()
	w, o, _ := witnessed(t)
	w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Channel: "C0DATA", Kind: slackfake.Slow, For: 4 * time.Second})
	w.startWith(o)
	w.eventually("the head is claimed", func() bool { return len(w.trail("head")) == 1 })
	w.second(o)
	w.said("the head of the audit trail is posted", 1)
	time.Sleep(3 * time.Second) // the second one looks again
	if got, claims := w.heads(), len(w.trail("head")); got != 1 || claims != 1 {
		t.Errorf("%d posts after %d claims, want 1 after 1", got, claims)
	}
}

// TestWitness_AnotherReplicaPosts: the replica that has claimed the post of the day dies before it, and another one,
// which was there all the time, posts: once, after the time that the first one had.
func TestWitness_AnotherReplicaPosts(t *testing.T) {
	t.Parallel()
	w, o, ahead := witnessed(t)
	w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Channel: "C0DATA", Kind: slackfake.CutBefore, Count: -1})
	w.startWith(o)
	w.said("could not be posted", 1)
	second := w.second(o)
	w.stop()
	w.Slack.ClearFaults() // not before: the first replica tries again
	time.Sleep(3 * time.Second)
	if got := w.heads(); got != 0 {
		t.Fatalf("%d posts while the time of the first replica lasts, want none", got)
	}
	ahead.Add(int64(2 * time.Minute))
	w.said("the head of the audit trail is posted", 1)
	ahead.Add(int64(2 * time.Minute))
	time.Sleep(3 * time.Second)
	if got := w.heads(); got != 1 {
		t.Errorf("%d posts, want 1", got)
	}
	told, err := second.Store().Latest(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[workflow.Verb]int{}
	for _, e := range told {
		verbs[e.Verb]++
	}
	if verbs["head"] != 2 || verbs["head_told"] != 1 {
		t.Errorf("the trail has %d claims and %d posts, want 2 and 1", verbs["head"], verbs["head_told"])
	}
}
