package workflow_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign/workflow"
)

// situation is a state with what else decides what may happen in it.
type situation struct {
	name string
	r    workflow.Request
	// to is where each verb leads that is not refused, besides the bookkeeping.
	to map[workflow.Verb]workflow.State
}

var (
	asker = actor("U0ASKER")
	lead  = actor("U0LEAD")
)

// bookkeeping are the verbs that never change a state, and are fine in all.
var bookkeeping = []workflow.Verb{workflow.PutOff, workflow.Shown, workflow.Told, workflow.GiveUp, workflow.Fade, workflow.Reshow}

// byPeople are the verbs that a person does.
var byPeople = []workflow.Verb{
	workflow.Submit, workflow.Approve, workflow.Deny, workflow.Withdraw, workflow.Retry, workflow.LookAgain,
	workflow.MarkDone, workflow.MarkNot, workflow.Claim, workflow.Undo,
}

// later is when an unclear call of the situations may be repeated, and a pending request has not yet expired.
var later = epoch.Add(2 * time.Hour)

// situations are all states that a request can be in, and what may be done there: the table of the design, written down
// a second time.
func situations(t rapid.TB, p workflow.Policy) []situation {
	t.Helper()
	do := func(r workflow.Request, c workflow.Command) workflow.Request { return must(t, r, c, p, epoch) }
	v := func(verb workflow.Verb) workflow.Command { return workflow.Command{Verb: verb, Via: "test"} }
	by := func(verb workflow.Verb, a workflow.Actor) workflow.Command {
		return workflow.Command{Verb: verb, Actor: a, Via: "test"}
	}

	pending := submitted(t, p, grant(), asker)
	planned := do(pending, workflow.Command{Verb: workflow.Planned, Effect: effects(pending, workflow.PlanEffect)[0].ID, Membership: absent()})
	approved := do(planned, by(workflow.Approve, lead))
	called := do(approved, workflow.Command{Verb: workflow.Begin, Membership: absent()})
	failed := do(called, workflow.Command{Verb: workflow.Fail, Outcome: refusedBy("X1")})
	retried := do(failed, by(workflow.Retry, lead))
	lost := do(called, workflow.Command{Verb: workflow.Lose, Outcome: unclear()})
	asked := do(lost, workflow.Command{Verb: workflow.Ask, Membership: absent()})
	expired := must(t, planned, v(workflow.Expire), p, planned.Expires)
	ended, err := workflow.Apply(called, workflow.Command{Verb: workflow.Succeed, Spare: 8}, p, epoch)
	if err != nil {
		t.Fatal(err)
	}
	ending := *ended.Child

	undone := do(called, workflow.Command{Verb: workflow.Succeed})
	undone.Change.Limit = 0
	undone = do(undone, workflow.Command{Verb: workflow.Undo, Actor: asker, Via: "test", Spare: 8})

	settled := map[workflow.Verb]workflow.State{
		workflow.Begin: workflow.Executing, workflow.Succeed: workflow.Done, workflow.Fail: workflow.Failed,
		workflow.Ask: workflow.Unknown,
	}
	people := maps.Clone(settled)
	delete(people, workflow.Begin)
	maps.Copy(people, map[workflow.Verb]workflow.State{
		workflow.Retry: workflow.Executing, workflow.LookAgain: workflow.Unknown, workflow.MarkDone: workflow.Done,
		workflow.MarkNot: workflow.Failed,
	})
	none := map[workflow.Verb]workflow.State{}
	return []situation{
		{"pending", planned, map[workflow.Verb]workflow.State{
			workflow.Approve: workflow.Approved, workflow.Deny: workflow.Denied, workflow.Withdraw: workflow.Withdrawn,
			workflow.Planned: workflow.Pending, workflow.Remind: workflow.Pending, workflow.Claim: workflow.Pending,
		}},
		{"approved", approved, map[workflow.Verb]workflow.State{
			workflow.Begin: workflow.Executing, workflow.Succeed: workflow.Done, workflow.Fail: workflow.Failed,
			workflow.Drifted: workflow.Pending,
		}},
		{"executing, called", called, map[workflow.Verb]workflow.State{
			workflow.Succeed: workflow.Done, workflow.Fail: workflow.Failed, workflow.Lose: workflow.Unknown,
			workflow.Again: workflow.Executing,
		}},
		{"executing, to be called", retried, map[workflow.Verb]workflow.State{
			workflow.Begin: workflow.Executing, workflow.Succeed: workflow.Done, workflow.Fail: workflow.Failed,
			workflow.Drifted: workflow.Pending,
		}},
		{"unknown", lost, settled},
		{"unknown, asked", asked, people},
		{"failed", failed, map[workflow.Verb]workflow.State{workflow.Retry: workflow.Executing}},
		{"done", do(called, workflow.Command{Verb: workflow.Succeed, Spare: 8}), none},
		{"done, to be undone", do(called, workflow.Command{Verb: workflow.Succeed}), map[workflow.Verb]workflow.State{
			workflow.Undo: workflow.Done,
		}},
		{"done, its undo under way", undone, map[workflow.Verb]workflow.State{workflow.Lapse: workflow.Done}},
		{"to be ended", ending, map[workflow.Verb]workflow.State{
			workflow.Begin: workflow.Executing, workflow.Succeed: workflow.Done, workflow.Fail: workflow.Failed,
			workflow.Drifted: workflow.Pending, workflow.Postpone: workflow.Approved,
		}},
		{"denied", do(planned, by(workflow.Deny, lead)), none},
		{"withdrawn", do(planned, by(workflow.Withdraw, asker)), none},
		{"expired", expired, none},
	}
}

// command makes a command that lacks nothing, by whoever may do it.
func command(r workflow.Request, v workflow.Verb) workflow.Command {
	c := workflow.Command{Verb: v, Via: "test", Membership: absent(), Spare: 9, Until: later.Add(time.Minute)}
	switch v {
	case workflow.Submit, workflow.Withdraw:
		c.Actor = asker
	case workflow.Approve, workflow.Deny, workflow.Retry, workflow.LookAgain, workflow.MarkDone, workflow.MarkNot,
		workflow.Claim, workflow.Undo:
		c.Actor = lead
	case workflow.Fail, workflow.Again:
		c.Outcome = refusedBy("X2")
	case workflow.Lose:
		c.Outcome = unclear()
	case workflow.Lapse:
		c.Lapsed = true
	case workflow.Shown:
		c.Card = workflow.Card{Channel: r.Rule.Channel, TS: "1.0", Seq: r.Seq}
	default:
	}
	kinds := map[workflow.Verb][]workflow.EffectKind{
		workflow.Planned: {workflow.PlanEffect},
		workflow.Remind:  {workflow.RemindEffect},
		workflow.Fade:    {workflow.FadeEffect},
		workflow.PutOff:  {workflow.CallEffect, workflow.CardEffect},
		workflow.Told:    {workflow.ThreadEffect, workflow.DirectEffect},
		workflow.GiveUp:  {workflow.CardEffect},
	}[v]
	for _, e := range r.Effects {
		if slices.Contains(kinds, e.Kind) {
			c.Effect = e.ID
			break
		}
	}
	return c
}

func onePolicy() workflow.Policy { return policy(rule(anyOf(1, lead.User))) }

func TestApply_TableOfStatesAndVerbs(t *testing.T) {
	p := onePolicy()
	seen := map[workflow.State]bool{}
	for _, s := range situations(t, p) {
		seen[s.r.State] = true
		for _, v := range workflow.Verbs() {
			t.Run(s.name+"/"+string(v), func(t *testing.T) {
				before := clone(t, s.r)
				c := command(s.r, v)
				tr, err := workflow.Apply(s.r, c, p, later)
				same(t, "the request that was given", s.r, before)
				want, allowed := s.to[v]
				if slices.Contains(bookkeeping, v) {
					want, allowed = s.r.State, v == workflow.Shown || c.Effect != 0
					if v == workflow.Reshow {
						allowed = s.r.Card.TS != "" && len(effects(s.r, workflow.CardEffect)) == 0
					}
				}
				if !allowed {
					refused(t, tr, err, s.r)
					return
				}
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if tr.Request.State != want {
					t.Fatalf("led to %q, want %q", tr.Request.State, want)
				}
				assertTransition(t, s.r, c, tr)
			})
		}
	}
	for _, s := range workflow.States() {
		if !seen[s] {
			t.Errorf("no situation has the state %q", s)
		}
	}
}

// refused demands a refusal that changed nothing and carries the present request.
func refused(t *testing.T, tr workflow.Transition, err error, present workflow.Request) {
	t.Helper()
	ref, ok := errors.AsType[*workflow.Refusal](err)
	if !ok {
		t.Fatalf("led to %q, %v; want a refusal", tr.Request.State, err)
	}
	same(t, "what a refusal returns besides", tr, workflow.Transition{})
	if ref.Request == nil {
		t.Fatal("the refusal carries no request")
	}
	same(t, "the request that the refusal carries", *ref.Request, present)
}

// assertTransition demands what holds for every transition, whatever the verb.
func assertTransition(t *testing.T, before workflow.Request, c workflow.Command, tr workflow.Transition) {
	t.Helper()
	r := tr.Request
	moved := r.State != before.State
	if moved || !slices.Contains(bookkeeping, c.Verb) {
		if tr.Entry == nil {
			t.Fatal("no audit entry")
		}
		want := workflow.Entry{
			At: later, Request: r.Number, Verb: c.Verb, From: before.State, To: r.State, By: c.Actor.Person, Via: "test",
			Detail: tr.Entry.Detail,
		}
		same(t, "audit entry", *tr.Entry, want)
	}
	if tr.Entry != nil && slices.Contains(byPeople, c.Verb) == (tr.Entry.By == workflow.Person{}) {
		t.Errorf("the entry of %s is by %v", c.Verb, tr.Entry.By)
	}
	if moved && len(effects(r, workflow.CardEffect)) != 1 {
		t.Errorf("%q to %q owes %d cards, want 1", before.State, r.State, len(effects(r, workflow.CardEffect)))
	}
	if moved && r.Seq != before.Seq+1 {
		t.Errorf("the turn went from %d to %d", before.Seq, r.Seq)
	}
	assertOwes(t, r)
	if tr.Child != nil {
		assertOwes(t, *tr.Child)
	}
}

// mayOwe are the kinds of effect that only some states may owe.
var mayOwe = map[workflow.EffectKind][]workflow.State{
	workflow.PlanEffect:   {workflow.Pending},
	workflow.ExpireEffect: {workflow.Pending},
	workflow.RemindEffect: {workflow.Pending},
	workflow.FadeEffect:   {workflow.Pending},
	workflow.CallEffect:   {workflow.Approved, workflow.Executing, workflow.Unknown},
}

// assertOwes demands that a request owes nothing that its state cannot owe, each ID once, and a call where nothing else
// could carry it on.
func assertOwes(t interface {
	Helper()
	Errorf(string, ...any)
}, r workflow.Request,
) {
	t.Helper()
	ids := map[uint64]bool{}
	for _, e := range r.Effects {
		if states, ok := mayOwe[e.Kind]; ok && !slices.Contains(states, r.State) {
			t.Errorf("#%v is %q and owes %q", r.Number, r.State, e.Kind)
		}
		if ids[e.ID] {
			t.Errorf("#%v owes effect %d twice", r.Number, e.ID)
		}
		ids[e.ID] = true
		if e.Due.IsZero() || e.Turn() > r.Seq || e.Turn() == 0 {
			t.Errorf("#%v at turn %d owes an effect of turn %d, due %v", r.Number, r.Seq, e.Turn(), e.Due)
		}
	}
	for k := range mayOwe {
		if n := len(effects(r, k)); n > 1 {
			t.Errorf("#%v owes %d of %q", r.Number, n, k)
		}
	}
	moving := r.State == workflow.Approved || r.State == workflow.Executing || r.State == workflow.Unknown && !r.Asked()
	if moving != (len(effects(r, workflow.CallEffect)) == 1) {
		t.Errorf("#%v is %q and owes %d calls", r.Number, r.State, len(effects(r, workflow.CallEffect)))
	}
}

func clone(t rapid.TB, r workflow.Request) workflow.Request {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var c workflow.Request
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestApply_ExpiresOnTimeOnly(t *testing.T) {
	p := onePolicy()
	r := submitted(t, p, grant(), asker)
	end := epoch.Add(24 * time.Hour)
	mustRefuse(t, r, workflow.Command{Verb: workflow.Expire}, p, end.Add(-time.Nanosecond), workflow.WrongState)
	must(t, r, workflow.Command{Verb: workflow.Expire}, p, end)

	for _, v := range []workflow.Verb{workflow.Approve, workflow.Deny, workflow.Withdraw} {
		ref := mustRefuse(t, r, command(r, v), p, end, workflow.WrongState)
		if ref.Request.State != workflow.Expired {
			t.Errorf("%s after the end shows %q", v, ref.Request.State)
		}
	}
	mustRefuse(t, r, command(r, workflow.Remind), p, end, workflow.WrongState)

	endless := rule(anyOf(1, lead.User))
	endless.Expires = 0
	q := policy(endless)
	r = submitted(t, q, grant(), asker)
	mustRefuse(t, r, workflow.Command{Verb: workflow.Expire}, q, epoch.Add(1000*24*time.Hour), workflow.WrongState)
	must(t, r, approveBy(lead), q, epoch.Add(1000*24*time.Hour))
}

func TestApply_RemindsAtMostFiveTimes(t *testing.T) {
	for name, expires := range map[string]time.Duration{"WithExpiry": 240 * time.Hour, "Without": 0} {
		t.Run(name, func(t *testing.T) {
			rl := rule(anyOf(1, lead.User))
			rl.Expires = expires
			p := policy(rl)
			r := submitted(t, p, grant(), asker)
			n := 0
			for len(effects(r, workflow.RemindEffect)) > 0 && n < 100 {
				r = must(t, r, command(r, workflow.Remind), p, effects(r, workflow.RemindEffect)[0].Due)
				n++
			}
			if n != workflow.MaxReminders {
				t.Errorf("%d reminders, want %d", n, workflow.MaxReminders)
			}
		})
	}
}

func TestApply_RemindsNotBehindTheEnd(t *testing.T) {
	rl := rule(anyOf(1, lead.User))
	rl.Expires, rl.RemindEvery = 10*time.Hour, 4*time.Hour
	p := policy(rl)
	r := submitted(t, p, grant(), asker)
	n := 0
	for len(effects(r, workflow.RemindEffect)) > 0 {
		r = must(t, r, command(r, workflow.Remind), p, effects(r, workflow.RemindEffect)[0].Due)
		n++
	}
	if n != 2 {
		t.Errorf("%d reminders every 4 h within 10 h, want 2", n)
	}
}

func TestApply_UnclearCallIsRepeatedOnceAndOnlyWhenQuiet(t *testing.T) {
	p := onePolicy()
	lost := situations(t, p)[4].r
	begin := workflow.Command{Verb: workflow.Begin, Membership: absent()}
	mustRefuse(t, lost, begin, p, epoch.Add(workflow.GatewayQuiet-time.Nanosecond), workflow.WrongState)

	other := begin
	other.Membership.State = "r00004"
	mustRefuse(t, lost, other, p, later, workflow.WrongState)
	blind := begin
	blind.Membership.Blind = true
	mustRefuse(t, lost, blind, p, later, workflow.WrongState)

	repeated := must(t, lost, begin, p, epoch.Add(workflow.GatewayQuiet))
	lostAgain := must(t, repeated, workflow.Command{Verb: workflow.Lose, Outcome: unclear()}, p, later)
	mustRefuse(t, lostAgain, begin, p, later.Add(time.Hour), workflow.WrongState)
}

func TestApply_RetryRemembersADoubt(t *testing.T) {
	p := onePolicy()
	all := situations(t, p)
	asked := all[5].r
	t.Run("AfterAnUnclearCall", func(t *testing.T) {
		r := must(t, asked, command(asked, workflow.Retry), p, later)
		if r.Attempt == nil || r.Attempt.Before.State != "absent" || !r.Attempt.Begun.IsZero() {
			t.Fatalf("the new attempt remembers %+v", r.Attempt)
		}
		// It is found as wanted: the earlier call may have given it, so that its limit must be kept.
		tr, err := workflow.Apply(r, workflow.Command{Verb: workflow.Succeed, ReadBack: true, Spare: 9}, p, later)
		if err != nil || tr.Child == nil {
			t.Fatalf("no child ends it: %v", err)
		}
	})
	t.Run("AfterARefusal", func(t *testing.T) {
		if r := all[3].r; r.Attempt != nil {
			t.Errorf("the new attempt remembers %+v", r.Attempt)
		}
	})
	t.Run("OfAPersonWhoSaidNo", func(t *testing.T) {
		r := must(t, asked, command(asked, workflow.MarkNot), p, later)
		if r = must(t, r, command(r, workflow.Retry), p, later); r.Attempt == nil {
			t.Error("the doubt is forgotten")
		}
	})
}

func TestApply_TimeLimitMakesOneChild(t *testing.T) {
	p := onePolicy()
	all := situations(t, p)
	called := all[2].r
	tr, err := workflow.Apply(called, workflow.Command{Verb: workflow.Succeed, Via: "test", Spare: 9}, p, later)
	if err != nil {
		t.Fatal(err)
	}
	c := tr.Child
	if c == nil || tr.ChildEntry == nil || tr.Request.Child != 9 || c.Number != 9 || c.Parent != 7 {
		t.Fatalf("child %+v, entry %+v, parent's child #%v", c, tr.ChildEntry, tr.Request.Child)
	}
	if c.State != workflow.Approved || c.Change.Action != workflow.RemoveOne || c.Change.Limit != 0 || c.Change.Roles != nil {
		t.Errorf("the child is %q and does %+v", c.State, c.Change)
	}
	if due := effects(*c, workflow.CallEffect)[0].Due; !due.Equal(later.Add(time.Hour)) {
		t.Errorf("the child is due at %v, want an hour after the parent was done", due)
	}
	if tr.ChildEntry.To != workflow.Approved || tr.ChildEntry.Request != 9 {
		t.Errorf("entry of the child: %+v", tr.ChildEntry)
	}

	already := all[1].r
	tr, err = workflow.Apply(already, workflow.Command{Verb: workflow.Succeed, Already: true, Spare: 9}, p, later)
	if err != nil || tr.Child != nil || tr.Request.Child != 0 {
		t.Errorf("a membership that was so already got a child: %+v, %v", tr.Child, err)
	}
}

func TestApply_ChildOfRoleRestoresTheFormerRoles(t *testing.T) {
	p := onePolicy()
	c := grant()
	c.Action = workflow.SetRole
	r := submitted(t, p, c, asker)
	r = must(t, r, approveBy(lead), p, epoch)
	m := workflow.Membership{State: "r00003,r00004", Fit: workflow.Differs, Roles: []string{"r00003", "r00004"}}
	r = must(t, r, workflow.Command{Verb: workflow.Begin, Membership: m}, p, epoch)
	tr, err := workflow.Apply(r, workflow.Command{Verb: workflow.Succeed, Spare: 9}, p, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.Child.Change; got.Action != workflow.SetRole || got.RoleIDs() != "r00003,r00004" {
		t.Errorf("the child does %s %s", got.Action, got.RoleIDs())
	}
}

func TestApply_DriftVoidsTheApprovals(t *testing.T) {
	p := onePolicy()
	r := situations(t, p)[1].r
	m := absent()
	m.State = "r00004"
	r = must(t, r, workflow.Command{Verb: workflow.Drifted, Membership: m}, p, later)
	if len(r.Decisions) != 0 || len(r.Voided) != 1 || r.Plan.Membership.State != "r00004" {
		t.Fatalf("decisions %v, voided %v, plan %+v", r.Decisions, r.Voided, r.Plan)
	}
	if !r.Expires.Equal(later.Add(24 * time.Hour)) {
		t.Errorf("it expires at %v", r.Expires)
	}
	if r = must(t, r, approveBy(lead), p, later); r.State != workflow.Approved {
		t.Errorf("approved anew it is %q", r.State)
	}
}

func TestApply_OlderCardDoesNotStay(t *testing.T) {
	p := onePolicy()
	r := submitted(t, p, grant(), asker)
	card := workflow.Card{Channel: "C0APPROVALS", TS: "1.0"}
	shown := func(r workflow.Request, seq uint64) workflow.Request {
		card.Seq = seq
		return must(t, r, workflow.Command{Verb: workflow.Shown, Card: card}, p, later)
	}
	r = shown(r, r.Seq)
	old := r.Seq
	r = must(t, r, approveBy(lead), p, later)
	r = shown(r, r.Seq)
	if n := len(effects(r, workflow.CardEffect)); n != 0 {
		t.Fatalf("shown, it owes %d cards", n)
	}
	if r = shown(r, old); len(effects(r, workflow.CardEffect)) != 1 {
		t.Error("the card shows an older turn, and none is owed")
	}
	r = shown(r, old)
	if n := len(effects(shown(r, r.Seq), workflow.CardEffect)); n != 0 {
		t.Errorf("shown again, it owes %d cards", n)
	}
}

// An edge of the diagram: a state and the one that follows.
type edge struct{ from, to workflow.State }

// TestDoc_DiagramIsTheTable compares the diagram in the package's documentation with what Apply does.
func TestDoc_DiagramIsTheTable(t *testing.T) {
	drawn := diagram(t)
	p := onePolicy()
	done := map[edge]bool{}
	for _, s := range situations(t, p) {
		for _, to := range s.to {
			if to != s.r.State {
				done[edge{s.r.State, to}] = true
			}
		}
	}
	done[edge{workflow.Pending, workflow.Expired}] = true // at its time: TestApply_ExpiresOnTimeOnly
	// What the text below the diagram says.
	for _, e := range []edge{
		{workflow.Approved, workflow.Done},
		{workflow.Approved, workflow.Failed},
		{workflow.Approved, workflow.Pending},
		{workflow.Executing, workflow.Pending},
	} {
		drawn[e] = true
	}
	same(t, "edges of the table", done, drawn)
}

// diagram reads the edges of the diagram in doc.go: arrows between words in a line, and branches that hang below the
// word which spans their column.
func diagram(t *testing.T) map[edge]bool {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	edges := map[edge]bool{}
	var trunk string
	arrow := regexp.MustCompile(`-->|--[^|>]*?-->`)
	for line := range strings.SplitSeq(string(text), "\n") {
		if !strings.Contains(line, "-->") || !strings.HasPrefix(line, "//") || strings.Contains(line, "(request") {
			continue
		}
		if trunk == "" {
			trunk = line
		}
		// Each chain of a line begins at its start or at a branch mark.
		marks := regexp.MustCompile(`[|']--`).FindAllStringIndex(line, -1)
		starts := []int{2}
		if line != trunk {
			starts = nil
		}
		for _, m := range marks {
			starts = append(starts, m[0])
		}
		for i, from := range starts {
			end := len(line)
			if i+1 < len(starts) {
				end = starts[i+1]
			}
			chain := line[from:end]
			var before []workflow.State
			if line != trunk {
				before = []workflow.State{wordAt(trunk, from)}
				chain = chain[1:]
			}
			for _, word := range arrow.Split(chain, -1) {
				var here []workflow.State
				for w := range strings.SplitSeq(word, "|") {
					if w = strings.TrimSpace(w); w != "" {
						here = append(here, workflow.State(w))
					}
				}
				for _, b := range before {
					for _, h := range here {
						edges[edge{b, h}] = true
					}
				}
				if here != nil {
					before = here
				}
			}
		}
	}
	return edges
}

// wordAt is the state whose word spans a column of the trunk.
func wordAt(trunk string, column int) workflow.State {
	for _, at := range regexp.MustCompile(`[a-z]+`).FindAllStringIndex(trunk, -1) {
		word := workflow.State(trunk[at[0]:at[1]])
		if at[0] <= column && column < at[1] && slices.Contains(workflow.States(), word) {
			return word
		}
	}
	return workflow.State("nothing above column " + trunk[:min(column, len(trunk))])
}

func TestApply_ClaimStandsForAnHour(t *testing.T) {
	p := onePolicy()
	r := submitted(t, p, grant(), asker)
	claim := workflow.Command{Verb: workflow.Claim, Actor: lead}
	claimed := must(t, r, claim, p, epoch)
	if c := claimed.ClaimedAt(epoch.Add(workflow.ClaimTime - 1)); c == nil || c.By != lead.Person {
		t.Errorf("claimed by %+v", c)
	}
	if c := claimed.ClaimedAt(epoch.Add(workflow.ClaimTime)); c != nil {
		t.Errorf("after its time claimed by %+v", c)
	}
	released := must(t, claimed, claim, p, epoch)
	if len(effects(released, workflow.FadeEffect)) != 0 || released.Claim != nil {
		t.Errorf("released, it owes %+v", released.Effects)
	}
	faded := must(t, claimed, command(claimed, workflow.Fade), p, epoch.Add(workflow.ClaimTime))
	if len(effects(faded, workflow.FadeEffect)) != 0 || faded.Claim != nil {
		t.Errorf("faded, it owes %+v", faded.Effects)
	}
	if approved := must(t, claimed, approveBy(lead), p, epoch); len(effects(approved, workflow.FadeEffect)) != 0 {
		t.Errorf("approved, it owes %+v", approved.Effects)
	}
}

func TestApply_PostponedEndIsNotBegun(t *testing.T) {
	p := onePolicy()
	var end workflow.Request
	for _, s := range situations(t, p) {
		if s.name == "to be ended" {
			end = s.r
		}
	}
	begin := workflow.Command{Verb: workflow.Begin, Effect: effects(end, workflow.CallEffect)[0].ID, Membership: absent()}
	must(t, end, begin, p, later)
	put := must(t, end, workflow.Command{Verb: workflow.Postpone, Until: later.Add(time.Hour)}, p, later)
	if due := effects(put, workflow.CallEffect)[0].Due; !due.Equal(later.Add(time.Hour)) {
		t.Errorf("due at %v", due)
	}
	mustRefuse(t, put, begin, p, later, workflow.WrongState)
}

func TestApply_EachEffectEndsInItsOwnWay(t *testing.T) {
	p := onePolicy()
	pending := must(t, submitted(t, p, grant(), asker), workflow.Command{Verb: workflow.Claim, Actor: lead}, p, epoch)
	approved := must(t, pending, approveBy(lead), p, epoch)
	refuses := func(r workflow.Request, v workflow.Verb, kinds ...workflow.EffectKind) {
		t.Helper()
		for _, k := range kinds {
			mustRefuse(t, r, workflow.Command{Verb: v, Effect: effects(r, k)[0].ID}, p, later, workflow.WrongState)
		}
	}
	timers := []workflow.EffectKind{workflow.PlanEffect, workflow.CardEffect, workflow.ExpireEffect, workflow.RemindEffect}
	refuses(pending, workflow.Told, append(timers, workflow.FadeEffect)...)
	refuses(pending, workflow.Fade, timers...)
	refuses(pending, workflow.Remind, workflow.CardEffect, workflow.FadeEffect)
	refuses(approved, workflow.Told, workflow.CallEffect, workflow.CardEffect)
	refuses(approved, workflow.GiveUp, workflow.CallEffect)
}
