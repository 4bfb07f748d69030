package slackfake

import (
	"encoding/json"
	"fmt"
)

// Snapshot is the whole workspace as JSON: people, channels, messages, views, triggers. Sockets, calls, faults and
// acknowledgements are not in it.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.st)
}

// Restore replaces the workspace by a snapshot.
func (s *Server) Restore(snapshot []byte) error {
	st := newState(&Seed{})
	if err := json.Unmarshal(snapshot, st); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if st.Team.ID == "" || st.Users[st.BotUser] == nil {
		return fmt.Errorf("restore: no workspace in the snapshot")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	s.changed()
	return nil
}
