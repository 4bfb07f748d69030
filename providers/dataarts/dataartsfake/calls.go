package dataartsfake

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Call is one request as it came, and what became of it.
type Call struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"` // with its query
	// Route is the vendor's name of the API; empty where there is no such route.
	Route     string `json:"route,omitempty"`
	Body      string `json:"body,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	RequestID string `json:"request_id"`
	// Mutating tells a call that may change a membership; Applied one that did.
	Mutating bool `json:"mutating,omitempty"`
	Applied  bool `json:"applied,omitempty"`
	// Status is the HTTP status that was answered; zero while there is no answer, and where the connection was cut.
	Status int `json:"status"`
}

// call is a request while it is answered.
type call struct {
	*http.Request
	route  *route
	params []string // what the route's groups matched
	body   []byte
	id     string
	key    Key
	index  int
}

// Calls are the requests since the start or the last Reset, in the order in which they came.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Mutations are the Calls that may change a membership.
func (s *Server) Mutations() []Call {
	return slices.DeleteFunc(s.Calls(), func(c Call) bool { return !c.Mutating })
}

func (s *Server) begin(r *http.Request, body []byte) *call {
	rt, params := match(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	c := &call{Request: r, route: rt, params: params, body: body, id: fmt.Sprintf("%032x", s.seq), index: len(s.calls)}
	rec := Call{
		Time: s.now(), Method: r.Method, Path: r.URL.RequestURI(), Body: string(body), UserAgent: r.UserAgent(),
		RequestID: c.id,
	}
	if rt != nil {
		rec.Route, rec.Mutating = rt.name, rt.mutating
	}
	s.calls = append(s.calls, rec)
	return c
}

// end records the outcome before the client can see it, so that a client that has its answer finds the record complete.
func (s *Server) end(c *call, r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.index >= len(s.calls) || s.calls[c.index].RequestID != c.id {
		return // Reset came in between
	}
	s.calls[c.index].Applied = r.applied
	if !r.cut {
		s.calls[c.index].Status = r.status
	}
}
