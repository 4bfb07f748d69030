package workflow_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// TestModel_RandomCourses lets several people, the clouds, Slack and the end of the process do what they like, in any
// order, and compares what a simple model expects of each click with what happens, and what is stored with what must
// always hold.
func TestModel_RandomCourses(t *testing.T) {
	gpu, studio := emulators(t)
	dir := t.TempDir()
	courses := 0
	states := map[workflow.State]int{}
	rapid.Check(t, func(rt *rapid.T) {
		courses++
		path := filepath.Join(dir, strconv.Itoa(courses))
		// rapid stops a course by a panic, and measures its time by a clock that goes on: each has a bubble of its own.
		var stopped any
		synctest.Test(t, func(*testing.T) {
			defer func() { stopped = recover() }()
			gpu.Reset()
			studio.Reset()
			for _, r := range randomCourse(rt, newWorld(rt, path, gpu, studio)) {
				states[r.State]++
			}
		})
		if stopped != nil {
			panic(stopped)
		}
	})
	if courses >= 100 && states[workflow.Done] == 0 { // of few, none may get so far
		t.Errorf("of %d courses nothing was ever done: %v", courses, states)
	}
}

// randomCourse returns the requests as they are at the end.
func randomCourse(rt *rapid.T, w *world) []workflow.Request {
	m := &model{world: w, known: map[workflow.Number]*known{}}
	r := rule(anyOf(2, "U0A", "U0B", "U0C"))
	r.Expires, r.RemindEvery = time.Hour, 10*time.Minute
	timed := rule(anyOf(1, "U0A", "U0B"))
	timed.Name, timed.Expires, timed.Systems = "timed", time.Hour, []string{"warehouse"}
	m.policy = policy(timed, r)
	m.start()
	defer func() {
		m.stop()
		m.wire.under.Wait()
		_ = m.store.Close()
	}()
	rt.Repeat(map[string]func(*rapid.T){
		"submit":  m.submit,
		"approve": m.approve,
		"another": m.approve,
		"click":   m.click,
		"settle":  m.settle,
		"regret":  m.regret,
		"time":    m.time,
		"fault":   m.fault,
		"slack":   m.slack,
		"die":     m.die,
		"restart": m.again,
		"":        m.invariants,
	})
	m.end()
	return m.all()
}

// model is what a world must be like.
type model struct {
	*world
	known   map[workflow.Number]*known
	company int
}

// known is what the model knows of a request that somebody asked for.
type known struct {
	by      workflow.Person
	rule    workflow.Rule
	company string
	said    []string // who has approved
	voided  int      // approvals that a change of the membership has made void
	retries int
}

func (m *model) submit(rt *rapid.T) {
	who := rapid.SampledFrom([]string{"U0ASKER", "U0A"}).Draw(rt, "requester")
	var d workflow.Draft
	if rapid.Bool().Draw(rt, "timed") {
		user := rapid.SampledFrom([]string{dataartsfake.UserAlice, dataartsfake.UserBob}).Draw(rt, "user")
		action := rapid.SampledFrom([]workflow.Action{workflow.Add, workflow.SetRole}).Draw(rt, "action")
		d = member(action, user, rapid.SampledFrom([]string{"viewer", "operator"}).Draw(rt, "role"), 20*time.Minute)
	} else {
		m.company++
		d = invite(60000 + m.company)
	}
	delivery := strconv.Itoa(rapid.IntRange(0, 30).Draw(rt, "delivery"))
	rs, err := m.engine.Submit(context.Background(), workflow.Submission{
		Delivery: delivery, Actor: actor(who), Drafts: []workflow.Draft{d}, Via: "test",
	})
	if err != nil {
		rt.Fatal(err)
	}
	synctest.Wait()
	if _, again := m.known[rs[0].Number]; again {
		return // the same delivery
	}
	k := &known{by: person(who), rule: m.policy.Rules[1]}
	if d.System == "warehouse" {
		k.rule = m.policy.Rules[0]
	} else {
		k.company = d.Subject.ID
	}
	m.known[rs[0].Number] = k
}

// click is somebody's press of some button.
func (m *model) click(rt *rapid.T) {
	m.press(rt, rapid.SampledFrom([]string{"U0ASKER", "U0A", "U0B", "U0C", "U0OUT"}).Draw(rt, "who"), rapid.SampledFrom([]workflow.Verb{
		workflow.Approve, workflow.Deny, workflow.Withdraw, workflow.Retry, workflow.LookAgain, workflow.MarkDone, workflow.MarkNot,
	}).Draw(rt, "verb"), m.all())
}

// approve is what most presses are.
func (m *model) approve(rt *rapid.T) {
	m.press(rt, rapid.SampledFrom([]string{"U0A", "U0B", "U0C"}).Draw(rt, "who"), workflow.Approve, m.in(workflow.Pending))
}

// settle is a press where something has gone wrong.
func (m *model) settle(rt *rapid.T) {
	verb := rapid.SampledFrom([]workflow.Verb{
		workflow.Retry, workflow.LookAgain, workflow.MarkDone, workflow.MarkNot,
	}).Draw(rt, "verb")
	m.press(rt, rapid.SampledFrom([]string{"U0A", "U0B"}).Draw(rt, "who"), verb, m.in(workflow.Failed, workflow.Unknown))
}

// regret is a press of the person who asked.
func (m *model) regret(rt *rapid.T) {
	m.press(rt, "U0ASKER", workflow.Withdraw, m.in(workflow.Pending))
}

func (m *model) in(states ...workflow.State) []workflow.Request {
	return slices.DeleteFunc(m.all(), func(r workflow.Request) bool { return !slices.Contains(states, r.State) })
}

// press presses a button of one of some requests, and compares what happens with what the model expects.
func (m *model) press(rt *rapid.T, who string, verb workflow.Verb, among []workflow.Request) {
	if len(among) == 0 {
		rt.Skip("nothing to press")
	}
	r := rapid.SampledFrom(among).Draw(rt, "request")
	k := m.of(r)
	want, allowed := m.expect(r, k, who, verb)
	got, err := m.engine.Do(context.Background(), r.Number, workflow.Command{Verb: verb, Actor: actor(who), Via: "test"})
	ref, refused := errors.AsType[*workflow.Refusal](err)
	switch {
	case err != nil && !refused:
		rt.Fatal(err)
	case refused == allowed:
		rt.Fatalf("%s by %s on #%v (%q, by %s, approved by %v): %v", verb, who, r.Number, r.State, k.by.User, k.said, err)
	case refused && ref.Request == nil:
		rt.Fatalf("%s by %s on #%v: the refusal carries no request", verb, who, r.Number)
	case allowed && got.State != want:
		rt.Fatalf("%s by %s on #%v led from %q to %q, want %q", verb, who, r.Number, r.State, got.State, want)
	case allowed && verb == workflow.Approve:
		k.said = append(k.said, who)
	case allowed && verb == workflow.Retry:
		k.retries++
	}
	synctest.Wait()
}

// of is what the model knows of a request, after what the membership's changes have voided.
func (m *model) of(r workflow.Request) *known {
	k := m.known[r.Number]
	if k == nil { // the end of a time limit
		k = &known{by: r.Requester, rule: r.Rule}
		m.known[r.Number] = k
	}
	if len(r.Voided) > k.voided {
		k.said, k.voided = nil, len(r.Voided)
	}
	return k
}

// expect is where a click leads by the model, and whether it is allowed.
func (m *model) expect(r workflow.Request, k *known, who string, verb workflow.Verb) (workflow.State, bool) {
	pending := r.State == workflow.Pending && m.now().Before(r.Expires)
	approver := who != k.by.User
	if approver {
		approver = slices.ContainsFunc(k.rule.Approvers, func(a workflow.Approvers) bool { return slices.Contains(a.AnyOf, who) })
	}
	asked := r.State == workflow.Unknown && r.Result != nil && r.Result.Asked
	switch verb {
	case workflow.Approve:
		state := workflow.Pending
		if len(k.said)+1 == k.rule.Approvers[0].Count {
			state = workflow.Approved
		}
		return state, pending && approver && !slices.Contains(k.said, who)
	case workflow.Deny:
		return workflow.Denied, pending && approver
	case workflow.Withdraw:
		return workflow.Withdrawn, pending && who == k.by.User
	case workflow.Retry:
		return workflow.Executing, (asked || r.State == workflow.Failed) && approver
	case workflow.LookAgain:
		return workflow.Unknown, asked && approver
	case workflow.MarkDone:
		return workflow.Done, asked && approver
	default:
		return workflow.Failed, asked && approver
	}
}

func (m *model) time(rt *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		time.Millisecond, time.Second, 5 * time.Second, 5 * time.Second, 30 * time.Second, 100 * time.Second, 20 * time.Minute,
	}).Draw(rt, "for")
	m.leap(d)
}

// leap has time pass; of a long time most by a clock that is set, so that not each second of it need be lived through.
func (m *model) leap(d time.Duration) {
	lived := min(d, 100*time.Second)
	m.set(d - lived)
	m.passes(lived)
}

// fault has something go wrong with the next calls of a cloud.
func (m *model) fault(rt *rapid.T) {
	count := rapid.IntRange(1, 2).Draw(rt, "count")
	mutating := rapid.Bool().Draw(rt, "mutating")
	if rapid.Bool().Draw(rt, "gpu") {
		f := compsharefake.Fault{Action: readCall, Count: count, RetCode: 226606}
		if mutating {
			f.Action = inviteCall
		}
		f.Kind = rapid.SampledFrom([]compsharefake.FaultKind{
			compsharefake.Cut, compsharefake.HTTPStatus, compsharefake.RetCode, compsharefake.EmptyObject, compsharefake.NoRetCode,
		}).Draw(rt, "kind")
		f.After = rapid.Bool().Draw(rt, "after")
		m.gpu.Fault(f)
		return
	}
	f := dataartsfake.Fault{Route: "ListWorkspaceusers", Count: count, Status: 500}
	if mutating {
		f.Route = rapid.SampledFrom([]string{"AddWorkSpaceUsers", "UpdateWorkSpaceUserOrGroup", "DeleteWorkspaceusers"}).Draw(rt, "route")
	}
	f.Kind = rapid.SampledFrom([]dataartsfake.Kind{
		dataartsfake.ApplyThenCut, dataartsfake.CutBefore, dataartsfake.Status, dataartsfake.IsSuccessFalse, dataartsfake.Empty200,
	}).Draw(rt, "kind")
	m.studio.AddFault(f)
}

// slack takes messages, or loses them, or their answers.
func (m *model) slack(rt *rapid.T) {
	cut := errors.New("cut")
	fails := rapid.SampledFrom([][2]error{{}, {cut, nil}, {nil, cut}, {&workflow.LaterError{After: 30 * time.Second, Err: cut}, nil}}).Draw(rt, "fails")
	m.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return fails[0], fails[1] })
	synctest.Wait()
}

// die has the process end at the next point of a kind.
func (m *model) die(rt *rapid.T) {
	at := rapid.SampledFrom([]string{"before_begin", "before_call", "after_call", "before_post", "after_post"}).Draw(rt, "at")
	m.at(func(point string, _ workflow.Number) {
		if point == at {
			m.world.die()
		}
	})
}

func (m *model) again(*rapid.T) {
	m.at(never)
	m.restart()
	synctest.Wait()
}

// invariants must hold whatever happens.
func (m *model) invariants(rt *rapid.T) {
	ctx := context.Background()
	if err := m.store.CheckIndexes(ctx); err != nil {
		rt.Fatal(err)
	}
	if _, err := m.store.Verify(ctx); err != nil {
		rt.Fatal(err)
	}
	for _, r := range m.all() {
		m.replay(r)
		assertOwes(rt, r)
		m.decidedOnce(rt, r)
		k := m.of(r)
		if k.company == "" {
			continue
		}
		if n := applied(m.invites(k.company)); n > 1+k.retries {
			rt.Fatalf("#%v was applied %d times after %d retries", r.Number, n, k.retries)
		} else if n == 0 && r.State == workflow.Done && !r.Result.Already && r.Result.MarkedBy == (workflow.Person{}) {
			rt.Fatalf("#%v is done, and nothing was applied: %+v", r.Number, r.Result)
		}
	}
	m.desk.check(rt)
}

// decidedOnce demands that a request is decided once, and once more after each change of the membership that voided it.
func (m *model) decidedOnce(rt *rapid.T, r workflow.Request) {
	entries, err := m.store.History(context.Background(), r.Number)
	if err != nil {
		rt.Fatal(err)
	}
	decided, voided := 0, 0
	for _, e := range entries {
		if e.From == workflow.Pending && e.To != workflow.Pending {
			decided++
		}
		if e.Verb == workflow.Drifted {
			voided++
		}
	}
	if decided > 1+voided {
		rt.Fatalf("#%v was decided %d times and voided %d times", r.Number, decided, voided)
	}
}

// end lets everything work again, and time pass, until nothing is left to do.
func (m *model) end() {
	m.gpu.ClearFaults()
	m.studio.ClearFaults()
	m.desk.failing(func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil })
	m.at(never)
	m.restart()
	m.passes(5 * time.Minute)
	for range 8 {
		m.leap(15 * time.Minute)
	}
	for _, r := range m.all() {
		if r.State.Open() && !r.Asked() {
			m.t.Errorf("#%v is still %q", r.Number, r.State)
		}
		if len(r.Effects) != 0 || m.desk.shows(r.Number) != r.State {
			m.t.Errorf("#%v is %q, its card shows %q, and it owes %+v", r.Number, r.State, m.desk.shows(r.Number), r.Effects)
		}
	}
}
