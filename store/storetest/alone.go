package storetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"countersign/store"
	"countersign/workflow"
)

// begins is the commit by which a request is the one that may have a call under way on its membership.
func begins(r workflow.Request, rev workflow.Revision) workflow.Commit {
	r.Attempt = &workflow.Attempt{Begun: epoch, Alone: true}
	return Move(r, rev, workflow.Executing)
}

// testAlone lets requests on one membership begin at the same time, from several handles where the engine has them: one
// does, until its outcome is known, also over a restart.
func testAlone(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	handles := []*store.Store{s}
	if e.Shared {
		handles = append(handles, mustOpen(t, e, store.Options{}), mustOpen(t, e, store.Options{}))
	}
	const each = 8
	var rs []workflow.Request
	var revs []workflow.Revision
	for range each * len(handles) {
		r := NewRequest(mustReserve(t, s, 1), alice)
		r.Change.Subject.ID = "50002"
		rs, revs = append(rs, r), append(revs, mustCommit(t, s, Submission("", r))[0])
	}
	var winner atomic.Int64
	var wg sync.WaitGroup
	for i, r := range rs {
		wg.Go(func() {
			_, err := handles[i%len(handles)].Commit(t.Context(), begins(r, revs[i]))
			if err == nil && !winner.CompareAndSwap(0, int64(r.Number)) {
				t.Errorf("requests %d and %d have both begun", winner.Load(), r.Number)
			}
			if err != nil && !errors.Is(err, workflow.ErrConflict) && !errors.Is(err, workflow.ErrOccupied) {
				t.Errorf("request %d: %v", r.Number, err)
			}
		})
	}
	wg.Wait()
	if winner.Load() == 0 {
		t.Fatal("none has begun")
	}
	checkWhole(t, s)
	for _, h := range handles[1:] {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s, e, store.Options{})
	won := slices.IndexFunc(rs, func(r workflow.Request) bool { return int64(r.Number) == winner.Load() })
	next := (won + 1) % len(rs)
	occupied := func(when string) {
		t.Helper()
		if _, err := s.Commit(t.Context(), begins(rs[next], revs[next])); !errors.Is(err, workflow.ErrOccupied) {
			t.Errorf("%s another request begins: %v, want ErrOccupied", when, err)
		}
	}
	occupied("while one is under way")
	elsewhere, rev := submit(t, s, alice)
	mustCommit(t, s, begins(elsewhere, rev))

	r, rev, err := s.Load(t.Context(), rs[won].Number)
	if err != nil {
		t.Fatal(err)
	}
	rev = mustCommit(t, s, Move(r, rev, workflow.Unknown))[0]
	occupied("while an outcome is unknown")
	r.State = workflow.Unknown
	mustCommit(t, s, Move(r, rev, workflow.Done))
	checkWhole(t, s)
	mustCommit(t, s, begins(rs[next], revs[next]))
	checkWhole(t, s)

	// Who waits for a person holds up nobody.
	r, rev, err = s.Load(t.Context(), rs[next].Number)
	if err != nil {
		t.Fatal(err)
	}
	r.Attempt.Alone = false
	mustCommit(t, s, Move(r, rev, workflow.Unknown))
	last := (next + 1) % len(rs)
	mustCommit(t, s, begins(rs[last], revs[last]))
	checkWhole(t, s)
}
