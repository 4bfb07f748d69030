package slackfake

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// HTTPTarget is where the app listens in HTTP mode. Options and Events default to Interactions.
type HTTPTarget struct {
	Commands     string `json:"commands"`
	Interactions string `json:"interactions"`
	Options      string `json:"options,omitempty"`
	Events       string `json:"events,omitempty"`
}

func (t HTTPTarget) set() bool { return t != HTTPTarget{} }

func (t HTTPTarget) url(kind string) string {
	or := func(a, b string) string {
		if a == "" {
			return b
		}
		return a
	}
	switch kind {
	case "slash_commands":
		return t.Commands
	case "options":
		return or(t.Options, t.Interactions)
	case "events_api":
		return or(t.Events, t.Interactions)
	default:
		return t.Interactions
	}
}

// SetHTTP switches to HTTP mode; a zero target switches back to Socket Mode.
func (s *Server) SetHTTP(t HTTPTarget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = t
}

// SignWith is Slack's signature of a body at a time (unix seconds, as text).
func SignWith(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, "v0:"+timestamp+":")
	_, _ = mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// Sign signs with the app's secret.
func (s *Server) Sign(timestamp string, body []byte) string {
	return SignWith(SigningSecret, timestamp, body)
}

// SignedHeader is the header of an honest delivery made now.
func (s *Server) SignedHeader(body []byte, contentType string) http.Header {
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	h.Set("X-Slack-Request-Timestamp", ts)
	h.Set("X-Slack-Signature", s.Sign(ts, body))
	return h
}

// FormContent is the content type of commands and interactions.
const FormContent = "application/x-www-form-urlencoded"

// DeliverRaw posts a body with headers just as they are given: forged signatures, old timestamps, replays.
func (s *Server) DeliverRaw(ctx context.Context, target string, header http.Header, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("deliver: %w", err)
	}
	req.Header = header.Clone()
	resp, err := s.deliveryClient().Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("deliver: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, answer, err
}

func (s *Server) deliveryClient() *http.Client {
	return &http.Client{
		Timeout: s.opts.AckTimeout,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > 2 {
				return errors.New("too_many_redirects")
			}
			return nil
		},
	}
}

// Body is a delivery's body as Slack posts it: a form for commands, payload=JSON for interactions, JSON for events.
func (d delivery) body() (raw []byte, contentType string) {
	switch d.kind {
	case "slash_commands":
		form := url.Values{}
		for k, v := range d.payload {
			form.Set(k, fmt.Sprint(v))
		}
		return []byte(form.Encode()), FormContent
	case "events_api":
		raw, _ = json.Marshal(d.payload)
		return raw, "application/json"
	default:
		raw, _ = json.Marshal(d.payload)
		return []byte(url.Values{"payload": {string(raw)}}.Encode()), FormContent
	}
}

// deliverHTTP posts to the app and reads its answer; events that fail are sent again with Slack's retry headers.
func (s *Server) deliverHTTP(ctx context.Context, target HTTPTarget, d delivery) Ack {
	s.mu.Lock()
	twice := take(&s.sock.chaos.duplicate)
	again := take(&s.sock.chaos.redeliver)
	s.mu.Unlock()
	ack, reason, final := s.postOnce(ctx, target, d, 0, "")
	if twice || again {
		s.keepExtra(ack, "lost", nil)
		ack, reason, final = s.postOnce(ctx, target, d, 1, "http_timeout")
		ack.Note = "redelivery"
	}
	// Slack waits 0, 1 and 5 minutes between these; a test has no such time.
	for n := 1; d.kind == "events_api" && ack.Err != "" && !final && n <= retries && ctx.Err() == nil; n++ {
		s.keepExtra(ack, "failed", nil)
		ack, reason, final = s.postOnce(ctx, target, d, n, reason)
		ack.Note = "redelivery"
	}
	return ack
}

func (s *Server) postOnce(ctx context.Context, target HTTPTarget, d delivery, attempt int, why string) (ack Ack, reason string, final bool) {
	raw, contentType := d.body()
	start := time.Now()
	ack = Ack{Kind: d.kind, Sent: s.Now(), Attempt: attempt}
	defer func() { ack.Latency = time.Since(start) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.url(d.kind), bytes.NewReader(raw))
	if err != nil {
		ack.Err = "dispatch_failed"
		return ack, "unknown_error", true
	}
	req.Header = s.SignedHeader(raw, contentType)
	if attempt > 0 {
		req.Header.Set("X-Slack-Retry-Num", strconv.Itoa(attempt))
		req.Header.Set("X-Slack-Retry-Reason", why)
	}
	resp, err := s.deliveryClient().Do(req)
	if err != nil {
		var late interface{ Timeout() bool }
		if errors.As(err, &late) && late.Timeout() {
			ack.Err = "operation_timeout"
			return ack, "http_timeout", false
		}
		ack.Err = "dispatch_failed"
		return ack, "connection_failed", false
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	ack.Status = resp.StatusCode
	switch {
	case err != nil:
		ack.Err = "operation_timeout"
		return ack, "http_timeout", false
	case resp.StatusCode != http.StatusOK:
		ack.Err = "dispatch_unknown_error"
		return ack, "http_error", resp.Header.Get("X-Slack-No-Retry") == "1"
	}
	ack.Payload, ack.Text = parseAnswer(resp.Header.Get("Content-Type"), answer)
	return ack, "", true
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}
