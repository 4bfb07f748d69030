package slackfake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"countersign/bot/slackfake"
)

const section = `[{"type":"section","text":{"type":"mrkdwn","text":"new"}}]`

func TestChatUpdate_Semantics(t *testing.T) {
	meta := `{"event_type":"e","event_payload":{"n":1}}`
	cases := []struct {
		name       string
		form       map[string]string
		err        string
		text       string
		blocks     int
		event      string
		editedFlag bool
	}{
		{"text alone removes the blocks", map[string]string{"text": "t"}, "", "t", 0, "old", true},
		{"blocks alone keep the text", map[string]string{"blocks": section}, "", "before", 1, "old", false},
		{"both", map[string]string{"text": "t", "blocks": section}, "", "t", 1, "old", false},
		{"an empty array clears", map[string]string{"text": "t", "blocks": "[]"}, "", "t", 0, "old", false},
		{"metadata given", map[string]string{"text": "t", "metadata": meta}, "", "t", 0, "e", true},
		{"nothing", nil, "no_text", "before", 2, "old", false},
		{"too long", map[string]string{"text": strings.Repeat("界", 4001)}, "msg_too_long", "before", 2, "old", false},
		{"as long as may be", map[string]string{"text": strings.Repeat("界", 4000)}, "", strings.Repeat("界", 4000), 0, "old", true},
		{"bad blocks", map[string]string{"text": "t", "blocks": `[{"type":"header"}]`}, "invalid_blocks", "before", 2, "old", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, slackfake.Options{})
			_, ts, err := client(s).PostMessage("C0DATA", slack.MsgOptionText("before", false), slack.MsgOptionBlocks(card("approve")...),
				slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "old", EventPayload: map[string]any{"n": 0}}))
			if err != nil {
				t.Fatal(err)
			}
			form := map[string]string{"channel": "C0DATA", "ts": ts}
			maps.Copy(form, tc.form)
			_, _, body := call(t, s, "chat.update", s.BotToken(), form)
			if got, _ := body["error"].(string); got != tc.err {
				t.Fatalf("answer %v, want error %q", body, tc.err)
			}
			m, _ := s.Message("C0DATA", ts)
			if m.Text != tc.text || len(m.Blocks) != tc.blocks || m.Metadata["event_type"] != tc.event || m.Edited != tc.editedFlag {
				t.Errorf("message = %+v", m)
			}
			if edits := len(m.Edits); (edits == 1) != (tc.err == "") {
				t.Errorf("%d earlier versions kept", edits)
			}
		})
	}
}

func TestChatUpdate_OfOthersAndOfNone(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	m, err := s.Say("U0REQ", "C0DATA", "", "mine")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.UpdateMessage("C0DATA", m.TS, slack.MsgOptionText("x", false)); code(err) != "cant_update_message" {
		t.Errorf("another's message: %v", err)
	}
	if _, _, _, err := c.UpdateMessage("C0DATA", "1.000000", slack.MsgOptionText("x", false)); code(err) != "message_not_found" {
		t.Errorf("no message: %v", err)
	}
}

func TestClick_OnWhatIsThereNowUnlessStale(t *testing.T) {
	s := start(t, slackfake.Options{AckTimeout: 10 * time.Millisecond})
	c := client(s)
	_, ts, err := c.PostMessage("C0DATA", slack.MsgOptionText("card", false), slack.MsgOptionBlocks(card("approve")...))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.UpdateMessage("C0DATA", ts, slack.MsgOptionText("done", false), slack.MsgOptionBlocks(card()...)); err != nil {
		t.Fatal(err)
	}
	in := slackfake.ClickInput{User: "U0LEAD", Channel: "C0DATA", TS: ts, ActionID: "approve"}
	if _, err := s.Click(t.Context(), in); err == nil {
		t.Error("a button that is gone was pressed")
	}
	in.Stale = true
	if ack, err := s.Click(t.Context(), in); err != nil || ack.Err != "dispatch_failed" {
		t.Errorf("stale click: %+v, %v", ack, err)
	}
}

func TestClick_OnAnEphemeralMessageByItsReaderOnly(t *testing.T) {
	s := start(t, slackfake.Options{})
	ts, err := client(s).PostEphemeral("C0DATA", "U0LEAD", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(card("retry")...))
	if err != nil {
		t.Fatal(err)
	}
	in := slackfake.ClickInput{User: "U0REQ", Channel: "C0DATA", TS: ts, ActionID: "retry"}
	if _, err := s.Click(t.Context(), in); err == nil {
		t.Error("another person pressed a button that only one sees")
	}
	in.User = "U0LEAD"
	if _, err := s.Click(t.Context(), in); err != nil {
		t.Error(err)
	}
}

func TestMentions(t *testing.T) {
	s := start(t, slackfake.Options{})
	blocks := []slack.Block{
		slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "by <@U0REQ> `<!here>` &lt;!channel&gt;", false, false), nil, nil),
		slack.NewHeaderBlock(plain("<!everyone>")),
		slack.NewContextBlock("", slack.NewTextBlockObject("mrkdwn", "<!subteam^S0GPU> <https://evil.example|docs> <#C0DATA>", false, false)),
		slack.NewRichTextBlock("", slack.NewRichTextSection(slack.NewRichTextSectionTextElement("<!channel>", nil), slack.NewRichTextSectionUserElement("U0BOB", nil))),
	}
	_, ts, err := client(s).PostMessage("C0DATA", slack.MsgOptionText("<!channel> x", false), slack.MsgOptionBlocks(blocks...))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"<!channel>", "<@U0REQ>", "<!here>", "<!subteam^S0GPU>", "<https://evil.example|docs>", "<#C0DATA>", "<@U0BOB>",
	}
	if diff := cmp.Diff(want, s.Mentions("C0DATA", ts)); diff != "" {
		t.Error(diff)
	}
	m, _ := s.Message("C0DATA", ts)
	for _, word := range []string{"<!everyone>", "by <@U0REQ>", "docs", "<!channel> x"} {
		if !strings.Contains(slackfake.Text(m), word) {
			t.Errorf("%q is not in what a person reads: %q", word, slackfake.Text(m))
		}
	}
}

func TestEscape(t *testing.T) {
	s := start(t, slackfake.Options{})
	for in, want := range map[string]string{
		"add @alice":          "add <@U0ALICE>",
		"@alice,@bob. x":      "<@U0ALICE>,<@U0BOB>. x",
		"a & b < c > d":       "a &amp; b &lt; c &gt; d",
		"<!channel>":          "&lt;!channel&gt;",
		"@channel @here":      "<!channel> <!here>",
		"@gpu-owners":         "<!subteam^S0GPU|@gpu-owners>",
		"#data #private":      "<#C0DATA|data> <#C0PRIVATE|>",
		"see https://x.y/?a":  "see <https://x.y/?a>",
		"rita@acme.example":   "rita@acme.example",
		"@nobody #nowhere":    "@nobody #nowhere",
		"&lt;":                "&amp;lt;",
		"because 张三 @alice 说": "because 张三 <@U0ALICE> 说",
	} {
		if got := s.Escape(in); got != want {
			t.Errorf("%q -> %q, want %q", in, got, want)
		}
	}
}

func postURL(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw)
}

// typed runs a slash command that nobody answers, for its response_url and trigger_id.
func typed(t *testing.T, s *slackfake.Server) slackfake.Ack {
	t.Helper()
	ack, err := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0GENERAL", Command: "/access"})
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

func TestResponseURL_FiveUsesInThirtyMinutes(t *testing.T) {
	s := start(t, slackfake.Options{})
	u := typed(t, s).ResponseURL
	for body, want := range map[string]string{"{": "invalid_payload", "{}": "no_text", `{"blocks":[{"type":"x"}]}`: "invalid_blocks"} {
		if status, got := postURL(t, u, body); status != 400 || got != want {
			t.Errorf("%s: %d %q, want 400 %s", body, status, got, want)
		}
	}
	for i := range 5 {
		if status, body := postURL(t, u, `{"text":"hello","metadata":{"event_type":"","event_payload":null},"blocks":null}`); status != 200 || body != "ok" {
			t.Fatalf("use %d: %d %q", i+1, status, body)
		}
	}
	if status, body := postURL(t, u, `{"text":"hello"}`); status != 404 || body != "expired_url" {
		t.Errorf("use 6: %d %q", status, body)
	}
	if got := len(s.Ephemerals("U0REQ")); got != 5 {
		t.Errorf("%d answers shown, want 5; the bot is not in the channel and need not be", got)
	}
	u = typed(t, s).ResponseURL
	s.Advance(30*time.Minute + time.Second)
	if status, _ := postURL(t, u, `{"text":"late"}`); status != 404 {
		t.Errorf("after 30 minutes: %d", status)
	}
	if status, body := postURL(t, s.URL()+"/response/actions/T0HOME/1/forged", `{"text":"x"}`); status != 404 || body != "no_service" {
		t.Errorf("a made-up URL: %d %q", status, body)
	}
}

func TestResponseURL_ReplacesAndDeletesTheOriginal(t *testing.T) {
	s := start(t, slackfake.Options{})
	_, ts, err := client(s).PostMessage("C0DATA", slack.MsgOptionText("card", false), slack.MsgOptionBlocks(card("approve")...))
	if err != nil {
		t.Fatal(err)
	}
	ack, err := s.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", Channel: "C0DATA", TS: ts, ActionID: "approve"})
	if err != nil {
		t.Fatal(err)
	}
	postURL(t, ack.ResponseURL, `{"text":"private"}`)
	postURL(t, ack.ResponseURL, `{"text":"open","response_type":"in_channel"}`)
	if got := s.Messages("C0DATA"); len(got) != 2 || got[1].Text != "open" || got[0].Text != "card" {
		t.Errorf("in the open: %+v", got)
	}
	postURL(t, ack.ResponseURL, `{"text":"replaced","replace_original":true}`)
	if m, _ := s.Message("C0DATA", ts); m.Text != "replaced" || len(m.Edits) != 1 {
		t.Errorf("original = %+v", m)
	}
	postURL(t, ack.ResponseURL, `{"delete_original":true}`)
	if m, _ := s.Message("C0DATA", ts); !m.Deleted {
		t.Errorf("original = %+v", m)
	}
	if got := s.Ephemerals("U0LEAD"); len(got) != 1 || got[0].Text != "private" {
		t.Errorf("in private: %+v", got)
	}
}

func TestTrigger_OnceWithinThreeSeconds(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	open := func(trigger string) string {
		_, err := c.OpenView(trigger, form())
		return code(err)
	}
	id := typed(t, s).TriggerID
	if got := open(id); got != "" {
		t.Errorf("first use: %s", got)
	}
	if got := open(id); got != "exchanged_trigger_id" {
		t.Errorf("second use: %q", got)
	}
	id = typed(t, s).TriggerID
	s.Advance(3*time.Second + time.Millisecond)
	if got := open(id); got != "expired_trigger_id" {
		t.Errorf("late use: %q", got)
	}
	if got := open("1.2.abc"); got != "invalid_trigger_id" {
		t.Errorf("made up: %q", got)
	}
}

func TestViews_HashStackAndExternalID(t *testing.T) {
	s := start(t, slackfake.Options{})
	c := client(s)
	v := form()
	v.ExternalID = "one"
	opened, err := c.OpenView(typed(t, s).TriggerID, v)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := c.UpdateView(v, "", opened.Hash, opened.ID)
	if err != nil || updated.Hash == opened.Hash {
		t.Errorf("update: %v, hash %s then %s", err, opened.Hash, updated.Hash)
	}
	if _, err := c.UpdateView(v, "", opened.Hash, opened.ID); code(err) != "hash_conflict" {
		t.Errorf("old hash: %v", err)
	}
	if _, err := c.UpdateView(v, "", "", "V0NONE"); code(err) != "not_found" {
		t.Errorf("no view: %v", err)
	}
	if _, err := c.OpenView(typed(t, s).TriggerID, v); code(err) != "duplicate_external_id" {
		t.Errorf("same external_id: %v", err)
	}
	if _, err := c.PushView(typed(t, s).TriggerID, form()); code(err) != "invalid_trigger_id" {
		t.Errorf("push with a trigger of no modal: %v", err)
	}
	if ack, err := s.CloseView(t.Context(), "U0REQ", "", false); err != nil || ack.Kind != "interactive" {
		t.Errorf("close with notify_on_close: %+v, %v", ack, err)
	}
	if left := s.Views("U0REQ"); len(left) != 0 {
		t.Errorf("left open: %+v", left)
	}
}

func TestText_OfBlocksTheBotSends(t *testing.T) {
	raw := `[{"type":"section","text":{"type":"mrkdwn","text":"one"},"fields":[{"type":"plain_text","text":"two"}],
		"accessory":{"type":"button","action_id":"a","text":{"type":"plain_text","text":"three"}}},
		{"type":"image","alt_text":"four","image_url":"https://x.example/a.png"}]`
	var blocks []any
	if err := json.Unmarshal([]byte(raw), &blocks); err != nil {
		t.Fatal(err)
	}
	got := slackfake.BlockTexts(blocks)
	if !slices.Equal(got, []string{"one", "two", "three", "four"}) {
		t.Errorf("texts = %q", got)
	}
}
