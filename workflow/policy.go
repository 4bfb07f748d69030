package workflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Everyone as a requester is every full member of the workspaces whose members may act.
const Everyone = "*"

// Policy is who may ask for what, and who decides. The first rule that matches a change and its requester decides; none
// matches: refused.
type Policy struct {
	Rules []Rule
	// Teams are the Slack workspaces whose members may act. Empty: nobody.
	Teams []string
	// Shared are the channels that people of another organisation read, though they must not: nothing is asked for or
	// decided whose cards are there.
	Shared []string
}

// Rule is one rule of a policy. A list that is empty matches anything, except Requesters and Approvers, which then match
// nobody.
type Rule struct {
	Name        string        `json:"name"`
	Systems     []string      `json:"systems,omitempty"`
	Groups      []string      `json:"groups,omitempty"`
	Actions     []Action      `json:"actions,omitempty"`
	Roles       []string      `json:"roles,omitempty"` // names or IDs
	Requesters  []string      `json:"requesters"`      // user IDs, user-group IDs, or Everyone
	Approvers   []Approvers   `json:"approvers"`
	Channel     string        `json:"channel"`
	Expires     time.Duration `json:"expires"`
	RemindEvery time.Duration `json:"remind_every,omitempty"`
	MaxDuration time.Duration `json:"max_duration,omitempty"`
}

// Approvers is one entry of a rule: Count different people out of AnyOf (user IDs and user-group IDs). Every entry of a
// rule must be met, and one person fills one place.
type Approvers struct {
	AnyOf []string `json:"any_of"`
	Count int      `json:"count"`
}

// Hash identifies the rule's content, so that a changed rule is told from the one that a request was made under.
func (r Rule) Hash() string {
	b, err := json.Marshal(r)
	if err != nil { // a Rule holds strings and numbers only
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// UserGroups are the user-group IDs that the policy names, sorted.
func (p Policy) UserGroups() []string {
	var ids []string
	for _, r := range p.Rules {
		ids = append(ids, r.UserGroups()...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// UserGroups are the user-group IDs that the rule names, in no order.
func (r Rule) UserGroups() []string {
	return slices.DeleteFunc(slices.Concat(r.Requesters, r.approverIDs()), func(id string) bool { return !IsUserGroup(id) })
}

// IsUserGroup tells a Slack user-group ID from a user ID.
func IsUserGroup(id string) bool { return strings.HasPrefix(id, "S") }

// Find returns the rule that decides a change asked for by a person who is in the given user groups. A change with
// several roles must fall under one and the same rule for each of them, so that a lenient rule for one role never
// carries another.
func (p Policy) Find(c Change, by Person, groups []string) (Rule, bool) {
	if len(c.Roles) == 0 {
		return p.first(c, "", "", by, groups)
	}
	var found Rule
	for i, role := range c.Roles {
		r, ok := p.first(c, role.ID, role.Name, by, groups)
		if !ok || i > 0 && r.Hash() != found.Hash() {
			return Rule{}, false
		}
		found = r
	}
	return found, true
}

func (p Policy) first(c Change, roleID, roleName string, by Person, groups []string) (Rule, bool) {
	for _, r := range p.Rules {
		if r.covers(c, roleID, roleName) && r.lets(by, groups) {
			return r, true
		}
	}
	return Rule{}, false
}

func (r Rule) covers(c Change, roleID, roleName string) bool {
	return anyOrIn(r.Systems, c.System) && anyOrIn(r.Groups, c.Group) && anyOrIn(r.Actions, c.Action) &&
		(len(r.Roles) == 0 || roleID != "" && slices.ContainsFunc(r.Roles, func(want string) bool {
			return want == roleID || roleName != "" && strings.EqualFold(want, roleName)
		}))
}

func (r Rule) lets(by Person, groups []string) bool {
	return slices.Contains(r.Requesters, Everyone) || among(r.Requesters, by.User, groups)
}

func anyOrIn[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// among reports whether a person is named by a list, by user ID or by one of their user groups.
func among(list []string, user string, groups []string) bool {
	return slices.ContainsFunc(list, func(id string) bool {
		return id == user || IsUserGroup(id) && slices.Contains(groups, id)
	})
}

// Standing is what Slack says of a person's account.
type Standing string

// The standings. Only a FullMember asks or decides; the zero value is refused as well.
const (
	FullMember    Standing = "member"
	IsDeactivated Standing = "deactivated"
	IsBot         Standing = "bot"
	IsGuest       Standing = "guest"
	IsLoneGuest   Standing = "lone_guest" // of a single channel
	IsStranger    Standing = "stranger"
	NotLookedUp   Standing = ""
)

// Actor is a person at the moment of an act, with what Slack says of them right now.
type Actor struct {
	Person
	Standing Standing
	// Groups are the user groups that the person is in, of those that the policy names.
	Groups []string
	// Unread are the user groups of the policy that could not be read; whoever could act only through one is refused.
	Unread []string
}

// Vet refuses whoever may not act at all, whatever a rule says.
func (p Policy) Vet(a Actor) *Refusal {
	switch {
	case a.Standing == NotLookedUp || a.User == "" || a.Team == "":
		return Refuse(Unverified)
	case !slices.Contains(p.Teams, a.Team):
		return Refuse(Elsewhere)
	}
	switch a.Standing {
	case FullMember:
		return nil
	case IsDeactivated:
		return Refuse(Deactivated)
	case IsBot:
		return Refuse(Bot)
	case IsGuest:
		return Refuse(Guest)
	case IsLoneGuest:
		return Refuse(LoneGuest)
	default:
		return Refuse(Stranger)
	}
}

// judges are the rules that a decision must satisfy: the one the request was made under, and, where the policy has
// changed since, the one that would apply now. Both count, so the stricter wins. False: no rule applies any more.
//
// The end of a time limit was approved with its parent, and no rule need cover what it does: its parent's rule alone
// counts, or nobody could settle one that went wrong.
func (p Policy) judges(r Request) ([]Rule, bool) {
	if r.Parent != 0 && r.State != Pending && len(r.Decisions) == 0 {
		return []Rule{r.Rule}, true
	}
	now, ok := p.Find(r.Change, r.Requester, r.RequesterGroups)
	if !ok {
		return nil, false
	}
	if now.Hash() == r.Rule.Hash() {
		return []Rule{now}, true
	}
	return []Rule{r.Rule, now}, true
}

// MayDecide refuses an actor who is no approver of the request under each of its rules.
func (p Policy) MayDecide(r Request, a Actor) *Refusal {
	if a.User == r.Requester.User {
		return Refuse(OwnRequest)
	}
	rules, ok := p.judges(r)
	if !ok {
		return Refuse(Uncovered)
	}
	for i, rule := range rules {
		if len(rule.places(a.User, a.Groups)) > 0 {
			continue
		}
		if len(rule.places(a.User, a.Unread)) > 0 {
			return Refuse(Unverified)
		}
		if i > 0 {
			return Refuse(NoLonger)
		}
		return Refuse(NotApprover)
	}
	return nil
}

// mayDecideNow is MayDecide, and refuses as long as people of another organisation read the request's card.
func (p Policy) mayDecideNow(r Request, a Actor) *Refusal {
	if ref := p.MayDecide(r, a); ref != nil {
		return ref
	}
	return p.private(r.Rule)
}

// private refuses a rule whose channel people of another organisation read.
func (p Policy) private(r Rule) *Refusal {
	if slices.Contains(p.Shared, r.Channel) {
		return Refuse(SharedChannel, r.Channel)
	}
	return nil
}

// places are the entries of the rule that a person could fill.
func (r Rule) places(user string, groups []string) []int {
	var is []int
	for i, a := range r.Approvers {
		if among(a.AnyOf, user, groups) {
			is = append(is, i)
		}
	}
	return is
}

// CouldApprove reports whether people other than the requester could fill every place of the rule, one person to one
// place. Members says who is in a user group; of one that it does not know, and of every one where it is nil, there are
// taken to be enough.
func (r Rule) CouldApprove(requester Person, members func(group string) ([]string, bool)) bool {
	ids := r.approverIDs()
	if len(r.Approvers) == 1 {
		others := 0
		for _, id := range ids {
			if !IsUserGroup(id) && id != requester.User {
				others++
			}
		}
		if others >= r.Approvers[0].Count {
			return true // whoever is in its user groups, these are enough
		}
	}
	var everybody []Decision
	named := map[string]int{}
	approval := func(user, group string) {
		i, known := named[user]
		if !known {
			i = len(everybody)
			named[user] = i
			everybody = append(everybody, Decision{By: Person{User: user}, Approve: true})
		}
		everybody[i].Groups = append(everybody[i].Groups, group)
	}
	for _, id := range ids {
		if !IsUserGroup(id) {
			approval(id, "")
			continue
		}
		users, known := []string(nil), false
		if members != nil {
			users, known = members(id)
		}
		for i := 0; !known && i < r.Needed(); i++ {
			approval(id+"?"+strconv.Itoa(i), id) // somebody in it
		}
		for _, u := range users {
			approval(u, id)
		}
	}
	return r.met(requester, everybody)
}

// approverIDs are the people and user groups that the rule's entries name, each once.
func (r Rule) approverIDs() []string {
	var ids []string
	for _, a := range r.Approvers {
		ids = append(ids, a.AnyOf...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// MayName reports whether an approver that another rule names, a user or a user group, may be one under this rule too. Who
// is in a user group is not known here.
func (r Rule) MayName(id string) bool {
	ids := r.approverIDs()
	return IsUserGroup(id) || slices.Contains(ids, id) || slices.ContainsFunc(ids, IsUserGroup)
}

// Missing says, for each entry of the rule, how many approvals it still lacks.
func (r Rule) Missing(requester Person, ds []Decision) []int {
	lack := make([]int, len(r.Approvers))
	filled := fill(r, requester, ds)
	for i, a := range r.Approvers {
		lack[i] = a.Count - filled[i]
	}
	return lack
}

// met reports whether the approvals fill every place of the rule.
func (r Rule) met(requester Person, ds []Decision) bool {
	return r.filled(requester, ds) == r.Needed() && len(r.Approvers) > 0
}

// Needed is how many approvals the rule asks for in all.
func (r Rule) Needed() int {
	n := 0
	for _, a := range r.Approvers {
		n += a.Count
	}
	return n
}

func (r Rule) filled(requester Person, ds []Decision) int {
	n := 0
	for _, k := range fill(r, requester, ds) {
		n += k
	}
	return n
}

// fill matches approvals to entries so that as many places as possible are filled, one person to one place, whatever
// the order of the clicks: augmenting paths over (decision, place).
func fill(r Rule, requester Person, ds []Decision) []int {
	type place struct{ entry, slot int }
	holder := map[place]int{}
	can := make([][]int, len(ds))
	for i, d := range ds {
		if d.Approve && d.By.User != requester.User {
			can[i] = r.places(d.By.User, d.Groups)
		}
	}
	var seat func(d int, seen map[place]bool) bool
	seat = func(d int, seen map[place]bool) bool {
		for _, e := range can[d] {
			for s := range r.Approvers[e].Count {
				p := place{e, s}
				if seen[p] {
					continue
				}
				seen[p] = true
				if other, taken := holder[p]; !taken || seat(other, seen) {
					holder[p] = d
					return true
				}
			}
		}
		return false
	}
	for d := range ds {
		seat(d, map[place]bool{})
	}
	filled := make([]int, len(r.Approvers))
	for p := range holder {
		filled[p.entry]++
	}
	return filled
}

// MightAsk reports whether some rule lets a person ask for an action somewhere on a system.
func (p Policy) MightAsk(system string, action Action, a Actor) bool {
	_, ok := p.Asking(system, action, a)
	return ok
}

// Asking is the first rule that lets a person ask for an action somewhere on a system.
func (p Policy) Asking(system string, action Action, a Actor) (Rule, bool) {
	if p.Vet(a) != nil {
		return Rule{}, false
	}
	i := slices.IndexFunc(p.Rules, func(r Rule) bool {
		return anyOrIn(r.Systems, system) && anyOrIn(r.Actions, action) && r.lets(a.Person, a.Groups)
	})
	if i < 0 {
		return Rule{}, false
	}
	return p.Rules[i], true
}
