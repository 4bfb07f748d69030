package slackfake

import (
	"encoding/json"
	"errors"
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
		return errors.New("restore: no workspace in the snapshot")
	}
	st.fillMaps()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	s.changed()
	return nil
}

// fillMaps replaces the maps that a snapshot set to null.
func (st *state) fillMaps() {
	fillMap(&st.Users)
	fillMap(&st.Groups)
	fillMap(&st.Channels)
	fillMap(&st.Messages)
	fillMap(&st.LastTS)
	fillMap(&st.Views)
	fillMap(&st.Stacks)
	fillMap(&st.Homes)
	fillMap(&st.Triggers)
	fillMap(&st.Responses)
}

func fillMap[K comparable, V any](m *map[K]V) {
	if *m == nil {
		*m = map[K]V{}
	}
}
