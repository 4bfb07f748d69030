package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/store"
	"countersign/workflow"
)

var crashTests = []contract{
	{"BetweenAnyTwoOperations", testCrash},
}

// testCrash lets a fixed course of events die before and after each of its commits, reopens, and demands that all that
// was acknowledged is there, that the commit that died is there whole or not at all, and that the course can go on.
func testCrash(t *testing.T, _ Engine, newEngine func(*testing.T) Engine) {
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at++ {
			name := fmt.Sprintf("at %d, after %t", at, after)
			e := newEngine(t)
			kv := mustOpenKV(t, e)
			acked, err := course(t, &Crashing{KV: kv, At: at, After: after})
			if errClose := kv.Close(); errClose != nil {
				t.Fatal(errClose)
			}
			if err == nil {
				if at < 8 {
					t.Errorf("the course ended at commit %d: it is too short to be of use", at)
				}
				break
			}
			if !errors.Is(err, ErrCrash) {
				t.Fatalf("%s: %v", name, err)
			}
			afterCrash(t, name, e, acked, after)
		}
	}
}

func afterCrash(t *testing.T, name string, e Engine, acked int, stored bool) {
	t.Helper()
	s := mustOpen(t, e, store.Options{})
	defer s.Close() //nolint:errcheck // the next round opens another
	checkWhole(t, s)
	all, err := s.List(t.Context(), workflow.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, r := range all {
		h, err := s.History(t.Context(), r.Number)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s, %d entries", r.Change.Remark, r.State, len(h)))
	}
	steps := acked
	if stored {
		steps++
	}
	if diff := cmp.Diff(states(steps), got); diff != "" {
		t.Errorf("%s: after %d steps (-want +got):\n%s", name, steps, diff)
	}
	if t.Failed() {
		return
	}
	// What the course had not done yet can be done now; what it had done is not done again.
	if err := play(t, s, 0); err != nil {
		t.Errorf("%s: the course again: %v", name, err)
	}
	checkWhole(t, s)
}

// states are the requests, newest first, after so many steps of the course.
func states(steps int) []string {
	all := [][]string{
		{},
		{},
		{"a pending, 1 entries"},
		{"c pending, 1 entries", "b pending, 1 entries", "a pending, 1 entries"},
		{"c pending, 1 entries", "b pending, 1 entries", "a approved, 2 entries"},
		{"c pending, 1 entries", "b pending, 1 entries", "a executing, 3 entries"},
		{"d pending, 1 entries", "c pending, 1 entries", "b pending, 1 entries", "a done, 4 entries"},
		{"d pending, 1 entries", "c withdrawn, 2 entries", "b denied, 2 entries", "a done, 4 entries"},
	}
	if steps < 0 {
		return all[0]
	}
	return all[min(steps, len(all)-1)]
}

// course plays the course on a new store and returns how many steps were acknowledged. Opening is the first.
func course(t *testing.T, kv store.KV) (acked int, err error) {
	// The store closes the KV; here the test does, after the crash.
	s, err := store.Open(t.Context(), keepOpen{kv}, store.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close() //nolint:errcheck // it closes nothing
	steps := 1
	for i := range courseSteps {
		if err := step(t, s, i); err != nil {
			return steps, err
		}
		steps++
	}
	return steps, nil
}

// play plays the course on a store that may have seen a part of it. Each step has a delivery, so it is done once.
func play(t *testing.T, s *store.Store, from int) error {
	for i := from; i < courseSteps; i++ {
		var dup *workflow.DuplicateError
		if err := step(t, s, i); err != nil && !errors.As(err, &dup) {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

const courseSteps = 7

func step(t *testing.T, s *store.Store, i int) error {
	var c workflow.Commit
	switch i {
	case 0:
		c = named(t, s, "a")
	case 1:
		c = named(t, s, "b", "c")
	case 2:
		c = moveNamed(t, s, "a", workflow.Approved)
	case 3:
		c = moveNamed(t, s, "a", workflow.Executing)
	case 4: // done, and a child
		c = moveNamed(t, s, "a", workflow.Done)
		c.Writes = append(c.Writes, named(t, s, "d").Writes...)
	case 5: // two requests at once
		c = moveNamed(t, s, "b", workflow.Denied)
		c.Writes = append(c.Writes, moveNamed(t, s, "c", workflow.Withdrawn).Writes...)
	case 6:
		c = workflow.Commit{At: epoch, Entries: []workflow.Entry{{At: epoch, Verb: "note"}}}
	}
	c.Delivery = fmt.Sprint("step ", i)
	_, err := s.Commit(t.Context(), c)
	return err
}

func named(t *testing.T, s *store.Store, names ...string) workflow.Commit {
	t.Helper()
	first := mustReserve(t, s, len(names))
	var rs []workflow.Request
	for i, name := range names {
		r := NewRequest(first+workflow.Number(i), alice)
		r.Change.Remark = name
		rs = append(rs, r)
	}
	return Submission("", rs...)
}

// moveNamed moves a request on; one that is not there makes an empty commit, which only its delivery decides about.
func moveNamed(t *testing.T, s *store.Store, name string, to workflow.State) workflow.Commit {
	t.Helper()
	all, err := s.List(t.Context(), workflow.Query{Limit: 100})
	if err != nil {
		return workflow.Commit{}
	}
	for _, r := range all {
		if r.Change.Remark == name {
			if _, rev, err := s.Load(t.Context(), r.Number); err == nil {
				return Move(r, rev, to)
			}
		}
	}
	return workflow.Commit{}
}

// keepOpen is a KV that Close leaves open.
type keepOpen struct{ store.KV }

// Close implements store.KV.
func (keepOpen) Close() error { return nil }
