package app_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// twoPlaces wants two people, so that a request is still pending after the first note.
const twoPlaces = `
  - name: gpu team
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD, U0BOB], count: 2}
    channel: C0APPROVALS
    expires: 24h
`

// notes opens the form that asks for a note and returns it.
func (w *world) notes(user string, card slackfake.Message) slackfake.View {
	w.t.Helper()
	w.clicks(user, card, "approve_note")
	form, ok := w.Slack.View(user)
	if !ok || form.CallbackID != "approve" || form.Type != "modal" {
		w.t.Fatalf("form %+v, want the modal approve", form)
	}
	theInput(w.t, form)
	return form
}

func TestNote_IsKeptWhereverTheDecisionIs(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: twoPlaces}, func(t *testing.T, w *world) {
		const note, shown = "fine until <!channel> Friday & not longer", "fine until &lt;!channel&gt; Friday &amp; not longer"
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 because training")
		if ids := actionIDs(card); !slices.Equal(ids[:2], []string{"approve", "approve_note"}) {
			t.Errorf("buttons %v, want approve_note beside approve", ids)
		}
		form := w.notes("U0LEAD", card)
		block, action := theInput(t, form)
		w.submits("U0LEAD", block, action, "  "+note+"\n")
		if dm := w.directly("U0REQ", "approved your request #"+r.Number.String()); !strings.Contains(dm, shown) {
			t.Errorf("the requester reads %q, want the note in it", dm)
		}
		w.eventually("the note on the card", func() bool {
			m, _ := w.card(r.Number)
			return strings.Contains(slackfake.Text(m), shown)
		})
		card, _ = w.card(r.Number)
		w.clicks("U0BOB", card, "approve")
		_, card = w.becomes(r.Number, workflow.Done)
		lines := strings.Split(slackfake.Text(card), "\n")
		for user, want := range map[string]bool{"U0LEAD": true, "U0BOB": false} {
			i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "approved by <@"+user+">") })
			if i < 0 || strings.Contains(lines[i], shown) != want || !strings.Contains(lines[i], "<!date^") {
				t.Errorf("the card says of %s %q; its note there: want %t, and when", user, lines[max(i, 0)], want)
			}
		}
		wantDecided(t, card)
		if slices.Contains(actionIDs(card), "approve_note") {
			t.Error("approve_note is left on a decided card")
		}
		if got := w.types("U0REQ", "show "+r.Number.String()); !strings.Contains(got, shown) {
			t.Errorf("show says %q, want the note", got)
		}
		if got := w.trail(workflow.Approve); len(got) != 2 || got[0].Detail != note || got[0].By.User != "U0LEAD" || got[1].Detail != "" {
			t.Errorf("audit entries %+v, want the note in the first", got)
		}
		var said map[string]any
		w.asksSocket("/requests/"+r.Number.String(), &said)
		if decisions, _ := json.Marshal(said["decisions"]); strings.Count(string(decisions), `"reason":"fine until`) != 1 {
			t.Errorf("operators read %s, want the note as the first one's reason", decisions)
		}
	})
}

func TestNote_FormIsJudgedAsAClick(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: twoPlaces}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.refused(slackfake.ClickInput{User: "U0REQ", Channel: card.Channel, TS: card.TS, ActionID: "approve_note"}, r.Number, "somebody else")
		w.refused(slackfake.ClickInput{User: "U0ALICE", Channel: card.Channel, TS: card.TS, ActionID: "approve_note"}, r.Number, "不是此申请的审批人")
		w.refused(slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, MessageTS: "1.000001", ActionID: "approve_note"}, r.Number, "own card")

		form := w.notes("U0LEAD", card)
		block, action := theInput(t, form)
		submit := func(what, note, want string, patch map[string]any) {
			t.Helper()
			before := w.request(r.Number)
			if _, open := w.Slack.View("U0LEAD"); !open {
				w.notes("U0LEAD", card)
			}
			ack, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{
				User: "U0LEAD", Force: true, Values: map[string]map[string]any{block: {action: note}}, Patch: patch,
			})
			if err != nil || !ack.OK() {
				t.Fatalf("%s: %v %s", what, err, ack.Err)
			}
			form, open := w.Slack.View("U0LEAD")
			if got := form.Errors[block]; !open || !strings.Contains(got, want) || numberIn(got) != 0 {
				t.Errorf("%s: form open %t with %q at its field, want %q", what, open, got, want)
			}
			if after := w.request(r.Number); after.State != before.State || len(after.Decisions) != len(before.Decisions) {
				t.Fatalf("%s: state %s with %d decisions, want %s with %d", what, after.State, len(after.Decisions), before.State, len(before.Decisions))
			}
		}
		by := func(user, team string) map[string]any {
			return map[string]any{"user": map[string]any{"id": user, "team_id": team}}
		}
		forged := func(meta string) map[string]any {
			return map[string]any{"view": map[string]any{"private_metadata": meta}}
		}
		submit("no note", " \n ", "Write the note", nil)
		submit("the requester's hand", "ok", "somebody else", by("U0REQ", "T0HOME"))
		submit("somebody who is no approver", "ok", "不是此申请的审批人", by("U0ALICE", "T0HOME"))
		submit("a guest", "ok", "Guests cannot", by("U0GUEST", "T0HOME"))
		submit("another workspace", "ok", "another workspace", by("U0LEAD", "T0OTHER"))
		submit("no such request", "ok", "no request", forged("4242"))
		submit("metadata that is no number", "ok", "no request number", forged(`{"request":`+r.Number.String()+`}`))
		submit("metadata that is none", "ok", "no request number", forged(""))

		w.submits("U0LEAD", block, action, "first")
		w.eventually("one decision", func() bool { return len(w.request(r.Number).Decisions) == 1 })
		w.refused(slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve_note", Stale: true}, r.Number, "approved this already")

		// The same form once more, and the form of somebody who was overtaken.
		w.notes("U0BOB", card)
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{
			User: "U0BOB", Values: map[string]map[string]any{block: {action: "again"}}, Patch: by("U0LEAD", "T0HOME"),
		}); err != nil {
			t.Fatal(err)
		}
		if v, _ := w.Slack.View("U0BOB"); !strings.Contains(v.Errors[block], "approved this already") {
			t.Errorf("a form submitted twice: %v", v.Errors)
		}
		if answer := w.types("U0REQ", "withdraw "+r.Number.String()); !strings.Contains(answer, "withdrawn") {
			t.Fatal(answer)
		}
		w.submits("U0BOB", block, action, "too late")
		if v, _ := w.Slack.View("U0BOB"); !strings.Contains(v.Errors[block], "withdrawn") {
			t.Errorf("a form submitted too late: %v, want the present state", v.Errors)
		}
		if got := w.request(r.Number); len(got.Decisions) != 1 || got.State != workflow.Withdrawn {
			t.Errorf("state %s with %d decisions", got.State, len(got.Decisions))
		}
		w.becomes(r.Number, workflow.Withdrawn)
		w.refused(slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve_note", Stale: true}, r.Number, "不能这样操作")
	})
}

func TestNote_FromHome(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, _ := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		if _, err := w.Slack.OpenHome(t.Context(), "U0LEAD"); err != nil {
			t.Fatal(err)
		}
		w.eventually("a home with the request", func() bool {
			v, _ := w.Slack.Home("U0LEAD")
			return strings.Contains(strings.Join(slackfake.BlockTexts(v.Blocks), "\n"), "#"+r.Number.String())
		})
		v, _ := w.Slack.Home("U0LEAD")
		w.presses(slackfake.ClickInput{User: "U0LEAD", ViewID: v.ID, ActionID: "approve_note"})
		form, ok := w.Slack.View("U0LEAD")
		if !ok {
			t.Fatal("no form")
		}
		block, action := theInput(t, form)
		w.submits("U0LEAD", block, action, "from my Home")
		_, card := w.becomes(r.Number, workflow.Done)
		if !strings.Contains(slackfake.Text(card), "from my Home") {
			t.Errorf("the card reads\n%s\nwant the note", slackfake.Text(card))
		}
	})
}

func TestCard_SaysWhoIsMissingAndWhy(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "add 4f254367fa4768d7da5ef9c81f9f2c1e to warehouse/"+rig.Workspace+" as admin")
		says := func(want string) {
			t.Helper()
			w.eventually(want, func() bool {
				m, _ := w.card(r.Number)
				return strings.Contains(slackfake.Text(m), want)
			})
		}
		says("0 of 2 approvals · <@U0LEAD> (entry 1); one of <@U0BOB>, <!subteam^S0GPU> (entry 2) still needed (rule “workspace admins”)")
		w.clicks("U0LEAD", card, "approve")
		says("1 of 2 approvals · one of <@U0BOB>, <!subteam^S0GPU> (entry 2) still needed (rule “workspace admins”)")
		_, card = w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		if want := "0 of 1 approvals · one of <@U0LEAD>, <@U0BOB> still needed (rule “gpu team”)"; !strings.Contains(slackfake.Text(card), want) {
			t.Errorf("the card reads\n%s\nwant %s", slackfake.Text(card), want)
		}
	})
}

// A card whose edit Slack did not take is put right by the first click on what no longer works.
func TestCard_StaleClickRepairsIt(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.eventually("nothing to show", func() bool { return w.request(r.Number).Card.Seq == w.request(r.Number).Seq })
		w.Slack.Fault(slackfake.Fault{Method: "chat.update", Kind: slackfake.ErrorCode, Code: "edit_window_closed", Count: -1})
		w.types("U0REQ", "withdraw "+r.Number.String())
		w.eventually("the edit is given up", func() bool { return len(w.request(r.Number).Effects) == 0 })
		w.Slack.ClearFaults()
		if m, _ := w.card(r.Number); !slices.Contains(actionIDs(m), "approve") {
			t.Fatal("the card has lost its buttons, so this test shows nothing")
		}
		w.refused(slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}, r.Number, "no longer")
		_, card = w.becomes(r.Number, workflow.Withdrawn)
		wantDecided(t, card)
	})
}
