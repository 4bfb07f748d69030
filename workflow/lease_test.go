package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"countersign/store"
	"countersign/store/storetest"
	"countersign/workflow"
)

// fleet is several replicas in one world, over one database.
type fleet struct {
	*world
	logger   *slog.Logger
	replicas []*replica
}

// replica is one of them. Its world's store and engine are its own.
type replica struct {
	*world
	logger *slog.Logger
	// steps is called at the runner's points.
	steps func(point string)
}

// virtualFleet runs a test in virtual time with n replicas whose clocks differ by minutes, and with a call_timeout, if given.
func virtualFleet(t *testing.T, n int, f func(f *fleet), limit ...time.Duration) {
	t.Helper()
	gpu, studio := emulators(t)
	synctest.Test(t, func(t *testing.T) {
		shared := newWorld(t, "", gpu, studio)
		fl := &fleet{world: shared, logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))}
		m := &storetest.Memory{}
		for i := range n {
			r := &replica{world: &world{
				t: t, gpu: gpu, studio: studio, policy: shared.policy, desk: shared.desk, wire: shared.wire,
				step: never, ahead: time.Duration(i) * 3 * time.Minute,
			}, logger: fl.logger.With("replica", i), steps: func(string) {}}
			if len(limit) > 0 {
				r.limit = limit[0]
			}
			r.join(m, fmt.Sprint("replica-", i))
			fl.replicas = append(fl.replicas, r)
		}
		defer func() {
			for _, r := range fl.replicas {
				r.stop()
			}
			shared.wire.under.Wait()
			if err := fl.replicas[0].store.CheckIndexes(context.Background()); err != nil {
				t.Error(err)
			}
			if _, err := fl.replicas[0].store.Verify(context.Background()); err != nil {
				t.Error(err)
			}
			for _, r := range fl.replicas {
				if err := r.store.Close(); err != nil {
					t.Error(err)
				}
			}
		}()
		f(fl)
	})
}

// join starts a replica.
func (r *replica) join(m *storetest.Memory, name string) {
	r.t.Helper()
	kv, err := m.Open()
	if err != nil {
		r.t.Fatal(err)
	}
	if r.store, err = store.Open(context.Background(), kv, store.Options{Now: r.now}); err != nil {
		r.t.Fatal(err)
	}
	start := time.Now()
	r.engine, err = workflow.NewEngine(workflow.EngineOptions{
		Store: r.store, Systems: r.systems(), Policy: r.policy, Now: r.now,
		Owed:    func(req workflow.Request) { r.runner.Owed(req) },
		Replica: name, Elapsed: func() time.Duration { return time.Since(start) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.runner = workflow.NewRunner(workflow.RunnerOptions{
		Engine: r.engine, Notifier: r.desk, Logger: r.logger,
		Step: func(point string, _ workflow.Number) { r.steps(point) },
	})
	live, end := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := r.runner.Run(live, live); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
	r.stop = func() {
		end()
		<-over
		r.stop = func() {}
	}
}

// pauses lets a replica stand still once, at a point, until the channel is closed.
func (r *replica) pauses(at string) chan struct{} {
	wake := make(chan struct{})
	stood := false
	r.steps = func(point string) {
		if point == at && !stood {
			stood = true
			<-wake
		}
	}
	return wake
}

// once demands that the change was applied once, and that there is one card, which shows the state.
func (f *fleet) once(n workflow.Number, company string, calls int, want workflow.State) {
	f.t.Helper()
	for i, r := range f.replicas {
		if got := r.load(n).State; got != want {
			f.t.Errorf("replica %d: the state is %s, want %s", i, got, want)
		}
	}
	if got := f.invites(company); len(got) != calls || applied(got) > 1 {
		f.t.Errorf("%d calls were made, %d applied; want %d calls", len(got), applied(got), calls)
	}
	f.desk.mu.Lock()
	cards := len(f.desk.cards[n])
	f.desk.mu.Unlock()
	if cards != 1 {
		f.t.Errorf("%d cards, want 1", cards)
	}
	if got := f.desk.shows(n); got != want {
		f.t.Errorf("the card shows %s, want %s", got, want)
	}
}

func TestLease_AnyReplicaTakesAnything(t *testing.T) {
	virtualFleet(t, 3, func(f *fleet) {
		a, b, c := f.replicas[0], f.replicas[1], f.replicas[2]
		n := a.asks(invite(50002))
		synctest.Wait()
		b.approves(n)
		f.passes(2 * time.Minute)
		f.once(n, "50002", 1, workflow.Done)
		if got := len(f.desk.notes(n, workflow.ThreadEffect, workflow.Succeed)); got != 1 {
			t.Errorf("%d replies about the end, want 1", got)
		}
		if got := c.load(n).Effects; len(got) != 0 {
			t.Errorf("still owed: %v", got)
		}
	})
}

// TestLease_CallInFlightIsLeftAlone: a call that takes its time at one replica is not lost in the eyes of another.
func TestLease_CallInFlightIsLeftAlone(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		f.wire.slows(func(call string) time.Duration {
			if call == "CreateCompShareTeamRelation" {
				return 18 * time.Second
			}
			return 0
		})
		n := f.replicas[0].asks(invite(50002))
		f.replicas[0].approves(n)
		f.passes(10 * time.Second)
		f.replicas[1].runner.Wake()
		f.passes(5 * time.Minute)
		f.once(n, "50002", 1, workflow.Done)
		for _, v := range f.replicas[1].history(n) {
			if v == workflow.Lose {
				t.Error("the call was taken for lost")
			}
		}
	})
}

// TestLease_PausedReplica: a replica stands still at a point, for longer than any lease; another one takes over. When it
// wakes up it stores nothing and calls nobody.
func TestLease_PausedReplica(t *testing.T) {
	for point, calls := range map[string]int{
		"before_begin": 1, "before_call": 1, "after_call": 1, "before_post": 1, "after_post": 1,
	} {
		t.Run(point, func(t *testing.T) {
			virtualFleet(t, 3, func(f *fleet) {
				a, b := f.replicas[0], f.replicas[1]
				if point == "before_post" || point == "after_post" {
					wake := a.pauses(point)
					n := a.asks(invite(50002))
					f.passes(3 * time.Minute)
					b.approves(n)
					f.passes(5 * time.Minute)
					close(wake)
					f.passes(5 * time.Minute)
					f.once(n, "50002", calls, workflow.Done)
					return
				}
				n := a.asks(invite(50002))
				f.passes(time.Minute)
				wake := a.pauses(point)
				a.approves(n)
				f.passes(10 * time.Minute)
				close(wake)
				f.passes(5 * time.Minute)
				f.once(n, "50002", calls, workflow.Done)
			})
		})
	}
}

// TestLease_DeadReplica: what a replica owed that is gone, others carry out, each thing once.
func TestLease_DeadReplica(t *testing.T) {
	for _, point := range []string{"before_begin", "before_call", "after_call", "before_post", "after_post"} {
		t.Run(point, func(t *testing.T) {
			virtualFleet(t, 2, func(f *fleet) {
				a, b := f.replicas[0], f.replicas[1]
				a.steps = func(p string) {
					if p == point {
						a.steps = func(string) { runtime.Goexit() }
						runtime.Goexit()
					}
				}
				n := a.asks(invite(50002))
				f.passes(3 * time.Minute)
				if got := b.load(n); got.State == workflow.Pending {
					b.approves(n)
				}
				f.passes(8 * time.Minute)
				f.once(n, "50002", 1, workflow.Done)
			})
		})
	}
}

// TestLease_TimersAreNotDoubled: every replica sees a timer fall due; one reminder is sent, and one end recorded.
func TestLease_TimersAreNotDoubled(t *testing.T) {
	virtualFleet(t, 1, func(f *fleet) {
		m := &storetest.Memory{}
		r := rule(anyOf(1, lead.User))
		r.RemindEvery, r.Expires = time.Hour, 150*time.Minute
		var fl []*replica
		for i := range 3 {
			rep := &replica{world: &world{
				t: t, gpu: f.gpu, studio: f.studio, policy: policy(r), desk: f.desk, wire: f.wire, step: never,
			}, logger: f.logger, steps: func(string) {}}
			rep.join(m, fmt.Sprint("timer-", i))
			fl = append(fl, rep)
			defer func() { rep.stop(); rep.store.Close() }()
		}
		n := fl[0].asks(invite(50002))
		f.passes(4 * time.Hour)
		if got := fl[1].load(n).State; got != workflow.Expired {
			t.Errorf("the state is %s, want expired", got)
		}
		if got := len(f.desk.notes(n, workflow.ThreadEffect, workflow.Remind)); got != 2 {
			t.Errorf("%d reminders, want 2", got)
		}
		expired := 0
		for _, v := range fl[2].history(n) {
			if v == workflow.Expire {
				expired++
			}
		}
		if expired != 1 {
			t.Errorf("%d ends recorded, want 1", expired)
		}
	})
}

// TestLease_FencesOwnerOfAnOlderEpoch: what a replica has to say about an effect that another one has taken over is
// refused, whatever it is.
func TestLease_FencesOwnerOfAnOlderEpoch(t *testing.T) {
	virtualFleet(t, 2, func(f *fleet) {
		a := f.replicas[0]
		f.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return errors.New("slack is away"), nil })
		wake := a.pauses("before_post")
		n := a.asks(invite(50002))
		card := effects(a.load(n), workflow.CardEffect)[0]
		f.passes(2 * time.Minute)
		now := effects(a.load(n), workflow.CardEffect)[0]
		if card.Lease.Owner != "replica-0" || now.Lease.Owner != "replica-1" || now.Lease.Epoch != 2 {
			t.Fatalf("the card's lease was %+v and is %+v, want it in other hands", card.Lease, now.Lease)
		}
		for _, c := range []workflow.Command{
			{Verb: workflow.PutOff, Effect: card.ID, Until: a.now()},
			{Verb: workflow.GiveUp, Effect: card.ID},
			{Verb: workflow.Shown, Card: workflow.Card{Channel: "C0X", TS: "9", Seq: 1}},
		} {
			c.Hold = &workflow.Hold{Effect: card.ID, Owner: card.Lease.Owner, Epoch: card.Lease.Epoch}
			if _, err := a.engine.Do(context.Background(), n, c); err == nil {
				t.Errorf("%s was stored", c.Verb)
			}
		}
		f.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
		close(wake)
		f.passes(3 * time.Minute)
		f.desk.mu.Lock()
		defer f.desk.mu.Unlock()
		if got := len(f.desk.cards[n]); got != 1 {
			t.Errorf("%d cards, want 1", got)
		}
	})
}

// TestLease_OneCallOnAMembership: two requests on one membership reach their calls at the same instant, at two replicas.
// One begins; the other waits until that is settled, also where the replica dies, and then finds it already so.
func TestLease_OneCallOnAMembership(t *testing.T) {
	for _, dies := range []bool{false, true} {
		t.Run(fmt.Sprint("dies=", dies), func(t *testing.T) {
			virtualFleet(t, 3, func(f *fleet) {
				var here int
				both := make(chan struct{})
				for _, r := range f.replicas {
					r.steps = func(point string) {
						switch point {
						case "before_begin":
							f.desk.mu.Lock()
							if here++; here == 2 {
								close(both)
							}
							f.desk.mu.Unlock()
							<-both
						case "after_call":
							if dies {
								runtime.Goexit()
							}
						}
					}
				}
				one, two := f.replicas[0].asks(invite(50002)), f.replicas[1].asks(invite(50002))
				f.passes(time.Minute)
				f.replicas[0].approves(one)
				f.replicas[1].approves(two)
				f.passes(10 * time.Minute)
				if here < 2 {
					t.Fatal("the two did not meet")
				}
				for _, n := range []workflow.Number{one, two} {
					if got := f.replicas[2].load(n).State; got != workflow.Done {
						t.Errorf("#%v is %s, want done", n, got)
					}
				}
				if got := f.invites("50002"); len(got) != 1 {
					t.Errorf("%d calls were made, want 1", len(got))
				}
			})
		})
	}
}

// TestAlone_UntilAPersonIsAsked: a call keeps others from the membership until its outcome is known, or a person has it.
func TestAlone_UntilAPersonIsAsked(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	by := rule(anyOf(1, lead.User))
	r := workflow.Request{Number: 1, State: workflow.Approved, Rule: by, Effects: []workflow.Effect{{ID: 1, Kind: workflow.CallEffect, Due: at}}}
	for _, step := range []struct {
		verb  workflow.Verb
		alone bool
	}{{workflow.Begin, true}, {workflow.Lose, true}, {workflow.Ask, false}, {workflow.LookAgain, false}} {
		c := workflow.Command{Verb: step.verb, Via: "test"}
		if step.verb == workflow.LookAgain {
			c.Actor = lead
		}
		tr, err := workflow.Apply(r, c, policy(by), at)
		if err != nil {
			t.Fatalf("%s: %v", step.verb, err)
		}
		if r = tr.Request; r.Alone() != step.alone {
			t.Errorf("after %s: alone is %v, want %v", step.verb, r.Alone(), step.alone)
		}
	}
}
