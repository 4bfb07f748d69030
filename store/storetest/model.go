package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"countersign/store"
	"countersign/workflow"
)

var modelTests = []contract{
	{"RandomCourses", testModel},
}

// testModel drives a store and a plain map with the same random course of events, restarts among them, and compares what
// they answer.
func testModel(t *testing.T, _ Engine, newEngine func(*testing.T) Engine) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{t: t, engine: newEngine(t), requests: map[workflow.Number]stored{}, deliveries: map[string][]workflow.Number{}}
		m.store = mustOpen(t, m.engine, store.Options{})
		defer func() { m.store.Close() }() //nolint:errcheck // restarts check it
		rt.Repeat(map[string]func(*rapid.T){
			"submit":  m.submit,
			"move":    m.move,
			"restart": m.restart,
			"list":    m.list,
			"due":     m.due,
			"history": m.history,
		})
		m.whole(rt)
	})
}

// model is what a store must look like.
type model struct {
	t      *testing.T
	engine Engine
	store  *store.Store

	requests   map[workflow.Number]stored
	deliveries map[string][]workflow.Number
	highest    workflow.Number
	entries    int
}

type stored struct {
	request workflow.Request
	rev     workflow.Revision
	verbs   []workflow.State // to which states its entries led
}

var people = []workflow.Person{alice, bob, {User: "U0ALICE", Team: "T0TWO"}, {}}

func (m *model) submit(rt *rapid.T) {
	count := rapid.IntRange(1, 3).Draw(rt, "count")
	first, err := m.store.Reserve(m.t.Context(), count)
	if err != nil {
		rt.Fatal(err)
	}
	if first <= m.highest {
		rt.Fatalf("number %d, %d is stored", first, m.highest)
	}
	var rs []workflow.Request
	var numbers []workflow.Number
	for i := range count {
		r := NewRequest(first+workflow.Number(i), rapid.SampledFrom(people).Draw(rt, "requester"))
		r.Effects = m.effects(rt)
		rs, numbers = append(rs, r), append(numbers, r.Number)
	}
	delivery := rapid.SampledFrom([]string{"", "", "d1", "d2", "d3", "d4"}).Draw(rt, "delivery")
	revs, err := m.store.Commit(m.t.Context(), Submission(delivery, rs...))
	if before, known := m.deliveries[delivery]; known {
		var dup *workflow.DuplicateError
		if !errors.As(err, &dup) || !slices.Equal(dup.Numbers, before) {
			rt.Fatalf("delivery again: %v, want duplicate of %v", err, before)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	if delivery != "" {
		m.deliveries[delivery] = numbers
	}
	for i, r := range rs {
		m.requests[r.Number] = stored{r, revs[i], []workflow.State{r.State}}
		m.highest = max(m.highest, r.Number)
		m.entries++
	}
}

func (m *model) effects(rt *rapid.T) []workflow.Effect {
	var es []workflow.Effect
	for i := range rapid.IntRange(0, 2).Draw(rt, "effects") {
		due := epoch.Add(time.Duration(rapid.IntRange(-2, 2).Draw(rt, "due")) * time.Hour)
		es = append(es, workflow.Effect{ID: uint64(i), Kind: workflow.CardEffect, Due: due})
	}
	return es
}

func (m *model) pick(rt *rapid.T) stored {
	if len(m.requests) == 0 {
		rt.Skip("nothing stored")
	}
	return m.requests[rapid.SampledFrom(m.sorted()).Draw(rt, "number")]
}

// sorted are the stored numbers, newest first.
func (m *model) sorted() []workflow.Number {
	ns := make([]workflow.Number, 0, len(m.requests))
	for n := range m.requests {
		ns = append(ns, n)
	}
	slices.SortFunc(ns, func(a, b workflow.Number) int { return cmp.Compare(b, a) })
	return ns
}

func (m *model) move(rt *rapid.T) {
	was := m.pick(rt)
	c := Move(was.request, was.rev, rapid.SampledFrom(workflow.States()).Draw(rt, "to"), m.effects(rt)...)
	if rapid.Bool().Draw(rt, "stale") {
		c.Writes[0].Revision--
		if _, err := m.store.Commit(m.t.Context(), c); !errors.Is(err, workflow.ErrConflict) {
			rt.Fatalf("stale move: %v, want ErrConflict", err)
		}
		return
	}
	revs, err := m.store.Commit(m.t.Context(), c)
	if err != nil {
		rt.Fatal(err)
	}
	now := c.Writes[0].Request
	m.requests[now.Number] = stored{now, revs[0], append(slices.Clone(was.verbs), now.State)}
	m.entries++
}

func (m *model) restart(rt *rapid.T) {
	if err := m.store.Close(); err != nil {
		rt.Fatal(err)
	}
	kv, err := m.engine.Open()
	if err != nil {
		rt.Fatal(err)
	}
	if m.store, err = store.Open(m.t.Context(), kv, store.Options{}); err != nil {
		rt.Fatal(err)
	}
}

func (m *model) list(rt *rapid.T) {
	q := workflow.Query{Limit: rapid.IntRange(1, 5).Draw(rt, "limit"), Before: workflow.Number(rapid.IntRange(0, 8).Draw(rt, "before"))}
	switch rapid.IntRange(0, 2).Draw(rt, "by") {
	case 1:
		q.Requester = rapid.SampledFrom(people[:3]).Draw(rt, "requester")
	case 2:
		q.States = rapid.SliceOfN(rapid.SampledFrom(workflow.States()), 1, 3).Draw(rt, "states")
	}
	want := []workflow.Request{}
	for _, n := range m.sorted() {
		r := m.requests[n].request
		fits := (q.Before == 0 || n < q.Before) &&
			(q.Requester == workflow.Person{} || q.Requester == r.Requester) &&
			(len(q.States) == 0 || slices.Contains(q.States, r.State))
		if fits && len(want) < q.Limit {
			want = append(want, r)
		}
	}
	got, err := m.store.List(m.t.Context(), q)
	if err != nil {
		rt.Fatal(err)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("%+v (-want +got):\n%s", q, diff)
	}
}

func (m *model) due(rt *rapid.T) {
	until := epoch.Add(time.Duration(rapid.IntRange(-2, 2).Draw(rt, "until")) * time.Hour)
	want := []workflow.DueItem{}
	for n, s := range m.requests {
		if due := s.request.Due(); !due.IsZero() && !due.After(until) {
			want = append(want, workflow.DueItem{Due: due, Number: n})
		}
	}
	slices.SortFunc(want, func(a, b workflow.DueItem) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Number, b.Number))
	})
	got, err := m.store.Due(m.t.Context(), until, workflow.DueItem{}, 1000)
	if err != nil {
		rt.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("due (-want +got):\n%s", diff)
	}
}

func (m *model) history(rt *rapid.T) {
	want := m.pick(rt)
	r, rev, err := m.store.Load(m.t.Context(), want.request.Number)
	if err != nil || rev != want.rev {
		rt.Fatalf("load: revision %d, %v; want %d", rev, err, want.rev)
	}
	if diff := gocmp.Diff(want.request, r, cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("load (-want +got):\n%s", diff)
	}
	h, err := m.store.History(m.t.Context(), r.Number)
	if err != nil {
		rt.Fatal(err)
	}
	var got []workflow.State
	for _, e := range h {
		got = append(got, e.To)
	}
	if !slices.Equal(got, want.verbs) {
		rt.Fatalf("history leads to %v, want %v", got, want.verbs)
	}
}

func (m *model) whole(rt *rapid.T) {
	if err := m.store.CheckIndexes(m.t.Context()); err != nil {
		rt.Fatal(err)
	}
	head, err := m.store.Verify(m.t.Context())
	if err != nil || head.Seq != uint64(m.entries) {
		rt.Fatal(fmt.Sprintf("the audit trail ends with %d, %v; want %d", head.Seq, err, m.entries))
	}
}
