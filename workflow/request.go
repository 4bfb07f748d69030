package workflow

import (
	"strconv"
	"time"
)

// Number is a request's number, as people say it: #42. Numbers increase with time and are never used again.
type Number uint64

// String is the number without its sign: "42".
func (n Number) String() string { return strconv.FormatUint(uint64(n), 10) }

// State is where a request is in its life.
type State string

// The states; see the package's diagram for how a request enters and leaves each.
const (
	Pending   State = "pending"   // waits for approvals
	Approved  State = "approved"  // the call is owed
	Executing State = "executing" // the call is being made, or was begun when the process died
	Done      State = "done"      // the provider said so, or a read showed it
	Failed    State = "failed"    // the provider refused; may be retried
	Unknown   State = "unknown"   // whether the call was applied is not known yet
	Denied    State = "denied"
	Withdrawn State = "withdrawn"
	Expired   State = "expired"
)

// States are all states, in the order of a request's life.
func States() []State {
	return []State{Pending, Approved, Executing, Unknown, Failed, Done, Denied, Withdrawn, Expired}
}

// Open reports whether something may still become of a request in state s without a person asking for it.
func (s State) Open() bool {
	switch s {
	case Pending, Approved, Executing, Unknown:
		return true
	default:
		return false
	}
}

// Person is a Slack user in a Slack workspace, both IDs. The zero value is Countersign itself.
type Person struct {
	User string `json:"user,omitempty"`
	Team string `json:"team,omitempty"`
}

// Request is a change that somebody asked for. It is the unit of storage: one record, replaced as a whole.
type Request struct {
	Number    Number `json:"number"`
	State     State  `json:"state"`
	Change    Change `json:"change"`
	Reason    string `json:"reason,omitempty"`
	Requester Person `json:"requester"`
	// RequesterGroups are the user groups that the requester was in, of those that the policy names.
	RequesterGroups []string `json:"requester_groups,omitempty"`

	// Rule is the policy rule that applied when the request was made. RuleNow is the one that applied at the last approval,
	// where the policy had changed by then: the approvals must fill both.
	Rule      Rule       `json:"rule"`
	RuleNow   *Rule      `json:"rule_now,omitempty"`
	Decisions []Decision `json:"decisions,omitempty"`

	// Extends is the request whose timed membership this one lengthens.
	Extends Number `json:"extends,omitempty"`
	// Claim is the last word of an approver that they look at it; see ClaimedAt.
	Claim *Claimed `json:"claim,omitempty"`
	// Plan is the present membership that approvers sign; nil until it was read.
	Plan *Plan `json:"plan,omitempty"`
	// Drift is the last time that the membership changed under the approvals, which are then in Voided.
	Drift  *Drift     `json:"drift,omitempty"`
	Voided []Decision `json:"voided,omitempty"`

	// Attempt is the last attempt at the call; Attempts counts them.
	Attempt  *Attempt `json:"attempt,omitempty"`
	Attempts int      `json:"attempts,omitempty"`
	// Streak counts the calls since a person last asked for one.
	Streak int     `json:"streak,omitempty"`
	Result *Result `json:"result,omitempty"`

	Card Card `json:"card,omitzero"`

	// Parent is the request whose time limit, undo or revert this one carries out; Child is the reverse.
	Parent Number `json:"parent,omitempty"`
	Child  Number `json:"child,omitempty"`
	// Lapsed is that Child was to undo the request and came to nothing, so that it may be asked for again.
	Lapsed bool `json:"lapsed,omitempty"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Expires is when a pending request ends undecided.
	Expires time.Time `json:"expires,omitzero"`

	// Seq counts the turns of the request: changes that a person can see. An effect names the turn that owes it, so that
	// an older one never undoes a newer one.
	Seq     uint64   `json:"seq"`
	Effects []Effect `json:"effects,omitempty"`
}

// Rules are the rules whose places approvals must fill, the one that the request was made under first.
func (r Request) Rules() []Rule {
	if r.RuleNow != nil {
		return []Rule{r.Rule, *r.RuleNow}
	}
	return []Rule{r.Rule}
}

// Due is when the earliest effect of the request is due; zero if it owes none.
func (r Request) Due() time.Time {
	var due time.Time
	for _, e := range r.Effects {
		if due.IsZero() || e.Due.Before(due) {
			due = e.Due
		}
	}
	return due
}

// Effect returns the effect with the given ID.
func (r Request) Effect(id uint64) (Effect, bool) {
	for _, e := range r.Effects {
		if e.ID == id {
			return e, true
		}
	}
	return Effect{}, false
}

// Decision is one person's approve or deny.
type Decision struct {
	By      Person `json:"by"`
	Approve bool   `json:"approve"`
	// Reason is what the person said with it: why not, or a note to an approval. It is untrusted.
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	// Groups are the user groups that the person was in at the click, of those that the policy names.
	Groups []string `json:"groups,omitempty"`
}

// Attempt is one try at the cloud call.
type Attempt struct {
	// Begun is when the call was about to be sent; it is stored before the call is. It is zero where the next call is
	// still to come, and Before is that of an earlier one whose outcome was never learned.
	Begun time.Time `json:"begun,omitzero"`
	// Before is the membership read just before the call.
	Before Membership `json:"before,omitzero"`
	// Outcome is what the call itself returned; nil while it is not recorded.
	Outcome *Outcome `json:"outcome,omitempty"`
	// Alone: until the outcome is known, or a person is asked, no other request may begin a call on the membership.
	Alone bool `json:"alone,omitempty"`
	// Repeat marks a call that repeats an unclear one, which a read had shown to be not applied.
	Repeat bool `json:"repeat,omitempty"`
	// Settle is until when an unclear outcome is looked up before a person is asked.
	Settle time.Time `json:"settle,omitzero"`
}

// Alone reports whether no other request may begin a call on the membership of this one.
func (r Request) Alone() bool {
	return r.Attempt != nil && r.Attempt.Alone && (r.State == Executing || r.State == Unknown)
}

// Result is how a request ended, for people.
type Result struct {
	// Already: the membership was as wanted before any call.
	Already bool `json:"already,omitempty"`
	// Clock is what the request did to a time limit of a membership that was already as wanted; Until is its new end.
	Clock Clock     `json:"clock,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// ReadBack: the call's own answer was unclear, and a later read showed the result.
	ReadBack bool `json:"read_back,omitempty"`
	// Asked: the bot gave up looking and asks a person.
	Asked bool `json:"asked,omitempty"`
	// MarkedBy is who settled an unclear outcome by hand.
	MarkedBy Person `json:"marked_by,omitzero"`
	// Seen is the membership that was last read, in the provider's words.
	Seen  string `json:"seen,omitempty"`
	Fault *Fault `json:"fault,omitempty"`
	// RequestID is the vendor's identifier of the call that succeeded, for its support.
	RequestID string `json:"request_id,omitempty"`
}

// Card is where a request's one Slack message is, and what it shows.
type Card struct {
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
	// Seq is the request's Seq that the card shows.
	Seq uint64 `json:"seq,omitempty"`
	// Lost is that there is none, since its channel did not take it; the requester was told.
	Lost bool `json:"lost,omitempty"`
}

// EffectKind is what kind of work an effect is.
type EffectKind string

// The kinds of effect.
const (
	PlanEffect   EffectKind = "plan"   // read the present membership
	CallEffect   EffectKind = "call"   // make the cloud call, or settle one that was begun
	CardEffect   EffectKind = "card"   // make the card show the request as it is
	ThreadEffect EffectKind = "thread" // a reply in the card's thread
	DirectEffect EffectKind = "direct" // a direct message
	ExpireEffect EffectKind = "expire" // end a request that nobody decided
	RemindEffect EffectKind = "remind" // remind those who may decide
	FadeEffect   EffectKind = "fade"   // a claim has run out
)

// Effect is work that a state change owes the outside. It is stored with the request and run from there, until the
// request no longer holds it.
type Effect struct {
	ID   uint64     `json:"id"` // unique in its request; see Turn
	Kind EffectKind `json:"kind"`
	Due  time.Time  `json:"due"`
	// Tries counts the times that the effect was put off.
	Tries int `json:"tries,omitempty"`
	// About is the verb that owes the message; By who did it.
	About Verb   `json:"about,omitempty"`
	By    Person `json:"by,omitzero"`
	// To is whom a direct message is for.
	To Person `json:"to,omitzero"`
	// First is that no card was tried before the one that is owed here.
	First bool `json:"first,omitempty"`
	// Lease says which of several replicas carries it out.
	Lease Lease `json:"lease,omitzero"`
}

// effectsPerTurn bounds how many effects one turn may owe.
const effectsPerTurn = 16

// Turn is the request's Seq at the turn that owes the effect.
func (e Effect) Turn() uint64 { return e.ID / effectsPerTurn }

// Entry is one line of the audit trail. Seq, Prev and Hash are the store's to give.
type Entry struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Request Number    `json:"request,omitempty"`
	Verb    Verb      `json:"verb"`
	From    State     `json:"from,omitempty"`
	To      State     `json:"to,omitempty"`
	By      Person    `json:"by,omitzero"`
	// Via is where it came from: "slack" with a channel and message, "timer", "provider", "operator".
	Via    string `json:"via,omitempty"`
	Detail string `json:"detail,omitempty"`
	Prev   string `json:"prev"`
	Hash   string `json:"hash"`
}
