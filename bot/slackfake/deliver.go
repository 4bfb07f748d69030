package slackfake

import (
	"context"
	"encoding/json"
	"time"
)

// Ack is how a delivery was answered, and what Slack made of it.
type Ack struct {
	// Kind is slash_commands, interactive, options or events_api.
	Kind       string        `json:"kind"`
	EnvelopeID string        `json:"envelope_id,omitempty"`
	Sent       time.Time     `json:"sent"`
	Latency    time.Duration `json:"latency"`
	// Status is the HTTP status, 0 in Socket Mode.
	Status int `json:"status,omitempty"`
	// Text is what the person reads at once, for a slash command.
	Text string `json:"text,omitempty"`
	// Payload is what came with the acknowledgement.
	Payload map[string]any `json:"payload,omitempty"`
	// Err is what Slack would show or log: operation_timeout, dispatch_failed (nobody was connected or listening),
	// dispatch_unknown_error (an HTTP status other than 200), invalid_command_response, invalid_view, invalid_errors,
	// payload_too_large. Empty when all is well.
	Err string `json:"err,omitempty"`
	// Note marks what is not the answer to a first delivery: redelivery, duplicate, late, unknown.
	Note string `json:"note,omitempty"`
	// Attempt is the number of the retry that was answered, 0 for the first delivery.
	Attempt int `json:"attempt,omitempty"`
	// TriggerID and ResponseURL are those that the delivery carried.
	TriggerID   string `json:"trigger_id,omitempty"`
	ResponseURL string `json:"response_url,omitempty"`
}

// OK says that the delivery was acknowledged and its payload understood.
func (a Ack) OK() bool { return a.Err == "" }

// delivery is something to tell the app.
type delivery struct {
	kind    string // slash_commands, interactive, options, events_api
	payload map[string]any
	raw     []byte // the payload as a socket carries it, each time it is sent
	// answers says that a payload may come with the acknowledgement.
	answers bool
}

// deliver sends over whatever transport is live and waits for the answer; each answer, also to a copy, goes to land.
func (s *Server) deliver(ctx context.Context, d delivery, land func(*Ack)) (Ack, error) {
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	var ack Ack
	if target.set() {
		d.payload = deepCopy(d.payload)
		ack = s.deliverHTTP(ctx, target, d)
	} else {
		ack = s.deliverSocket(ctx, d, land)
	}
	ack.TriggerID, _ = d.payload["trigger_id"].(string)
	ack.ResponseURL, _ = d.payload["response_url"].(string)
	s.mu.Lock()
	if ack.Err == "" && land != nil {
		land(&ack)
	}
	s.acks = append(s.acks, ack)
	s.changed()
	s.mu.Unlock()
	return ack, ctx.Err()
}

// showSlash turns the answer to a slash command into the message that it is; the lock must be held.
func (s *Server) showSlash(user, channel string) func(*Ack) {
	return func(a *Ack) {
		body := a.Payload
		if body == nil && a.Text != "" {
			body = map[string]any{"text": a.Text}
		}
		if len(body) == 0 {
			return
		}
		c := &apiCall{s: s, method: "slash_ack", args: body, now: s.now()}
		msg, err := c.content()
		switch {
		case err != nil:
			a.Err = "invalid_command_response"
			a.Text = err.code
			return
		case msg.text == "" && len(msg.blocks) == 0 && len(msg.attachments) == 0:
			return
		}
		m := &Message{
			Channel: channel, User: s.st.BotUser, Text: msg.text, Blocks: msg.blocks, Attachments: msg.attachments,
			Source: "slash_ack",
		}
		if c.str("response_type") != "in_channel" {
			m.Ephemeral, m.To = true, user
		}
		a.Text = Text(*s.post(m))
	}
}

// parseAnswer reads the body of an HTTP answer: JSON where it says so, else plain text.
func parseAnswer(contentType string, raw []byte) (map[string]any, string) {
	if len(raw) == 0 {
		return nil, ""
	}
	if isJSON(contentType) {
		var obj map[string]any
		if json.Unmarshal(raw, &obj) == nil {
			return obj, ""
		}
	}
	return nil, string(raw)
}
