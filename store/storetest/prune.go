package storetest

import (
	"errors"
	"testing"
	"time"

	"countersign/store"
	"countersign/workflow"
)

var pruneTests = []contract{
	one("removes what is closed and keeps the chain whole", testPrune),
}

func testPrune(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	for i := range 60 {
		r, rev := submit(t, s, alice)
		mustCommit(t, s, workflow.Commit{At: r.Created, Entries: []workflow.Entry{{At: r.Created, Verb: "export", Via: "operator"}}})
		if i%10 != 0 {
			mustCommit(t, s, Move(r, rev, workflow.Denied))
		}
	}
	before, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Prune(t.Context(), store.PruneOptions{Before: epoch.Add(time.Hour), Via: "operator"})
	if err != nil || got.Requests != 54 || got.Entries != 54*2+60 || got.Kept != 6 {
		t.Errorf("pruned %+v, %v; want 54 requests, 168 entries, 6 kept", got, err)
	}
	checkWhole(t, s)
	s = reopen(t, s, e, store.Options{})
	checkWhole(t, s)
	if _, err := s.VerifyHead(t.Context(), before); err != nil {
		t.Errorf("the head of before: %v", err)
	}
	if _, _, err := s.Load(t.Context(), 2); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("a pruned request: %v", err)
	}
	if es, err := s.History(t.Context(), 1); err != nil || len(es) != 1 {
		t.Errorf("an open request's history: %v, %v", es, err)
	}
	if n := mustReserve(t, s, 1); n != 61 {
		t.Errorf("the next number is %d, want 61: none is used again", n)
	}
}
