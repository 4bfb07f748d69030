package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// fill is what a person puts into the form: each input's block_id is its action_id. Of who there may be several.
func fill(pairs ...string) map[string]map[string]any {
	values := map[string]map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = map[string]any{pairs[i]: pairs[i+1]}
		if pairs[i] == "who" {
			values["who"] = map[string]any{"who": strings.Fields(pairs[i+1])}
		}
	}
	return values
}

// opens types the bare command and returns the form.
func (w *world) opens(user string) slackfake.View {
	w.t.Helper()
	ack, err := w.Slack.Slash(w.t.Context(), slackfake.SlashInput{User: user, Channel: "C0GENERAL", Command: "/access"})
	if err != nil || !ack.OK() {
		w.t.Fatalf("/access: %v %s", err, ack.Err)
	}
	v, ok := w.Slack.View(user)
	if !ok {
		w.t.Fatalf("/access opened no form; it said %q", ack.Text)
	}
	return v
}

func TestForm_MakesTheSameRequestAsTheCommand(t *testing.T) {
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		typed, _ := w.asks("U0REQ", "add "+dataartsfake.UserCarol+" to warehouse/"+rig.Workspace+" as developer for 7d because on call")
		v := w.opens("U0REQ")
		if v.CallbackID != "request" {
			t.Fatalf("callback_id %q, want request", v.CallbackID)
		}
		ack, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: fill(
			"system", "warehouse", "group", rig.Workspace, "action", "add", "who", dataartsfake.UserCarol,
			"role", "developer", "for", "7d", "because", "on call")})
		if err != nil || !ack.OK() {
			t.Fatalf("submit: %v %s", err, ack.Err)
		}
		done, _ := w.Slack.View("U0REQ")
		said := strings.Join(slackfake.BlockTexts(done.Blocks), " ")
		r := w.request(numberIn(said))
		if got, want := fmt.Sprint(r.Change, r.Reason), fmt.Sprint(typed.Change, typed.Reason); got != want {
			t.Errorf("the form asked for %s, the command for %s", got, want)
		}
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID}); err == nil {
			t.Log("the emulator let a closed form be submitted again")
		}
		if _, err := w.app.Engine().Load(t.Context(), r.Number+1); err == nil {
			t.Error("the form made a second request")
		}
	})
}

func TestForm_ShowsAMistakeAtItsField(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			field  string
			values []string
		}{
			{"who", []string{"system", "gpu-lab", "group", "1001", "action", "invite", "who", "abc"}},
			{"who", []string{"system", "gpu-lab", "group", "1001", "action", "invite", "who", "50002,,50003"}},
			{"group", []string{"system", "gpu-lab", "group", "none", "action", "invite", "who", "50002"}},
			{"role", []string{"system", "warehouse", "group", rig.Workspace, "action", "add", "who", dataartsfake.UserCarol, "role", "king"}},
			{"for", []string{"system", "warehouse", "group", rig.Workspace, "action", "add", "who", dataartsfake.UserCarol, "role", "viewer", "for", "soon"}},
			{"for", []string{"system", "warehouse", "group", rig.Workspace, "action", "add", "who", dataartsfake.UserCarol, "role", "viewer", "for", "90d"}},
		} {
			v := w.opens("U0REQ")
			ack, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: fill(c.values...)})
			if err != nil || !ack.OK() {
				t.Fatalf("%v: %v %s", c.values, err, ack.Err)
			}
			now, _ := w.Slack.View("U0REQ")
			if now.Errors[c.field] == "" {
				t.Errorf("%v: errors %v, want one at %s", c.values, now.Errors, c.field)
			}
			if _, err := w.Slack.CloseView(t.Context(), "U0REQ", v.ID, true); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.app.Engine().Load(t.Context(), 1); err == nil {
			t.Error("a refused form has stored a request")
		}
	})
}

// The global shortcut opens the same form, which asks for the same.
func TestForm_OpensByTheShortcut(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		ack, err := w.Slack.Shortcut(t.Context(), "request", "U0REQ")
		if err != nil || !ack.OK() {
			t.Fatalf("the shortcut: %v %s", err, ack.Err)
		}
		w.eventually("a form", func() bool { _, ok := w.Slack.View("U0REQ"); return ok })
		v, _ := w.Slack.View("U0REQ")
		if v.CallbackID != "request" {
			t.Errorf("callback_id %q, want request", v.CallbackID)
		}
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: fill(
			"system", "gpu-lab", "group", "1001", "action", "invite", "who", "50002", "because", "training")}); err != nil {
			t.Fatal(err)
		}
		r, _ := w.carded(1)
		if got := r.Change; got.Action != workflow.Invite || got.Group != "1001" || got.Subject.ID != "50002" || r.Reason != "training" {
			t.Errorf("the request is %+v because %q", got, r.Reason)
		}
	})
}

func TestForm_FollowsTheChosenAction(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		inputs := func(v slackfake.View) []string {
			var ids []string
			for _, b := range v.Blocks {
				ids = append(ids, b.(map[string]any)["block_id"].(string))
			}
			return ids
		}
		if got := inputs(v); !slices.Equal(got, []string{"system", "group", "action", "who", "role", "for", "because"}) {
			t.Errorf("inputs %v", got)
		}
		for _, choice := range []struct{ field, value string }{{"system", "gpu-lab"}, {"action", "accept"}} {
			if _, err := w.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0REQ", ViewID: v.ID, ActionID: choice.field, BlockID: choice.field, Value: choice.value}); err != nil {
				t.Fatal(err)
			}
		}
		w.eventually("the form without who, role and for", func() bool {
			v, _ := w.Slack.View("U0REQ")
			return slices.Equal(inputs(v), []string{"system", "group", "action", "because"})
		})
	})
}

func TestHome_DecidesAndFollows(t *testing.T) {
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 because training")
		for _, user := range []string{"U0LEAD", "U0REQ", "U0GUEST"} {
			if _, err := w.Slack.OpenHome(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		}
		home := func(user, want string) func() bool {
			return func() bool {
				v, _ := w.Slack.Home(user)
				return strings.Contains(strings.Join(slackfake.BlockTexts(v.Blocks), "\n"), want)
			}
		}
		w.eventually("the guest is told why not", home("U0GUEST", "Guests cannot"))
		w.eventually("the requester's own request", home("U0REQ", "#"+r.Number.String()))
		w.eventually("what waits for the approver", home("U0LEAD", "#"+r.Number.String()))
		v, _ := w.Slack.Home("U0LEAD")
		if _, err := w.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", ViewID: v.ID, ActionID: "approve"}); err != nil {
			t.Fatal(err)
		}
		w.becomes(r.Number, workflow.Done)
		w.threadOf(card, "done")
		w.eventually("nothing waits any more", home("U0LEAD", "Nothing waits for you"))
		w.eventually("the requester sees it done", home("U0REQ", "done"))
	})
}

func TestHome_Withdraws(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, _ := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		if _, err := w.Slack.OpenHome(t.Context(), "U0REQ"); err != nil {
			t.Fatal(err)
		}
		w.eventually("a home", func() bool { _, ok := w.Slack.Home("U0REQ"); return ok })
		v, _ := w.Slack.Home("U0REQ")
		if _, err := w.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0REQ", ViewID: v.ID, ActionID: "withdraw"}); err != nil {
			t.Fatal(err)
		}
		w.becomes(r.Number, workflow.Withdrawn)
	})
}

func TestForm_SuggestsGroupsLive(t *testing.T) {
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		if _, err := w.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0REQ", ViewID: v.ID, ActionID: "system", BlockID: "system", Value: "gpu-lab"}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ typed, want string }{{"research", "1001"}, {"9999", "9999"}, {strings.Repeat("x", 1000), "[]"}} {
			w.eventually(fmt.Sprintf("%.20q offers %s", c.typed, c.want), func() bool { // a cloud that is slow is not waited for
				ack, err := w.Slack.Suggest(t.Context(), slackfake.SuggestInput{User: "U0REQ", ViewID: v.ID, ActionID: "group", BlockID: "group", Value: c.typed})
				if err != nil || !ack.OK() {
					t.Fatalf("suggest %.20q: %v %s", c.typed, err, ack.Err)
				}
				return strings.Contains(fmt.Sprint(ack.Payload["options"]), c.want)
			})
		}
	})
}
