package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/store"
	"countersign/workflow"
)

func numbersOf(rs []workflow.Request) []workflow.Number {
	ns := []workflow.Number{}
	for _, r := range rs {
		ns = append(ns, r.Number)
	}
	return ns
}

func testList(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	// Ten requests: odd ones of alice, even ones of bob; 3 approved, 4 denied, 7 done.
	for n := workflow.Number(1); n <= 10; n++ {
		by := alice
		if n%2 == 0 {
			by = bob
		}
		r, rev := submit(t, s, by)
		if to, ok := map[workflow.Number]workflow.State{3: workflow.Approved, 4: workflow.Denied, 7: workflow.Done}[n]; ok {
			mustCommit(t, s, Move(r, rev, to))
		}
	}
	for _, tc := range []struct {
		name  string
		query workflow.Query
		want  []workflow.Number
	}{
		{"all", workflow.Query{}, []workflow.Number{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"newest two", workflow.Query{Limit: 2}, []workflow.Number{10, 9}},
		{"next two", workflow.Query{Limit: 2, Before: 9}, []workflow.Number{8, 7}},
		{"before the first", workflow.Query{Before: 1}, []workflow.Number{}},
		{"alice", workflow.Query{Requester: alice}, []workflow.Number{9, 7, 5, 3, 1}},
		{"bob before 6", workflow.Query{Requester: bob, Before: 6}, []workflow.Number{4, 2}},
		{"nobody", workflow.Query{Requester: workflow.Person{User: "U0ALICE"}}, []workflow.Number{}},
		{"pending", workflow.Query{States: []workflow.State{workflow.Pending}}, []workflow.Number{10, 9, 8, 6, 5, 2, 1}},
		{"decided", workflow.Query{States: []workflow.State{workflow.Done, workflow.Approved, workflow.Denied, workflow.Done}}, []workflow.Number{7, 4, 3}},
		{"two states, two of them", workflow.Query{States: []workflow.State{workflow.Approved, workflow.Pending}, Limit: 2, Before: 5}, []workflow.Number{3, 2}},
	} {
		got, err := s.List(t.Context(), tc.query)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if diff := cmp.Diff(tc.want, numbersOf(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	checkWhole(t, s)
}

// fill stores n requests in big commits: every tenth is pending, the others are done; all are due in the far future.
func fill(t testing.TB, s *store.Store, n int) {
	t.Helper()
	const step = 500
	for done := 0; done < n; done += step {
		count := min(step, n-done)
		first := mustReserve(t, s, count)
		rs := make([]workflow.Request, count)
		for i := range rs {
			rs[i] = NewRequest(first+workflow.Number(i), workflow.Person{User: fmt.Sprint("U", i%20), Team: "T0ONE"})
			if i%10 != 0 {
				rs[i].State = workflow.Done
			}
		}
		mustCommit(t, s, Submission("", rs...))
	}
}

func testListCost(t *testing.T, e Engine) {
	kv := NewCounting(mustOpenKV(t, e))
	s, err := store.Open(t.Context(), kv, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is left to lose
	pending := []workflow.State{workflow.Pending}
	reads := map[string]func() error{
		"list": func() error { _, err := s.List(t.Context(), workflow.Query{Limit: 20}); return err },
		"mine": func() error {
			_, err := s.List(t.Context(), workflow.Query{Requester: workflow.Person{User: "U7", Team: "T0ONE"}, Limit: 20})
			return err
		},
		"pending": func() error { _, err := s.List(t.Context(), workflow.Query{States: pending, Limit: 20}); return err },
		"open": func() error {
			_, err := s.List(t.Context(), workflow.Query{States: workflow.States()[:4], Limit: 20})
			return err
		},
		"due":     func() error { _, err := s.Due(t.Context(), epoch.AddDate(9, 0, 0), workflow.DueItem{}, 20); return err },
		"history": func() error { _, err := s.History(t.Context(), 77); return err },
		"load":    func() error { _, _, err := s.Load(t.Context(), 77); return err },
	}
	measure := func() map[string]uint64 {
		costs := map[string]uint64{}
		for name, read := range reads {
			before := kv.Reads()
			if err := read(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			costs[name] = kv.Reads() - before
		}
		return costs
	}
	fill(t, s, 1000)
	few := measure()
	fill(t, s, 19000)
	if diff := cmp.Diff(few, measure()); diff != "" {
		t.Errorf("items read with 1,000 (-) and with 20,000 (+) stored:\n%s", diff)
	}
	// What is returned, once in the index and once as a record; with several states, 20 of each index.
	for name, most := range map[string]uint64{"list": 20, "mine": 40, "pending": 40, "open": 100, "due": 20, "history": 2, "load": 1} {
		if few[name] == 0 || few[name] > most {
			t.Errorf("%s reads %d items, want 1 to %d", name, few[name], most)
		}
	}
}

func testDue(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	var want []workflow.DueItem
	first := mustReserve(t, s, 25)
	for i := range workflow.Number(25) {
		r := NewRequest(first+i, alice)
		// Five at the same moment each, one nanosecond apart, the first of them before 1970.
		due := time.Unix(-1, 999999999).Add(time.Duration(i / 5)).UTC()
		r.Effects = []workflow.Effect{{ID: 1, Kind: workflow.CardEffect, Due: due.Add(time.Hour)}, {ID: 2, Kind: workflow.CardEffect, Due: due}}
		want = append(want, workflow.DueItem{Due: due, Number: r.Number})
		mustCommit(t, s, Submission("", r))
	}
	for _, tc := range []struct{ until, limit, want int }{{4, 100, 25}, {3, 100, 20}, {0, 100, 5}, {-1, 100, 0}, {4, 1, 25}, {4, 7, 25}, {2, 4, 15}} {
		until := want[0].Due.Add(time.Duration(tc.until))
		got := []workflow.DueItem{}
		for behind := (workflow.DueItem{}); ; behind = got[len(got)-1] {
			page, err := s.Due(t.Context(), until, behind, tc.limit)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, page...); len(page) < tc.limit {
				break
			}
		}
		if diff := cmp.Diff(append([]workflow.DueItem{}, want[:tc.want]...), got); diff != "" {
			t.Errorf("until %d, pages of %d (-want +got):\n%s", tc.until, tc.limit, diff)
		}
	}
	checkWhole(t, s)
}

func testDueMoves(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	r, rev := submit(t, s, alice)
	check := func(want ...workflow.DueItem) {
		t.Helper()
		got, err := s.Due(t.Context(), epoch.AddDate(1, 0, 0), workflow.DueItem{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]workflow.DueItem{}, want...), got); diff != "" {
			t.Errorf("due (-want +got):\n%s", diff)
		}
	}
	check(workflow.DueItem{Due: r.Due(), Number: r.Number})
	later := epoch.Add(time.Hour * 1000)
	rev = mustCommit(t, s, Move(r, rev, workflow.Approved, workflow.Effect{ID: 9, Kind: workflow.CallEffect, Due: later}))[0]
	check(workflow.DueItem{Due: later, Number: r.Number})
	r.State = workflow.Approved
	mustCommit(t, s, Move(r, rev, workflow.Done))
	check()
	checkWhole(t, s)
}

func testHistory(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	a, revA := submit(t, s, alice)
	b, revB := submit(t, s, bob)
	mustCommit(t, s, workflow.Commit{At: epoch, Entries: []workflow.Entry{{At: epoch, Verb: "start", Via: "operator", Detail: "\"\\\u2028<>&\x01\té"}}})
	mustCommit(t, s, Move(a, revA, workflow.Approved))
	mustCommit(t, s, Move(b, revB, workflow.Denied))
	all, err := s.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	prev := "0000000000000000000000000000000000000000000000000000000000000000"
	for i, e := range all {
		if e.Seq != uint64(i+1) || e.Prev != prev || len(e.Hash) != 64 {
			t.Errorf("entry %d: seq %d, prev %s, hash %s", i+1, e.Seq, e.Prev, e.Hash)
		}
		prev = e.Hash
	}
	for n, want := range map[workflow.Number][]workflow.Entry{a.Number: {all[0], all[3]}, b.Number: {all[1], all[4]}} {
		got, err := s.History(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history of %d (-want +got):\n%s", n, diff)
		}
	}
	if page, err := s.Audit(t.Context(), 2, 2); err != nil || !cmp.Equal(page, all[1:3]) {
		t.Errorf("page of the audit trail: %v, %v", page, err)
	}
	if head, err := s.Verify(t.Context()); err != nil || head != (store.Head{Seq: 5, Hash: prev}) {
		t.Errorf("verify: %v, %v", head, err)
	}
	checkWhole(t, s)
}

func testStats(t *testing.T, e Engine) {
	s := mustOpen(t, e, store.Options{})
	fill(t, s, 50)
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Open[workflow.Pending] != 5 || st.Open[workflow.Done] != 0 || st.Number != 50 || st.Head.Seq != 50 {
		t.Errorf("statistics: %+v", st)
	}
	var copied bytes.Buffer
	if err := s.Backup(t.Context(), &copied); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("backup: %v", err)
	}
}
