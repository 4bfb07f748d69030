package bot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack/socketmode"
)

const (
	maxBody   = 1 << 20         // bytes of a delivery
	maxSkew   = 5 * time.Minute // age of a signature
	signature = "X-Slack-Signature"
	timestamp = "X-Slack-Request-Timestamp"
)

// Handler serves what Slack posts in HTTP mode. The signature is checked over the raw body before anything in it is
// looked at, and nothing is ever read from the query string.
func (b *Bot) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /slack/commands", b.signed(b.postedCommand))
	mux.Handle("POST /slack/interactions", b.signed(b.postedInteraction))
	mux.Handle("POST /slack/options", b.signed(b.postedInteraction))
	mux.Handle("POST /slack/events", b.signed(b.postedEvent))
	return mux
}

// kinds names deliveries as Socket Mode does.
var kinds = map[string]string{
	"/slack/commands": socketmode.RequestTypeSlashCommands, "/slack/interactions": socketmode.RequestTypeInteractive,
	"/slack/options": socketmode.RequestTypeInteractive, "/slack/events": socketmode.RequestTypeEventsAPI,
}

// signed reads the body and refuses whatever Slack did not sign.
func (b *Bot) signed(next func(http.ResponseWriter, *http.Request, []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			code := http.StatusBadRequest
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				code = http.StatusRequestEntityTooLarge
			}
			http.Error(w, http.StatusText(code), code)
			return
		}
		if !verify(b.o.SigningSecret, r.Header.Get(timestamp), r.Header.Get(signature), body, time.Now()) {
			b.o.Logger.Warn("a delivery without a valid signature was refused", "path", r.URL.Path)
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		if !b.life.begin() {
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		defer b.life.work.Done()
		if err := b.guard(r.URL.Path, func() error { next(w, r, body); return nil }); err != nil {
			http.Error(w, "", http.StatusInternalServerError)
		}
		b.acked(kinds[r.URL.Path], received)
	})
}

// verify checks Slack's signature (https://docs.slack.dev/authentication/verifying-requests-from-slack).
func verify(secret, ts, sig string, body []byte, now time.Time) bool {
	sec, err := strconv.ParseInt(ts, 10, 64)
	if err != nil || secret == "" || now.Sub(time.Unix(sec, 0)).Abs() > maxSkew {
		return false
	}
	given, err := hex.DecodeString(strings.TrimPrefix(sig, "v0="))
	if err != nil || !strings.HasPrefix(sig, "v0=") {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + ts + ":"))
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), given)
}

func (b *Bot) postedCommand(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if form.Get("ssl_check") == "1" {
		return
	}
	if rep := b.command(context.WithoutCancel(r.Context()), slashFromForm(form)); rep != nil {
		b.write(w, rep)
	}
}

func (b *Bot) postedInteraction(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	payload := form.Get("payload")
	if err != nil || payload == "" {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	b.write(w, b.deliver(context.WithoutCancel(r.Context()), socketmode.RequestTypeInteractive, []byte(payload)))
}

func (b *Bot) postedEvent(w http.ResponseWriter, r *http.Request, body []byte) {
	var e struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if e.Type == "url_verification" {
		b.write(w, map[string]string{"challenge": e.Challenge})
		return
	}
	b.write(w, b.deliver(context.WithoutCancel(r.Context()), socketmode.RequestTypeEventsAPI, body))
}

// write acknowledges a delivery.
func (b *Bot) write(w http.ResponseWriter, body any) {
	if body == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		b.o.Logger.Warn("an acknowledgement could not be sent", "error", err)
	}
}

// Opened says that the HTTP listener takes deliveries, which makes the bot ready.
func (b *Bot) Opened() { b.ready.Store(true) }

// Close says that nothing more is taken, and waits until what was taken is handled, or ctx ends.
func (b *Bot) Close(ctx context.Context) {
	b.ready.Store(false)
	done := make(chan struct{})
	go func() { b.life.finish(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
