package workflow_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign/workflow"
)

func TestPolicy_FirstMatchingRuleDecides(t *testing.T) {
	named := func(name string, edit func(*workflow.Rule)) workflow.Rule {
		r := rule(anyOf(1, "U0LEAD"))
		r.Name = name
		edit(&r)
		return r
	}
	p := policy(
		named("system", func(r *workflow.Rule) { r.Systems = []string{"gpu-lab"} }),
		named("group", func(r *workflow.Rule) { r.Groups = []string{"1001"} }),
		named("action", func(r *workflow.Rule) { r.Actions = []workflow.Action{workflow.RemoveOne} }),
		named("role by name", func(r *workflow.Rule) { r.Roles = []string{"Admin"} }),
		named("role by ID", func(r *workflow.Rule) { r.Roles = []string{"r00004"} }),
		named("one person", func(r *workflow.Rule) { r.Requesters = []string{"U0ONE"} }),
		named("user group", func(r *workflow.Rule) { r.Requesters = []string{"S0GROUP"} }),
		named("custom", func(r *workflow.Rule) { r.Roles, r.Requesters = []string{"r10001"}, []string{"U0CUSTOM"} }),
		named("nobody", func(r *workflow.Rule) { r.Requesters = nil }),
	)
	roles := func(refs ...workflow.RoleRef) []workflow.RoleRef { return refs }
	admin, viewer := workflow.RoleRef{ID: "r00001", Name: "admin"}, workflow.RoleRef{ID: "r00004", Name: "viewer"}
	custom := workflow.RoleRef{ID: "r10001"}
	for name, c := range map[string]struct {
		change workflow.Change
		by     string
		groups []string
		want   string
	}{
		"System":              {change: workflow.Change{System: "gpu-lab", Group: "1001"}, want: "system"},
		"Group":               {change: workflow.Change{System: "other", Group: "1001"}, want: "group"},
		"Action":              {change: workflow.Change{Action: workflow.RemoveOne}, want: "action"},
		"RoleByName":          {change: workflow.Change{Roles: roles(admin)}, want: "role by name"},
		"RoleByID":            {change: workflow.Change{Roles: roles(viewer)}, want: "role by ID"},
		"RolesOfTwoRules":     {change: workflow.Change{Roles: roles(admin, viewer)}, by: "U0ONE"},
		"RolesOfOneRule":      {change: workflow.Change{Roles: roles(custom, custom)}, by: "U0CUSTOM", want: "custom"},
		"NoRoleWhereOneIs":    {change: workflow.Change{}, by: "U0CUSTOM"},
		"Person":              {change: workflow.Change{}, by: "U0ONE", want: "one person"},
		"PersonElsewhere":     {change: workflow.Change{}, by: "U0TWO"},
		"UserGroup":           {change: workflow.Change{}, by: "U0TWO", groups: []string{"S0OTHER", "S0GROUP"}, want: "user group"},
		"OtherUserGroup":      {change: workflow.Change{}, by: "U0TWO", groups: []string{"S0OTHER"}},
		"GroupNamedAsAPerson": {change: workflow.Change{}, by: "S0GROUP", want: "user group"},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := p.Find(c.change, person(c.by), c.groups)
			if ok != (c.want != "") || r.Name != c.want {
				t.Errorf("got %q, %t; want %q", r.Name, ok, c.want)
			}
		})
	}
}

func TestPolicy_VetsWhoeverActs(t *testing.T) {
	p := onePolicy()
	for name, c := range map[string]struct {
		edit func(*workflow.Actor)
		want workflow.Kind
	}{
		"NotLookedUp":     {func(a *workflow.Actor) { a.Standing = workflow.NotLookedUp }, workflow.Unverified},
		"Nobody":          {func(a *workflow.Actor) { a.User = "" }, workflow.Unverified},
		"NoWorkspace":     {func(a *workflow.Actor) { a.Team = "" }, workflow.Unverified},
		"OtherWorkspace":  {func(a *workflow.Actor) { a.Team = "T0OTHER" }, workflow.Elsewhere},
		"Stranger":        {func(a *workflow.Actor) { a.Standing = workflow.IsStranger }, workflow.Stranger},
		"Guest":           {func(a *workflow.Actor) { a.Standing = workflow.IsGuest }, workflow.Guest},
		"LoneGuest":       {func(a *workflow.Actor) { a.Standing = workflow.IsLoneGuest }, workflow.LoneGuest},
		"Bot":             {func(a *workflow.Actor) { a.Standing = workflow.IsBot }, workflow.Bot},
		"Deactivated":     {func(a *workflow.Actor) { a.Standing = workflow.IsDeactivated }, workflow.Deactivated},
		"UnknownStanding": {func(a *workflow.Actor) { a.Standing = "superuser" }, workflow.Stranger},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range situations(t, p) {
				for v := range s.to {
					if !slices.Contains(byPeople, v) {
						continue
					}
					cmd := command(s.r, v)
					c.edit(&cmd.Actor)
					mustRefuse(t, s.r, cmd, p, later, c.want)
				}
			}
			a := lead
			c.edit(&a)
			if ref := p.Vet(a); ref == nil || ref.Kind != c.want {
				t.Errorf("Vet: %v", ref)
			}
			if p.MightAsk("gpu-lab", workflow.Invite, a) {
				t.Error("they might ask")
			}
		})
	}
	t.Run("NoTeams", func(t *testing.T) {
		q := p
		q.Teams = nil
		mustRefuse(t, submitted(t, p, grant(), asker), approveBy(lead), q, epoch, workflow.Elsewhere)
	})
}

func TestPolicy_RequesterNeverDecides(t *testing.T) {
	member := actor("U0MEMBER", "S0TEAM")
	for name, p := range map[string]workflow.Policy{
		"NamedAlone":  policy(rule(anyOf(1, member.User))),
		"InAGroup":    policy(rule(anyOf(1, "S0TEAM"))),
		"AsOneOfTwo":  policy(rule(anyOf(2, "S0TEAM", lead.User))),
		"InOneOfTwo":  policy(rule(anyOf(1, lead.User), anyOf(1, member.User, "U0THIRD"))),
		"InNoneAtAll": policy(rule(anyOf(1, lead.User))),
	} {
		t.Run(name, func(t *testing.T) {
			r := submitted(t, p, grant(), member)
			for _, v := range []workflow.Verb{workflow.Approve, workflow.Deny, workflow.Claim} {
				mustRefuse(t, r, workflow.Command{Verb: v, Actor: member}, p, epoch, workflow.OwnRequest)
			}
		})
	}
	t.Run("CountsForNothing", func(t *testing.T) {
		r := workflow.Request{Rule: rule(anyOf(2, "S0TEAM")), Requester: member.Person, Decisions: []workflow.Decision{
			{By: member.Person, Approve: true, Groups: []string{"S0TEAM"}},
		}}
		same(t, "missing", r.Rule.Missing(r.Requester, r.Decisions), []int{2})
	})
}

func TestPolicy_OnlyTheRequesterWithdraws(t *testing.T) {
	p := onePolicy()
	r := submitted(t, p, grant(), asker)
	mustRefuse(t, r, workflow.Command{Verb: workflow.Withdraw, Actor: lead}, p, epoch, workflow.NotRequester)
	elsewhere := asker
	elsewhere.Team = "T0TWO"
	p.Teams = append(p.Teams, "T0TWO")
	mustRefuse(t, r, workflow.Command{Verb: workflow.Withdraw, Actor: elsewhere}, p, epoch, workflow.NotRequester)
}

func TestPolicy_CountsApprovals(t *testing.T) {
	a, b, c := actor("U0A"), actor("U0B", "S0TEAM"), actor("U0C", "S0TEAM")
	t.Run("NOfM", func(t *testing.T) {
		p := policy(rule(anyOf(2, "U0A", "S0TEAM")))
		r := must(t, submitted(t, p, grant(), asker), approveBy(a), p, epoch)
		if r.State != workflow.Pending || len(effects(r, workflow.CallEffect)) != 0 || len(effects(r, workflow.CardEffect)) != 1 {
			t.Fatalf("after one of two it is %q and owes %+v", r.State, r.Effects)
		}
		same(t, "missing", r.Rule.Missing(r.Requester, r.Decisions), []int{1})
		mustRefuse(t, r, approveBy(a), p, epoch, workflow.AlreadySaid)
		if r = must(t, r, approveBy(c), p, epoch); r.State != workflow.Approved {
			t.Errorf("after two of two it is %q", r.State)
		}
	})
	t.Run("EveryEntry", func(t *testing.T) {
		p := policy(rule(anyOf(1, "U0A"), anyOf(1, "S0TEAM")))
		r := must(t, submitted(t, p, grant(), asker), approveBy(b), p, epoch)
		if r.State != workflow.Pending {
			t.Fatalf("after one entry of two it is %q", r.State)
		}
		mustRefuse(t, r, approveBy(c), p, epoch, workflow.NoPlaceLeft)
		if r = must(t, r, approveBy(a), p, epoch); r.State != workflow.Approved {
			t.Errorf("after both it is %q", r.State)
		}
	})
	t.Run("OnePersonFillsOnePlace", func(t *testing.T) {
		p := policy(rule(anyOf(1, "U0A", "U0B"), anyOf(1, "U0B", "U0C")))
		r := must(t, submitted(t, p, grant(), asker), approveBy(b), p, epoch)
		if r.State != workflow.Pending {
			t.Fatalf("one person in two entries made it %q", r.State)
		}
		if r = must(t, r, approveBy(a), p, epoch); r.State != workflow.Approved {
			t.Errorf("it is %q", r.State)
		}
	})
	t.Run("DenialByAnyApprover", func(t *testing.T) {
		p := policy(rule(anyOf(1, "U0A"), anyOf(1, "S0TEAM")))
		r := must(t, submitted(t, p, grant(), asker), approveBy(a), p, epoch)
		r = must(t, r, workflow.Command{Verb: workflow.Deny, Actor: a, Reason: "on second thoughts"}, p, epoch)
		if r.State != workflow.Denied || len(r.Decisions) != 2 {
			t.Errorf("it is %q with %d decisions", r.State, len(r.Decisions))
		}
	})
	t.Run("Outsider", func(t *testing.T) {
		p := policy(rule(anyOf(1, "U0A")))
		r := submitted(t, p, grant(), asker)
		for _, v := range []workflow.Verb{workflow.Approve, workflow.Deny, workflow.Claim} {
			mustRefuse(t, r, workflow.Command{Verb: v, Actor: b}, p, epoch, workflow.NotApprover)
		}
	})
}

func TestPolicy_EmptyListsRefuse(t *testing.T) {
	for name, approvers := range map[string][]workflow.Approvers{
		"NoEntry": nil, "NobodyInIt": {{Count: 1}}, "CountOfNought": {{AnyOf: []string{lead.User}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(rule(approvers...))
			tr, err := workflow.Apply(submitted(t, p, grant(), asker), approveBy(lead), p, epoch)
			if err == nil {
				t.Errorf("led to %q", tr.Request.State)
			}
		})
	}
	t.Run("NegativeCount", func(t *testing.T) {
		p := policy(rule(anyOf(1, lead.User), anyOf(-1, "U0X")))
		if r := must(t, submitted(t, p, grant(), asker), approveBy(lead), p, epoch); r.State != workflow.Pending {
			t.Errorf("it is %q", r.State)
		}
	})
}

func TestPolicy_UnreadGroupsRefuse(t *testing.T) {
	p := policy(rule(anyOf(1, "S0TEAM", "U0NAMED")))
	r := submitted(t, p, grant(), asker)
	a := actor("U0A")
	a.Unread = []string{"S0TEAM"}
	ref := mustRefuse(t, r, approveBy(a), p, epoch, workflow.Unverified)
	if ref.Request.State != workflow.Pending {
		t.Errorf("it is %q", ref.Request.State)
	}
	a.User = "U0NAMED"
	if r = must(t, r, approveBy(a), p, epoch); r.State != workflow.Approved {
		t.Errorf("approved by name it is %q", r.State)
	}
}

func TestPolicy_ChangedPolicyIsTheStricterOfTwo(t *testing.T) {
	a, b := actor("U0A"), actor("U0B")
	old := policy(rule(anyOf(1, "U0A", "U0B")))
	t.Run("MoreApproversNow", func(t *testing.T) {
		now := policy(rule(anyOf(2, "U0A", "U0B")))
		r := must(t, submitted(t, old, grant(), asker), approveBy(a), now, epoch)
		if r.State != workflow.Pending {
			t.Fatalf("it is %q", r.State)
		}
		if r = must(t, r, approveBy(b), now, epoch); r.State != workflow.Approved {
			t.Errorf("it is %q", r.State)
		}
	})
	t.Run("FewerApproversNow", func(t *testing.T) {
		r := must(t, submitted(t, policy(rule(anyOf(2, "U0A", "U0B"))), grant(), asker), approveBy(a), old, epoch)
		if r.State != workflow.Pending {
			t.Errorf("it is %q", r.State)
		}
	})
	t.Run("NoLongerAnApprover", func(t *testing.T) {
		now := policy(rule(anyOf(1, "U0B")))
		r := submitted(t, old, grant(), asker)
		mustRefuse(t, r, approveBy(a), now, epoch, workflow.NoLonger)
		must(t, r, approveBy(b), now, epoch)
	})
	t.Run("NewApprover", func(t *testing.T) {
		now := policy(rule(anyOf(1, "U0B", "U0NEW")))
		mustRefuse(t, submitted(t, old, grant(), asker), approveBy(actor("U0NEW")), now, epoch, workflow.NotApprover)
	})
	t.Run("RuleRemoved", func(t *testing.T) {
		r := submitted(t, old, grant(), asker)
		mustRefuse(t, r, approveBy(a), policy(), epoch, workflow.Uncovered)
		must(t, r, workflow.Command{Verb: workflow.Withdraw, Actor: asker}, policy(), epoch)
	})
	t.Run("ApprovedBeforeTheChange", func(t *testing.T) {
		two := policy(rule(anyOf(2, "U0A", "U0B", "U0C")))
		r := must(t, submitted(t, two, grant(), asker), approveBy(a), two, epoch)
		without := policy(rule(anyOf(2, "U0B", "U0C"))) // the first approver has left
		r = must(t, r, approveBy(b), without, epoch)
		if r.State != workflow.Pending {
			t.Errorf("it is %q", r.State)
		}
	})
	t.Run("OfAnUndoToo", func(t *testing.T) {
		r := submitted(t, old, grant(), asker)
		for _, c := range []workflow.Command{
			approveBy(a), {Verb: workflow.Begin, Membership: absent()}, {Verb: workflow.Succeed},
		} {
			r = must(t, r, c, old, epoch)
		}
		tr, err := workflow.Apply(r, workflow.Command{Verb: workflow.Undo, Actor: asker, Spare: 9}, old, epoch)
		if err != nil || tr.Child == nil || tr.Child.State != workflow.Pending {
			t.Fatalf("%+v, %v", tr.Child, err)
		}
		mustRefuse(t, *tr.Child, approveBy(a), policy(), epoch, workflow.Uncovered)
		mustRefuse(t, *tr.Child, approveBy(asker), old, epoch, workflow.OwnRequest)
		must(t, *tr.Child, approveBy(b), old, epoch)
	})
}

// TestRule_MatchingIsAsGoodAsBruteForce: whatever the order of the clicks, a request is approved as soon as different
// people could fill all places, and a click is refused only if it brings that no nearer.
func TestPolicy_SharedChannelRefuses(t *testing.T) {
	p := onePolicy()
	r := submitted(t, p, grant(), asker)
	p.Shared = []string{"C0ELSE", r.Rule.Channel}
	for _, s := range situations(t, onePolicy()) {
		for _, v := range byPeople {
			cmd := command(s.r, v)
			if _, err := workflow.Apply(s.r, cmd, onePolicy(), later); err != nil {
				continue
			}
			if v == workflow.Withdraw || v == workflow.Submit {
				must(t, s.r, cmd, p, later)
				continue
			}
			mustRefuse(t, s.r, cmd, p, later, workflow.SharedChannel)
		}
	}
	mustRefuse(t, r, approveBy(actor("U0NOBODY")), p, epoch, workflow.NotApprover) // who may not is told that
	must(t, r, workflow.Command{Verb: workflow.Expire}, p, r.Expires)
	p.Shared = p.Shared[:1]
	must(t, r, approveBy(lead), p, epoch)
}

func TestRule_MatchingIsAsGoodAsBruteForce(t *testing.T) {
	people := []string{"U0", "U1", "U2", "U3", "U4", "U5"}
	groups := map[string][]string{"S0": {"U0", "U1", "U2"}, "S1": {"U2", "U3"}, "S2": {"U4", "U5", "U0"}}
	rapid.Check(t, func(rt *rapid.T) {
		ids := append(slices.Clone(people), "S0", "S1", "S2")
		entry := rapid.Custom(func(rt *rapid.T) workflow.Approvers {
			return anyOf(rapid.IntRange(1, 2).Draw(rt, "count"), rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 4, rapid.ID).Draw(rt, "any_of")...)
		})
		r := rule(rapid.SliceOfN(entry, 1, 3).Draw(rt, "entries")...)
		p := policy(r)
		by := actor(rapid.SampledFrom(people).Draw(rt, "requester"))
		req := submitted(t, p, grant(), by)
		var said []string
		for _, user := range rapid.Permutation(people).Draw(rt, "order") {
			var in []string
			for _, g := range []string{"S0", "S1", "S2"} {
				if slices.Contains(groups[g], user) {
					in = append(in, g)
				}
			}
			could := user != by.User && best(r, groups, append(slices.Clone(said), user)) > best(r, groups, said)
			tr, err := workflow.Apply(req, approveBy(actor(user, in...)), p, epoch)
			if (err == nil) != could {
				rt.Fatalf("%s after %v: %v; could fill a place: %t", user, said, err, could)
			}
			if err != nil {
				continue
			}
			said, req = append(said, user), tr.Request
			lack := 0
			for i, n := range req.Rule.Missing(req.Requester, req.Decisions) {
				lack += n
				if n < 0 || n > r.Approvers[i].Count {
					rt.Fatalf("entry %d lacks %d of %d", i, n, r.Approvers[i].Count)
				}
			}
			if want := r.Needed() - best(r, groups, said); lack != want || (lack == 0) != (req.State == workflow.Approved) {
				rt.Fatalf("after %v it is %q and lacks %d, want %d", said, req.State, lack, want)
			}
			if req.State == workflow.Approved {
				return
			}
		}
	})
}

// best is how many places different people can fill at most, by trying everything.
func best(r workflow.Rule, groups map[string][]string, people []string) int {
	if len(people) == 0 {
		return 0
	}
	user, rest := people[0], people[1:]
	most := best(r, groups, rest)
	for i, a := range r.Approvers {
		named := slices.ContainsFunc(a.AnyOf, func(id string) bool { return id == user || slices.Contains(groups[id], user) })
		if !named || a.Count == 0 {
			continue
		}
		less := r
		less.Approvers = slices.Clone(r.Approvers)
		less.Approvers[i].Count--
		most = max(most, 1+best(less, groups, rest))
	}
	return most
}

func TestRule_CouldApprove(t *testing.T) {
	members := func(id string) ([]string, bool) {
		users, known := map[string][]string{
			"S0TEAM": {"U0ASKER", "U0LEAD"}, "S0ASKER": {"U0ASKER"}, "S0EMPTY": {},
		}[id]
		return users, known
	}
	for _, c := range []struct {
		approvers   []workflow.Approvers
		want, blind bool // with user groups known, and not
	}{
		{[]workflow.Approvers{anyOf(1, "U0ASKER")}, false, false},
		{[]workflow.Approvers{anyOf(1, "U0ASKER", "U0LEAD")}, true, true},
		{[]workflow.Approvers{anyOf(2, "U0ASKER", "U0LEAD")}, false, false},
		{[]workflow.Approvers{anyOf(2, "U0LEAD", "U0LEAD")}, false, false},
		{[]workflow.Approvers{anyOf(2, "U0LEAD", "U0ASKER", "U0BOB")}, true, true},
		{[]workflow.Approvers{anyOf(2, "U0ASKER", "S0TEAM")}, false, true},
		{[]workflow.Approvers{anyOf(1, "S0TEAM")}, true, true},
		{[]workflow.Approvers{anyOf(2, "S0TEAM")}, false, true},
		{[]workflow.Approvers{anyOf(1, "S0ASKER")}, false, true},
		{[]workflow.Approvers{anyOf(1, "S0EMPTY")}, false, true},
		{[]workflow.Approvers{anyOf(2, "S0LOST")}, true, true},
		{[]workflow.Approvers{anyOf(1, "U0LEAD"), anyOf(1, "U0ASKER")}, false, false},
		{[]workflow.Approvers{anyOf(1, "U0LEAD"), anyOf(1, "U0LEAD", "U0ASKER")}, false, false}, // one person, two places
		{[]workflow.Approvers{anyOf(1, "U0LEAD"), anyOf(1, "U0LEAD", "U0BOB")}, true, true},
		{[]workflow.Approvers{anyOf(1, "U0LEAD"), anyOf(1, "S0TEAM")}, false, true},
		{nil, false, false},
	} {
		if got := rule(c.approvers...).CouldApprove(asker.Person, members); got != c.want {
			t.Errorf("%v: %t, want %t", c.approvers, got, c.want)
		}
		if got := rule(c.approvers...).CouldApprove(asker.Person, nil); got != c.blind {
			t.Errorf("%v, groups unknown: %t, want %t", c.approvers, got, c.blind)
		}
	}
}

func TestRule_HashTellsEveryChange(t *testing.T) {
	edits := map[string]func(*workflow.Rule){
		"name": func(r *workflow.Rule) { r.Name = "x" }, "systems": func(r *workflow.Rule) { r.Systems = []string{"x"} },
		"groups": func(r *workflow.Rule) { r.Groups = []string{"x"} }, "roles": func(r *workflow.Rule) { r.Roles = []string{"x"} },
		"actions":    func(r *workflow.Rule) { r.Actions = []workflow.Action{"x"} },
		"requesters": func(r *workflow.Rule) { r.Requesters = nil },
		"any_of":     func(r *workflow.Rule) { r.Approvers = []workflow.Approvers{anyOf(1, "U0X")} },
		"count":      func(r *workflow.Rule) { r.Approvers = []workflow.Approvers{anyOf(2, "U0LEAD")} },
		"channel":    func(r *workflow.Rule) { r.Channel = "x" }, "expires": func(r *workflow.Rule) { r.Expires++ },
		"remind": func(r *workflow.Rule) { r.RemindEvery++ }, "max": func(r *workflow.Rule) { r.MaxDuration = time.Hour },
	}
	seen := map[string]string{rule(anyOf(1, "U0LEAD")).Hash(): "unchanged"}
	for name, edit := range edits {
		r := rule(anyOf(1, "U0LEAD"))
		edit(&r)
		if other, ok := seen[r.Hash()]; ok {
			t.Errorf("%s hashes as %s", name, other)
		}
		seen[r.Hash()] = name
	}
}

func TestPolicy_UserGroups(t *testing.T) {
	a, b := rule(anyOf(1, "S0B", "U0X"), anyOf(1, "S0A")), rule(anyOf(1, "S0B"))
	b.Requesters = []string{"S0C", "U0Y"}
	same(t, "user groups", policy(a, b).UserGroups(), []string{"S0A", "S0B", "S0C"})
}

func ExampleRule_Missing() {
	r := workflow.Request{
		Rule:      workflow.Rule{Approvers: []workflow.Approvers{{AnyOf: []string{"U0LEAD", "S0GPU"}, Count: 2}}},
		Decisions: []workflow.Decision{{By: workflow.Person{User: "U0LEAD"}, Approve: true}},
	}
	fmt.Println(r.Rule.Missing(r.Requester, r.Decisions))
	// Output: [1]
}
