package compsharefake

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
)

// routeControl serves the emulator to other processes:
//
//	GET  /_emu/state     [State]             GET  /_emu/calls     [][Call]; ?mutating=1 leaves the reads out
//	POST /_emu/state     [State]             POST /_emu/calls     forget the calls
//	POST /_emu/fault     [Fault], adds one   POST /_emu/faults    remove all faults
//	POST /_emu/relation  [Relation]          POST /_emu/account   [Account], Unverified too
//	POST /_emu/team      [Team]              POST /_emu/quirks    [Quirks]
//	POST /_emu/reset     back to the seed    GET  /_emu/relations?team=N   [][Relation]
//
// A POST answers 204; a body that does not parse, or has a field that is not known, 400.
func (s *Server) routeControl() {
	routes := map[string]http.HandlerFunc{
		"GET /_emu/state":     s.getState,
		"GET /_emu/calls":     s.getCalls,
		"GET /_emu/relations": s.getRelations,
		"POST /_emu/state":    s.postState,
		"POST /_emu/calls":    func(w http.ResponseWriter, _ *http.Request) { s.ResetCalls(); done(w) },
		"POST /_emu/faults":   func(w http.ResponseWriter, _ *http.Request) { s.ClearFaults(); done(w) },
		"POST /_emu/reset":    func(w http.ResponseWriter, _ *http.Request) { s.Reset(); done(w) },
		"POST /_emu/fault":    post(s.Fault),
		"POST /_emu/relation": post(s.SetRelation),
		"POST /_emu/quirks":   post(s.SetQuirks),
		"POST /_emu/team":     post(func(t Team) { s.mu.Lock(); defer s.mu.Unlock(); s.putTeam(t) }),
		"POST /_emu/account":  post(func(a Account) { s.mu.Lock(); defer s.mu.Unlock(); s.putAccount(a) }),
		"/_emu/":              http.NotFound,
	}
	for pattern, handler := range routes {
		s.mux.Handle(pattern, local(handler))
	}
}

// local refuses a request that did not come to a loopback name, or that a page of elsewhere sends: a browser on this
// machine must not be a way in.
func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !localAuthority(r.Host) || !localOrigin(r.Header.Get("Origin")) {
			http.Error(w, "loopback only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func localAuthority(authority string) bool {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = authority
	}
	return loopbackHost(host)
}

func localOrigin(origin string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && loopbackHost(u.Hostname())
}

// post decodes a body strictly and hands it on.
func post[T any](use func(T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		use(v)
		done(w)
	}
}

func done(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

func (s *Server) getState(w http.ResponseWriter, _ *http.Request) {
	text, err := s.Snapshot()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, text)
}

func (s *Server) postState(w http.ResponseWriter, r *http.Request) {
	post(func(st State) { s.mu.Lock(); defer s.mu.Unlock(); s.st = st.clone() })(w, r)
}

func (s *Server) getCalls(w http.ResponseWriter, r *http.Request) {
	calls := s.Calls()
	if r.URL.Query().Get("mutating") != "" {
		calls = s.Mutations()
	}
	sendJSON(w, calls)
}

func (s *Server) getRelations(w http.ResponseWriter, r *http.Request) {
	team, no := formParams(r.URL.Query()).number("team")
	if no != nil {
		http.Error(w, "team is no number", http.StatusBadRequest)
		return
	}
	sendJSON(w, s.Relations(team))
}

func sendJSON[T any](w http.ResponseWriter, list []T) {
	if list == nil {
		list = []T{}
	}
	text, err := json.Marshal(list)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, text)
}
