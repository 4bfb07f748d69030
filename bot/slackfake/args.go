package slackfake

import (
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxBody = 4 << 20

// apiCall is one request to the Web API.
type apiCall struct {
	s      *Server
	method string
	args   map[string]any
	// kind is the token's: bot, app, unknown or none.
	kind      string
	header    bool
	noCharset bool
	now       time.Time
	warnings  []string
}

// apiError is an answer with ok:false.
type apiError struct {
	code  string
	extra map[string]any
}

func fail(code string) *apiError { return &apiError{code: code} }

// parseCall reads form, multipart, JSON and query alike; the token may be in the header or among the arguments.
func (s *Server) parseCall(r *http.Request) (*apiCall, *apiError) {
	c := &apiCall{s: s, method: r.PathValue("method"), args: map[string]any{}, kind: "none"}
	for k, v := range r.URL.Query() {
		c.args[k] = v[0]
	}
	media, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var bad *apiError
	switch media {
	case "application/json":
		c.noCharset = params["charset"] == ""
		bad = c.readJSON(r.Body)
	case "multipart/form-data":
		if err := r.ParseMultipartForm(maxBody); err != nil {
			bad = fail("invalid_form_data")
		}
		c.take(r.PostForm)
	default:
		r.Body = io.NopCloser(io.LimitReader(r.Body, maxBody))
		if err := r.ParseForm(); err != nil {
			bad = fail("invalid_form_data")
		}
		c.take(r.PostForm)
	}
	token, _ := c.args["token"].(string)
	delete(c.args, "token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token, c.header = bearer, true
	}
	switch token {
	case "":
	case BotToken:
		c.kind = "bot"
	case AppToken:
		c.kind = "app"
	default:
		c.kind = "unknown"
	}
	return c, bad
}

func (c *apiCall) readJSON(body io.Reader) *apiError {
	raw, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil || len(raw) == 0 {
		return nil
	}
	var obj map[string]any
	if json.Unmarshal(raw, &obj) != nil {
		return fail("invalid_json")
	}
	maps.Copy(c.args, obj)
	return nil
}

func (c *apiCall) take(form map[string][]string) {
	for k, v := range form {
		if len(v) > 0 {
			c.args[k] = v[0]
		}
	}
}

// str is an argument as a string; numbers and booleans of JSON are spelt out.
func (c *apiCall) str(name string) string {
	switch v := c.args[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

func (c *apiCall) flag(name string) bool {
	v := c.str(name)
	return v == "true" || v == "1"
}

func (c *apiCall) has(name string) bool {
	v, ok := c.args[name]
	return ok && v != nil
}

func (c *apiCall) int(name string, def int) int {
	if n, err := strconv.Atoi(c.str(name)); err == nil {
		return n
	}
	return def
}

// object is an argument that is an object, or a string that holds one. The copy is the caller's.
func (c *apiCall) object(name string) (map[string]any, bool) {
	obj, ok := c.decoded(name).(map[string]any)
	return obj, ok
}

// list is an argument that is an array, or a string that holds one. The copy is the caller's.
func (c *apiCall) list(name string) ([]any, bool) {
	list, ok := c.decoded(name).([]any)
	return list, ok
}

func (c *apiCall) decoded(name string) any {
	switch v := c.args[name].(type) {
	case string:
		var out any
		if json.Unmarshal([]byte(v), &out) != nil {
			return nil
		}
		return out
	default:
		return deepCopy(v)
	}
}

// logged is the arguments with the JSON inside strings opened, so that a test reads one shape for every client.
func (c *apiCall) logged() map[string]any {
	out := map[string]any{}
	for k, v := range c.args {
		out[k] = deepCopy(v)
		if slices.Contains([]string{"blocks", "view", "metadata", "attachments", "message"}, k) {
			if d := c.decoded(k); d != nil {
				out[k] = d
			}
		}
	}
	return out
}
