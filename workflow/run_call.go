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
	// lookEvery is how long at most between two looks at an unclear outcome, lookLast how long before the end of the
	// window the last one begins, and maxLooks how many there are, should the clock be set back meanwhile.
	lookEvery = 4 * time.Second
	lookLast  = 2 * time.Second
	maxLooks  = 30
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
	gone := Outcome{Verdict: Refused, Fault: &Fault{
		Class: ClassRefused, Text: "the system " + req.Change.System + " is no longer configured",
	}}
	switch {
	case req.State == Executing && req.Attempt.begun():
		return r.do(ctx, log, t, Command{Verb: Lose, Via: "restart"})
	case req.State == Unknown && !ok:
		return r.do(ctx, log, t, Command{Verb: Ask, Via: "provider", Outcome: gone})
	case !ok:
		return r.do(ctx, log, t, Command{Verb: Fail, Via: "provider", Outcome: gone})
	case req.State == Unknown:
		return r.settle(ctx, log, sys, req, e)
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
	if other, err := r.unsettled(ctx, req); err != nil || other != 0 {
		log.Info("a call waits for another of the same membership", "other", uint64(other), "error", err)
		r.soon(lookEvery)
		return 0
	}
	m, err := r.read(ctx, sys, req, readTimeout)
	if err != nil {
		return r.unread(ctx, log, t, e, err)
	}
	failed := Command{Verb: Fail, Via: "provider", Membership: m, Outcome: Outcome{Verdict: Refused, Fault: m.Why}}
	switch {
	case m.Fit == Satisfied:
		// After an earlier call whose outcome was never learned, it may be that call's doing.
		doubt := req.Attempt != nil
		return r.do(ctx, log, t, Command{Verb: Succeed, Via: "provider", Already: !doubt, ReadBack: doubt, Membership: m})
	case m.Fit == Impossible:
		return r.do(ctx, log, t, failed)
	case req.drifted(m) && len(req.Decisions) == 0:
		// A clock that was set for one grant never ends another. Where that one ends too, what it was laid over comes back.
		if until, newer := r.newerEnd(ctx, req); newer != 0 {
			return r.do(ctx, log, t, Command{Verb: Postpone, Via: "provider", Until: until, Note: "waits for #" + newer.String()})
		}
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
	m, err := r.read(ctx, sys, req, readTimeout)
	if ctx.Err() != nil {
		return 0
	}
	c := Command{Verb: Planned, Via: "provider", Effect: e.ID, Membership: m}
	if err != nil {
		c.Membership, c.Outcome.Fault = Membership{}, faultOf(err)
	}
	if c.Membership.Fit == Satisfied {
		if c.Clock, err = r.o.Engine.clock(ctx, req); err != nil {
			log.Warn("what a request would do to a time limit could not be read", "error", err)
		}
	}
	return r.do(ctx, log, t, c)
}

// unsettled returns another request whose call on the same membership was begun and has no known outcome, or nought. One
// that a person was asked about holds up nobody.
func (r *Runner) unsettled(ctx context.Context, req Request) (Number, error) {
	q := Query{States: []State{Executing, Unknown}, Limit: scanPage}
	for {
		page, err := r.o.Engine.List(ctx, q)
		if err != nil {
			return 0, err
		}
		for _, o := range page {
			if o.Number != req.Number && o.Change.Key() == req.Change.Key() && o.Attempt.begun() && !o.Asked() {
				return o.Number, nil
			}
			q.Before = o.Number
		}
		if len(page) < q.Limit {
			return 0, nil
		}
	}
}

func (r *Runner) read(ctx context.Context, sys System, req Request, limit time.Duration) (Membership, error) {
	rctx, cancel := context.WithTimeout(ctx, limit)
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
	if r.live.Err() != nil {
		return 0 // nothing more is begun; the next start makes the call
	}
	r.o.Step("before_begin", req.Number)
	r.sent(req.Number, sys.limit()+GatewayQuiet)
	req, err := r.o.Engine.Do(context.WithoutCancel(ctx), req.Number, Command{
		Verb: Begin, Via: "provider", Effect: e.ID, Membership: m, Hold: r.callHold(t, sys.limit()),
	})
	if err != nil {
		if ref, ok := errors.AsType[*Refusal](err); ok {
			log.Debug("a call was overtaken", "kind", string(ref.Kind))
			return 0
		}
		if errors.Is(err, ErrOccupied) { // since it was looked for in start
			log.Info("a call waits for another of the same membership", "error", err)
			r.soon(lookEvery)
			return 0
		}
		log.Error("the begin of a call could not be stored, nothing was called", "error", err)
		return firstBackoff
	}
	if !r.renewed(req, t, sys.limit()) {
		return r.do(ctx, log, t, Command{Verb: Lose, Via: "lease"}) // another replica may settle it already
	}
	if c, ok := r.outdated(ctx, sys, req, m); ok {
		return r.record(ctx, log, t, c)
	}
	r.o.Step("before_call", req.Number)
	cctx, cancel := context.WithTimeout(ctx, r.within(t, sys.limit()))
	out := apply(cctx, sys, req.Change, m)
	cancel()
	r.o.Step("after_call", req.Number)
	return r.record(ctx, log, t, r.learned(ctx, sys, req, out))
}

// outdated reads the membership once more where there are other replicas: one of them may have changed it between the
// read and the begin, from which on nobody else does. If so, it returns what that means; nothing was called.
func (r *Runner) outdated(ctx context.Context, sys System, req Request, m Membership) (Command, bool) {
	if r.o.Engine.leases.replica == "" {
		return Command{}, false // requests on one membership wait in one lane
	}
	now, err := r.read(ctx, sys, req, leaseFor-leaseNeed)
	fault := &Fault{Class: ClassState, Text: "the membership has changed since it was read; nothing was called"}
	switch {
	case err == nil && now.State == m.State:
		return Command{}, false
	case err == nil && now.Fit == Satisfied && !now.Blind:
		return Command{Verb: Succeed, Via: "provider", Already: true, Membership: now}, true
	case err != nil:
		if fault = faultOf(err); !mayPass(fault.Class) {
			return Command{Verb: Fail, Via: "provider", Outcome: Outcome{Verdict: Refused, Fault: fault}}, true
		}
	}
	out := Outcome{Verdict: Refused, Fault: fault}
	if req.Streak >= maxStreak {
		return Command{Verb: Fail, Via: "provider", Outcome: out}, true
	}
	return Command{Verb: Again, Via: "provider", Outcome: out, Until: r.o.Engine.Now().Add(comeBack)}, true
}

// sent remembers for d that a call of a request may still reach the membership, by a clock that nobody can set.
func (r *Runner) sent(n Number, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := r.o.Engine.leases.elapsed() + d; until > r.loud[n] {
		r.loud[n] = until
	}
}

// quiet reports whether no call of a request that this process made can still be under way.
func (r *Runner) quiet(n Number) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.o.Engine.leases.elapsed() >= r.loud[n]
}

// apply makes the call. A provider that panics leaves open what was sent.
func apply(ctx context.Context, sys System, c Change, m Membership) (out Outcome) {
	defer func() {
		if v := recover(); v != nil {
			out = Outcome{Verdict: Unclear, Fault: &Fault{Class: ClassUnclear, Text: "the call was broken off by a fault of Countersign itself"}}
		}
	}()
	return sys.Provider.Apply(ctx, c, m)
}

// learned turns the outcome of a call into a command. An unclear one is looked up at once: most are settled before
// anybody sees them. So is a refusal for the membership's state, which may be that somebody else has just made it so.
func (r *Runner) learned(ctx context.Context, sys System, req Request, out Outcome) Command {
	if out.Verdict == Applied {
		return Command{Verb: Succeed, Via: "provider", Outcome: out}
	}
	if out.Verdict == Unclear || out.Fault != nil && out.Fault.Class == ClassState {
		if m, err := r.read(ctx, sys, req, readTimeout); err == nil && m.Fit == Satisfied && !m.Blind {
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
	att := req.Attempt
	left := att.Settle.Sub(r.o.Engine.Now())
	m, err := r.read(ctx, sys, req, min(max(left, lookLast), readTimeout))
	if ctx.Err() != nil {
		return 0
	}
	now := r.o.Engine.Now() // the read may have taken a while
	last, quiet := att.Settle.Add(-lookLast), att.Begun.Add(sys.limit()+GatewayQuiet)
	over := !now.Before(last) || e.Tries >= maxLooks
	look := Command{Verb: PutOff, Effect: e.ID, Until: earlier(now.Add(min(backoff(e.Tries), lookEvery)), last)}
	switch {
	case err != nil && over:
		return r.do(ctx, log, t, Command{Verb: Ask, Via: "provider", Outcome: Outcome{Fault: faultOf(err)}})
	case err != nil:
		log.Warn("an unclear outcome could not be looked up yet", "error", err)
		return r.do(ctx, log, t, look)
	case m.Fit == Satisfied && !m.Blind:
		return r.do(ctx, log, t, Command{Verb: Succeed, Via: "provider", ReadBack: true, Membership: m})
	case m.Blind || m.Fit == Impossible || m.State != att.Before.State:
		// Neither as wanted nor as it was: somebody else has changed it, or no read can tell.
		return r.do(ctx, log, t, Command{Verb: Ask, Via: "provider", Membership: m})
	case !now.Before(quiet) && r.quiet(req.Number) && att.MayRepeat(m, now):
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
