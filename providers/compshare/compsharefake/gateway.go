package compsharefake

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Call is one call that was received.
type Call struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"`
	// Company is the caller, by its key; 0 if the call was not signed well.
	Company uint32 `json:"company,omitempty"`
	// Params are the parameters without PublicKey and Signature.
	Params map[string]string `json:"params"`
	// Mutating is a call that is not a read.
	Mutating bool `json:"mutating"`
	// Applied is a call that changed something.
	Applied bool `json:"applied"`
	// RetCode is what the API itself answered, or a fault in its place; another fault may have kept it from the client.
	RetCode   int    `json:"ret_code"`
	RequestID string `json:"request_id"`
	// Fault is what struck the call, if anything did.
	Fault FaultKind `json:"fault,omitempty"`
}

// Calls are the calls received so far, reads too, in the order in which they came.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make([]Call, len(s.calls))
	for i, c := range s.calls {
		calls[i] = *c
		calls[i].Params = maps.Clone(c.Params)
	}
	return calls
}

// Mutations are the calls received so far that are not reads.
func (s *Server) Mutations() []Call {
	var calls []Call
	for _, c := range s.Calls() {
		if c.Mutating {
			calls = append(calls, c)
		}
	}
	return calls
}

// ResetCalls forgets the calls received so far.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// refusal is a RetCode with its text.
type refusal struct {
	code int
	text string
	// bare is an error of the gateway's own, which has been seen without Action.
	bare bool
}

func badParam(name string) *refusal {
	return &refusal{code: 230, text: "Params [" + name + "] not available"}
}

// caller is one call being carried out.
type caller struct {
	params
	action  string
	company uint32
	applied bool
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	p, err := readParams(r)
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	call, f := s.receive(p)
	w.Header().Set("X-UCLOUD-REQUEST-UUID", call.RequestID)
	if f != nil && !f.After {
		if f.Kind != Delay {
			s.strike(w, f, p, answer{"Action": call.Action + "Response", "RetCode": 0, "ErrorMap": answer{}})
			return
		}
		s.pause(f.delay())
	}
	a := s.perform(p, call)
	switch {
	case f == nil || !f.After:
		send(w, body(a))
	case f.Kind == Delay:
		s.pause(f.delay())
		send(w, body(a))
	default:
		s.strike(w, f, p, a)
	}
}

// receive records a call and finds out what is to go wrong with it.
func (s *Server) receive(p params) (*Call, *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	action := p.flat["Action"]
	call := &Call{
		Time: s.opts.Now(), Action: action, Params: p.shown(),
		Mutating: actions[action].mutating, RequestID: fmt.Sprintf("fa4e0000-0000-4000-8000-%012d", s.serial),
	}
	s.calls = append(s.calls, call)
	f := s.takeFault(action)
	if f != nil {
		call.Fault = f.Kind
		if f.Kind == RetCode && !f.After {
			call.RetCode = f.RetCode
		}
	}
	return call, f
}

// perform carries a call out and answers it.
func (s *Server) perform(p params, call *Call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &caller{params: p, action: p.flat["Action"]}
	a, no := s.admit(c)
	if no == nil {
		a, no = actions[c.action].do(s, c)
	}
	call.Company, call.Applied = c.company, c.applied
	if no != nil {
		call.RetCode = no.code
		a = answer{"Message": no.text}
	}
	if c.action != "" && (no == nil || !no.bare || !s.quirks.BareErrors) {
		a["Action"] = c.action + "Response"
	}
	a["RetCode"] = call.RetCode
	if s.quirks.TextRetCode {
		a["RetCode"] = strconv.Itoa(call.RetCode)
	}
	return a
}

// admit makes the gateway's checks, in its order.
func (s *Server) admit(c *caller) (answer, *refusal) {
	if c.action == "" {
		return nil, &refusal{160, "Missing Action", true}
	}
	if _, ok := actions[c.action]; !ok {
		return nil, &refusal{161, "Action [" + c.action + "] not exist", true}
	}
	if c.flat["Signature"] == "" && !s.quirks.NoSignature {
		return nil, &refusal{170, "Missing Signature", true}
	}
	account := s.st.account(c.flat["PublicKey"])
	if account == nil {
		return nil, &refusal{172, "User Not Exists", true}
	}
	want := Sign(c.tree, account.PrivateKey)
	if subtle.ConstantTimeCompare([]byte(want), []byte(c.flat["Signature"])) == 0 && !s.quirks.NoSignature {
		return nil, &refusal{171, "Signature VerifyAC Error", true}
	}
	c.company = account.Company
	if account.Unverified {
		return nil, &refusal{code: 226606, text: "account is not real-name verified"}
	}
	return answer{}, nil
}
