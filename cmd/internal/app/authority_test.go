package app_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// authorityPolicy has a rule for each way in which people can be asked; the group of a request chooses it.
const authorityPolicy = `
  - {name: two of three, groups: ["1002"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0BOB, U0ALICE], count: 2}]}
  - {name: lead and another, groups: ["1003"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD]}, {any_of: [U0LEAD, U0BOB, U0ALICE]}]}
  - {name: anybody named, groups: ["1004"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0REQ, U0LEAD, U0GUEST, U0GONE, U0ROBOT, U0OUT]}]}
  - {name: a user group, groups: ["1005"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [S0GPU]}]}
  - {name: a person or a lost group, groups: ["1006"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, S0LOST]}]}
  - {name: only members of the group ask, groups: ["1007"], requesters: [S0GPU], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0BOB]}]}
  - {name: the rest, groups: ["1001"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0BOB]}]}
`

func TestAuthority_WhoNeverDecides(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		w.Slack.SetUser(slackfake.User{ID: "U0SOLO", Team: "T0HOME", Name: "solo", IsRestricted: true, IsUltraRestricted: true})
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1004 because all of them are named")
		click := slackfake.ClickInput{Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		for _, c := range []struct{ user, team, want string }{
			{"U0REQ", "", "somebody else must decide"},
			{"U0GUEST", "", "Guests cannot ask or decide"},
			{"U0SOLO", "", "Guests of a single channel cannot ask or decide"},
			{"U0GONE", "", "deactivated"},
			{"U0ROBOT", "", "Bots cannot ask or decide"},
			{"U0OUT", "", "another workspace"},
			{"U0OUT", "T0HOME", "another workspace"},
			{"U0LEAD", "T0OTHER", "another workspace"},
			{"U0BOB", "", "审批人"},
		} {
			for _, action := range []string{"approve", "deny"} {
				click.User, click.UserTeam, click.ActionID = c.user, c.team, action
				w.refused(click, r.Number, c.want)
			}
			if v, open := w.Slack.View(c.user); open {
				t.Errorf("%s was shown the form %q", c.user, v.CallbackID)
			}
		}
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
		w.clicks("U0LEAD", card, "approve")
		w.eventually("the request is decided", func() bool { return w.request(r.Number).State != workflow.Pending })
	})
}

func TestAuthority_WhoNeverAsks(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		for _, c := range []struct{ user, team, typed, want string }{
			{"U0GUEST", "", "invite 50002 to gpu-lab/1001", "Guests cannot ask or decide"},
			{"U0GONE", "", "invite 50002 to gpu-lab/1001", "deactivated"},
			{"U0ROBOT", "", "invite 50002 to gpu-lab/1001", "Bots cannot"},
			{"U0OUT", "", "invite 50002 to gpu-lab/1001", "another workspace"},
			{"U0OUT", "", "mine", "another workspace"},
			{"U0OUT", "", "pending", "another workspace"},
			{"U0REQ", "T0OTHER", "invite 50002 to gpu-lab/1001", "another workspace"},
			{"U0REQ", "", "invite 50002 to gpu-lab/1007", "No rule of the policy lets you ask"},
			{"U0REQ", "", "invite 50002 to gpu-lab/4711", "No rule of the policy lets you ask"},
		} {
			in := slackfake.SlashInput{User: c.user, Team: c.team, Text: c.typed}
			if got := w.slash(in).Text; !strings.Contains(got, c.want) || numberIn(got) != 0 {
				t.Errorf("%s (%s) types %q: answered %q, want %q and no number", c.user, c.team, c.typed, got, c.want)
			}
		}
		if n := w.stored(); n != 0 {
			t.Errorf("%d requests stored, want none", n)
		}
		w.asks("U0BOB", "invite 50002 to gpu-lab/1007")
	})
}

func TestAuthority_UnreadableRefuses(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		click := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		for _, f := range []slackfake.Fault{
			{Kind: slackfake.ErrorCode, Code: "internal_error"},
			{Kind: slackfake.ErrorCode, Code: "user_not_visible"},
			{Kind: slackfake.Status500HTML},
			{Kind: slackfake.CutBefore},
			{Kind: slackfake.RateLimited},
			{Kind: slackfake.Hang, For: 3 * time.Second},
		} {
			f.Method, f.Count = "users.info", -1
			w.Slack.Fault(f)
			w.refused(click, r.Number, "Slack did not say who you are")
			w.Slack.ClearFaults()
		}
		// Every click was acknowledged in time: presses fails otherwise.
		lost, lostCard := w.asks("U0REQ", "invite 50002 to gpu-lab/1006")
		click = slackfake.ClickInput{User: "U0ALICE", Channel: lostCard.Channel, TS: lostCard.TS, ActionID: "approve"}
		w.refused(click, lost.Number, "未做任何更改") // she may be in the group that cannot be read
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
		w.clicks("U0LEAD", lostCard, "approve") // named himself, whatever the group says
		w.eventually("the request is decided", func() bool { return w.request(lost.Number).State != workflow.Pending })
	})
}

// Slack hanging over who somebody is, or over who is in the policy's user groups, keeps nobody from asking for what needs
// no answer to it: a look-up is given up in time, and the groups are looked up side by side.
func TestAuthority_HangingLookUpsAreGivenUp(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		for _, c := range []struct { // in this order: what was once read is remembered
			user, method string
			count        int
		}{
			{"U0REQ", "usergroups.users.list", -1},
			{"U0BOB", "users.info", 1}, // for the language of the answer
		} {
			w.eventually("a request while Slack hangs at "+c.method, func() bool { // the machine may be slow, and not the bot
				w.Slack.Fault(slackfake.Fault{Method: c.method, Count: c.count, Kind: slackfake.Hang, For: 10 * time.Second})
				defer w.Slack.ClearFaults()
				return numberIn(w.types(c.user, "invite 50002 to gpu-lab/1001")) > 0
			})
		}
	})
}

// What Slack said of a person a moment ago decides nothing.
func TestAuthority_LooksAgainAtTheClick(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.types("U0LEAD", "pending")
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		click := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		w.Slack.Fault(slackfake.Fault{Method: "users.info", Kind: slackfake.RateLimited, RetryAfter: "1", Count: -1})
		w.refused(click, r.Number, "Slack did not say who you are")
		w.Slack.ClearFaults()
		gone := w.Slack.User("U0LEAD")
		gone.Deleted = true
		w.Slack.SetUser(gone)
		w.refused(click, r.Number, "deactivated")
	})
}

func TestAuthority_UserGroupApproves(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1005")
		if text := slackfake.Text(card); !strings.Contains(text, "<!subteam^S0GPU>") {
			t.Errorf("the card reads\n%s\nwant the user group on it", text)
		}
		click := slackfake.ClickInput{User: "U0ALICE", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		w.refused(click, r.Number, "您不是此申请的审批人")
		w.clicks("U0BOB", card, "approve")
		w.eventually("the request is decided", func() bool { return w.request(r.Number).State != workflow.Pending })
		if got := w.request(r.Number).Decisions; len(got) != 1 || got[0].By.User != "U0BOB" {
			t.Errorf("decisions %v, want one by U0BOB", got)
		}
	})
}

// What Slack said of a user group is believed for five minutes: then whoever has left it decides no longer, and whoever
// has joined it does.
func TestAuthority_UserGroupIsReadAgain(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world, clock *pushed) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1005") // the group is read for it
		w.Slack.SetUserGroup(slackfake.UserGroup{ID: "S0GPU", Name: "GPU", Handle: "gpu-owners", Users: []string{"U0ALICE"}})
		clock.push(5*time.Minute + time.Second)
		left := slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		w.refused(left, r.Number, "您不是此申请的审批人")
		w.clicks("U0ALICE", card, "approve")
		w.eventually("the request is decided", func() bool { return w.request(r.Number).State != workflow.Pending })
		if got := w.request(r.Number).Decisions; len(got) != 1 || got[0].By.User != "U0ALICE" {
			t.Errorf("decisions %v, want one by U0ALICE", got)
		}
	})
}

func TestAuthority_UnreadableGroupRefuses(t *testing.T) {
	t.Parallel()
	rigInBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		w.Slack.SetFreePlan(true)
		w.start()
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1005")
		click := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		w.refused(click, r.Number, "which groups you are in")
		w.Slack.SetFreePlan(false)
		w.clicks("U0LEAD", card, "approve")
		w.eventually("the request is decided", func() bool { return w.request(r.Number).State != workflow.Pending })
	})
}

func TestAuthority_SeveralMustApprove(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		t.Run("two of three", func(t *testing.T) {
			r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1002")
			w.clicks("U0ALICE", card, "approve")
			w.shows(r.Number, "1 of 2 approvals")
			w.directly("U0REQ", "1 of 2 approvals are in")
			click := slackfake.ClickInput{User: "U0ALICE", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
			w.refused(click, r.Number, "您已批准过")
			if len(w.calls()) > 0 {
				t.Error("called after one of two approvals")
			}
			w.clicks("U0BOB", card, "approve")
			_, card = w.becomes(r.Number, workflow.Done)
			for _, want := range []string{"approved by <@U0ALICE>", "approved by <@U0BOB>"} {
				if !strings.Contains(slackfake.Text(card), want) {
					t.Errorf("the card lacks %q", want)
				}
			}
		})
		// One person fills one place, whatever the order of the clicks.
		for name, order := range map[string][]string{"lead first": {"U0LEAD", "U0BOB"}, "lead last": {"U0ALICE", "U0LEAD"}} {
			t.Run(name, func(t *testing.T) {
				r, card := w.asks("U0REQ", "invite 50006 to gpu-lab/1003")
				w.clicks(order[0], card, "approve")
				w.shows(r.Number, "1 of 2 approvals")
				if got := w.request(r.Number).State; got != workflow.Pending {
					t.Fatalf("state %s after one approval, want pending", got)
				}
				w.clicks(order[1], card, "approve")
				w.eventually("both places are filled", func() bool { return w.request(r.Number).State != workflow.Pending })
			})
		}
		t.Run("no place left", func(t *testing.T) {
			r, card := w.asks("U0REQ", "invite 50006 to gpu-lab/1003")
			w.clicks("U0ALICE", card, "approve")
			w.shows(r.Number, "1 of 2 approvals")
			click := slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
			w.refused(click, r.Number, "等待其他组的审批人")
		})
	})
}

// shows waits until a card contains a text.
func (w *world) shows(n workflow.Number, want string) {
	w.t.Helper()
	w.eventually("on the card of "+n.String()+": "+want, func() bool {
		m, _ := w.card(n)
		return strings.Contains(slackfake.Text(m), want)
	})
}

func TestAuthority_ManyClicksGrantOnce(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		var wg sync.WaitGroup
		for _, user := range []string{"U0LEAD", "U0LEAD", "U0BOB", "U0BOB", "U0LEAD"} {
			wg.Go(func() {
				w.presses(slackfake.ClickInput{User: user, Channel: card.Channel, TS: card.TS, ActionID: "approve", Stale: true})
			})
		}
		wg.Wait()
		w.becomes(r.Number, workflow.Done)
		w.settled(r.Number)
		if got := w.calls(); len(got) != 1 {
			t.Errorf("calls %v, want one", got)
		}
		if got := w.request(r.Number).Decisions; len(got) != 1 {
			t.Errorf("decisions %v, want one", got)
		}
		if got := len(w.Slack.Thread(card.Channel, card.TS)); got != 1 {
			t.Errorf("%d replies, want one", got)
		}
		// Four of the five came too late, and nobody was left without an answer.
		w.eventually("four refusals", func() bool {
			return len(w.Slack.Ephemerals("U0LEAD"))+len(w.Slack.Ephemerals("U0BOB")) == 4
		})
	})
}

func TestAuthority_ClickMustBeOnTheCard(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		w.Slack.AddChannel(slackfake.Channel{ID: "C0ELSE", Name: "elsewhere", Members: []string{"U0BOT", "U0LEAD"}})
		other, _ := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		here := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		block := "request:" + r.Number.String()
		for name, forge := range map[string]func(*slackfake.ClickInput){
			"another message":         func(c *slackfake.ClickInput) { c.MessageTS = "1700000000.000001" },
			"another channel":         func(c *slackfake.ClickInput) { c.ChannelID = "C0ELSE" },
			"another request's value": func(c *slackfake.ClickInput) { forgeAction(c, "value", other.Number.String()) },
			"another request's block": func(c *slackfake.ClickInput) { forgeAction(c, "block_id", "request:"+other.Number.String()+":act") },
			"a longer number":         func(c *slackfake.ClickInput) { forgeAction(c, "block_id", block+"0:act") },
			"no number":               func(c *slackfake.ClickInput) { forgeAction(c, "value", "approve") },
			"nought":                  func(c *slackfake.ClickInput) { forgeAction(c, "value", "0", "block_id", "request:0:act") },
			"a leading zero":          func(c *slackfake.ClickInput) { forgeAction(c, "value", "0"+r.Number.String()) },
			"a sign":                  func(c *slackfake.ClickInput) { forgeAction(c, "value", "+"+r.Number.String()) },
			"no such request":         func(c *slackfake.ClickInput) { forgeAction(c, "value", "99999", "block_id", "request:99999:act") },
			"both, on another's card": func(c *slackfake.ClickInput) {
				forgeAction(c, "value", other.Number.String(), "block_id", "request:"+other.Number.String()+":act")
			},
			"a view that is no Home": func(c *slackfake.ClickInput) {
				c.Patch = map[string]any{
					"container": map[string]any{"type": "view", "message_ts": "", "channel_id": ""},
					"view":      map[string]any{"type": "modal"}, "message": nil, "channel": map[string]any{"id": ""},
				}
			},
		} {
			for _, action := range []string{"approve", "deny"} {
				click := here
				click.ActionID = action
				forge(&click)
				if actions, ok := click.Patch["actions"].([]any); ok {
					actions[0].(map[string]any)["action_id"] = action
				}
				if got := w.answered(click); numberIn(got) != 0 {
					t.Errorf("%s, %s: answered %q, want no number", name, action, got)
				}
				for _, n := range []workflow.Number{r.Number, other.Number} {
					if got := w.request(n); got.State != workflow.Pending || len(got.Decisions) > 0 {
						t.Fatalf("%s, %s: request %v is %s, want pending without decisions", name, action, n, got.State)
					}
				}
				if _, open := w.Slack.View("U0LEAD"); open {
					t.Fatalf("%s, %s: a form was opened", name, action)
				}
			}
		}
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
	})
}

// forgeAction replaces fields of the payload's one action.
func forgeAction(c *slackfake.ClickInput, pairs ...string) {
	action := map[string]any{"type": "button", "action_id": c.ActionID, "block_id": "request:2:act", "value": "2"}
	for pair := range slices.Chunk(pairs, 2) {
		action[pair[0]] = pair[1]
	}
	c.Patch = map[string]any{"actions": []any{action}}
}

func TestAuthority_StaleClickSaysWhatIs(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		done, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(done.Number, workflow.Done)
		withdrawn, gone := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.types("U0REQ", "withdraw "+withdrawn.Number.String())
		w.becomes(withdrawn.Number, workflow.Withdrawn)
		for _, action := range []string{"approve", "deny"} {
			w.refused(slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: action, Stale: true}, done.Number, "已不能这样操作")
			w.refused(slackfake.ClickInput{User: "U0LEAD", Channel: gone.Channel, TS: gone.TS, ActionID: action, Stale: true}, withdrawn.Number, "can no longer be done")
		}
		w.refused(slackfake.ClickInput{
			User: "U0LEAD", Channel: card.Channel, TS: card.TS, Stale: true,
			ActionID: "retry", BlockID: "request:" + done.Number.String() + ":act", Value: done.Number.String(),
		}, done.Number, "can no longer be done")
		if got := w.calls(); len(got) != 1 {
			t.Errorf("calls %v, want one", got)
		}
	})
}

func TestAuthority_ClickBeforeTheCardIsRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ok   bool
	}{{"soon", true}, {"too late", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rigInBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
				recorded := make(chan struct{})
				record := sync.OnceFunc(func() { close(recorded) })
				w.startWith(app.Options{Step: func(point string, _ workflow.Number) {
					if point == "after_post" {
						<-recorded
					}
				}})
				t.Cleanup(record)
				n := numberIn(w.types("U0REQ", "invite 50002 to gpu-lab/1001"))
				w.eventually("the card is in Slack", func() bool { return len(w.cards(rig.Channel)) == 1 })
				card := w.cards(rig.Channel)[0]
				if got := w.request(n).Card.TS; got != "" {
					t.Fatalf("the card's ts is recorded already: %s", got)
				}
				if c.ok {
					time.AfterFunc(300*time.Millisecond, record)
				}
				w.clicks("U0LEAD", card, "approve")
				if !c.ok {
					w.privately("U0LEAD", "use the card")
					record()
					if got := w.request(n).State; got != workflow.Pending {
						t.Errorf("state %s, want pending", got)
					}
					w.carded(n)
					w.clicks("U0LEAD", card, "approve")
				}
				w.becomes(n, workflow.Done)
			})
		})
	}
}
