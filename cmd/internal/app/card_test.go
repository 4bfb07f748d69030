package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

func TestCard_KeepsTheContract(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		first, _ := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training run")
		// The post of a card that did not wait for its plan may be under way when the plan is there.
		inTime := first.Plan.Read() && first.Plan.At.Sub(first.Created) < 2*time.Second && r.Plan.Read() && r.Plan.At.Sub(r.Created) < 2*time.Second
		id := "request:" + r.Number.String()
		for _, b := range card.Blocks {
			got, _ := b.(map[string]any)["block_id"].(string)
			if got != id && !strings.HasPrefix(got, id+":") {
				t.Errorf("block_id %q, want %q or %q and more", got, id, id+":")
			}
		}
		for _, b := range slackfake.Buttons(card) {
			if b.Value != r.Number.String() {
				t.Errorf("the value of %s is %q, want the bare number %s", b.ActionID, b.Value, r.Number)
			}
		}
		if card.ThreadTS != "" || card.Channel != rig.Channel {
			t.Errorf("the card is in %s, thread %q; want it top-level in %s", card.Channel, card.ThreadTS, rig.Channel)
		}
		wantMarked(t, card, r.Number)

		w.clicks("U0LEAD", card, "approve")
		_, card = w.becomes(r.Number, workflow.Done)
		w.settled(r.Number)
		wantMarked(t, card, r.Number)
		for _, m := range w.Slack.Thread(card.Channel, card.TS) {
			wantMarked(t, m, r.Number)
		}
		if got := len(w.cards(rig.Channel)); got != 2 {
			t.Errorf("%d cards for two requests", got)
		}
		posts := 0
		for _, c := range w.Slack.Calls("chat.postMessage") {
			if c.Args["channel"] == rig.Channel && c.Args["thread_ts"] == nil {
				posts++
			}
		}
		if posts != 2 || len(w.Slack.Calls("chat.update")) < 2 || len(w.Slack.Calls("chat.delete")) > 0 {
			t.Errorf("%d top-level posts, %d updates, %d deletes; want 2 posts, then updates only",
				posts, len(w.Slack.Calls("chat.update")), len(w.Slack.Calls("chat.delete")))
		}
		if looks := w.Slack.Calls("conversations.history"); inTime && len(looks) > 0 {
			t.Errorf("the channel was looked through %d times for cards that were never tried before", len(looks))
		}
	})
}

// wantMarked wants the metadata that the design fixes.
func wantMarked(t *testing.T, m slackfake.Message, n workflow.Number) {
	t.Helper()
	payload, _ := m.Metadata["event_payload"].(map[string]any)
	seq, isNumber := payload["seq"].(float64)
	if m.Metadata["event_type"] != "countersign_request" || payload["request"] != float64(n) || !isNumber || seq < 1 || len(payload) != 2 {
		t.Errorf("metadata %v, want countersign_request with request %v and a seq", m.Metadata, n)
	}
}

func TestCard_Deny(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.refused(slackfake.ClickInput{User: "U0REQ", Channel: card.Channel, TS: card.TS, ActionID: "deny"}, r.Number, "somebody else")
		w.clicks("U0LEAD", card, "deny")
		form, ok := w.Slack.View("U0LEAD")
		if !ok || form.CallbackID != "deny" || form.Type != "modal" {
			t.Fatalf("form %+v, want the modal deny", form)
		}
		block, action := theInput(t, form)

		submit := func(user, reason string) slackfake.Ack {
			ack, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{
				User: user, Force: true, Values: map[string]map[string]any{block: {action: reason}},
			})
			if err != nil || !ack.OK() {
				t.Fatalf("submit %q: %v %v", reason, err, ack.Err)
			}
			return ack
		}
		submit("U0LEAD", "  \n ")
		form, ok = w.Slack.View("U0LEAD")
		if !ok || form.Errors[block] == "" {
			t.Errorf("an empty reason left the form %v with errors %v; want it open with one at the input", ok, form.Errors)
		}
		if got := w.request(r.Number).State; got != workflow.Pending {
			t.Fatalf("state %s after an empty reason, want pending", got)
		}

		submit("U0LEAD", "the budget is <spent> & <!channel> closed")
		_, card = w.becomes(r.Number, workflow.Denied)
		text := slackfake.Text(card)
		for _, want := range []string{"denied by <@U0LEAD>", "the budget is &lt;spent&gt; &amp; &lt;!channel&gt; closed"} {
			if !strings.Contains(text, want) {
				t.Errorf("the card reads\n%s\nwant %q in it", text, want)
			}
		}
		wantDecided(t, card)
		if dm := w.directly("U0REQ", "denied your request #"+r.Number.String()); !strings.Contains(dm, "the budget is &lt;spent&gt;") {
			t.Errorf("the direct message reads %q, want the reason in it", dm)
		}
		if _, open := w.Slack.View("U0LEAD"); open {
			t.Error("the form is still open")
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
	})
}

// wantDecided wants no button left that decides.
func wantDecided(t *testing.T, card slackfake.Message) {
	t.Helper()
	for _, id := range actionIDs(card) {
		if id == "approve" || id == "deny" || id == "claim" {
			t.Errorf("the button %s is left on a decided card", id)
		}
	}
}

// theInput is the one text input of a form.
func theInput(t *testing.T, v slackfake.View) (block, action string) {
	t.Helper()
	inputs := 0
	for _, b := range v.Blocks {
		m, _ := b.(map[string]any)
		if m["type"] != "input" {
			continue
		}
		inputs++
		element, _ := m["element"].(map[string]any)
		if element["type"] != "plain_text_input" {
			t.Errorf("the input is a %v, want a plain_text_input", element["type"])
		}
		block, _ = m["block_id"].(string)
		action, _ = element["action_id"].(string)
	}
	if inputs != 1 {
		t.Fatalf("%d inputs in the form, want 1", inputs)
	}
	return block, action
}

func TestCard_DenyFormIsJudgedAgain(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "deny")
		form, _ := w.Slack.View("U0LEAD")
		block, action := theInput(t, form)
		values := map[string]map[string]any{block: {action: "too late"}}
		w.Slack.Fault(slackfake.Fault{Method: "users.info", Kind: slackfake.ErrorCode, Code: "internal_error", Count: -1})
		refused := func(what string, patch map[string]any) {
			t.Helper()
			if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", Values: values, Patch: patch}); err != nil {
				t.Fatal(err)
			}
			form, open := w.Slack.View("U0LEAD")
			if !open || form.Errors[block] == "" || numberIn(form.Errors[block]) != 0 {
				t.Errorf("%s: form open %v with errors %v, want it open with a refusal", what, open, form.Errors)
			}
			if got := w.request(r.Number).State; got != workflow.Pending {
				t.Fatalf("%s: state %s, want pending", what, got)
			}
		}
		refused("an unreadable person", nil)
		w.Slack.ClearFaults()
		for what, patch := range map[string]map[string]any{
			"another team":    {"user": map[string]any{"team_id": "T0OTHER"}},
			"another person":  {"user": map[string]any{"id": "U0ALICE"}},
			"the requester":   {"user": map[string]any{"id": "U0REQ"}},
			"a forged number": {"view": map[string]any{"private_metadata": "0"}},
		} {
			refused(what, patch)
		}
		w.clicks("U0BOB", card, "approve")
		w.becomes(r.Number, workflow.Done)
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", Values: values}); err != nil {
			t.Fatal(err)
		}
		form, _ = w.Slack.View("U0LEAD")
		if got := form.Errors[block]; !strings.Contains(got, "done") {
			t.Errorf("denied after it was done: %q, want the present state", got)
		}
		if got := w.request(r.Number).State; got != workflow.Done {
			t.Errorf("state %s, want done", got)
		}
	})
}

func TestCard_FormThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.Slack.Fault(slackfake.Fault{Method: "views.open", Kind: slackfake.ErrorCode, Code: "expired_trigger_id"})
		click := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "deny"}
		if got := w.answered(click); !strings.Contains(got, "press the button again") {
			t.Errorf("answered %q, want what to do", got)
		}
		w.presses(click)
		if _, open := w.Slack.View("U0LEAD"); !open {
			t.Error("no form at the second click")
		}
		if got := w.request(r.Number).State; got != workflow.Pending {
			t.Errorf("state %s, want pending", got)
		}
	})
}

func TestCommand_Withdraw(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, _ := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		n := r.Number.String()
		if got := w.types("U0LEAD", "withdraw "+n); !strings.Contains(got, "Only the person who asked") || !strings.Contains(got, "pending") || numberIn(got) != 0 {
			t.Errorf("somebody else withdraws: %q, want a refusal that names the state", got)
		}
		if got := w.types("U0REQ", "withdraw #"+n); !strings.Contains(got, "#"+n) || !strings.Contains(got, "withdrawn") {
			t.Errorf("withdraw: %q", got)
		}
		_, card := w.becomes(r.Number, workflow.Withdrawn)
		wantDecided(t, card)
		for typed, want := range map[string]string{
			"withdraw " + n: "withdrawn", "withdraw 99": "There is no request", "withdraw": "is no request number",
			"withdraw x": "is no request number", "show 99": "There is no request", "show -1": "is no request number",
		} {
			if got := w.types("U0REQ", typed); !strings.Contains(got, want) || numberIn(got) != 0 {
				t.Errorf("%s: %q, want %q and no number", typed, got, want)
			}
		}
	})
}

func TestCommand_Lists(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		if got := w.types("U0REQ", "mine"); !strings.Contains(got, "asked for nothing") {
			t.Errorf("mine of nobody: %q", got)
		}
		if got := w.types("U0LEAD", "pending"); !strings.Contains(got, "Nothing waits") {
			t.Errorf("pending of nothing: %q", got)
		}
		done, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 because first")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(done.Number, workflow.Done)
		mine, _ := w.asks("U0REQ", "invite 50006 to gpu-lab/1001 because second")
		others, _ := w.asks("U0ALICE", "add @alice to warehouse/"+space+" as viewer")
		for _, c := range []struct {
			user, typed string
			want        []workflow.Number
		}{
			{"U0REQ", "mine", []workflow.Number{mine.Number, done.Number}},
			{"U0ALICE", "mine", []workflow.Number{others.Number}},
			{"U0LEAD", "pending", []workflow.Number{others.Number, mine.Number}},
			{"U0REQ", "pending", []workflow.Number{mine.Number}},
			{"U0REQ", "show " + done.Number.String(), []workflow.Number{done.Number}},
			{"U0LEAD", "SHOW " + mine.Number.String(), []workflow.Number{mine.Number}},
			{"U0REQ", "show " + others.Number.String(), nil},
		} {
			got := w.types(c.user, c.typed)
			if !slices.Equal(numbersIn(got), c.want) {
				t.Errorf("%s types %q: %q, want the numbers %v", c.user, c.typed, got, c.want)
			}
		}
		if got := w.types("U0REQ", "show "+done.Number.String()); !strings.Contains(got, "done") || !strings.Contains(got, "first") || !strings.Contains(got, "approved by <@U0LEAD>") {
			t.Errorf("show: %q, want state, reason and decision", got)
		}
		help := w.types("U0REQ", "help")
		for _, want := range []string{
			"/access invite", "/access resend", "/access cancel", "/access rename", "/access accept gpu-lab/", "/access reject",
			"/access add @alice to warehouse/", "/access role", "/access remove", "mine", "pending", "show 42", "withdraw 42",
		} {
			if !strings.Contains(help, want) {
				t.Errorf("help lacks %q:\n%s", want, help)
			}
		}
	})
}

func TestCommand_LongListsAreWhole(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.crowds()
		ids := make([]string, workflow.MaxWho)
		for i := range ids {
			id := fmt.Sprintf("%032d", i+1)
			w.DataArts.AddIAMGroup(dataartsfake.IAMGroup{ID: id, Name: fmt.Sprint("group ", i+1)}) // else the bot denies it
			ids[i] = "group:" + id
		}
		typed := "add " + strings.Join(ids, ",") + " to warehouse/" + space + " as developer"
		if got := w.types("U0ALICE", strings.Replace(typed, ids[0], ids[0]+",abc", 1)); numberIn(got) != 0 || !strings.Contains(got, "101") {
			t.Errorf("101 WHO: %q, want a refusal", got)
		}
		made := numbersIn(w.types("U0ALICE", typed)) // in Chinese, which takes more bytes
		if len(made) != len(ids) || w.stored() != len(ids) {
			t.Fatalf("%d numbers and %d stored for %d WHO", len(made), w.stored(), len(ids))
		}
		last := made[len(made)-1]
		for user, typed := range map[string]string{"U0ALICE": "mine", "U0BOB": "pending"} {
			got := w.types(user, typed)
			if strings.Count(got, "<") != strings.Count(got, ">") {
				t.Errorf("%s: a token is cut:\n%s", typed, got)
			}
			if ns := numbersIn(got); len(ns) != 20 || ns[0] != last {
				t.Errorf("%s: %d numbers, want 20 from %v on:\n%s", typed, len(ns), last, got)
			}
		}
	})
}

func TestCommand_SeveralWho(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			typed string
			want  []string
		}{
			{"invite 50002,abc,50006,4294967296 to gpu-lab/1001", []string{"*abc*", "*4294967296*"}},
			{"add @lena,@rita to warehouse/" + space + " as viewer", []string{"U0LEAD", "U0REQ"}},
			{"add @lena,xyz,@alice to warehouse/" + space + " as viewer", []string{"U0LEAD", "*xyz*"}},
			{"invite 50002,50006,50002 to gpu-lab/1001", []string{"*50002*", "twice"}},
			{"add @alice," + alice + " to warehouse/" + space + " as viewer", []string{alice, "twice"}},
		} {
			got := w.types("U0REQ", c.typed)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q: %q, want %q in it", c.typed, got, want)
				}
			}
			if numberIn(got) != 0 || w.stored() != 0 {
				t.Errorf("%q: %q with %d stored, want nothing recorded", c.typed, got, w.stored())
			}
		}
		ns := numbersIn(w.types("U0REQ", "invite 50002 , 50006,50007 to gpu-lab/1001 because a batch"))
		if len(ns) != 3 || w.stored() != 3 {
			t.Fatalf("numbers %v with %d stored, want 3", ns, w.stored())
		}
		for _, n := range ns {
			_, card := w.carded(n)
			if !strings.Contains(slackfake.Text(card), "#"+n.String()) {
				t.Errorf("the card of %v does not name it", n)
			}
		}
		_, card := w.carded(ns[1])
		w.clicks("U0LEAD", card, "approve")
		w.becomes(ns[1], workflow.Done)
		for i, want := range []string{"", "Pending ", ""} {
			if got := w.relation(1001, []uint32{50002, 50006, 50007}[i]); got != want {
				t.Errorf("the cloud holds %q for number %d, want %q", got, i, want)
			}
		}
	})
}

func TestCommand_SameDeliveryAgain(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		first := w.slash(slackfake.SlashInput{User: "U0REQ", Text: "invite 50002,50006 to gpu-lab/1001"})
		again := func() {
			t.Helper()
			ack := w.slash(slackfake.SlashInput{User: "U0REQ", Text: "invite 50002,50006 to gpu-lab/1001", TriggerID: first.TriggerID})
			if diff := cmp.Diff(numbersIn(first.Text), numbersIn(ack.Text)); diff != "" {
				t.Errorf("numbers of the same delivery (-first +again):\n%s", diff)
			}
			if got := w.stored(); got != 2 {
				t.Errorf("%d requests stored, want 2", got)
			}
		}
		again()
		w.stop()
		w.start()
		again()
		if got := numberIn(w.types("U0REQ", "invite 50002 to gpu-lab/1001")); got == 0 || slices.Contains(numbersIn(first.Text), got) {
			t.Errorf("another delivery is answered with number %v", got)
		}
	})
}

func TestCommand_TimeLimitMakesAChild(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "add @alice to warehouse/"+space+" as developer for 1s because on call")
		if !strings.Contains(slackfake.Text(card), "1s") {
			t.Errorf("the card does not name the limit:\n%s", slackfake.Text(card))
		}
		w.clicks("U0LEAD", card, "approve")
		parent, card := w.becomes(r.Number, workflow.Done)
		if parent.Child == 0 {
			t.Fatal("no child")
		}
		w.shows(r.Number, "#"+parent.Child.String())
		child, childCard := w.carded(parent.Child)
		if child.Change.Action != workflow.RemoveOne || child.Parent != r.Number {
			t.Errorf("the child is %+v, want a removal of %v", child.Change, r.Number)
		}
		if !strings.Contains(slackfake.Text(childCard), "follows from #"+r.Number.String()) {
			t.Errorf("the child's card reads\n%s", slackfake.Text(childCard))
		}
		w.becomes(parent.Child, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, alice); got != "absent" {
			t.Errorf("alice is %q after her time, want absent", got)
		}
		if got := w.calls(); len(got) != 2 {
			t.Errorf("calls %v, want the add and the removal", got)
		}
		if got := len(w.Slack.Thread(card.Channel, card.TS)); got != 1 {
			t.Errorf("%d replies at the parent, want one", got)
		}
	})
}

func TestCommand_LimitedRoleGoesBack(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetMember(space, dataartsfake.Member{UserID: alice, UserName: "alice", Roles: []string{"r00004"}})
		r, card := w.asks("U0REQ", "role @alice on warehouse/"+space+" as developer for 1s")
		w.clicks("U0LEAD", card, "approve")
		parent, _ := w.becomes(r.Number, workflow.Done)
		w.becomes(parent.Child, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, alice); got != "r00004" {
			t.Errorf("alice is %q after her time, want r00004 again", got)
		}
	})
}

func TestResult_FailedSaysTheVendorsCode(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name, typed string
			spoil       func()
			want        []string
		}{
			{
				"RetCode", "invite 50002 to gpu-lab/1001", func() {
					w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.RetCode, RetCode: 226606, Message: "not verified"})
				}, []string{"RetCode 226606", "not verified", "real-name"},
			},
			{
				"ErrorMap", "invite 50006 to gpu-lab/1001", func() {
					w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.ErrorMap, RetCode: 16777, Message: "no such person"})
				}, []string{"16777", "no such person"},
			},
			{
				"status and code", "add @alice to warehouse/" + space + " as viewer", func() {
					w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.Status, Status: 400, Code: "DAYU.4402", Message: "parameter wrong"})
				}, []string{"DAYU.4402", "parameter wrong"},
			},
			{
				"is_success false", "add @bob to warehouse/" + space + " as viewer", func() {
					w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.IsSuccessFalse, Message: "quota of members exceeded"})
				}, []string{"quota of members exceeded"},
			},
		} {
			t.Run(c.name, func(t *testing.T) {
				c.spoil()
				before := len(w.calls())
				r, card := w.asks("U0REQ", c.typed)
				w.clicks("U0LEAD", card, "approve")
				_, card = w.becomes(r.Number, workflow.Failed)
				w.settled(r.Number)
				thread := w.threadOf(card, "failed")
				dm := w.directly("U0REQ", "Your request #"+r.Number.String()+": ")
				for _, want := range c.want {
					for where, text := range map[string]string{"card": slackfake.Text(card), "thread": thread, "direct message": dm} {
						if !strings.Contains(text, want) {
							t.Errorf("the %s reads %q, want %q in it", where, text, want)
						}
					}
				}
				wantDecided(t, card)
				if got := actionIDs(card); !slices.Contains(got, "retry") {
					t.Fatalf("buttons %v, want retry among them", got)
				}
				click := slackfake.ClickInput{User: "U0ALICE", Channel: card.Channel, TS: card.TS, ActionID: "retry"}
				w.refused(click, r.Number, "您不是此申请的审批人")
				click.User = "U0REQ"
				w.refused(click, r.Number, "somebody else must decide")
				w.clicks("U0BOB", card, "retry")
				_, card = w.becomes(r.Number, workflow.Done)
				w.settled(r.Number)
				if got := len(w.calls()) - before; got != 2 {
					t.Errorf("%d calls, want the failed one and its retry", got)
				}
				wantDecided(t, card)
				w.threadOf(card, "done")
			})
		}
	})
}

func TestResult_AlreadySoMakesNoCall(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetMember(space, dataartsfake.Member{UserID: alice, UserName: "alice", Roles: []string{"r00004"}})
		for _, typed := range []string{
			"invite 50003 to gpu-lab/1001", "add @alice to warehouse/" + space + " as viewer",
			"role @alice on warehouse/" + space + " as viewer", "remove @bob from warehouse/" + space,
		} {
			r, card := w.asks("U0REQ", typed)
			w.clicks("U0LEAD", card, "approve")
			w.becomes(r.Number, workflow.Done)
			if got := w.threadOf(card, "already"); !strings.Contains(got, "done") {
				t.Errorf("%s: the thread reads %q, want done and already", typed, got)
			}
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
	})
}

func TestResult_UnclearIsLookedUp(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Cut, After: true})
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		w.threadOf(card, "reading the membership shows the change")
		w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Cut})
		lost, card := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "approve")
		_, card = w.becomes(lost.Number, workflow.Unknown)
		wantDecided(t, card)
		w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 50006, Status: compsharefake.Pending})
		w.becomes(lost.Number, workflow.Done)
		if got := w.calls(); len(got) != 2 {
			t.Errorf("calls %v, want one each", got)
		}
	})
}

func TestResult_UnclearIsHandedToAPerson(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		ask := func(company string) (workflow.Number, slackfake.Message) {
			w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Cut})
			r, card := w.asks("U0REQ", "invite "+company+" to gpu-lab/1001")
			w.clicks("U0LEAD", card, "approve")
			w.eventually("unknown", func() bool { return w.request(r.Number).State == workflow.Unknown })
			// Somebody has changed it meanwhile: neither as wanted nor as it was.
			var n uint32 = 50006
			if company == "50002" {
				n = 50002
			}
			w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: n, Status: compsharefake.Rejected})
			w.eventually("a person is asked", func() bool { return w.request(r.Number).Asked() })
			_, card = w.becomes(r.Number, workflow.Unknown)
			w.threadOf(card, "unknown")
			w.directly("U0REQ", "unknown")
			return r.Number, card
		}
		n, card := ask("50002")
		got := actionIDs(card)
		if !slices.Contains(got, "retry") || slices.Contains(got, "approve") {
			t.Errorf("buttons %v, want ways to settle it", got)
		}
		w.refused(slackfake.ClickInput{User: "U0REQ", Channel: card.Channel, TS: card.TS, ActionID: "retry"}, n, "somebody else")
		w.clicks("U0LEAD", card, "mark_done")
		w.becomes(n, workflow.Done)
		w.threadOf(card, "<@U0LEAD> says that it was applied")

		n, card = ask("50006")
		w.clicks("U0BOB", card, "mark_not")
		_, card = w.becomes(n, workflow.Failed)
		w.threadOf(card, "<@U0BOB> says that it was not applied")
		w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 50006}) // as it was approved
		w.clicks("U0LEAD", card, "retry")
		w.becomes(n, workflow.Done)
	})
}

func TestResult_DriftVoidsTheApprovals(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetMember(space, dataartsfake.Member{UserID: alice, UserName: "alice", Roles: []string{"r00002"}})
		r, card := w.asks("U0REQ", "role @alice on warehouse/"+space+" as viewer")
		w.settled(r.Number)
		before := w.request(r.Number)
		if !before.Plan.Read() {
			t.Fatalf("plan %+v, want one that was read", before.Plan)
		}
		w.DataArts.SetMember(space, dataartsfake.Member{UserID: alice, UserName: "alice", Roles: []string{"r00003"}})
		w.clicks("U0LEAD", card, "approve")
		w.eventually("the approval is void", func() bool { return len(w.request(r.Number).Voided) == 1 })
		_, card = w.becomes(r.Number, workflow.Pending)
		if got := actionIDs(card); !slices.Contains(got, "approve") {
			t.Errorf("buttons %v, want approve among them again", got)
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none on a membership that nobody signed", got)
		}
		w.settled(r.Number)
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		if got := w.member(dataartsfake.TypeUser, alice); got != "r00004" {
			t.Errorf("alice is %q, want r00004", got)
		}
	})
}

func TestResult_ThrottledReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.ListWorkspaceusers, Kind: dataartsfake.Status, Status: 429})
		r, card := w.asks("U0REQ", "add @alice to warehouse/"+space+" as viewer")
		w.clicks("U0LEAD", card, "approve") // acknowledged in Slack's time, else this fails
		w.becomes(r.Number, workflow.Done)
	})
}

func TestLocale_ViewerReadsTheirOwn(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		n := numberIn(w.types("U0ALICE", "invite 50002 to gpu-lab/1001"))
		_, card := w.carded(n)
		w.clicks("U0LEAD", card, "approve")
		w.becomes(n, workflow.Done)
		w.directly("U0ALICE", "批准了您的申请 #"+n.String())
		w.directly("U0ALICE", "已完成")
		for typed, want := range map[string]string{
			"help": "申请成员变更", "invite x to gpu-lab/1001": "公司 ID", "mine": "您的申请", "show 77": "没有编号",
			"invite 50006 to gpu-lab/1001": "已登记",
		} {
			if got := w.types("U0ALICE", typed); !strings.Contains(got, want) {
				t.Errorf("alice types %q: %q, want %q in it", typed, got, want)
			}
			if got := w.types("U0REQ", typed); strings.Contains(got, want) {
				t.Errorf("rita types %q: %q, which is Chinese", typed, got)
			}
		}
	})
}

func TestLocale_CardsAreInTheConfiguredOne(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Locale: "zh"}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 because 训练")
		if text := slackfake.Text(card); !strings.Contains(text, "申请人") || !strings.Contains(text, "pending 待审批") {
			t.Errorf("the card reads\n%s\nwant Chinese with the state's word", text)
		}
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		if got := w.threadOf(card, "done"); !strings.Contains(got, "已完成") {
			t.Errorf("the thread reads %q", got)
		}
		w.directly("U0REQ", "done: the provider has confirmed")
	})
}

func TestRedelivery_OneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	w.Slack.Duplicate(1)
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.Slack.RedeliverNext()
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
	w.settled(r.Number)
	if got := w.stored(); got != 1 {
		t.Errorf("%d requests stored, want 1", got)
	}
	if got := w.calls(); len(got) != 1 {
		t.Errorf("calls %v, want one", got)
	}
	b, err := json.Marshal(w.Slack.Acks())
	if err != nil || strings.Contains(string(b), "operation_timeout") {
		t.Errorf("acknowledgements %s, %v", b, err)
	}
}
