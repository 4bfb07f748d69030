package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/store"
	"countersign/store/storetest"
	"countersign/workflow"
)

var alice = workflow.Person{User: "U0ALICE", Team: "T0ONE"}

func TestMemory_Contract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Engine {
		m := &storetest.Memory{}
		return storetest.Engine{Open: m.Open, Shared: true}
	})
}

func open(t *testing.T, kv store.KV, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), kv, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func memory(t *testing.T) (*storetest.Memory, store.KV) {
	t.Helper()
	m := &storetest.Memory{}
	kv, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	return m, kv
}

func submission(n workflow.Number) workflow.Commit {
	return storetest.Submission("", storetest.NewRequest(n, alice))
}

// hooked is a KV whose commits a test stands in for.
type hooked struct {
	store.KV
	commit  func(store.Txn) (uint64, error)
	scanned func() // called after each scan
}

func (h *hooked) Scan(ctx context.Context, from, to []byte, limit int, reverse bool) ([]store.Item, error) {
	items, err := h.KV.Scan(ctx, from, to, limit, reverse)
	if h.scanned != nil {
		h.scanned()
	}
	return items, err
}

func (h *hooked) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	if h.commit != nil {
		return h.commit(txn)
	}
	return h.KV.Commit(ctx, txn)
}

// slow is a KV whose commits wait until they are let go.
func slow(kv store.KV) (*hooked, chan struct{}) {
	gate := make(chan struct{})
	h := &hooked{KV: kv}
	h.commit = func(txn store.Txn) (uint64, error) {
		<-gate
		return kv.Commit(context.Background(), txn)
	}
	return h, gate
}

func TestCommit_BusyWhenNotTakenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, kv := memory(t)
		h, gate := slow(kv)
		commit := h.commit
		h.commit = nil
		s := open(t, h, store.Options{})
		h.commit = commit
		var wg sync.WaitGroup
		begun := time.Now()
		wg.Go(func() { // taken at once, answered late, its context long ended: the true result
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.Commit(ctx, submission(1)); err != nil || time.Since(begun) != 5*time.Second {
				t.Errorf("taken: %v after %v, want success after 5s", err, time.Since(begun))
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if _, err := s.Commit(t.Context(), submission(2)); !errors.Is(err, workflow.ErrBusy) || time.Since(begun) != 1500*time.Millisecond {
				t.Errorf("not taken: %v after %v, want ErrBusy after 1.5s", err, time.Since(begun))
			}
		})
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := s.Commit(ctx, submission(3))
			if !errors.Is(err, workflow.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
				t.Errorf("context ended: %v after %v, want ErrBusy after 1s", err, time.Since(begun))
			}
		})
		time.Sleep(5 * time.Second)
		close(gate)
		wg.Wait()
		all, err := s.List(t.Context(), workflow.Query{})
		if err != nil || len(all) != 1 {
			t.Errorf("%d requests are stored, %v; only the first was taken", len(all), err)
		}
		if err := s.Close(); err != nil { // within the bubble
			t.Error(err)
		}
	})
}

func TestCommit_BusyWhenQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, kv := memory(t)
		h, gate := slow(kv)
		commit := h.commit
		h.commit = nil
		s := open(t, h, store.Options{Queue: 3})
		h.commit = commit
		var wg sync.WaitGroup
		for n := range 4 { // one taken, three waiting
			wg.Go(func() {
				if _, err := s.Commit(t.Context(), submission(workflow.Number(n+1))); err != nil {
					t.Errorf("commit %d: %v", n+1, err)
				}
			})
			synctest.Wait()
		}
		begun := time.Now()
		if _, err := s.Commit(t.Context(), submission(5)); !errors.Is(err, workflow.ErrBusy) || time.Since(begun) != 0 {
			t.Errorf("full queue: %v after %v, want ErrBusy at once", err, time.Since(begun))
		}
		close(gate)
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCommit_FailureReachesAllOfTheBatch: when a batch is not stored, nobody may be told that somebody else in it was:
// not the duplicate of a delivery that was only about to be claimed, nor the loser against a write that never was.
func TestCommit_FailureReachesAllOfTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, kv := memory(t)
		h := &hooked{KV: kv}
		var batches []int
		s := open(t, h, store.Options{OnCommit: func(n int, _ time.Duration) { batches = append(batches, n) }})
		if _, err := s.Commit(t.Context(), submission(1)); err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		errDisk := errors.New("no room")
		calls := 0
		h.commit = func(txn store.Txn) (uint64, error) {
			<-gate
			if calls++; calls == 3 { // the second meets what is stored already
				return 0, errDisk
			}
			return kv.Commit(context.Background(), txn)
		}
		var wg sync.WaitGroup
		commit := func(c workflow.Commit, check func(error) bool) {
			wg.Go(func() {
				if _, err := s.Commit(t.Context(), c); !check(err) {
					t.Errorf("commit of %d: %v", c.Writes[0].Request.Number, err)
				}
			})
			synctest.Wait()
		}
		fine := func(err error) bool { return err == nil }
		disk := func(err error) bool { return errors.Is(err, errDisk) }
		conflict := func(err error) bool { return errors.Is(err, workflow.ErrConflict) }
		commit(submission(2), fine) // alone in the first batch
		commit(storetest.Submission("d", storetest.NewRequest(3, alice)), disk)
		commit(storetest.Submission("d", storetest.NewRequest(4, alice)), disk) // a duplicate of what was not stored
		commit(submission(5), disk)
		commit(submission(5), disk)     // against a write that was not stored
		commit(submission(1), conflict) // against what is stored
		close(gate)
		wg.Wait()
		if _, err := s.Commit(t.Context(), storetest.Submission("d", storetest.NewRequest(3, alice))); err != nil {
			t.Errorf("once there is room: %v", err)
		}
		if err := s.CheckIndexes(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []int{1, 1, 1}; !slices.Equal(batches, want) {
			t.Errorf("batches %v, want %v", batches, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestClose_WaitsForWhatIsQueued: Close answers everybody before it closes the engine.
func TestClose_WaitsForWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, kv := memory(t)
		h, gate := slow(kv)
		commit := h.commit
		h.commit = nil
		s := open(t, h, store.Options{})
		h.commit = commit
		var wg sync.WaitGroup
		for n := range workflow.Number(3) {
			wg.Go(func() {
				if _, err := s.Commit(t.Context(), submission(n+1)); err != nil {
					t.Errorf("commit %d: %v", n+1, err)
				}
			})
			synctest.Wait()
		}
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		synctest.Wait()
		if _, err := s.Commit(t.Context(), submission(9)); !errors.Is(err, store.ErrClosed) || !errors.Is(err, workflow.ErrBusy) {
			t.Errorf("commit while it closes: %v, want ErrClosed", err)
		}
		close(gate)
		wg.Wait()
	})
}

// TestCommit_OneWinnerInABatch: of writes to one request that share a batch, and of deliveries, one is stored.
func TestCommit_OneWinnerInABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, kv := memory(t)
		h := &hooked{KV: kv}
		s := open(t, h, store.Options{})
		revs, err := s.Commit(t.Context(), submission(1))
		if err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		h.commit = func(txn store.Txn) (uint64, error) {
			<-gate
			return kv.Commit(context.Background(), txn)
		}
		results := make([]error, 7)
		var wg sync.WaitGroup
		for i, c := range []workflow.Commit{
			submission(2), // a batch of its own, behind which the others gather
			storetest.Move(storetest.NewRequest(1, alice), revs[0], workflow.Approved),
			storetest.Move(storetest.NewRequest(1, alice), revs[0], workflow.Denied),
			submission(3),
			submission(3),
			storetest.Submission("d", storetest.NewRequest(4, alice)),
			storetest.Submission("d", storetest.NewRequest(5, alice)),
		} {
			wg.Go(func() { _, results[i] = s.Commit(t.Context(), c) })
			synctest.Wait()
		}
		close(gate)
		wg.Wait()
		for i, want := range []error{nil, nil, workflow.ErrConflict, nil, workflow.ErrConflict, nil} {
			if !errors.Is(results[i], want) {
				t.Errorf("commit %d: %v, want %v", i, results[i], want)
			}
		}
		if dup, ok := errors.AsType[*workflow.DuplicateError](results[6]); !ok || !slices.Equal(dup.Numbers, []workflow.Number{4}) {
			t.Errorf("the same delivery: %v, want a duplicate of 4", results[6])
		}
		if err := errors.Join(s.CheckIndexes(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestList_WhileARequestMoves: a request that changes its state between two reads of a list is neither shown in a state
// that was not asked for nor shown twice.
func TestList_WhileARequestMoves(t *testing.T) {
	for scans, want := range map[int]int{1: 1, 2: 0} {
		_, kv := memory(t)
		h := &hooked{KV: kv}
		s := open(t, h, store.Options{})
		revs, err := s.Commit(t.Context(), submission(1))
		if err != nil {
			t.Fatal(err)
		}
		to := workflow.Withdrawn
		if want == 0 {
			to = workflow.Done
		}
		done := 0
		h.scanned = func() {
			if done++; done != scans {
				return
			}
			if _, err := s.Commit(t.Context(), storetest.Move(storetest.NewRequest(1, alice), revs[0], to)); err != nil {
				t.Error(err)
			}
		}
		// States are read in the order of their names: pending, then withdrawn.
		got, err := s.List(t.Context(), workflow.Query{States: []workflow.State{workflow.Pending, workflow.Withdrawn}})
		if err != nil || len(got) != want {
			t.Errorf("moved to %s after %d scans: %d requests, %v; want %d", to, scans, len(got), err, want)
		}
	}
}

func TestCommit_ContextEndedBefore(t *testing.T) {
	_, kv := memory(t)
	s := open(t, kv, store.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for n := range workflow.Number(20) { // not left to chance
		if _, err := s.Commit(ctx, submission(n+1)); !errors.Is(err, workflow.ErrBusy) || !errors.Is(err, context.Canceled) {
			t.Errorf("commit: %v, want ErrBusy", err)
		}
	}
}

func TestCommit_GivesUpOnFasterReplicas(t *testing.T) {
	_, kv := memory(t)
	h := &hooked{KV: kv}
	s := open(t, h, store.Options{})
	tries := 0
	h.commit = func(store.Txn) (uint64, error) { tries++; return 0, store.ErrCompare }
	if _, err := s.Commit(t.Context(), submission(1)); !errors.Is(err, workflow.ErrBusy) || tries != store.MaxTries {
		t.Errorf("commit: %v after %d tries, want ErrBusy after %d", err, tries, store.MaxTries)
	}
	h.commit = nil
	if _, err := s.Commit(t.Context(), submission(1)); err != nil {
		t.Errorf("commit when the others are quiet: %v", err)
	}
}

func TestFailed_TellsOfABrokenEngine(t *testing.T) {
	_, kv := memory(t)
	h := &hooked{KV: kv}
	s := open(t, h, store.Options{})
	h.commit = func(store.Txn) (uint64, error) { return 0, store.ErrFull }
	if _, err := s.Commit(t.Context(), submission(1)); !errors.Is(err, store.ErrFull) {
		t.Errorf("commit: %v, want ErrFull", err)
	}
	select {
	case <-s.Failed():
		t.Error("a full disk is no failure of the engine")
	default:
	}
	h.commit = func(store.Txn) (uint64, error) { return 0, store.ErrFailed }
	if _, err := s.Commit(t.Context(), submission(1)); !errors.Is(err, store.ErrFailed) {
		t.Errorf("commit: %v, want ErrFailed", err)
	}
	<-s.Failed()
}
