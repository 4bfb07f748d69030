package slackfake

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// FaultKind is a way in which a call goes wrong.
type FaultKind string

// The faults. Those before Cut strike instead of the call; the others say what was done before.
const (
	// Status500HTML answers 500 with a page of HTML; the call is not carried out.
	Status500HTML FaultKind = "status_500_html"
	// RateLimited answers 429; RetryAfter is sent as it stands, and not at all when it is empty.
	RateLimited FaultKind = "rate_limited"
	// RateLimitedOK answers 200 with ok:false and the error rate_limited, as some posts do.
	RateLimitedOK FaultKind = "rate_limited_ok"
	// ErrorCode answers 200 with ok:false and Code.
	ErrorCode FaultKind = "error"
	// Hang holds the connection for For, then cuts it; the call is not carried out.
	Hang FaultKind = "hang"
	// Slow holds the call for For, then carries it out and answers.
	Slow FaultKind = "slow"
	// CutBefore cuts the connection; the call is not carried out.
	CutBefore FaultKind = "cut_before"
	// ApplyThenCut carries the call out and cuts the connection instead of answering.
	ApplyThenCut FaultKind = "apply_then_cut"
	// ApplyThenHang carries the call out, holds the answer for For, then cuts the connection.
	ApplyThenHang FaultKind = "apply_then_hang"
	// ApplyThenError carries the call out and then says Code, as internal_error and fatal_error may.
	ApplyThenError FaultKind = "apply_then_error"
	// Truncated carries the call out and cuts the connection in the middle of the answer.
	Truncated FaultKind = "truncated"
)

// Fault is a scripted failure of calls to come.
type Fault struct {
	// Method is the method to hit, "response_url" for those posts, "*" or "" for any.
	Method string `json:"method"`
	// Channel limits the fault to calls with that channel argument.
	Channel string `json:"channel,omitempty"`
	// Count is how many calls to hit; 0 is 1, a negative number is all until [Server.ClearFaults].
	Count int `json:"count,omitempty"`
	// Skip lets that many matching calls pass first.
	Skip       int           `json:"skip,omitempty"`
	Kind       FaultKind     `json:"kind"`
	RetryAfter string        `json:"retry_after,omitempty"`
	Code       string        `json:"code,omitempty"`
	For        time.Duration `json:"for,omitempty"`
}

func (f *Fault) instead() bool { return f.Kind == ApplyThenError }

// Fault adds a failure; several are taken in the order they were added.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Count == 0 {
		f.Count = 1
	}
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults that are still to come.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault finds the fault for a call and counts it down.
func (s *Server) takeFault(c *apiCall) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != "*" && f.Method != c.method {
			continue
		}
		if f.Channel != "" && f.Channel != c.str("channel") && f.Channel != c.str("channel_id") {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		hit := *f
		if f.Count--; f.Count == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return &hit
	}
	return nil
}

// faultBefore does what strikes before the call; true when nothing is left to do.
func (s *Server) faultBefore(w http.ResponseWriter, r *http.Request, c *apiCall, f *Fault) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case Status500HTML:
		s.faultAnswer(w, c, f, http.StatusInternalServerError, "text/html", "<html><body><h1>Server Error</h1></body></html>")
	case RateLimited:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		s.faultAnswer(w, c, f, http.StatusTooManyRequests, jsonType, `{"ok":false,"error":"ratelimited"}`)
	case RateLimitedOK:
		s.faultAnswer(w, c, f, http.StatusOK, jsonType, `{"ok":false,"error":"rate_limited"}`)
	case ErrorCode:
		s.faultAnswer(w, c, f, http.StatusOK, jsonType, fmt.Sprintf(`{"ok":false,"error":%q}`, f.Code))
	case Hang:
		s.note(c, f)
		s.hold(r, f.For)
		cut(w)
	case CutBefore:
		s.note(c, f)
		cut(w)
	case Slow:
		s.hold(r, f.For)
		return false
	default:
		return false
	}
	return true
}

const jsonType = "application/json; charset=utf-8"

func (s *Server) faultAnswer(w http.ResponseWriter, c *apiCall, f *Fault, status int, contentType, body string) {
	s.note(c, f)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// note records a call that was not carried out.
func (s *Server) note(c *apiCall, f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(c, 0, nil, f)
}

// faultAfter does what strikes after the call; true when the answer is not to be sent.
func (s *Server) faultAfter(w http.ResponseWriter, r *http.Request, f *Fault, answer []byte) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case ApplyThenHang:
		s.hold(r, f.For)
		cut(w)
	case ApplyThenCut:
		cut(w)
	case Truncated:
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer[:len(answer)/2])
		_ = http.NewResponseController(w).Flush()
		cut(w)
	default:
		return false
	}
	return true
}

// hold waits, but not longer than the client or the server lives.
func (s *Server) hold(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	case <-s.done:
	}
}

// cut closes the connection without a word.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
