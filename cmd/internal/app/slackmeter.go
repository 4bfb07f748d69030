package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// slackMeter counts the calls of Slack's Web API and of response URLs.
type slackMeter struct {
	next http.RoundTripper
	m    *metrics

	mu    sync.Mutex
	known map[string]bool // errors of Slack that have been seen
}

const (
	// peeked bounds what is read of an answer to see how it ended; longer ones are ok, for errors are short.
	peeked = 64 << 10
	// maxOutcomes bounds the errors of Slack that are told apart.
	maxOutcomes = 60
)

var (
	methodName = regexp.MustCompile(`^[a-z]+(\.[A-Za-z]+)+$`)
	errorName  = regexp.MustCompile(`^[a-z_]{2,50}$`)
)

// RoundTrip carries out one call and counts it.
func (s *slackMeter) RoundTrip(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	if !strings.HasPrefix(req.URL.Path, "/api/") || !methodName.MatchString(method) {
		method = "response_url" // its path is a secret
	}
	begun := time.Now()
	resp, err := s.next.RoundTrip(req)
	s.m.slackTime.WithLabelValues(method).Observe(time.Since(begun).Seconds())
	s.m.slack.WithLabelValues(method, s.outcome(resp, err)).Inc()
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		if wait, err := strconv.ParseFloat(resp.Header.Get("Retry-After"), 64); err == nil && wait > 0 {
			s.m.slackWait.WithLabelValues(method).Add(wait)
		}
	}
	return resp, err
}

func (s *slackMeter) outcome(resp *http.Response, err error) string {
	switch {
	case err != nil:
		return "no_answer"
	case resp.StatusCode == http.StatusTooManyRequests:
		return "ratelimited"
	case resp.StatusCode != http.StatusOK:
		return fmt.Sprintf("http_%d", resp.StatusCode)
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, peeked))
	rest := resp.Body
	tail := io.Reader(rest)
	if err != nil {
		tail = failing{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), tail), rest}
	if err != nil && !errors.Is(err, io.EOF) {
		return "no_answer"
	}
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if json.Unmarshal(head, &said) != nil || said.OK == nil || *said.OK {
		return "ok"
	}
	return s.word(said.Error)
}

// failing is the rest of an answer that was cut off.
type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// word lets through a bounded set of errors.
func (s *slackMeter) word(code string) string {
	if !errorName.MatchString(code) {
		return "other"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known[code] {
		if len(s.known) >= maxOutcomes {
			return "other"
		}
		s.known[code] = true
	}
	return code
}
