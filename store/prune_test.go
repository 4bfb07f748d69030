package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/storetest"
	"countersign/workflow"
)

// begun is when storetest's requests are made, about.
var begun = storetest.NewRequest(0, alice).Created

// year fills a store with overlapping requests, an hour apart: each is made, decided a day later and then owes nothing,
// except every tenth, which stays open. Between them are entries of no request.
func year(t testing.TB, s *store.Store, n int) {
	t.Helper()
	type open struct {
		r   workflow.Request
		rev workflow.Revision
	}
	var waiting []open
	commit := func(c workflow.Commit) workflow.Revision {
		revs, err := s.Commit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return append(revs, 0)[0]
	}
	for i := range n {
		at := begun.Add(time.Duration(i) * time.Hour)
		number, err := s.Reserve(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		r := storetest.NewRequest(number, alice)
		r.Created, r.Updated = at, at
		c := storetest.Submission("", r)
		waiting = append(waiting, open{r, commit(c)})
		if i%7 == 0 {
			commit(workflow.Commit{At: at, Entries: []workflow.Entry{{At: at, Verb: "reload", Via: "operator", Detail: fmt.Sprint(i)}}})
		}
		if i >= 24 {
			w := waiting[i-24]
			if w.r.Number%10 == 0 {
				continue
			}
			w.r.Updated = at
			m := storetest.Move(w.r, w.rev, workflow.Denied)
			m.Writes[0].Request.Updated, m.Writes[0].Entries[0].At = at, at
			commit(m)
		}
	}
}

func whole(t *testing.T, s *store.Store) store.Head {
	t.Helper()
	h, err := s.Verify(t.Context())
	if err != nil {
		t.Errorf("audit trail: %v", err)
	}
	if err := s.CheckIndexes(t.Context()); err != nil {
		t.Errorf("indexes: %v", err)
	}
	return h
}

func TestPrune_KeepsTheChainVerifiable(t *testing.T) {
	m, kv := memory(t)
	s := open(t, kv, store.Options{Now: func() time.Time { return begun.Add(365 * 24 * time.Hour) }})
	year(t, s, 400)
	before := whole(t, s)
	keys := m.Len()
	cut := begun.Add(200 * time.Hour)

	dry, err := s.Prune(t.Context(), store.PruneOptions{Before: cut, Dry: true})
	if err != nil || m.Len() != keys {
		t.Fatalf("a dry run: %v, %d keys of %d", err, m.Len(), keys)
	}
	got, err := s.Prune(t.Context(), store.PruneOptions{Before: cut, Via: "operator uid 0"})
	if err != nil || got != dry {
		t.Fatalf("pruned %+v, %v; the dry run said %+v", got, err, dry)
	}
	// Requests 1 to 176 were decided before the cut, but for every tenth.
	if got.Requests != 176-17 || m.Len() >= keys {
		t.Errorf("pruned %+v, %d keys of %d are left", got, m.Len(), keys)
	}
	head := whole(t, s)
	if head.Seq != before.Seq+2 {
		t.Errorf("the head is %d, want two entries more than %d", head.Seq, before.Seq)
	}
	if _, err := s.VerifyHead(t.Context(), before); err != nil {
		t.Errorf("the head of before the pruning: %v", err)
	}
	if _, err := s.VerifyHead(t.Context(), got.Through); err != nil {
		t.Errorf("the head at the checkpoint: %v", err)
	}
	if _, err := s.VerifyHead(t.Context(), store.Head{Seq: 1, Hash: before.Hash}); !errors.Is(err, store.ErrPruned) {
		t.Errorf("a head that was pruned: %v", err)
	}
	if es, err := s.History(t.Context(), 10); err != nil || len(es) != 1 {
		t.Errorf("an open request's history: %d entries, %v", len(es), err)
	}
	if _, _, err := s.Load(t.Context(), 9); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("a pruned request: %v", err)
	}
	if n, err := s.Reserve(t.Context(), 1); err != nil || n != 401 {
		t.Errorf("the next number is %d, %v; want 401", n, err)
	}
	// Again finds nothing; a later one goes further.
	if again, err := s.Prune(t.Context(), store.PruneOptions{Before: cut}); err != nil || again.Requests != 0 || whole(t, s).Seq != head.Seq {
		t.Errorf("again: %+v, %v", again, err)
	}
	more, err := s.Prune(t.Context(), store.PruneOptions{Before: begun.Add(300 * time.Hour)})
	if err != nil || more.Requests == 0 {
		t.Errorf("further: %+v, %v", more, err)
	}
	whole(t, s)
	if _, err := s.Commit(t.Context(), submission(401)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kv, _ = m.Open()
	s = open(t, kv, store.Options{})
	whole(t, s)
}

// TestPrune_LinkedRequestsStay: a parent whose child is open stays with it.
func TestPrune_LinkedRequestsStay(t *testing.T) {
	_, kv := memory(t)
	s := open(t, kv, store.Options{})
	for n, c := range map[workflow.Number]workflow.Number{1: 2, 2: 0, 3: 0} {
		r := storetest.NewRequest(n, alice)
		r.Effects, r.State, r.Child = nil, workflow.Done, c
		if n == 2 {
			r.State, r.Parent = workflow.Approved, 1
		}
		if _, err := s.Commit(t.Context(), storetest.Submission("", r)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Prune(t.Context(), store.PruneOptions{Before: begun.Add(time.Hour)})
	if err != nil || got.Requests != 1 {
		t.Fatalf("pruned %+v, %v; want request 3 alone", got, err)
	}
	for _, n := range []workflow.Number{1, 2} {
		if _, _, err := s.Load(t.Context(), n); err != nil {
			t.Error(err)
		}
	}
	whole(t, s)
}

// TestPrune_TamperingShows changes what is left in every way that a thief of the file could.
func TestPrune_TamperingShows(t *testing.T) {
	pruned := []byte("mpruned")
	for name, tamper := range map[string]func(*testing.T, *storetest.Memory){
		"a kept old entry changed": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('a', 12), func(p string) string { return strings.Replace(p, "U0ALICE", "U0MALLO", 1) })
		},
		"a kept old entry changed, with its hash": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('a', 12), func(p string) string {
				return rehashed(t, p, func(e *workflow.Entry) { e.Detail = "other" })
			})
		},
		"a kept old entry missing": func(t *testing.T, m *storetest.Memory) { remove(t, m, key('a', 12)) },
		"the checkpoint missing":   func(t *testing.T, m *storetest.Memory) { remove(t, m, pruned) },
		"the checkpoint moved": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, pruned, func(p string) string { return strings.Replace(p, `"seq":`, `"seq":1`, 1) })
		},
		"the checkpoint not done": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, pruned, func(p string) string { return strings.Replace(p, `"done":`, `"gone":`, 1) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, kv := memory(t)
			s := open(t, kv, store.Options{})
			year(t, s, 60)
			if _, err := s.Prune(t.Context(), store.PruneOptions{Before: begun.Add(40 * time.Hour)}); err != nil {
				t.Fatal(err)
			}
			whole(t, s)
			tamper(t, m)
			if h, err := s.Verify(t.Context()); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("verified as %v, %v", h, err)
			}
		})
	}
}

// TestPrune_CutOff cuts a pruning off at every commit: the trail verifies, and the next pruning goes on.
func TestPrune_CutOff(t *testing.T) {
	for stop := 0; ; stop++ {
		m, kv := memory(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		h := &hooked{KV: kv}
		s := open(t, h, store.Options{})
		year(t, s, 90)
		commits := 0
		h.commit = func(txn store.Txn) (uint64, error) {
			if commits++; commits > stop {
				cancel(errors.New("killed"))
				return 0, errors.New("killed")
			}
			return kv.Commit(context.Background(), txn)
		}
		_, err := s.Prune(ctx, store.PruneOptions{Before: begun.Add(60 * time.Hour)})
		cancel(nil)
		_ = s.Close()
		kv2, _ := m.Open()
		s = open(t, kv2, store.Options{})
		whole(t, s)
		if _, err := s.Prune(t.Context(), store.PruneOptions{Before: begun.Add(60 * time.Hour)}); err != nil {
			t.Errorf("cut off after %d commits, then: %v", stop, err)
		}
		whole(t, s)
		if _, _, err := s.Load(t.Context(), 9); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("cut off after %d commits: request 9: %v", stop, err)
		}
		if err == nil {
			if stop < 4 {
				t.Errorf("a pruning of only %d commits", stop)
			}
			return
		}
	}
}

// TestPrune_WhileOthersCommit prunes while requests are made, moved and verified.
func TestPrune_WhileOthersCommit(t *testing.T) {
	_, kv := memory(t)
	s := open(t, kv, store.Options{})
	year(t, s, 200)
	r, rev, err := s.Load(t.Context(), 5) // closed, and retried just now
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Prune(t.Context(), store.PruneOptions{Before: begun.Add(150 * time.Hour), Pause: time.Millisecond})
		done <- err
	}()
	move := storetest.Move(r, rev, workflow.Executing, workflow.Effect{ID: 9, Kind: workflow.CallEffect, Due: begun})
	_, moved := s.Commit(t.Context(), move)
	for n := workflow.Number(201); ; n++ {
		if _, err := s.Commit(t.Context(), submission(n)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rand.IntN(4) == 0 {
			if _, err := s.List(t.Context(), workflow.Query{Limit: 1000}); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			whole(t, s)
			if _, _, err := s.Load(t.Context(), 5); (err == nil) != (moved == nil) {
				t.Errorf("request 5 was moved: %v; now it is %v", moved, err)
			}
			return
		default:
		}
	}
}

func TestVerifyHead(t *testing.T) {
	_, s := five(t)
	h := whole(t, s)
	for _, c := range []struct {
		head store.Head
		want string
	}{
		{h, ""},
		{store.Head{Hash: strings.Repeat("0", 64)}, ""},
		{store.Head{Seq: h.Seq, Hash: strings.Repeat("1", 64)}, "rewritten"},
		{store.Head{Seq: h.Seq + 1, Hash: h.Hash}, "missing"},
	} {
		_, err := s.VerifyHead(t.Context(), c.head)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("head %v: %v, want %q", c.head, err, c.want)
		}
	}
	es, err := s.Latest(t.Context(), 0, 2)
	if err != nil || len(es) != 2 || es[0].Seq != h.Seq || es[1].Seq != h.Seq-1 {
		t.Errorf("latest: %v, %v", es, err)
	}
	if es, err = s.Latest(t.Context(), 2, 5); err != nil || len(es) != 1 || es[0].Seq != 1 {
		t.Errorf("latest before 2: %v, %v", es, err)
	}
}
