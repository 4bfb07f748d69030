package dataartsfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// control is the JSON interface for other processes. It is refused to anybody but a client of this machine that names
// it so: a web page that a browser shows must not reach it under a host name of its own.
//
//	GET  /_emu/state       what Snapshot returns
//	GET  /_emu/calls       the Calls
//	POST /_emu/restore     a Snapshot
//	POST /_emu/reset       {}
//	POST /_emu/fault       {"route":"*","count":1,"kind":"delay","delay":"3s","applies":false,"status":0,"code":"","message":""}
//	POST /_emu/faults/clear {}
//	POST /_emu/behaviour   a Behaviour
//	POST /_emu/workspace   {"id":"...","name":"..."}
//	POST /_emu/member      {"workspace":"...","member":{...}}, with "remove":true to remove it
//	POST /_emu/user        an IAMUser
//	POST /_emu/role        a Role
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_emu/state", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Snapshot()) })
	mux.HandleFunc("GET /_emu/calls", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Calls()) })
	mux.HandleFunc("POST /_emu/restore", s.restore)
	mux.HandleFunc("POST /_emu/reset", func(w http.ResponseWriter, _ *http.Request) { s.Reset(); ok(w) })
	mux.HandleFunc("POST /_emu/fault", post(func(f faultJSON) error { return s.addFault(f) }))
	mux.HandleFunc("POST /_emu/faults/clear", func(w http.ResponseWriter, _ *http.Request) { s.ClearFaults(); ok(w) })
	mux.HandleFunc("POST /_emu/behaviour", post(func(b Behaviour) error { s.SetBehaviour(b); return nil }))
	mux.HandleFunc("POST /_emu/workspace", post(func(v Workspace) error { s.AddWorkspace(v.ID, v.Name); return nil }))
	mux.HandleFunc("POST /_emu/member", post(func(m memberJSON) error { return s.member(m) }))
	mux.HandleFunc("POST /_emu/user", post(func(u IAMUser) error { s.AddIAMUser(u); return nil }))
	mux.HandleFunc("POST /_emu/role", post(func(v Role) error { s.AddRole(v); return nil }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) || !ownOrigin(r.Header.Get("Origin")) {
			http.Error(w, "the control interface is for this machine", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip.IsLoopback()
}

func ownOrigin(origin string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && loopback(u.Host)
}

type faultJSON struct {
	Route   string `json:"route"`
	Count   int    `json:"count"`
	Kind    Kind   `json:"kind"`
	Applies bool   `json:"applies"`
	Delay   string `json:"delay"`
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (s *Server) addFault(f faultJSON) error {
	var delay time.Duration
	if f.Delay != "" {
		d, err := time.ParseDuration(f.Delay)
		if err != nil {
			return fmt.Errorf("delay: %w", err)
		}
		delay = d
	}
	if !slices.Contains(Kinds(), f.Kind) {
		return fmt.Errorf("kind %q, known are %v", f.Kind, Kinds())
	}
	s.AddFault(Fault{
		Route: f.Route, Count: f.Count, Kind: f.Kind, Applies: f.Applies, Delay: delay,
		Status: f.Status, Code: f.Code, Message: f.Message,
	})
	return nil
}

type memberJSON struct {
	Workspace string `json:"workspace"`
	Member    Member `json:"member"`
	Remove    bool   `json:"remove"`
}

func (s *Server) member(m memberJSON) error {
	if m.Remove {
		s.RemoveMember(m.Workspace, m.Member.Type, m.Member.UserID)
	} else {
		s.SetMember(m.Workspace, m.Member)
	}
	return nil
}

func (s *Server) restore(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.Restore(b)
	}
	finish(w, err)
}

// post is a handler that decodes one JSON value and hands it on; a field that nobody knows is an error.
func post[T any](f func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		err := d.Decode(&v)
		if err == nil {
			err = f(v)
		}
		finish(w, err)
	}
}

func finish(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ok(w)
}

func ok(w http.ResponseWriter) { writeJSON(w, map[string]bool{"ok": true}) }

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone away misses nothing
}
