package bot

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"countersign/bot/slackfake"
	"countersign/workflow"
)

var (
	requester = workflow.Person{User: "U0REQ", Team: "T0HOME"}
	lead      = workflow.Person{User: "U0LEAD", Team: "T0HOME"}
	moment    = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
)

// aRequest is request 42 in a state.
func aRequest(state workflow.State, change func(*workflow.Request)) workflow.Request {
	r := workflow.Request{
		Number: 42, State: state, Reason: "training run", Requester: requester, Created: moment, Updated: moment,
		Change: workflow.Change{
			Action: workflow.Invite, System: "gpu-lab", Group: "1001", Remark: "张三",
			Subject: workflow.Subject{Kind: workflow.Member, ID: "50002"},
		},
		Rule: workflow.Rule{
			Name: "gpu invitations", Requesters: []string{"*"}, Channel: "C0APPROVALS", Expires: 24 * time.Hour,
			Approvers: []workflow.Approvers{{AnyOf: []string{"U0LEAD", "S0GPU"}, Count: 1}},
		},
		Expires: moment.Add(24 * time.Hour), Seq: 3,
	}
	if state != workflow.Pending && state != workflow.Withdrawn && state != workflow.Expired && state != workflow.Denied {
		r.Decisions = []workflow.Decision{{By: lead, Approve: true, At: moment}}
	}
	if change != nil {
		change(&r)
	}
	return r
}

// cards are the cards whose looks are kept in testdata, by name.
func cards() map[string]workflow.Request {
	fault := &workflow.Fault{Class: workflow.ClassUnverified, Code: "RetCode 226606", Text: "account <not> verified", RequestID: "req-1"}
	timed := func(r *workflow.Request) {
		r.Change = workflow.Change{
			Action: workflow.Add, System: "warehouse", Group: "dee0f3ba0a6c4b5f9d0c1e2f3a4b4536", Limit: 7 * 24 * time.Hour,
			Subject: workflow.Subject{Kind: workflow.Member, ID: "2d032145d82546b5b83cd7a6fd7d0afc", Slack: "U0ALICE"},
			Roles:   []workflow.RoleRef{{ID: "r00002", Name: "developer"}, {ID: "r10001"}},
		}
	}
	// planned is a request whose membership was read, with the vendor's names.
	planned := func(r *workflow.Request) {
		timed(r)
		r.Change.Limit = 0
		auditor := workflow.RoleRef{ID: "r10001", Name: "auditor"}
		r.Plan = &workflow.Plan{At: moment, Membership: workflow.Membership{
			State: "absent", Fit: workflow.Differs, GroupName: "analytics", SubjectName: "alice.wang",
			Now: workflow.Position{Status: "absent"}, Then: workflow.Position{Roles: []workflow.RoleRef{r.Change.Roles[0], auditor}},
		}}
	}
	extends := func(r *workflow.Request) {
		planned(r)
		m := &r.Plan.Membership
		m.Now, m.Fit, r.Plan.Clock = m.Then, workflow.Satisfied, workflow.Moved
		r.Extends, r.Change.Limit = 41, 7*24*time.Hour
	}
	standing := func(change func(*workflow.Membership)) func(*workflow.Request) {
		return func(r *workflow.Request) {
			r.Plan = &workflow.Plan{At: moment, Membership: workflow.Membership{
				State: "absent", Fit: workflow.Differs, GroupName: "gpu-research",
				Now: workflow.Position{Status: "absent"}, Then: workflow.Position{Status: "pending", Remark: "张三"},
			}}
			if change != nil {
				change(&r.Plan.Membership)
			}
		}
	}
	return map[string]workflow.Request{
		"pending-change": aRequest(workflow.Pending, standing(nil)),
		"pending-already": aRequest(workflow.Pending, standing(func(m *workflow.Membership) {
			m.Now, m.Fit = workflow.Position{Status: "joined", Remark: "张三"}, workflow.Satisfied
		})),
		"pending-impossible": aRequest(workflow.Pending, standing(func(m *workflow.Membership) {
			m.Now, m.Fit, m.Warnings = workflow.Position{Status: "rejected"}, workflow.Impossible, []workflow.Warning{workflow.Answered}
			m.Why = &workflow.Fault{Class: workflow.ClassState, Text: "the invitation was answered"}
		})),
		"pending-warned": aRequest(workflow.Pending, func(r *workflow.Request) {
			planned(r)
			r.Plan.Membership.Warnings = []workflow.Warning{workflow.HighRisk, workflow.LastAdmin}
		}),
		"pending-unread": aRequest(workflow.Pending, func(r *workflow.Request) {
			r.Plan = &workflow.Plan{At: moment, Fault: &workflow.Fault{Class: workflow.ClassVendor, Code: "HTTP 502", Text: "Bad Gateway", RequestID: "req-1"}}
		}),
		"pending-drifted": aRequest(workflow.Pending, func(r *workflow.Request) {
			standing(func(m *workflow.Membership) { m.Now.Status = "canceled" })(r)
			r.Drift = &workflow.Drift{At: moment, Was: workflow.Position{Status: "absent"}}
			r.Voided = []workflow.Decision{{By: lead, Approve: true, Reason: "until <Friday>", At: moment}}
		}),
		"pending-claimed": aRequest(workflow.Pending, func(r *workflow.Request) { r.Claim = &workflow.Claimed{By: lead, At: moment} }),
		"pending-extends": aRequest(workflow.Pending, func(r *workflow.Request) {
			extends(r)
		}),
		"pending-lifts": aRequest(workflow.Pending, func(r *workflow.Request) {
			extends(r)
			r.Extends, r.Change.Limit, r.Plan.Clock = 0, 0, workflow.Lifted
		}),
		"done-extends": aRequest(workflow.Done, func(r *workflow.Request) {
			extends(r)
			r.Result = &workflow.Result{Already: true, Clock: workflow.Moved, Until: moment.Add(7 * 24 * time.Hour)}
		}),
		"done-lifts": aRequest(workflow.Done, func(r *workflow.Request) {
			extends(r)
			r.Extends, r.Change.Limit, r.Plan.Clock = 0, 0, workflow.Lifted
			r.Result = &workflow.Result{Already: true, Clock: workflow.Lifted}
		}),
		"executing-again": aRequest(workflow.Executing, func(r *workflow.Request) {
			r.Result = &workflow.Result{Fault: &workflow.Fault{Class: workflow.ClassThrottled, Code: "RetCode 153", Text: "slow down", RequestID: "req-1"}}
		}),
		"denied-hopeless": aRequest(workflow.Denied, func(r *workflow.Request) {
			r.Result = &workflow.Result{Fault: &workflow.Fault{Class: workflow.ClassGroup, Code: "RetCode 226601", Text: "no such team", RequestID: "req-1"}}
		}),
		"done-may-be-undone": aRequest(workflow.Done, func(r *workflow.Request) {
			standing(nil)(r)
			r.Result, r.Attempt = &workflow.Result{RequestID: "req-1"}, &workflow.Attempt{Begun: moment, Before: r.Plan.Membership}
		}),
		"done-undo-lapsed": aRequest(workflow.Done, func(r *workflow.Request) {
			standing(nil)(r)
			r.Result, r.Attempt = &workflow.Result{RequestID: "req-1"}, &workflow.Attempt{Begun: moment, Before: r.Plan.Membership}
			r.Child, r.Lapsed = 43, true
		}),
		"done-undone":   aRequest(workflow.Done, func(r *workflow.Request) { r.Result, r.Child = &workflow.Result{RequestID: "req-1"}, 43 }),
		"pending":       aRequest(workflow.Pending, nil),
		"pending-names": aRequest(workflow.Pending, planned),
		"pending-names-group": aRequest(workflow.Pending, func(r *workflow.Request) {
			planned(r)
			r.Change.Action, r.Change.Roles = workflow.RemoveOne, nil
			r.Change.Subject = workflow.Subject{Kind: workflow.UserGroup, ID: "7c58769a2d7a9b0a0d812cfb42c25f41"}
			r.Plan.Membership.SubjectName = "platform"
		}),
		"pending-names-iam": aRequest(workflow.Pending, func(r *workflow.Request) {
			planned(r)
			r.Change.Subject.Slack, r.Change.Subject.From, r.Plan = "", workflow.FromIAM+"alice", nil
		}),
		"pending-one-of-three": aRequest(workflow.Pending, func(r *workflow.Request) {
			r.Rule.Approvers = []workflow.Approvers{{AnyOf: []string{"U0LEAD", "U0BOB"}, Count: 2}, {AnyOf: []string{"S0GPU"}, Count: 1}}
			r.Decisions = []workflow.Decision{{By: lead, Approve: true, At: moment}}
		}),
		"pending-stricter": aRequest(workflow.Pending, func(r *workflow.Request) {
			r.Rule.Approvers = []workflow.Approvers{{AnyOf: []string{"U0LEAD", "U0BOB", "U0ALICE"}, Count: 2}}
			r.RuleNow = &workflow.Rule{Name: "stricter", Approvers: []workflow.Approvers{{AnyOf: []string{"U0LEAD", "U0BOB", "U0NEW"}, Count: 2}}}
			r.Decisions = []workflow.Decision{{By: lead, Approve: true, At: moment}}
		}),
		"pending-stuck": aRequest(workflow.Pending, func(r *workflow.Request) {
			r.Rule.Approvers = []workflow.Approvers{{AnyOf: []string{"U0LEAD"}, Count: 1}}
			r.RuleNow = &workflow.Rule{Name: "stricter", Approvers: []workflow.Approvers{{AnyOf: []string{"U0LEAD", "U0NEW"}, Count: 2}}}
			r.Decisions = []workflow.Decision{{By: lead, Approve: true, At: moment}}
		}),
		"pending-timed":  aRequest(workflow.Pending, timed),
		"approved":       aRequest(workflow.Approved, nil),
		"executing":      aRequest(workflow.Executing, nil),
		"done":           aRequest(workflow.Done, func(r *workflow.Request) { r.Result = &workflow.Result{RequestID: "req-1"} }),
		"done-already":   aRequest(workflow.Done, func(r *workflow.Request) { r.Result = &workflow.Result{Already: true} }),
		"done-read-back": aRequest(workflow.Done, func(r *workflow.Request) { r.Result = &workflow.Result{ReadBack: true} }),
		"done-marked":    aRequest(workflow.Done, func(r *workflow.Request) { r.Result = &workflow.Result{MarkedBy: lead} }),
		"done-timed": aRequest(workflow.Done, func(r *workflow.Request) {
			timed(r)
			r.Result, r.Child = &workflow.Result{}, 43
		}),
		"failed":          aRequest(workflow.Failed, func(r *workflow.Request) { r.Result = &workflow.Result{Fault: fault} }),
		"failed-marked":   aRequest(workflow.Failed, func(r *workflow.Request) { r.Result = &workflow.Result{MarkedBy: lead} }),
		"unknown-looking": aRequest(workflow.Unknown, func(r *workflow.Request) { r.Result = &workflow.Result{Fault: fault} }),
		"unknown-asked": aRequest(workflow.Unknown, func(r *workflow.Request) {
			r.Result = &workflow.Result{Fault: fault, Asked: true, Seen: "Rejected"}
		}),
		"denied": aRequest(workflow.Denied, func(r *workflow.Request) {
			r.Decisions = []workflow.Decision{{By: lead, At: moment, Reason: "not <now>"}}
		}),
		"withdrawn": aRequest(workflow.Withdrawn, nil),
		"expired":   aRequest(workflow.Expired, nil),
		"child": aRequest(workflow.Approved, func(r *workflow.Request) {
			timed(r)
			r.Change.Action, r.Change.Roles, r.Change.Limit = workflow.RemoveOne, nil, 0
			r.Parent, r.Decisions = 41, nil
			r.Effects = []workflow.Effect{{ID: 1, Kind: workflow.CallEffect, Due: moment.Add(7 * 24 * time.Hour)}}
		}),
	}
}

var langNames = map[Lang]string{English: "en", Chinese: "zh"}

// onTheWire is a card as it is sent.
func onTheWire(t *testing.T, l Lang, r workflow.Request) []byte {
	t.Helper()
	blocks, text := l.card(r)
	return wire(t, map[string]any{"text": text, "blocks": blocks})
}

// Every card looks as it did; with -update the golden files are written anew.
func TestCard_Golden(t *testing.T) {
	for name, r := range cards() {
		for l, lang := range langNames {
			golden(t, filepath.Join("cards", name+"."+lang+".json"), onTheWire(t, l, r))
		}
	}
}

// A name stands for its ID in the sentence, and the ID beside it once; what has no name goes by its ID. Where there is no
// card, the ID is beside the name in the sentence.
func TestCard_NamesBesideIDs(t *testing.T) {
	const alice, analytics, platform = "2d032145d82546b5b83cd7a6fd7d0afc", "dee0f3ba0a6c4b5f9d0c1e2f3a4b4536", "7c58769a2d7a9b0a0d812cfb42c25f41"
	rs := cards()
	for name, tt := range map[string]struct{ called, nameless []string }{
		"pending-names":       {called: []string{alice, analytics}},
		"pending-names-group": {called: []string{platform, analytics}},
		"pending-names-iam":   {called: []string{alice}, nameless: []string{analytics}},
		"pending-timed":       {called: []string{alice}, nameless: []string{analytics}},
	} {
		for l, lang := range langNames {
			blocks, text := l.card(rs[name])
			head := blocks[0].(*slack.SectionBlock).Text.Text
			all := string(wire(t, blocks))
			for _, id := range tt.called {
				if n := strings.Count(all, id); n != 1 || strings.Contains(head, id) || strings.Contains(text, id) {
					t.Errorf("%s %s: %s is on the card %d times, want once and not in the sentence %q", name, lang, id, n, head)
				}
			}
			for _, id := range tt.nameless {
				if n := strings.Count(all, id); n != 1 || !strings.Contains(head, id) {
					t.Errorf("%s %s: %s is on the card %d times, want once, in the sentence %q", name, lang, id, n, head)
				}
			}
			said := l.does(rs[name])
			for _, id := range append(tt.called, tt.nameless...) {
				if strings.Count(said, id) != 1 {
					t.Errorf("%s %s: %q does not say %s once", name, lang, said, id)
				}
			}
		}
	}
	for l, lang := range langNames {
		said := l.does(rs["pending-names"])
		for _, want := range []string{"<@U0ALICE>", "*analytics*", "developer", "auditor"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q does not say %s", lang, said, want)
			}
		}
	}
}

func TestCard_SaysItsState(t *testing.T) {
	for name, r := range cards() {
		for l := range langNames {
			blocks, text := l.card(r)
			wire := string(onTheWire(t, l, r))
			if !strings.Contains(text, string(r.State)) || strings.Count(wire, string(r.State)) < 2 {
				t.Errorf("%s: the card does not say %s", name, r.State)
			}
			decides := strings.Contains(wire, `"action_id": "approve"`) || strings.Contains(wire, `"action_id": "deny"`)
			if decides != (r.State == workflow.Pending) {
				t.Errorf("%s: buttons that decide: %v", name, decides)
			}
			for i, b := range blocks {
				if id := b.ID(); id != "request:42" && !strings.HasPrefix(id, "request:42:") {
					t.Errorf("%s: block %d has the block_id %q", name, i, id)
				}
			}
		}
	}
}

// slackTakes posts a card to the emulator, which checks it as Slack does.
func slackTakes(t *testing.T, s *slackfake.Server, what string, blocks []slack.Block, text string) {
	t.Helper()
	c := slack.New(s.BotToken(), slack.OptionAPIURL(s.APIURL()))
	_, ts, err := c.PostMessageContext(t.Context(), "C0APPROVALS", slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...))
	if err != nil {
		t.Errorf("%s: Slack does not take it: %v", what, err)
		return
	}
	if _, _, _, err := c.UpdateMessageContext(t.Context(), "C0APPROVALS", ts, slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...)); err != nil {
		t.Errorf("%s: Slack does not take it as an edit: %v", what, err)
	}
}

func emulator(t *testing.T) *slackfake.Server {
	t.Helper()
	s, err := slackfake.Start(slackfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestCard_SlackTakesIt(t *testing.T) {
	s := emulator(t)
	for name, r := range cards() {
		for l, lang := range langNames {
			blocks, text := l.card(r)
			slackTakes(t, s, name+" "+lang, blocks, text)
		}
	}
}

// worst is the request with the longest texts that there can be, all of characters that grow when they are escaped.
func worst(state workflow.State, change func(*workflow.Request)) workflow.Request {
	long := strings.Repeat("&", 5000)
	people := make([]string, 300)
	for i := range people {
		people[i] = fmt.Sprintf("U0PERSON%04d", i)
	}
	fault := &workflow.Fault{Class: workflow.ClassRefused, Code: long, Text: long, RequestID: long}
	return aRequest(state, func(r *workflow.Request) {
		r.Number = 18446744073709551615
		r.Reason = strings.Repeat("&", workflow.MaxReason)
		r.Change = workflow.Change{
			Action: workflow.Add, System: strings.Repeat("&", 60), Group: long, Remark: long, Limit: 1<<62 - 1,
			Subject: workflow.Subject{Kind: workflow.UserGroup, ID: long},
		}
		for range 100 {
			r.Change.Roles = append(r.Change.Roles, workflow.RoleRef{ID: long[:200], Name: long[:200]})
		}
		r.Rule.Name = long
		r.Rule.Approvers = nil
		for range 8 {
			r.Rule.Approvers = append(r.Rule.Approvers, workflow.Approvers{AnyOf: people, Count: 20})
		}
		for range 12 {
			r.Decisions = append(r.Decisions, workflow.Decision{By: lead, Reason: long, At: moment})
			r.Voided = append(r.Voided, workflow.Decision{By: lead, Approve: true, Reason: long, At: moment})
		}
		m := workflow.Membership{
			State: long, Fit: workflow.Impossible, Why: fault, GroupName: long, SubjectName: long,
			Now:      workflow.Position{Status: long, Remark: long, Roles: r.Change.Roles},
			Then:     workflow.Position{Status: long, Remark: long, Roles: r.Change.Roles},
			Warnings: []workflow.Warning{workflow.HighRisk, workflow.LastAdmin, workflow.Answered},
		}
		r.Plan = &workflow.Plan{At: moment, Membership: m}
		r.Drift = &workflow.Drift{At: moment, Was: m.Now}
		r.Result = &workflow.Result{Fault: fault, Seen: long, RequestID: long}
		if change != nil {
			change(r)
		}
	})
}

func TestCard_LongestTextsFit(t *testing.T) {
	s := emulator(t)
	for _, state := range workflow.States() {
		for asked, l := range map[bool]Lang{true: English, false: Chinese} {
			for _, fit := range []workflow.Fit{workflow.Impossible, workflow.Differs, workflow.Satisfied} {
				if fit != workflow.Impossible && state != workflow.Pending {
					continue
				}
				r := worst(state, func(r *workflow.Request) { r.Result.Asked, r.Plan.Membership.Fit = asked, fit })
				blocks, text := l.card(r)
				slackTakes(t, s, string(state), blocks, text)
				wire := string(onTheWire(t, l, r))
				if state == workflow.Failed && !strings.Contains(wire, "failed: ") && !strings.Contains(wire, "失败：") {
					t.Errorf("the card of a failed request has lost its result")
				}
				e := workflow.Effect{About: workflow.Fail, To: r.Requester, By: lead}
				for _, said := range []string{l.thread(r, e), l.direct(r, e), l.summary(r)} {
					if said == "" {
						continue // nothing is said of this state
					}
					rep := private(said)
					slackTakes(t, s, string(state)+" message", rep.Blocks, rep.Text)
				}
			}
		}
	}
}

func TestCard_NothingInItPings(t *testing.T) {
	const nasty = "<!channel> <@U0ALICE> <!subteam^S0X> <https://evil.example|x> &lt;!here&gt;"
	r := worst(workflow.Failed, func(r *workflow.Request) {
		r.Reason, r.Change.System, r.Change.Group, r.Change.Remark, r.Change.Subject.ID = nasty, nasty, nasty, nasty, nasty
		r.Change.Roles = []workflow.RoleRef{{ID: nasty, Name: nasty}}
		r.Rule.Name = nasty
		r.Rule.Approvers = []workflow.Approvers{{AnyOf: []string{"U0LEAD"}, Count: 1}}
		r.Decisions = []workflow.Decision{{By: lead, Reason: nasty, At: moment}}
		r.Voided = nil
		r.Result.Fault = &workflow.Fault{Class: workflow.ClassRefused, Code: nasty, Text: nasty, RequestID: nasty}
		r.Plan.Membership.Why = r.Result.Fault
		r.Plan.Membership.GroupName, r.Plan.Membership.SubjectName = nasty, nasty
		r.Plan.Membership.Now = workflow.Position{Status: nasty, Remark: nasty}
		r.Drift.Was = workflow.Position{Status: nasty, Remark: nasty, Roles: r.Change.Roles}
	})
	for l, lang := range langNames {
		blocks, text := l.card(r)
		b, err := json.Marshal(blocks)
		if err != nil {
			t.Fatal(err)
		}
		m := slackfake.Message{Text: text}
		if err := json.Unmarshal(b, &m.Blocks); err != nil {
			t.Fatal(err)
		}
		e := workflow.Effect{About: workflow.Fail, To: r.Requester, By: lead}
		m.Text += l.thread(r, e) + l.direct(r, e) + l.summary(r)
		for _, token := range slackfake.MentionsIn(m) {
			if token != "<@U0REQ>" && token != "<@U0LEAD>" && token != "<#C0APPROVALS>" && !strings.HasPrefix(token, "<!date^") {
				t.Errorf("%s: %s is in the card", lang, token)
			}
		}
	}
}
