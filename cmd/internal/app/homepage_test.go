package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// homeOf opens somebody's Home and waits until there is one.
func (w *world) homeOf(user string) slackfake.View {
	w.t.Helper()
	if _, err := w.Slack.OpenHome(w.t.Context(), user); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("a home of "+user, func() bool { _, ok := w.Slack.Home(user); return ok })
	v, _ := w.Slack.Home(user)
	return v
}

// listedIn are the numbers in one part of a Home, and the buttons that turn its pages.
func listedIn(v slackfake.View, part string) (numbers, turns []string) {
	for _, b := range v.Blocks {
		block := b.(map[string]any)
		id, _ := block["block_id"].(string)
		n, mine := strings.CutSuffix(strings.TrimPrefix(id, "request:"), ":home."+part)
		if mine {
			numbers = append(numbers, n)
		}
		if id == "home:"+part+":page" {
			for _, e := range block["elements"].([]any) {
				turns = append(turns, e.(map[string]any)["action_id"].(string))
			}
		}
	}
	return numbers, turns
}

// turns presses a button that turns a page, and shows waits for what is then listed.
func (w *world) turns(user, part, way string) {
	w.t.Helper()
	v, _ := w.Slack.Home(user)
	w.presses(slackfake.ClickInput{User: user, ViewID: v.ID, ActionID: way, BlockID: "home:" + part + ":page"})
}

func (w *world) lists(user, part string, want []string, turns ...string) {
	w.t.Helper()
	var got, ways []string
	defer func() {
		if w.t.Failed() {
			w.t.Logf("%s reads %v %v, want %v %v", user, got, ways, want, turns)
		}
	}()
	w.eventually(fmt.Sprintf("%v in %s of %s", want, part, user), func() bool {
		v, _ := w.Slack.Home(user)
		got, ways = listedIn(v, part)
		return slices.Equal(got, want) && slices.Equal(ways, turns)
	})
}

func TestHome_IsPaged(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.types("U0REQ", "invite 50020,50021,50022,50023,50024,50025,50026,50027,50028,50029,50030,50031 to gpu-lab/1001")
		for n := range workflow.Number(12) {
			w.carded(n + 1)
		}
		for user, part := range map[string]string{"U0LEAD": "waiting", "U0REQ": "mine"} {
			w.homeOf(user)
			w.lists(user, part, []string{"12", "11", "10", "9", "8"}, "older")
			w.turns(user, part, "older")
			w.lists(user, part, []string{"7", "6", "5", "4", "3"}, "newer", "older")
			w.turns(user, part, "older")
			w.lists(user, part, []string{"2", "1"}, "newer")
			w.turns(user, part, "newer")
			w.lists(user, part, []string{"7", "6", "5", "4", "3"}, "newer", "older")
		}
		// A change elsewhere keeps the place; one on the page closes the gap.
		w.types("U0REQ", "invite 50032 to gpu-lab/1001")
		w.carded(13)
		w.types("U0REQ", "withdraw 5")
		w.lists("U0LEAD", "waiting", []string{"7", "6", "4", "3", "2"}, "newer", "older")
		w.lists("U0REQ", "mine", []string{"7", "6", "5", "4", "3"}, "newer", "older")
		// Each request has the buttons that work for this person; they work on any page.
		v, _ := w.Slack.Home("U0LEAD")
		w.presses(slackfake.ClickInput{User: "U0LEAD", ViewID: v.ID, ActionID: "approve", BlockID: "request:3:home.waiting:act"})
		w.becomes(3, workflow.Done)
		w.lists("U0LEAD", "waiting", []string{"7", "6", "4", "2", "1"}, "newer")
		w.lists("U0LEAD", "decided", []string{"5", "3"})
		v, _ = w.Slack.Home("U0REQ")
		w.presses(slackfake.ClickInput{User: "U0REQ", ViewID: v.ID, ActionID: "withdraw", BlockID: "request:4:home.mine:act"})
		w.becomes(4, workflow.Withdrawn)
		w.lists("U0LEAD", "waiting", []string{"7", "6", "2", "1"}, "newer")
		// Where nothing is left on a page, the newest one is shown.
		for _, n := range []string{"7", "6", "2", "1"} {
			w.types("U0REQ", "withdraw "+n)
		}
		w.lists("U0LEAD", "waiting", []string{"13", "12", "11", "10", "9"}, "older")
		// Opened again, it begins with the newest.
		w.homeOf("U0REQ")
		w.lists("U0REQ", "mine", []string{"13", "12", "11", "10", "9"}, "older")
	})
}

func TestHome_BelievesNoPosition(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.types("U0REQ", "invite 50020,50021,50022,50023,50024,50025,50026,50027 to gpu-lab/1001")
		w.carded(8)
		v := w.homeOf("U0REQ")
		first, rest := []string{"8", "7", "6", "5", "4"}, []string{"3", "2", "1"}
		for _, c := range []struct {
			what, way, value, metadata string
			want                       []string
			turns                      []string
		}{
			{"as it is", "older", "mine:4", "", rest, []string{"newer"}},
			{"a page that is no number", "older", "mine:x", "", first, []string{"older"}},
			{"no page", "older", "mine", "", first, []string{"older"}},
			{"below nothing", "older", "mine:0", "", first, []string{"older"}},
			{"beyond what there is", "older", "mine:99999999999999999999", "", first, []string{"older"}},
			{"negative", "older", "mine:-4", "", first, []string{"older"}},
			{"another part", "older", "everything:4", "", first, []string{"older"}},
			{"upwards", "older", "mine:7", `{"mine":[4]}`, rest, []string{"newer"}},
			{"metadata that is no JSON", "older", "mine:4", `{"mine":[`, rest, []string{"newer"}},
			{"metadata of another kind", "older", "mine:4", `{"mine":"4"}`, rest, []string{"newer"}},
			{"metadata too long", "newer", "mine", `{"mine":[4` + strings.Repeat(",3", 1600) + `]}`, first, []string{"older"}},
			{"a long way back", "newer", "mine", `{"mine":[9,8,7,6,5,4]}`, rest, []string{"newer", "older"}},
			{"back from the first", "newer", "mine", ``, first, []string{"older"}},
		} {
			if c.what == "a long way back" {
				c.want, c.turns = []string{"4", "3", "2", "1"}, []string{"newer"}
			}
			w.presses(slackfake.ClickInput{
				User: "U0REQ", ViewID: v.ID, ActionID: c.way, Stale: true, BlockID: "home:mine:page",
				Patch: map[string]any{
					"actions": []any{map[string]any{"type": "button", "action_id": c.way, "block_id": "home:mine:page", "value": c.value}},
					"view":    map[string]any{"private_metadata": c.metadata},
				},
			})
			t.Log(c.what)
			w.lists("U0REQ", "mine", c.want, c.turns...)
		}
	})
}

// However many requests wait for others, a page costs the same: what is older is a press away.
func TestHome_LooksAtABoundedNumber(t *testing.T) {
	t.Parallel()
	o := rig.Options{Policy: `
  - name: gpu team
    systems: [gpu-lab]
    requesters: ["*"]
    approvers: [{any_of: [U0LEAD]}]
    channel: C0APPROVALS
    expires: 24h
  - name: warehouse
    requesters: ["*"]
    approvers: [{any_of: [U0ALICE]}]
    channel: C0APPROVALS
    expires: 24h
`}
	inBothModes(t, o, func(t *testing.T, w *world) {
		w.crowds()
		w.asks("U0REQ", "remove "+dataartsfake.UserAlice+" from warehouse/"+rig.Workspace)
		for batch := range 3 {
			var who []string
			for n := range 80 {
				who = append(who, fmt.Sprint(60000+100*batch+n))
			}
			w.types("U0REQ", "invite "+strings.Join(who, ",")+" to gpu-lab/1001")
		}
		w.homeOf("U0ALICE")
		w.lists("U0ALICE", "waiting", nil, "older")
		w.turns("U0ALICE", "waiting", "older")
		w.lists("U0ALICE", "waiting", []string{"1"}, "newer")
	})
}

// A Home that Slack does not take is shown later, without anybody doing anything.
func TestHome_IsShownAgainWhereSlackAskedToWait(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.homeOf("U0REQ")
		w.Slack.Fault(slackfake.Fault{Method: "views.publish", Kind: slackfake.RateLimited, RetryAfter: "1", Count: 1})
		w.types("U0REQ", "invite 50002 to gpu-lab/1001")
		w.lists("U0REQ", "mine", []string{"1"})
	})
}

// Slack delivers an event anew that was not acknowledged for three seconds, so a Home that is slow to publish keeps
// nobody waiting; what was pressed meanwhile is still what is shown last.
func TestHome_IsAcknowledgedBeforeItIsShown(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.types("U0REQ", "invite 50020,50021,50022,50023,50024,50025 to gpu-lab/1001")
		w.carded(6)
		w.homeOf("U0REQ")
		w.lists("U0REQ", "mine", []string{"6", "5", "4", "3", "2"}, "older")
		w.settled(6)
		before := len(w.Slack.Calls("views.publish"))
		w.Slack.Fault(slackfake.Fault{Method: "views.publish", Kind: slackfake.Slow, For: 4 * time.Second})
		start := time.Now()
		ack, err := w.Slack.OpenHome(t.Context(), "U0REQ")
		if took := time.Since(start); err != nil || !ack.OK() || ack.Attempt > 0 || took > 2*time.Second {
			t.Errorf("acknowledged after %v at attempt %d: %v %s, want at once", took, ack.Attempt, err, ack.Err)
		}
		time.Sleep(300 * time.Millisecond) // it is being published
		w.turns("U0REQ", "mine", "older")
		w.eventually("the slow one is published", func() bool {
			return slices.ContainsFunc(w.Slack.Calls("views.publish")[before:], func(c slackfake.Call) bool { return c.Fault == string(slackfake.Slow) })
		})
		w.lists("U0REQ", "mine", []string{"1"}, "newer")
	})
}
