package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Extend asks anew for a timed membership that request n gave or has extended, for d from when it is approved: a request
// of its own, under the rule that applies to it now. Once it is done, the request that would have ended the membership
// waits until then. Its errors are those of Submit.
func (e *Engine) Extend(ctx context.Context, n Number, d time.Duration, sub Submission) ([]Request, error) {
	if ref := e.Policy().Vet(sub.Actor); ref != nil {
		return nil, ref
	}
	r, err := e.Load(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return nil, Refuse(NotFound, n.String())
	}
	if err != nil {
		return nil, fmt.Errorf("load request %v: %w", n, err)
	}
	given := r
	for given.State == Done && given.Child == 0 && given.Extends != 0 {
		if given, err = e.Load(ctx, given.Extends); err != nil {
			return nil, fmt.Errorf("load request %v: %w", n, err)
		}
	}
	if given.State != Done || given.Child == 0 || given.Change.Limit == 0 {
		ref := Refuse(NotTimed)
		ref.Request = &r
		return nil, ref
	}
	change := given.Change
	change.Limit = d
	return e.store(ctx, sub, []Change{change}, given.Number)
}

// postpone moves the end of a timed membership.
func postpone(s *step) *Refusal {
	e := s.call()
	if e == nil || s.r.Parent == 0 || len(s.r.Decisions) > 0 {
		return Refuse(WrongState, string(s.r.State))
	}
	s.turn(Approved, s.c.Note)
	s.dropWarnings()
	s.owe(CallEffect, s.c.Until)
	s.owe(CardEffect, s.now)
	s.warnBefore(s.c.Until)
	return nil
}

func (s *step) call() *Effect {
	for i := range s.r.Effects {
		if s.r.Effects[i].Kind == CallEffect {
			return &s.r.Effects[i]
		}
	}
	return nil
}

// postponed is the write that moves the end of the membership which request r extends; none if it has ended meanwhile.
func (e *Engine) postponed(ctx context.Context, r Request, now time.Time) (*Write, error) {
	parent, err := e.Load(ctx, r.Extends)
	if err != nil {
		return nil, fmt.Errorf("load request %v: %w", r.Extends, err)
	}
	end, rev, err := e.o.Store.Load(ctx, parent.Child)
	if err != nil {
		return nil, fmt.Errorf("load request %v: %w", parent.Child, err)
	}
	return e.along(end, rev, Command{
		Verb: Postpone, Via: "provider", Until: now.Add(r.Change.Limit), Note: "extended by #" + r.Number.String(),
	}, now)
}

// along is the write of a command that another request's commit brings along; none if it is refused.
func (e *Engine) along(r Request, rev Revision, c Command, now time.Time) (*Write, error) {
	t, err := Apply(r, c, e.Policy(), now)
	if _, refused := errors.AsType[*Refusal](err); refused {
		return nil, nil //nolint:nilnil // it has moved on: there is nothing to do
	}
	if err != nil {
		return nil, err
	}
	e.leases.stamp(r, &t.Request, c, now)
	return &Write{Request: t.Request, Revision: rev, Entries: []Entry{*t.Entry}}, nil
}
