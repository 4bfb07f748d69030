package workflow

import (
	"slices"
	"time"
)

const (
	// SettleWindow is how long after a call, or after the restart that found one begun, an unclear outcome is looked up
	// before a person is asked.
	SettleWindow = 90 * time.Second
	// GatewayQuiet is how long a vendor's gateway may still apply a call after we gave up on it. A call is repeated only
	// when this has passed and a read shows the membership as it was before.
	GatewayQuiet = 60 * time.Second
	// MaxReminders bounds the reminders of one request.
	MaxReminders = 5

	lookDelay   = time.Second     // before the first look-up of an unclear outcome
	showUnknown = 3 * time.Second // a card does not flicker for an outcome that is settled at once
	showRunning = time.Second     // nor for a call that returns at once
)

// step is one transition under way: the copy of the request that it changes, and what it was given.
type step struct {
	r     Request
	from  State
	c     Command
	p     Policy
	now   time.Time
	entry *Entry
	child *Request
	// childEntry is the audit entry of the child's birth.
	childEntry *Entry
}

// turn moves the request to a state, in a way that people can see.
func (s *step) turn(to State, detail string) {
	s.r.State = to
	s.r.Seq++
	s.note(detail)
}

// note writes the audit entry of the step.
func (s *step) note(detail string) {
	s.entry = &Entry{
		At: s.now, Request: s.r.Number, Verb: s.c.Verb, From: s.from, To: s.r.State,
		By: s.c.Actor.Person, Via: s.c.Via, Detail: detail,
	}
}

// owe adds an effect of this turn. Of the kinds that only bring the outside up to date, one at a time is owed.
func (s *step) owe(k EffectKind, due time.Time) *Effect {
	switch k {
	case CardEffect, CallEffect, PlanEffect, ExpireEffect, RemindEffect, FadeEffect:
		s.drop(k)
	case ThreadEffect, DirectEffect:
	}
	id := s.r.Seq * effectsPerTurn
	for _, e := range s.r.Effects {
		if e.Turn() == s.r.Seq && e.ID >= id {
			id = e.ID + 1
		}
	}
	s.r.Effects = append(s.r.Effects, Effect{ID: id, Kind: k, Due: due, About: s.c.Verb, By: s.c.Actor.Person})
	return &s.r.Effects[len(s.r.Effects)-1]
}

func (s *step) drop(kinds ...EffectKind) {
	s.r.Effects = slices.DeleteFunc(s.r.Effects, func(e Effect) bool { return slices.Contains(kinds, e.Kind) })
}

func (s *step) finish(id uint64) {
	s.r.Effects = slices.DeleteFunc(s.r.Effects, func(e Effect) bool { return e.ID == id })
}

// tellRequester owes a direct message to the person who asked; the bot's own requests have none.
func (s *step) tellRequester() {
	if s.r.Requester.User != "" {
		s.owe(DirectEffect, s.now).To = s.r.Requester
	}
}

// announce owes the card, a reply in its thread, and word to the requester.
func (s *step) announce() {
	s.owe(CardEffect, s.now)
	s.owe(ThreadEffect, s.now)
	s.tellRequester()
}

// tellSubject owes word to the person whose membership has changed, where they have a Slack account.
func (s *step) tellSubject() {
	for _, p := range s.concerned() {
		if p != s.r.Requester {
			s.owe(DirectEffect, s.now).To = p
		}
	}
}

// dropWarnings forgets the word that a membership ends soon: it has ended.
func (s *step) dropWarnings() {
	s.r.Effects = slices.DeleteFunc(s.r.Effects, func(e Effect) bool { return e.About == EndsSoon })
}

// result is where the outcome for people is written.
func (s *step) result() *Result {
	if s.r.Result == nil {
		s.r.Result = &Result{}
	}
	return s.r.Result
}

func submit(s *step) *Refusal {
	s.r.Created = s.now
	s.r.Reason = s.c.Reason
	s.turn(Pending, s.c.Reason)
	s.r.Effects = make([]Effect, 0, 4)
	s.owe(PlanEffect, s.now)
	s.owe(CardEffect, s.now.Add(planPatience))
	s.wait()
	return nil
}

// wait owes the timers of a request that waits for approvals from now on.
func (s *step) wait() {
	if s.r.Rule.Expires > 0 {
		s.r.Expires = s.now.Add(s.r.Rule.Expires)
		s.owe(ExpireEffect, s.r.Expires)
	}
	if s.r.Rule.RemindEvery > 0 {
		s.owe(RemindEffect, s.now.Add(s.r.Rule.RemindEvery))
	}
}

func approve(s *step) *Refusal {
	rules, ok := s.p.judges(s.r)
	if !ok {
		return Refuse(Uncovered)
	}
	s.r.RuleNow = nil
	if len(rules) > 1 {
		s.r.RuleNow = &rules[1]
	}
	if slices.ContainsFunc(s.r.Decisions, func(d Decision) bool { return d.By.User == s.c.Actor.User }) {
		return Refuse(AlreadySaid)
	}
	before := s.r.Decisions
	s.r.Decisions = append(s.r.Decisions, s.decision(true))
	met, useful := true, false
	for _, rule := range rules {
		met = met && rule.met(s.r.Requester, s.r.Decisions)
		useful = useful || rule.filled(s.r.Requester, s.r.Decisions) > rule.filled(s.r.Requester, before)
	}
	if !useful {
		return Refuse(NoPlaceLeft)
	}
	if met {
		s.turn(Approved, s.c.Reason)
		s.drop(PlanEffect, ExpireEffect, RemindEffect, FadeEffect)
		s.owe(CallEffect, s.now)
	} else {
		s.turn(Pending, s.c.Reason)
	}
	s.owe(CardEffect, s.now)
	s.tellRequester()
	return nil
}

func (s *step) decision(approve bool) Decision {
	return Decision{By: s.c.Actor.Person, Approve: approve, Reason: s.c.Reason, At: s.now, Groups: s.c.Actor.Groups}
}

func deny(s *step) *Refusal {
	s.r.Decisions = append(s.r.Decisions, s.decision(false))
	s.end(Denied, s.c.Reason)
	s.tellRequester()
	return nil
}

func withdraw(s *step) *Refusal {
	s.end(Withdrawn, s.c.Reason)
	return nil
}

func expire(s *step) *Refusal {
	if s.r.StateAt(s.now) != Expired {
		return Refuse(WrongState, string(s.r.State))
	}
	s.end(Expired, "")
	s.tellRequester()
	return nil
}

// end closes a request that no cloud has heard of.
func (s *step) end(to State, detail string) {
	s.turn(to, detail)
	s.drop(PlanEffect, ExpireEffect, RemindEffect, FadeEffect)
	s.owe(CardEffect, s.now)
}

func remind(s *step) *Refusal {
	e, ok := s.r.Effect(s.c.Effect)
	if !ok || e.Kind != RemindEffect || s.r.StateAt(s.now) != Pending {
		return Refuse(WrongState, string(s.r.StateAt(s.now)))
	}
	s.turn(Pending, "")
	s.drop(RemindEffect)
	s.owe(ThreadEffect, s.now)
	next := s.now.Add(s.r.Rule.RemindEvery)
	if e.Tries+1 < MaxReminders && (s.r.Expires.IsZero() || next.Before(s.r.Expires)) {
		s.owe(RemindEffect, next).Tries = e.Tries + 1
	}
	return nil
}

// begin refuses a second call for one attempt. An unclear call is repeated at most once, and only after it can no longer
// be under way and a read has shown the membership as it was before it.
func begin(s *step) *Refusal {
	if s.r.Asked() {
		return Refuse(WrongState, string(s.r.State)) // it is a person's turn
	}
	if _, owed := s.r.Effect(s.c.Effect); s.c.Effect != 0 && !owed {
		return Refuse(WrongState, string(s.r.State)) // the call was put to another time while the membership was read
	}
	if a := s.r.Attempt; a.begun() && (s.from != Unknown || !a.MayRepeat(s.c.Membership, s.now)) {
		return Refuse(WrongState, string(s.r.State))
	}
	s.r.Attempts++
	s.r.Streak++
	s.r.Attempt = &Attempt{Begun: s.now, Before: s.c.Membership, Alone: true, Repeat: s.from == Unknown}
	s.turn(Executing, "before: "+s.c.Membership.State)
	s.owe(CardEffect, s.now.Add(showRunning))
	return nil
}

// MayRepeat reports whether a call whose outcome is unclear may be sent again, given what was just read.
func (a Attempt) MayRepeat(m Membership, now time.Time) bool {
	return !a.Repeat && !m.Blind && m.State == a.Before.State && !now.Before(a.Begun.Add(GatewayQuiet))
}

func succeed(s *step) *Refusal {
	res := s.result()
	*res = Result{
		Already: s.c.Already, ReadBack: s.c.ReadBack, Seen: s.c.Membership.State, RequestID: s.c.Outcome.RequestID,
	}
	detail := ""
	switch {
	case s.c.Already:
		detail = "already so"
	case s.c.ReadBack:
		detail = "confirmed by reading back"
	}
	s.done(detail)
	return nil
}

// done ends the request well, and owes what its time limit promises.
func (s *step) done(detail string) {
	s.record()
	s.turn(Done, detail)
	s.drop(CallEffect)
	s.dropWarnings()
	s.announce()
	s.tellSubject()
	s.bear()
}

// record notes the call's own answer with its attempt.
func (s *step) record() {
	if s.r.Attempt.begun() && s.c.Outcome.Verdict != "" {
		out := s.c.Outcome
		s.r.Attempt.Outcome = &out
	}
}

func fail(s *step) *Refusal {
	s.record()
	s.r.Result = &Result{Fault: s.c.Outcome.Fault, ReadBack: s.c.ReadBack, Seen: s.c.Membership.State}
	detail := ""
	if f := s.c.Outcome.Fault; f != nil {
		detail = f.Error()
	}
	s.turn(Failed, detail)
	s.drop(CallEffect)
	s.dropWarnings()
	s.announce()
	return nil
}

func lose(s *step) *Refusal {
	if !s.r.Attempt.begun() {
		return Refuse(WrongState, string(s.r.State)) // nothing was begun: nothing is unclear
	}
	s.record()
	s.r.Attempt.Settle = s.r.Attempt.Begun.Add(SettleWindow)
	if s.c.Outcome.Verdict == "" { // found after a restart
		s.r.Attempt.Settle = s.now.Add(SettleWindow)
	}
	s.r.Result = &Result{Fault: s.c.Outcome.Fault}
	detail := "the process ended during the call"
	if f := s.c.Outcome.Fault; f != nil {
		detail = f.Error()
	}
	s.turn(Unknown, detail)
	s.owe(CallEffect, s.now.Add(lookDelay))
	s.owe(CardEffect, s.now.Add(showUnknown))
	return nil
}

func ask(s *step) *Refusal {
	res := s.result()
	res.Asked, res.Seen = true, s.c.Membership.State
	if s.r.Attempt != nil {
		s.r.Attempt.Alone = false // who waits for a person holds up nobody
	}
	if s.c.Outcome.Fault != nil {
		res.Fault = s.c.Outcome.Fault
	}
	s.turn(Unknown, "a person is asked; last seen: "+s.c.Membership.State)
	s.drop(CallEffect)
	s.announce()
	return nil
}

func retry(s *step) *Refusal {
	if s.from == Unknown && !s.r.Asked() {
		return Refuse(WrongState, string(s.r.State))
	}
	s.r.Attempt, s.r.Result, s.r.Streak = s.r.Attempt.doubted(), nil, 0
	s.turn(Executing, s.c.Reason)
	s.owe(CallEffect, s.now)
	s.owe(CardEffect, s.now)
	return nil
}

// begun reports whether the attempt's call may have been sent.
func (a *Attempt) begun() bool { return a != nil && !a.Begun.IsZero() }

// doubted is what the next attempt must remember of one that may have been applied after all: what was before it. So the
// time limit of a membership that an unclear call gave is not lost when somebody retries and finds it already so.
func (a *Attempt) doubted() *Attempt {
	if a == nil || a.Outcome != nil && a.Outcome.Verdict == Refused {
		return nil
	}
	return &Attempt{Before: a.Before}
}

// Asked reports whether the bot has given up settling an unclear outcome, so that people may.
func (r Request) Asked() bool { return r.State == Unknown && r.Result != nil && r.Result.Asked }

func lookAgain(s *step) *Refusal {
	if !s.r.Asked() {
		return Refuse(WrongState, string(s.r.State))
	}
	s.r.Result.Asked = false
	s.r.Attempt.Settle = s.now.Add(SettleWindow)
	s.turn(Unknown, s.c.Reason)
	s.owe(CallEffect, s.now)
	s.owe(CardEffect, s.now)
	return nil
}

func markDone(s *step) *Refusal {
	if !s.r.Asked() {
		return Refuse(WrongState, string(s.r.State))
	}
	s.r.Result = &Result{MarkedBy: s.c.Actor.Person, Seen: s.r.Result.Seen}
	s.done(s.c.Reason)
	return nil
}

func markNot(s *step) *Refusal {
	if !s.r.Asked() {
		return Refuse(WrongState, string(s.r.State))
	}
	s.r.Result = &Result{MarkedBy: s.c.Actor.Person, Seen: s.r.Result.Seen, Fault: s.r.Result.Fault}
	s.turn(Failed, s.c.Reason)
	s.announce()
	return nil
}

func putOff(s *step) *Refusal {
	for i, e := range s.r.Effects {
		if e.ID == s.c.Effect {
			s.r.Effects[i].Due = s.c.Until
			s.r.Effects[i].Tries++
			return nil
		}
	}
	return Refuse(WrongState, string(s.r.State))
}

func shown(s *step) *Refusal {
	if s.r.Card.TS == "" && s.c.Card.TS != "" {
		s.note(s.c.Card.Channel + "/" + s.c.Card.TS)
	}
	older := s.c.Card.Seq < s.r.Card.Seq
	s.r.Card = s.c.Card
	s.r.Effects = slices.DeleteFunc(s.r.Effects, func(e Effect) bool {
		return e.Kind == CardEffect && e.Turn() <= s.c.Card.Seq
	})
	if older { // an older text has just taken the place of a newer one
		s.owe(CardEffect, s.now)
	}
	return nil
}

func told(s *step) *Refusal {
	e, ok := s.r.Effect(s.c.Effect)
	if !ok || e.Kind != ThreadEffect && e.Kind != DirectEffect {
		return Refuse(WrongState, string(s.r.State))
	}
	s.finish(e.ID)
	s.note(string(e.Kind) + " " + string(e.About) + " " + e.To.User)
	return nil
}

func giveUp(s *step) *Refusal {
	e, ok := s.r.Effect(s.c.Effect)
	if !ok || e.Kind == CallEffect && s.from.Open() { // without its call the request would stand still
		return Refuse(WrongState, string(s.r.State))
	}
	if e.Kind == CardEffect && s.r.Card.TS == "" && s.from == Pending && !s.r.Card.Lost {
		s.r.Card.Lost = true
		s.tellRequester()
	}
	s.finish(e.ID)
	s.note(string(e.Kind) + " " + string(e.About) + ": " + s.c.Note)
	return nil
}

// reshow owes the card once more: an edit of it may have been given up.
func reshow(s *step) *Refusal {
	owed := slices.ContainsFunc(s.r.Effects, func(e Effect) bool { return e.Kind == CardEffect })
	if s.r.Card.TS == "" || owed {
		return Refuse(WrongState, string(s.r.State))
	}
	s.owe(CardEffect, s.now)
	return nil
}
