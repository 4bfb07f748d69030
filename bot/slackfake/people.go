package slackfake

import (
	"slices"
)

// SetUser adds a user or replaces the one with the same ID.
func (s *Server) SetUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Team == "" {
		u.Team = s.st.Team.ID
	}
	s.st.Users[u.ID] = &u
	s.changed()
}

// AddUser is [Server.SetUser], for a test that reads better with it.
func (s *Server) AddUser(u User) { s.SetUser(u) }

// User returns a user, or a zero one.
func (s *Server) User(id string) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.st.Users[id]; u != nil {
		return *u
	}
	return User{}
}

// Users returns every user by ID.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []User
	for _, u := range s.st.users() {
		out = append(out, *u)
	}
	return out
}

// SetUserGroup adds a user group or replaces the one with the same ID.
func (s *Server) SetUserGroup(g UserGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.Users = slices.Clone(g.Users)
	s.st.Groups[g.ID] = &g
	s.changed()
}

// SetChannel adds a channel or replaces the one with the same ID.
func (s *Server) SetChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Members = slices.Clone(c.Members)
	s.st.Channels[c.ID] = &c
	s.changed()
}

// AddChannel is [Server.SetChannel], for a test that reads better with it.
func (s *Server) AddChannel(c Channel) { s.SetChannel(c) }

// Channels returns every conversation by ID, direct messages with the bot too.
func (s *Server) Channels() []Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Channel
	for _, c := range s.st.channels() {
		cp := *c
		cp.Members = slices.Clone(c.Members)
		out = append(out, cp)
	}
	return out
}

// SetScopes replaces the bot token's scopes.
func (s *Server) SetScopes(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Scopes = slices.Clone(scopes)
}

// RevokeToken makes a token answer code (token_revoked, account_inactive, invalid_auth); an empty code heals it.
// kind is "bot" or "app".
func (s *Server) RevokeToken(kind, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenErr[kind] = code
}

// SetFreePlan makes the usergroups methods answer plan_upgrade_required, as in a workspace that pays nothing.
func (s *Server) SetFreePlan(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noPlan = on
}

// SetHomeEnabled says whether the app's Home tab is switched on; it is at the start.
func (s *Server) SetHomeEnabled(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noHome = !on
}
