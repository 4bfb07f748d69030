package slackfake

import (
	"encoding/json"
	"slices"
	"time"
)

// Message is a message as a person sees it, with how it came to be.
type Message struct {
	Channel     string         `json:"channel"`
	TS          string         `json:"ts"`
	ThreadTS    string         `json:"thread_ts,omitempty"`
	User        string         `json:"user"`
	Text        string         `json:"text"`
	Blocks      []any          `json:"blocks,omitempty"`
	Attachments []any          `json:"attachments,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	// Edits are the earlier versions, oldest first.
	Edits []Edit `json:"edits,omitempty"`
	// Ephemeral messages are seen by To alone and cannot be fetched.
	Ephemeral bool   `json:"ephemeral,omitempty"`
	To        string `json:"to,omitempty"`
	Deleted   bool   `json:"deleted,omitempty"`
	// Edited is set once a change showed the "(edited)" flag.
	Edited    bool     `json:"edited,omitempty"`
	Reactions []string `json:"reactions,omitempty"`
	// Source is chat.postMessage, chat.postEphemeral, slash_ack, response_url or person.
	Source string    `json:"source"`
	Time   time.Time `json:"time"`
}

// Edit is a version of a message that a later one replaced.
type Edit struct {
	Time     time.Time      `json:"time"`
	Text     string         `json:"text"`
	Blocks   []any          `json:"blocks,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// copyOf is a deep copy, so that what a test holds is not changed under it.
func (m *Message) copyOf() Message {
	out := *m
	out.Blocks = deepCopy(m.Blocks)
	out.Attachments = deepCopy(m.Attachments)
	out.Metadata = deepCopy(m.Metadata)
	out.Edits = slices.Clone(m.Edits)
	out.Reactions = slices.Clone(m.Reactions)
	return out
}

// wire is the message as Slack's API shows it.
func (m *Message) wire(st *state, withMetadata bool) map[string]any {
	out := map[string]any{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text, "team": st.Team.ID}
	if m.User == st.BotUser {
		out["bot_id"], out["app_id"] = st.BotID, st.AppID
		out["bot_profile"] = map[string]any{
			"id": st.BotID, "app_id": st.AppID, "name": st.Users[st.BotUser].name(), "team_id": st.Team.ID, "deleted": false,
		}
	}
	if m.ThreadTS != "" {
		out["thread_ts"] = m.ThreadTS
	}
	if len(m.Blocks) > 0 {
		out["blocks"] = deepCopy(m.Blocks)
	}
	if len(m.Attachments) > 0 {
		out["attachments"] = deepCopy(m.Attachments)
	}
	if m.Metadata != nil && withMetadata {
		out["metadata"] = deepCopy(m.Metadata)
	}
	if m.Edited {
		out["edited"] = map[string]any{"user": m.User, "ts": m.TS}
	}
	return out
}

// remember keeps the present version before it is replaced.
func (m *Message) remember(now time.Time) {
	m.Edits = append(m.Edits, Edit{Time: now, Text: m.Text, Blocks: m.Blocks, Metadata: m.Metadata})
}

func (u *User) name() string {
	if u == nil {
		return ""
	}
	return u.Name
}

// deepCopy goes through JSON: every value here came from JSON.
func deepCopy[T any](v T) T {
	var out T
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	if json.Unmarshal(b, &out) != nil {
		return v
	}
	return out
}

// post appends a message to a channel and gives it its ts.
func (s *Server) post(m *Message) *Message {
	m.Time = s.now()
	m.TS = s.st.ts(m.Channel, m.Time)
	s.fillIDs(m.Blocks)
	s.st.Messages[m.Channel] = append(s.st.Messages[m.Channel], m)
	s.changed()
	return m
}
