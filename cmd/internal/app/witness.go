package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"countersign/bot"
	"countersign/store"
	"countersign/workflow"
)

const (
	day = 24 * time.Hour
	// witnessLook bounds a sleep, since the clock may be set.
	witnessLook  = time.Minute
	witnessRetry = 30 * time.Second
	witnessTired = 15 * time.Minute
	witnessReady = 200 * time.Millisecond // between looks at whether Slack is connected
)

// witness posts the head of the audit trail once a day, so that a trail that is rewritten later no longer fits what
// Slack has kept. What is to be posted is recorded first and that it was posted after, so that a restart makes no
// second post.
func (a *App) witness(ctx context.Context) error {
	if a.cfg.Audit.Channel == "" {
		return nil
	}
	again := false
	retry := witnessRetry
	for ctx.Err() == nil {
		if !a.Ready() {
			sleepFor(ctx, witnessReady)
			continue
		}
		wait := a.untilWitness()
		err := a.bear(ctx, again)
		again = err != nil
		switch later, ok := errors.AsType[*workflow.LaterError](err); {
		case ok:
			wait, again = later.After, false
		case err != nil && ctx.Err() == nil:
			a.log.Error("the head of the audit trail could not be posted; it is tried again", "channel", a.cfg.Audit.Channel, "error", err)
			wait = retry
			retry = min(2*retry, witnessTired)
		default:
			retry = witnessRetry
		}
		sleepFor(ctx, max(min(wait, witnessLook), time.Millisecond))
	}
	return nil
}

func sleepFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// lastDue is when the head should last have been posted.
func (a *App) lastDue() time.Time {
	now := a.o.Now().UTC()
	due := now.Truncate(day).Add(a.cfg.Audit.At)
	if due.After(now) {
		due = due.Add(-day)
	}
	return due
}

func (a *App) untilWitness() time.Duration { return a.lastDue().Add(day).Sub(a.o.Now()) }

// bear posts the head, unless that was done since it was due. Again looks for an earlier post first.
func (a *App) bear(ctx context.Context, again bool) error {
	due := a.lastDue()
	if a.witnessed.Equal(due) {
		return nil
	}
	claim, told, err := a.trailSince(ctx, due)
	switch {
	case err != nil:
		return err
	case told:
		a.witnessed = due
		return nil
	case claim == "":
		if claim, err = a.claimHead(ctx, due); err != nil || claim == "" {
			return err
		}
	case !a.claimed.Equal(due):
		again = true // another process was about to post it
	}
	a.claimed = due
	return a.postHead(ctx, due, claim, again)
}

func (a *App) postHead(ctx context.Context, due time.Time, claim string, again bool) error {
	head, err := ParseHead(claim)
	if err != nil {
		return fmt.Errorf("entry of the head: %w", err)
	}
	since := time.Time{}
	if again {
		since = due
	}
	ts, found, err := a.bot.PostHead(ctx, a.cfg.Audit.Channel, bot.Head{Day: due.Format(time.DateOnly), Seq: head.Seq, Hash: head.Hash}, since)
	if err != nil {
		return err
	}
	via := fmt.Sprintf("slack %s %s", a.cfg.Audit.Channel, ts)
	if err := record(context.WithoutCancel(ctx), a.store, "", workflow.Entry{At: a.o.Now(), Verb: actHeadTold, Via: via, Detail: claim}); err != nil {
		return err
	}
	a.witnessed = due
	a.metrics.witnessed.Set(float64(a.o.Now().Unix()))
	a.log.Info("the head of the audit trail is posted", "channel", a.cfg.Audit.Channel, "head", claim, "found", found)
	return nil
}

// claimHead records what is to be posted; empty if another replica was faster, which then posts it.
func (a *App) claimHead(ctx context.Context, due time.Time) (string, error) {
	stats, err := a.store.Stats(ctx)
	if err != nil {
		return "", err
	}
	claim := fmt.Sprintf("%d:%s", stats.Head.Seq, stats.Head.Hash)
	err = record(context.WithoutCancel(ctx), a.store, "audit head "+due.Format(time.RFC3339), workflow.Entry{At: a.o.Now(), Verb: actHead, Via: "timer", Detail: claim})
	if _, ok := errors.AsType[*workflow.DuplicateError](err); ok {
		return "", nil
	}
	return claim, err
}

// trailSince looks through the end of the trail for what was recorded of the head since it was due.
func (a *App) trailSince(ctx context.Context, due time.Time) (claim string, told bool, err error) {
	for before := uint64(0); ; {
		es, err := a.store.Latest(ctx, before, store.MaxScan)
		if err != nil {
			return "", false, err
		}
		for _, e := range es {
			switch {
			case e.At.Before(due):
				return claim, told, nil
			case e.Verb == actHeadTold:
				return e.Detail, true, nil
			case e.Verb == actHead && claim == "":
				claim = e.Detail
			}
			before = e.Seq
		}
		if len(es) < store.MaxScan {
			return claim, told, nil
		}
	}
}

// ParseHead reads a head as it is posted: SEQ:HASH.
func ParseHead(s string) (store.Head, error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(s), ":")
	n, err := strconv.ParseUint(seq, 10, 63)
	if !ok || err != nil || len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		return store.Head{}, fmt.Errorf("%q is no head: it is SEQ:HASH, as posted in Slack", s)
	}
	return store.Head{Seq: n, Hash: hash}, nil
}
