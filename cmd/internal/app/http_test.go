package app_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

func commandBody(text string) []byte {
	return []byte(url.Values{
		"team_id": {"T0HOME"}, "user_id": {"U0REQ"}, "channel_id": {"C0GENERAL"}, "command": {"/access"}, "text": {text},
		"trigger_id": {"1.2.raw"}, "response_url": {""},
	}.Encode())
}

func TestHTTP_WhatSlackDidNotSign(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{Mode: bot.HTTP})
	body := commandBody("invite 50002 to gpu-lab/1001")
	at := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	sign := func(ts, sig string) http.Header {
		h := http.Header{"Content-Type": {slackfake.FormContent}}
		if ts != "" {
			h.Set("X-Slack-Request-Timestamp", ts)
		}
		if sig != "" {
			h.Set("X-Slack-Signature", sig)
		}
		return h
	}
	now := at(0)
	good := w.Slack.Sign(now, body)
	for _, c := range []struct {
		name   string
		header http.Header
		body   []byte
		want   int
	}{
		{"no signature", sign(now, ""), body, 401},
		{"no timestamp", sign("", good), body, 401},
		{"neither", sign("", ""), body, 401},
		{"wrong signature", sign(now, slackfake.SignWith("another", now, body)), body, 401},
		{"another body's", sign(now, w.Slack.Sign(now, []byte("x"))), body, 401},
		{"a changed body", sign(now, good), append(bytes.Clone(body), "&x=y"...), 401},
		{"cut short", sign(now, good[:20]), body, 401},
		{"no version", sign(now, strings.TrimPrefix(good, "v0=")), body, 401},
		{"another version", sign(now, "v1"+good[2:]), body, 401},
		{"no hexadecimal", sign(now, "v0=zz"), body, 401},
		{"too old", sign(at(-6*time.Minute), w.Slack.Sign(at(-6*time.Minute), body)), body, 401},
		{"from the future", sign(at(6*time.Minute), w.Slack.Sign(at(6*time.Minute), body)), body, 401},
		{"a timestamp that is no number", sign("now", w.Slack.Sign("now", body)), body, 401},
		{"too long", sign(now, good), bytes.Repeat([]byte("x"), 1<<20+1), 413},
		{"too long, and not signed", sign("", ""), bytes.Repeat([]byte("x"), 2<<20), 413},
	} {
		for _, path := range []string{"commands", "interactions", "options", "events"} {
			target := "http://" + w.app.SlackAddr() + "/slack/" + path
			got, _, err := w.Slack.DeliverRaw(t.Context(), target, c.header, c.body)
			if err != nil || got != c.want {
				t.Errorf("%s, %s: status %d %v, want %d", c.name, path, got, err, c.want)
			}
		}
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d requests stored, want none", n)
	}
	got, answer, err := w.Slack.DeliverRaw(t.Context(), "http://"+w.app.SlackAddr()+"/slack/commands", sign(now, good), body)
	if err != nil || got != 200 || numberIn(string(answer)) == 0 {
		t.Errorf("signed well: %d %s %v, want a number", got, answer, err)
	}
	got, answer, err = w.Slack.DeliverRaw(t.Context(), "http://"+w.app.SlackAddr()+"/slack/commands", sign(now, good), body)
	if err != nil || got != 200 || numberIn(string(answer)) != 1 || w.stored() != 1 {
		t.Errorf("replayed: %d %s %v with %d stored, want number 1 again", got, answer, err, w.stored())
	}
}

func TestHTTP_NothingIsReadFromTheQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{Mode: bot.HTTP})
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	payload := `{"type":"block_actions","user":{"id":"U0LEAD","team_id":"T0HOME"},"container":{"type":"message","message_ts":"` + card.TS +
		`","channel_id":"` + card.Channel + `"},"actions":[{"action_id":"approve","block_id":"request:1:act","value":"1"}]}`
	query := "?" + string(commandBody("invite 50006 to gpu-lab/1001")) + "&payload=" + url.QueryEscape(payload)
	for _, body := range []string{"", "a=b"} {
		for _, path := range []string{"commands", "interactions", "options", "events"} {
			_, answer, err := w.Slack.DeliverRaw(t.Context(), "http://"+w.app.SlackAddr()+"/slack/"+path+query,
				w.Slack.SignedHeader([]byte(body), slackfake.FormContent), []byte(body))
			if err != nil || numberIn(string(answer)) != 0 {
				t.Errorf("%s with %q: %s %v", path, body, answer, err)
			}
		}
	}
	if got := w.request(r.Number).State; got != workflow.Pending || w.stored() != 1 {
		t.Errorf("state %s with %d stored, want pending and 1", got, w.stored())
	}
	// The same in the body counts, so the query was what made the difference.
	body := "payload=" + url.QueryEscape(payload)
	if _, _, err := w.Slack.DeliverRaw(t.Context(), "http://"+w.app.SlackAddr()+"/slack/interactions",
		w.Slack.SignedHeader([]byte(body), slackfake.FormContent), []byte(body)); err != nil {
		t.Fatal(err)
	}
	w.becomes(r.Number, workflow.Done)
}

func TestHTTP_WhatSlackChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{Mode: bot.HTTP})
	if err := w.Slack.CheckSSL(t.Context()); err != nil {
		t.Errorf("ssl_check: %v", err)
	}
	if err := w.Slack.VerifyURL(t.Context()); err != nil {
		t.Errorf("url_verification: %v", err)
	}
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/slack/commands"}, {http.MethodPost, "/"}, {http.MethodPost, "/slack/"}, {http.MethodGet, "/metrics"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+w.app.SlackAddr()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 && resp.StatusCode != 405 {
			t.Errorf("%s %s: %d, want 404 or 405", c.method, c.path, resp.StatusCode)
		}
	}
	// Junk that is signed well does no harm.
	for _, body := range []string{"%zz", "payload={", "payload=null", "payload=[]", "payload=1", "{", "null", "payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5Bnull%5D%7D"} {
		for _, path := range []string{"commands", "interactions", "options", "events"} {
			status, _, err := w.Slack.DeliverRaw(t.Context(), "http://"+w.app.SlackAddr()+"/slack/"+path,
				w.Slack.SignedHeader([]byte(body), slackfake.FormContent), []byte(body))
			if err != nil || status >= 500 {
				t.Errorf("%s with %q: %d %v", path, body, status, err)
			}
		}
	}
}

func TestResponseURL_ForeignHostIsNeverPostedTo(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		var hits atomic.Int32
		foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
		defer foreign.Close()
		api, err := url.Parse(w.Slack.APIURL())
		if err != nil {
			t.Fatal(err)
		}
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		for _, to := range []string{
			foreign.URL + "/response", strings.Replace(foreign.URL, "127.0.0.1", "localhost", 1),
			"http://" + api.Host + "@" + strings.TrimPrefix(foreign.URL, "http://") + "/x",
			"//" + strings.TrimPrefix(foreign.URL, "http://"), "http://%zz", "", "file:///etc/passwd", "http://hooks.slack.com/x",
			"https://hooks.slack.com.evil.example/x",
		} {
			// The refusal reaches the person all the same.
			got := w.answered(slackfake.ClickInput{
				User: "U0REQ", Channel: card.Channel, TS: card.TS, ActionID: "approve", Patch: map[string]any{"response_url": to},
			})
			if !strings.Contains(got, "somebody else must decide") {
				t.Errorf("%q: answered %q", to, got)
			}
		}
		if n := hits.Load(); n != 0 {
			t.Errorf("%d posts to a foreign host", n)
		}
		if got := w.request(r.Number).State; got != workflow.Pending {
			t.Errorf("state %s, want pending", got)
		}
	})
}
