package app

import (
	"context"

	"countersign/workflow"
)

// stepped is the store, with a named point before and after each commit where Step is set.
func (a *App) stepped() workflow.Store {
	if a.o.Step == nil {
		return a.store
	}
	return steppedStore{Store: a.store, step: a.o.Step}
}

type steppedStore struct {
	workflow.Store
	step func(string, workflow.Number)
}

// Commit stores c between two points; a delivery whose acknowledgement is now owed passes a third.
func (s steppedStore) Commit(ctx context.Context, c workflow.Commit) ([]workflow.Revision, error) {
	var n workflow.Number
	if len(c.Writes) > 0 {
		n = c.Writes[0].Request.Number
	}
	s.step("before_commit", n)
	revs, err := s.Store.Commit(ctx, c)
	s.step("after_commit", n)
	if c.Delivery != "" && err == nil {
		s.step("before_ack", n)
	}
	return revs, err
}
