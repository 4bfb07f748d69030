package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

// timePolicy has requests that are reminded of, and memberships that end.
const timePolicy = `
  - {name: teams, systems: [gpu-lab], requesters: ["*"], channel: C0APPROVALS, expires: 24h, approvers: [{any_of: [U0LEAD]}]}
  - {name: admins, systems: [warehouse], roles: [admin], requesters: ["*"], channel: C0APPROVALS, expires: 30d, remind_every: 4h,
     approvers: [{any_of: [U0LEAD]}, {any_of: [U0BOB, U0REQ]}]}
  - {name: members, systems: [warehouse], requesters: ["*"], channel: C0APPROVALS, expires: 24h, max_duration: 60d, approvers: [{any_of: [U0LEAD, U0BOB]}]}
`

// said counts the messages of a list that contain a text.
func said(ms []slackfake.Message, want string) int {
	n := 0
	for _, m := range ms {
		if strings.Contains(slackfake.Text(m), want) {
			n++
		}
	}
	return n
}

// once waits until a message says something, and wants no second one.
func (w *world) once(what, want string, list func() []slackfake.Message) {
	w.t.Helper()
	w.eventually(what+" with "+want, func() bool { return said(list(), want) > 0 })
	time.Sleep(20 * time.Millisecond)
	if n := said(list(), want); n != 1 {
		w.t.Errorf("%s: %d times %q, want once", what, n, want)
	}
}

func (w *world) dms(user string) func() []slackfake.Message {
	return func() []slackfake.Message { return w.Slack.DM(user) }
}

// granted asks, has it approved by everybody who must, and waits for its end.
func (w *world) granted(typed string) workflow.Request {
	w.t.Helper()
	r, card := w.asks("U0REQ", typed)
	w.clicks("U0LEAD", card, "approve")
	if r.Rule.Needed() > 1 {
		w.clicks("U0BOB", card, "approve")
	}
	r, _ = w.becomes(r.Number, workflow.Done)
	return r
}

// keeps wants a membership to stay as it is for a while, by the wall clock.
func (w *world) keeps(id, want string) {
	w.t.Helper()
	for range 20 {
		if got := w.member(dataartsfake.TypeUser, id); got != want {
			w.t.Fatalf("the membership is %s, want %s still", got, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// awaits waits for a membership.
func (w *world) awaits(id, want string) {
	w.t.Helper()
	w.eventually(id+" is "+want, func() bool { return w.member(dataartsfake.TypeUser, id) == want })
}

func TestTime_PendingExpires(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		clock.push(23 * hour)
		w.clicks("U0LEAD", card, "claim")
		w.shows(r.Number, "is looking at it")
		clock.push(61 * time.Minute)
		_, card = w.becomes(r.Number, workflow.Expired)
		wantDecided(t, card)
		w.once("word to the requester", "in time, it has expired", w.dms("U0REQ"))
		w.refused(slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve", Stale: true}, r.Number, "can no longer be done")

		// While the process is down nothing can be told; at the next start it is, once.
		down, card := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.settled(down.Number)
		w.stop()
		clock.push(25 * hour)
		w.startWith(app.Options{Now: clock.now})
		_, card = w.becomes(down.Number, workflow.Expired)
		wantDecided(t, card)
		w.once("word to the requester", "#"+down.Number.String()+" in time", w.dms("U0REQ"))
		w.stop()
		w.startWith(app.Options{Now: clock.now})
		w.once("word to the requester, after another start", "#"+down.Number.String()+" in time", w.dms("U0REQ"))
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
	})
}

func TestTime_RemindersNameWhoIsMissing(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r, card := w.asks("U0ALICE", "add "+alice+" to warehouse/"+space+" as admin")
		reminders := func() []string {
			var all []string
			for _, m := range w.Slack.Thread(card.Channel, card.TS) {
				if text := slackfake.Text(m); strings.Contains(text, "Still waiting") {
					all = append(all, text)
				}
			}
			return all
		}
		next := func(n int) string {
			t.Helper()
			clock.push(4*hour + time.Minute)
			w.eventually("one more reminder", func() bool { return len(reminders()) == n })
			return reminders()[n-1]
		}
		if got := next(1); !strings.Contains(got, "<@U0LEAD>") || !strings.Contains(got, "<@U0BOB>") {
			t.Errorf("the first reminder is %q, want both entries in it", got)
		}
		w.clicks("U0LEAD", card, "approve")
		w.shows(r.Number, "1 of 2 approvals")
		if got := next(2); strings.Contains(got, "<@U0LEAD>") || !strings.Contains(got, "<@U0BOB>") {
			t.Errorf("the second reminder is %q, want only those in it who are missing", got)
		}
		for n := 3; n <= workflow.MaxReminders; n++ {
			next(n)
		}
		// Then it is quiet, also after a restart.
		for range 3 {
			clock.push(5 * hour)
			time.Sleep(1100 * time.Millisecond) // the runner looks every second
		}
		w.stop()
		w.startWith(app.Options{Now: clock.now})
		time.Sleep(1100 * time.Millisecond)
		if n := len(reminders()); n != workflow.MaxReminders {
			t.Errorf("%d reminders, want %d and then quiet", n, workflow.MaxReminders)
		}
		if got := w.request(r.Number).State; got != workflow.Pending {
			t.Errorf("it is %s", got)
		}
	})
}

func TestTime_RequesterIsToldOfEachTurnOnce(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r, card := w.asks("U0REQ", "add "+alice+" to warehouse/"+space+" as admin because training")
		w.clicks("U0LEAD", card, "approve")
		w.shows(r.Number, "1 of 2 approvals")
		w.stop()
		w.startWith(app.Options{Now: clock.now})
		w.directly("U0REQ", "1 of 2 approvals are in") // what is told later says how it stands then
		w.clicks("U0BOB", card, "approve")
		w.becomes(r.Number, workflow.Done)
		w.settled(r.Number)
		denied, card := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "deny")
		v, _ := w.Slack.View("U0LEAD")
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", ViewID: v.ID, Values: fill("reason", "not yet")}); err != nil {
			t.Fatal(err)
		}
		w.becomes(denied.Number, workflow.Denied)
		w.settled(denied.Number)
		w.stop()
		w.startWith(app.Options{Now: clock.now})
		n, d := "request #"+r.Number.String(), "request #"+denied.Number.String()
		for _, want := range []string{
			"<@U0LEAD> approved your " + n, "1 of 2 approvals are in", "<@U0BOB> approved your " + n, "It is being carried out",
			"Your " + n + ": ", "<@U0LEAD> denied your " + d, "Reason: not yet",
		} {
			w.once("word to the requester", want, w.dms("U0REQ"))
		}
		if got := said(w.Slack.DM("U0REQ"), ""); got != 4 {
			t.Errorf("%d messages to the requester, want 4", got)
		}
	})
}

func TestTime_MembershipEnds(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r := w.granted("add @alice to warehouse/" + space + " as developer for 7d because on call")
		end := "Then #" + r.Child.String() + " is carried out"
		w.carded(r.Child)
		w.awaits(alice, "r00002")
		w.directly("U0ALICE", "您的成员身份已变更")
		if said(w.Slack.DM("U0REQ"), end) > 0 {
			t.Error("warned at once")
		}
		warned := func(n int) {
			t.Helper()
			w.eventually("the warnings", func() bool {
				return said(w.Slack.DM("U0REQ"), "Soon over") == n && said(w.Slack.DM("U0ALICE"), "即将到期") == n
			})
		}
		clock.push(6*day + time.Minute)
		warned(1)
		if got := w.directly("U0REQ", "Soon over"); !strings.Contains(got, end) || !strings.Contains(got, "from workspace *analytics* ("+space+")") {
			t.Errorf("the warning says %q, want %q and the workspace's name in it", got, end)
		}
		clock.push(23 * hour)
		warned(2)
		w.keeps(alice, "r00002")
		clock.push(hour)
		w.awaits(alice, "absent")
		_, card := w.becomes(r.Child, workflow.Done)
		w.threadOf(card, "done")
		w.once("word to the requester", "Your request #"+r.Child.String(), w.dms("U0REQ"))
		warned(2)
	})
}

func TestTime_FormerRolesComeBackAfterADowntime(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		w.roles(alice, "r00003", "r00004")
		r := w.granted("role @alice on warehouse/" + space + " as developer for 30d")
		w.awaits(alice, "r00002")
		if text := w.reads(r.Child, "*analytics*"); !strings.Contains(text, "to operator (r00003), viewer (r00004)") {
			t.Errorf("the card of the end reads\n%s\nwant the names of the former roles in it", text)
		}
		w.settled(r.Child)
		w.stop()
		clock.push(31 * day)
		w.startWith(app.Options{Now: clock.now})
		w.becomes(r.Child, workflow.Done)
		w.awaits(alice, "r00003,r00004")
		w.settled(r.Child)
		if got := len(w.calls()); got != 2 {
			t.Errorf("%d calls, want one that gives and one that restores", got)
		}
	})
}

func TestTime_Extend(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r := w.granted("add @alice to warehouse/" + space + " as viewer for 2d")
		for typed, want := range map[string]string{
			"extend " + r.Number.String():              "is no duration",
			"extend " + r.Number.String() + " for 90d": "longer than the rule allows: at most *60d*",
			"extend " + r.Child.String() + " for 1d":   "nothing to extend",
			"extend 4711 for 1d":                       "There is no request",
			"extend " + r.Number.String() + " as x":    "I did not expect *as*",
			"extend " + r.Number.String() + " for -1d": "is no duration",
			"extend x for 1d":                          "is no request number",
		} {
			if got := w.types("U0REQ", typed); !strings.Contains(got, want) || numberIn(got) != 0 {
				t.Errorf("%q is answered %q, want %q in it", typed, got, want)
			}
		}
		clock.push(day)
		longer, card := w.asks("U0BOB", "extend "+r.Number.String()+" for 7d because still on call")
		if longer.Rule.Name != "members" || longer.Reason != "still on call" {
			t.Errorf("it is asked for under %q because %q", longer.Rule.Name, longer.Reason)
		}
		w.refused(slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve"}, longer.Number, "需由他人审批")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(longer.Number, workflow.Done)
		clock.push(2 * day) // past the first end
		w.keeps(alice, "r00004")
		clock.push(5 * day)
		w.awaits(alice, "absent")
		w.becomes(r.Child, workflow.Done)
	})
}

func TestTime_Undo(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, _ *pushed) {
		w.roles(alice, "r00003")
		r := w.granted("role @alice on warehouse/" + space + " as viewer")
		card, _ := w.card(r.Number)
		w.eventually("the subject is told", func() bool { return len(w.Slack.DM("U0ALICE")) > 0 })
		w.refused(slackfake.ClickInput{User: "U0ALICE", Channel: card.Channel, TS: card.TS, ActionID: "undo"}, r.Number, "您不是此申请的审批人")
		w.clicks("U0REQ", card, "undo")
		w.eventually("the undoing is asked for", func() bool { return w.request(r.Number).Child != 0 })
		back, backCard := w.carded(w.request(r.Number).Child)
		w.becomes(back.Number, workflow.Pending)
		w.awaits(alice, "r00004") // nothing is undone before it is approved
		w.refused(slackfake.ClickInput{User: "U0REQ", Channel: backCard.Channel, TS: backCard.TS, ActionID: "approve"}, back.Number, "somebody else must decide")
		w.clicks("U0BOB", backCard, "approve")
		w.becomes(back.Number, workflow.Done)
		w.awaits(alice, "r00003")
		card, _ = w.card(r.Number)
		if slices.Contains(actionIDs(card), "undo") {
			t.Error("what was undone can be undone again")
		}
	})
}

func TestTime_ClaimFades(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
		r, card := w.asks("U0REQ", "add "+alice+" to warehouse/"+space+" as admin")
		gone := func() bool {
			m, _ := w.card(r.Number)
			return !strings.Contains(slackfake.Text(m), "is looking at it")
		}
		w.clicks("U0LEAD", card, "claim")
		w.shows(r.Number, "<@U0LEAD> is looking at it")
		w.clicks("U0LEAD", card, "claim") // once more: no longer
		w.eventually("nobody looks", gone)
		w.clicks("U0LEAD", card, "claim")
		w.shows(r.Number, "<@U0LEAD> is looking at it")
		w.clicks("U0BOB", card, "claim") // taken over
		w.shows(r.Number, "<@U0BOB> is looking at it")
		clock.push(61 * time.Minute)
		w.eventually("it has faded", gone)
		w.clicks("U0LEAD", card, "approve") // it binds nobody
		w.shows(r.Number, "1 of 2 approvals")
	})
}

// A Home that is due when the bot stops is not shown any more, nor tried.
func TestTime_NoHomeAfterTheStop(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, _ *pushed) {
		if _, err := w.Slack.OpenHome(t.Context(), "U0LEAD"); err != nil {
			t.Fatal(err)
		}
		w.eventually("a Home", func() bool { _, ok := w.Slack.Home("U0LEAD"); return ok })
		w.types("U0REQ", "invite 50002 to gpu-lab/1001")
		w.stop()
		shown, said := len(w.Slack.Calls("views.publish")), len(w.log.String())
		time.Sleep(time.Second)
		if n, more := len(w.Slack.Calls("views.publish")), w.log.String()[said:]; n != shown || more != "" {
			t.Errorf("%d Homes were shown after the stop; it said %q", n-shown, more)
		}
	})
}

// A clock that was set for one grant never ends a newer one.
func TestTime_OlderClockLeavesANewerGrant(t *testing.T) {
	t.Parallel()
	target := " warehouse/" + space
	for name, c := range map[string]struct {
		older string
		newer []string
		after string // one day later
		last  string // when everything is over
	}{
		"another role on top, for longer": {"add @alice to" + target + " as viewer for 1d", []string{"role @alice on" + target + " as operator for 7d"}, "r00003", "absent"},
		"two on top":                      {"add @alice to" + target + " as viewer for 1d", []string{"role @alice on" + target + " as operator for 7d", "role @alice on" + target + " as developer for 3d"}, "r00002", "absent"},
		"another role, for good":          {"add @alice to" + target + " as viewer for 1d", []string{"role @alice on" + target + " as operator"}, "r00003", "r00003"},
		"the same role, for good":         {"add @alice to" + target + " as viewer for 1d", []string{"role @alice on" + target + " as viewer"}, "r00004", "r00004"},
		"the same role, for longer":       {"add @alice to" + target + " as viewer for 1d", []string{"role @alice on" + target + " as viewer for 7d"}, "r00004", "absent"},
		"the same role, for less":         {"add @alice to" + target + " as viewer for 3d", []string{"role @alice on" + target + " as viewer for 12h"}, "r00004", "absent"},
		"removed and added for good":      {"add @alice to" + target + " as viewer for 1d", []string{"remove @alice from" + target, "add @alice to" + target + " as viewer"}, "r00004", "r00004"},
		"removed and added for longer":    {"add @alice to" + target + " as viewer for 1d", []string{"remove @alice from" + target, "add @alice to" + target + " as viewer for 7d"}, "r00004", "absent"},
		"one role given for good":         {"add-role @alice on" + target + " as viewer for 1d", []string{"add-role @alice on" + target + " as viewer"}, "r00003,r00004", "r00003,r00004"},
		"one role dropped and given":      {"add-role @alice on" + target + " as viewer for 1d", []string{"drop-role @alice on" + target + " as viewer", "add-role @alice on" + target + " as viewer for 7d"}, "r00003,r00004", "r00003"},
		"another single role":             {"add-role @alice on" + target + " as viewer for 1d", []string{"add-role @alice on" + target + " as developer"}, "r00002,r00003", "r00002,r00003"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, clock *pushed) {
				if strings.HasPrefix(c.older, "add-role") {
					w.roles(alice, "r00003")
				}
				old := w.granted(c.older)
				clock.push(hour)
				for _, typed := range c.newer {
					w.granted(typed)
				}
				clock.push(day)
				if c.after == "r00002,r00003" {
					w.awaits(alice, c.after) // the older one's own role ends
				}
				w.keeps(alice, c.after)
				clock.push(60 * day)
				if c.last != c.after {
					w.awaits(alice, c.last)
				}
				w.keeps(alice, c.last)
				w.eventually("the end of the older one is over", func() bool { return w.request(old.Child).State != workflow.Approved })
			})
		})
	}
}
