// Package storetest is the contract of a store.KV engine, and of the store above it, as tests. An engine is done when
// Run passes.
package storetest

import (
	"fmt"
	"testing"
	"time"

	"countersign/store"
	"countersign/workflow"
)

// Engine is one database for one test, empty at first.
type Engine struct {
	// Open opens the database; again, after the handle was closed, it opens what is then there.
	Open func() (store.KV, error)
	// Shared says that Open may also be called while other handles are open, as several replicas do.
	Shared bool
}

// Run checks an engine against the contract. newEngine is called many times, for a new database each time.
func Run(t *testing.T, newEngine func(t *testing.T) Engine) {
	for _, group := range []struct {
		name  string
		tests []contract
	}{
		{"KV", kvTests},
		{"Store", storeTests},
		{"Crash", crashTests},
		{"Replicas", replicaTests},
		{"Model", modelTests},
		{"Prune", pruneTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) { c.run(t, newEngine(t), newEngine) })
			}
		})
	}
}

// contract is one test. Most need one database; some make more of them.
type contract struct {
	name string
	run  func(t *testing.T, e Engine, newEngine func(t *testing.T) Engine)
}

func one(name string, run func(t *testing.T, e Engine)) contract {
	return contract{name, func(t *testing.T, e Engine, _ func(*testing.T) Engine) { run(t, e) }}
}

func mustOpenKV(t testing.TB, e Engine) store.KV {
	t.Helper()
	kv, err := e.Open()
	if err != nil {
		t.Fatalf("open engine: %v", err)
	}
	return kv
}

// mustOpen opens a store that is closed at the end of the test, if it was not closed before.
func mustOpen(t testing.TB, e Engine, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), mustOpenKV(t, e), opts)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // a second Close repeats the first
	return s
}

// reopen closes a store and opens what is then there.
func reopen(t testing.TB, s *store.Store, e Engine, opts store.Options) *store.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close store: %v", err)
	}
	return mustOpen(t, e, opts)
}

// checkWhole demands what must hold of every database at rest.
func checkWhole(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.CheckIndexes(t.Context()); err != nil {
		t.Errorf("indexes: %v", err)
	}
	if _, err := s.Verify(t.Context()); err != nil {
		t.Errorf("audit trail: %v", err)
	}
}

// epoch is when the tests' requests are made.
var epoch = time.Date(2026, 3, 4, 5, 6, 7, 890123456, time.UTC)

var (
	alice = workflow.Person{User: "U0ALICE", Team: "T0ONE"}
	bob   = workflow.Person{User: "U0BOB", Team: "T0ONE"}
)

// NewRequest is a pending request as a slash command makes it, about 1 KB as JSON.
func NewRequest(n workflow.Number, by workflow.Person) workflow.Request {
	at := epoch.Add(time.Duration(n) * time.Second)
	return workflow.Request{
		Number: n,
		State:  workflow.Pending,
		Change: workflow.Change{
			Action:  workflow.Invite,
			System:  "gpu-lab",
			Group:   "1001",
			Subject: workflow.Subject{Kind: workflow.Member, ID: fmt.Sprint(50000 + n)},
			Remark:  "张三",
			Limit:   30 * 24 * time.Hour,
		},
		Reason:    "training run of the speech model, until the end of the quarter",
		Requester: by,
		Created:   at,
		Updated:   at,
		Expires:   at.Add(24 * time.Hour),
		Seq:       1,
		Effects: []workflow.Effect{
			{ID: 1, Kind: workflow.CardEffect, Due: at, About: "submit", By: by},
			{ID: 2, Kind: workflow.ExpireEffect, Due: at.Add(24 * time.Hour)},
			{ID: 3, Kind: workflow.RemindEffect, Due: at.Add(4 * time.Hour)},
		},
	}
}

// Submission is the commit that makes new requests, all of one delivery.
func Submission(delivery string, rs ...workflow.Request) workflow.Commit {
	c := workflow.Commit{Delivery: delivery}
	for _, r := range rs {
		c.At = r.Created
		c.Writes = append(c.Writes, workflow.Write{Request: r, Entries: []workflow.Entry{{
			At: r.Created, Verb: "submit", To: r.State, By: r.Requester, Via: "slack C0APPROVALS", Detail: r.Reason,
		}}})
	}
	return c
}

// Move is the commit that brings a request to a state and leaves it with the effects given.
func Move(r workflow.Request, rev workflow.Revision, to workflow.State, effects ...workflow.Effect) workflow.Commit {
	from := r.State
	r.State, r.Effects = to, effects
	r.Seq++
	r.Updated = r.Updated.Add(time.Minute)
	return workflow.Commit{At: r.Updated, Writes: []workflow.Write{{Request: r, Revision: rev, Entries: []workflow.Entry{{
		At: r.Updated, Verb: "move", From: from, To: to, By: bob, Via: "slack",
	}}}}}
}

// mustCommit commits and returns the revisions.
func mustCommit(t testing.TB, s *store.Store, c workflow.Commit) []workflow.Revision {
	t.Helper()
	revs, err := s.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return revs
}

// mustReserve reserves n numbers.
func mustReserve(t testing.TB, s *store.Store, n int) workflow.Number {
	t.Helper()
	first, err := s.Reserve(t.Context(), n)
	if err != nil {
		t.Fatalf("reserve: %v", err)
	}
	return first
}

// submit makes one request.
func submit(t testing.TB, s *store.Store, by workflow.Person) (workflow.Request, workflow.Revision) {
	t.Helper()
	r := NewRequest(mustReserve(t, s, 1), by)
	return r, mustCommit(t, s, Submission("", r))[0]
}
