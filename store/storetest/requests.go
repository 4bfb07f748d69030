package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/store"
	"countersign/workflow"
)

var storeTests = []contract{
	one("RoundTrip", testRoundTrip),
	one("NotFound", testNotFound),
	one("StaleRevisionIsAConflict", testConflict),
	one("RacingWriters", testRacingWriters),
	one("WritesAreAllOrNothing", testAllOrNothing),
	one("Delivery", testDelivery),
	one("ConcurrentDeliveries", testConcurrentDeliveries),
	one("OldClaimsGoTwoAtATime", testOldClaims),
	one("OneCallOnAMembership", testAlone),
	one("NumbersAreUnique", testNumbers),
	one("NumbersAreNotUsedAgain", testNumbersAfterRestart),
	one("ListOrderAndPages", testList),
	one("ListCostsWhatItReturns", testListCost),
	one("DuePages", testDue),
	one("DueFollowsTheRequest", testDueMoves),
	one("HistoryAndAudit", testHistory),
	one("RefusesWhatCannotBeFound", testRefusals),
	one("CloseAnswersEverybody", testClose),
	one("StatsAndBackup", testStats),
}

func testRoundTrip(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	want := NewRequest(mustReserve(t, s, 1), alice)
	want.State = workflow.Unknown
	want.Change.Roles = []workflow.RoleRef{{ID: "r00001", Name: "admin"}}
	want.Decisions = []workflow.Decision{{By: bob, Approve: true, At: epoch, Groups: []string{"S0GPU"}}}
	want.Attempt = &workflow.Attempt{
		Begun:   epoch,
		Before:  workflow.Membership{State: "absent", Fit: workflow.Differs, Row: []byte(`{"a":1}`)},
		Outcome: &workflow.Outcome{Verdict: workflow.Unclear, Fault: &workflow.Fault{Class: workflow.ClassUnclear, Text: "<&\u2028>"}},
	}
	want.Attempts, want.Parent, want.Child = 1, 7, 8
	want.Result = &workflow.Result{Asked: true, Seen: "joined"}
	want.Card = workflow.Card{Channel: "C0", TS: "1712.000100", Seq: 3}
	rev := mustCommit(t, s, Submission("", want))[0]
	for _, when := range []string{"at once", "after a restart"} {
		got, gotRev, err := s.Load(t.Context(), want.Number)
		if err != nil || gotRev != rev {
			t.Fatalf("%s: revision %d, %v; want %d", when, gotRev, err, rev)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		s = reopen(t, s, e, store.Options{})
	}
	checkWhole(t, s)
}

func testNotFound(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	if _, _, err := s.Load(t.Context(), 1); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("load: %v, want ErrNotFound", err)
	}
	if _, err := s.History(t.Context(), 1); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("history: %v, want ErrNotFound", err)
	}
	checkWhole(t, s)
}

func testConflict(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	r, rev := submit(t, s, alice)
	for name, c := range map[string]workflow.Commit{
		"new number that is stored": Submission("", r),
		"revision too high":         Move(r, rev+1, workflow.Denied),
		"not stored":                Move(NewRequest(r.Number+10, alice), rev, workflow.Denied),
	} {
		if _, err := s.Commit(t.Context(), c); !errors.Is(err, workflow.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	next := mustCommit(t, s, Move(r, rev, workflow.Approved))[0]
	if next == rev {
		t.Errorf("the revision did not change")
	}
	if _, err := s.Commit(t.Context(), Move(r, rev, workflow.Denied)); !errors.Is(err, workflow.ErrConflict) {
		t.Errorf("the revision before: %v, want ErrConflict", err)
	}
	if got, gotRev, err := s.Load(t.Context(), r.Number); err != nil || got.State != workflow.Approved || gotRev != next {
		t.Errorf("stored: %s at %d, %v", got.State, gotRev, err)
	}
	checkWhole(t, s)
}

func testRacingWriters(t *testing.T, e Engine) {
	const writers, rounds = 16, 10
	s := mustOpen(t, e, store.Options{})
	for range rounds {
		r, rev := submit(t, s, alice)
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range writers {
			to := workflow.Approved
			if i%2 == 1 {
				to = workflow.Denied
			}
			wg.Go(func() {
				switch _, err := s.Commit(t.Context(), Move(r, rev, to)); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, workflow.ErrConflict):
					t.Errorf("loser: %v, want ErrConflict", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d writers won, want 1", won.Load())
		}
		if h, err := s.History(t.Context(), r.Number); err != nil || len(h) != 2 {
			t.Errorf("history has %d entries, %v; want 2", len(h), err)
		}
	}
	checkWhole(t, s)
}

func testAllOrNothing(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	a, revA := submit(t, s, alice)
	b, revB := submit(t, s, alice)
	head, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	child := NewRequest(mustReserve(t, s, 1), alice)
	c := Move(a, revA, workflow.Approved)
	c.Writes = append(c.Writes, Submission("", child).Writes[0], Move(b, revB+100, workflow.Denied).Writes[0])
	c.Delivery = "click"
	if _, err := s.Commit(t.Context(), c); !errors.Is(err, workflow.ErrConflict) {
		t.Fatalf("commit: %v, want ErrConflict", err)
	}
	if got, rev, err := s.Load(t.Context(), a.Number); err != nil || got.State != workflow.Pending || rev != revA {
		t.Errorf("first write was stored: %s, %v", got.State, err)
	}
	if _, _, err := s.Load(t.Context(), child.Number); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("second write was stored: %v", err)
	}
	if now, err := s.Verify(t.Context()); err != nil || now != head {
		t.Errorf("the audit trail has moved: %v, %v", now, err)
	}
	c.Writes[2] = Move(b, revB, workflow.Denied).Writes[0]
	if revs := mustCommit(t, s, c); len(revs) != 3 {
		t.Errorf("%d revisions for 3 writes", len(revs))
	}
	a, revA, err = s.Load(t.Context(), a.Number)
	if err != nil {
		t.Fatal(err)
	}
	c = Move(a, revA, workflow.Done)
	c.Writes = append(c.Writes, c.Writes[0])
	if _, err := s.Commit(t.Context(), c); !errors.Is(err, workflow.ErrConflict) {
		t.Errorf("the same request twice in a commit: %v, want ErrConflict", err)
	}
	checkWhole(t, s)
}

func testDelivery(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	first := mustReserve(t, s, 2)
	mustCommit(t, s, Submission("trigger-1", NewRequest(first, alice), NewRequest(first+1, alice)))
	for range 2 {
		again := Submission("trigger-1", NewRequest(mustReserve(t, s, 1), alice))
		var dup *workflow.DuplicateError
		if _, err := s.Commit(t.Context(), again); !errors.As(err, &dup) {
			t.Fatalf("the same delivery: %v, want a DuplicateError", err)
		}
		want := &workflow.DuplicateError{Delivery: "trigger-1", Numbers: []workflow.Number{first, first + 1}}
		if diff := cmp.Diff(want, dup); diff != "" {
			t.Errorf("duplicate (-want +got):\n%s", diff)
		}
		if _, _, err := s.Load(t.Context(), again.Writes[0].Request.Number); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("the duplicate was stored: %v", err)
		}
		s = reopen(t, s, e, store.Options{})
	}
	// A click that is delivered again carries the revision of before: that it was done counts, not the conflict.
	r, rev, err := s.Load(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	click := Move(r, rev, workflow.Approved)
	click.Delivery = "click-1"
	mustCommit(t, s, click)
	var dup *workflow.DuplicateError
	if _, err := s.Commit(t.Context(), click); !errors.As(err, &dup) {
		t.Errorf("the same click: %v, want a DuplicateError", err)
	}
	checkWhole(t, s)
}

func testConcurrentDeliveries(t *testing.T, e Engine) {
	const senders = 12
	s := mustOpen(t, e, store.Options{})
	for round := range 5 {
		delivery := fmt.Sprint("trigger-", round)
		var stored, told atomic.Uint64
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				n, err := s.Reserve(t.Context(), 1)
				if err != nil {
					t.Errorf("reserve: %v", err)
				}
				_, err = s.Commit(t.Context(), Submission(delivery, NewRequest(n, alice)))
				var dup *workflow.DuplicateError
				switch {
				case err == nil:
					if !stored.CompareAndSwap(0, uint64(n)) {
						t.Errorf("stored twice: %d and %d", stored.Load(), n)
					}
				case errors.As(err, &dup) && len(dup.Numbers) == 1:
					told.Store(uint64(dup.Numbers[0]))
				default:
					t.Errorf("the same delivery: %v", err)
				}
			})
		}
		wg.Wait()
		if stored.Load() == 0 || stored.Load() != told.Load() {
			t.Errorf("stored %d, duplicates were told %d", stored.Load(), told.Load())
		}
	}
	checkWhole(t, s)
}

func testOldClaims(t *testing.T, e Engine) {
	now := epoch
	kv := NewCounting(mustOpenKV(t, e))
	s, err := store.Open(t.Context(), kv, store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is left to lose
	claim := func(name string) error {
		_, err := s.Commit(t.Context(), Submission(name, NewRequest(mustReserve(t, s, 1), alice)))
		return err
	}
	for i := range 10 {
		if err := claim(fmt.Sprint("old-", i)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(59 * time.Minute)
	var dup *workflow.DuplicateError
	if err := claim("later"); err != nil {
		t.Fatal(err)
	}
	if err := claim("old-0"); !errors.As(err, &dup) || kv.Deletes() != 0 {
		t.Errorf("after 59 minutes: %v, want a DuplicateError", err)
	}
	now = now.Add(5 * time.Hour)
	for i, want := range []uint64{4, 8, 12, 16, 20, 22, 22} {
		if err := claim(fmt.Sprint("new-", i)); err != nil {
			t.Fatal(err)
		}
		if got := kv.Deletes(); got != want {
			t.Errorf("after %d new claims %d keys were deleted, want %d", i+1, got, want)
		}
	}
	if err := claim("old-0"); err != nil {
		t.Errorf("a delivery of long ago: %v", err)
	}
	checkWhole(t, s)
}

func testNumbers(t *testing.T, e Engine) {
	const workers, each = 8, 200
	s := mustOpen(t, e, store.Options{})
	var mu sync.Mutex
	seen := map[workflow.Number]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var last workflow.Number
			for range each {
				first, err := s.Reserve(t.Context(), w+1)
				if err != nil || first <= last {
					t.Errorf("reserve: %d after %d, %v", first, last, err)
				}
				last = first
				mu.Lock()
				for n := first; n < first+workflow.Number(w+1); n++ {
					if n == 0 || seen[n] {
						t.Errorf("number %d twice", n)
					}
					seen[n] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, n := range []int{0, -1} {
		if _, err := s.Reserve(t.Context(), n); err == nil {
			t.Errorf("reserve of %d succeeded", n)
		}
	}
}

func testNumbersAfterRestart(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	if n := mustReserve(t, s, 1); n != 1 {
		t.Errorf("the first number is %d", n)
	}
	mustReserve(t, s, 5)
	r := NewRequest(mustReserve(t, s, 1), alice) // 7
	mustCommit(t, s, Submission("", r))
	s = reopen(t, s, e, store.Options{})
	quiet := NewRequest(mustReserve(t, s, 1), alice)
	if quiet.Number <= r.Number {
		t.Errorf("number %d after a restart, %d is stored", quiet.Number, r.Number)
	}
	mustCommit(t, s, workflow.Commit{Writes: []workflow.Write{{Request: quiet}}}) // no audit entry names it
	s = reopen(t, s, e, store.Options{})
	if n := mustReserve(t, s, 1); n <= quiet.Number {
		t.Errorf("number %d after a restart, %d is stored", n, quiet.Number)
	}
}

func testClose(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	var stored sync.Map
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				n, err := s.Reserve(t.Context(), 1)
				if err != nil {
					t.Errorf("reserve: %v", err)
				}
				_, err = s.Commit(t.Context(), Submission("", NewRequest(n, alice)))
				if errors.Is(err, workflow.ErrBusy) && errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				stored.Store(n, true)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	wg.Wait()
	s = mustOpen(t, e, store.Options{})
	all, err := s.List(t.Context(), workflow.Query{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if _, ok := stored.LoadAndDelete(r.Number); !ok {
			t.Errorf("request %d is stored, its caller was told otherwise", r.Number)
		}
	}
	stored.Range(func(n, _ any) bool { t.Errorf("request %v is lost", n); return true })
	checkWhole(t, s)
}

func testRefusals(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	valid := func() workflow.Commit { return Submission("x", NewRequest(mustReserve(t, s, 1), alice)) }
	for name, spoil := range map[string]func(*workflow.Commit){
		"no number":                     func(c *workflow.Commit) { c.Writes[0].Request.Number = 0 },
		"no state":                      func(c *workflow.Commit) { c.Writes[0].Request.State = "" },
		"effect never due":              func(c *workflow.Commit) { c.Writes[0].Request.Effects[0].Due = time.Time{} },
		"entry of another request":      func(c *workflow.Commit) { c.Writes[0].Entries[0].Request = 99 },
		"loose entry of a request":      func(c *workflow.Commit) { c.Entries = []workflow.Entry{{At: epoch, Request: 1}} },
		"entry that cannot be encoded":  func(c *workflow.Commit) { c.Writes[0].Entries[0].At = time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"record that cannot be encoded": func(c *workflow.Commit) { c.Writes[0].Request.Created = time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		c := valid()
		spoil(&c)
		if _, err := s.Commit(t.Context(), c); err == nil {
			t.Errorf("%s: was stored", name)
		}
	}
	mustCommit(t, s, valid()) // the delivery was not claimed by any of them
	if _, err := s.List(t.Context(), workflow.Query{Requester: alice, States: workflow.States()}); err == nil {
		t.Errorf("a query by requester and states succeeded")
	}
	checkWhole(t, s)
}
