package slackfake

import (
	"encoding/base64"
	"slices"
	"strconv"
)

// wire is a conversation as conversations.info shows it.
func (ch *Channel) wire(st *state) map[string]any {
	out := map[string]any{
		"id": ch.ID, "created": 1700000000, "is_archived": ch.IsArchived, "is_im": ch.IsIM, "is_mpim": false,
		"is_org_shared": false, "context_team_id": st.Team.ID, "updated": 1700000000000,
	}
	if ch.IsIM {
		out["user"], out["is_user_deleted"], out["priority"] = ch.User, false, 0
		return out
	}
	out["name"], out["name_normalized"], out["creator"] = ch.Name, ch.Name, "U0LEAD"
	out["is_channel"], out["is_group"], out["is_private"] = !ch.IsPrivate, ch.IsPrivate, ch.IsPrivate
	out["is_general"], out["is_member"] = ch.Name == "general", ch.has(st.BotUser)
	out["is_shared"], out["is_ext_shared"] = ch.IsShared || ch.IsExtShared, ch.IsExtShared
	out["is_pending_ext_shared"], out["num_members"] = ch.IsPendingExtShared, len(ch.Members)
	out["shared_team_ids"] = []string{st.Team.ID}
	out["topic"] = map[string]any{"value": "", "creator": "", "last_set": 0}
	out["purpose"] = map[string]any{"value": "", "creator": "", "last_set": 0}
	return out
}

// scopeKind is the word of the scope that a conversation needs: channels, groups or im.
func (ch *Channel) scopeKind() string {
	switch {
	case ch.IsIM:
		return "im"
	case ch.IsPrivate:
		return "groups"
	default:
		return "channels"
	}
}

// visible finds a conversation that the bot may see, with the scope of its kind.
func (c *apiCall) visible(right string) (*Channel, *apiError) {
	ch := c.s.st.Channels[c.str("channel")]
	if ch == nil || ch.IsPrivate && !ch.has(c.s.st.BotUser) {
		return nil, fail("channel_not_found")
	}
	return ch, c.needScope(ch.scopeKind() + ":" + right)
}

func (c *apiCall) conversationsInfo() (map[string]any, *apiError) {
	ch, err := c.visible("read")
	if err != nil {
		return nil, err
	}
	out := ch.wire(c.s.st)
	if !c.flag("include_num_members") {
		delete(out, "num_members")
	}
	return map[string]any{"channel": out}, nil
}

func (c *apiCall) conversationsList() (map[string]any, *apiError) {
	list := []any{}
	for _, ch := range c.s.st.channels() {
		if !ch.IsIM && (!ch.IsPrivate || ch.has(c.s.st.BotUser)) && (!ch.IsArchived || !c.flag("exclude_archived")) {
			list = append(list, ch.wire(c.s.st))
		}
	}
	page, next, err := paged(c, list, 100)
	if err != nil {
		return nil, err
	}
	return map[string]any{"channels": page, "response_metadata": cursor(next)}, nil
}

func (c *apiCall) conversationsMembers() (map[string]any, *apiError) {
	ch, err := c.visible("read")
	if err != nil {
		return nil, err
	}
	page, next, err := paged(c, slices.Clone(ch.Members), 100)
	if err != nil {
		return nil, err
	}
	return map[string]any{"members": page, "response_metadata": cursor(next)}, nil
}

func (c *apiCall) conversationsOpen() (map[string]any, *apiError) {
	user := c.str("users")
	u := c.s.st.Users[user]
	switch {
	case user == "" && c.str("channel") == "":
		return nil, fail("users_list_not_supplied")
	case u == nil && c.str("channel") != "":
		ch := c.s.st.Channels[c.str("channel")]
		if ch == nil {
			return nil, fail("channel_not_found")
		}
		return map[string]any{"channel": map[string]any{"id": ch.ID}}, nil
	case u == nil:
		return nil, fail("user_not_found")
	case u.Deleted:
		return nil, fail("user_disabled")
	case u.IsBot:
		return nil, fail("cannot_dm_bot")
	}
	ch := c.s.st.im(user)
	if c.flag("return_im") {
		return map[string]any{"channel": ch.wire(c.s.st)}, nil
	}
	return map[string]any{"channel": map[string]any{"id": ch.ID}}, nil
}

// readable finds a conversation whose messages the bot may read.
func (c *apiCall) readable() (*Channel, *apiError) {
	ch, err := c.visible("history")
	if err == nil && !ch.has(c.s.st.BotUser) {
		err = fail("not_in_channel")
	}
	return ch, err
}

// history lists messages that can be fetched: an ephemeral one never can.
func (c *apiCall) history(ch *Channel, keep func(*Message) bool) []any {
	oldest, latest, edge := c.str("oldest"), c.str("latest"), c.flag("inclusive")
	out := []any{}
	for _, m := range c.s.st.Messages[ch.ID] {
		if m.Ephemeral || m.Deleted || !keep(m) {
			continue
		}
		if oldest != "" && (m.TS < oldest || m.TS == oldest && !edge) {
			continue
		}
		if latest != "" && (m.TS > latest || m.TS == latest && !edge) {
			continue
		}
		wire := m.wire(c.s.st, c.flag("include_all_metadata"))
		c.countReplies(m, wire)
		out = append(out, wire)
	}
	return out
}

func (c *apiCall) countReplies(m *Message, wire map[string]any) {
	n, last := 0, ""
	for _, r := range c.s.st.Messages[m.Channel] {
		if r.ThreadTS == m.TS && !r.Ephemeral && !r.Deleted {
			n, last = n+1, r.TS
		}
	}
	if n > 0 {
		wire["thread_ts"], wire["reply_count"], wire["latest_reply"] = m.TS, n, last
	}
}

func (c *apiCall) conversationsHistory() (map[string]any, *apiError) {
	ch, err := c.readable()
	if err != nil {
		return nil, err
	}
	list := c.history(ch, func(m *Message) bool { return m.ThreadTS == "" })
	slices.Reverse(list)
	return c.page(list)
}

func (c *apiCall) conversationsReplies() (map[string]any, *apiError) {
	ch, err := c.readable()
	if err != nil {
		return nil, err
	}
	root := c.s.st.message(ch.ID, c.str("ts"))
	if root == nil || root.Ephemeral || root.Deleted {
		return nil, fail("thread_not_found")
	}
	parent := root.TS
	if root.ThreadTS != "" {
		parent = root.ThreadTS
	}
	return c.page(c.history(ch, func(m *Message) bool { return m.TS == parent || m.ThreadTS == parent }))
}

func (c *apiCall) page(list []any) (map[string]any, *apiError) {
	page, next, err := paged(c, list, 100)
	if err != nil {
		return nil, err
	}
	return map[string]any{"messages": page, "has_more": next != "", "response_metadata": cursor(next)}, nil
}

func cursor(next string) map[string]any { return map[string]any{"next_cursor": next} }

// paged cuts a list by limit and cursor; def is the limit where none is given, 0 for the whole list.
func paged[T any](c *apiCall, list []T, def int) (page []T, next string, err *apiError) {
	start := 0
	if cur := c.str("cursor"); cur != "" {
		raw, bad := base64.StdEncoding.DecodeString(cur)
		start, _ = strconv.Atoi(string(raw))
		if bad != nil || start <= 0 || start > len(list) {
			return nil, "", fail("invalid_cursor")
		}
	}
	limit := c.int("limit", def)
	if limit <= 0 {
		limit = len(list)
	}
	end := min(len(list), start+limit)
	if end < len(list) {
		next = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(end)))
	}
	return list[start:end], next, nil
}
