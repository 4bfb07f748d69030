package workflow

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// leaseFor is how long a replica has for one try at an effect: longer than any takes.
	leaseFor = 40 * time.Second
	// leaseNeed is what must be left of a lease when a try begins, leaseSpare what must be left of it at the try's end:
	// a stored word on how it went takes no longer.
	leaseNeed  = 32 * time.Second
	leaseSpare = 2 * time.Second
	// leaseSlack is how much longer than its time other replicas leave a lease alone.
	leaseSlack = 3 * time.Second
	// wakePause gathers what other replicas commit in one scan.
	wakePause = time.Second
	// leaseMemory is how long a lease that was seen is remembered at least.
	leaseMemory = 10 * time.Minute
)

// Lease says which replica carries out an effect. One process alone grants none.
//
// An effect is born with a lease of the replica whose commit owes it: where all goes well a lease costs no commit. Other
// replicas leave the effect alone while the lease lasts, then one of them takes it, by a commit at the revision that it
// read. Whoever has lost its lease can store nothing about the effect: its commands name owner and epoch (Hold).
//
// No two clocks are compared. The owner counts the lease from before the commit that granted it, everybody else from when
// they first saw it; both by a clock that nobody can set.
type Lease struct {
	Owner string `json:"owner"`
	// Epoch counts the owners. What an owner of a later epoch finds may have been done already.
	Epoch int `json:"epoch"`
	// At tells a lease from the one before it.
	At  time.Time     `json:"at"`
	For time.Duration `json:"for"`
}

func (l Lease) equal(o Lease) bool {
	return l.Owner == o.Owner && l.Epoch == o.Epoch && l.At.Equal(o.At)
}

// Hold is what a command of the runner relies on: that an effect is still leased as it was.
type Hold struct {
	Effect uint64
	Owner  string
	Epoch  int
	// For, if set, renews the lease with the command.
	For time.Duration
}

// leased reports whether an effect of a kind is carried out under a lease. Those that only commit need none: of several
// replicas one commit is stored, and the others find the effect gone.
func leased(k EffectKind) bool {
	switch k {
	case PlanEffect, CallEffect, CardEffect, ThreadEffect, DirectEffect:
		return true
	default:
		return false
	}
}

// leases is a replica's own part in the leases: who it is, and when it was granted what.
type leases struct {
	replica string
	elapsed func() time.Duration

	mu     sync.Mutex
	grants map[int64]time.Duration // by Lease.At
}

func newLeases(replica string, elapsed func() time.Duration, now func() time.Time) *leases {
	if elapsed == nil {
		start := now()
		elapsed = func() time.Duration { return now().Sub(start) }
	}
	return &leases{replica: replica, elapsed: elapsed, grants: map[int64]time.Duration{}}
}

// grant is a new lease of this replica, counted from now: before its commit.
func (l *leases) grant(epoch int, at time.Time, d time.Duration) Lease {
	now := l.elapsed()
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, since := range l.grants {
		if now-since > leaseMemory {
			delete(l.grants, at)
		}
	}
	if _, ok := l.grants[at.UnixNano()]; !ok { // the clock may have been set back: then it counts from the earlier one
		l.grants[at.UnixNano()] = now
	}
	return Lease{Owner: l.replica, Epoch: epoch, At: at, For: d}
}

// left is how much is left of a lease of this replica.
func (l *leases) left(lease Lease) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	since, ok := l.grants[lease.At.UnixNano()]
	if !ok || lease.Owner != l.replica {
		return 0
	}
	return lease.For - (l.elapsed() - since)
}

// stamp gives the effects that a commit of this replica newly owes their leases. One that takes the place of an effect
// that another replica may be about goes to that one: two never edit a card, or post to a thread, side by side.
func (l *leases) stamp(before Request, after *Request, c Command, now time.Time) {
	if l.replica == "" {
		return
	}
	for i := range after.Effects {
		e := &after.Effects[i]
		switch {
		case c.Hold != nil && c.Hold.For > 0 && e.ID == c.Hold.Effect:
			e.Lease = l.grant(e.Lease.Epoch, now, c.Hold.For)
		case !leased(e.Kind) || e.Lease.Owner != "" || e.Due.Sub(now) > leaseFor/2:
			// One that falls due later belongs to whoever is there then.
		default:
			e.Lease = l.grant(1, now, leaseFor)
			for _, old := range before.Effects {
				if old.Kind == e.Kind && e.Kind != CallEffect && old.Lease.Owner != "" && old.Lease.Owner != l.replica {
					e.Lease = old.Lease
				}
			}
		}
	}
}

// fenced refuses a command of a replica that has lost the effect it speaks of. A card that was edited meanwhile is a
// matter of its own: whatever it shows now, its replica must be heard, so that it is put right.
func fenced(r Request, c Command) *Refusal {
	if c.Hold == nil {
		return nil
	}
	e, owed := r.Effect(c.Hold.Effect)
	switch {
	case owed && e.Lease.Owner == c.Hold.Owner && e.Lease.Epoch == c.Hold.Epoch:
		return nil
	case c.Verb == Shown && r.Card.TS == c.Card.TS:
		return nil
	case c.Verb == Shown && r.Card.TS == "" && !owed && r.cardIsOf(c.Hold):
		return nil
	}
	ref := Refuse(WrongState, string(r.State))
	ref.Request = &r
	return ref
}

// cardIsOf reports whether nobody but h may be posting the card that is owed by now.
func (r Request) cardIsOf(h *Hold) bool {
	return !slices.ContainsFunc(r.Effects, func(e Effect) bool {
		return e.Kind == CardEffect && (e.Lease.Owner != h.Owner || e.Lease.Epoch != h.Epoch)
	})
}

// hold takes the lease of an effect, if it still is what was read, and returns the request with it.
func (e *Engine) hold(ctx context.Context, n Number, id uint64, was Lease) (Request, bool, error) {
	r, rev, err := e.o.Store.Load(ctx, n)
	if err != nil {
		return r, false, err
	}
	now := e.o.Now()
	r = clone(r)
	for i := range r.Effects {
		eff := &r.Effects[i]
		if eff.ID != id || !eff.Lease.equal(was) {
			continue
		}
		epoch := was.Epoch
		if was.Owner != e.leases.replica {
			epoch = max(epoch, 1) + 1 // also one that had no owner may have been tried
		}
		eff.Lease = e.leases.grant(epoch, now, leaseFor)
		_, err := e.o.Store.Commit(ctx, Commit{At: now, Writes: []Write{{Request: r, Revision: rev}}})
		if errors.Is(err, ErrConflict) {
			return r, false, nil
		}
		return r, err == nil, err
	}
	return r, false, nil
}

// sighting is when this replica first saw a lease of another one.
type sighting struct {
	lease Lease
	at    time.Duration
}

// holding carries out an effect under a lease, or leaves it to the replica that has it.
func (r *Runner) holding(ctx context.Context, log *slog.Logger, req Request, e Effect,
	f func(context.Context, *slog.Logger, Request, Effect) time.Duration,
) time.Duration {
	ls := r.o.Engine.leases
	if ls.replica == "" {
		return f(ctx, log, req, e)
	}
	t := task{req.Number, e.ID}
	if e.Lease.Owner != ls.replica && e.Lease.Owner != "" {
		if left := r.othersLeft(t, e.Lease); left > 0 {
			r.soon(left)
			return 0
		}
		log.Info("an effect is taken over from another replica", "effect", string(e.Kind), "owner", e.Lease.Owner)
	}
	if ls.left(e.Lease) < leaseNeed {
		held, ok, err := r.o.Engine.hold(context.WithoutCancel(ctx), t.number, t.effect, e.Lease)
		if err != nil {
			log.Error("an effect could not be claimed", "effect", string(e.Kind), "error", err)
			return firstBackoff
		}
		if !ok {
			r.soon(firstBackoff) // it has changed hands or moved on
			return 0
		}
		req = held
		e, _ = held.Effect(t.effect)
	}
	r.mu.Lock()
	r.holds[t] = e.Lease
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.holds, t)
	}()
	return f(ctx, log, req, e)
}

// othersLeft is how long the lease of another replica is still to be left alone.
func (r *Runner) othersLeft(t task, lease Lease) time.Duration {
	now := r.o.Engine.leases.elapsed()
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, s := range r.sightings {
		if now-s.at > max(leaseMemory, 2*s.lease.For) {
			delete(r.sightings, t)
		}
	}
	s, ok := r.sightings[t]
	if !ok || !s.lease.equal(lease) {
		s = sighting{lease, now}
		r.sightings[t] = s
	}
	return s.at + lease.For + leaseSlack - now
}

// holdOf is what a command about a task relies on; nil where there are no leases.
func (r *Runner) holdOf(t task) *Hold {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.holds[t]
	if !ok {
		return nil
	}
	return &Hold{Effect: t.effect, Owner: l.Owner, Epoch: l.Epoch}
}

// callHold renews the lease for a call and for a look at what became of it.
func (r *Runner) callHold(t task, limit time.Duration) *Hold {
	h := r.holdOf(t)
	if h != nil {
		h.For = limit + readTimeout + leaseFor - leaseNeed
	}
	return h
}

// renewed notes the lease that a call has since its begin was stored. It reports whether that still lasts: to store it may
// have taken long.
func (r *Runner) renewed(req Request, t task, limit time.Duration) bool {
	ls := r.o.Engine.leases
	if ls.replica == "" {
		return true
	}
	e, ok := req.Effect(t.effect)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds[t] = e.Lease
	return ls.left(e.Lease) >= limit+leaseSpare
}

// within is how long a try may take: no longer than its lease lasts, even where the process stood still meanwhile.
func (r *Runner) within(t task, limit time.Duration) time.Duration {
	ls := r.o.Engine.leases
	if ls.replica == "" {
		return limit
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(limit, ls.left(r.holds[t])-leaseSpare)
}

// Wake has the store scanned soon: another replica has committed.
func (r *Runner) Wake() { r.soon(wakePause) }
