package workflow

import (
	"slices"
	"time"
)

// owesChild reports whether a request that ends well owes a child that ends its time limit. A membership that was
// already as wanted owes none: it was not this request that gave it.
func owesChild(r Request, already bool) bool {
	return r.Change.Limit > 0 && !already && r.Child == 0 && r.Change.Action.gives()
}

// bear makes the child request that ends the membership when its time is over: approved with its parent, owed from now.
func (s *step) bear() {
	if !owesChild(s.r, s.c.Already) || s.c.Spare == 0 {
		return
	}
	change := s.r.Change
	change.Limit = 0
	switch former := s.former(); {
	case change.Action == AddRole:
		change.Action, change.Roles = DropRole, without(change.Roles, former)
		if len(change.Roles) == 0 {
			return // nothing was given that could end
		}
	case change.Action == SetRole && len(former) > 0:
		change.Action, change.Roles = SetRole, former
	default:
		change.Action, change.Roles = RemoveOne, nil
	}
	child := Request{
		Number: s.c.Spare, Parent: s.r.Number, Change: change, Requester: s.r.Requester,
		RequesterGroups: s.r.RequesterGroups, Rule: s.r.Rule, Created: s.now, Updated: s.now,
		Reason: "#" + s.r.Number.String(),
	}
	if at := s.r.Attempt; at != nil {
		child.Plan = &Plan{At: s.now, Membership: Membership{GroupName: at.Before.GroupName, SubjectName: at.Before.SubjectName}}
		if change.Action != DropRole {
			// What this request leaves behind is what the child may end, and nothing newer. A role that was added ends
			// whatever has become of the others.
			child.Plan.Membership.State = at.Before.Wanted
		}
	}
	cs := &step{r: child, from: nowhere, c: Command{Verb: Submit, Via: "timer"}, now: s.now}
	cs.turn(Approved, "ends #"+s.r.Number.String())
	end := s.now.Add(s.r.Change.Limit)
	cs.owe(CallEffect, end)
	cs.owe(CardEffect, s.now)
	cs.warnBefore(end)
	s.r.Child = child.Number
	s.child, s.childEntry = &cs.r, cs.entry
}

// former are the roles that the subject had before the call.
func (s *step) former() []RoleRef {
	if s.r.Attempt == nil {
		return nil
	}
	return refs(s.r.Attempt.Before)
}

// warnings are how long before its end people are told that a timed membership ends.
var warnings = []time.Duration{24 * time.Hour, time.Hour}

// warnBefore owes word to the requester and the subject before the membership ends. A limit that is hardly longer than
// the warning needs none.
func (s *step) warnBefore(end time.Time) {
	for _, before := range warnings {
		if at := end.Add(-before); at.After(s.now.Add(before / 2)) {
			for _, p := range s.concerned() {
				e := s.owe(DirectEffect, at)
				e.To, e.About = p, EndsSoon
			}
		}
	}
}

// concerned are the requester and, where they have a Slack account, the subject.
func (s *step) concerned() []Person {
	var ps []Person
	if s.r.Requester.User != "" {
		ps = append(ps, s.r.Requester)
	}
	if id := s.r.Change.Subject.Slack; id != "" && id != s.r.Requester.User {
		ps = append(ps, Person{User: id, Team: s.r.Requester.Team})
	}
	return ps
}

// without are the roles that are not among others.
func without(roles, others []RoleRef) []RoleRef {
	return slices.DeleteFunc(slices.Clone(roles), func(r RoleRef) bool {
		return slices.ContainsFunc(others, func(o RoleRef) bool { return o.ID == r.ID })
	})
}

// gives reports whether an action gives something that a time limit can end.
func (a Action) gives() bool { return a == Add || a == SetRole || a == AddRole }
