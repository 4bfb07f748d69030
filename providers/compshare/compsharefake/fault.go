package compsharefake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// FaultKind is what goes wrong with a call.
type FaultKind string

// The kinds of fault. Each strikes before the action is carried out, so that nothing is applied, or after it
// ([Fault.After]).
const (
	Cut         FaultKind = "cut"          // the connection is cut, without an answer
	Delay       FaultKind = "delay"        // DelayMS pass; the call then goes its way, even if the client has gone
	HTTPStatus  FaultKind = "http"         // HTTP Status (default 502) with a page of text
	Truncated   FaultKind = "truncated"    // the connection is cut in the middle of the answer
	HTML        FaultKind = "html"         // HTTP 200 with a page, as a captive portal gives
	RetCode     FaultKind = "ret_code"     // RetCode and Message instead of the answer
	Redirect    FaultKind = "redirect"     // HTTP Status (default 307) to URL
	EmptyObject FaultKind = "empty_object" // {}
	Null        FaultKind = "null"         // null
	EmptyBody   FaultKind = "empty_body"   // HTTP 200 without a body
	NoRetCode   FaultKind = "no_ret_code"  // the answer without RetCode
	OtherAction FaultKind = "other_action" // the answer with the Action of another call
	ErrorMap    FaultKind = "error_map"    // RetCode 0 with an ErrorMap entry of RetCode and Message for each invitee
	Huge        FaultKind = "huge"         // the answer with a Message of Bytes (default 8 MiB)
)

// Fault is something that goes wrong with the next calls of an action.
type Fault struct {
	// Action is the call that it strikes; empty or "*" is any.
	Action string    `json:"action,omitempty"`
	Kind   FaultKind `json:"kind"`
	// After strikes once the action has been carried out; otherwise it is not carried out, except by Delay.
	After bool `json:"after,omitempty"`
	// Count is how many calls it strikes; 0 is one, -1 all. Skip is how many it lets pass first.
	Count int `json:"count,omitempty"`
	Skip  int `json:"skip,omitempty"`

	DelayMS int    `json:"delay_ms,omitempty"`
	Status  int    `json:"status,omitempty"`
	RetCode int    `json:"ret_code,omitempty"`
	Message string `json:"message,omitempty"`
	URL     string `json:"url,omitempty"`
	Bytes   int    `json:"bytes,omitempty"`
}

// FaultKinds are all kinds of fault.
func FaultKinds() []FaultKind {
	return []FaultKind{
		Cut, Delay, HTTPStatus, Truncated, HTML, RetCode, Redirect, EmptyObject, Null, EmptyBody, NoRetCode,
		OtherAction, ErrorMap, Huge,
	}
}

// Fault adds a fault. Of several that fit a call, the first added strikes.
func (s *Server) Fault(f Fault) {
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault is the fault that strikes a call of an action, or nil; the lock must be held.
func (s *Server) takeFault(action string) *Fault {
	for _, f := range s.faults {
		if f.Count == 0 || (f.Action != "" && f.Action != "*" && f.Action != action) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Count > 0 {
			f.Count--
		}
		struck := *f
		return &struck
	}
	return nil
}

// answer is the JSON object of an answer.
type answer map[string]any

// strike sends what a fault makes of an answer.
func (s *Server) strike(w http.ResponseWriter, f *Fault, p params, a answer) {
	switch f.Kind {
	case Cut:
		panic(http.ErrAbortHandler)
	case HTTPStatus:
		page(w, orInt(f.Status, http.StatusBadGateway))
	case HTML:
		page(w, http.StatusOK)
	case Redirect:
		w.Header().Set("Location", f.URL)
		w.WriteHeader(orInt(f.Status, http.StatusTemporaryRedirect))
	case EmptyBody:
		w.WriteHeader(http.StatusOK)
	case EmptyObject:
		send(w, []byte("{}"))
	case Null:
		send(w, []byte("null"))
	case Truncated:
		truncate(w, body(a))
	default:
		send(w, body(f.bend(a, p)))
	}
}

// bend is the answer that says something else than what happened.
func (f *Fault) bend(a answer, p params) answer {
	switch f.Kind {
	case RetCode:
		a["RetCode"], a["Message"] = f.RetCode, f.Message
	case NoRetCode:
		delete(a, "RetCode")
	case OtherAction:
		a["Action"] = "DescribeUHostInstanceResponse"
	case Huge:
		a["Message"] = strings.Repeat("x", orInt(f.Bytes, 8<<20))
	case ErrorMap:
		entries := map[string]any{}
		for i := 0; p.flat[invitee(i)] != ""; i++ {
			entries[p.flat[invitee(i)]] = answer{"Code": f.RetCode, "Message": f.Message}
		}
		a["ErrorMap"] = entries
	default:
	}
	return a
}

func invitee(i int) string { return fmt.Sprintf("UserInfo.%d.UserCompanyId", i) }

func orInt(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

func (f *Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

func body(a answer) []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // an answer is made of maps, lists, strings and numbers
	}
	return text
}

func send(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

// page is what a proxy in between says.
func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>")
}

// truncate announces the whole answer and sends half of it.
func truncate(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	send(w, text[:len(text)/2])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}
