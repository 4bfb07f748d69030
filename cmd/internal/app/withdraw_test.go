package app_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// answer is the private answer to a command that was typed last.
func (w *world) answer(user string) slackfake.Message {
	w.t.Helper()
	all := w.Slack.Ephemerals(user)
	if len(all) == 0 {
		w.t.Fatalf("%s was not answered", user)
	}
	return all[len(all)-1]
}

// again is a message as it is now.
func (w *world) again(m slackfake.Message) slackfake.Message {
	w.t.Helper()
	now, ok := w.Slack.Message(m.Channel, m.TS)
	if !ok {
		w.t.Fatalf("message %s is gone", m.TS)
	}
	return now
}

// withdrawals are the requests that a message has a button to withdraw.
func withdrawals(m slackfake.Message) (numbers []string) {
	for _, b := range slackfake.Buttons(m) {
		if b.ActionID == "withdraw" {
			numbers = append(numbers, b.Value)
		}
	}
	return numbers
}

func TestWithdraw_FromThePrivateAnswer(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, _ := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		m, n := w.answer("U0REQ"), r.Number.String()
		if got := withdrawals(m); !slices.Equal(got, []string{n}) {
			t.Fatalf("buttons for %v, want one for %s", got, n)
		}
		for _, b := range m.Blocks {
			block := b.(map[string]any)
			if id, _ := block["block_id"].(string); block["accessory"] != nil && !strings.HasPrefix(id, "request:"+n+":") {
				t.Errorf("block_id %q, want it to begin request:%s:", id, n)
			}
		}
		other := slackfake.ClickInput{User: "U0LEAD", Channel: m.Channel, TS: m.TS, ActionID: "withdraw", Stale: true}
		w.refused(other, r.Number, "Only the person who asked")
		mine := slackfake.ClickInput{User: "U0REQ", Channel: m.Channel, TS: m.TS, ActionID: "withdraw"}
		for _, forged := range []map[string]any{{"value": n + " "}, {"value": "4242"}, {"block_id": "request:4242:made:1+1"}} {
			action := map[string]any{"type": "button", "action_id": "withdraw", "value": n, "block_id": "request:" + n + ":made:" + n + "+1"}
			maps.Copy(action, forged)
			in := mine
			in.Patch = map[string]any{"actions": []any{action}}
			w.answered(in)
			if got := w.request(r.Number).State; got != workflow.Pending {
				t.Fatalf("%v: state %s", forged, got)
			}
		}
		w.presses(mine)
		_, card := w.becomes(r.Number, workflow.Withdrawn)
		wantDecided(t, card)
		w.eventually("the answer repaired", func() bool { return len(withdrawals(w.again(m))) == 0 })
		if got := slackfake.Text(w.again(m)); !strings.Contains(got, "#"+n+" is *withdrawn*") {
			t.Errorf("the answer now reads %q", got)
		}
		mine.Stale = true
		w.refused(mine, r.Number, "no longer")
	})
}

func TestWithdraw_OneOfSeveral(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.asks("U0BOB", "invite 50006 to gpu-lab/1001")
		w.types("U0REQ", "invite 50002,50003,50004 to gpu-lab/1001")
		m := w.answer("U0REQ")
		if got := withdrawals(m); !slices.Equal(got, []string{"2", "3", "4"}) {
			t.Fatalf("buttons for %v, want 2 3 4", got)
		}
		_, denied := w.carded(4)
		w.clicks("U0LEAD", denied, "deny")
		form, _ := w.Slack.View("U0LEAD")
		block, action := theInput(t, form)
		w.submits("U0LEAD", block, action, "no")
		w.becomes(4, workflow.Denied)

		// What a block_id says of other people's requests shows nothing of them.
		spy := slackfake.ClickInput{User: "U0REQ", Channel: m.Channel, TS: m.TS, ActionID: "withdraw", BlockID: "request:4:made:2+3"}
		spy.Patch = map[string]any{"actions": []any{map[string]any{"type": "button", "action_id": "withdraw", "value": "4", "block_id": "request:4:made:1+4"}}}
		w.refused(spy, 4, "no longer")
		if got := slackfake.Text(w.again(m)); strings.Contains(got, "50006") || strings.Contains(got, "denied") {
			t.Errorf("the answer now reads %q", got)
		}

		w.presses(slackfake.ClickInput{User: "U0REQ", Channel: m.Channel, TS: m.TS, ActionID: "withdraw", BlockID: "request:3:made:2+3"})
		w.becomes(3, workflow.Withdrawn)
		w.eventually("the answer repaired", func() bool { return slices.Equal(withdrawals(w.again(m)), []string{"2"}) })
		text := slackfake.Text(w.again(m))
		for _, want := range []string{"#3 is *withdrawn*", "#4 is *denied*", "• #2: Invite"} {
			if !strings.Contains(text, want) {
				t.Errorf("the answer reads %q, want %q in it", text, want)
			}
		}
		if got := w.request(2).State; got != workflow.Pending {
			t.Errorf("request 2 is %s", got)
		}
	})
}

func TestWithdraw_TooManyForButtons(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for n, want := range map[string]int{"50020,50021,50022,50023,50024,50025,50026,50027,50028,50029": 10, "50030,50031,50032,50033,50034,50035,50036,50037,50038,50039,50040": 0} {
			w.types("U0REQ", "invite "+n+" to gpu-lab/1001")
			if got := withdrawals(w.answer("U0REQ")); len(got) != want {
				t.Errorf("%d buttons for %s, want %d", len(got), n, want)
			}
		}
	})
}

func TestWithdraw_FromADirectMessage(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: twoPlaces}, func(t *testing.T, w *world) {
		find := func(want string) slackfake.Message {
			t.Helper()
			w.directly("U0REQ", want)
			for _, m := range w.Slack.DM("U0REQ") {
				if strings.Contains(slackfake.Text(m), want) {
					return m
				}
			}
			t.Fatal("gone")
			return slackfake.Message{}
		}
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "approve")
		m := find("approved your request #" + r.Number.String())
		if got := withdrawals(m); !slices.Equal(got, []string{r.Number.String()}) {
			t.Fatalf("buttons for %v, want one", got)
		}
		w.presses(slackfake.ClickInput{User: "U0REQ", Channel: m.Channel, TS: m.TS, ActionID: "withdraw"})
		w.becomes(r.Number, workflow.Withdrawn)
		w.eventually("the message repaired", func() bool {
			now := w.again(m)
			return len(withdrawals(now)) == 0 && strings.Contains(slackfake.Text(now), "is *withdrawn*")
		})
		if got := slackfake.Text(w.again(m)); !strings.Contains(got, "<@U0LEAD> approved your request #"+r.Number.String()+": Invite <@U0ALICE> (50002)") ||
			!strings.Contains(got, "1 of 2 approvals are in") {
			t.Errorf("the message now reads %q, want what it said before kept", got)
		}

		r, card = w.asks("U0REQ", "invite 50004 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "approve")
		m = find("approved your request #" + r.Number.String())
		w.clicks("U0BOB", card, "approve")
		w.becomes(r.Number, workflow.Done)
		w.refused(slackfake.ClickInput{User: "U0REQ", Channel: m.Channel, TS: m.TS, ActionID: "withdraw"}, r.Number, "no longer")
		w.eventually("the stale message repaired", func() bool {
			now := w.again(m)
			return len(withdrawals(now)) == 0 && strings.Contains(slackfake.Text(now), "is *done*")
		})
		for _, m := range w.Slack.DM("U0REQ") {
			if strings.Contains(slackfake.Text(m), "is being carried out") && len(withdrawals(m)) > 0 {
				t.Error("a button to withdraw what is being carried out")
			}
		}
	})
}

func TestWithdraw_FromTheForm(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: fill(
			"system", "gpu-lab", "group", "1001", "action", "invite", "who", "50002")}); err != nil {
			t.Fatal(err)
		}
		v, _ = w.Slack.View("U0REQ")
		n := numberIn(strings.Join(slackfake.BlockTexts(v.Blocks), " "))
		w.presses(slackfake.ClickInput{User: "U0REQ", ViewID: v.ID, ActionID: "withdraw"})
		w.becomes(n, workflow.Withdrawn)
		w.eventually("the form repaired", func() bool {
			v, _ := w.Slack.View("U0REQ")
			return strings.Contains(strings.Join(slackfake.BlockTexts(v.Blocks), " "), "is *withdrawn*")
		})
	})
}
