package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Verb names a command: what somebody does to a request, or what the runner learned about it.
type Verb string

// What people do.
const (
	Submit    Verb = "submit"
	Approve   Verb = "approve"
	Deny      Verb = "deny"
	Withdraw  Verb = "withdraw"
	Retry     Verb = "retry"
	LookAgain Verb = "look"      // read the cloud once more
	MarkDone  Verb = "mark_done" // a person has seen that it was applied
	MarkNot   Verb = "mark_not"  // a person has seen that it was not
	Claim     Verb = "claim"     // an approver looks at it, or no longer does
	Undo      Verb = "undo"      // ask for the inverse change
)

// What time and the runner do.
const (
	Planned  Verb = "plan"     // the present membership was read, or could not be
	Drifted  Verb = "drift"    // the membership changed after the approvals: they are void
	Postpone Verb = "postpone" // a timed membership was extended
	Lapse    Verb = "lapse"    // the undo that was asked for came to nothing, or is tried once more
	Fade     Verb = "fade"     // a claim has run out
	Again    Verb = "again"    // the vendor was busy or broken: another call is owed
	Expire   Verb = "expire"
	Remind   Verb = "remind"
	Begin    Verb = "begin"   // the call is about to be sent
	Succeed  Verb = "succeed" // the provider said so, or a read showed it
	Fail     Verb = "fail"    // the provider refused, or a read showed that it was not applied
	Lose     Verb = "lose"    // the call's outcome is unclear
	Ask      Verb = "ask"     // reading did not settle it: a person must
	PutOff   Verb = "put_off" // an effect is tried again later
	Shown    Verb = "shown"   // the card shows the request
	Told     Verb = "told"    // a message was delivered
	GiveUp   Verb = "give_up" // a message cannot be delivered
	Reshow   Verb = "reshow"  // somebody has seen the card show what is no longer so

	// EndsSoon is no command: it marks the message that a timed membership ends soon.
	EndsSoon Verb = "ends_soon"
)

// Verbs are all verbs.
func Verbs() []Verb {
	return []Verb{
		Submit, Approve, Deny, Withdraw, Retry, LookAgain, MarkDone, MarkNot, Claim, Undo,
		Planned, Drifted, Again, Postpone, Lapse, Fade, Expire, Remind, Begin, Succeed, Fail, Lose, Ask, PutOff, Shown, Told, GiveUp, Reshow,
	}
}

// nowhere is where a request comes from.
const nowhere State = ""

// who may do a verb.
type who int

const (
	bot       who = iota // time and the runner
	member               // any full member of an allowed workspace
	requester            // the person who asked
	approver             // whoever may approve the request
	party                // the person who asked, or whoever may approve
)

// edge is one row of the table: in any of the states from, verb leads to one of the states to.
type edge struct {
	verb Verb
	from []State
	to   []State
	by   who
	act  func(*step) *Refusal
}

var stored = States()

// transitions is the whole life of a request. What is not in it is refused.
var transitions = []edge{
	{Submit, []State{nowhere}, []State{Pending}, member, submit},
	{Approve, []State{Pending}, []State{Pending, Approved}, approver, approve},
	{Deny, []State{Pending}, []State{Denied}, approver, deny},
	{Claim, []State{Pending}, []State{Pending}, approver, claim},
	{Undo, []State{Done}, []State{Done}, party, undo},
	{Postpone, []State{Approved}, []State{Approved}, bot, postpone},
	{Lapse, []State{Done}, []State{Done}, bot, lapse},
	{Fade, stored, stored, bot, fade},
	{Withdraw, []State{Pending}, []State{Withdrawn}, requester, withdraw},
	{Planned, []State{Pending}, []State{Pending, Denied}, bot, planned},
	{Drifted, []State{Approved, Executing}, []State{Pending}, bot, drift},
	{Again, []State{Executing}, []State{Executing}, bot, again},
	{Expire, []State{Pending}, []State{Expired}, bot, expire},
	{Remind, []State{Pending}, []State{Pending}, bot, remind},

	{Begin, []State{Approved, Executing, Unknown}, []State{Executing}, bot, begin},
	{Succeed, []State{Approved, Executing, Unknown}, []State{Done}, bot, succeed},
	{Fail, []State{Approved, Executing, Unknown}, []State{Failed}, bot, fail},
	{Lose, []State{Executing}, []State{Unknown}, bot, lose},
	{Ask, []State{Unknown}, []State{Unknown}, bot, ask},

	{Retry, []State{Failed, Unknown}, []State{Executing}, approver, retry},
	{LookAgain, []State{Unknown}, []State{Unknown}, approver, lookAgain},
	{MarkDone, []State{Unknown}, []State{Done}, approver, markDone},
	{MarkNot, []State{Unknown}, []State{Failed}, approver, markNot},

	{PutOff, stored, stored, bot, putOff},
	{Shown, stored, stored, bot, shown},
	{Told, stored, stored, bot, told},
	{GiveUp, stored, stored, bot, giveUp},
	{Reshow, stored, stored, bot, reshow},
}

func edgeFor(s State, v Verb) (edge, bool) {
	for _, e := range transitions {
		if e.verb == v && slices.Contains(e.from, s) {
			return e, true
		}
	}
	return edge{}, false
}

// Command is one verb with what it brings along.
type Command struct {
	Verb  Verb
	Actor Actor // who does it; zero for the bot
	// Via is where it came from, for the audit trail.
	Via string
	// Reason is a person's free text. It is untrusted.
	Reason string

	Membership Membership // Begin: what was read before the call; Ask, Succeed, Fail: what was read last
	Outcome    Outcome    // Succeed, Fail, Lose: what the call returned
	Already    bool       // Succeed: there was nothing to do
	ReadBack   bool       // Succeed, Fail: a read showed it, not the call's answer
	Clock      Clock      // Planned: what it would do to a time limit
	Spare      Number     // Succeed, MarkDone, Undo: a reserved number for the child request, where one is owed

	Effect uint64    // Begin, Planned, Remind, PutOff, Told, GiveUp: which effect
	Until  time.Time // PutOff, Again: until when
	Card   Card      // Shown
	Note   string    // GiveUp: why
	Lapsed bool      // Lapse: whether it came to nothing

	Hold *Hold // of the runner, where several replicas share the store: what it relies on
}

// Transition is what Apply makes of a command.
type Transition struct {
	Request Request
	// Entry is the audit entry; nil for bookkeeping that changes nothing anyone was promised.
	Entry *Entry
	// Child is a new request that the new state owes, and ChildEntry its audit entry.
	Child      *Request
	ChildEntry *Entry
}

// StateAt is the request's state at a time: a pending request whose time is over has expired, whether or not anything
// has recorded that yet.
func (r Request) StateAt(now time.Time) State {
	if r.State == Pending && !r.Expires.IsZero() && !now.Before(r.Expires) {
		return Expired
	}
	return r.State
}

// Apply is the whole of the rules: it judges one command on one request and returns what becomes of it. It is pure. Its
// error is a *Refusal that carries the request as it is.
func Apply(r Request, c Command, p Policy, now time.Time) (Transition, error) {
	if ref := judge(r, c, p, now); ref != nil {
		present := r
		present.State = r.StateAt(now)
		ref.Request = &present
		return Transition{}, ref
	}
	e, _ := edgeFor(r.State, c.Verb)
	s := &step{r: clone(r), from: r.State, c: c, p: p, now: now}
	if ref := e.act(s); ref != nil {
		present := r
		ref.Request = &present
		return Transition{}, ref
	}
	if !slices.Contains(e.to, s.r.State) {
		panic(fmt.Sprintf("workflow: %s led from %q to %q, which the table does not know", c.Verb, r.State, s.r.State))
	}
	s.r.Updated = now
	return Transition{Request: s.r, Entry: s.entry, Child: s.child, ChildEntry: s.childEntry}, nil
}

func judge(r Request, c Command, p Policy, now time.Time) *Refusal {
	e, ok := edgeFor(r.State, c.Verb)
	byPerson := e.by != bot
	if byPerson {
		if ref := p.Vet(c.Actor); ref != nil {
			return ref
		}
	}
	if !ok || byPerson && r.StateAt(now) != r.State {
		return Refuse(WrongState, string(r.StateAt(now)))
	}
	if byPerson && utf8.RuneCountInString(c.Reason) > MaxReason {
		return Refuse(TooLong, strconv.Itoa(MaxReason))
	}
	switch e.by {
	case requester:
		if c.Actor.Person != r.Requester {
			return Refuse(NotRequester)
		}
	case approver:
		return p.mayDecideNow(r, c.Actor)
	case party:
		if c.Actor.Person != r.Requester {
			return p.mayDecideNow(r, c.Actor)
		}
	case bot, member:
	}
	return nil
}

func clone(r Request) Request {
	r.Decisions = slices.Clone(r.Decisions)
	r.Voided = slices.Clone(r.Voided)
	r.Effects = slices.Clone(r.Effects)
	if r.Plan != nil {
		p := *r.Plan
		r.Plan = &p
	}
	if r.Attempt != nil {
		a := *r.Attempt
		r.Attempt = &a
	}
	if r.Result != nil {
		res := *r.Result
		r.Result = &res
	}
	return r
}
