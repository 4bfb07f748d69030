package slackfake_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
)

// Whatever arrives, the answer is Slack's JSON and the server lives on.
func TestAPI_JunkIsAnsweredInJSON(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: time.Millisecond})
	methods := []string{
		"auth.test", "blocks.validate", "chat.postMessage", "chat.postEphemeral", "chat.update", "chat.delete",
		"chat.getPermalink", "conversations.info", "conversations.list", "conversations.members", "conversations.open",
		"conversations.history", "conversations.replies", "users.info", "users.list", "users.lookupByEmail",
		"usergroups.list", "usergroups.users.list", "views.open", "views.push", "views.update", "views.publish", "reactions.add",
	}
	names := []string{
		"channel", "ts", "text", "blocks", "view", "view_id", "external_id", "user", "users", "user_id", "trigger_id",
		"metadata", "attachments", "cursor", "limit", "message", "usergroup", "timestamp", "name", "thread_ts", "message_ts",
	}
	for _, junk := range []string{
		"", "null", "0", "-1", "[]", "{}", "[null]", `[[]]`, `["x"]`, `[{"type":"actions","elements":[null,1,{}]}]`,
		`{"type":"modal","blocks":null}`, `{"type":"home","blocks":[1]}`, `{"type":{}}`, "C0DATA", "U0REQ", "\x00\xff", "{",
	} {
		form := map[string]string{}
		for _, n := range names {
			form[n] = junk
		}
		for _, m := range methods {
			if status, _, body := call(t, s, m, s.BotToken(), form); status != 200 || body["ok"] == nil {
				t.Errorf("%s with %q: %d %v", m, junk, status, body)
			}
			for field, channel := range map[string]string{"blocks": "C0DATA", "view": "C0DATA", "metadata": "C0DATA"} {
				one := map[string]string{"channel": channel, "text": "x", field: junk, "user_id": "U0REQ", "user": "U0REQ"}
				if _, _, body := call(t, s, m, s.BotToken(), one); body["ok"] == nil {
					t.Errorf("%s with %s=%q: no JSON", m, field, junk)
				}
			}
		}
		for _, path := range []string{"/response/x", "/_emu/click", "/_emu/slash", "/_emu/submit", "/_emu/seed", "/_emu/snapshot", "/_emu/event"} {
			resp, err := http.Post(s.URL()+path, "application/json", strings.NewReader(junk))
			if err != nil {
				t.Errorf("%s with %q: %v", path, junk, err)
				continue
			}
			_ = resp.Body.Close()
		}
	}
	if u := s.User("U0REQ"); u.ID == "" {
		t.Error("the workspace is gone")
	}
}

func TestServer_RestoreOfNulls(t *testing.T) {
	s := start(t, slackfake.Options{})
	err := s.Restore([]byte(`{"Team":{"id":"T1"},"BotUser":"U1","Users":{"U1":{"id":"U1"}},"Messages":null,"Channels":null,"Views":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Slash(t.Context(), slackfake.SlashInput{User: "U1", Channel: "C1"}); err == nil {
		t.Error("typed into a channel that is not there")
	}
	if got := s.DM("U1"); len(got) != 0 {
		t.Errorf("messages = %+v", got)
	}
}
