package slackfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// responseURL is the right to post into a conversation for a while, whether the bot is a member or not.
type responseURL struct {
	Channel string
	User    string
	Made    time.Time
	Used    int
	// Origin is the message that the button was on; a slash command has none that can be replaced.
	Origin string
	Thread string
}

const (
	responseUses = 5
	responseLife = 30 * time.Minute
)

// newResponseURL makes one; kind is commands or actions, as at hooks.slack.com.
func (s *Server) newResponseURL(kind string, r responseURL) string {
	s.st.Counter++
	path := fmt.Sprintf("/response/%s/%s/%d/%024x", kind, s.st.Team.ID, s.st.Counter, mix(s.st.Counter))
	r.Made = s.now()
	s.st.Responses[path] = &r
	return s.base + path
}

// serveResponseURL takes a post to a response_url.
func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	var args map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &args)
	}
	c := &apiCall{s: s, method: "response_url", args: args, kind: "none"}
	if c.args == nil {
		c.args = map[string]any{}
	}
	fault := s.takeFault(c)
	if s.faultBefore(w, r, c, fault) {
		return
	}
	status, body := s.answerResponse(c, r.URL.Path, err != nil, fault)
	if s.faultAfter(w, r, fault, []byte(body)) {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (s *Server) answerResponse(c *apiCall, path string, badJSON bool, fault *Fault) (int, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.now()
	status, body := c.respond(path, badJSON)
	s.record(c, status, map[string]any{"ok": status == http.StatusOK, "body": body}, fault)
	return status, body
}

func (c *apiCall) respond(path string, badJSON bool) (int, string) {
	u := c.s.st.Responses[path]
	switch {
	case u == nil:
		return http.StatusNotFound, "no_service"
	case u.Used >= responseUses, c.now.Sub(u.Made) > responseLife:
		return http.StatusNotFound, "expired_url"
	case badJSON:
		return http.StatusBadRequest, "invalid_payload"
	}
	if c.flag("delete_original") {
		u.Used++
		c.replace(u, func(m *Message) { m.Deleted = true })
		return http.StatusOK, "ok"
	}
	body, err := c.content()
	if err == nil && body.text == "" && len(body.blocks) == 0 && len(body.attachments) == 0 {
		err = fail("no_text")
	}
	if err != nil {
		return http.StatusBadRequest, err.code
	}
	u.Used++
	c.land(u, body)
	return http.StatusOK, "ok"
}

// land shows what was posted: in place of the original where that is asked for and possible, else as a new message.
func (c *apiCall) land(u *responseURL, body content) {
	inPlace := c.flag("replace_original") && c.replace(u, func(m *Message) {
		m.remember(c.now)
		m.Text, m.Blocks, m.Attachments = body.text, body.blocks, body.attachments
		if body.metadata != nil {
			m.Metadata = body.metadata
		}
		c.s.fillIDs(m.Blocks)
	})
	if inPlace {
		c.s.changed()
		return
	}
	m := &Message{
		Channel: u.Channel, User: c.s.st.BotUser, Text: body.text, Blocks: body.blocks, Attachments: body.attachments,
		Metadata: body.metadata, Source: "response_url", ThreadTS: c.str("thread_ts"),
	}
	if c.str("response_type") != "in_channel" {
		m.Ephemeral, m.To, m.Metadata = true, u.User, nil
	}
	c.s.post(m)
}

// replace changes the message that the URL belongs to, if there is one and it is still there.
func (c *apiCall) replace(u *responseURL, change func(*Message)) bool {
	m := c.s.st.message(u.Channel, u.Origin)
	if m == nil || m.Deleted {
		return false
	}
	change(m)
	c.s.changed()
	return true
}

// ResponseURLs returns those that are still good for a user, newest first: a test may use what a bot lost.
func (s *Server) ResponseURLs(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for path, r := range s.st.Responses {
		if r.User == user && r.Used < responseUses && s.now().Sub(r.Made) <= responseLife {
			out = append(out, s.base+path)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(b, a) })
	return out
}
