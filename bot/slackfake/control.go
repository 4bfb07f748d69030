package slackfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// routeControl puts the tests' and the page's side under /_emu/: JSON in, JSON out, errors as {"error": text}.
func (s *Server) routeControl() {
	handle := func(pattern string, h func(*http.Request) (any, error)) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.control(w, r, h) })
	}
	s.routePeople(handle)
	handle("POST /_emu/clock", post(func(_ context.Context, in struct {
		Advance string `json:"advance"`
	},
	) (any, error) {
		d, err := time.ParseDuration(in.Advance)
		s.Advance(d)
		return map[string]any{"now": s.Now()}, err
	}))
	handle("POST /_emu/fault", post(func(_ context.Context, f controlFault) (any, error) { return nil, s.controlFault(f) }))
	handle("POST /_emu/seed", post(func(_ context.Context, in controlSeed) (any, error) { s.controlSeed(in); return nil, nil }))
	handle("POST /_emu/reset", func(*http.Request) (any, error) { s.Reset(); return nil, nil })
	handle("POST /_emu/http", post(func(_ context.Context, t HTTPTarget) (any, error) { s.SetHTTP(t); return nil, nil }))
	handle("POST /_emu/handshake", func(r *http.Request) (any, error) {
		return nil, errors.Join(s.VerifyURL(r.Context()), s.CheckSSL(r.Context()))
	})
	handle("POST /_emu/disconnect", post(func(_ context.Context, in struct {
		Reason string `json:"reason"`
	},
	) (any, error) {
		if in.Reason == "" {
			s.DropSockets()
		} else {
			s.Disconnect(in.Reason)
		}
		return nil, nil
	}))
	handle("POST /_emu/chaos", post(func(_ context.Context, in controlChaos) (any, error) { s.controlChaos(in); return nil, nil }))
	handle("GET /_emu/snapshot", func(*http.Request) (any, error) {
		raw, err := s.Snapshot()
		return json.RawMessage(raw), err
	})
	handle("POST /_emu/snapshot", post(func(_ context.Context, raw json.RawMessage) (any, error) { return nil, s.Restore(raw) }))
	handle("GET /_emu/state", func(*http.Request) (any, error) { return s.controlState(), nil })
	handle("GET /_emu/calls", func(r *http.Request) (any, error) { return list(s.Calls(r.URL.Query().Get("method"))), nil })
	handle("GET /_emu/acks", func(*http.Request) (any, error) { return list(s.Acks()), nil })
	handle("GET /_emu/messages", func(r *http.Request) (any, error) { return list(s.controlMessages(r.URL.Query())), nil })
	handle("GET /_emu/mentions", func(r *http.Request) (any, error) { return s.controlMentions(r.URL.Query()), nil })
	s.mux.HandleFunc("GET /_emu/events", s.controlEvents)
}

func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// post decodes a JSON body for a handler; no body is an empty object.
func post[T any](h func(context.Context, T) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in T
		raw, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
		if err != nil {
			return nil, err
		}
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &in); err != nil {
				return nil, fmt.Errorf("body: %w", err)
			}
		}
		return h(r.Context(), in)
	}
}

func (s *Server) control(w http.ResponseWriter, r *http.Request, h func(*http.Request) (any, error)) {
	w.Header().Set("Content-Type", jsonType)
	if !s.local(w, r) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":"cross-origin"}`)
		return
	}
	out, err := h(r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]any{"error": err.Error()}
	}
	if out == nil {
		out = map[string]any{"ok": true}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// local refuses what a page on the internet could make a browser send: another origin, and a host name that was made
// to resolve here. A loopback origin must be the server's own or one that was allowed, for any local program can have
// a port.
func (s *Server) local(w http.ResponseWriter, r *http.Request) bool {
	if !loopback(r.Host) {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return r.Header.Get("Sec-Fetch-Site") != "cross-site"
	}
	u, err := url.Parse(origin)
	if err != nil || !loopback(u.Host) || u.Host != r.Host && !slices.Contains(s.opts.AllowOrigins, origin) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	return true
}

func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// controlEvents streams the version at each change, as server-sent events.
func (s *Server) controlEvents(w http.ResponseWriter, r *http.Request) {
	if !s.local(w, r) {
		http.Error(w, `{"error":"cross-origin"}`, http.StatusForbidden)
		return
	}
	wake, cancel := s.Subscribe()
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	for {
		if _, err := fmt.Fprintf(w, "data: %s\n\n", strconv.FormatInt(s.Version(), 10)); err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
	}
}
