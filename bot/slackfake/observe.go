package slackfake

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Call is one request to the Web API or to a response_url, as it was understood.
type Call struct {
	Method string    `json:"method"`
	Time   time.Time `json:"time"`
	// Token is bot, app, unknown or none.
	Token string `json:"token"`
	// Header says that the token came in the Authorization header.
	Header   bool           `json:"header"`
	Args     map[string]any `json:"args"`
	Status   int            `json:"status"`
	Response map[string]any `json:"response,omitempty"`
	// Fault names the scripted fault that hit the call.
	Fault string `json:"fault,omitempty"`
}

// Err is the error code of the answer, empty when the call went well.
func (c Call) Err() string {
	code, _ := c.Response["error"].(string)
	return code
}

// pick returns copies of the messages that keep accepts.
func (s *Server) pick(keep func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, c := range s.st.channels() {
		for _, m := range s.st.Messages[c.ID] {
			if keep(m) {
				out = append(out, m.copyOf())
			}
		}
	}
	return out
}

// Messages returns a channel's top-level messages, oldest first; ephemeral and deleted ones are left out.
func (s *Server) Messages(channel string) []Message {
	return s.pick(func(m *Message) bool {
		return m.Channel == channel && m.ThreadTS == "" && !m.Ephemeral && !m.Deleted
	})
}

// Thread returns the replies under a message, oldest first, without the message itself.
func (s *Server) Thread(channel, ts string) []Message {
	return s.pick(func(m *Message) bool {
		return m.Channel == channel && m.ThreadTS == ts && !m.Ephemeral && !m.Deleted
	})
}

// Message returns one message, also a deleted or ephemeral one.
func (s *Server) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.st.message(channel, ts); m != nil {
		return m.copyOf(), true
	}
	return Message{}, false
}

// AllMessages returns every message of every channel, ephemeral and deleted ones too.
func (s *Server) AllMessages() []Message { return s.pick(func(*Message) bool { return true }) }

// DM returns what the bot and a user wrote to each other directly.
func (s *Server) DM(user string) []Message {
	s.mu.Lock()
	id := s.st.im(user).ID
	s.mu.Unlock()
	return s.pick(func(m *Message) bool { return m.Channel == id && !m.Ephemeral && !m.Deleted })
}

// Ephemerals returns what only this user was shown: ephemeral posts, answers to slash commands and to buttons.
func (s *Server) Ephemerals(user string) []Message {
	return s.pick(func(m *Message) bool { return m.Ephemeral && m.To == user && !m.Deleted })
}

// Calls returns the requests to a method, oldest first; all of them for "". Posts to a response_url have the
// method "response_url".
func (s *Server) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if method == "" || c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// Connects returns when apps.connections.open was called.
func (s *Server) Connects() []time.Time {
	var out []time.Time
	for _, c := range s.Calls("apps.connections.open") {
		out = append(out, c.Time)
	}
	return out
}

// Acks returns how each delivery was answered, oldest first.
func (s *Server) Acks() []Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acks)
}

// changed wakes whoever subscribed; the lock must be held.
func (s *Server) changed() {
	s.version++
	for _, ch := range s.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Version grows whenever anything visible changes.
func (s *Server) Version() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// Subscribe returns a channel that is written to whenever anything visible changed, and a function that ends it.
// A reader that is slow sees one wake-up for several changes.
func (s *Server) Subscribe() (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subID++
	id, ch := s.subID, make(chan struct{}, 1)
	s.subs[id] = ch
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, id)
	}
}

// WaitFor waits until cond holds, looking again after each change.
func (s *Server) WaitFor(ctx context.Context, cond func() bool) error {
	wake, cancel := s.Subscribe()
	defer cancel()
	for {
		if cond() {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("wait for Slack to show it: %w", ctx.Err())
		}
	}
}
