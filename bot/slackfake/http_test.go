package slackfake_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"countersign/bot/slackfake"
)

// The official example of docs.slack.dev/authentication/verifying-requests-from-slack.
func TestSignWith_OfficialVector(t *testing.T) {
	body := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
		"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com" +
		"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	got := slackfake.SignWith("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", []byte(body))
	if want := "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"; got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
}

// listen is an app in HTTP mode that verifies with slack-go and answers with what handle returns.
func listen(t *testing.T, s *slackfake.Server, handle func(w http.ResponseWriter, form url.Values, h http.Header)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		v, err := slack.NewSecretsVerifier(r.Header, s.SigningSecret())
		if err == nil {
			_, _ = v.Write(raw)
			err = v.Ensure()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		form, _ := url.ParseQuery(string(raw))
		handle(w, form, r.Header)
	}))
	t.Cleanup(srv.Close)
	s.SetHTTP(slackfake.HTTPTarget{Commands: srv.URL + "/slack/commands", Interactions: srv.URL + "/slack/interactions"})
	return srv.URL
}

func TestHTTP_AnswersOfASlashCommand(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: time.Second})
	over := make(chan struct{})
	defer close(over)
	answer := func(w http.ResponseWriter) {}
	listen(t, s, func(w http.ResponseWriter, form url.Values, _ http.Header) {
		if form.Get("command") != "/access" || form.Get("is_enterprise_install") != "false" {
			t.Errorf("form = %v", form)
		}
		answer(w)
	})
	for _, tc := range []struct {
		name      string
		answer    func(http.ResponseWriter)
		err, text string
	}{
		{"empty", func(http.ResponseWriter) {}, "", ""},
		{"plain text", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hello") }, "", "hello"},
		{"JSON", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"text":"in JSON"}`)
		}, "", "in JSON"},
		{"bad blocks", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"text":"x","blocks":[{"type":"x"}]}`)
		}, "invalid_command_response", "invalid_blocks"},
		{"status 500", func(w http.ResponseWriter) { w.WriteHeader(500) }, "dispatch_unknown_error", ""},
		{"too late", func(http.ResponseWriter) { <-over }, "operation_timeout", ""},
	} {
		answer = tc.answer
		ack, err := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"})
		if err != nil || ack.Err != tc.err || ack.Text != tc.text {
			t.Errorf("%s: %+v, %v; want %q %q", tc.name, ack, err, tc.err, tc.text)
		}
	}
	s.SetHTTP(slackfake.HTTPTarget{Commands: "http://127.0.0.1:1/"})
	if ack, _ := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0DATA", Command: "/access"}); ack.Err != "dispatch_failed" {
		t.Errorf("nobody listens: %+v", ack)
	}
}

func TestHTTP_ForgeriesReachTheAppAsTheyAre(t *testing.T) {
	s := start(t, slackfake.Options{})
	base := listen(t, s, func(http.ResponseWriter, url.Values, http.Header) {})
	body := []byte("command=%2Faccess")
	good := s.SignedHeader(body, slackfake.FormContent)
	forged := good.Clone()
	forged.Set("X-Slack-Signature", s.Sign("1", body))
	old := good.Clone()
	stamp := strconv.FormatInt(time.Now().Add(-400*time.Second).Unix(), 10)
	old.Set("X-Slack-Request-Timestamp", stamp)
	old.Set("X-Slack-Signature", s.Sign(stamp, body))
	for name, tc := range map[string]struct {
		header http.Header
		body   []byte
		want   int
	}{
		"good": {good, body, 200}, "replayed": {good, body, 200}, "forged": {forged, body, 401}, "old": {old, body, 401},
		"other body": {good, []byte("command=%2Fother"), 401}, "unsigned": {http.Header{}, body, 401},
	} {
		status, _, err := s.DeliverRaw(t.Context(), base, tc.header, tc.body)
		if err != nil || status != tc.want {
			t.Errorf("%s: %d, %v, want %d", name, status, err, tc.want)
		}
	}
}

func TestHTTP_EventsAreRetriedUnlessForbidden(t *testing.T) {
	s := start(t, slackfake.Options{})
	var nums []string
	forbid := false
	listen(t, s, func(w http.ResponseWriter, _ url.Values, h http.Header) {
		nums = append(nums, h.Get("X-Slack-Retry-Num")+h.Get("X-Slack-Retry-Reason"))
		if forbid {
			w.Header().Set("X-Slack-No-Retry", "1")
		}
		w.WriteHeader(500)
	})
	if _, err := s.OpenHome(t.Context(), "U0REQ"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(nums, " "); got != " 1http_error 2http_error 3http_error" {
		t.Errorf("deliveries = %q", got)
	}
	nums, forbid = nil, true
	if _, err := s.OpenHome(t.Context(), "U0REQ"); err != nil {
		t.Fatal(err)
	}
	if len(nums) != 1 {
		t.Errorf("deliveries = %q, want one", nums)
	}
}
