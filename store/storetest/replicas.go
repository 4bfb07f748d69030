package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"countersign/store"
	"countersign/workflow"
)

var replicaTests = []contract{
	one("ShareOneDatabase", testReplicas),
	one("ClaimADeliveryOnce", testReplicaDeliveries),
	one("SecondHandle", testSecondHandle),
}

// testReplicas lets several stores on one database submit and decide at the same time: one chain, unique numbers, and
// one winner of each race.
func testReplicas(t *testing.T, e Engine) {
	if !e.Shared {
		testRefusesSecond(t, e)
		return
	}
	const replicas, each = 3, 40
	var wg sync.WaitGroup
	var mu sync.Mutex
	owner := map[workflow.Number]string{}
	for i := range replicas {
		s := mustOpen(t, e, store.Options{})
		for w := range 2 {
			name := fmt.Sprintf("replica %d worker %d", i, w)
			wg.Go(func() {
				for range each {
					n, err := submitShared(t, s, name)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					mu.Lock()
					if owner[n] != "" {
						t.Errorf("number %d was given to %s and %s", n, owner[n], name)
					}
					owner[n] = name
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	s := mustOpen(t, e, store.Options{})
	checkWhole(t, s)
	for n, name := range owner {
		if r, _, err := s.Load(t.Context(), n); err != nil || r.Reason != name {
			t.Errorf("request %d: of %q, %v; was acknowledged to %q", n, r.Reason, err, name)
		}
	}
	if head, err := s.Verify(t.Context()); err != nil || head.Seq != replicas*2*each {
		t.Errorf("audit trail ends with %d, %v; %d requests were made", head.Seq, err, replicas*2*each)
	}
}

// submitShared submits as the engine of a replica does: a number that another replica was faster with is a conflict,
// and the next try takes another; a store that is too busy did not record anything.
func submitShared(t *testing.T, s *store.Store, reason string) (workflow.Number, error) {
	for {
		n, err := s.Reserve(t.Context(), 1)
		if err != nil {
			return 0, err
		}
		r := NewRequest(n, alice)
		r.Reason = reason
		_, err = s.Commit(t.Context(), Submission("", r))
		if !errors.Is(err, workflow.ErrConflict) && !errors.Is(err, workflow.ErrBusy) {
			return n, err
		}
	}
}

func testReplicaDeliveries(t *testing.T, e Engine) {
	if !e.Shared {
		return // a second handle is refused: testRefusesSecond
	}
	a, b := mustOpen(t, e, store.Options{}), mustOpen(t, e, store.Options{})
	for round := range 20 {
		delivery := fmt.Sprint("trigger-", round)
		var wg sync.WaitGroup
		made := make([]workflow.Number, 2)
		for i, s := range []*store.Store{a, b} {
			wg.Go(func() {
				for made[i] == 0 {
					n, _ := s.Reserve(t.Context(), 1)
					_, err := s.Commit(t.Context(), Submission(delivery, NewRequest(n, alice)))
					var dup *workflow.DuplicateError
					switch {
					case err == nil:
						made[i] = n
					case errors.As(err, &dup) && len(dup.Numbers) == 1:
						made[i] = dup.Numbers[0]
					case !errors.Is(err, workflow.ErrConflict):
						t.Errorf("commit: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		if made[0] != made[1] {
			t.Errorf("one delivery made requests %d and %d", made[0], made[1])
		}
	}
	checkWhole(t, a)
}

// testSecondHandle: what one handle has stored the other sees at once, and a revision that it moved on is stale there.
func testSecondHandle(t *testing.T, e Engine) {
	if !e.Shared {
		return
	}
	a, b := mustOpen(t, e, store.Options{}), mustOpen(t, e, store.Options{})
	r, rev := submit(t, a, alice)
	if _, got, err := b.Load(t.Context(), r.Number); err != nil || got != rev {
		t.Errorf("the other handle loads revision %d, %v; want %d", got, err, rev)
	}
	mustCommit(t, b, Move(r, rev, workflow.Approved))
	if _, err := a.Commit(t.Context(), Move(r, rev, workflow.Denied)); !errors.Is(err, workflow.ErrConflict) {
		t.Errorf("a revision that the other has moved on: %v, want ErrConflict", err)
	}
	for range 20 {
		submit(t, a, alice)
	}
	// The other handle learns with its first number that is taken how far the numbers have gone.
	n := mustReserve(t, b, 1)
	if _, err := b.Commit(t.Context(), Submission("", NewRequest(n, alice))); !errors.Is(err, workflow.ErrConflict) {
		t.Errorf("a number that is taken: %v, want ErrConflict", err)
	}
	submit(t, b, alice)
	checkWhole(t, b)
}

// testRefusesSecond: an engine that is not shared says so, in place of letting two processes write.
func testRefusesSecond(t *testing.T, e Engine) {
	kv := mustOpenKV(t, e)
	if second, err := e.Open(); err == nil {
		t.Error("a second handle was opened on an engine that is not shared")
		second.Close() //nolint:errcheck // the test has failed
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	openKV(t, e)
}
