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
	// witnessLook bounds a sleep, since the clock may be set, and others may have posted.
	witnessLook  = 2 * time.Second
	witnessRetry = 30 * time.Second
	witnessTired = 15 * time.Minute
	witnessReady = 200 * time.Millisecond // between looks at whether Slack is connected
	// headLease is how long a replica that has claimed a post may take for it, headSpare what must be left of that when a
	// try begins, headSlack how much longer others leave it alone.
	headLease = time.Minute
	headSpare = 20 * time.Second
	headSlack = 5 * time.Second
	// clockSkew is how far the clocks of replicas may be apart.
	clockSkew = time.Hour
)

// claimed is the word of some replica that it posts a head: the time-th such word of the day.
type claimed struct {
	due   time.Time
	times int
	// at is when this replica gave that word, or first saw it, by a clock that nobody can set.
	at time.Duration
}

func (c claimed) is(due time.Time, times int) bool { return c.due.Equal(due) && c.times == times }

// witness posts the head of the audit trail once a day, so that a trail that is rewritten later no longer fits what
// Slack has kept. What is to be posted is recorded first and that it was posted after, so that a restart makes no
// second post. Of several replicas the one that has recorded it posts; should it not do so in its time, another one
// records that it does instead.
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
	claim, times, told, err := a.trailSince(ctx, due)
	switch {
	case err != nil:
		return err
	case told:
		a.witnessed = due
		return nil
	}
	alone := a.cfg.Store.replica() == ""
	switch {
	case times > 0 && alone:
		again = again || !a.claims.is(due, times) // the process before this one was about to post it
		a.claims = claimed{due, times, a.o.Elapsed()}
	case times > 0 && a.claims.is(due, times) && a.headLeft() >= headSpare:
	default:
		if left := a.othersHead(due, times); left > 0 {
			return &workflow.LaterError{After: left}
		}
		again = again || times > 0
		at := a.o.Elapsed()
		if claim, err = a.claimHead(ctx, due, times+1, claim); err != nil || claim == "" {
			return err
		}
		a.claims = claimed{due, times + 1, at}
	}
	if !alone {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.headLeft())
		defer cancel()
	}
	return a.postHead(ctx, due, claim, again)
}

// headLeft is how much of the time is left that this replica has for the post it has claimed.
func (a *App) headLeft() time.Duration { return a.claims.at + headLease - a.o.Elapsed() }

// othersHead is how long the post is still to be left to the replica that claimed it.
func (a *App) othersHead(due time.Time, times int) time.Duration {
	if times == 0 || a.claims.is(due, times) {
		return 0
	}
	if !a.sighted.is(due, times) {
		a.sighted = claimed{due, times, a.o.Elapsed()}
	}
	return a.sighted.at + headLease + headSlack - a.o.Elapsed()
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

// claimHead records what is to be posted: what an earlier claim says, or the head of now. Empty if another replica was
// faster, which then posts it.
func (a *App) claimHead(ctx context.Context, due time.Time, times int, claim string) (string, error) {
	if claim == "" {
		stats, err := a.store.Stats(ctx)
		if err != nil {
			return "", err
		}
		claim = fmt.Sprintf("%d:%s", stats.Head.Seq, stats.Head.Hash)
	}
	once := fmt.Sprintf("audit head %s %d", due.Format(time.RFC3339), times)
	err := record(context.WithoutCancel(ctx), a.store, once, workflow.Entry{At: a.o.Now(), Verb: actHead, Via: dueVia(due), Detail: claim})
	if _, ok := errors.AsType[*workflow.DuplicateError](err); ok {
		return "", nil
	}
	return claim, err
}

// trailSince looks through the end of the trail for what was recorded of the head that was due then: what was claimed,
// how often, and whether it was posted. Entries bear the time of whoever made them, so it looks further back than that.
func (a *App) trailSince(ctx context.Context, due time.Time) (claim string, times int, told bool, err error) {
	posted := map[string]bool{}
	for before := uint64(0); ; {
		es, err := a.store.Latest(ctx, before, store.MaxScan)
		if err != nil {
			return "", 0, false, err
		}
		for _, e := range es {
			switch {
			case e.At.Before(due.Add(-clockSkew)):
				return claim, times, posted[claim], nil
			case e.Verb == actHeadTold:
				posted[e.Detail] = true
			case e.Verb == actHead && e.Via == dueVia(due):
				claim = e.Detail
				times++
			}
			before = e.Seq
		}
		if len(es) < store.MaxScan {
			return claim, times, posted[claim], nil
		}
	}
}

// dueVia names the post that an entry is of.
func dueVia(due time.Time) string { return "timer " + due.Format(time.RFC3339) }

// ParseHead reads a head as it is posted: SEQ:HASH.
func ParseHead(s string) (store.Head, error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(s), ":")
	n, err := strconv.ParseUint(seq, 10, 63)
	if !ok || err != nil || len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		return store.Head{}, fmt.Errorf("%q is no head: it is SEQ:HASH, as posted in Slack", s)
	}
	return store.Head{Seq: n, Hash: hash}, nil
}
