package app

import (
	"fmt"
	"slices"
	"strings"

	"countersign/providers/compshare"
	"countersign/providers/dataarts"
	"countersign/workflow"
)

// warnOfRules warns of rules that nobody could approve under, that never decide, or that are wide open. User groups are
// not known here: they are taken to hold enough people. doctor asks Slack.
func (c *Config) warnOfRules() {
	for _, id := range c.Slack.SharedChannels {
		c.warn("slack.shared_channels: %s may be shared with another organisation, whose people then read every card there; they decide nothing", id)
	}
	for i, r := range c.Rules {
		c.warnImpossible(r)
		c.warnShadowed(i)
		c.warnOpen(i)
	}
}

func (c *Config) warnImpossible(r workflow.Rule) {
	if !r.CouldApprove(workflow.Person{}, nil) {
		c.warn("rule %q: nobody could ever approve what is asked for under it: it needs %d different people, and those it names cannot fill every place; name more", r.Name, r.Needed())
		return
	}
	var stuck []string
	for _, id := range r.Requesters {
		if id != workflow.Everyone && !workflow.IsUserGroup(id) && !r.CouldApprove(workflow.Person{User: id}, nil) {
			stuck = append(stuck, id)
		}
	}
	if len(stuck) > 0 {
		c.warn("rule %q: nobody could approve what %s would ask for, since nobody decides their own request; name another approver", r.Name, strings.Join(stuck, ", "))
	}
}

// cell is one kind of change: an action on a system, and a role where the action takes one. Any other role than those a
// rule names is the empty one.
type cell struct {
	system string
	action workflow.Action
	role   string
	roled  bool
}

// cells are the kinds of change that a rule could decide.
func (c *Config) cells(r workflow.Rule) []cell {
	var all []cell
	for _, s := range c.Systems {
		actions := compshare.Actions()
		if s.Provider == DataArts {
			actions = dataarts.Actions()
		}
		for _, a := range actions {
			k := cell{system: s.Name, action: a, roled: s.Provider == DataArts && a != workflow.RemoveOne}
			if !k.roled {
				all = append(all, k)
				continue
			}
			for _, role := range c.rolesNamed() {
				k.role = role
				all = append(all, k)
			}
		}
	}
	return slices.DeleteFunc(all, func(k cell) bool { return !decides(r, k) })
}

// rolesNamed are the roles that some rule names, admin, and the empty one for all others.
func (c *Config) rolesNamed() []string {
	roles := []string{"", dataarts.Preset("admin")}
	for _, r := range c.Rules {
		for _, role := range r.Roles {
			roles = append(roles, dataarts.Preset(role))
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// decides reports whether a rule could decide a kind of change, whatever its group and requester.
func decides(r workflow.Rule, k cell) bool {
	return within([]string{k.system}, r.Systems) && within([]workflow.Action{k.action}, r.Actions) &&
		(len(r.Roles) == 0 || k.roled && slices.ContainsFunc(r.Roles, func(role string) bool { return dataarts.Preset(role) == k.role }))
}

// within reports whether a list, where empty is any, holds every one of some values.
func within[T comparable](some, list []T) bool {
	return len(list) == 0 || !slices.ContainsFunc(some, func(v T) bool { return !slices.Contains(list, v) })
}

// before finds the earlier rule that decides a kind of change for everybody and every group of rule i.
func (c *Config) before(i int, k cell) (workflow.Rule, bool) {
	r := c.Rules[i]
	for _, earlier := range c.Rules[:i] {
		groups := within(r.Groups, earlier.Groups) && (len(r.Groups) > 0 || len(earlier.Groups) == 0)
		people := slices.Contains(earlier.Requesters, workflow.Everyone) || len(earlier.Requesters) > 0 && within(r.Requesters, earlier.Requesters)
		if decides(earlier, k) && groups && people {
			return earlier, true
		}
	}
	return workflow.Rule{}, false
}

func (c *Config) warnShadowed(i int) {
	r := c.Rules[i]
	cells := c.cells(r)
	if len(cells) == 0 {
		c.warn("rule %q: it never decides anything, since no system that it is for has such an action with such a role", r.Name)
		return
	}
	var by []string
	for _, k := range cells {
		earlier, ok := c.before(i, k)
		if !ok {
			return
		}
		if name := fmt.Sprintf("%q", earlier.Name); !slices.Contains(by, name) {
			by = append(by, name)
		}
	}
	c.warn("rule %q: it never decides anything, since %s, which come first, match everything that it does; put it before them, or take it out", r.Name, strings.Join(by, ", "))
}

// warnOpen warns of a rule that lets everybody ask for anything anywhere, or for the role that may change everything
// with a single approval. Roles that an earlier rule decides are not this rule's.
func (c *Config) warnOpen(i int) {
	r := c.Rules[i]
	if !slices.Contains(r.Requesters, workflow.Everyone) {
		return
	}
	if len(r.Systems)+len(r.Groups)+len(r.Actions)+len(r.Roles) == 0 {
		c.warn("rule %q: it is wide open: every full member may ask for any action on any group of any system; limit its systems, groups, actions or requesters", r.Name)
		return
	}
	if r.Needed() > 1 || len(r.Groups) > 0 {
		return
	}
	for _, k := range c.cells(r) {
		gives := k.action != workflow.DropRole && k.role == dataarts.Preset("admin")
		if _, earlier := c.before(i, k); gives && !earlier {
			c.warn("rule %q: it is wide open: every full member may ask for the role admin in any workspace of %s, with one approval; give admin a rule of its own, before this one, with two approvers or fewer requesters", r.Name, k.system)
			return
		}
	}
}
