package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/postgres"
	"countersign/store/postgres/pgtest"
	"countersign/workflow"
)

// The histories here are of people who click at the same time. Two approvals of three approvers are needed; one denial
// or the requester's withdrawal ends the request.

const needed = 2

// click is the input of an operation: what somebody does to one request.
type click struct {
	number workflow.Number
	verb   workflow.Verb // empty: look
	who    string
}

// told is its output: the state that was shown, and whether the click counted. After unclear nothing is known.
type told struct {
	state   workflow.State
	counted bool
	unclear bool
}

// clicked is the model's state of one request.
type clicked struct {
	state    workflow.State
	approved string // who has approved, sorted, comma-separated
}

// step is the model: what a click makes of a state, and whether it counts.
func (c clicked) step(in click) (clicked, bool) {
	if c.state != workflow.Pending {
		return c, false
	}
	switch in.verb {
	case workflow.Deny:
		c.state = workflow.Denied
		return c, true
	case workflow.Withdraw:
		c.state = workflow.Withdrawn
		return c, true
	case workflow.Approve:
		who := strings.FieldsFunc(c.approved, func(r rune) bool { return r == ',' })
		if slices.Contains(who, in.who) {
			return c, false
		}
		who = append(who, in.who)
		slices.Sort(who)
		c.approved = strings.Join(who, ",")
		if len(who) == needed {
			c.state = workflow.Approved
		}
		return c, true
	default:
		return c, true
	}
}

// model is nondeterministic only in what is unclear: such a click may have counted or not.
var model = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byNumber := map[workflow.Number][]porcupine.Operation{}
		for _, op := range history {
			n := op.Input.(click).number
			byNumber[n] = append(byNumber[n], op)
		}
		var parts [][]porcupine.Operation
		for _, ops := range byNumber {
			parts = append(parts, ops)
		}
		return parts
	},
	Init: func() []any { return []any{clicked{state: workflow.Pending}} },
	Step: func(state, input, output any) []any {
		c, out := state.(clicked), output.(told)
		next, counts := c.step(input.(click))
		if out.unclear {
			return []any{c, next}
		}
		if input.(click).verb == "" {
			counts = out.counted
		}
		if out.counted != counts || out.state != next.state {
			return nil
		}
		return []any{next}
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		in, out := input.(click), output.(told)
		return fmt.Sprintf("%s %s #%v: %+v", in.who, in.verb, in.number, out)
	},
}

// flaky is a store of which a part of the answers is lost, before or after the commit, as in a crash.
type flaky struct {
	workflow.Store
}

var errCut = errors.New("the answer is lost")

// Commit implements workflow.Store.
func (f flaky) Commit(ctx context.Context, c workflow.Commit) ([]workflow.Revision, error) {
	cut := rand.IntN(40)
	if cut == 0 && c.Delivery == "" {
		return nil, errCut
	}
	revs, err := f.Store.Commit(ctx, c)
	if cut == 1 && c.Delivery == "" && err == nil {
		return nil, errCut
	}
	return revs, err
}

// careless is the control: it stores what it is given over whatever is there, as an engine without revisions would.
type careless struct {
	workflow.Store
}

// Commit implements workflow.Store.
func (s careless) Commit(ctx context.Context, c workflow.Commit) ([]workflow.Revision, error) {
	for {
		revs, err := s.Store.Commit(ctx, c)
		if !errors.Is(err, workflow.ErrConflict) {
			return revs, err
		}
		for i, w := range c.Writes {
			if _, rev, err := s.Load(ctx, w.Request.Number); err == nil {
				c.Writes[i].Revision = rev
			}
		}
	}
}

// provider takes every draft; nothing here is ever called.
type provider struct{ workflow.Provider }

// Check implements workflow.Provider.
func (provider) Check(d workflow.Draft) (workflow.Change, error) {
	return workflow.Change{Action: d.Action, System: d.System, Group: d.Group, Subject: d.Subject}, nil
}

func full(who string) workflow.Actor {
	return workflow.Actor{Person: workflow.Person{User: who, Team: "T0HOME"}, Standing: workflow.FullMember}
}

// engines returns an engine for each store, as of replicas that know nothing of each other.
func engines(t *testing.T, stores ...workflow.Store) []*workflow.Engine {
	t.Helper()
	var es []*workflow.Engine
	for _, s := range stores {
		e, err := workflow.NewEngine(workflow.EngineOptions{
			Store: s, Now: func() time.Time { return time.Now().UTC() },
			Systems: []workflow.System{{Name: "gpu-lab", Provider: provider{}, Actions: []workflow.Action{workflow.Invite}}},
			Policy: workflow.Policy{Teams: []string{"T0HOME"}, Rules: []workflow.Rule{{
				Name: "two of three", Requesters: []string{"*"}, Channel: "C0APPROVALS",
				Approvers: []workflow.Approvers{{AnyOf: []string{"U0A", "U0B", "U0C"}, Count: needed}},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	return es
}

// newStore opens a store over an engine until the test ends.
func newStore(t *testing.T, kv store.KV, err error) *store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), kv, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newFile(t *testing.T) *store.Store {
	t.Helper()
	kv, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), bolt.Options{})
	return newStore(t, kv, err)
}

// historyOf lets people click on requests at the same time, and records what each was told and when.
func historyOf(t *testing.T, es []*workflow.Engine, requests, clients int) []porcupine.Operation {
	t.Helper()
	var numbers []workflow.Number
	for range requests {
		rs, err := es[0].Submit(t.Context(), workflow.Submission{
			Delivery: fmt.Sprint("make ", len(numbers)), Actor: full("U0REQ"),
			Drafts: []workflow.Draft{{Action: workflow.Invite, System: "gpu-lab", Group: "1001", Subject: workflow.Subject{Kind: workflow.Member, ID: fmt.Sprint(len(numbers))}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, rs[0].Number)
	}
	verbs := []workflow.Verb{workflow.Approve, workflow.Approve, workflow.Approve, workflow.Deny, workflow.Withdraw, ""}
	begun := time.Now()
	logs := make([][]porcupine.Operation, clients)
	var wg sync.WaitGroup
	for id := range clients {
		wg.Go(func() {
			// Everybody goes through the requests in the same order, so that they meet on each.
			for _, n := range numbers {
				for range 2 {
					in := click{n, verbs[rand.IntN(len(verbs))], "U0" + string(rune('A'+rand.IntN(3)))}
					if in.verb == workflow.Withdraw {
						in.who = "U0REQ"
					}
					call := time.Since(begun)
					out := do(t.Context(), es[id%len(es)], in)
					end := time.Since(begun)
					if out.unclear {
						end = time.Hour // it may still come about at any time
					}
					logs[id] = append(logs[id], porcupine.Operation{ClientId: id, Input: in, Output: out, Call: int64(call), Return: int64(end)})
				}
			}
		})
	}
	wg.Wait()
	return distinct(slices.Concat(logs...))
}

// distinct gives each operation a client of its own where an unclear one of the same client is still open.
func distinct(ops []porcupine.Operation) []porcupine.Operation {
	for i := range ops {
		ops[i].ClientId = i
	}
	return ops
}

func do(ctx context.Context, e *workflow.Engine, in click) told {
	var r workflow.Request
	var err error
	if in.verb == "" {
		r, err = e.Load(ctx, in.number)
	} else {
		r, err = e.Do(ctx, in.number, workflow.Command{Verb: in.verb, Actor: full(in.who), Reason: "x", Via: "test"})
	}
	if ref, ok := errors.AsType[*workflow.Refusal](err); ok && ref.Request != nil {
		return told{state: ref.Request.State}
	}
	if err != nil {
		return told{unclear: true}
	}
	return told{state: r.State, counted: true}
}

func TestClicks_AreLinearizable(t *testing.T) {
	s := newFile(t)
	linearizable(t, engines(t, flaky{s}, flaky{s}))
}

// TestClicks_AreLinearizableAmongReplicas: three stores, of as many processes, over one database.
func TestClicks_AreLinearizableAmongReplicas(t *testing.T) {
	dsn := pgtest.New(t).DSN(t)
	var stores []workflow.Store
	for range 3 {
		kv, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		stores = append(stores, flaky{newStore(t, kv, err)})
	}
	linearizable(t, engines(t, stores...))
}

func linearizable(t *testing.T, es []*workflow.Engine) {
	t.Helper()
	ops := historyOf(t, es, 300, 9)
	unclear, counted := 0, 0
	for _, op := range ops {
		switch out := op.Output.(told); {
		case out.unclear:
			unclear++
		case out.counted && op.Input.(click).verb != "":
			counted++
		}
	}
	begun := time.Now()
	result, _ := porcupine.CheckOperationsVerbose(model.ToModel(), ops, time.Minute)
	t.Logf("%d operations on 300 requests, %d counted, %d unclear: %s, checked in %v", len(ops), counted, unclear, result, time.Since(begun).Round(time.Millisecond))
	if result != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", result)
	}
	if counted < 300 || unclear == 0 {
		t.Error("the history is too tame to show anything")
	}
}

// TestClicks_DoubleDecisionIsFound is the control: where a store forgets to compare revisions, the check must see it.
func TestClicks_DoubleDecisionIsFound(t *testing.T) {
	s := newFile(t)
	es := engines(t, careless{s}, careless{s})
	begun := time.Now()
	ops := historyOf(t, es, 300, 8)
	result := porcupine.CheckOperationsTimeout(model.ToModel(), ops, time.Minute)
	t.Logf("%d operations without revisions: %s, found in %v", len(ops), result, time.Since(begun).Round(time.Millisecond))
	if result != porcupine.Illegal {
		t.Errorf("lost updates were not found: %s", result)
	}
}
