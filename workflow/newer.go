package workflow

import (
	"context"
	"fmt"
	"slices"
	"time"
)

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
		for _, c := range page {
			q.Before = c.Number
			if c.Change.Key() != r.Change.Key() || c.Parent == 0 || c.Number == r.Child {
				continue
			}
			w, err := e.outlive(ctx, c.Number, r, now)
			if err != nil {
				return nil, err
			}
			if w != nil {
				writes = append(writes, *w)
			}
		}
		if len(page) < q.Limit {
			return writes, nil
		}
	}
}

// outlive is the write that stops or puts off the end n of an older grant, if r is to outlive it.
func (e *Engine) outlive(ctx context.Context, n Number, r Request, now time.Time) (*Write, error) {
	end, rev, err := e.o.Store.Load(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("load request %v: %w", n, err)
	}
	c, ok := outlived(r, end, now)
	if !ok {
		return nil, nil //nolint:nilnil // both go on
	}
	return e.along(end, rev, c, now)
}

// outlived judges what becomes of the end of an older grant when request r has given the membership: it is stopped where
// r gives for good, or where what it would end was gone before r gave it anew; it is put off where r found the membership
// as it wanted it, and gives it for longer. Where r has changed, for a time, what the older one gave, both go on: r's own
// end brings that back.
func outlived(r, end Request, now time.Time) (Command, bool) {
	call := (&step{r: end}).call()
	if call == nil || len(end.Decisions) > 0 {
		return Command{}, false
	}
	already := r.Result != nil && r.Result.Already
	gone := false
	switch before := r.Attempt; {
	case end.Change.Action == DropRole:
		given := without(end.Change.Roles, without(end.Change.Roles, r.Change.Roles))
		if len(given) == 0 {
			return Command{}, false
		}
		gone = !already && before != nil && !slices.ContainsFunc(given, func(g RoleRef) bool { return slices.Contains(before.Before.Roles, g.ID) })
	case !already && before != nil:
		gone = end.drifted(before.Before)
	}
	switch until := now.Add(r.Change.Limit); {
	case r.Change.Limit == 0 || gone:
		return Command{Verb: Fail, Via: "provider", Outcome: Outcome{Verdict: Refused, Fault: &Fault{
			Class: ClassState, Text: "#" + r.Number.String() + " has given this membership anew since, so it is not ended by the time limit of #" + end.Parent.String(),
		}}}, true
	case already && until.After(call.Due):
		return Command{Verb: Postpone, Via: "provider", Until: until, Note: "given for longer by #" + r.Number.String()}, true
	default:
		return Command{}, false
	}
}
