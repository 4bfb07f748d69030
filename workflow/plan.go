package workflow

import (
	"slices"
	"time"
)

const (
	// planPatience is how long the card waits for the membership to be read, so that it is whole when people see it.
	planPatience = 2 * time.Second
	// planTries bounds how often a membership that could not be read is read again while the request is pending.
	planTries = 6
	// maxStreak is how many calls in a row the bot makes by itself when the vendor asks it to come back later.
	maxStreak = 3
)

// Position is where a subject stands in a group, for people to compare.
type Position struct {
	// Status is absent, pending, joined, rejected, canceled, member, or the vendor's own word.
	Status string    `json:"status,omitempty"`
	Roles  []RoleRef `json:"roles,omitempty"`
	Remark string    `json:"remark,omitempty"`
}

// Warning is something that an approver should know before signing.
type Warning string

// The warnings.
const (
	HighRisk  Warning = "high_risk"  // the role may change everything in the group
	LastAdmin Warning = "last_admin" // nobody with that role would be left
	Answered  Warning = "answered"   // the invitation was already answered
)

// Plan is what the provider read when the request was made: the difference that approvers sign.
type Plan struct {
	At         time.Time  `json:"at"`
	Membership Membership `json:"membership,omitzero"`
	// Fault is set while the membership could not be read; At is then since when.
	Fault *Fault `json:"fault,omitempty"`
	// Clock is what the request would do to a time limit, where the membership is already as wanted.
	Clock Clock `json:"clock,omitempty"`
}

// Clock is what a request does to the time limit of a membership that another one gave. The zero value is nothing.
type Clock string

// What may become of a time limit.
const (
	Moved  Clock = "moved"  // the membership ends at another time
	Lifted Clock = "lifted" // it no longer ends
)

// Read reports whether the plan holds a membership.
func (p *Plan) Read() bool { return p != nil && p.Fault == nil }

// drifted reports whether the membership is no longer as it was when it was signed.
func (r Request) drifted(m Membership) bool {
	return r.Plan.Read() && r.Plan.Membership.State != "" && r.Plan.Membership.State != m.State
}

// hopeless is the fault that ends a request before anybody is asked: the cloud knows no such group, subject or role.
func hopeless(c Command) *Fault {
	f := c.Outcome.Fault
	if c.Membership.Fit == Impossible {
		f = c.Membership.Why
	}
	if f != nil && (f.Class == ClassGroup || f.Class == ClassSubject || f.Class == ClassRole) {
		return f
	}
	return nil
}

func planned(s *step) *Refusal {
	if f := hopeless(s.c); f != nil {
		s.r.Result = &Result{Fault: f}
		s.end(Denied, f.Error())
		s.tellRequester()
		return nil
	}
	tries := 0
	if e, ok := s.r.Effect(s.c.Effect); ok {
		tries = e.Tries + 1
	}
	if f := s.c.Outcome.Fault; f != nil {
		s.unplanned(f, tries)
		return nil
	}
	s.c.Membership.Row = nil // the provider's own record is read afresh before the call
	s.r.Plan = &Plan{At: s.now, Membership: s.c.Membership, Clock: s.c.Clock}
	s.turn(Pending, "present: "+s.c.Membership.State)
	s.drop(PlanEffect)
	s.oweCard()
	return nil
}

// unplanned notes that the membership could not be read, and owes another try.
func (s *step) unplanned(f *Fault, tries int) {
	if s.r.Plan == nil {
		s.r.Plan = &Plan{At: s.now}
	}
	s.r.Plan.Fault = f
	s.turn(Pending, "present: could not be read: "+f.Error())
	s.drop(PlanEffect)
	s.oweCard()
	if tries < planTries {
		s.owe(PlanEffect, s.now.Add(backoff(tries+2))).Tries = tries
	}
}

// oweCard owes the card now. The one that was to wait for the plan was never tried if it is not due yet.
func (s *step) oweCard() {
	first := slices.ContainsFunc(s.r.Effects, func(e Effect) bool {
		return e.Kind == CardEffect && e.Turn() == 1 && e.Due.After(s.now) && e.Tries == 0 && e.Lease == Lease{}
	})
	s.owe(CardEffect, s.now).First = first
}

// drift voids the approvals: what they signed is no longer what would happen. The request waits for new ones, on what
// was just read.
func drift(s *step) *Refusal {
	if s.r.Attempt.begun() {
		return Refuse(WrongState, string(s.r.State)) // a call that was begun is settled, not signed again
	}
	if !s.r.Plan.Read() {
		return Refuse(WrongState, string(s.r.State)) // nothing was signed that could have changed
	}
	was := s.r.Plan.Membership.Now
	s.c.Membership.Row = nil
	s.r.Plan = &Plan{At: s.now, Membership: s.c.Membership}
	s.r.Drift = &Drift{At: s.now, Was: was}
	s.r.Voided = append(s.r.Voided, s.r.Decisions...)
	s.r.Decisions, s.r.Attempt, s.r.Result, s.r.Streak = nil, nil, nil, 0
	s.turn(Pending, "changed since it was approved: "+s.c.Membership.State)
	s.drop(CallEffect)
	s.wait()
	s.announce()
	return nil
}

// Drift is that a membership changed between the approvals and the call.
type Drift struct {
	At  time.Time `json:"at"`
	Was Position  `json:"was"` // what the approvals were given on
}

// again owes another call a little later, after one that the vendor certainly did not apply.
func again(s *step) *Refusal {
	if !s.r.Attempt.begun() || s.c.Outcome.Fault == nil {
		return Refuse(WrongState, string(s.r.State)) // no call was refused
	}
	s.r.Attempt = nil
	s.r.Result = &Result{Fault: s.c.Outcome.Fault}
	s.turn(Executing, "tried again: "+s.c.Outcome.Fault.Error())
	s.owe(CallEffect, s.c.Until)
	s.owe(CardEffect, s.now.Add(showRunning))
	return nil
}

// MayComeBack reports whether a refused call may be made again without asking anybody: the vendor was busy or broken,
// certainly did not apply it, and has not been asked too often.
func (r Request) MayComeBack(f *Fault) bool {
	return f != nil && (f.Class == ClassThrottled || f.Class == ClassVendor) && r.Streak < maxStreak
}
