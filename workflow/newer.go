package workflow

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// clocks are the writes by which a request that has just ended well moves, or lifts, the time limits of others. What that
// does to a membership that was already as wanted is noted in its result.
func (e *Engine) clocks(ctx context.Context, r Request, now time.Time) ([]Write, error) {
	var writes []Write
	if r.Extends != 0 {
		end, err := e.postponed(ctx, r, now)
		if err != nil {
			return nil, err
		}
		if end != nil {
			writes = append(writes, *end)
		}
	}
	older, err := e.olderClocks(ctx, r, now)
	writes = append(writes, older...)
	for _, w := range writes {
		switch call := (&step{r: w.Request}).call(); {
		case !r.Result.Already:
		case call != nil:
			r.Result.Clock, r.Result.Until = Moved, call.Due
		case r.Change.Limit == 0:
			r.Result.Clock = Lifted
		}
	}
	return writes, err
}

// clock is what a request whose membership is already as wanted would do to a time limit if it were approved now.
func (e *Engine) clock(ctx context.Context, r Request) (Clock, error) {
	r.Result = &Result{Already: true}
	_, err := e.clocks(ctx, r, e.o.Now())
	return r.Result.Clock, err
}

// olderClocks are the writes by which a grant that has just ended well keeps the time limits of older grants of the same
// membership from ending it. What only brings back what was before, an undo or an end, gives nothing new.
func (e *Engine) olderClocks(ctx context.Context, r Request, now time.Time) ([]Write, error) {
	if !r.Change.Action.gives() || r.Extends != 0 || r.Parent != 0 {
		return nil, nil
	}
	var writes []Write
	q := Query{States: []State{Approved}, Limit: scanPage}
	for {
		page, err := e.o.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list time limits: %w", err)
		}
		for _, o := range page { // the newest first
			q.Before = o.Number
			if o.Change.Key() != r.Change.Key() || !o.endsLimit() || o.Number == r.Child {
				continue
			}
			end, rev, err := e.o.Store.Load(ctx, o.Number)
			if err != nil {
				return nil, fmt.Errorf("load request %v: %w", o.Number, err)
			}
			c, on := outlived(r, end, now)
			if c.Verb != "" {
				w, err := e.along(end, rev, c, now)
				if err != nil {
					return nil, err
				}
				if w != nil {
					writes = append(writes, *w)
				}
			}
			if on { // and so do those that it was laid over
				return writes, nil
			}
		}
		if len(page) < q.Limit {
			return writes, nil
		}
	}
}

// endsLimit reports whether a request is the end of a time limit, and still to come.
func (r Request) endsLimit() bool {
	return r.Parent != 0 && len(r.Decisions) == 0 && (&step{r: r}).call() != nil
}

// outlived judges what becomes of the end of an older grant when request r has given the membership. It is stopped where
// r gives for good, or where what it would end was gone before r gave it anew; it goes on, but later, where r found the
// membership as it wanted it, and gives it for longer. Where r was laid over what the older one gave, for a time, it just
// goes on: r's own end brings that back.
func outlived(r, end Request, now time.Time) (c Command, on bool) {
	already := r.Result != nil && r.Result.Already
	gone := false
	switch before := r.Attempt; {
	case end.Change.Action == DropRole:
		given := without(end.Change.Roles, without(end.Change.Roles, r.Change.Roles))
		if len(given) == 0 {
			return Command{}, false // it is about other roles
		}
		gone = !already && before != nil && !slices.ContainsFunc(given, func(g RoleRef) bool { return slices.Contains(before.Before.Roles, g.ID) })
	case !already && before != nil:
		gone = end.drifted(before.Before)
	}
	switch until := now.Add(r.Change.Limit); {
	case r.Change.Limit == 0 || gone:
		return Command{Verb: Fail, Via: "provider", Outcome: Outcome{Verdict: Refused, Fault: &Fault{
			Class: ClassState, Text: "#" + r.Number.String() + " has given this membership anew since, so it is not ended by the time limit of #" + end.Parent.String(),
		}}}, false
	case already && until.After((&step{r: end}).call().Due):
		return Command{Verb: Postpone, Via: "provider", Until: until, Note: "given for longer by #" + r.Number.String()}, true
	default:
		return Command{}, true
	}
}

// newerEnd is the end of a newer grant of the same membership that is still to come, and when it has passed; nought where
// there is none. An older end never makes a newer one wait, so no two wait for each other.
func (r *Runner) newerEnd(ctx context.Context, req Request) (time.Time, Number) {
	q := Query{States: []State{Approved}, Limit: scanPage}
	for {
		page, err := r.o.Engine.List(ctx, q)
		if err != nil {
			return time.Time{}, 0
		}
		for _, o := range page {
			q.Before = o.Number
			if o.Number <= req.Number {
				return time.Time{}, 0
			}
			if o.endsLimit() && o.Change.Key() == req.Change.Key() {
				return later((&step{r: o}).call().Due, r.o.Engine.Now()).Add(time.Second), o.Number
			}
		}
		if len(page) < q.Limit {
			return time.Time{}, 0
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
