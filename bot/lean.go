package bot

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// lean leaves out of the answers to posts the message that Slack repeats in them. Nobody reads it, and for anything in it
// that slack-go's types refuse, a message that was posted would be taken for one that was not, and posted again.
type lean struct{ next http.RoundTripper }

// maxAnswer bounds the answer to a post.
const maxAnswer = 4 << 20

// RoundTrip carries out one Web API call.
func (l lean) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	post := strings.HasSuffix(req.URL.Path, "/chat.postMessage") || strings.HasSuffix(req.URL.Path, "/chat.update")
	if err != nil || !post || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) == nil && answer["message"] != nil {
		delete(answer, "message")
		if less, err := json.Marshal(answer); err == nil {
			body = less
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}
