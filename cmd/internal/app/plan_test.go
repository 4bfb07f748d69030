package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// planned asks for a change and waits until the card shows what was read.
func (w *world) planned(typed string) (workflow.Request, slackfake.Message) {
	w.t.Helper()
	r, _ := w.asks("U0REQ", typed)
	w.eventually("a plan of "+typed, func() bool {
		r = w.request(r.Number)
		return r.Plan.Read() && r.Card.Seq == r.Seq
	})
	card, _ := w.card(r.Number)
	return r, card
}

// reads waits until a card says something.
func (w *world) reads(n workflow.Number, want string) string {
	w.t.Helper()
	var text string
	w.eventually(fmt.Sprintf("the card of %v reads %q", n, want), func() bool {
		m, _ := w.card(n)
		text = slackfake.Text(m)
		return strings.Contains(text, want)
	})
	return text
}

func (w *world) roles(id string, roles ...string) {
	w.DataArts.SetMember(space, dataartsfake.Member{UserID: id, UserName: "console-" + id[:4], Roles: roles})
}

func TestPlan_CardShowsTheDifference(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.roles(alice, "r00002")
		target := " warehouse/" + space
		for _, c := range []struct {
			typed string
			want  []string
		}{
			{"invite 50002 to gpu-lab/1001 as 张三", []string{"*not a member* → *invited as 张三*", "to team *gpu-research* on", "gpu-research\ngpu-lab/1001"}},
			{"invite 50005 to gpu-lab/1001", []string{"*invitation rejected as vision lab* → *invited*", "already answered"}},
			{"rename 50003 on gpu-lab/1001 as 李四", []string{"*joined as 陈静* → *joined as 李四*"}},
			{"cancel 50004 on gpu-lab/1001", []string{"*invited as 赵磊* → *invitation cancelled as 赵磊*"}},
			{"cancel 50003 on gpu-lab/1001", []string{"Now *joined as 陈静*, so this cannot be done", "already answered"}},
			{"accept gpu-lab/2001", []string{"*invited as gpu-research* → *joined as gpu-research*", "llm-platform"}},
			{"invite 50003 to gpu-lab/1001", []string{"Nothing to do: already *joined as 陈静*"}},
			{"role @alice on" + target + " as viewer", []string{
				"*developer (r00002)* → *viewer (r00004)*", "in workspace *analytics* on", "analytics\nwarehouse/" + space, "<@U0ALICE> · console-2d03\n" + alice, "from the configuration's people",
			}},
			{"role @alice on" + target + " as admin", []string{"*developer (r00002)* → *admin (r00001)*", "may change everything"}},
			{"add-role @alice on" + target + " as viewer", []string{"*developer (r00002)* → *developer (r00002), viewer (r00004)*"}},
			{"add-role @alice on" + target + " as developer", []string{"Nothing to do: already *developer (r00002)*"}},
			{"drop-role @alice on" + target + " as developer", []string{"so this cannot be done", "use remove to end the membership"}},
			{"add @bob to" + target + " as operator", []string{"*not a member* → *operator (r00003)*", "· bob"}},
			{"remove " + dataartsfake.UserOwner + " from" + target, []string{"*admin (r00001)* → *not a member*", "Nobody with the admin role would be left"}},
			{"role " + dataartsfake.UserOwner + " on" + target + " as viewer", []string{"Nobody with the admin role would be left"}},
		} {
			_, card := w.planned(c.typed)
			text := slackfake.Text(card)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the card reads\n%s\nwant %q in it", c.typed, text, want)
				}
			}
			if got := actionIDs(card); !slices.Contains(got, "approve") || !slices.Contains(got, "deny") {
				t.Errorf("%s: buttons %v, want approve and deny among them", c.typed, got)
			}
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none before anybody approves", got)
		}
	})
}

// What only the cloud can say ends a request before anybody is asked.
func TestPlan_UnknownIsDeniedByTheBot(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		nowhere, nobody := strings.Repeat("0", 32), strings.Repeat("9", 32)
		for typed, want := range map[string]string{
			"invite 50002 to gpu-lab/4711":                            "RetCode 16004 the account has no such team: team not exist",
			"invite 50002 to gpu-lab/2001":                            "the account has no such team",
			"add @alice to warehouse/" + nowhere + " as viewer":       "DLM.4001 no such workspace",
			"remove @alice from warehouse/" + nowhere:                 "no such workspace",
			"add " + nobody + " to warehouse/" + space + " as r00004": "Could not find user: " + nobody,
		} {
			n := numberIn(w.types("U0REQ", typed))
			r, card := w.becomes(n, workflow.Denied)
			if text := slackfake.Text(card); !strings.Contains(text, want) || !strings.Contains(text, "Nobody was asked") {
				t.Errorf("%s: the card reads\n%s\nwant %q in it", typed, text, want)
			}
			wantDecided(t, card)
			if len(r.Decisions) > 0 {
				t.Errorf("%s: decisions %v of nobody", typed, r.Decisions)
			}
			w.directly("U0REQ", "Your request #"+n.String()+" was not passed on")
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
	})
}

// Who is no member yet may be one by the time of the call: another request may wait for just that.
func TestPlan_NoMemberYetIsForPeopleToDecide(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for typed, want := range map[string]string{
			"rename 50006 on gpu-lab/1001 as x":                "neither a member of the team nor invited",
			"role @alice on warehouse/" + space + " as viewer": "not a member of the workspace: use add",
		} {
			r, card := w.planned(typed)
			if text := slackfake.Text(card); !strings.Contains(text, "this cannot be done: ") || !strings.Contains(text, want) {
				t.Errorf("%s: the card reads\n%s\nwant %q in it", typed, text, want)
			}
			w.clicks("U0LEAD", card, "approve")
			if _, card = w.becomes(r.Number, workflow.Failed); !strings.Contains(slackfake.Text(card), want) {
				t.Errorf("%s: the card reads\n%s\nwant %q in it", typed, slackfake.Text(card), want)
			}
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
	})
}

// A cloud that cannot be read says nothing: the card says since when, and shows the difference once it can.
func TestPlan_UnreadableIsSaidAndRecovers(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.Fault(compsharefake.Fault{Action: "GetCompShareTeamInfo", Kind: compsharefake.RetCode, RetCode: 150, Message: "unavailable", Count: -1})
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceusers, Kind: dataartsfake.Status, Status: 503, Count: -1})
		first, _ := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		second, _ := w.asks("U0REQ", "add @alice to warehouse/"+space+" as viewer")
		for n, code := range map[workflow.Number]string{first.Number: "RetCode 150", second.Number: "APIGW.0201"} {
			text := w.reads(n, "could not be read since")
			if !strings.Contains(text, code) || !strings.Contains(text, "*pending*") {
				t.Errorf("the card reads\n%s\nwant %s in it, and pending", text, code)
			}
			m, _ := w.card(n)
			if got := actionIDs(m); !slices.Contains(got, "approve") {
				t.Errorf("buttons %v: nobody can decide while the cloud is away", got)
			}
		}
		w.CompShare.ClearFaults()
		w.DataArts.ClearFaults()
		w.reads(first.Number, "*not a member* → *invited*")
		w.reads(second.Number, "*not a member* → *viewer (r00004)*")
	})
}

// Approvals are given on a difference; where it has changed they are void, and struck through.
func TestPlan_DriftNeedsNewApprovals(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.roles(alice, "r00002")
		for _, c := range []struct {
			typed, was, is string
			behind         func()
			holds          string
		}{
			{
				"rename 50003 on gpu-lab/1001 as 李四", "*joined as 陈静*", "*joined as 王五* → *joined as 李四*",
				func() {
					w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 50003, Status: compsharefake.Joined, Remark: "王五", Created: 1795200000})
				}, "Joined 李四",
			},
			{
				"role @alice on warehouse/" + space + " as viewer", "*developer (r00002)*", "*operator (r00003)* → *viewer (r00004)*",
				func() { w.roles(alice, "r00003") }, "r00004",
			},
		} {
			before := len(w.calls())
			r, card := w.planned(c.typed)
			c.behind()
			w.clicks("U0LEAD", card, "approve")
			w.eventually("the approval is void", func() bool { return len(w.request(r.Number).Voided) == 1 })
			_, card = w.becomes(r.Number, workflow.Pending)
			text := slackfake.Text(card)
			for _, want := range []string{c.is, "It was " + c.was + " when it was approved", "~:white_check_mark: approved by <@U0LEAD>"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the card reads\n%s\nwant %q in it", c.typed, text, want)
				}
			}
			w.threadOf(card, "the membership has changed since it was approved")
			w.directly("U0REQ", "Your request #"+r.Number.String()+" needs new approvals")
			if got := w.calls()[before:]; len(got) > 0 {
				t.Fatalf("%s: calls %v on a difference that nobody signed", c.typed, got)
			}
			w.settled(r.Number)
			w.clicks("U0BOB", card, "approve")
			_, card = w.becomes(r.Number, workflow.Done)
			if got := w.holds(r.Change); got != c.holds || len(w.calls())-before != 1 {
				t.Errorf("%s: the cloud holds %q after %d calls, want %q after one", c.typed, got, len(w.calls())-before, c.holds)
			}
			if text := slackfake.Text(card); !strings.Contains(text, "~:white_check_mark: approved by <@U0LEAD>") {
				t.Errorf("the card forgets the void approval:\n%s", text)
			}
		}
	})
}

// Already so between the approval and the call: done, without a call, and said so.
func TestPlan_AlreadySoAtTheCall(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for typed, behind := range map[string]func(){
			"invite 50006 to gpu-lab/1001": func() {
				w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 50006, Status: compsharefake.Pending})
			},
			"add @alice to warehouse/" + space + " as viewer": func() { w.roles(alice, "r00004") },
		} {
			r, card := w.planned(typed)
			behind()
			w.clicks("U0LEAD", card, "approve")
			w.becomes(r.Number, workflow.Done)
			w.threadOf(card, "already so before, nothing was called")
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
	})
}

// Giving one role never takes another, and what a time limit ends is what was given.
func TestPlan_SingleRoles(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{}, func(t *testing.T, w *world, clock *pushed) {
		w.roles(alice, "r00004")
		r, card := w.planned("add-role @alice on warehouse/" + space + " as developer,viewer for 7d because on call")
		w.clicks("U0LEAD", card, "approve")
		r, _ = w.becomes(r.Number, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, alice); got != "r00002,r00004" {
			t.Errorf("alice is %q, want the role besides the one that she had", got)
		}
		child := w.request(r.Child).Change
		if child.Action != workflow.DropRole || child.RoleIDs() != "r00002" {
			t.Errorf("the end is %s %s, want drop-role r00002", child.Action, child.RoleIDs())
		}
		w.roles(alice, "r00002", "r00003", "r00004") // somebody gives her another meanwhile
		clock.push(7 * day)
		w.becomes(r.Child, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, alice); got != "r00003,r00004" {
			t.Errorf("alice is %q after her time, want what she had and what was added", got)
		}
		r, card = w.planned("drop-role @alice on warehouse/" + space + " as operator")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, alice); got != "r00004" {
			t.Errorf("alice is %q, want r00004", got)
		}
		if got := w.calls(); len(got) != 3 {
			t.Errorf("calls %v, want one each", got)
		}
		// The last role is not taken, and who is not there is given none.
		r, card = w.planned("drop-role @alice on warehouse/" + space + " as viewer")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Failed)
		w.threadOf(card, "that is the last role")
		if got := w.types("U0REQ", "drop-role @alice on warehouse/"+space+" as viewer for 7d"); !strings.Contains(got, "takes something away") {
			t.Errorf("drop-role with a limit: %q", got)
		}
		if got := w.types("U0REQ", "add-role 50003 on gpu-lab/1001 as admin"); !strings.Contains(got, "no documented call") {
			t.Errorf("add-role on CompShare: %q", got)
		}
	})
}

// A retry looks before it calls: what somebody has done meanwhile is not done again.
func TestPlan_RetryReadsFirst(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.RetCode, RetCode: 299, Message: "denied"})
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.Status, Status: 403})
		for typed, c := range map[string]struct {
			code   string
			behind func()
		}{
			"invite 50006 to gpu-lab/1001": {"RetCode 299", func() {
				w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 50006, Status: compsharefake.Pending})
			}},
			"add @alice to warehouse/" + space + " as viewer": {"APIGW.0302", func() { w.roles(alice, "r00004") }},
		} {
			before := len(w.calls())
			r, card := w.planned(typed)
			w.clicks("U0LEAD", card, "approve")
			_, card = w.becomes(r.Number, workflow.Failed)
			text := w.threadOf(card, c.code)
			for _, want := range []string{"grant it the right", "request ID"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the thread reads %q, want %q in it", typed, text, want)
				}
			}
			w.settled(r.Number)
			c.behind()
			w.clicks("U0BOB", card, "retry")
			w.becomes(r.Number, workflow.Done)
			if got := len(w.calls()) - before; got != 1 {
				t.Errorf("%s: %d calls, want the failed one alone", typed, got)
			}
		}
	})
}

// A vendor that is busy is called again by the bot itself, and not for ever.
func TestPlan_BusyVendorIsCalledAgain(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.RetCode, RetCode: 153, Message: "slow down", Count: 2})
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.Status, Status: 429, Count: -1})
		once, card := w.planned("invite 50006 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "approve")
		w.reads(once.Number, "it is called again shortly. RetCode 153") // before the third call, which comes eight seconds after the second
		ever, card := w.planned("add @alice to warehouse/" + space + " as viewer")
		w.clicks("U0LEAD", card, "approve")
		if r, _ := w.becomes(once.Number, workflow.Done); r.Attempts != 3 {
			t.Errorf("%d calls, want 3", r.Attempts)
		}
		r, card := w.becomes(ever.Number, workflow.Failed)
		if r.Attempts != 3 {
			t.Errorf("%d calls, want 3 before people are asked", r.Attempts)
		}
		w.threadOf(card, "asks to slow down")
		w.DataArts.ClearFaults()
		w.settled(r.Number)
		w.clicks("U0LEAD", card, "retry")
		w.becomes(r.Number, workflow.Done)
	})
}

// Two approved requests on one membership run one after the other, and the second sees what the first has done.
func TestPlan_OneMembershipOneAfterTheOther(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.roles(alice, "r00004")
		w.CompShare.Fault(compsharefake.Fault{Action: "SetCompShareTeamRelation", Kind: compsharefake.Delay, DelayMS: 500})
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.UpdateWorkSpaceUserOrGroup, Kind: dataartsfake.Delay, Delay: 500 * time.Millisecond})
		for _, c := range [][2]string{
			{"rename 50003 on gpu-lab/1001 as 甲", "rename 50003 on gpu-lab/1001 as 乙"},
			{"role @alice on warehouse/" + space + " as developer", "role @alice on warehouse/" + space + " as operator"},
		} {
			before := len(w.calls())
			first, card1 := w.planned(c[0])
			second, card2 := w.planned(c[1])
			w.clicks("U0LEAD", card1, "approve")
			w.clicks("U0LEAD", card2, "approve")
			w.becomes(first.Number, workflow.Done)
			// What the second was approved on is no longer so.
			w.eventually("the second is signed anew", func() bool { return len(w.request(second.Number).Voided) == 1 })
			if got := len(w.calls()) - before; got != 1 {
				t.Errorf("%s: %d calls, want the first one alone", c[1], got)
			}
			w.settled(second.Number)
			_, card2 = w.becomes(second.Number, workflow.Pending)
			w.clicks("U0BOB", card2, "approve")
			w.becomes(second.Number, workflow.Done)
		}
		if got, want := w.relation(1001, 50003), "Joined 乙"; got != want {
			t.Errorf("the cloud holds %q, want %q", got, want)
		}
		if got := w.member(dataartsfake.TypeUser, alice); got != "r00003" {
			t.Errorf("alice is %q, want r00003", got)
		}
	})
}

func TestPlan_NamesAreFixedAtSubmission(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		target := " to warehouse/" + space + " as "
		r, card := w.planned("add user:carol" + target + "auditor because audit")
		text := slackfake.Text(card)
		for _, want := range []string{dataartsfake.UserCarol, "looked up in IAM as carol", "Auditor (r10001)"} {
			if !strings.Contains(text, want) {
				t.Errorf("the card reads\n%s\nwant %q in it", text, want)
			}
		}
		// Whoever is called carol by the time of the call, this request is about the one that was found.
		w.DataArts.AddIAMUser(dataartsfake.IAMUser{ID: strings.Repeat("c", 32), Name: "carol", DomainID: dataartsfake.DomainID})
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, dataartsfake.UserCarol); got != "r10001" {
			t.Errorf("carol is %q, want r10001", got)
		}
		w.DataArts.AddIAMUser(dataartsfake.IAMUser{ID: strings.Repeat("b", 32), Name: "bob", DomainID: dataartsfake.DomainID})
		w.DataArts.AddRole(dataartsfake.Role{ID: "r20001", Name: "Steward"})
		w.DataArts.AddRole(dataartsfake.Role{ID: "r20002", Name: "steward"})
		before := w.stored()
		for typed, want := range map[string]string{
			"add user:nobody" + target + "viewer":     "*warehouse* knows nobody of the name *user:nobody*",
			"add user:bob" + target + "viewer":        "may mean several: *" + dataartsfake.UserBob + "*, *" + strings.Repeat("b", 32) + "*",
			"add carol" + target + "viewer":           "*carol* is no IAM ID",
			"add @alice" + target + "king":            "I know no role *king*. Roles: *admin*, *developer*",
			"add @alice" + target + "steward":         "may mean several: *r20001*, *r20002*",
			"invite user:carol to gpu-lab/1001":       "*user:carol* is no company ID",
			"add user:nobody,@nick" + target + "king": "I do not know the cloud ID of *@nick*",
		} {
			if got := w.types("U0REQ", typed); !strings.Contains(got, want) || numberIn(got) != 0 {
				t.Errorf("%s: %q, want %q in it and no number", typed, got, want)
			}
		}
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceRoles, Kind: dataartsfake.Delay, Delay: 3 * time.Second, Count: -1})
		// types fails if the answer comes later than Slack waits.
		if got := w.types("U0REQ", "add @alice"+target+"newcomer"); !strings.Contains(got, "could not be found out") {
			t.Errorf("a cloud that does not answer: %q", got)
		}
		if got := w.stored(); got != before {
			t.Errorf("%d requests stored by refused commands", got-before)
		}
	})
}

func TestPlan_ManyAtOnce(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.crowds()
		list := func(n int) string {
			ids := make([]string, n)
			for i := range ids {
				ids[i] = fmt.Sprint(60000 + i)
			}
			return strings.Join(ids, ",")
		}
		for typed, want := range map[string]string{
			"invite " + list(101) + " to gpu-lab/1001":                          "*101* are too many at once: at most *100*",
			"invite " + list(99) + ",60007 to gpu-lab/1001":                     "*60007* is named twice",
			"invite " + list(99) + ",060007 to gpu-lab/1001":                    "*60007* is named twice",
			"add " + alice + ",user:alice to warehouse/" + space + " as viewer": "is named twice",
		} {
			if got := w.types("U0REQ", typed); !strings.Contains(got, want) || numberIn(got) != 0 || w.stored() != 0 {
				t.Errorf("%.40s…: %q with %d stored, want %q in it", typed, got, w.stored(), want)
			}
		}
		ns := numbersIn(w.types("U0REQ", "invite "+list(100)+" to gpu-lab/1001 because a class"))
		if len(ns) != 100 || w.stored() != 100 {
			t.Fatalf("%d numbers with %d stored, want 100", len(ns), w.stored())
		}
		w.within(time.Minute, "each is planned", func() bool {
			return !slices.ContainsFunc(ns, func(n workflow.Number) bool { return !w.request(n).Plan.Read() })
		})
		_, approved := w.carded(ns[0])
		_, denied := w.carded(ns[1])
		w.clicks("U0LEAD", approved, "approve")
		w.presses(slackfake.ClickInput{User: "U0LEAD", Channel: denied.Channel, TS: denied.TS, ActionID: "deny"})
		w.becomes(ns[0], workflow.Done)
		if got := w.calls(); len(got) != 1 {
			t.Errorf("calls %v, want one: each is decided on its own", got)
		}
		if got := w.request(ns[2]).State; got != workflow.Pending {
			t.Errorf("the third is %s, want pending", got)
		}
	})
}

const listPolicy = `
  - name: one team
    systems: [gpu-lab]
    groups: ["1001"]
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD]}
    channel: C0APPROVALS
  - name: data
    systems: [warehouse]
    requesters: [U0REQ]
    approvers:
      - {any_of: [U0LEAD]}
    channel: C0APPROVALS
`

func TestPlan_Lists(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: listPolicy}, func(t *testing.T, w *world) {
		for i := range 45 {
			w.DataArts.SetMember(space, dataartsfake.Member{UserID: fmt.Sprintf("%032d", i), UserName: fmt.Sprintf("user%02d #7 <!channel>", i), Roles: []string{"r00004"}})
		}
		for _, c := range []struct {
			user, typed string
			want, not   []string
		}{
			{"U0REQ", "groups gpu-lab", []string{"*1001* · gpu-research"}, []string{"1002"}},
			{"U0REQ", "members gpu-lab/1001", []string{"*50003* · *joined as 陈静*", "*50004* · *invited as 赵磊*"}, nil},
			{"U0REQ", "roles gpu-lab/1001", []string{"*gpu-lab* has no list of *roles*"}, nil},
			{"U0REQ", "members gpu-lab/1002", []string{"No rule of the policy lets you ask for anything on *gpu-lab/1002*"}, nil},
			{"U0LEAD", "members warehouse/" + space, []string{"No rule of the policy"}, []string{"owner"}},
			{"U0LEAD", "groups warehouse", []string{"No rule of the policy"}, []string{"analytics"}},
			{"U0REQ", "groups warehouse", []string{"*" + space + "* · analytics", "· risk"}, nil},
			{"U0REQ", "roles warehouse/" + space, []string{"developer (r00002)", "Auditor (r10001)"}, nil},
			{
				"U0REQ", "members warehouse/" + space,
				[]string{"46 · page 1 of 3", "· owner · *admin (r00001)*", "user18 ＃7 &lt;!channel&gt;", "`/access members warehouse/" + space + " page 2`"},
				[]string{"user19"},
			},
			{"U0REQ", "members warehouse/" + space + " page 3", []string{"page 3 of 3", "user44"}, []string{"user38", "page 4"}},
			{"U0REQ", "members warehouse/" + space + " page 9", []string{"page 3 of 3"}, nil},
			{"U0REQ", "members warehouse/" + strings.Repeat("0", 32), []string{"could not be read (*DLM.4001"}, nil},
			{"U0REQ", "members warehouse", []string{"*warehouse* is no target"}, nil},
			{"U0REQ", "groups warehouse/" + space, []string{"is no target"}, nil},
			{"U0REQ", "groups", []string{"Say where"}, nil},
			{"U0REQ", "groups nowhere", []string{"I know no system *nowhere*"}, nil},
			{"U0REQ", "members warehouse/" + space + " page x", []string{"did not expect"}, nil},
			{"U0GUEST", "groups gpu-lab", []string{"Guests"}, []string{"1001"}},
		} {
			got := w.types(c.user, c.typed)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: %q, want %q in it", c.typed, got, want)
				}
			}
			for _, not := range c.not {
				if strings.Contains(got, not) {
					t.Errorf("%s: %q, want no %q in it", c.typed, got, not)
				}
			}
			if numberIn(got) != 0 {
				t.Errorf("%s: %q names a request", c.typed, got)
			}
		}
		if got := w.stored(); got != 0 {
			t.Errorf("%d requests stored by reading", got)
		}
	})
}

// A cloud that is slower than Slack's patience is answered for later.
func TestPlan_SlowListFollows(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.Fault(compsharefake.Fault{Action: "ListCompShareTeam", Kind: compsharefake.Delay, DelayMS: 3500})
		// types fails if the answer comes later than Slack waits.
		if got := w.types("U0REQ", "groups gpu-lab"); !strings.Contains(got, "the answer follows") {
			t.Errorf("answered %q", got)
		}
		w.privately("U0REQ", "gpu-research")
	})
}
