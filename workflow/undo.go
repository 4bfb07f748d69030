package workflow

import (
	"context"
	"time"
)

// MayUndo reports whether the request has done something that a request of its own could take back.
func (r Request) MayUndo() bool {
	_, ok := inverse(r)
	return ok && r.State == Done && (r.Child == 0 || r.Lapsed)
}

// inverse is the change that restores what was before a request's call.
func inverse(r Request) (Change, bool) {
	if !r.Attempt.begun() {
		return Change{}, false // nothing was called
	}
	before := r.Attempt.Before
	c := r.Change
	c.Limit, c.Roles, c.Remark = 0, nil, ""
	switch r.Change.Action {
	case Invite:
		c.Action = Cancel
	case Add:
		c.Action = RemoveOne
	case Rename:
		c.Remark = before.Now.Remark
		return c, c.Remark != ""
	case SetRole, RemoveOne:
		c.Roles = refs(before)
		if r.Change.Action == RemoveOne {
			c.Action = Add
		}
		return c, len(c.Roles) > 0
	case AddRole:
		c.Action, c.Roles = DropRole, without(r.Change.Roles, refs(before))
		return c, len(c.Roles) > 0
	case DropRole:
		gone := without(r.Change.Roles, refs(before))
		c.Action, c.Roles = AddRole, without(r.Change.Roles, gone)
		return c, len(c.Roles) > 0
	default:
		return Change{}, false
	}
	return c, true
}

// refs are the roles of a membership, with their names where they are known.
func refs(m Membership) []RoleRef {
	if len(m.Now.Roles) > 0 {
		return m.Now.Roles
	}
	var roles []RoleRef
	for _, id := range m.Roles {
		roles = append(roles, RoleRef{ID: id})
	}
	return roles
}

// undo makes a child request that restores what was before, under the rule that lets this person ask for it; it is
// decided like any other.
func undo(s *step) *Refusal {
	change, ok := inverse(s.r)
	if !ok || !s.r.MayUndo() || s.c.Spare == 0 {
		return Refuse(WrongState, string(s.r.State))
	}
	rule, ref := ruleFor(s.p, change, s.c.Actor)
	if ref != nil {
		return ref
	}
	cs := &step{from: nowhere, p: s.p, now: s.now, c: Command{Verb: Submit, Actor: s.c.Actor, Via: s.c.Via}}
	cs.r = Request{
		Number: s.c.Spare, Parent: s.r.Number, Change: change, Rule: rule,
		Requester: s.c.Actor.Person, RequesterGroups: s.c.Actor.Groups,
	}
	if ref := submit(cs); ref != nil {
		return ref
	}
	cs.r.Updated = s.now
	s.r.Child, s.r.Lapsed = cs.r.Number, false
	s.turn(Done, "undo asked for as #"+cs.r.Number.String())
	s.owe(CardEffect, s.now)
	s.child, s.childEntry = &cs.r, cs.entry
	return nil
}

// nothing reports whether a request in state s has come to nothing. A failed one may be retried yet.
func (s State) nothing() bool { return s == Denied || s == Withdrawn || s == Expired || s == Failed }

// lapsed is the write that has a request offer its undo anew where the one that was asked for comes to nothing, or no
// longer where that one is tried once more. There is none for any other change from was to r.
func (e *Engine) lapsed(ctx context.Context, was, r Request, via string, now time.Time) (*Write, error) {
	if r.Parent == 0 || was.State.nothing() == r.State.nothing() {
		return nil, nil //nolint:nilnil // there is nothing to write
	}
	parent, rev, err := e.o.Store.Load(ctx, r.Parent)
	if err != nil || parent.Child != r.Number {
		return nil, nil //nolint:nilnil,nilerr // gone, damaged or undone anew meanwhile: what became of r counts more
	}
	return e.along(parent, rev, Command{
		Verb: Lapse, Via: via, Lapsed: r.State.nothing(), Note: "#" + r.Number.String() + " " + string(r.State),
	}, now)
}

// lapse notes whether the undo that was asked for came to nothing. The end of a time limit is no undo.
func lapse(s *step) *Refusal {
	if s.r.Child == 0 || s.r.Change.Limit > 0 || s.r.Lapsed == s.c.Lapsed {
		return Refuse(WrongState, string(s.r.State))
	}
	s.r.Lapsed = s.c.Lapsed
	s.turn(Done, s.c.Note)
	s.owe(CardEffect, s.now)
	return nil
}
