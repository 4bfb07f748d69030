package workflow

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// postTimeout bounds one attempt to show or tell.
const postTimeout = 30 * time.Second

// post shows a card or tells a message, and records it. Slack's failures wait and try again; they never reach the
// request's state.
func (r *Runner) post(ctx context.Context, log *slog.Logger, req Request, e Effect) time.Duration {
	t := task{req.Number, e.ID}
	r.mu.Lock()
	again := r.tried[t] || e.Tries > 0 || !e.Due.After(r.began) || mayHaveCard(req, e) || e.Lease.Epoch > 1
	r.tried[t] = true
	r.mu.Unlock()

	r.o.Step("before_post", req.Number)
	pctx, cancel := context.WithTimeout(ctx, r.within(t, postTimeout))
	defer cancel()
	done := Command{Verb: Told, Via: "slack", Effect: e.ID}
	var err error
	if e.Kind == CardEffect {
		done.Verb = Shown
		done.Card, err = r.o.Notifier.Show(pctx, req, again)
	} else {
		err = r.o.Notifier.Tell(pctx, req, e, again)
	}
	r.o.Step("after_post", req.Number)
	if err == nil {
		r.posted(laneOf(req, e))
		r.forget(t)
		return r.record(ctx, log, t, done)
	}
	return r.postFailed(ctx, log, req, e, err)
}

// mayHaveCard reports whether the request may have a card that is not recorded: an earlier turn owed one too, and what
// became of that is not known.
func mayHaveCard(req Request, e Effect) bool {
	return e.Kind == CardEffect && req.Card.TS == "" && e.Turn() > 1 && !e.First
}

func (r *Runner) postFailed(ctx context.Context, log *slog.Logger, req Request, e Effect, err error) time.Duration {
	t := task{req.Number, e.ID}
	if later, ok := errors.AsType[*LaterError](err); ok {
		r.forget(t) // the far end refused it: nothing was posted
		wait := r.refused(laneOf(req, e), max(later.After, time.Millisecond))
		log.Info("slack asks to wait", "effect", string(e.Kind), "wait", wait)
		return wait
	}
	if dead, ok := errors.AsType[*UndeliverableError](err); ok {
		log.Error("a message cannot be delivered", "effect", string(e.Kind), "about", string(e.About), "error", dead.Err)
		return r.settled(t, r.do(ctx, log, t, Command{Verb: GiveUp, Via: "slack", Effect: e.ID, Note: dead.Error()}))
	}
	if ctx.Err() != nil {
		return 0
	}
	wait := backoff(e.Tries)
	log.Warn("slack did not take a message; it is tried again", "effect", string(e.Kind), "wait", wait, "error", err)
	return r.settled(t, r.do(ctx, log, t, Command{Verb: PutOff, Effect: e.ID, Until: r.o.Engine.Now().Add(wait)}))
}

// settled forgets a try whose end is stored: the effect itself tells of it, or is no longer owed.
func (r *Runner) settled(t task, wait time.Duration) time.Duration {
	if wait == 0 {
		r.forget(t)
	}
	return wait
}

// record stores a delivery, and keeps trying: a message whose delivery is forgotten would be posted again.
func (r *Runner) record(ctx context.Context, log *slog.Logger, t task, c Command) time.Duration {
	for tries := 0; ; tries++ {
		wait := r.do(ctx, log, t, c)
		if wait == 0 || ctx.Err() != nil {
			return wait
		}
		sleep(ctx, backoff(tries))
	}
}
