package slackfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// method is what the dispatcher knows of a Web API method before it runs it.
type method struct {
	// app: takes the app-level token instead of the bot's.
	app bool
	// scopes: one of them is enough; none: no scope is needed.
	scopes []string
	// perMinute is the tier's limit; 0 is the special one of chat.postMessage, 1/s and channel.
	perMinute int
	run       func(*apiCall) (map[string]any, *apiError)
}

// The documented tiers, in calls a minute.
const (
	tier2       = 20
	tier3       = 50
	tier4       = 100
	tierSpecial = 300
)

var methods = map[string]method{
	"auth.test":             {perMinute: tierSpecial, run: (*apiCall).authTest},
	"apps.connections.open": {app: true, perMinute: tier3, run: (*apiCall).connectionsOpen},
	"blocks.validate":       {perMinute: tier4, run: (*apiCall).blocksValidate},

	"chat.postMessage":   {scopes: []string{"chat:write"}, run: (*apiCall).chatPostMessage},
	"chat.postEphemeral": {scopes: []string{"chat:write"}, perMinute: tier4, run: (*apiCall).chatPostEphemeral},
	"chat.update":        {scopes: []string{"chat:write"}, perMinute: tier3, run: (*apiCall).chatUpdate},
	"chat.delete":        {scopes: []string{"chat:write"}, perMinute: tier3, run: (*apiCall).chatDelete},
	"chat.getPermalink":  {perMinute: tierSpecial, run: (*apiCall).chatGetPermalink},

	"conversations.info":    {scopes: readScopes, perMinute: tier3, run: (*apiCall).conversationsInfo},
	"conversations.list":    {scopes: readScopes, perMinute: tier2, run: (*apiCall).conversationsList},
	"conversations.members": {scopes: readScopes, perMinute: tier4, run: (*apiCall).conversationsMembers},
	"conversations.open":    {scopes: []string{"im:write", "mpim:write"}, perMinute: tier3, run: (*apiCall).conversationsOpen},
	"conversations.history": {scopes: historyScopes, perMinute: tier3, run: (*apiCall).conversationsHistory},
	"conversations.replies": {scopes: historyScopes, perMinute: tier3, run: (*apiCall).conversationsReplies},

	"users.info":            {scopes: []string{"users:read"}, perMinute: tier4, run: (*apiCall).usersInfo},
	"users.list":            {scopes: []string{"users:read"}, perMinute: tier2, run: (*apiCall).usersList},
	"users.lookupByEmail":   {scopes: []string{"users:read.email"}, perMinute: tier3, run: (*apiCall).usersLookupByEmail},
	"usergroups.list":       {scopes: []string{"usergroups:read"}, perMinute: tier2, run: (*apiCall).usergroupsList},
	"usergroups.users.list": {scopes: []string{"usergroups:read"}, perMinute: tier2, run: (*apiCall).usergroupsUsersList},

	"views.open":    {perMinute: tier4, run: (*apiCall).viewsOpen},
	"views.push":    {perMinute: tier4, run: (*apiCall).viewsPush},
	"views.update":  {perMinute: tier4, run: (*apiCall).viewsUpdate},
	"views.publish": {perMinute: tier4, run: (*apiCall).viewsPublish},

	"reactions.add": {scopes: []string{"reactions:write"}, perMinute: tier3, run: (*apiCall).reactionsAdd},
}

var (
	readScopes    = []string{"channels:read", "groups:read", "im:read", "mpim:read"}
	historyScopes = []string{"channels:history", "groups:history", "im:history", "mpim:history"}
)

// serveAPI answers one call: faults first, because they strike at the network, then the checks in Slack's order.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c, bad := s.parseCall(r)
	fault := s.takeFault(c)
	if s.faultBefore(w, r, c, fault) {
		return
	}
	status, body := s.answerAPI(w.Header(), c, bad, fault)
	raw, _ := json.Marshal(body)
	w.Header().Set("Content-Type", jsonType)
	if s.faultAfter(w, r, fault, raw) {
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// answerAPI carries a call out under the lock.
func (s *Server) answerAPI(h http.Header, c *apiCall, bad *apiError, fault *Fault) (status int, body map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.now()
	out, wait, err := c.decide(bad)
	if err == nil && fault != nil && fault.instead() {
		err = fail(fault.Code)
	}
	status, body = http.StatusOK, c.body(out, err)
	if wait > 0 {
		status = http.StatusTooManyRequests
		h.Set("Retry-After", fmt.Sprint(wait))
	}
	s.record(c, status, body, fault)
	h.Set("X-OAuth-Scopes", strings.Join(s.st.Scopes, ","))
	h.Set("X-Accepted-OAuth-Scopes", strings.Join(methods[c.method].scopes, ","))
	h.Set("X-Slack-Req-Id", s.st.id("req"))
	return status, body
}

// decide runs the checks in the order that Slack runs them, then the method. wait is a Retry-After in seconds.
func (c *apiCall) decide(bad *apiError) (out map[string]any, wait int, err *apiError) {
	m, known := methods[c.method]
	if !known {
		return nil, 0, fail("unknown_method")
	}
	if err := c.checkToken(m); err != nil {
		return nil, 0, err
	}
	if wait := c.s.overLimit(c, m); wait > 0 {
		return nil, wait, fail("ratelimited")
	}
	if bad != nil {
		return nil, 0, bad
	}
	out, err = m.run(c)
	if err == nil {
		c.s.changed()
	}
	return out, 0, err
}

func (c *apiCall) checkToken(m method) *apiError {
	if m.app && !c.header {
		// Slack takes this token from the header only, and its list of errors has no not_authed.
		return fail("missing_args")
	}
	switch c.kind {
	case "none":
		return fail("not_authed")
	case "unknown":
		return fail("invalid_auth")
	}
	if code := c.s.tokenErr[c.kind]; code != "" {
		return fail(code)
	}
	if (c.kind == "app") != m.app && c.method != "auth.test" {
		return fail("not_allowed_token_type")
	}
	if !m.app {
		return c.needScope(m.scopes...)
	}
	return nil
}

// needScope refuses when the token has none of the scopes.
func (c *apiCall) needScope(anyOf ...string) *apiError {
	if len(anyOf) == 0 {
		return nil
	}
	for _, scope := range anyOf {
		if slices.Contains(c.s.st.Scopes, scope) {
			return nil
		}
	}
	return &apiError{"missing_scope", map[string]any{
		"needed": strings.Join(anyOf, ","), "provided": strings.Join(c.s.st.Scopes, ","),
	}}
}

// body is the answer, with the warnings that go with it.
func (c *apiCall) body(out map[string]any, err *apiError) map[string]any {
	body := map[string]any{"ok": err == nil}
	if err != nil {
		body["error"] = err.code
		maps.Copy(body, err.extra)
	} else {
		maps.Copy(body, out)
	}
	if c.noCharset {
		c.warnings = append(c.warnings, "missing_charset")
	}
	if len(c.warnings) > 0 {
		body["warning"] = strings.Join(c.warnings, ",")
		meta, _ := body["response_metadata"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
		}
		meta["warnings"] = c.warnings
		body["response_metadata"] = meta
	}
	return body
}

// record keeps the call for [Server.Calls]; the lock must be held.
func (s *Server) record(c *apiCall, status int, body map[string]any, fault *Fault) {
	call := Call{
		Method: c.method, Time: s.now(), Token: c.kind, Header: c.header, Args: c.logged(), Status: status,
		Response: deepCopy(body),
	}
	if fault != nil {
		call.Fault = string(fault.Kind)
	}
	s.calls = append(s.calls, call)
	s.changed()
}

// refused turns block problems into Slack's answer.
func refused(code string, problems []problem) *apiError {
	var list, messages []any
	for _, p := range problems {
		list = append(list, p.String())
		messages = append(messages, "[ERROR] "+p.String())
	}
	return &apiError{code, map[string]any{
		"errors": list, "response_metadata": map[string]any{"messages": messages},
	}}
}
