package crash_test

import (
	"fmt"
	"slices"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/crash"
	"countersign/workflow"
)

const (
	asked = "try 1 of U0ASK00"
	gpu   = "gpu-lab"
)

// message is one that the bot has posted about a request.
func message(channel, ts, thread string, n, seq int, text string, buttons ...string) slackfake.Message {
	m := slackfake.Message{
		Channel: channel, TS: ts, ThreadTS: thread, Text: text,
		Metadata: map[string]any{
			"event_type": "countersign_request", "event_payload": map[string]any{"request": float64(n), "seq": float64(seq)},
		},
	}
	var elements []any
	for _, b := range buttons {
		elements = append(elements, map[string]any{"type": "button", "action_id": b, "value": fmt.Sprint(n)})
	}
	m.Blocks = []any{map[string]any{"type": "actions", "block_id": fmt.Sprintf("request:%d:act", n), "elements": elements}}
	return m
}

// good is a history in which every promise is kept: #1 is done, #2 is pending, #3 was denied.
func good() *crash.History {
	view := func(n workflow.Number, s workflow.State, subject, reason string, decisions ...string) app.View {
		v := app.View{
			Number: n, State: s, Action: workflow.Invite, System: gpu, Group: "5000", Subject: subject, Remark: "guest",
			Reason: reason, Requester: "U0ASK00", Channel: "C0APPROVALS", TS: fmt.Sprintf("%d.0", n),
		}
		for _, d := range decisions {
			v.Decisions = append(v.Decisions, app.DecisionView{User: "U0LEAD", Decision: d})
		}
		return v
	}
	attempt := func(n workflow.Number, subject, reason string) crash.Attempt {
		return crash.Attempt{
			Reason: reason, Requester: "U0ASK00", Action: workflow.Invite, System: gpu, Group: "5000",
			Subjects: []string{subject}, As: "guest",
			Answers: []crash.Answer{{Numbers: []workflow.Number{n}, Text: "Recorded as #" + n.String()}},
		}
	}
	h := &crash.History{
		Attempts: []crash.Attempt{attempt(1, "101", asked), attempt(2, "102", "try 2"), attempt(3, "103", "try 3")},
		Stored: []app.View{
			view(3, workflow.Denied, "103", "try 3", "deny"), view(2, workflow.Pending, "102", "try 2"),
			view(1, workflow.Done, "101", asked, "approve"),
		},
		Applications: []crash.Application{{System: gpu, Subject: "101", Applied: true}},
		Direct:       map[string]string{"D1": "U0ASK00"},
		Messages: []slackfake.Message{
			message("C0APPROVALS", "1.0", "", 1, 4, "#1 done · Invite"),
			message("C0APPROVALS", "1.1", "1.0", 1, 65, "done"),
			message("D1", "1.2", "", 1, 32, "approved"),
			message("D1", "1.3", "", 1, 66, "done"),
			message("C0APPROVALS", "2.0", "", 2, 1, "#2 pending · Invite", "approve", "deny"),
			message("C0APPROVALS", "3.0", "", 3, 2, "#3 denied · Invite"),
			message("D1", "3.1", "", 3, 32, "denied"),
		},
	}
	move := func(n workflow.Number, v workflow.Verb, from, to workflow.State) {
		h.Trail = append(h.Trail, workflow.Entry{Seq: uint64(len(h.Trail) + 1), Request: n, Verb: v, From: from, To: to})
	}
	move(1, workflow.Submit, "", workflow.Pending)
	move(2, workflow.Submit, "", workflow.Pending)
	move(3, workflow.Submit, "", workflow.Pending)
	move(1, workflow.Approve, workflow.Pending, workflow.Approved)
	move(3, workflow.Deny, workflow.Pending, workflow.Denied)
	move(1, workflow.Begin, workflow.Approved, workflow.Executing)
	move(1, workflow.Succeed, workflow.Executing, workflow.Done)
	return h
}

// TestCheck_CanFail doctors a good history: each promise, broken, must be named, and nothing must be named of a good one.
func TestCheck_CanFail(t *testing.T) {
	if vs := crash.Check(good()); len(vs) > 0 {
		t.Fatalf("a good history is found broken: %v", vs)
	}
	of := func(h *crash.History, n workflow.Number) *app.View {
		return &h.Stored[slices.IndexFunc(h.Stored, func(v app.View) bool { return v.Number == n })]
	}
	approve := message("C0APPROVALS", "3.0", "", 3, 1, "#3 denied · Invite", "approve")
	tests := []struct {
		breaks string
		doctor func(*crash.History)
	}{
		{crash.Lost, func(h *crash.History) { h.Stored = h.Stored[:2] }},
		{crash.Lost, func(h *crash.History) { h.Attempts[0].Subjects = append(h.Attempts[0].Subjects, "109") }},
		{crash.Changed, func(h *crash.History) { of(h, 2).Remark = "other" }},
		{crash.Changed, func(h *crash.History) { of(h, 2).Requester = "U0BOB" }},
		{crash.Doubled, func(h *crash.History) {
			v := *of(h, 2)
			v.Number = 4
			h.Stored = append(h.Stored, v)
		}},
		{crash.Reused, func(h *crash.History) { h.Attempts[1].Answers[0].Numbers[0] = 1 }},
		{crash.Invented, func(h *crash.History) { of(h, 2).Reason = "never typed" }},
		{crash.Refused, func(h *crash.History) { h.Attempts[1].Answers = []crash.Answer{{Text: "it is not recorded"}} }},
		{crash.Unsettled, func(h *crash.History) { of(h, 1).State = workflow.Executing }},
		{crash.Unapplied, func(h *crash.History) { h.Applications[0].Applied = false }},
		{crash.AppliedTwo, func(h *crash.History) { h.Applications = append(h.Applications, h.Applications[0]) }},
		{crash.Unapproved, func(h *crash.History) {
			h.Applications = append(h.Applications, crash.Application{System: gpu, Subject: "103"})
		}},
		{crash.Unapproved, func(h *crash.History) { h.Applications[0].Subject = "102" }},
		{crash.CardOne, func(h *crash.History) { h.Messages = h.Messages[1:] }},
		{crash.CardOne, func(h *crash.History) { h.Messages = append(h.Messages, h.Messages[0]) }},
		{crash.CardOne, func(h *crash.History) { h.Messages[0].TS = "9.0" }},
		{crash.CardState, func(h *crash.History) { h.Messages[0].Text = "#1 approved · Invite" }},
		{crash.LiveButton, func(h *crash.History) { h.Messages[5] = approve }},
		{crash.NoButton, func(h *crash.History) { h.Messages[4].Blocks = nil }},
		{crash.ThreadOne, func(h *crash.History) { h.Messages[1].Metadata = nil }},
		{crash.ThreadOne, func(h *crash.History) { h.Messages = append(h.Messages, h.Messages[1]) }},
		{crash.DirectOne, func(h *crash.History) { h.Messages = append(h.Messages, h.Messages[3]) }},
		{crash.DirectOne, func(h *crash.History) { h.Messages = slices.Delete(h.Messages, 2, 3) }},
		{crash.Table, func(h *crash.History) { of(h, 3).State = workflow.Withdrawn }},
		{crash.Table, func(h *crash.History) { h.Trail = slices.Delete(h.Trail, 3, 4) }},
		{crash.Table, func(h *crash.History) {
			h.Trail = append(h.Trail, workflow.Entry{Request: 3, Verb: workflow.Approve, From: workflow.Denied, To: workflow.Approved})
		}},
	}
	tried := map[string]bool{}
	for _, test := range tests {
		h := good()
		test.doctor(h)
		vs := crash.Check(h)
		if !slices.ContainsFunc(vs, func(v crash.Violation) bool { return v.Name == test.breaks }) {
			t.Errorf("doctored so that not %q: found %v", test.breaks, vs)
		}
		tried[test.breaks] = true
	}
	for _, name := range crash.Names() {
		if !tried[name] {
			t.Errorf("nothing here breaks %q", name)
		}
	}
}
