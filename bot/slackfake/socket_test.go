package slackfake_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"countersign/bot/slackfake"
)

// link asks for a socket's address.
func link(t *testing.T, s *slackfake.Server) string {
	t.Helper()
	_, _, body := call(t, s, "apps.connections.open", s.AppToken(), nil)
	url, _ := body["url"].(string)
	if url == "" {
		t.Fatalf("apps.connections.open: %v", body)
	}
	return url
}

// dial opens a socket and returns it with the first frame.
func dial(t *testing.T, url string) (*websocket.Conn, map[string]any) {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), url, http.Header{"Origin": {"https://api.slack.com"}})
	if err != nil {
		t.Fatalf("%v, %v", err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, frame(t, conn)
}

func frame(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	var out map[string]any
	if err := conn.ReadJSON(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSocket_TicketsAreGoodOnce(t *testing.T) {
	s := start(t, slackfake.Options{})
	url := link(t, s)
	if _, hello := dial(t, url); hello["type"] != "hello" || hello["num_connections"] != 1.0 {
		t.Errorf("first frame = %v", hello)
	}
	for name, u := range map[string]string{"used": url, "made up": s.WebSocketURL() + "?ticket=x", "none": s.WebSocketURL()} {
		_, resp, err := websocket.DefaultDialer.DialContext(t.Context(), u, nil)
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s ticket: %v, %v", name, resp, err)
		}
	}
}

func TestSocket_TenAtMost(t *testing.T) {
	s := start(t, slackfake.Options{})
	for range 10 {
		dial(t, link(t, s))
	}
	waitSockets(t, s, 10)
	if _, first := dial(t, link(t, s)); first["type"] != "disconnect" || first["reason"] != "too_many_websockets" {
		t.Errorf("socket 11: %v", first)
	}
	if n := s.Sockets(); n != 10 {
		t.Errorf("%d sockets", n)
	}
}

// Who has read the hello can be delivered to, and nothing is delivered before it.
func TestSocket_HelloComesFirstAndCounts(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: 5 * time.Millisecond})
	typing, stop := context.WithCancel(t.Context())
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		for typing.Err() == nil {
			_, _ = s.Slash(typing, slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"})
		}
	}()
	for range 100 {
		conn, first := dial(t, link(t, s))
		if n := s.Sockets(); first["type"] != "hello" || n != 1 {
			t.Errorf("the first frame is %v, and there are %d sockets, want a hello and one", first["type"], n)
		}
		_ = conn.Close()
		waitSockets(t, s, 0)
	}
	stop()
	<-typed
}

// A connection that is dead is not delivered to, also in the instant before its reader notices.
func TestSocket_DroppedCountsNoMore(t *testing.T) {
	s := start(t, slackfake.Options{})
	for range 50 {
		dial(t, link(t, s))
		s.DropSockets()
		if n := s.Sockets(); n != 0 {
			t.Fatalf("%d sockets right after they were dropped", n)
		}
	}
}

func TestSocket_RefusedAtOnce(t *testing.T) {
	s := start(t, slackfake.Options{})
	s.RefuseSockets("link_disabled")
	if _, first := dial(t, link(t, s)); first["type"] != "disconnect" || first["reason"] != "link_disabled" {
		t.Errorf("first frame = %v", first)
	}
	s.RefuseSockets("")
	if _, first := dial(t, link(t, s)); first["type"] != "hello" {
		t.Errorf("first frame = %v", first)
	}
}

func TestSocket_Pings(t *testing.T) {
	s := start(t, slackfake.Options{PingInterval: 10 * time.Millisecond})
	conn, _ := dial(t, link(t, s))
	pings := make(chan string, 100)
	conn.SetPingHandler(func(data string) error { pings <- data; return nil })
	go func() { _, _, _ = conn.ReadMessage() }()
	for range 3 {
		select {
		case <-pings:
		case <-time.After(30 * time.Second):
			t.Fatal("no ping")
		}
	}
	s.StopPings(true)
	quiet := false
	for range 20 { // what was sent before may still be read
		for len(pings) > 0 {
			<-pings
		}
		time.Sleep(100 * time.Millisecond)
		if quiet = len(pings) == 0; quiet {
			break
		}
	}
	if !quiet {
		t.Error("pings after StopPings")
	}
}

// Slack drops an acknowledgement of 20 kB without a word, and knows its own envelopes.
func TestSocket_AcksThatAnswerNothing(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: 2 * time.Second})
	conn, _ := dial(t, link(t, s))
	waitSockets(t, s, 1)
	done := make(chan slackfake.Ack, 1)
	go func() {
		ack, _ := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"})
		done <- ack
	}()
	env := frame(t, conn)
	if env["type"] != "slash_commands" || env["accepts_response_payload"] != true {
		t.Errorf("envelope = %v", env)
	}
	big := map[string]any{"envelope_id": env["envelope_id"], "payload": map[string]any{"text": strings.Repeat("x", 20*1024)}}
	_ = conn.WriteJSON(map[string]any{"envelope_id": "made-up"})
	_ = conn.WriteJSON(big)
	if ack := <-done; ack.Err != "operation_timeout" {
		t.Errorf("ack = %+v", ack)
	}
	_ = conn.WriteJSON(map[string]any{"envelope_id": env["envelope_id"]})
	eventually(t, s, func() bool { return len(s.Acks()) == 4 })
	var notes []string
	for _, a := range s.Acks() {
		notes = append(notes, a.Note)
	}
	if !slices.Equal(notes, []string{"unknown", "payload_too_large", "", "late"}) {
		t.Errorf("notes = %q", notes)
	}
}

func TestSocket_PayloadsThatAreNone(t *testing.T) {
	s := start(t, slackfake.Options{})
	conn, _ := dial(t, link(t, s))
	answer := func(payload string) slackfake.Ack {
		done := make(chan slackfake.Ack, 1)
		go func() {
			ack, _ := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"})
			done <- ack
		}()
		id, _ := frame(t, conn)["envelope_id"].(string)
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"payload":`+payload+`,"envelope_id":"`+id+`"}`))
		return <-done
	}
	for payload, want := range map[string]string{
		`"x"`: "invalid_payload", `[]`: "invalid_payload", `null`: "", `{}`: "", `{"text":"#1"}`: "", `{"blocks":[],"text":"#2"}`: "",
	} {
		ack := answer(payload)
		if ack.Err != want || strings.Contains(payload, "#") != strings.HasPrefix(ack.Text, "#") {
			t.Errorf("%s: %q %q, want %q", payload, ack.Err, ack.Text, want)
		}
	}
}

// What is delivered as it is comes back as it is, whatever it is, and leaves other deliveries alone.
func TestDeliver_AsItIs(t *testing.T) {
	s := start(t, slackfake.Options{})
	if _, err := s.Deliver(t.Context(), "slash_commands", []byte(`{}`)); err == nil {
		t.Error("nobody is connected, and it is delivered")
	}
	conn, _ := dial(t, link(t, s))
	frames := make(chan map[string]any, 2)
	go func() {
		for range 2 {
			f := frame(t, conn)
			frames <- f
			id, _ := f["envelope_id"].(string)
			_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"`+id+`","payload":{"text":"#1","blocks":"not any"}}`))
		}
	}()
	got, err := s.Deliver(t.Context(), "slash_commands", []byte(`{"command":"/x","text":"as is"}`))
	sent := <-frames
	want := fmt.Sprintf(`{"envelope_id":%q,"payload":{"text":"#1","blocks":"not any"}}`, sent["envelope_id"])
	if payload, _ := sent["payload"].(map[string]any); err != nil || string(got) != want || payload["text"] != "as is" || sent["type"] != "slash_commands" {
		t.Errorf("sent %v, acknowledged %s, %v", sent, got, err)
	}
	if len(s.Ephemerals("U0REQ")) != 0 || len(s.Acks()) != 0 {
		t.Errorf("it is shown or kept: %v, %v", s.Ephemerals("U0REQ"), s.Acks())
	}
	ack, err := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"})
	if err != nil || ack.Err != "invalid_command_response" {
		t.Errorf("the same answer to a command that is looked at: %+v, %v", ack, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Deliver(ctx, "slash_commands", []byte(`{}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("unacknowledged: %v", err)
	}
}

func TestSocket_CutAfterSendIsRedeliveredWhereAsked(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: time.Second})
	app(t, s, func(socketmode.Event) (bool, any) { return true, map[string]any{"text": "in time"} })
	in := slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"}
	conn, _ := dial(t, link(t, s)) // one that never answers
	waitSockets(t, s, 2)
	for _, again := range []bool{true, false} {
		s.RedeliverUnacked(again)
		lost := 0
		// Half of them go to the socket that never answers.
		for range 20 {
			ack, _ := s.Slash(t.Context(), in)
			if ack.Err != "" {
				lost++
			}
			if lost > 0 || ack.Attempt > 0 {
				break
			}
		}
		if again != (lost == 0) {
			t.Errorf("redelivery %t: %d commands lost", again, lost)
		}
	}
	_ = conn.Close()
	waitSockets(t, s, 1)
	s.CutAfterSend(1)
	_, _ = s.Slash(t.Context(), in)
	eventually(t, s, func() bool { return len(s.Connects()) == 3 && s.Sockets() == 1 })
}

func TestSubmit_ErrorsStandAtInputBlocksOnly(t *testing.T) {
	s := start(t, slackfake.Options{})
	answer := any(map[string]any{"response_action": "errors", "errors": map[string]any{"elsewhere": "x"}})
	app(t, s, func(socketmode.Event) (bool, any) { return true, answer })
	c := client(s)
	v := form()
	ack, err := s.Shortcut(t.Context(), "open", "U0REQ")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenView(ack.TriggerID, v); err != nil {
		t.Fatal(err)
	}
	values := map[string]map[string]any{"because": {"because": "x"}}
	submit := func() slackfake.Ack {
		ack, err := s.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", Values: values})
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	if ack := submit(); ack.Err != "invalid_errors" {
		t.Errorf("errors elsewhere: %+v", ack)
	}
	answer = map[string]any{"response_action": "push", "view": form()}
	for want := 2; want <= 3; want++ {
		if ack := submit(); !ack.OK() || len(s.Views("U0REQ")) != want {
			t.Errorf("push: %+v, %d views", ack, len(s.Views("U0REQ")))
		}
	}
	if ack := submit(); ack.Err != "push_limit_reached" {
		t.Errorf("push on three: %+v", ack)
	}
	if _, err := c.PushView(submit().TriggerID, form()); code(err) != "push_limit_reached" {
		t.Errorf("views.push on three: %v", err)
	}
	bad := form()
	bad.Title = plain(strings.Repeat("x", 25))
	answer = map[string]any{"response_action": "update", "view": bad}
	if ack := submit(); ack.Err != "invalid_view" {
		t.Errorf("a bad view: %+v", ack)
	}
	answer = map[string]any{"response_action": "clear"}
	if ack := submit(); !ack.OK() || len(s.Views("U0REQ")) != 0 {
		t.Errorf("clear: %+v, %d views", ack, len(s.Views("U0REQ")))
	}
}

func TestSuggest(t *testing.T) {
	s := start(t, slackfake.Options{})
	answer := any(map[string]any{"options": []any{map[string]any{"text": plain("Lab"), "value": "gpu-lab"}}})
	queries := make(chan string, 2)
	app(t, s, func(evt socketmode.Event) (bool, any) {
		in := evt.Data.(slack.InteractionCallback)
		if in.Type == slack.InteractionTypeBlockSuggestion {
			queries <- in.ActionID + "=" + in.Value
		}
		return true, answer
	})
	v := form()
	element := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain("which"), "group")
	v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewInputBlock("group", plain("Group"), nil, element))
	ack, _ := s.Shortcut(t.Context(), "open", "U0REQ")
	if _, err := client(s).OpenView(ack.TriggerID, v); err != nil {
		t.Fatal(err)
	}
	in := slackfake.SuggestInput{User: "U0REQ", ActionID: "group", Value: "gpu"}
	ack, err := s.Suggest(t.Context(), in)
	if err != nil || !ack.OK() || <-queries != "group=gpu" || len(ack.Payload["options"].([]any)) != 1 {
		t.Errorf("suggest: %+v, %v", ack, err)
	}
	answer = map[string]any{}
	if ack, _ := s.Suggest(t.Context(), in); ack.Err != "invalid_options" {
		t.Errorf("no options: %+v", ack)
	}
}
