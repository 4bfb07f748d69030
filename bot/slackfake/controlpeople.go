package slackfake

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// routePeople is what people do, from outside the process.
func (s *Server) routePeople(handle func(string, func(*http.Request) (any, error))) {
	handle("POST /_emu/slash", post(func(ctx context.Context, in SlashInput) (any, error) { return s.Slash(ctx, in) }))
	handle("POST /_emu/click", post(func(ctx context.Context, in ClickInput) (any, error) { return s.Click(ctx, in) }))
	handle("POST /_emu/submit", post(func(ctx context.Context, in SubmitInput) (any, error) { return s.Submit(ctx, in) }))
	handle("POST /_emu/suggest", post(func(ctx context.Context, in SuggestInput) (any, error) { return s.Suggest(ctx, in) }))
	handle("POST /_emu/close", post(func(ctx context.Context, in struct {
		User   string `json:"user"`
		ViewID string `json:"view_id"`
		All    bool   `json:"all"`
	},
	) (any, error) {
		return s.CloseView(ctx, in.User, in.ViewID, in.All)
	}))
	handle("POST /_emu/shortcut", post(func(ctx context.Context, in struct {
		User       string `json:"user"`
		CallbackID string `json:"callback_id"`
	},
	) (any, error) {
		return s.Shortcut(ctx, in.CallbackID, in.User)
	}))
	handle("POST /_emu/home", post(func(ctx context.Context, in struct {
		User string `json:"user"`
	},
	) (any, error) {
		return s.OpenHome(ctx, in.User)
	}))
	handle("POST /_emu/event", post(func(ctx context.Context, in map[string]any) (any, error) { return s.Event(ctx, in) }))
	handle("POST /_emu/say", post(func(_ context.Context, in struct {
		User     string `json:"user"`
		Channel  string `json:"channel"`
		ThreadTS string `json:"thread_ts"`
		Text     string `json:"text"`
	},
	) (any, error) {
		return s.Say(in.User, in.Channel, in.ThreadTS, in.Text)
	}))
}

// controlFault is a Fault with a duration in words, and the switches that go with it.
type controlFault struct {
	Fault
	For   string `json:"for"`
	Clear bool   `json:"clear"`
	Tiers *bool  `json:"tiers"`
	// RevokeToken is bot or app; Code is the error it then answers.
	RevokeToken string   `json:"revoke_token"`
	Scopes      []string `json:"scopes"`
	FreePlan    *bool    `json:"free_plan"`
}

func (s *Server) controlFault(f controlFault) error {
	if f.Clear {
		s.ClearFaults()
	}
	if f.Tiers != nil {
		s.RateTiers(*f.Tiers)
	}
	if f.RevokeToken != "" {
		s.RevokeToken(f.RevokeToken, f.Code)
	}
	if f.Scopes != nil {
		s.SetScopes(f.Scopes...)
	}
	if f.FreePlan != nil {
		s.SetFreePlan(*f.FreePlan)
	}
	if f.Kind == "" {
		return nil
	}
	if f.For != "" {
		d, err := time.ParseDuration(f.For)
		if err != nil {
			return err
		}
		f.Fault.For = d
	}
	s.Fault(f.Fault)
	return nil
}

// controlSeed adds or replaces people and places.
type controlSeed struct {
	Users      []User      `json:"users"`
	UserGroups []UserGroup `json:"usergroups"`
	Channels   []Channel   `json:"channels"`
}

func (s *Server) controlSeed(in controlSeed) {
	for _, u := range in.Users {
		s.SetUser(u)
	}
	for _, g := range in.UserGroups {
		s.SetUserGroup(g)
	}
	for _, c := range in.Channels {
		s.SetChannel(c)
	}
}

// controlChaos is what befalls sockets; what is left out is left alone.
type controlChaos struct {
	Refuse           *string `json:"refuse"`
	StopPings        *bool   `json:"stop_pings"`
	RedeliverUnacked *bool   `json:"redeliver_unacked"`
	RedeliverNext    bool    `json:"redeliver_next"`
	Duplicate        int     `json:"duplicate"`
	CutAfterSend     int     `json:"cut_after_send"`
}

func (s *Server) controlChaos(in controlChaos) {
	if in.Refuse != nil {
		s.RefuseSockets(*in.Refuse)
	}
	if in.StopPings != nil {
		s.StopPings(*in.StopPings)
	}
	if in.RedeliverUnacked != nil {
		s.RedeliverUnacked(*in.RedeliverUnacked)
	}
	if in.RedeliverNext {
		s.RedeliverNext()
	}
	if in.Duplicate > 0 {
		s.Duplicate(in.Duplicate)
	}
	if in.CutAfterSend > 0 {
		s.CutAfterSend(in.CutAfterSend)
	}
}

// controlState is what a page needs to draw the workspace.
func (s *Server) controlState() map[string]any {
	views, homes := map[string][]View{}, map[string]View{}
	for _, u := range s.Users() {
		if v := s.Views(u.ID); v != nil {
			views[u.ID] = v
		}
		if h, ok := s.Home(u.ID); ok {
			homes[u.ID] = h
		}
	}
	s.mu.Lock()
	groups := []UserGroup{}
	for _, g := range s.st.groups() {
		groups = append(groups, *g)
	}
	team, bot := s.st.Team, s.st.BotUser
	s.mu.Unlock()
	return map[string]any{
		"team": team, "bot_user": bot, "users": list(s.Users()), "usergroups": groups, "channels": list(s.Channels()),
		"messages": list(s.AllMessages()), "views": views, "homes": homes, "sockets": s.Sockets(), "now": s.Now(),
		"version": s.Version(),
	}
}

// controlMessages selects by channel, thread, user (direct messages) or ephemeral_to; all without any.
func (s *Server) controlMessages(q url.Values) []Message {
	switch {
	case q.Get("ephemeral_to") != "":
		return s.Ephemerals(q.Get("ephemeral_to"))
	case q.Get("dm") != "":
		return s.DM(q.Get("dm"))
	case q.Get("thread") != "":
		return s.Thread(q.Get("channel"), q.Get("thread"))
	case q.Get("channel") != "":
		return s.Messages(q.Get("channel"))
	default:
		return s.AllMessages()
	}
}

// controlMentions lists, for each message, what it would notify or link to.
func (s *Server) controlMentions(q url.Values) any {
	if ts := q.Get("ts"); ts != "" {
		return list(s.Mentions(q.Get("channel"), ts))
	}
	out := []map[string]any{}
	for _, m := range s.AllMessages() {
		if found := MentionsIn(m); len(found) > 0 {
			out = append(out, map[string]any{"channel": m.Channel, "ts": m.TS, "mentions": found})
		}
	}
	return out
}
