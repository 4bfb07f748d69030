package app_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// inBothModesAt is inBothModes with a clock that can be pushed forward; the emulators of Slack and CompShare share it.
func inBothModesAt(t *testing.T, o rig.Options, f func(t *testing.T, w *world, clock *pushed)) {
	t.Helper()
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			o, clock := o, &pushed{}
			o.Mode, o.Now = mode, clock.now
			w := newRig(t, o)
			w.startWith(app.Options{Now: clock.now})
			f(t, w, clock)
		})
	}
}

// turns are what may become of somebody who was a full member a moment ago, or where the payload says that they come
// from, with words of the sentence that they then read.
var turns = []struct {
	name string
	to   func(*slackfake.User)
	from map[string]any // laid over the payload of a click, a form or a shortcut
	team string         // of a slash command
	want string
}{
	{"guest", func(u *slackfake.User) { u.IsRestricted = true }, nil, "", "Guests cannot ask or decide"},
	{"guest of one channel", func(u *slackfake.User) { u.IsRestricted, u.IsUltraRestricted = true, true }, nil, "", "Guests of a single channel cannot"},
	{"bot", func(u *slackfake.User) { u.IsBot = true }, nil, "", "Bots cannot ask or decide"},
	{"workflow bot", func(u *slackfake.User) { u.IsWorkflowBot = true }, nil, "", "Bots cannot ask or decide"},
	{"deactivated", func(u *slackfake.User) { u.Deleted = true }, nil, "", "account is deactivated"},
	{"stranger", func(u *slackfake.User) { u.IsStranger = true }, nil, "", "only through a channel shared with another workspace"},
	// Of a click in a shared channel team.id is ours and user.team_id theirs; of a form team.id and view.team_id are theirs
	// too, and only view.app_installed_team_id is ours.
	{
		"Slack Connect, as clicks tell", func(*slackfake.User) {},
		map[string]any{"team": map[string]any{"id": "T0HOME"}, "user": map[string]any{"team_id": "T0OTHER"}},
		"T0OTHER",
		"You are a member of another workspace",
	},
	{
		"Slack Connect, as forms tell", func(*slackfake.User) {},
		map[string]any{
			"team": map[string]any{"id": "T0OTHER"}, "user": map[string]any{"team_id": "T0OTHER"},
			"view": map[string]any{"team_id": "T0OTHER", "app_installed_team_id": "T0HOME"},
		},
		"T0OTHER",
		"You are a member of another workspace",
	},
	{
		"no workspace told", func(*slackfake.User) {},
		map[string]any{"user": map[string]any{"team_id": ""}},
		"",
		"Slack did not say who you are",
	},
}

func TestWho_NeverAsksNorDecides(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: `
  - {name: teams, systems: [gpu-lab], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0TEMP]}]}
`}, func(t *testing.T, w *world, clock *pushed) {
		temp := slackfake.User{ID: "U0TEMP", Team: "T0HOME", Name: "temp", RealName: "Tim Temp", Locale: "en-US"}
		w.Slack.SetUser(temp)
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		own, _ := w.asks("U0TEMP", "invite 50006 to gpu-lab/1001")
		made := w.stored()
		button := slackfake.ClickInput{User: "U0TEMP", Channel: card.Channel, TS: card.TS}
		form := fill("system", "gpu-lab", "group", "1001", "action", "invite", "who", "50007")
		for _, c := range turns {
			changed := temp
			c.to(&changed)
			become := func(u slackfake.User) {
				w.Slack.SetUser(u)
				clock.push(2 * time.Minute) // what Slack said of them a minute ago is forgotten
			}
			// While they are a full member they open what they send later.
			asking := w.opens("U0TEMP")
			become(changed)
			submits := func(id string, values map[string]map[string]any) string {
				in := slackfake.SubmitInput{User: "U0TEMP", ViewID: id, Values: values, Patch: maps.Clone(c.from)}
				ack, err := w.Slack.Submit(t.Context(), in)
				if err != nil || !ack.OK() {
					t.Fatalf("%s submits: %v %s", c.name, err, ack.Err)
				}
				for _, v := range w.Slack.Views("U0TEMP") {
					if v.ID == id {
						return strings.Join(slices.Collect(maps.Values(v.Errors)), " ")
					}
				}
				return ""
			}
			types := func(text string) string {
				if c.name == "no workspace told" { // a slash command always tells it
					return c.want
				}
				return w.slash(slackfake.SlashInput{User: "U0TEMP", Team: c.team, Text: text}).Text
			}
			said := map[string]string{"sends the form": submits(asking.ID, form)}
			become(temp)
			click := button
			click.ActionID = "deny"
			w.presses(click)
			denying, _ := w.Slack.View("U0TEMP")
			if denying.CallbackID != "deny" {
				t.Fatalf("%s: the form is %q", c.name, denying.CallbackID)
			}
			become(changed)
			said["sends the denial"] = submits(denying.ID, fill("reason", "no"))
			presses := func(action string) string {
				click := button
				click.ActionID, click.Patch = action, c.from
				return w.answered(click)
			}
			for _, action := range []string{"approve", "deny", "claim"} {
				said["clicks "+action] = presses(action)
			}
			for _, text := range []string{
				"", "invite 50007 to gpu-lab/1001", "pending", "mine", "groups gpu-lab",
				"withdraw " + own.Number.String(), "extend " + own.Number.String() + " for 7d",
			} {
				said["types "+text] = types(text)
			}
			if c.from == nil { // a shortcut is no click on anything: it is answered directly
				old := len(w.Slack.DM("U0TEMP"))
				lost := func() int { return strings.Count(w.log.String(), "a click could not be answered") } // whom Slack takes no message to
				before := lost()
				if _, err := w.Slack.Shortcut(t.Context(), "request", "U0TEMP"); err != nil {
					t.Fatal(err)
				}
				w.eventually("an answer to the shortcut", func() bool { return len(w.Slack.DM("U0TEMP")) > old || lost() > before })
				if dms := w.Slack.DM("U0TEMP"); len(dms) > old {
					said["uses the shortcut"] = slackfake.Text(dms[len(dms)-1])
				}
			}
			for act, said := range said {
				if !strings.Contains(said, c.want) || numberIn(said) != 0 {
					t.Errorf("%s %s: answered %q, want %q in it and no number", c.name, act, said, c.want)
				}
			}
			if got := w.request(r.Number); got.State != workflow.Pending || len(got.Decisions) > 0 || got.Claim != nil {
				t.Fatalf("%s: the request is %s with %d decisions", c.name, got.State, len(got.Decisions))
			}
			if got := w.request(own.Number).State; got != workflow.Pending {
				t.Fatalf("%s: their own request is %s", c.name, got)
			}
			if n := w.stored(); n != made {
				t.Fatalf("%s: %d requests are stored, want %d", c.name, n, made)
			}
			become(temp)
			if _, err := w.Slack.CloseView(t.Context(), "U0TEMP", "", true); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
		// Where the form's payload names the other side's workspace, but the person is ours, it counts.
		click := button
		click.ActionID = "deny"
		w.presses(click)
		denying, _ := w.Slack.View("U0TEMP")
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{
			User: "U0TEMP", ViewID: denying.ID, Values: fill("reason", "no"),
			Patch: map[string]any{"team": map[string]any{"id": "T0OTHER"}, "view": map[string]any{"team_id": "T0OTHER"}},
		}); err != nil {
			t.Fatal(err)
		}
		w.becomes(r.Number, workflow.Denied)
	})
}
