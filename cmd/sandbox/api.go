package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"countersign/bot/slackfake"
)

//go:embed page
var pageFiles embed.FS

// maxBody bounds what the page may send.
const maxBody = 64 << 10

// handler serves the page and what it asks for.
func handler(w *world) http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/state", w.serveState)
	mux.HandleFunc("GET /api/events", w.serveEvents)
	mux.Handle("POST /api/slash", act(w.slash))
	mux.Handle("POST /api/click", act(w.click))
	mux.Handle("POST /api/submit", act(w.submit))
	mux.Handle("POST /api/close", act(w.closeModal))
	mux.Handle("POST /api/suggest", act(w.suggest))
	mux.Handle("POST /api/home", act(w.home))
	mux.Handle("POST /api/clock", act(w.pushClock))
	mux.Handle("POST /api/mishap", act(w.makeMishap))
	mux.Handle("POST /api/relation", act(w.relate))
	mux.Handle("POST /api/console", act(w.console))
	return guard(mux)
}

// viewer is the person whose place the page takes.
func (w *world) viewer(id string) (slackfake.User, error) {
	u := w.Slack.User(id)
	if u.ID == "" || !canSignIn(u) {
		return u, fmt.Errorf("there is nobody %q whose place could be taken", id)
	}
	return u, nil
}

func (w *world) serveState(rw http.ResponseWriter, r *http.Request) {
	u, err := w.viewer(r.URL.Query().Get("as"))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(rw, http.StatusOK, w.picture(u.ID))
}

// serveEvents tells the page, by server-sent events, each time that something has changed; what it is the page asks for
// itself.
func (w *world) serveEvents(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(rw)
	for {
		version, next := w.news.wait()
		if _, err := fmt.Fprintf(rw, "data: %d\n\n", version); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-w.ended.Done():
			return
		case <-next:
		case <-time.After(20 * time.Second): // so that a page which has gone is noticed
		}
		// A burst of changes is one event: a card, its buttons and its thread come within milliseconds.
		select {
		case <-r.Context().Done():
			return
		case <-time.After(15 * time.Millisecond):
		}
	}
}

// answer is what an act came to.
type answer struct {
	// Err is what Slack would have shown, or why the act was not possible.
	Err     string         `json:"err,omitempty"`
	Text    string         `json:"text,omitempty"`
	Payload map[string]any `json:"payload,omitempty"`
}

// act serves something that a person does on the page.
func act[T any](do func(context.Context, T) (answer, error)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var in T
		dec := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxBody))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			status := http.StatusBadRequest
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
			writeJSON(rw, status, answer{Err: err.Error()})
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			writeJSON(rw, http.StatusConflict, answer{Err: err.Error()})
			return
		}
		writeJSON(rw, http.StatusOK, out)
	})
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v) // the page has gone if this fails
}
