package slackfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"countersign/bot/slackfake"
)

// call posts a form to a method, as the raw protocol has it.
func call(t *testing.T, s *slackfake.Server, method, token string, form map[string]string) (int, http.Header, map[string]any) {
	t.Helper()
	values := url.Values{}
	for k, v := range form {
		values.Set(k, v)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.APIURL()+method, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	_ = json.Unmarshal(raw, &body)
	return resp.StatusCode, resp.Header, body
}

func TestAPI_ChecksInSlacksOrder(t *testing.T) {
	s := start(t, slackfake.Options{})
	bot, app := s.BotToken(), s.AppToken()
	cases := []struct {
		name, method, token string
		form                map[string]string
		prepare             func()
		want                string
	}{
		{"unknown method before the token", "chat.nothing", "", nil, nil, "unknown_method"},
		{"no token", "chat.postMessage", "", nil, nil, "not_authed"},
		{"unknown token", "chat.postMessage", "xoxb-other", nil, nil, "invalid_auth"},
		{"app token on chat", "chat.postMessage", app, nil, nil, "not_allowed_token_type"},
		{"bot token on connections", "apps.connections.open", bot, nil, nil, "not_allowed_token_type"},
		{"app token in the body", "apps.connections.open", "", map[string]string{"token": app}, nil, "missing_args"},
		{"unknown channel", "chat.postMessage", bot, map[string]string{"channel": "C0NONE", "text": "x"}, nil, "channel_not_found"},
		{"private channel", "chat.postMessage", bot, map[string]string{"channel": "C0PRIVATE", "text": "x"}, nil, "channel_not_found"},
		{"public channel without the bot", "chat.postMessage", bot, map[string]string{"channel": "C0GENERAL", "text": "x"}, nil, "not_in_channel"},
		{"archived", "chat.postMessage", bot, map[string]string{"channel": "C0ARCHIVED", "text": "x"}, nil, "is_archived"},
		{"no text", "chat.postMessage", bot, map[string]string{"channel": "C0DATA"}, nil, "no_text"},
		{"blocks no array", "chat.postMessage", bot, map[string]string{"channel": "C0DATA", "blocks": "{}"}, nil, "invalid_blocks_format"},
		{"metadata no object", "chat.postMessage", bot, map[string]string{"channel": "C0DATA", "text": "x", "metadata": "[]"}, nil, "invalid_metadata_format"},
		{"unknown user", "users.info", bot, map[string]string{"user": "U0NONE"}, nil, "user_not_found"},
		{"unknown address", "users.lookupByEmail", bot, map[string]string{"email": "x@y.example"}, nil, "users_not_found"},
		{"unknown group", "usergroups.users.list", bot, map[string]string{"usergroup": "S0NONE"}, nil, "no_such_subteam"},
		{"ephemeral to a stranger", "chat.postEphemeral", bot, map[string]string{"channel": "C0DATA", "user": "U0OUT", "text": "x"}, nil, "user_not_in_channel"},
		{"free plan", "usergroups.list", bot, nil, func() { s.SetFreePlan(true) }, "plan_upgrade_required"},
		{"Home switched off", "views.publish", bot, map[string]string{"user_id": "U0REQ", "view": "{}"}, func() { s.SetHomeEnabled(false) }, "not_enabled"},
		{"revoked", "auth.test", bot, nil, func() { s.RevokeToken("bot", "token_revoked") }, "token_revoked"},
		{"healed, but no scope", "users.info", bot, nil, func() { s.RevokeToken("bot", ""); s.SetScopes("commands") }, "missing_scope"},
	}
	for _, tc := range cases {
		if tc.prepare != nil {
			tc.prepare()
		}
		status, header, body := call(t, s, tc.method, tc.token, tc.form)
		if status != 200 || body["ok"] != false || body["error"] != tc.want {
			t.Errorf("%s: %d %v, want %s", tc.name, status, body, tc.want)
		}
		if header.Get("Content-Type") != "application/json; charset=utf-8" || header.Get("X-Slack-Req-Id") == "" {
			t.Errorf("%s: headers %v", tc.name, header)
		}
		if tc.want == "missing_scope" && (body["needed"] != "users:read" || body["provided"] != "commands") {
			t.Errorf("%s: %v", tc.name, body)
		}
	}
}

func TestAPI_RateLimitShapes(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	post := func() error {
		_, _, err := c.PostMessage("C0DATA", slack.MsgOptionText("x", false))
		return err
	}
	s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.RateLimited, RetryAfter: "7"})
	var limited *slack.RateLimitedError
	if err := post(); !errors.As(err, &limited) || limited.RetryAfter != 7*time.Second {
		t.Errorf("Retry-After 7: %v", err)
	}
	s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.RateLimited})
	var status slack.StatusCodeError
	if err := post(); !errors.As(err, &status) || status.Code != 429 {
		t.Errorf("no Retry-After: %v", err)
	}
	s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.RateLimited, RetryAfter: "1.5"})
	if err := post(); err == nil || errors.As(err, &limited) && limited.RetryAfter == time.Second {
		t.Errorf("Retry-After 1.5: %v", err)
	}
	s.Fault(slackfake.Fault{Method: "*", Kind: slackfake.RateLimitedOK})
	if err := post(); code(err) != "rate_limited" {
		t.Errorf("200 ok:false: %v", err)
	}
	if err := post(); err != nil {
		t.Errorf("after the faults: %v", err)
	}
	if got := len(s.Messages("C0DATA")); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}

func TestAPI_TiersRefillWithTheClock(t *testing.T) {
	now := time.Now()
	s := start(t, slackfake.Options{Now: func() time.Time { return now }}) // the calls take no time
	s.RateTiers(true)
	list := func() (int, string) {
		status, header, _ := call(t, s, "usergroups.list", s.BotToken(), nil)
		return status, header.Get("Retry-After")
	}
	for i := range 20 {
		if status, _ := list(); status != 200 {
			t.Fatalf("call %d: %d", i, status)
		}
	}
	if status, after := list(); status != 429 || after != "3" {
		t.Errorf("call 21: %d, Retry-After %q, want 429 and 3", status, after)
	}
	if status, _, _ := call(t, s, "users.info", s.BotToken(), map[string]string{"user": "U0REQ"}); status != 200 {
		t.Errorf("another method is limited too: %d", status)
	}
	s.Advance(3 * time.Second)
	if status, _ := list(); status != 200 {
		t.Errorf("after 3 s: %d", status)
	}
}

func TestAPI_FaultsApplyOrNot(t *testing.T) {
	applied := map[slackfake.FaultKind]bool{
		slackfake.Status500HTML: false, slackfake.CutBefore: false, slackfake.Hang: false, slackfake.ErrorCode: false,
		slackfake.ApplyThenCut: true, slackfake.Truncated: true, slackfake.ApplyThenHang: true, slackfake.ApplyThenError: true,
	}
	for kind, want := range applied {
		s := start(t, slackfake.Options{})
		s.Fault(slackfake.Fault{Method: "chat.postMessage", Channel: "C0DATA", Kind: kind, Code: "internal_error", For: 30 * time.Millisecond})
		c := client(s)
		if _, _, err := c.PostMessage("C0APPROVALS", slack.MsgOptionText("elsewhere", false)); err != nil {
			t.Errorf("%s: hit another channel: %v", kind, err)
		}
		if _, _, err := c.PostMessage("C0DATA", slack.MsgOptionText("x", false)); err == nil {
			t.Errorf("%s: no error", kind)
		}
		if got := len(s.Messages("C0DATA")) == 1; got != want {
			t.Errorf("%s: applied %t, want %t", kind, got, want)
		}
		calls := s.Calls("chat.postMessage")
		if len(calls) != 2 || calls[1].Fault != string(kind) {
			t.Errorf("%s: calls %+v", kind, calls)
		}
	}
}

func TestAPI_TimestampsIncreaseWhateverTheClockDoes(t *testing.T) {
	now := time.Unix(1800000000, 0)
	s := start(t, slackfake.Options{Now: func() time.Time { return now }})
	c := client(s)
	last := ""
	for range 3 {
		_, ts, err := c.PostMessage("C0DATA", slack.MsgOptionText("x", false))
		if err != nil || ts <= last {
			t.Fatalf("ts %q after %q, %v", ts, last, err)
		}
		last = ts
	}
	if last != "1800000000.000002" {
		t.Errorf("last ts = %s", last)
	}
}

func TestAPI_DirectoryForSlackGo(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	u, err := c.GetUserInfo("U0OUT")
	if err != nil || !u.IsStranger || u.TeamID != "T0OTHER" {
		t.Errorf("U0OUT = %+v, %v", u, err)
	}
	if u, err := c.GetUserInfo("U0GUEST"); err != nil || !u.IsRestricted {
		t.Errorf("U0GUEST = %+v, %v", u, err)
	}
	if u, err := c.GetUserInfo("U0GONE"); err != nil || !u.Deleted {
		t.Errorf("U0GONE = %+v, %v", u, err)
	}
	members, err := c.GetUserGroupMembers("S0GPU")
	if err != nil || strings.Join(members, ",") != "U0BOB,U0LEAD" {
		t.Errorf("S0GPU = %v, %v", members, err)
	}
	who, err := c.AuthTest()
	if err != nil || who.BotID != "B0BOT" || who.TeamID != "T0HOME" || !strings.Contains(who.Header.Get("X-OAuth-Scopes"), "chat:write") {
		t.Errorf("auth.test = %+v, %v", who, err)
	}
	ch, err := c.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: "C0SHARED"})
	if err != nil || !ch.IsExtShared {
		t.Errorf("C0SHARED = %+v, %v", ch, err)
	}
	page, next, err := c.GetUsersInConversation(&slack.GetUsersInConversationParameters{ChannelID: "C0DATA", Limit: 2})
	if err != nil || len(page) != 2 || next == "" {
		t.Errorf("members = %v, %q, %v", page, next, err)
	}
	im, _, _, err := c.OpenConversation(&slack.OpenConversationParameters{Users: []string{"U0REQ"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.PostMessage("U0REQ", slack.MsgOptionText("by user", false)); err != nil {
		t.Error(err)
	}
	if _, _, err := c.PostMessage(im.ID, slack.MsgOptionText("by channel", false)); err != nil {
		t.Error(err)
	}
	if got := s.DM("U0REQ"); len(got) != 2 {
		t.Errorf("direct messages = %+v", got)
	}
}

func TestAPI_HistoryShowsMetadataAndNoEphemerals(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	meta := slack.SlackMetadata{EventType: "countersign_request", EventPayload: map[string]any{"request": 42}}
	_, ts, err := c.PostMessage("C0DATA", slack.MsgOptionText("card", false), slack.MsgOptionMetadata(meta))
	if err != nil {
		t.Fatal(err)
	}
	eph, err := c.PostEphemeral("C0DATA", "U0REQ", slack.MsgOptionText("psst", false))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.PostMessage("C0DATA", slack.MsgOptionText("reply", false), slack.MsgOptionTS(ts)); err != nil {
		t.Fatal(err)
	}
	for with, want := range map[bool]string{true: "countersign_request", false: ""} {
		h, err := c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0DATA", IncludeAllMetadata: with})
		if err != nil || len(h.Messages) != 1 || h.Messages[0].Metadata.EventType != want || h.Messages[0].ReplyCount != 1 {
			t.Errorf("metadata %t: %+v, %v", with, h, err)
		}
	}
	later, err := c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0DATA", Oldest: ts})
	if err != nil || len(later.Messages) != 0 {
		t.Errorf("after the card: %+v, %v", later, err)
	}
	never, err := c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0DATA", Oldest: "9999999999.000000"})
	if err != nil || len(never.Messages) != 0 {
		t.Errorf("in the future: %+v, %v", never, err)
	}
	since, err := c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0DATA", Oldest: ts, Inclusive: true})
	if err != nil || len(since.Messages) != 1 {
		t.Errorf("since the card: %+v, %v", since, err)
	}
	replies, _, _, err := c.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: "C0DATA", Timestamp: ts})
	if err != nil || len(replies) != 2 || replies[1].Text != "reply" {
		t.Errorf("replies = %+v, %v", replies, err)
	}
	_, _, _, err = c.UpdateMessage("C0DATA", eph, slack.MsgOptionText("x", false))
	if code(err) != "message_not_found" {
		t.Errorf("an ephemeral message was updated: %v", err)
	}
	s.SetScopes("chat:write", "groups:history")
	_, err = c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0DATA"})
	if code(err) != "missing_scope" {
		t.Errorf("history of a public channel with groups:history: %v", err)
	}
}

func TestServer_ListensOnLoopbackOnly(t *testing.T) {
	if s, err := slackfake.Start(slackfake.Options{Addr: "0.0.0.0:0"}); err == nil {
		_ = s.Close()
		t.Error("listens on every address")
	}
}

func TestServer_SnapshotSurvivesARestart(t *testing.T) {
	a := start(t, slackfake.Options{})
	_, ts, err := client(a).PostMessage("C0DATA", slack.MsgOptionText("kept", false), slack.MsgOptionBlocks(card("approve")...))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, slackfake.Options{})
	if err := b.Restore([]byte(`{"Team":{}}`)); err == nil {
		t.Error("restored nothing")
	}
	if err := b.Restore(raw); err != nil {
		t.Fatal(err)
	}
	if m, ok := b.Message("C0DATA", ts); !ok || m.Text != "kept" || len(slackfake.Buttons(m)) != 1 {
		t.Errorf("after the restart: %+v", m)
	}
	_, next, err := client(b).PostMessage("C0DATA", slack.MsgOptionText("next", false))
	if err != nil || next <= ts {
		t.Errorf("ts %s after %s, %v", next, ts, err)
	}
}

func TestServer_WaitForEndsWithItsContext(t *testing.T) {
	s := start(t, slackfake.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.WaitFor(ctx, func() bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
}
