package bot

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// Slack's own example: https://docs.slack.dev/authentication/verifying-requests-from-slack.
const (
	vectorSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	vectorTime   = "1531420618"
	vectorBody   = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	vectorSign   = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
)

func TestVerify_SlacksOwnVector(t *testing.T) {
	at := time.Unix(1531420618, 0)
	for _, c := range []struct {
		name, secret, ts, sig, body string
		now                         time.Time
		want                        bool
	}{
		{"as Slack sends it", vectorSecret, vectorTime, vectorSign, vectorBody, at, true},
		{"five minutes later", vectorSecret, vectorTime, vectorSign, vectorBody, at.Add(5 * time.Minute), true},
		{"five minutes before", vectorSecret, vectorTime, vectorSign, vectorBody, at.Add(-5 * time.Minute), true},
		{"later", vectorSecret, vectorTime, vectorSign, vectorBody, at.Add(5*time.Minute + time.Second), false},
		{"before", vectorSecret, vectorTime, vectorSign, vectorBody, at.Add(-5*time.Minute - time.Second), false},
		{"another secret", "x", vectorTime, vectorSign, vectorBody, at, false},
		{"no secret", "", vectorTime, vectorSign, vectorBody, at, false},
		{"another time", vectorSecret, "1531420619", vectorSign, vectorBody, at, false},
		{"another body", vectorSecret, vectorTime, vectorSign, vectorBody + " ", at, false},
		{"no version", vectorSecret, vectorTime, vectorSign[3:], vectorBody, at, false},
		{"empty", vectorSecret, vectorTime, "", vectorBody, at, false},
		{"v0= alone", vectorSecret, vectorTime, "v0=", vectorBody, at, false},
		{"in capitals", vectorSecret, vectorTime, "v0=" + strings.ToUpper(vectorSign[3:]), vectorBody, at, true},
		{"time with a blank", vectorSecret, " " + vectorTime, vectorSign, vectorBody, at, false},
		{"largest time", vectorSecret, "9223372036854775807", vectorSign, vectorBody, at, false},
		{"smallest time", vectorSecret, "-9223372036854775808", vectorSign, vectorBody, at, false},
	} {
		if got := verify(c.secret, c.ts, c.sig, []byte(c.body), c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorSecret, vectorTime, vectorSign, []byte(vectorBody))
	f.Add("", "0", "v0=", []byte(nil))
	f.Fuzz(func(t *testing.T, secret, ts, sig string, body []byte) {
		sec, _ := strconv.ParseInt(ts, 10, 64)
		if ok := verify(secret, ts, sig, body, time.Unix(sec, 0)); ok && (secret == "" || !strings.HasPrefix(sig, "v0=") || len(sig) != 67) {
			t.Errorf("taken: secret %q, time %q, signature %q", secret, ts, sig)
		}
	})
}

func FuzzPayloads(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"type":"block_actions","actions":[{"action_id":"approve","value":"1"}],"container":{"type":"view"}}`,
		`{"type":"view_submission","view":{"callback_id":"deny","state":{"values":{"reason":{"reason":{"value":null}}}}}}`,
		`{"view":{"state":{"values":{"system":{"system":{"selected_option":{"value":"x"}},"who":null}}}}}`,
		`{"user":{"id":1}}`, `{"actions":null}`, `{"text":"x","is_enterprise_install":true}`, `{"team_id":null,"enterprise":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if i, err := parseInteraction(raw); err == nil {
			channel, ts := i.place()
			if p := i.person(); p.User != i.User.ID || p.Team != i.User.TeamID {
				t.Errorf("the person %+v is not that of the payload", p)
			}
			_ = channel + ts
			if i.View != nil {
				_ = values(*i.View)
				_ = i.View.input(denyInput)
			}
		}
		if p, err := parseSlash(raw); err == nil && (p.person() != workflow.Person{User: p.UserID, Team: p.TeamID}) {
			t.Errorf("the person %+v is not that of the payload", p.person())
		}
	})
}

func FuzzSlashForm(f *testing.F) {
	f.Add(vectorBody)
	f.Add("text=a&text=b&user_id=%00")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		p := slashFromForm(form)
		if p.Text != form.Get("text") || p.UserID != form.Get("user_id") || p.TeamID != form.Get("team_id") {
			t.Errorf("%q is read as %+v", body, p)
		}
	})
}

func TestPayload_UnknownThingsAreIgnored(t *testing.T) {
	raw := `{"type":"block_actions","enterprise":null,"new":{"a":[1]},"user":{"id":"U1","team_id":"T1","x":1},
		"container":{"type":"message","message_ts":"1.2","channel_id":"C1"},"message":{"blocks":[{"type":"brand_new","x":{}}]},
		"state":{"values":{}},"actions":[{"type":"brand_new","action_id":"approve","block_id":"b","value":"1","selected":{}}]}`
	i, err := parseInteraction([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if channel, ts := i.place(); channel != "C1" || ts != "1.2" || i.person() != (workflow.Person{User: "U1", Team: "T1"}) || len(i.Actions) != 1 {
		t.Errorf("read as %+v", i)
	}
}

func TestPacer_SpacesConnections(t *testing.T) {
	p := &pacer{}
	now := time.Unix(1000, 0)
	var waits []time.Duration
	for range 8 {
		wait := p.take(now)
		waits = append(waits, wait)
		now = now.Add(wait)
	}
	want := []time.Duration{0, 1, 2, 4, 8, 16, 30, 30}
	for i, w := range want {
		if waits[i] != w*time.Second {
			t.Fatalf("waits %v, want %v seconds", waits, want)
		}
	}
	p.hello()
	if got := p.take(now); got != time.Second {
		t.Errorf("after a hello: %v, want 1s", got)
	}
	if got := p.take(now.Add(time.Hour)); got != 0 {
		t.Errorf("after an hour: %v, want none", got)
	}
}

func TestPacer_LeavesOtherCallsAlone(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer srv.Close()
	p := &pacer{next: http.DefaultTransport, spacing: time.Minute, last: time.Now()}
	client := &http.Client{Transport: p, Timeout: time.Second}
	resp, err := client.Get(srv.URL + "/api/chat.postMessage")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp, err := client.Get(srv.URL + "/api/apps.connections.open"); err == nil {
		resp.Body.Close()
		t.Error("a connection was opened without a pause")
	}
}

// The errors are those that slack-go makes of Slack's answers, not made up.
func TestSlackError_SortsWhatSlackAnswers(t *testing.T) {
	type answer struct {
		status int
		retry  string
		body   string
	}
	const later, dead, other = "later", "undeliverable", "other"
	for name, c := range map[string]struct {
		answer answer
		want   string
		after  time.Duration
	}{
		"429 with seconds":    {answer{429, "7", `{"ok":false,"error":"ratelimited"}`}, later, 7 * time.Second},
		"429 without":         {answer{429, "", `{"ok":false,"error":"ratelimited"}`}, later, defaultWait},
		"429 with a fraction": {answer{429, "1.5", `{"ok":false,"error":"ratelimited"}`}, later, defaultWait},
		"429 with a date":     {answer{429, "Wed, 21 Oct 2026 07:28:00 GMT", ""}, later, defaultWait},
		"200 rate_limited":    {answer{200, "", `{"ok":false,"error":"rate_limited"}`}, later, defaultWait},
		"200 ratelimited":     {answer{200, "", `{"ok":false,"error":"ratelimited"}`}, later, defaultWait},
		"channel_not_found":   {answer{200, "", `{"ok":false,"error":"channel_not_found"}`}, dead, 0},
		"is_archived":         {answer{200, "", `{"ok":false,"error":"is_archived"}`}, dead, 0},
		"message_not_found":   {answer{200, "", `{"ok":false,"error":"message_not_found"}`}, dead, 0},
		"cant_update_message": {answer{200, "", `{"ok":false,"error":"cant_update_message"}`}, dead, 0},
		"invalid_blocks":      {answer{200, "", `{"ok":false,"error":"invalid_blocks","errors":["x"]}`}, dead, 0},
		"internal_error":      {answer{200, "", `{"ok":false,"error":"internal_error"}`}, other, 0},
		"fatal_error":         {answer{200, "", `{"ok":false,"error":"fatal_error"}`}, other, 0},
		"token_revoked":       {answer{200, "", `{"ok":false,"error":"token_revoked"}`}, other, 0},
		"500 of a proxy":      {answer{500, "", "<html>"}, other, 0},
		"200 with HTML":       {answer{200, "", "<html>"}, other, 0},
		"an empty answer":     {answer{200, "", ""}, other, 0},
		"an unknown error":    {answer{200, "", `{"ok":false,"error":"brand_new"}`}, other, 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.answer.retry != "" {
				w.Header().Set("Retry-After", c.answer.retry)
			}
			w.WriteHeader(c.answer.status)
			_, _ = io.WriteString(w, c.answer.body)
		}))
		_, _, err := slack.New("xoxb-x", slack.OptionAPIURL(srv.URL+"/")).PostMessageContext(t.Context(), "C1", slack.MsgOptionText("x", false))
		srv.Close()
		err = slackError(err)
		got, after := other, time.Duration(0)
		if e, ok := errors.AsType[*workflow.LaterError](err); ok {
			got, after = later, e.After
		} else if _, ok := errors.AsType[*workflow.UndeliverableError](err); ok {
			got = dead
		}
		if err == nil || got != c.want || after != c.after {
			t.Errorf("%s: %v is sorted %s after %v, want %s after %v", name, err, got, after, c.want, c.after)
		}
	}
	if err := slackError(nil); err != nil {
		t.Errorf("no error is sorted %v", err)
	}
}

func TestPrivate_IsWholeAndFits(t *testing.T) {
	var lines []string
	for i := range 60 {
		lines = append(lines, strings.Repeat("x", 100)+" <@U0ALICE> "+itoa(i))
	}
	r := private(strings.Join(lines, "\n"))
	if len([]rune(r.Text)) > maxText || strings.Count(r.Text, "<") != strings.Count(r.Text, ">") {
		t.Errorf("the text has %d characters", len([]rune(r.Text)))
	}
	var said []string
	for _, b := range r.Blocks {
		text := b.(*slack.SectionBlock).Text.Text
		if n := len([]rune(text)); n > maxSection {
			t.Errorf("a section has %d characters", n)
		}
		said = append(said, strings.Split(strings.Trim(text, "\n"), "\n")...)
	}
	if strings.Join(said, "\n") != strings.Join(lines, "\n") {
		t.Error("the blocks do not hold every line whole")
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"replace_original":false`) || !strings.Contains(string(b), `"response_type":"ephemeral"`) {
		t.Errorf("on the wire: %s, %v", b, err)
	}
}

func TestDistance_NearestWord(t *testing.T) {
	for typed, want := range map[string]string{"invte": "invite", "ad": "add", "remvoe": "remove", "xyzzy": "", "pendin": "pending", "": "add"} {
		if got := nearest(typed, []string{"invite", "add", "remove", "pending"}); got != want && typed != "" {
			t.Errorf("%q is nearest to %q, want %q", typed, got, want)
		}
	}
}
