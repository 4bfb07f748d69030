package bot

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"countersign/bot/slackfake"
	"countersign/workflow"
)

var update = flag.Bool("update", false, "write the golden files anew")

// wire is a message or a view as it is sent.
func wire(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// golden holds what was made against the file that shows how it is to be; with -update the file is written anew.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	path = filepath.Join("testdata", path)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// legal has Slack's emulator check a view or a message by Slack's rules
// (https://docs.slack.dev/reference/methods/blocks.validate).
func legal(t *testing.T, s *slackfake.Server, what, kind string, v any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{kind: v})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.APIURL()+"blocks.validate", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Authorization", "Bearer "+s.BotToken())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said struct {
		OK     bool            `json:"ok"`
		Error  string          `json:"error"`
		Errors json.RawMessage `json:"errors"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || !said.OK {
		t.Errorf("%s: Slack does not take it: %s %s %v", what, said.Error, said.Errors, err)
	}
}

// storeless is a store that is never asked: what is worded here is given, not looked up.
type storeless struct{ workflow.Store }

// wording is a bot of two systems that never speaks to anybody.
func wording(t *testing.T) *Bot {
	t.Helper()
	rule := aRequest(workflow.Pending, nil).Rule
	rule.MaxDuration = 30 * 24 * time.Hour
	e, err := workflow.NewEngine(workflow.EngineOptions{
		Store: storeless{}, Now: func() time.Time { return moment },
		Policy: workflow.Policy{Teams: []string{"T0HOME"}, Rules: []workflow.Rule{rule}},
		Systems: []workflow.System{
			{Name: "gpu-lab", Kind: "compshare", Actions: []workflow.Action{
				workflow.Invite, workflow.Resend, workflow.Cancel, workflow.Rename, workflow.Accept, workflow.Reject,
			}},
			{Name: "warehouse", Kind: "dataarts", Actions: []workflow.Action{
				workflow.Add, workflow.SetRole, workflow.AddRole, workflow.DropRole, workflow.RemoveOne,
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{
		Engine: e, Logger: slog.New(slog.DiscardHandler), Mode: Socket, APIURL: "https://slack.com/api/", BotToken: "xoxb-1", AppToken: "xapp-1", Command: "/access",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func full(p workflow.Person) workflow.Actor {
	return workflow.Actor{Person: p, Standing: workflow.FullMember}
}

// views are the forms and Homes whose looks are kept in testdata, by name.
func views(b *Bot, l Lang) map[string]any {
	asker, decider := full(requester), full(lead)
	add := filled{
		system: "warehouse", group: "dee0f3ba0a6c4b5f9d0c1e2f3a4b4536", action: "add", limit: "7d", because: "on call <now>",
		who: "<@U0ALICE>,2d032145d82546b5b83cd7a6fd7d0afc,group:7c58769a2d7a9b0a0d812cfb42c25f41", role: "developer",
	}
	several := []workflow.Request{aRequest(workflow.Pending, nil), aRequest(workflow.Withdrawn, nil)}
	several[1].Number = 43
	two := page{requests: []workflow.Request{
		aRequest(workflow.Pending, func(r *workflow.Request) { r.Number = 41 }), aRequest(workflow.Pending, func(r *workflow.Request) { r.Number = 40 }),
	}}
	ended := page{next: 30, requests: []workflow.Request{
		aRequest(workflow.Done, nil), aRequest(workflow.Failed, func(r *workflow.Request) { r.Number, r.Result = 39, cards()["failed"].Result }),
		aRequest(workflow.Denied, func(r *workflow.Request) { r.Number, r.Reason = 38, strings.Repeat("长", 1000) }),
	}}
	middle := pages{}
	middle.turn(partMine, 80)
	middle.turn(partMine, 60)
	named := page{requests: []workflow.Request{cards()["pending-names"], cards()["pending-names-group"]}}
	named.requests[1].Number = 41
	all := map[string]any{
		"home/refused":   l.closedHome(workflow.Refuse(workflow.Guest)),
		"home/names":     b.homeOf(l, decider, pages{}, map[string]page{partWaiting: named}),
		"form/empty":     b.form(l, asker, filled{}),
		"form/system":    b.form(l, asker, filled{system: "gpu-lab", group: "1001"}),
		"form/invite":    b.form(l, asker, filled{system: "gpu-lab", group: "1001", action: "invite", who: "50002, 50003", role: "张三"}),
		"form/accept":    b.form(l, asker, filled{system: "gpu-lab", group: "2001", action: "accept"}),
		"form/add":       b.form(l, asker, add),
		"form/remove":    b.form(l, asker, filled{system: "warehouse", action: "remove"}),
		"form/made":      l.madeForm(l.made(several[:1], false, moment)),
		"form/made-many": l.madeForm(l.made(several, true, moment)),
		"form/approve":   l.words(42, worded[actApproveNote]),
		"form/deny":      l.words(42, worded[actDeny]),

		"home/empty":     b.homeOf(l, decider, pages{}, nil),
		"home/requester": b.homeOf(l, asker, middle, map[string]page{partMine: {requests: two.requests, next: 40}}),
		"home/approver":  b.homeOf(l, decider, pages{}, map[string]page{partWaiting: two, partDecided: ended}),
	}
	for action, f := range map[string]filled{
		"resend": {who: "50004"}, "cancel": {who: "50004", because: "left"}, "rename": {who: "50003", role: "张三"}, "reject": {},
		"role": {who: "<@U0ALICE>", role: "viewer", limit: "7d"}, "add-role": {who: "<@U0ALICE>", role: "viewer"}, "drop-role": {who: "<@U0ALICE>", role: "viewer"},
	} {
		f.system, f.group, f.action = "gpu-lab", "1001", action
		if strings.HasSuffix(action, "role") {
			f.system, f.group = "warehouse", add.group
		}
		all["form/"+action] = b.form(l, asker, f)
	}
	return all
}

func TestViews_Golden(t *testing.T) {
	b, s := wording(t), emulator(t)
	for l, lang := range langNames {
		for name, view := range views(b, l) {
			golden(t, name+"."+lang+".json", wire(t, view))
			legal(t, s, name+" "+lang, "view", view)
		}
	}
}

// messages are the private messages and the replies in threads whose looks are kept in testdata, by name.
func messages(l Lang) map[string][]slack.Block {
	direct := func(r workflow.Request, about workflow.Verb) []slack.Block {
		e := workflow.Effect{Kind: workflow.DirectEffect, About: about, By: lead, To: requester}
		return noticed(l.direct(r, e), l.mayWithdraw(r, e)...)
	}
	thread := func(r workflow.Request, about workflow.Verb) []slack.Block {
		return noticed(l.thread(r, workflow.Effect{Kind: workflow.ThreadEffect, About: about}))
	}
	rs := cards()
	noted := rs["pending-one-of-three"]
	noted.Decisions = []workflow.Decision{{By: lead, Approve: true, Reason: "until <Friday>", At: moment}}
	impossible := aRequest(workflow.Denied, func(r *workflow.Request) {
		r.Result = &workflow.Result{Fault: &workflow.Fault{Class: workflow.ClassSubject, Code: "DAYU.4402", Text: "no such user"}}
	})
	drifted := aRequest(workflow.Pending, func(r *workflow.Request) {
		r.Drift = &workflow.Drift{At: moment, Was: workflow.Position{Status: "absent"}}
		r.Plan = &workflow.Plan{At: moment, Membership: workflow.Membership{Now: workflow.Position{Status: "pending", Remark: "张三"}}}
	})
	several := []workflow.Request{rs["pending"], rs["done"], rs["pending"]}
	for i := range several {
		several[i].Number += workflow.Number(i)
	}
	many := make([]workflow.Request, maxSpelled+1)
	for i := range many {
		many[i] = rs["pending"]
		many[i].Number += workflow.Number(i)
	}
	renamed := rs["pending-names-group"]
	renamed.State = workflow.Approved
	toSubject := workflow.Effect{Kind: workflow.DirectEffect, About: workflow.Succeed, To: workflow.Person{User: "U0ALICE", Team: "T0HOME"}}
	return map[string][]slack.Block{
		"made-one": l.made(several[:1], false, moment).Blocks, "made-hopeless": l.made(several[:1], true, moment).Blocks,
		"made-several": l.made(several, false, moment).Blocks, "made-many": l.made(many, false, moment).Blocks,
		"made-withdrawn":  l.made([]workflow.Request{rs["withdrawn"]}, false, moment).Blocks,
		"dm-approved-one": direct(rs["pending-one-of-three"], workflow.Approve), "dm-approved-note": direct(noted, workflow.Approve),
		"dm-approved-last": direct(rs["approved"], workflow.Approve), "dm-denied": direct(rs["denied"], workflow.Deny),
		"dm-approved-names": direct(renamed, workflow.Approve), "show-names": private(l.summary(rs["pending-names"])).Blocks,
		"dm-expired": direct(rs["expired"], workflow.Expire), "dm-hopeless": direct(impossible, workflow.Planned),
		"dm-drifted": direct(drifted, workflow.Drifted), "dm-done": direct(rs["done"], workflow.Succeed),
		"dm-failed": direct(rs["failed"], workflow.Fail), "dm-unknown": direct(rs["unknown-asked"], workflow.Ask),
		"dm-ends-soon": direct(rs["child"], workflow.EndsSoon), "dm-no-card": direct(rs["pending"], workflow.GiveUp),
		"dm-ends-soon-longer": noticed(l.join(l.direct(rs["child"], workflow.Effect{About: workflow.EndsSoon, To: requester}), l.say("dm.ends_soon.longer", "/access extend 41 for 7d"))),
		"dm-subject":          noticed(l.direct(rs["done-timed"], toSubject)),
		"dm-extended":         direct(rs["done-extends"], workflow.Succeed), "dm-subject-extended": noticed(l.direct(rs["done-extends"], toSubject)),
		"dm-subject-lifted": noticed(l.direct(rs["done-lifts"], toSubject)), "thread-extended": thread(rs["done-extends"], workflow.Succeed),
		"thread-remind": thread(rs["pending-one-of-three"], workflow.Remind), "thread-drifted": thread(drifted, workflow.Drifted),
		"thread-done": thread(rs["done"], workflow.Succeed), "thread-failed": thread(rs["failed"], workflow.Fail),
		"thread-unknown": thread(rs["unknown-asked"], workflow.Ask),
		"show-pending":   private(l.summary(noted)).Blocks, "show-denied": private(l.summary(rs["denied"])).Blocks,
	}
}

func TestMessages_Golden(t *testing.T) {
	s := emulator(t)
	for l, lang := range langNames {
		for name, blocks := range messages(l) {
			message := map[string]any{"blocks": blocks}
			golden(t, filepath.Join("private", name+"."+lang+".json"), wire(t, message))
			legal(t, s, name+" "+lang, "message", message)
		}
	}
}

// The longest texts that there can be fit into the views too.
func TestViews_LongestTextsFit(t *testing.T) {
	b, s := wording(t), emulator(t)
	for l, lang := range langNames {
		long := strings.Repeat("长&", 5000)
		f := filled{system: "warehouse", group: long, action: "add", who: strings.Repeat(long+",", 100), role: long, limit: long, because: long}
		legal(t, s, "form "+lang, "view", b.form(l, full(requester), f))
		var p page
		for n := range homeListed {
			r := worst(workflow.Pending, nil)
			r.Number -= workflow.Number(n)
			p.requests = append(p.requests, r)
		}
		at := pages{}
		for _, part := range homeParts {
			for n := range workflow.Number(2 * maxTurns) {
				at.turn(part, 18446744073709551615-n)
			}
		}
		p.next = 18446744073709551615
		legal(t, s, "home "+lang, "view", b.homeOf(l, full(lead), at, map[string]page{partWaiting: p, partMine: p, partDecided: p}))
		rs := p.requests
		legal(t, s, "made "+lang, "message", map[string]any{"blocks": l.made(rs, true, moment).Blocks})
		legal(t, s, "made one "+lang, "message", map[string]any{"blocks": l.made(rs[:1], true, moment).Blocks})
	}
}
