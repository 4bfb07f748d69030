package dataartsfake

import (
	"net/http"
	"strings"
	"time"
)

// Kind is what a Fault does.
type Kind string

// The kinds of fault.
const (
	ApplyThenCut   Kind = "apply_then_cut" // applied, then the connection is cut without an answer
	CutBefore      Kind = "cut_before"     // cut without being applied
	Delay          Kind = "delay"          // answered as ever, but late
	Status         Kind = "status"         // an HTTP status with an error's body
	TruncatedBody  Kind = "truncated_body" // cut in the middle of a proper answer
	HTML200        Kind = "html_200"
	Empty200       Kind = "empty_200"
	Null200        Kind = "null_200"
	Empty204       Kind = "empty_204"
	Redirect302    Kind = "redirect_302"
	IsSuccessFalse Kind = "is_success_false"
	DuplicateRows  Kind = "duplicate_rows" // a list's pages overlap by a row
	WrongCount     Kind = "wrong_count"    // a list's count is one too many
	NoCount        Kind = "no_count"       // a list has no count
	HugeBody       Kind = "huge_body"      // a proper answer of nine megabytes
)

// Kinds are all kinds of fault.
func Kinds() []Kind {
	return []Kind{
		ApplyThenCut, CutBefore, Delay, Status, TruncatedBody, HTML200, Empty200, Null200, Empty204, Redirect302,
		IsSuccessFalse, DuplicateRows, WrongCount, NoCount, HugeBody,
	}
}

// Fault is what goes wrong with the next calls of a route. Faults are taken in the order in which they were added.
type Fault struct {
	Route string // a name of Routes; "*" or nothing is any
	Count int    // how many calls; 0 is one, below 0 is all until ClearFaults
	Kind  Kind
	// Applies carries out the call all the same, where the kind does not say: before a Delay, before a wrong answer. A
	// Delay that does not apply first carries the call out after it, even if the client has gone by then.
	Applies bool
	Delay   time.Duration // before anything else that the fault does, except applying
	// Status, Code and Message are those of kind Status. A Status of 0 is 500; a Code that is empty is the one that the
	// vendor documents for the status. Message is that of IsSuccessFalse too.
	Status  int
	Code    string
	Message string
}

// AddFault scripts a fault.
func (s *Server) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Count == 0 {
		f.Count = 1
	}
	s.faults = append(s.faults, f)
}

// ClearFaults forgets the faults that are left.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) takeFault(route string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Count == 0 || (f.Route != route && f.Route != "*" && f.Route != "") {
			continue
		}
		if f.Count > 0 {
			f.Count--
		}
		return *f, true
	}
	return Fault{}, false
}

// faulty carries out a call as a fault wants it.
func (s *Server) faulty(c *call, f Fault) reply {
	early := f.Applies || f.Kind == ApplyThenCut
	r := succeed()
	if early {
		r = s.handle(c, quirksOf(f))
	}
	if !s.wait(f.Delay) {
		return reply{cut: true, applied: r.applied}
	}
	// A read has nothing to apply: its proper answer is what there is to distort.
	if !early && (!c.route.mutating || f.Kind == Delay) {
		r = s.handle(c, quirksOf(f))
	}
	return f.distort(r, c.route.mutating)
}

// wait reports whether the server is still there after d. That the client is gone does not matter: a gateway goes on.
func (s *Server) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// hugeBody is more than any client should read of one answer.
const hugeBody = 9 << 20

func quirksOf(f Fault) quirks {
	q := quirks{duplicate: f.Kind == DuplicateRows, noCount: f.Kind == NoCount}
	if f.Kind == WrongCount {
		q.extra = 1
	}
	if f.Kind == HugeBody {
		q.bloat = strings.Repeat("x", hugeBody)
	}
	return q
}

// distort makes of a proper reply the one that the fault wants.
func (f Fault) distort(r reply, mutating bool) reply {
	applied := r.applied
	switch f.Kind {
	case ApplyThenCut, CutBefore:
		r.cut = true
	case Status:
		r = f.status()
	case TruncatedBody:
		r.short = true
	case HTML200:
		r = reply{status: http.StatusOK, html: true, body: []byte("<html><body>Please log in</body></html>")}
	case Empty200:
		r = reply{status: http.StatusOK}
	case Null200:
		r = reply{status: http.StatusOK, body: []byte("null")}
	case Empty204:
		r = reply{status: http.StatusNoContent}
	case Redirect302:
		r = reply{status: http.StatusFound, location: "/elsewhere"}
	case IsSuccessFalse:
		r = fail(f.Message)
	case HugeBody:
		if mutating {
			r = answer(map[string]any{"message": strings.Repeat("x", hugeBody), "is_success": true})
		}
	default: // Delay, and what quirks have done to a list
	}
	r.applied = applied
	return r
}

func (f Fault) status() reply {
	status, code, message := f.Status, f.Code, f.Message
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if code == "" {
		code = documented[status]
	}
	if message == "" {
		message = http.StatusText(status)
	}
	return refuse(status, code, message)
}

// documented are the error codes of the vendor's documents.
var documented = map[int]string{
	http.StatusBadRequest:          "DAYU.4402",
	http.StatusUnauthorized:        "APIGW.0301",
	http.StatusForbidden:           "APIGW.0302",
	http.StatusNotFound:            "APIGW.0101",
	http.StatusTooManyRequests:     "APIGW.0308",
	http.StatusInternalServerError: "DAYU.3531",
	http.StatusBadGateway:          "APIGW.0201",
	http.StatusServiceUnavailable:  "APIGW.0201",
	http.StatusGatewayTimeout:      "APIGW.0201",
}
