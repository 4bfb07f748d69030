package slackfake

import (
	"context"
	"fmt"
	"maps"
)

// SlashInput is a command that a person types.
type SlashInput struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	Command string `json:"command"`
	// Text is what is typed after the command; it is escaped and its names are resolved as with should_escape.
	Text string `json:"text"`
	// Raw sends Text as it stands.
	Raw bool `json:"raw,omitempty"`
	// TriggerID repeats an earlier delivery; empty makes a fresh one.
	TriggerID string `json:"trigger_id,omitempty"`
	// Team replaces the workspace's ID in the payload.
	Team string `json:"team,omitempty"`
	// Patch replaces fields of the payload.
	Patch map[string]any `json:"patch,omitempty"`
}

// Slash types a command and waits for what the person sees at once. The error is for what no person could do: an
// unknown user or channel, or a context that ended. What Slack would show is in [Ack].
func (s *Server) Slash(ctx context.Context, in SlashInput) (Ack, error) {
	payload, err := locked(s, in, s.slashPayload)
	if err != nil {
		return Ack{}, err
	}
	return s.deliver(ctx, delivery{kind: "slash_commands", payload: payload, answers: true}, s.showSlash(in.User, in.Channel))
}

// locked runs f under the lock, and gives it back whatever f does: a panic is net/http's to report, not a reason to
// hang.
func locked[A, B any](s *Server, in A, f func(A) (B, error)) (B, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(in)
}

func (s *Server) slashPayload(in SlashInput) (map[string]any, error) {
	u, ch := s.st.Users[in.User], s.st.Channels[in.Channel]
	switch {
	case u == nil:
		return nil, fmt.Errorf("slash: no user %q", in.User)
	case ch == nil:
		return nil, fmt.Errorf("slash: no channel %q", in.Channel)
	}
	text := in.Text
	if !in.Raw {
		text = s.st.escape(text)
	}
	trigger := in.TriggerID
	if s.st.Triggers[trigger] == nil {
		fresh := s.st.newTrigger(in.User, "", s.now())
		if trigger != "" {
			s.st.Triggers[trigger] = s.st.Triggers[fresh]
			delete(s.st.Triggers, fresh)
			fresh = trigger
		}
		trigger = fresh
	}
	payload := map[string]any{
		"token": "deprecated", "team_id": or(in.Team, s.st.Team.ID), "team_domain": s.st.Team.Domain,
		"channel_id": ch.ID, "channel_name": channelName(ch), "user_id": u.ID, "user_name": u.Name,
		"command": in.Command, "text": text, "api_app_id": s.st.AppID, "is_enterprise_install": "false",
		"response_url": s.newResponseURL("commands", responseURL{Channel: ch.ID, User: u.ID}), "trigger_id": trigger,
	}
	if s.st.Team.Enterprise != "" {
		payload["enterprise_id"], payload["enterprise_name"] = s.st.Team.Enterprise, "Enterprise"
	}
	maps.Copy(payload, in.Patch)
	return payload, nil
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// channelName is the name in payloads, where Slack does not tell those of private places.
func channelName(ch *Channel) string {
	switch {
	case ch == nil:
		return ""
	case ch.IsIM:
		return "directmessage"
	case ch.IsPrivate:
		return "privategroup"
	default:
		return ch.Name
	}
}
