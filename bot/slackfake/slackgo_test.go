package slackfake_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"countersign/bot/slackfake"
)

// start runs a server for the length of a test.
func start(t *testing.T, o slackfake.Options) *slackfake.Server {
	t.Helper()
	s, err := slackfake.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(s *slackfake.Server) *slack.Client {
	return slack.New(s.BotToken(), slack.OptionAppLevelToken(s.AppToken()), slack.OptionAPIURL(s.APIURL()),
		slack.OptionHTTPClient(&http.Client{Timeout: 30 * time.Second}))
}

// app runs a Socket Mode client that hands every request to handle, which returns the payload of its answer.
func app(t *testing.T, s *slackfake.Server, handle func(socketmode.Event) (ack bool, payload any)) {
	t.Helper()
	sm := socketmode.New(client(s))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = sm.RunContext(ctx) }()
	go func() {
		for {
			select {
			case evt := <-sm.Events:
				switch evt.Type {
				case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
				default:
					continue
				}
				ack, payload := handle(evt)
				if !ack {
					continue
				}
				if payload == nil {
					_ = sm.AckCtx(ctx, evt.Request.EnvelopeID, nil)
				} else {
					_ = sm.AckCtx(ctx, evt.Request.EnvelopeID, payload)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	waitSockets(t, s, 1)
}

func waitSockets(t *testing.T, s *slackfake.Server, n int) {
	t.Helper()
	eventually(t, s, func() bool { return s.Sockets() == n })
}

func eventually(t *testing.T, s *slackfake.Server, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.WaitFor(ctx, cond); err != nil {
		t.Fatal(err)
	}
}

func code(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	if err != nil {
		return "not Slack's: " + err.Error()
	}
	return ""
}

func plain(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject("plain_text", s, false, false)
}

func card(verbs ...string) []slack.Block {
	var buttons []slack.BlockElement
	for _, v := range verbs {
		buttons = append(buttons, slack.NewButtonBlockElement(v, "42", plain(v)))
	}
	blocks := []slack.Block{slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "*Request 42*", false, false), nil, nil)}
	if len(buttons) > 0 {
		blocks = append(blocks, slack.NewActionBlock("request:42", buttons...))
	}
	return blocks
}

func form() slack.ModalViewRequest {
	input := slack.NewPlainTextInputBlockElement(nil, "because")
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: "deny", Title: plain("Deny"), Submit: plain("Deny"), Close: plain("Cancel"),
		NotifyOnClose: true,
		Blocks:        slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("because", plain("Why"), nil, input)}},
	}
}

func TestSlackGo_SlashIsAnsweredInPrivate(t *testing.T) {
	s := start(t, slackfake.Options{})
	got := make(chan slack.SlashCommand, 1)
	app(t, s, func(evt socketmode.Event) (bool, any) {
		got <- evt.Data.(slack.SlashCommand)
		return true, map[string]any{"text": "accepted #42"}
	})
	ack, err := s.Slash(t.Context(), slackfake.SlashInput{
		User: "U0REQ", Channel: "C0DATA", Command: "/access", Text: "add @alice to warehouse/a & b",
	})
	if err != nil || !ack.OK() {
		t.Fatalf("ack = %+v, %v", ack, err)
	}
	cmd := <-got
	if want := "add <@U0ALICE> to warehouse/a &amp; b"; cmd.Text != want {
		t.Errorf("text = %q, want %q", cmd.Text, want)
	}
	if cmd.TriggerID != ack.TriggerID || cmd.UserID != "U0REQ" || cmd.ChannelID != "C0DATA" || cmd.TeamID != "T0HOME" {
		t.Errorf("command = %+v", cmd)
	}
	private := s.Ephemerals("U0REQ")
	if len(private) != 1 || private[0].Text != "accepted #42" || ack.Text != "accepted #42" {
		t.Errorf("shown = %+v, ack %q", private, ack.Text)
	}
	if open := s.Messages("C0DATA"); len(open) != 0 {
		t.Errorf("the answer is in the open: %+v", open)
	}
	if ack.Latency <= 0 || ack.EnvelopeID == "" {
		t.Errorf("ack = %+v", ack)
	}
}

func TestSlackGo_ButtonOpensModalAndSubmissionIsRefusedThenAccepted(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	answers := make(chan any, 2)
	answers <- map[string]any{"response_action": "errors", "errors": map[string]string{"because": "say more"}}
	clicks := make(chan slack.InteractionCallback, 10)
	app(t, s, func(evt socketmode.Event) (bool, any) {
		in := evt.Data.(slack.InteractionCallback)
		clicks <- in
		if in.Type == slack.InteractionTypeViewSubmission {
			select {
			case a := <-answers:
				return true, a
			default:
				return true, nil
			}
		}
		if in.Type == slack.InteractionTypeBlockActions {
			if _, err := c.OpenViewContext(t.Context(), in.TriggerID, form()); err != nil {
				t.Error(err)
			}
		}
		return true, nil
	})
	_, ts, err := c.PostMessage("C0APPROVALS", slack.MsgOptionText("Request 42", false), slack.MsgOptionBlocks(card("approve", "deny")...))
	if err != nil {
		t.Fatal(err)
	}
	ack, err := s.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", Channel: "C0APPROVALS", TS: ts, ActionID: "deny"})
	if err != nil || !ack.OK() {
		t.Fatalf("click: %+v, %v", ack, err)
	}
	in := <-clicks
	a := in.ActionCallback.BlockActions[0]
	if a.ActionID != "deny" || a.Value != "42" || a.BlockID != "request:42" || in.User.ID != "U0LEAD" ||
		in.User.TeamID != "T0HOME" || in.Message.Timestamp != ts || in.Container.MessageTs != ts || in.Channel.ID != "C0APPROVALS" {
		t.Errorf("click = %+v", in)
	}
	v, ok := s.View("U0LEAD")
	if !ok || v.CallbackID != "deny" || v.Title != "Deny" {
		t.Fatalf("view = %+v", v)
	}
	if _, err := s.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD"}); err == nil {
		t.Error("an empty required input was submitted")
	}
	values := map[string]map[string]any{"because": {"because": "no"}}
	if ack, err := s.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", Values: values}); err != nil || !ack.OK() {
		t.Fatalf("submit: %+v, %v", ack, err)
	}
	sub := <-clicks
	if got := sub.View.State.Values["because"]["because"].Value; got != "no" || sub.View.ID != v.ID {
		t.Errorf("submitted %q on %s", got, sub.View.ID)
	}
	if v, ok := s.View("U0LEAD"); !ok || v.Errors["because"] != "say more" {
		t.Errorf("the modal with its error is gone: %+v", v)
	}
	if ack, err := s.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD"}); err != nil || !ack.OK() {
		t.Fatalf("submit: %+v, %v", ack, err)
	}
	if v, ok := s.View("U0LEAD"); ok {
		t.Errorf("the modal stays: %+v", v)
	}
}

// A menu of several tells all that are chosen, on a message and in a modal, where it also becomes the field's value.
func TestSlackGo_MenuOfSeveral(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	menu := slack.NewActionBlock("b", slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeExternal,
		slack.NewTextBlockObject(slack.PlainTextType, "Who", false, false), "who"))
	acted := make(chan slack.InteractionCallback, 10)
	app(t, s, func(evt socketmode.Event) (bool, any) {
		acted <- evt.Data.(slack.InteractionCallback)
		return true, nil
	})
	_, ts, err := c.PostMessage("C0APPROVALS", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(menu))
	if err != nil {
		t.Fatal(err)
	}
	on := slackfake.ClickInput{User: "U0LEAD", Channel: "C0APPROVALS", TS: ts, ActionID: "who", Values: []string{"1", "2"}}
	for _, where := range []string{"message", "modal"} {
		if ack, err := s.Click(t.Context(), on); err != nil || !ack.OK() {
			t.Fatalf("%s: %+v, %v", where, ack, err)
		}
		in := <-acted
		if got := in.ActionCallback.BlockActions[0].SelectedOptions; len(got) != 2 || got[0].Value != "1" || got[1].Value != "2" {
			t.Errorf("%s: chosen %+v", where, got)
		}
		if where == "modal" {
			if got := in.View.State.Values["b"]["who"].SelectedOptions; len(got) != 2 {
				t.Errorf("the view holds %+v", got)
			}
			break
		}
		view := slack.ModalViewRequest{
			Type: slack.VTModal, Title: slack.NewTextBlockObject(slack.PlainTextType, "T", false, false),
			Blocks: slack.Blocks{BlockSet: []slack.Block{menu}},
		}
		v, err := c.OpenViewContext(t.Context(), in.TriggerID, view)
		if err != nil {
			t.Fatal(err)
		}
		on = slackfake.ClickInput{User: "U0LEAD", ViewID: v.ID, ActionID: "who", Values: []string{"1", "2"}}
	}
}

func TestSlackGo_Reconnects(t *testing.T) {
	s := start(t, slackfake.Options{})
	app(t, s, func(socketmode.Event) (bool, any) { return true, map[string]any{"text": "here"} })
	for name, end := range map[string]func(){
		"refresh": func() { s.Disconnect("refresh_requested") },
		"cut":     s.DropSockets,
	} {
		before := len(s.Connects())
		end()
		eventually(t, s, func() bool { return len(s.Connects()) > before && s.Sockets() == 1 })
		// The one socket may be the old one still, and gone by the time of the command.
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			ack, err := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"})
			if err == nil && ack.Text == "here" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: after it, ack = %+v, %v", name, ack, err)
			}
		}
	}
}

func TestSlackGo_NobodyThereAndNobodyAnswers(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: 200 * time.Millisecond})
	in := slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"}
	if ack, _ := s.Slash(t.Context(), in); ack.Err != "dispatch_failed" {
		t.Errorf("no socket: %+v", ack)
	}
	app(t, s, func(socketmode.Event) (bool, any) { return false, nil })
	if ack, _ := s.Slash(t.Context(), in); ack.Err != "operation_timeout" || ack.Latency < 200*time.Millisecond {
		t.Errorf("no answer: %+v", ack)
	}
}

func TestSlackGo_RedeliveryAndDuplicates(t *testing.T) {
	s := start(t, slackfake.Options{})
	seen := make(chan *socketmode.Request, 10)
	app(t, s, func(evt socketmode.Event) (bool, any) {
		seen <- evt.Request
		return true, map[string]any{"text": "ok"}
	})
	in := slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"}
	s.RedeliverNext()
	ack, _ := s.Slash(t.Context(), in)
	first, second := <-seen, <-seen
	if first.RetryAttempt != 0 || second.RetryAttempt != 1 || second.RetryReason != "timeout" || ack.Attempt != 1 {
		t.Errorf("redelivery: %+v then %+v, ack %+v", first, second, ack)
	}
	if a, b := string(first.Payload), string(second.Payload); a != b {
		t.Errorf("a redelivery is another payload:\n%s\n%s", a, b)
	}
	s.Duplicate(1)
	if _, err := s.Slash(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	<-seen
	<-seen
	eventually(t, s, func() bool { return len(s.Ephemerals("U0REQ")) >= 3 }) // the copy is answered in its own time
	if n := len(s.Ephemerals("U0REQ")); n != 3 {
		t.Errorf("%d answers shown, want 1 of the redelivery and 2 of the duplicate", n)
	}
}

func TestSlackGo_HomeAndEvents(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	kinds := make(chan socketmode.EventType, 1)
	app(t, s, func(evt socketmode.Event) (bool, any) { kinds <- evt.Type; return true, nil })
	if ack, err := s.OpenHome(t.Context(), "U0LEAD"); err != nil || !ack.OK() {
		t.Fatalf("home: %+v, %v", ack, err)
	}
	if k := <-kinds; k != socketmode.EventTypeEventsAPI {
		t.Errorf("event type = %s", k)
	}
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: card("approve")}}
	if _, err := c.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U0LEAD", View: home}); err != nil {
		t.Fatal(err)
	}
	v, ok := s.Home("U0LEAD")
	if !ok || len(slackfake.ButtonsIn(v.Blocks)) != 1 {
		t.Fatalf("home = %+v", v)
	}
	go func() {
		_, _ = s.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", ViewID: v.ID, ActionID: "approve"})
	}()
	if k := <-kinds; k != socketmode.EventTypeInteractive {
		t.Errorf("click in the Home tab came as %s", k)
	}
	stale := "0.stale"
	_, err := c.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U0LEAD", View: home, Hash: &stale})
	if got := code(err); got != "hash_conflict" {
		t.Errorf("old hash: %q", got)
	}
}
