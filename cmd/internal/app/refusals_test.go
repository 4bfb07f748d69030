package app_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// kinds are all kinds of refusal, as the workflow declares them.
func kinds(t *testing.T) []workflow.Kind {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../../workflow/refusal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []workflow.Kind
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Kind" {
			for _, v := range spec.Values {
				s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, workflow.Kind(s))
			}
		}
		return false
	})
	if len(all) < 50 {
		t.Fatalf("%d kinds of refusal", len(all))
	}
	return all
}

// mistyped are the refusals that one command brings about, by whoever may ask.
var mistyped = map[workflow.Kind]struct{ typed, want string }{
	workflow.BadAction:      {"promote 50002 on gpu-lab/1001", "I do not know the action *promote*"},
	workflow.ActionNotHere:  {"add 50002 to gpu-lab/1001 as x", "*add* is no action of *gpu-lab*: it has *invite, resend, cancel, rename, accept, reject*."},
	workflow.NoRemoval:      {"remove 50003 from gpu-lab/1001", "no documented call that removes a joined member"},
	workflow.MissingWho:     {"invite to gpu-lab/1001", "*invite* needs to know who"},
	workflow.WhoNotAllowed:  {"accept 50001 gpu-lab/2001", "takes no WHO: leave it out"},
	workflow.MissingTarget:  {"invite 50002", "Say where, as SYSTEM/GROUP"},
	workflow.BadTarget:      {"invite 50002 to gpu-lab/", "is no target: write SYSTEM/GROUP"},
	workflow.BadSystem:      {"invite 50002 to nowhere/1001", "I know no system *nowhere*. Systems here: *gpu-lab*, *warehouse*"},
	workflow.BadCompany:     {"invite abc to gpu-lab/1001", "*abc* is no company ID"},
	workflow.BadTeam:        {"invite 50002 to gpu-lab/team", "*team* is no team ID"},
	workflow.BadWorkspace:   {"add " + alice + " to warehouse/abc as viewer", "*abc* is no workspace ID"},
	workflow.BadIAM:         {"add abc to warehouse/" + space + " as viewer", "*abc* is no IAM ID"},
	workflow.BadRole:        {"add @alice to warehouse/" + space + " as king", "I know no role *king*. Roles: *admin*, *developer*"},
	workflow.MissingAs:      {"rename 50003 on gpu-lab/1001", "*rename* needs a role or remark: add `as`"},
	workflow.AsNotAllowed:   {"cancel 50004 on gpu-lab/1001 as x", "*cancel* takes no role or remark: leave `as` out"},
	workflow.BadRemark:      {`rename 50003 on gpu-lab/1001 as ""`, "it must be one line of 1 to *64* characters"},
	workflow.NoTimeLimit:    {"invite 50002 to gpu-lab/1001 for 7d", "*invite* cannot be limited in time"},
	workflow.BadDuration:    {"add @alice to warehouse/" + space + " as viewer for ever", "*ever* is no duration: write a number"},
	workflow.LongDuration:   {"add @alice to warehouse/" + space + " as viewer for 31d", "longer than the rule allows: at most *30d*"},
	workflow.BadMention:     {"add @lena to warehouse/" + space + " as viewer", "I do not know the cloud ID of <@U0LEAD> on *warehouse*"},
	workflow.EmptyItem:      {"invite 50002,,50006 to gpu-lab/1001", "There is an empty place in that list"},
	workflow.RepeatedWho:    {"invite 50002,050002 to gpu-lab/1001", "*50002* is named twice"},
	workflow.TooManyWho:     {"invite " + strings.Repeat("50002,", 100) + "50002 to gpu-lab/1001", "*101* are too many at once: at most *100*"},
	workflow.OpenQuote:      {`rename 50003 on gpu-lab/1001 as "x`, "A quote is opened and not closed"},
	workflow.DoubledWord:    {"invite 50002 to to gpu-lab/1001", "*to* comes twice"},
	workflow.UnexpectedWord: {"invite 50002 to gpu-lab/1001 please", "I did not expect *please*"},
	workflow.TooLong:        {"invite 50002 to gpu-lab/1001 because " + strings.Repeat("x", 1001), "That is too long: at most *1000*"},
	workflow.BadCharacter:   {"invite 50002 to gpu-lab/1001 because \u202egnp", "control, hidden or direction-changing characters"},
	workflow.BadNumber:      {"show me", "*me* is no request number"},
	workflow.GroupNoSupport: {"invite group:abc to gpu-lab/1001", "takes no user group"},
	workflow.NothingToEnd:   {"remove @alice from warehouse/" + space + " for 7d", "*remove* takes something away"},
	workflow.UnknownName:    {"add user:nobody to warehouse/" + space + " as viewer", "*warehouse* knows nobody of the name *user:nobody*"},
	workflow.Ambiguous:      {"add user:bob to warehouse/" + space + " as viewer", "may mean several: *" + dataartsfake.UserBob + "*, *"},
	workflow.NoLookUp:       {"add user:bob to alone/" + space + " as viewer", "cannot be looked up, because *alone* has no IAM to ask, or its account may not list users: give the ID"},
	workflow.NoList:         {"roles gpu-lab/1001", "*gpu-lab* has no list of *roles*: `help`"},
	workflow.Unreadable:     {"members warehouse/" + strings.Repeat("0", 32), "could not be read (*DLM.4001"},
	workflow.NoReadRule:     {"members gpu-lab/4711", "No rule of the policy lets you ask for anything on *gpu-lab/4711*"},
	workflow.NoRule:         {"invite 50002 to gpu-lab/4711", "No rule of the policy lets you ask for *invite* on *gpu-lab/4711*: ask whoever keeps the policy"},
	workflow.NotFound:       {"show 4711", "There is no request *4711*: `mine` and `pending`"},
	workflow.NotTimed:       {"extend 1 for 7d", "nothing to extend: ask for the change anew, with `for`"},
}

// TestRefusals_EachKindIsGivenToAPerson brings about every kind of refusal that there is, and wants its own sentence,
// privately, in both ways in which Slack delivers. A kind that is new has no place here yet, and fails.
func TestRefusals_EachKindIsGivenToAPerson(t *testing.T) {
	t.Parallel()
	o := rig.Options{Policy: `
  - {name: both, systems: [gpu-lab], groups: ["1003"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD]}, {any_of: [U0LEAD, U0BOB, U0REQ]}]}
  - {name: elsewhere, systems: [gpu-lab], groups: ["1005"], requesters: ["*"], channel: C0DATA, approvers: [{any_of: [U0LEAD, U0BOB]}]}
  - {name: teams, systems: [gpu-lab], groups: ["1001", "2001"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0BOB]}]}
  - {name: workspaces, systems: [warehouse], requesters: ["*"], channel: C0APPROVALS, max_duration: 30d, approvers: [{any_of: [U0LEAD, U0BOB]}]}
`}
	inBothModesAt(t, o, func(t *testing.T, w *world, clock *pushed) {
		// A system of the same account that may not look anything up in IAM.
		w.stop()
		w.edits("people:\n", fmt.Sprintf("  - {name: alone, provider: dataarts, region: cn-north-4, endpoint: %q, project_id: %s, instance_id: %s}\npeople:\n",
			w.DataArts.URL(), dataartsfake.ProjectID, dataartsfake.InstanceID))
		w.edits("systems: [warehouse]", "systems: [warehouse, alone]")
		var slow, broken atomic.Pointer[func(workflow.Number) bool]
		strikes := func(p *atomic.Pointer[func(workflow.Number) bool], n workflow.Number) bool {
			f := p.Load()
			return f != nil && (*f)(n) && p.CompareAndSwap(f, nil)
		}
		w.startWith(app.Options{Now: clock.now, Step: func(_ string, n workflow.Number) {
			if strikes(&slow, n) {
				time.Sleep(2600 * time.Millisecond) // longer than an acknowledgement may take
			}
			if strikes(&broken, n) {
				panic("a bug")
			}
		}})
		w.DataArts.AddIAMUser(dataartsfake.IAMUser{ID: strings.Repeat("b", 32), Name: "bob", DomainID: dataartsfake.DomainID})
		w.Slack.SetUser(slackfake.User{ID: "U0SOLO", Team: "T0HOME", Name: "solo", IsRestricted: true, IsUltraRestricted: true})

		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		both, bothCard := w.asks("U0ALICE", "invite 50002 to gpu-lab/1003")
		ended, endedCard := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.types("U0REQ", "withdraw "+ended.Number.String())
		w.becomes(ended.Number, workflow.Withdrawn)
		made := w.stored()

		given := map[workflow.Kind]bool{}
		want := func(k workflow.Kind, got, want string) {
			t.Helper()
			given[k] = true
			if !strings.Contains(got, want) || numberIn(got) != 0 {
				t.Errorf("%s: answered %q, want %q in it and no number", k, got, want)
			}
		}
		types := func(k workflow.Kind, in slackfake.SlashInput, sentence string) {
			t.Helper()
			ack := w.slash(in)
			want(k, ack.Text, sentence)
			if ack.Payload["response_type"] != "ephemeral" {
				t.Errorf("%s: answered as %v, want privately", k, ack.Payload["response_type"])
			}
		}
		clicks := func(k workflow.Kind, user, team string, card slackfake.Message, action, sentence string) {
			t.Helper()
			want(k, w.answered(slackfake.ClickInput{User: user, UserTeam: team, Channel: card.Channel, TS: card.TS, ActionID: action, Stale: true}), sentence)
		}
		for k, c := range mistyped {
			types(k, slackfake.SlashInput{User: "U0REQ", Text: c.typed}, c.want)
		}
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceRoles, Kind: dataartsfake.Delay, Delay: 3 * time.Second, Count: -1})
		types(workflow.Unresolved, slackfake.SlashInput{User: "U0REQ", Text: "add @alice to warehouse/" + space + " as newcomer"}, "could not be found out, because the cloud gave no answer")
		w.DataArts.ClearFaults()
		types(workflow.NotRequester, slackfake.SlashInput{User: "U0LEAD", Text: "withdraw " + r.Number.String()}, "Only the person who asked can withdraw it: ask them to")

		w.Slack.SetUser(slackfake.User{ID: "U0SOLE", Team: "T0HOME", Name: "sole", Locale: "en-US"})
		clicks(workflow.NotApprover, "U0SOLE", "", card, "approve", "You are not among the approvers of this request: its card names them")
		clicks(workflow.OwnRequest, "U0REQ", "", card, "approve", "somebody else must decide it: wait, or take it back with `withdraw`")
		clicks(workflow.WrongState, "U0LEAD", "", endedCard, "approve", "That can no longer be done: if it is still needed, ask anew")
		clicks(workflow.Guest, "U0GUEST", "", card, "approve", "Guests cannot ask or decide: ask a full member")
		clicks(workflow.LoneGuest, "U0SOLO", "", card, "approve", "Guests of a single channel cannot ask or decide: ask a full member")
		clicks(workflow.Bot, "U0ROBOT", "", card, "approve", "Bots cannot ask or decide: a person must")
		clicks(workflow.Deactivated, "U0GONE", "", card, "approve", "deactivated, so you cannot do this: ask an admin")
		clicks(workflow.Stranger, "U0OUT", "T0HOME", card, "approve", "only through a channel shared with another workspace")
		clicks(workflow.Elsewhere, "U0OUT", "T0OTHER", card, "approve", "You are a member of another workspace")
		forged := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve", MessageTS: "1700000000.000001"}
		want(workflow.NotHere, w.answered(forged), "not on the request's own card, so it does not count: use the card")
		w.Slack.Fault(slackfake.Fault{Method: "users.info", Kind: slackfake.ErrorCode, Code: "internal_error", Count: -1})
		clicks(workflow.Unverified, "U0LEAD", "", card, "approve", "Slack did not say who you are, or which groups you are in, so nothing was changed: try again")
		w.Slack.ClearFaults()
		// Each, for what was mistyped has forms offered too.
		w.Slack.Fault(slackfake.Fault{Method: "views.open", Kind: slackfake.ErrorCode, Code: "expired_trigger_id", Count: -1})
		clicks(workflow.NoForm, "U0LEAD", "", card, "deny", "Slack did not open the form: press the button again")
		w.Slack.ClearFaults()

		w.clicks("U0REQ", bothCard, "approve")
		w.shows(both.Number, "1 of 2 approvals")
		clicks(workflow.AlreadySaid, "U0REQ", "", bothCard, "approve", "You have approved this already; it waits for somebody else")
		w.Slack.SetUser(slackfake.User{ID: "U0BOB", Team: "T0HOME", Name: "bob", Locale: "en-US"})
		clock.push(2 * time.Minute) // he reads English from now on
		clicks(workflow.NoPlaceLeft, "U0BOB", "", bothCard, "approve", "already filled; it waits for somebody from another group")

		// A panic ends what it happened in, and nothing else.
		const mishap = "Something went wrong inside the bot, and what became of this is not certain: look at `mine`"
		w.mayPanic = true
		unmade := func(n workflow.Number) bool { return n > ended.Number }
		broken.Store(&unmade)
		types(workflow.Mishap, slackfake.SlashInput{User: "U0REQ", Text: "invite 50007 to gpu-lab/1001"}, mishap)
		w.settled(r.Number) // else it may strike something else
		broken.Store(new(func(n workflow.Number) bool { return n == r.Number }))
		clicks(workflow.Mishap, "U0LEAD", "", card, "approve", mishap)

		slow.Store(&unmade)
		types(workflow.Busy, slackfake.SlashInput{User: "U0REQ", Text: "invite 50007 to gpu-lab/1001"}, "Too much is going on, so it is not recorded: try again")
		w.reload("channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0BOB]}]", "channel: C0APPROVALS, approvers: [{any_of: [U0BOB]}]")
		clicks(workflow.NoLonger, "U0LEAD", "", card, "approve", "you are not among its approvers any more: leave it to those who are")
		w.reload(`groups: ["1001", "2001"]`, `groups: ["2001"]`)
		clicks(workflow.Uncovered, "U0BOB", "", card, "approve", "no rule of it covers the request, so nobody can decide it: the requester must ask anew")
		w.Slack.SetChannel(slackfake.Channel{ID: "C0DATA", Name: "data", Members: []string{"U0BOT", "U0LEAD"}, IsExtShared: true})
		clock.push(6 * time.Minute)
		w.eventually("the bot knows that the channel is shared", func() bool { return len(w.app.Engine().Policy().Shared) == 1 })
		types(workflow.SharedChannel, slackfake.SlashInput{User: "U0REQ", Text: "invite 50007 to gpu-lab/1005"}, "*C0DATA* is shared with another organisation")

		if got := w.request(r.Number); w.stored() != made || got.State != workflow.Pending || len(got.Decisions) > 0 {
			t.Errorf("%d requests, want %d; %v is %s with %d decisions", w.stored(), made, r.Number, got.State, len(got.Decisions))
		}
		given[workflow.NotRecorded] = true // by the real process on a full disk: testdata/script/full.txtar
		if _, err := os.Stat("../../countersign/testdata/script/full.txtar"); err != nil {
			t.Errorf("nothing shows what is said on a full disk: %v", err)
		}
		for _, k := range kinds(t) {
			if !given[k] {
				t.Errorf("no test gives the refusal %s to a person", k)
			}
		}
	})
}
