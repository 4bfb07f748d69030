package slackfake_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack/socketmode"

	"countersign/bot/slackfake"
)

// emu calls the control API; body "" is a GET.
func emu(t *testing.T, s *slackfake.Server, path, body string, header map[string]string, out any) int {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/_emu/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if h := header["Host"]; h != "" {
		req.Host = h
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	return resp.StatusCode
}

func TestControl_DrivesAConversation(t *testing.T) {
	s := start(t, slackfake.Options{})
	app(t, s, func(socketmode.Event) (bool, any) { return true, map[string]any{"text": "<!here> #42"} })
	var ack slackfake.Ack
	if status := emu(t, s, "slash", `{"user":"U0REQ","channel":"C0DATA","command":"/access","text":"mine"}`, nil, &ack); status != 200 || ack.Text != "<!here> #42" {
		t.Errorf("slash: %d %+v", status, ack)
	}
	var refused map[string]any
	if status := emu(t, s, "click", `{"user":"U0REQ","channel":"C0DATA","ts":"1.0","action_id":"x"}`, nil, &refused); status != 400 || refused["error"] == nil {
		t.Errorf("click on nothing: %d %v", status, refused)
	}
	var messages []slackfake.Message
	emu(t, s, "messages?ephemeral_to=U0REQ", "", nil, &messages)
	if len(messages) != 1 {
		t.Errorf("messages = %+v", messages)
	}
	var mentions []map[string]any
	emu(t, s, "mentions", "", nil, &mentions)
	if len(mentions) != 1 {
		t.Errorf("mentions = %v", mentions)
	}
	var acks []slackfake.Ack
	emu(t, s, "acks", "", nil, &acks)
	if len(acks) != 1 || acks[0].EnvelopeID != ack.EnvelopeID {
		t.Errorf("acks = %+v", acks)
	}
	var state map[string]any
	emu(t, s, "state", "", nil, &state)
	if state["sockets"] != 1.0 || state["bot_user"] != "U0BOT" {
		t.Errorf("state = %v", state)
	}
	emu(t, s, "fault", `{"method":"auth.test","kind":"error","code":"fatal_error"}`, nil, nil)
	if _, _, body := call(t, s, "auth.test", s.BotToken(), nil); body["error"] != "fatal_error" {
		t.Errorf("fault: %v", body)
	}
	emu(t, s, "seed", `{"users":[{"id":"U0NEW","name":"new"}]}`, nil, nil)
	if u := s.User("U0NEW"); u.Team != "T0HOME" {
		t.Errorf("seeded user = %+v", u)
	}
	before := s.Now()
	emu(t, s, "clock", `{"advance":"1h"}`, nil, nil)
	if s.Now().Sub(before) < time.Hour {
		t.Error("the clock did not move")
	}
	emu(t, s, "reset", `{}`, nil, nil)
	if s.User("U0NEW").ID != "" || len(s.AllMessages()) != 0 {
		t.Error("reset kept something")
	}
}

func TestControl_RefusesOtherOrigins(t *testing.T) {
	s := start(t, slackfake.Options{AllowOrigins: []string{"http://127.0.0.1:4999"}})
	for name, tc := range map[string]struct {
		header map[string]string
		want   int
	}{
		"own":            {map[string]string{"Origin": s.URL()}, 200},
		"allowed":        {map[string]string{"Origin": "http://127.0.0.1:4999"}, 200},
		"none":           {nil, 200},
		"another port":   {map[string]string{"Origin": "http://127.0.0.1:5000"}, 403},
		"internet":       {map[string]string{"Origin": "https://evil.example"}, 403},
		"null":           {map[string]string{"Origin": "null"}, 403},
		"rebound name":   {map[string]string{"Host": "evil.example"}, 403},
		"cross-site tag": {map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	} {
		if got := emu(t, s, "reset", "{}", tc.header, nil); got != tc.want {
			t.Errorf("%s: POST %d, want %d", name, got, tc.want)
		}
		if got := emu(t, s, "state", "", tc.header, nil); got != tc.want {
			t.Errorf("%s: GET %d, want %d", name, got, tc.want)
		}
	}
}

func TestControl_StreamsChanges(t *testing.T) {
	s := start(t, slackfake.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/_emu/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return ""
	}
	first := next()
	if _, err := s.Say("U0REQ", "C0DATA", "", "hi"); err != nil {
		t.Fatal(err)
	}
	if second := next(); first == "" || second == "" || first == second {
		t.Errorf("events %q then %q", first, second)
	}
}
