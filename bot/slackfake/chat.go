package slackfake

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// content is what a message says, as it arrived.
type content struct {
	text        string
	blocks      []any
	attachments []any
	metadata    map[string]any
}

// content reads and checks the parts of a message.
func (c *apiCall) content() (content, *apiError) {
	var out content
	out.text = c.str("text")
	if utf8.RuneCountInString(out.text) > 40000 {
		out.text = string([]rune(out.text)[:40000])
		c.warnings = append(c.warnings, "message_truncated")
	}
	if c.has("blocks") && c.args["blocks"] != "" {
		blocks, ok := c.list("blocks")
		if !ok {
			return out, fail("invalid_blocks_format")
		}
		if problems := c.s.valid.blocks(blocks); len(blocks) > 0 && len(problems) > 0 {
			return out, refused("invalid_blocks", problems)
		}
		out.blocks = blocks
	}
	if b, _ := json.Marshal(out.blocks); len(b) > 200_000 {
		return out, fail("msg_blocks_too_long")
	}
	out.attachments, _ = c.list("attachments")
	if len(out.attachments) > 100 {
		return out, fail("too_many_attachments")
	}
	var err *apiError
	out.metadata, err = c.metadata()
	return out, err
}

// metadata reads message metadata; an empty one, as slack-go sends where none was set, is none.
func (c *apiCall) metadata() (map[string]any, *apiError) {
	if !c.has("metadata") || c.args["metadata"] == "" {
		return nil, nil
	}
	m, ok := c.object("metadata")
	if !ok {
		return nil, fail("invalid_metadata_format")
	}
	kind, _ := m["event_type"].(string)
	if kind == "" && m["event_payload"] == nil {
		return nil, nil
	}
	if _, ok := m["event_payload"].(map[string]any); !ok || kind == "" {
		return nil, fail("invalid_metadata_format")
	}
	return m, nil
}

// target is the channel to write to; a user's ID is their direct message with the bot.
func (c *apiCall) target() (*Channel, *apiError) {
	st, ref := c.s.st, c.str("channel")
	if u := st.Users[ref]; u != nil {
		if u.Deleted || u.IsBot {
			return nil, fail("channel_not_found")
		}
		return st.im(ref), nil
	}
	ch := st.channelByRef(ref)
	member := ch != nil && ch.has(st.BotUser)
	switch {
	case ch == nil, ch.IsPrivate && !member:
		return nil, fail("channel_not_found")
	case ch.IsArchived:
		return nil, fail("is_archived")
	case !member && !slices.Contains(st.Scopes, "chat:write.public"):
		return nil, fail("not_in_channel")
	}
	return ch, nil
}

func (c *apiCall) chatPostMessage() (map[string]any, *apiError) {
	body, err := c.content()
	if err != nil {
		return nil, err
	}
	ch, err := c.target()
	if err != nil {
		return nil, err
	}
	if body.text == "" && len(body.blocks) == 0 && len(body.attachments) == 0 {
		return nil, fail("no_text")
	}
	thread, err := c.thread(ch.ID)
	if err != nil {
		return nil, err
	}
	m := c.s.post(&Message{
		Channel: ch.ID, ThreadTS: thread, User: c.s.st.BotUser, Text: body.text, Blocks: body.blocks,
		Attachments: body.attachments, Metadata: body.metadata, Source: c.method,
	})
	return map[string]any{"channel": ch.ID, "ts": m.TS, "message": m.wire(c.s.st, true)}, nil
}

// thread is the parent's ts. Slack posts a reply to a message that does not exist at the top level, without a word,
// and refuses one to an ephemeral message.
func (c *apiCall) thread(channel string) (string, *apiError) {
	ts := c.str("thread_ts")
	parent := c.s.st.message(channel, ts)
	switch {
	case ts == "" || parent == nil || parent.Deleted:
		return "", nil
	case parent.Ephemeral:
		return "", fail("cannot_reply_to_message")
	case parent.ThreadTS != "":
		return parent.ThreadTS, nil
	}
	return ts, nil
}

func (c *apiCall) chatPostEphemeral() (map[string]any, *apiError) {
	body, err := c.content()
	if err != nil {
		return nil, err
	}
	ch, err := c.target()
	if err != nil {
		return nil, err
	}
	user := c.str("user")
	if c.s.st.Users[user] == nil || !ch.has(user) {
		return nil, fail("user_not_in_channel")
	}
	if body.text == "" && len(body.blocks) == 0 && len(body.attachments) == 0 {
		return nil, fail("no_text")
	}
	m := c.s.post(&Message{
		Channel: ch.ID, ThreadTS: c.str("thread_ts"), User: c.s.st.BotUser, Text: body.text, Blocks: body.blocks,
		Attachments: body.attachments, Ephemeral: true, To: user, Source: c.method,
	})
	return map[string]any{"message_ts": m.TS}, nil
}

// own finds a message of the bot that it may change.
func (c *apiCall) own(forbidden string) (*Message, *apiError) {
	st := c.s.st
	ch := st.channelByRef(c.str("channel"))
	if ch == nil || ch.IsPrivate && !ch.has(st.BotUser) {
		return nil, fail("channel_not_found")
	}
	if ch.IsArchived {
		return nil, fail("is_inactive")
	}
	m := st.message(ch.ID, c.str("ts"))
	if m == nil || m.Deleted || m.Ephemeral {
		return nil, fail("message_not_found")
	}
	if m.User != st.BotUser {
		return nil, fail(forbidden)
	}
	return m, nil
}

// chatUpdate follows the documented rules: a text without blocks removes the blocks, blocks without a text and no
// blocks at all keep what was there, an empty array clears, metadata stays unless given.
func (c *apiCall) chatUpdate() (map[string]any, *apiError) {
	body, err := c.content()
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(body.text) > 4000 {
		return nil, fail("msg_too_long")
	}
	m, err := c.own("cant_update_message")
	if err != nil {
		return nil, err
	}
	hasText, hasBlocks := body.text != "", c.has("blocks") && c.args["blocks"] != ""
	if !hasText && !hasBlocks && !c.has("attachments") && !c.has("metadata") {
		return nil, fail("no_text")
	}
	if !hasText && hasBlocks && len(body.blocks) == 0 && m.Text == "" {
		return nil, fail("no_text")
	}
	m.remember(c.now)
	if hasText {
		m.Text = body.text
	}
	if hasBlocks || hasText {
		m.Blocks = body.blocks
		c.s.fillIDs(m.Blocks)
	}
	if c.has("attachments") {
		m.Attachments = body.attachments
	}
	if body.metadata != nil {
		m.Metadata = body.metadata
	}
	m.Edited = m.Edited || !hasBlocks
	return map[string]any{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": m.wire(c.s.st, true)}, nil
}

func (c *apiCall) chatDelete() (map[string]any, *apiError) {
	m, err := c.own("cant_delete_message")
	if err != nil {
		return nil, err
	}
	m.Deleted = true
	return map[string]any{"channel": m.Channel, "ts": m.TS}, nil
}

func (c *apiCall) chatGetPermalink() (map[string]any, *apiError) {
	st := c.s.st
	ch := st.channelByRef(c.str("channel"))
	if ch == nil || ch.IsPrivate && !ch.has(st.BotUser) {
		return nil, fail("channel_not_found")
	}
	m := st.message(ch.ID, c.str("message_ts"))
	if m == nil || m.Deleted || m.Ephemeral {
		return nil, fail("message_not_found")
	}
	link := "https://" + st.Team.Domain + ".slack.com/archives/" + ch.ID + "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.ThreadTS != "" {
		link += "?thread_ts=" + url.QueryEscape(m.ThreadTS) + "&cid=" + ch.ID
	}
	return map[string]any{"channel": ch.ID, "permalink": link}, nil
}

func (c *apiCall) reactionsAdd() (map[string]any, *apiError) {
	name := c.str("name")
	if name == "" {
		return nil, fail("invalid_name")
	}
	ch := c.s.st.channelByRef(c.str("channel"))
	if ch == nil {
		return nil, fail("channel_not_found")
	}
	m := c.s.st.message(ch.ID, c.str("timestamp"))
	if m == nil || m.Deleted || m.Ephemeral {
		return nil, fail("message_not_found")
	}
	if slices.Contains(m.Reactions, name) {
		return nil, fail("already_reacted")
	}
	m.Reactions = append(m.Reactions, name)
	return nil, nil
}
