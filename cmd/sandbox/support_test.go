package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// served is a sandbox with its page on a free port.
type served struct {
	*world
	t   *testing.T
	url string
	// submitted are the bodies of the forms that the page sent.
	submitted chan string
}

// newServed starts a sandbox; it stops with the test, or with stop.
func newServed(t *testing.T, dir string) (s *served, stop func()) {
	t.Helper()
	return newServedIn(t, dir, "en")
}

func newServedIn(t *testing.T, dir, locale string) (s *served, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w, err := newWorld(ctx, worldOptions{Dir: dir, Locale: locale, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	submitted := make(chan string, 8)
	h := handler(w)
	go func() {
		done <- serve(ctx, l, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/submit" {
				raw, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(raw))
				submitted <- string(raw)
			}
			h.ServeHTTP(rw, r)
		}))
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	s = &served{w, t, "http://" + l.Addr().String(), submitted}
	s.eventually("the bot is ready", func() bool { return w.status().Ready })
	return s, stop
}

func (s *served) eventually(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			s.t.Fatalf("after 60 s: not %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// post does what the page does, and returns the status and the answer.
func (s *served) post(what string, body any) (int, answer) {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.Post(s.url+"/api/"+what, "application/json", bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, a
}

// must posts what has to succeed.
func (s *served) must(what string, body any) answer {
	s.t.Helper()
	status, a := s.post(what, body)
	if status != http.StatusOK || a.Err != "" {
		s.t.Fatalf("%s %v: %d %s", what, body, status, a.Err)
	}
	return a
}

// sees is the picture of a person.
func (s *served) sees(as string) picture {
	s.t.Helper()
	resp, err := http.Get(s.url + "/api/state?as=" + as)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("state: %d %s %v", resp.StatusCode, raw, err)
	}
	var p picture
	if err := json.Unmarshal(raw, &p); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// card is the newest card that a person sees, by a word on it.
func (s *served) card(as, word string) (message, bool) {
	s.t.Helper()
	for _, c := range s.sees(as).Channels {
		for i := len(c.Messages) - 1; c.ID == "C0APPROVALS" && i >= 0; i-- {
			m := c.Messages[i]
			if raw, _ := json.Marshal(m.Blocks); strings.Contains(string(raw), word) && strings.Contains(string(raw), `"request:`) {
				return m, true
			}
		}
	}
	return message{}, false
}

// waitCard waits for a card with a word, and a second one, on it.
func (s *served) waitCard(as, word, and string) message {
	s.t.Helper()
	var m message
	s.eventually("a card with "+word+" and "+and, func() bool {
		var ok bool
		m, ok = s.card(as, word)
		raw, _ := json.Marshal(m.Blocks)
		return ok && strings.Contains(string(raw), and)
	})
	return m
}

// private is the newest private message of a person in a channel.
func (p picture) private(channel string) string {
	for _, c := range p.Channels {
		for i := len(c.Messages) - 1; c.ID == channel && i >= 0; i-- {
			if c.Messages[i].Ephemeral {
				return c.Messages[i].Text
			}
		}
	}
	return ""
}
