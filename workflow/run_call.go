package workflow

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	readTimeout = 20 * time.Second
	// readTries bounds how often the membership is read in vain before a call that was not begun.
	readTries = 5
	// comeBack is how long the bot waits before it calls a busy vendor once more; it quadruples.
	comeBack = 2 * time.Second
)

// call carries out a request's change, or settles a call that was begun.
//
//	approved, or executing and not begun -> read -> begin (stored) -> one call -> outcome (stored)
//	executing and begun                  -> the process died during the call: unclear
//	unknown                              -> read: applied, not applied, or ask a person
func (r *Runner) call(ctx context.Context, log *slog.Logger, req Request, e Effect) time.Duration {
	t := task{req.Number, e.ID}
	sys, ok := r.o.Engine.System(req.Change.System)
	if !ok {
		fault := &Fault{Class: ClassRefused, Text: "the system " + req.Change.System + " is no longer configured"}
		return r.do(ctx, log, t, Command{Verb: Fail, Via: "provider", Outcome: Outcome{Verdict: Refused, Fault: fault}})
	}
	begun := req.Attempt != nil && !req.Attempt.Begun.IsZero()
	switch {
	case req.State == Unknown:
		return r.settle(ctx, log, sys, req, e)
	case req.State == Executing && begun:
		return r.do(ctx, log, t, Command{Verb: Lose, Via: "restart"})
	case req.State == Approved || req.State == Executing:
		return r.start(ctx, log, sys, req, e)
	default:
		log.Error("a call is owed in a state that owes none", "state", string(req.State))
		return r.do(ctx, log, t, Command{Verb: GiveUp, Effect: e.ID, Note: "the state owes no call"})
	}
}

// start reads the membership and, if a call is needed, makes it.
func (r *Runner) start(ctx context.Context, log *slog.Logger, sys System, req Request, e Effect) time.Duration {
	t := task{req.Number, e.ID}
	m, err := r.read(ctx, sys, req)
	if err != nil {
		return r.unread(ctx, log, t, e, err)
	}
	failed := Command{Verb: Fail, Via: "provider", Membership: m, Outcome: Outcome{Verdict: Refused, Fault: m.Why}}
	switch {
	case m.Fit == Satisfied:
		return r.do(ctx, log, t, Command{Verb: Succeed, Via: "provider", Already: true, Membership: m})
	case m.Fit == Impossible:
		return r.do(ctx, log, t, failed)
	case req.drifted(m) && req.Parent != 0:
		// A clock that was set for one grant never ends another.
		failed.Outcome.Fault = &Fault{Class: ClassState, Text: "the membership has changed since #" + req.Parent.String() + " gave it, so nothing was done"}
		return r.do(ctx, log, t, failed)
	case req.drifted(m):
		return r.do(ctx, log, t, Command{Verb: Drifted, Via: "provider", Membership: m})
	default:
		return r.dispatch(ctx, log, sys, req, e, m)
	}
}

// plan reads the present membership for the card of a request that was just made.
func (r *Runner) plan(ctx context.Context, log *slog.Logger, req Request, e Effect) time.Duration {
	t := task{req.Number, e.ID}
	sys, ok := r.o.Engine.System(req.Change.System)
	if !ok || req.State != Pending {
		return r.do(ctx, log, t, Command{Verb: GiveUp, Effect: e.ID, Note: "there is nothing to plan"})
	}
	m, err := r.read(ctx, sys, req)
	if ctx.Err() != nil {
		return 0
	}
	c := Command{Verb: Planned, Via: "provider", Effect: e.ID, Membership: m}
	if err != nil {
		c.Membership, c.Outcome.Fault = Membership{}, faultOf(err)
	}
	return r.do(ctx, log, t, c)
}

func (r *Runner) read(ctx context.Context, sys System, req Request) (Membership, error) {
	rctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return sys.Provider.Read(rctx, req.Change)
}

// unread handles a membership that could not be read before any call: what may pass is tried again, the rest fails.
func (r *Runner) unread(ctx context.Context, log *slog.Logger, t task, e Effect, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	fault := faultOf(err)
	if e.Tries < readTries && mayPass(fault.Class) {
		wait := backoff(e.Tries)
		log.Warn("the membership could not be read; it is tried again", "class", string(fault.Class), "wait", wait, "error", err)
		return r.do(ctx, log, t, Command{Verb: PutOff, Effect: e.ID, Until: r.o.Engine.Now().Add(wait)})
	}
	return r.do(ctx, log, t, Command{Verb: Fail, Via: "provider", Outcome: Outcome{Verdict: Refused, Fault: fault}})
}

// mayPass reports whether a read that met such a fault may succeed a little later.
func mayPass(c Class) bool {
	switch c {
	case ClassThrottled, ClassVendor, ClassUnclear:
		return true
	default:
		return false
	}
}

func faultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Class: ClassUnclear, Text: err.Error()}
}

// dispatch records that the call begins, makes it once, and records what became of it.
func (r *Runner) dispatch(ctx context.Context, log *slog.Logger, sys System, req Request, e Effect, m Membership) time.Duration {
	t := task{req.Number, e.ID}
	r.o.Step("before_begin", req.Number)
	req, err := r.o.Engine.Do(context.WithoutCancel(ctx), req.Number, Command{Verb: Begin, Via: "provider", Membership: m})
	if err != nil {
		if ref, ok := errors.AsType[*Refusal](err); ok {
			log.Debug("a call was overtaken", "kind", string(ref.Kind))
			return 0
		}
		log.Error("the begin of a call could not be stored, nothing was called", "error", err)
		return firstBackoff
	}
	r.o.Step("before_call", req.Number)
	cctx, cancel := context.WithTimeout(ctx, sys.limit())
	out := sys.Provider.Apply(cctx, req.Change, m)
	cancel()
	r.o.Step("after_call", req.Number)
	return r.record(ctx, log, t, r.learned(ctx, sys, req, out))
}

// learned turns the outcome of a call into a command. An unclear one is looked up at once: most are settled before
// anybody sees them. So is a refusal for the membership's state, which may be that somebody else has just made it so.
func (r *Runner) learned(ctx context.Context, sys System, req Request, out Outcome) Command {
	if out.Verdict == Applied {
		return Command{Verb: Succeed, Via: "provider", Outcome: out}
	}
	if out.Verdict == Unclear || out.Fault != nil && out.Fault.Class == ClassState {
		if m, err := r.read(ctx, sys, req); err == nil && m.Fit == Satisfied && !m.Blind {
			return Command{Verb: Succeed, Via: "provider", Outcome: out, ReadBack: true, Membership: m}
		}
	}
	if out.Verdict == Refused && req.MayComeBack(out.Fault) {
		until := r.o.Engine.Now().Add(comeBack << (2 * max(req.Streak-1, 0)))
		return Command{Verb: Again, Via: "provider", Outcome: out, Until: until}
	}
	if out.Verdict == Refused {
		return Command{Verb: Fail, Via: "provider", Outcome: out}
	}
	return Command{Verb: Lose, Via: "provider", Outcome: out}
}

// settle looks up what became of a call whose outcome is unclear.
func (r *Runner) settle(ctx context.Context, log *slog.Logger, sys System, req Request, e Effect) time.Duration {
	t := task{req.Number, e.ID}
	now := r.o.Engine.Now()
	over := !now.Before(req.Attempt.Settle)
	m, err := r.read(ctx, sys, req)
	if ctx.Err() != nil {
		return 0
	}
	quiet := req.Attempt.Begun.Add(sys.limit() + GatewayQuiet)
	look := Command{Verb: PutOff, Effect: e.ID, Until: earlier(now.Add(backoff(e.Tries)), req.Attempt.Settle)}
	switch {
	case err != nil && over:
		return r.do(ctx, log, t, Command{Verb: Ask, Via: "provider", Outcome: Outcome{Fault: faultOf(err)}})
	case err != nil:
		log.Warn("an unclear outcome could not be looked up yet", "error", err)
		return r.do(ctx, log, t, look)
	case m.Fit == Satisfied && !m.Blind:
		return r.do(ctx, log, t, Command{Verb: Succeed, Via: "provider", ReadBack: true, Membership: m})
	case m.Blind || m.State != req.Attempt.Before.State:
		// Neither as wanted nor as it was: somebody else has changed it, or no read can tell.
		return r.do(ctx, log, t, Command{Verb: Ask, Via: "provider", Membership: m})
	case !now.Before(quiet) && req.Attempt.MayRepeat(m, now):
		return r.dispatch(ctx, log, sys, req, e, m)
	case over:
		return r.do(ctx, log, t, Command{Verb: Ask, Via: "provider", Membership: m})
	default:
		if now.Before(quiet) {
			look.Until = earlier(look.Until, quiet)
		}
		return r.do(ctx, log, t, look)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
