package slackfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// VerifyURL does what Slack does when a request URL is entered: it posts a challenge, signed, to the events URL, and
// wants it back, as text or as JSON.
func (s *Server) VerifyURL(ctx context.Context) error {
	const challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
	body, _ := json.Marshal(map[string]any{"token": "deprecated", "challenge": challenge, "type": "url_verification"})
	status, answer, err := s.shake(ctx, "events_api", "application/json", body)
	if err != nil {
		return err
	}
	var obj struct{ Challenge string }
	if status == http.StatusOK && (string(answer) == challenge || json.Unmarshal(answer, &obj) == nil && obj.Challenge == challenge) {
		return nil
	}
	return fmt.Errorf("url_verification: your URL did not respond with the value of the challenge: %d", status)
}

// CheckSSL posts the ssl_check that Slack sends to the command URL now and then; the answer must be a 200.
func (s *Server) CheckSSL(ctx context.Context) error {
	status, _, err := s.shake(ctx, "slash_commands", FormContent, []byte("ssl_check=1&token=deprecated"))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("ssl_check: status %d", status)
	}
	return err
}

func (s *Server) shake(ctx context.Context, kind, contentType string, body []byte) (int, []byte, error) {
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	if !target.set() {
		return 0, nil, errors.New("no HTTP target is set")
	}
	return s.DeliverRaw(ctx, target.url(kind), s.SignedHeader(body, contentType), body)
}
