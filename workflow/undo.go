package workflow

// MayUndo reports whether the request has done something that a request of its own could take back.
func (r Request) MayUndo() bool {
	_, ok := inverse(r)
	return ok && r.State == Done && r.Child == 0
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
	if !ok || s.r.Child != 0 || s.c.Spare == 0 {
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
	s.r.Child = cs.r.Number
	s.turn(Done, "undo asked for as #"+cs.r.Number.String())
	s.owe(CardEffect, s.now)
	s.child, s.childEntry = &cs.r, cs.entry
	return nil
}
