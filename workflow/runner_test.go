package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/store"
	"countersign/workflow"
)

// settleLimit is how long an unclear outcome may stay so before a person is asked.
const settleLimit = 90 * time.Second

func TestRunner_ApprovedIsDoneByOneCall(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.approved(invite(50002))
		synctest.Wait()
		r := w.is(n, workflow.Done)
		if calls := w.invites("50002"); len(calls) != 1 || !calls[0].Applied {
			t.Errorf("calls: %+v", calls)
		}
		if r.Result.Already || r.Result.ReadBack || r.Result.RequestID == "" {
			t.Errorf("result %+v", r.Result)
		}
		if got := w.desk.shows(n); got != workflow.Done {
			t.Errorf("the card shows %q", got)
		}
		same(t, "history", w.history(n), []workflow.Verb{
			workflow.Submit, workflow.Planned, workflow.Approve, workflow.Begin, workflow.Succeed,
		})
		if n := len(r.Effects); n != 0 {
			t.Errorf("it still owes %d effects", n)
		}
	})
}

func TestRunner_AlreadySoNeedsNoCall(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.asks(invite(50002))
		synctest.Wait()
		w.gpu.SetRelation(compsharefake.Relation{Team: 1001, Company: 50002, Status: compsharefake.Pending})
		w.approves(n)
		synctest.Wait()
		if r := w.is(n, workflow.Done); !r.Result.Already || r.Attempts != 0 {
			t.Errorf("result %+v after %d attempts", r.Result, r.Attempts)
		}
		if calls := w.gpu.Mutations(); len(calls) != 0 {
			t.Errorf("calls: %+v", calls)
		}
	})
}

func TestRunner_ImpossibleFailsWithoutCall(t *testing.T) {
	virtual(t, func(w *world) {
		d := invite(50003) // has joined
		d.Action = workflow.Cancel
		n := w.approved(d)
		synctest.Wait()
		if r := w.is(n, workflow.Failed); r.Result.Fault.Class != workflow.ClassState {
			t.Errorf("fault %+v", r.Result.Fault)
		}
		if calls := w.gpu.Mutations(); len(calls) != 0 {
			t.Errorf("calls: %+v", calls)
		}
	})
}

func TestRunner_DriftIsSignedAnew(t *testing.T) {
	virtual(t, func(w *world) {
		d := invite(50004) // invited
		d.Action, d.As, d.HasAs = workflow.Rename, "new", true
		n := w.asks(d)
		synctest.Wait()
		w.gpu.SetRelation(compsharefake.Relation{Team: 1001, Company: 50004, Status: compsharefake.Joined, Remark: "other"})
		w.approves(n)
		synctest.Wait()
		if r := w.is(n, workflow.Pending); len(r.Decisions) != 0 || len(w.gpu.Mutations()) != 0 {
			t.Errorf("decisions %v, calls %v", r.Decisions, w.gpu.Mutations())
		}
		w.approves(n)
		synctest.Wait()
		w.is(n, workflow.Done)
	})
}

func TestRunner_FailingReadIsTriedAgain(t *testing.T) {
	t.Run("ThenDone", func(t *testing.T) {
		virtual(t, func(w *world) {
			n := w.asks(invite(50002))
			synctest.Wait()
			w.gpu.Fault(compsharefake.Fault{Action: readCall, Kind: compsharefake.HTTPStatus, Count: 3})
			w.approves(n)
			if took := w.becomes(n, workflow.Done, time.Minute); took < 7*time.Second {
				t.Errorf("done after %v, want 1 s + 2 s + 4 s", took)
			}
		})
	})
	t.Run("ThenFailed", func(t *testing.T) {
		virtual(t, func(w *world) {
			n := w.asks(invite(50002))
			synctest.Wait()
			w.gpu.ResetCalls()
			w.gpu.Fault(compsharefake.Fault{Action: readCall, Kind: compsharefake.HTTPStatus, Count: -1})
			w.approves(n)
			w.becomes(n, workflow.Failed, time.Minute)
			if r := w.load(n); r.Result.Fault.Code != "HTTP 502" || r.Attempts != 0 {
				t.Errorf("%+v after %d attempts", r.Result.Fault, r.Attempts)
			}
			if reads := len(w.gpu.Calls()); reads != 6 || len(w.gpu.Mutations()) != 0 {
				t.Errorf("%d reads, %d calls", reads, len(w.gpu.Mutations()))
			}
		})
	})
}

func TestRunner_RefusedFailsWithTheVendorsCode(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.asks(invite(50002))
		synctest.Wait()
		w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.RetCode, RetCode: 226606, Message: "verify first"})
		w.approves(n)
		synctest.Wait()
		r := w.is(n, workflow.Failed)
		same(t, "fault", [2]string{r.Result.Fault.Code, r.Result.Fault.Text}, [2]string{"RetCode 226606", "verify first"})
		if len(w.invites("50002")) != 1 {
			t.Errorf("%d calls", len(w.invites("50002")))
		}
		w.does(lead, n, workflow.Retry)
		synctest.Wait()
		w.is(n, workflow.Done)
	})
}

func TestRunner_BusyVendorIsCalledAgain(t *testing.T) {
	for name, c := range map[string]struct {
		count, calls int
		want         workflow.State
	}{"ThenDone": {2, 3, workflow.Done}, "ThenFailed": {9, 3, workflow.Failed}} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.RetCode, RetCode: 153, Count: c.count})
				n := w.approved(invite(50002))
				w.becomes(n, c.want, time.Minute)
				if got := len(w.invites("50002")); got != c.calls {
					t.Errorf("%d calls, want %d", got, c.calls)
				}
			})
		})
	}
}

func TestRunner_CutAfterIsSettledAtOnce(t *testing.T) {
	virtual(t, func(w *world) {
		w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut, After: true})
		n := w.approved(invite(50002))
		synctest.Wait()
		if r := w.is(n, workflow.Done); !r.Result.ReadBack {
			t.Errorf("result %+v", r.Result)
		}
		if calls := w.invites("50002"); len(calls) != 1 {
			t.Errorf("%d calls", len(calls))
		}
	})
}

func TestRunner_CutBeforeIsRepeatedOnceWhenQuiet(t *testing.T) {
	virtual(t, func(w *world) {
		w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut})
		n := w.approved(invite(50002))
		took := w.becomes(n, workflow.Done, 2*settleLimit)
		if quiet := workflow.DefaultCallTimeout + workflow.GatewayQuiet; took < quiet || took > settleLimit {
			t.Errorf("done after %v, want %v to %v", took, quiet, settleLimit)
		}
		if calls := w.invites("50002"); len(calls) != 2 || applied(calls) != 1 {
			t.Errorf("calls: %+v", calls)
		}
	})
}

// TestRunner_LateApplicationIsNotRepeated: the gateway goes on for 70 s with a call that was given up after 20.
func TestRunner_LateApplicationIsNotRepeated(t *testing.T) {
	virtual(t, func(w *world) {
		w.wire.slows(func(call string) time.Duration {
			if call == inviteCall {
				return 70 * time.Second
			}
			return 0
		})
		n := w.approved(invite(50002))
		if took := w.becomes(n, workflow.Done, 2*settleLimit); took < 70*time.Second || took > settleLimit {
			t.Errorf("done after %v", took)
		}
		w.passes(time.Hour)
		if calls := w.invites("50002"); len(calls) != 1 {
			t.Errorf("%d calls", len(calls))
		}
	})
}

func TestRunner_StillUnclearAsksAPerson(t *testing.T) {
	asked := func(w *world, n workflow.Number) time.Duration {
		begun := time.Now()
		for !w.load(n).Asked() && time.Since(begun) < 2*settleLimit {
			w.passes(500 * time.Millisecond)
		}
		return time.Since(begun)
	}
	for name, prepare := range map[string]func(w *world){
		"NoReadWorks": func(w *world) {
			w.gpu.Fault(compsharefake.Fault{Action: readCall, Kind: compsharefake.HTTPStatus, Count: -1})
		},
		"ReadsHang": func(w *world) {
			w.wire.slows(func(call string) time.Duration {
				if call == readCall {
					return time.Hour
				}
				return 0
			})
		},
		"CallAndReadsHang": func(w *world) {
			w.wire.slows(func(string) time.Duration { return 3 * time.Minute })
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				n := w.asks(invite(50002))
				synctest.Wait()
				w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut})
				w.at(func(point string, _ workflow.Number) {
					if point == "before_call" {
						prepare(w)
					}
				})
				w.approves(n)
				took := asked(w, n)
				if took < 80*time.Second || took > settleLimit {
					t.Errorf("asked after %v, want 80 s to %v", took, settleLimit)
				}
				r := w.is(n, workflow.Unknown)
				if len(w.invites("50002")) > 1 || r.Result.Fault == nil {
					t.Errorf("%d calls, result %+v", len(w.invites("50002")), r.Result)
				}
				w.passes(time.Hour)
				if got := len(w.desk.notes(n, workflow.ThreadEffect, workflow.Ask)); got != 1 {
					t.Errorf("asked %d times", got)
				}
			})
		})
	}
	t.Run("RepeatedInVain", func(t *testing.T) {
		virtual(t, func(w *world) {
			w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut, Count: -1})
			n := w.approved(invite(50002))
			w.passes(10 * time.Minute)
			if r := w.load(n); !r.Asked() || len(w.invites("50002")) != 2 {
				t.Fatalf("%q, result %+v, %d calls", r.State, r.Result, len(w.invites("50002")))
			}
		})
	})
}

func TestRunner_PersonSettlesWhatIsUnclear(t *testing.T) {
	lost := func(w *world) workflow.Number {
		w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut, Count: 2})
		n := w.approved(invite(50002))
		w.passes(10 * time.Minute)
		if !w.load(n).Asked() {
			w.t.Fatal("nobody is asked")
		}
		return n
	}
	for verb, want := range map[workflow.Verb]workflow.State{
		workflow.MarkDone: workflow.Done, workflow.MarkNot: workflow.Failed, workflow.Retry: workflow.Done,
	} {
		t.Run(string(verb), func(t *testing.T) {
			virtual(t, func(w *world) {
				n := lost(w)
				w.does(lead, n, verb)
				w.passes(time.Second)
				w.is(n, want)
			})
		})
	}
	t.Run("look", func(t *testing.T) {
		virtual(t, func(w *world) {
			n := lost(w)
			w.gpu.SetRelation(compsharefake.Relation{Team: 1001, Company: 50002, Status: compsharefake.Pending})
			w.does(lead, n, workflow.LookAgain)
			w.passes(time.Second)
			w.is(n, workflow.Done)
		})
	})
}

func TestRunner_BlindAsksAtOnce(t *testing.T) {
	virtual(t, func(w *world) {
		w.gpu.Fault(compsharefake.Fault{Action: setCall, Kind: compsharefake.Cut, After: true})
		d := invite(50004)
		d.Action = workflow.Resend
		n := w.approved(d)
		w.passes(3 * time.Second)
		if r := w.is(n, workflow.Unknown); !r.Asked() {
			t.Errorf("result %+v", r.Result)
		}
		w.passes(time.Hour)
		if got := len(w.gpu.Mutations()); got != 1 {
			t.Errorf("%d calls", got)
		}
	})
}

func TestRunner_ChangedBySomebodyElseAsks(t *testing.T) {
	virtual(t, func(w *world) {
		w.gpu.Fault(compsharefake.Fault{Action: setCall, Kind: compsharefake.Cut})
		d := invite(50004) // invited
		d.Action = workflow.Cancel
		n := w.approved(d)
		synctest.Wait()
		w.gpu.SetRelation(compsharefake.Relation{Team: 1001, Company: 50004, Status: compsharefake.Joined})
		w.passes(5 * time.Second)
		if r := w.is(n, workflow.Unknown); !r.Asked() || r.Result.Seen == "" {
			t.Errorf("result %+v", r.Result)
		}
		w.passes(time.Hour)
		if got := len(w.gpu.Mutations()); got != 1 {
			t.Errorf("%d calls", got)
		}
	})
}

func TestRunner_DeathIsSettledByReading(t *testing.T) {
	quiet := workflow.DefaultCallTimeout + workflow.GatewayQuiet
	for _, c := range []struct {
		point     string
		down      time.Duration
		calls     int
		lost      bool
		from, til time.Duration // after the restart
	}{
		{"before_begin", 0, 1, false, 0, time.Second},
		{"after_call", 0, 1, true, time.Second, 3 * time.Second},
		{"after_call", time.Hour, 1, true, time.Second, 3 * time.Second},
		{"before_call", 0, 1, true, quiet, settleLimit},
		{"before_call", time.Hour, 1, true, time.Second, 3 * time.Second},
	} {
		t.Run(fmt.Sprint(c.point, c.down), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.at(func(point string, _ workflow.Number) {
					if point == c.point {
						w.die()
					}
				})
				n := w.approved(invite(50002))
				synctest.Wait()
				w.at(never)
				time.Sleep(c.down)
				w.restart()
				if took := w.becomes(n, workflow.Done, 2*settleLimit); took < c.from || took > c.til {
					t.Errorf("done %v after the restart, want %v to %v", took, c.from, c.til)
				}
				if calls := w.invites("50002"); len(calls) != c.calls || applied(calls) != 1 {
					t.Errorf("calls: %+v", calls)
				}
				if got := slices.Contains(w.history(n), workflow.Lose); got != c.lost {
					t.Errorf("history %v", w.history(n))
				}
			})
		})
	}
}

func TestRunner_ShutdownRecordsACallThatWasCutOff(t *testing.T) {
	virtual(t, func(w *world) {
		w.wire.slows(func(call string) time.Duration {
			if call == inviteCall {
				return 5 * time.Second
			}
			return 0
		})
		n := w.approved(invite(50002))
		w.passes(time.Second)
		w.is(n, workflow.Executing)
		w.stop()
		if r := w.is(n, workflow.Unknown); r.Attempt.Outcome == nil || r.Attempt.Outcome.Verdict != workflow.Unclear {
			t.Errorf("attempt %+v", r.Attempt)
		}
		w.restart()
		w.becomes(n, workflow.Done, settleLimit)
		if calls := w.invites("50002"); len(calls) != 1 {
			t.Errorf("%d calls", len(calls))
		}
	})
}

// TestRunner_NothingBeginsAfterTheEnd: when Run is to end while the membership is still being read, no call is made.
func TestRunner_NothingBeginsAfterTheEnd(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.asks(invite(50002))
		synctest.Wait()
		w.stop()
		live, end := context.WithCancel(context.Background())
		w.runner = workflow.NewRunner(workflow.RunnerOptions{Engine: w.engine, Notifier: w.desk, Logger: w.log})
		w.wire.slows(func(string) time.Duration { return 2 * time.Second })
		over := make(chan error, 1)
		go func() { over <- w.runner.Run(live, context.Background()) }()
		w.approves(n)
		w.passes(time.Second)
		end()
		if err := <-over; err != nil {
			t.Error(err)
		}
		w.is(n, workflow.Approved)
		if calls := w.gpu.Mutations(); len(calls) != 0 {
			t.Errorf("calls: %+v", calls)
		}
		w.wire.slows(nil)
		w.restart()
		synctest.Wait()
		w.is(n, workflow.Done)
	})
}

func TestRunner_ExpiresOnce(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("ProcessDown=%t", down), func(t *testing.T) {
			virtual(t, func(w *world) {
				n := w.asks(invite(50002))
				w.passes(23 * time.Hour)
				w.is(n, workflow.Pending)
				if down {
					w.stop()
					time.Sleep(3 * time.Hour)
					w.restart()
				} else {
					w.passes(time.Hour)
				}
				synctest.Wait()
				w.is(n, workflow.Expired)
				w.passes(2 * time.Hour)
				same(t, "history", w.history(n), []workflow.Verb{workflow.Submit, workflow.Planned, workflow.Expire})
				if got := len(w.desk.notes(n, workflow.DirectEffect, workflow.Expire)); got != 1 {
					t.Errorf("the requester was told %d times", got)
				}
			})
		})
	}
}

// deaf is a store that for a while does not tell what is due.
type deaf struct {
	*store.Store
	from, til time.Time
}

// Due implements workflow.Store.
func (d deaf) Due(ctx context.Context, until time.Time, after workflow.DueItem, limit int) ([]workflow.DueItem, error) {
	if now := time.Now(); now.After(d.from) && now.Before(d.til) {
		return nil, workflow.ErrBusy
	}
	return d.Store.Due(ctx, until, after, limit)
}

func TestRunner_FailingScanIsTriedAgainSoon(t *testing.T) {
	virtual(t, func(w *world) {
		end := time.Now().Add(24 * time.Hour)
		w.wrap = func(s *store.Store) workflow.Store {
			return deaf{s, end.Add(-40 * time.Second), end.Add(5 * time.Second)}
		}
		w.restart()
		n := w.asks(invite(50002))
		w.passes(24*time.Hour + 4*time.Second)
		w.is(n, workflow.Pending)
		w.passes(4 * time.Second)
		w.is(n, workflow.Expired)
	})
}

// broken is a store in which one request cannot be read.
type broken struct {
	*store.Store
	number workflow.Number
}

// Load implements workflow.Store.
func (b broken) Load(ctx context.Context, n workflow.Number) (workflow.Request, workflow.Revision, error) {
	if n == b.number {
		return workflow.Request{}, 0, store.ErrDamaged
	}
	return b.Store.Load(ctx, n)
}

func TestRunner_DamagedRequestHoldsUpNoOther(t *testing.T) {
	virtual(t, func(w *world) {
		bad := w.asks(invite(50002))
		good := w.asks(invite(50006))
		synctest.Wait()
		w.stop()
		w.approves(bad, good)
		w.wrap = func(s *store.Store) workflow.Store { return broken{s, bad} }
		w.restart()
		w.passes(3 * time.Second)
		w.is(good, workflow.Done)
		if got := w.desk.shows(good); got != workflow.Done {
			t.Errorf("the card shows %q", got)
		}
		w.wrap = func(s *store.Store) workflow.Store { return s }
		w.restart()
		w.passes(time.Second)
		w.is(bad, workflow.Done)
	})
}

// counted is a store that counts how often requests are read.
type counted struct {
	*store.Store
	loads *atomic.Int64
}

// Load implements workflow.Store.
func (c counted) Load(ctx context.Context, n workflow.Number) (workflow.Request, workflow.Revision, error) {
	c.loads.Add(1)
	return c.Store.Load(ctx, n)
}

// TestRunner_WhatWaitsIsNotReadAgain: what a channel keeps waiting costs nothing each time that something else falls due.
func TestRunner_WhatWaitsIsNotReadAgain(t *testing.T) {
	virtual(t, func(w *world) {
		var loads atomic.Int64
		w.wrap = func(s *store.Store) workflow.Store { return counted{s, &loads} }
		w.restart()
		later := &workflow.LaterError{After: time.Hour, Err: errors.New("ratelimited")}
		w.desk.failing(func(k workflow.EffectKind, _ workflow.Request) (error, error) {
			if k == workflow.CardEffect {
				return later, nil
			}
			return nil, nil
		})
		const waiting, ticks = 60, 20
		for i := range waiting {
			w.asks(invite(60000 + i))
		}
		w.passes(2 * time.Second)
		loads.Store(0)
		for i := range ticks { // each owes effects of its own, which fall due one after the other
			w.asks(invite(70000 + i))
			w.runner.Wake() // as another replica's commit does
			w.passes(time.Second)
		}
		// A full scan, at most one in this time, reads all; else only the new ones are read.
		if got := loads.Load(); got > waiting+ticks+10*ticks {
			t.Errorf("%d requests that wait were read %d times in %d seconds", waiting, got, ticks)
		}
		w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
		w.passes(2 * time.Hour)
		for _, r := range w.all() {
			if r.Card.TS == "" {
				t.Errorf("request %d has no card", r.Number)
			}
		}
	})
}

// A card that waits for the membership to be read has an alarm, which is for nothing once it was read.
func TestRunner_NothingIsReadForAnAlarmTakenBack(t *testing.T) {
	virtual(t, func(w *world) {
		var loads atomic.Int64
		w.wrap = func(s *store.Store) workflow.Store { return counted{s, &loads} }
		w.restart()
		n := w.asks(invite(60000))
		synctest.Wait()
		if w.load(n).Card.TS == "" {
			t.Fatal("the card is not posted as soon as the membership was read")
		}
		loads.Store(0)
		w.passes(10 * time.Second)
		same(t, "requests read while nothing was due", loads.Load(), int64(0))
		same(t, "what the runner remembers", w.runner.Remembered(), 0)
	})
}

// held is a store whose commits of submissions take a while.
type held struct{ *store.Store }

// Commit implements workflow.Store.
func (h held) Commit(ctx context.Context, c workflow.Commit) ([]workflow.Revision, error) {
	if c.Writes[0].Revision == 0 {
		time.Sleep(3 * time.Second)
	}
	return h.Store.Commit(ctx, c)
}

// TestRunner_CardsGiveWayToPeople: while several people wait for an answer, the cloud is not read for cards; but that waits
// for a second at most.
func TestRunner_CardsGiveWayToPeople(t *testing.T) {
	virtual(t, func(w *world) {
		w.wrap = func(s *store.Store) workflow.Store { return held{s} }
		w.restart()
		first := time.Now()
		var n workflow.Number
		var wg sync.WaitGroup
		wg.Go(func() { n = w.asks(invite(50002)) })
		w.passes(2900 * time.Millisecond)
		for i := range 6 {
			wg.Go(func() { w.asks(invite(60000 + i)) })
		}
		for _, at := range []struct {
			after time.Duration
			read  bool
		}{{3500 * time.Millisecond, false}, {4100 * time.Millisecond, true}} {
			w.passes(at.after - time.Since(first))
			if got := w.load(n).Plan != nil; got != at.read {
				t.Errorf("%v after the command its membership is read: %t, want %t", at.after, got, at.read)
			}
		}
		wg.Wait()
	})
}

func TestRunner_LateClickFindsItExpired(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.asks(invite(50002))
		synctest.Wait()
		w.stop() // no timer runs
		time.Sleep(24 * time.Hour)
		_, err := w.engine.Do(context.Background(), n, approveBy(lead))
		ref, ok := errors.AsType[*workflow.Refusal](err)
		if !ok || ref.Kind != workflow.WrongState || ref.Request.State != workflow.Expired {
			t.Fatalf("approved after its time: %v", err)
		}
		w.is(n, workflow.Expired)
		w.restart()
		synctest.Wait()
		same(t, "history", w.history(n), []workflow.Verb{workflow.Submit, workflow.Planned, workflow.Expire})
	})
}

func TestRunner_RemindsFiveTimesInThirtyDays(t *testing.T) {
	virtual(t, func(w *world) {
		r := rule(anyOf(1, lead.User))
		r.RemindEvery, r.Expires = 4*time.Hour, 30*24*time.Hour
		w.engine.SetPolicy(policy(r))
		n := w.asks(invite(50002))
		other := w.asks(invite(50006))
		w.passes(9 * time.Hour)
		w.does(asker, other, workflow.Withdraw)
		for range 30 * 24 { // the clock is set on, hour by hour: nothing else happens meanwhile
			w.set(time.Hour - 2*time.Second)
			w.passes(2 * time.Second)
		}
		w.is(n, workflow.Expired)
		if got := len(w.desk.notes(n, workflow.ThreadEffect, workflow.Remind)); got != workflow.MaxReminders {
			t.Errorf("%d reminders, want %d", got, workflow.MaxReminders)
		}
		if got := len(w.desk.notes(other, workflow.ThreadEffect, workflow.Remind)); got != 2 {
			t.Errorf("%d reminders before the withdrawal after 9 h, want 2", got)
		}
	})
}

func TestRunner_TimedMembershipEnds(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.approved(member(workflow.Add, dataartsfake.UserAlice, "developer", 2*time.Hour))
		synctest.Wait()
		parent := w.is(n, workflow.Done)
		same(t, "roles", w.rolesOf(dataartsfake.UserAlice), []string{dataartsfake.RoleDeveloper})
		child := w.is(parent.Child, workflow.Approved)
		if child.Parent != n || child.Change.Action != workflow.RemoveOne {
			t.Fatalf("child %+v", child)
		}
		w.passes(2*time.Hour - time.Second)
		w.is(child.Number, workflow.Approved)
		w.passes(time.Second)
		w.is(child.Number, workflow.Done)
		if roles := w.rolesOf(dataartsfake.UserAlice); roles != nil {
			t.Errorf("roles %v", roles)
		}
	})
}

func TestRunner_TimedRoleIsRestored(t *testing.T) {
	virtual(t, func(w *world) {
		w.studio.SetMember(dataartsfake.WorkspaceAnalytics, dataartsfake.Member{
			UserID: dataartsfake.UserBob, UserName: "bob", Roles: []string{dataartsfake.RoleViewer, dataartsfake.RoleOperator},
		})
		n := w.approved(member(workflow.SetRole, dataartsfake.UserBob, "admin", time.Hour))
		synctest.Wait()
		child := w.is(n, workflow.Done).Child
		same(t, "roles", w.rolesOf(dataartsfake.UserBob), []string{dataartsfake.RoleAdmin})
		w.passes(time.Hour)
		w.is(child, workflow.Done)
		roles := w.rolesOf(dataartsfake.UserBob)
		slices.Sort(roles)
		same(t, "roles after", roles, []string{dataartsfake.RoleOperator, dataartsfake.RoleViewer})
	})
}

func TestRunner_TimedMembershipThatWasSoAlreadyStays(t *testing.T) {
	virtual(t, func(w *world) {
		w.studio.SetMember(dataartsfake.WorkspaceAnalytics, dataartsfake.Member{
			UserID: dataartsfake.UserBob, UserName: "bob", Roles: []string{dataartsfake.RoleViewer},
		})
		n := w.approved(member(workflow.Add, dataartsfake.UserBob, "viewer", time.Hour))
		synctest.Wait()
		if r := w.is(n, workflow.Done); r.Child != 0 {
			t.Errorf("it has the child #%v", r.Child)
		}
		w.passes(3 * time.Hour)
		if w.rolesOf(dataartsfake.UserBob) == nil {
			t.Error("the membership was ended")
		}
	})
}

// TestRunner_RetriedUnclearGrantKeepsItsLimit: the first call had been applied after all.
func TestRunner_RetriedUnclearGrantKeepsItsLimit(t *testing.T) {
	virtual(t, func(w *world) {
		n := w.asks(member(workflow.Add, dataartsfake.UserAlice, "developer", time.Hour))
		synctest.Wait()
		w.studio.AddFault(dataartsfake.Fault{Route: "AddWorkSpaceUsers", Kind: dataartsfake.ApplyThenCut})
		w.at(func(point string, _ workflow.Number) {
			if point == "before_call" {
				w.studio.AddFault(dataartsfake.Fault{Route: "ListWorkspaceusers", Kind: dataartsfake.Status, Status: 500, Count: -1})
			}
		})
		w.approves(n)
		w.passes(2 * settleLimit)
		if !w.load(n).Asked() {
			t.Fatalf("it is %q", w.load(n).State)
		}
		w.studio.ClearFaults()
		w.does(lead, n, workflow.Retry)
		synctest.Wait()
		r := w.is(n, workflow.Done)
		if r.Result.Already || r.Child == 0 {
			t.Fatalf("result %+v, child #%v", r.Result, r.Child)
		}
		w.passes(time.Hour)
		w.is(r.Child, workflow.Done)
		if roles := w.rolesOf(dataartsfake.UserAlice); roles != nil {
			t.Errorf("roles %v", roles)
		}
	})
}

// TestRunner_FailedEndOfALimitMayBeRetried: no rule covers a removal, but the one that let the membership be given does.
func TestRunner_FailedEndOfALimitMayBeRetried(t *testing.T) {
	virtual(t, func(w *world) {
		r := w.policy.Rules[0]
		r.Actions = []workflow.Action{workflow.Add}
		w.engine.SetPolicy(policy(r))
		n := w.approved(member(workflow.Add, dataartsfake.UserAlice, "developer", time.Hour))
		synctest.Wait()
		child := w.is(n, workflow.Done).Child
		w.studio.AddFault(dataartsfake.Fault{Route: "DeleteWorkspaceusers", Kind: dataartsfake.IsSuccessFalse, Message: "no"})
		w.passes(time.Hour)
		w.is(child, workflow.Failed)
		if _, err := w.engine.Do(context.Background(), child, workflow.Command{Verb: workflow.Retry, Actor: actor("U0OTHER")}); err == nil {
			t.Error("somebody who is no approver retried it")
		}
		w.does(lead, child, workflow.Retry)
		synctest.Wait()
		w.is(child, workflow.Done)
	})
}

func TestRunner_OneMembershipOneCallAtATime(t *testing.T) {
	t.Run("WhileACallIsUnderWay", func(t *testing.T) {
		virtual(t, func(w *world) {
			first := w.asks(invite(50002))
			d := invite(50002)
			d.Action = workflow.Cancel
			second := w.asks(d)
			synctest.Wait()
			w.wire.slows(func(call string) time.Duration {
				if call == inviteCall {
					return 3 * time.Second
				}
				return 0
			})
			w.approves(first, second)
			w.passes(time.Second)
			w.is(first, workflow.Executing)
			w.is(second, workflow.Approved)
			w.passes(3 * time.Second)
			w.is(first, workflow.Done)
			// The second now finds an invitation that its approvers have not seen.
			w.is(second, workflow.Pending)
		})
	})
	t.Run("WhileOneIsUnclear", func(t *testing.T) {
		virtual(t, func(w *world) {
			w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut})
			first := w.approved(invite(50002))
			synctest.Wait()
			w.is(first, workflow.Unknown)
			d := invite(50002)
			d.Action = workflow.Cancel
			second := w.approved(d) // as yet there is nothing to cancel
			w.passes(30 * time.Second)
			w.is(first, workflow.Unknown)
			w.is(second, workflow.Approved)
			w.becomes(first, workflow.Done, settleLimit)
			w.passes(10 * time.Second)
			w.is(second, workflow.Pending) // what it was approved for has changed
		})
	})
}

func TestRunner_LaneThatWaitsHoldsUpNoOther(t *testing.T) {
	virtual(t, func(w *world) {
		elsewhere := rule(anyOf(1, lead.User))
		elsewhere.Channel, elsewhere.Actions = "C0ELSEWHERE", []workflow.Action{workflow.Add}
		w.engine.SetPolicy(policy(elsewhere, w.policy.Rules[0]))
		later := &workflow.LaterError{After: 10 * time.Minute, Err: errors.New("ratelimited")}
		w.desk.failing(func(k workflow.EffectKind, r workflow.Request) (error, error) {
			if r.Rule.Channel == "C0ELSEWHERE" && k != workflow.DirectEffect {
				return later, nil
			}
			return nil, nil
		})
		slow := w.approved(member(workflow.Add, dataartsfake.UserAlice, "viewer", 0))
		quick := w.approved(invite(50002))
		w.passes(3 * time.Second)
		w.is(slow, workflow.Done)
		if got := w.desk.shows(quick); got != workflow.Done {
			t.Errorf("the other card shows %q", got)
		}
		if got := w.desk.shows(slow); got != "" {
			t.Errorf("the card that must wait shows %q", got)
		}
		if got := len(w.desk.notes(slow, workflow.DirectEffect, workflow.Succeed)); got != 1 {
			t.Errorf("the requester of what waits was told %d times", got)
		}
		w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
		w.passes(11 * time.Minute)
		if got := w.desk.shows(slow); got != workflow.Done {
			t.Errorf("after the wait the card shows %q", got)
		}
	})
}

func TestRunner_UndeliverableIsGivenUp(t *testing.T) {
	virtual(t, func(w *world) {
		w.desk.failing(func(k workflow.EffectKind, _ workflow.Request) (error, error) {
			if k == workflow.DirectEffect {
				return &workflow.UndeliverableError{Err: errors.New("user_disabled")}, nil
			}
			return nil, nil
		})
		n := w.approved(invite(50002))
		w.passes(time.Minute)
		if r := w.is(n, workflow.Done); len(r.Effects) != 0 {
			t.Errorf("it still owes %+v", r.Effects)
		}
		entries, err := w.store.History(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		var details []string
		for _, e := range entries {
			if e.Verb == workflow.GiveUp {
				details = append(details, e.Detail)
			}
		}
		same(t, "entries", details, []string{"direct approve: user_disabled", "direct succeed: user_disabled"})
	})
}

func TestRunner_SlacksFailuresChangeNoState(t *testing.T) {
	for name, fails := range map[string]func(error) (error, error){
		"NothingIsTaken":   func(err error) (error, error) { return err, nil },
		"TheAnswerIsLost":  func(err error) (error, error) { return nil, err },
		"PostsOneInTwoGet": func(err error) (error, error) { return err, err },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return fails(errors.New("cut")) })
				n := w.approved(invite(50002))
				w.passes(10 * time.Minute)
				w.is(n, workflow.Done)
				w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
				w.passes(2 * time.Minute)
				if r := w.is(n, workflow.Done); len(r.Effects) != 0 || w.desk.shows(n) != workflow.Done {
					t.Errorf("it owes %+v, the card shows %q", r.Effects, w.desk.shows(n))
				}
			})
		})
	}
}

// TestRunner_OneCardWhenItsPostIsLost: the first post arrives without an answer, and another turn follows at once.
func TestRunner_OneCardWhenItsPostIsLost(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("Restart=%t", restart), func(t *testing.T) {
			virtual(t, func(w *world) {
				lost := errors.New("cut")
				w.passes(time.Second)
				w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, lost })
				n := w.asks(invite(50002))
				synctest.Wait()
				w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
				if restart {
					w.stop()
					w.does(asker, n, workflow.Withdraw)
					w.restart()
				} else {
					w.does(asker, n, workflow.Withdraw)
				}
				w.passes(time.Minute)
				if got := w.desk.shows(n); got != workflow.Withdrawn {
					t.Errorf("the card shows %q", got)
				}
			}) // close demands one card
		})
	}
}

func TestRunner_DeathWhilePostingPostsNothingTwice(t *testing.T) {
	for _, point := range []string{"before_post", "after_post"} {
		t.Run(point, func(t *testing.T) {
			virtual(t, func(w *world) {
				at := 0
				for n := workflow.Number(0); at < 6; at++ {
					posts := 0
					w.at(func(p string, _ workflow.Number) {
						if p != point {
							return
						}
						w.mu.Lock()
						posts++
						end := posts == 1
						w.mu.Unlock()
						if end {
							w.die()
						}
					})
					if n == 0 {
						n = w.approved(invite(50002))
					}
					w.passes(5 * time.Second)
					w.restart()
				}
				w.at(never)
				w.restart()
				w.passes(5 * time.Minute)
				for _, r := range w.all() {
					if len(r.Effects) != 0 || w.desk.shows(r.Number) != workflow.Done {
						t.Errorf("#%v owes %+v, its card shows %q", r.Number, r.Effects, w.desk.shows(r.Number))
					}
				}
			})
		})
	}
}

func TestRunner_HangingPostIsTriedAgain(t *testing.T) {
	virtual(t, func(w *world) {
		hangs := true
		w.desk.taking(func(workflow.EffectKind, workflow.Request) time.Duration {
			if hangs {
				hangs = false
				return time.Hour
			}
			return 0
		})
		n := w.asks(invite(50002))
		w.passes(20 * time.Second)
		if got := w.desk.shows(n); got != "" {
			t.Errorf("the card shows %q", got)
		}
		w.passes(20 * time.Second)
		if got := w.desk.shows(n); got != workflow.Pending {
			t.Errorf("the card shows %q", got)
		}
	})
}

func TestRunner_PanicHoldsUpNobodyElse(t *testing.T) {
	t.Run("InAPost", func(t *testing.T) {
		virtual(t, func(w *world) {
			bad := w.asks(invite(50002))
			w.desk.failing(func(_ workflow.EffectKind, r workflow.Request) (error, error) {
				if r.Number == bad {
					panic("a bug")
				}
				return nil, nil
			})
			good := w.approved(invite(50006))
			w.passes(5 * time.Second)
			if got := w.desk.shows(good); got != workflow.Done {
				t.Errorf("the other card shows %q", got)
			}
			w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
			w.passes(2 * time.Minute)
			if got := w.desk.shows(bad); got != workflow.Pending {
				t.Errorf("the card shows %q", got)
			}
		})
	})
	t.Run("InTheCall", func(t *testing.T) {
		virtual(t, func(w *world) {
			n := w.asks(invite(50002))
			synctest.Wait()
			w.wire.slows(func(call string) time.Duration {
				if call == inviteCall {
					panic("a bug")
				}
				return 0
			})
			w.approves(n)
			synctest.Wait()
			w.wire.slows(nil)
			w.becomes(n, workflow.Done, settleLimit)
			if calls := w.invites("50002"); len(calls) != 1 {
				t.Errorf("%d calls", len(calls))
			}
		})
	})
}

func TestRunner_SystemThatHangsHoldsUpNoOther(t *testing.T) {
	virtual(t, func(w *world) {
		var hang []workflow.Number
		for i := range 40 {
			hang = append(hang, w.asks(invite(60000+i)))
		}
		n := w.asks(member(workflow.Add, dataartsfake.UserAlice, "viewer", 0))
		synctest.Wait()
		w.wire.slows(func(call string) time.Duration {
			if call == readCall {
				return time.Hour
			}
			return 0
		})
		w.approves(hang...)
		w.passes(time.Second)
		w.approves(n)
		synctest.Wait()
		w.is(n, workflow.Done)
	})
}

func TestRunner_ClockThatIsSet(t *testing.T) {
	t.Run("ForwardDoesNotRepeatEarly", func(t *testing.T) {
		virtual(t, func(w *world) {
			w.wire.slows(func(call string) time.Duration {
				if call == inviteCall {
					return 70 * time.Second // still under way at the vendor's
				}
				return 0
			})
			n := w.approved(invite(50002))
			w.passes(22 * time.Second)
			w.is(n, workflow.Unknown)
			w.set(time.Hour)
			w.passes(10 * time.Second)
			if calls := w.invites("50002"); len(calls) > 0 {
				t.Errorf("applied early: %+v", calls)
			}
			w.passes(10 * time.Minute)
			if calls := w.invites("50002"); len(calls) != 1 {
				t.Errorf("%d calls", len(calls))
			}
			if r := w.load(n); r.State != workflow.Done && !r.Asked() {
				t.Errorf("it is %q", r.State)
			}
		})
	})
	t.Run("BackAsksAllTheSame", func(t *testing.T) {
		virtual(t, func(w *world) {
			w.gpu.Fault(compsharefake.Fault{Action: inviteCall, Kind: compsharefake.Cut})
			w.at(func(point string, _ workflow.Number) {
				if point == "before_call" {
					w.set(-time.Hour)
				}
			})
			n := w.approved(invite(50002))
			w.passes(5 * time.Minute)
			if r := w.load(n); r.State != workflow.Done && !r.Asked() {
				t.Errorf("it is %q, owing %+v", r.State, r.Effects)
			}
			if calls := w.invites("50002"); applied(calls) > 1 {
				t.Errorf("calls: %+v", calls)
			}
		})
	})
	t.Run("ExpiresOnceAndNewWorkGoesOn", func(t *testing.T) {
		virtual(t, func(w *world) {
			n := w.asks(invite(50002))
			w.passes(23*time.Hour + 30*time.Minute)
			w.set(-time.Hour)
			w.passes(time.Minute)
			other := w.approved(invite(50006))
			w.passes(3 * time.Second)
			w.is(other, workflow.Done)
			w.is(n, workflow.Pending)
			w.set(2 * time.Hour)
			w.passes(3 * time.Second)
			w.is(n, workflow.Expired)
			w.set(-2 * time.Hour)
			w.passes(4 * time.Hour)
			same(t, "history", w.history(n), []workflow.Verb{workflow.Submit, workflow.Planned, workflow.Expire})
		})
	})
}

func TestRunner_SystemThatIsGone(t *testing.T) {
	t.Run("BeforeTheCallFails", func(t *testing.T) {
		virtual(t, func(w *world) {
			n := w.asks(invite(50002))
			synctest.Wait()
			w.stop()
			w.approves(n)
			w.gone = "gpu-lab"
			w.restart()
			synctest.Wait()
			w.is(n, workflow.Failed)
		})
	})
	t.Run("AfterAnUnclearCallAsks", func(t *testing.T) {
		virtual(t, func(w *world) {
			w.at(func(point string, _ workflow.Number) {
				if point == "before_call" {
					w.die()
				}
			})
			n := w.approved(invite(50002))
			synctest.Wait()
			w.gone = "gpu-lab"
			w.restart()
			w.passes(5 * time.Second)
			if r := w.is(n, workflow.Unknown); !r.Asked() {
				t.Errorf("result %+v", r.Result)
			}
		})
	})
}

func TestRunner_ForgetsWhatItNoLongerNeeds(t *testing.T) {
	virtual(t, func(w *world) {
		w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return errors.New("cut"), nil })
		for i := range 20 {
			n := w.asks(invite(60000 + i))
			synctest.Wait()
			w.does(asker, n, workflow.Withdraw) // its first card was tried in vain and is no longer owed
		}
		w.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) {
			return &workflow.UndeliverableError{Err: errors.New("is_archived")}, nil
		})
		w.passes(10 * time.Minute)
		same(t, "what the runner remembers", w.runner.Remembered(), 0)
	})
}
