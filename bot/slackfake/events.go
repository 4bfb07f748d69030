package slackfake

import (
	"context"
	"fmt"
	"maps"
)

// OpenHome opens the app's Home tab: the app is told with app_home_opened.
func (s *Server) OpenHome(ctx context.Context, user string) (Ack, error) {
	s.mu.Lock()
	if s.st.Users[user] == nil {
		s.mu.Unlock()
		return Ack{}, fmt.Errorf("home: no user %q", user)
	}
	event := map[string]any{"type": "app_home_opened", "user": user, "channel": s.st.im(user).ID, "tab": "home"}
	if v := s.st.Views[s.st.Homes[user]]; v != nil {
		event["view"] = v.wire(s.st)
	}
	s.mu.Unlock()
	return s.Event(ctx, event)
}

// Event tells the app of an event of the Events API; event_ts and the outer parts are added.
func (s *Server) Event(ctx context.Context, event map[string]any) (Ack, error) {
	payload := s.eventPayload(event)
	return s.deliver(ctx, delivery{kind: "events_api", payload: payload}, nil)
}

func (s *Server) eventPayload(inner map[string]any) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	event := map[string]any{}
	maps.Copy(event, inner)
	if event["event_ts"] == nil {
		event["event_ts"] = s.st.ts("events", s.now())
	}
	return map[string]any{
		"token": "deprecated", "team_id": s.st.Team.ID, "api_app_id": s.st.AppID, "event": event,
		"type": "event_callback", "event_id": s.st.id("Ev"), "event_time": s.now().Unix(), "is_ext_shared_channel": false,
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": s.st.Team.ID, "user_id": s.st.BotUser, "is_bot": true,
			"is_enterprise_install": false,
		}},
	}
}

// Say posts a message as a person, top-level or into a thread. The app is not told of it.
func (s *Server) Say(user, channel, threadTS, text string) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.st.Users[user] == nil || s.st.Channels[channel] == nil {
		return Message{}, fmt.Errorf("say: no user %q or no channel %q", user, channel)
	}
	m := s.post(&Message{Channel: channel, ThreadTS: threadTS, User: user, Text: text, Source: "person"})
	return m.copyOf(), nil
}
