package slackfake

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// View is a modal or a Home tab that a person has before them.
type View struct {
	ID              string `json:"id"`
	User            string `json:"user"`
	Type            string `json:"type"`
	CallbackID      string `json:"callback_id"`
	ExternalID      string `json:"external_id"`
	PrivateMetadata string `json:"private_metadata"`
	Hash            string `json:"hash"`
	Title           string `json:"title"`
	Blocks          []any  `json:"blocks"`
	RootID          string `json:"root_view_id"`
	PreviousID      string `json:"previous_view_id"`
	// Errors are those of the last response_action errors, by block_id.
	Errors map[string]string `json:"errors,omitempty"`
	// Raw is the view as the app sent it.
	Raw map[string]any `json:"raw"`
	// State is what is typed and chosen, block_id -> action_id -> value.
	State map[string]map[string]any `json:"state"`
}

func (v *View) copyOf() View {
	out := *v
	out.Blocks, out.Raw, out.State = deepCopy(v.Blocks), deepCopy(v.Raw), deepCopy(v.State)
	return out
}

// wire is the view as Slack's API and payloads show it.
func (v *View) wire(st *state) map[string]any {
	out := deepCopy(v.Raw)
	if out == nil {
		out = map[string]any{}
	}
	if v.Type == "modal" {
		for _, k := range []string{"title", "submit", "close"} {
			if _, ok := out[k]; !ok {
				out[k] = nil
			}
		}
		for _, k := range []string{"clear_on_close", "notify_on_close"} {
			if _, ok := out[k]; !ok {
				out[k] = false
			}
		}
	}
	out["id"], out["team_id"], out["type"], out["hash"] = v.ID, st.Team.ID, v.Type, v.Hash
	out["blocks"], out["callback_id"], out["private_metadata"] = deepCopy(v.Blocks), v.CallbackID, v.PrivateMetadata
	out["external_id"], out["root_view_id"], out["app_id"], out["bot_id"] = v.ExternalID, v.RootID, st.AppID, st.BotID
	out["app_installed_team_id"], out["previous_view_id"] = st.Team.ID, nil
	if v.PreviousID != "" {
		out["previous_view_id"] = v.PreviousID
	}
	values := any(map[string]any{})
	if v.State != nil {
		values = deepCopy(v.State)
	}
	out["state"] = map[string]any{"values": values}
	return out
}

// load puts what the app sent into a view and gives it a new hash. What is typed stays where the fields stay.
func (s *Server) load(v *View, raw map[string]any) {
	str := func(k string) string { t, _ := raw[k].(string); return t }
	v.Raw, v.Type, v.CallbackID = raw, str("type"), str("callback_id")
	v.ExternalID, v.PrivateMetadata = str("external_id"), str("private_metadata")
	v.Blocks, _ = raw["blocks"].([]any)
	title, _ := raw["title"].(map[string]any)
	v.Title, _ = title["text"].(string)
	v.Hash = fmt.Sprintf("%d.%08x", s.now().Unix(), uint32(mix(s.st.Counter)))
	v.Errors = nil
	s.fillIDs(v.Blocks)
	typed := v.State
	v.State = initialState(v.Blocks)
	for block, actions := range v.State {
		for action := range actions {
			if old, ok := typed[block][action]; ok {
				v.State[block][action] = old
			}
		}
	}
}

// add makes a new view and puts it where the user sees it.
func (s *Server) addView(user string, raw map[string]any, stacked bool) *View {
	v := &View{ID: s.st.id("V"), User: user}
	s.load(v, raw)
	v.RootID = v.ID
	s.st.Views[v.ID] = v
	if v.Type == "home" {
		s.st.Homes[user] = v.ID
		return v
	}
	if stack := s.st.Stacks[user]; stacked && len(stack) > 0 {
		v.RootID, v.PreviousID = stack[0], stack[len(stack)-1]
	} else {
		s.clearStack(user)
	}
	s.st.Stacks[user] = append(s.st.Stacks[user], v.ID)
	return v
}

// popView closes one view; those above it go too.
func (s *Server) popView(v *View) {
	stack := s.st.Stacks[v.User]
	if i := slices.Index(stack, v.ID); i >= 0 {
		for _, id := range stack[i:] {
			delete(s.st.Views, id)
		}
		s.st.Stacks[v.User] = stack[:i:i]
	}
	s.changed()
}

func (s *Server) clearStack(user string) {
	for _, id := range s.st.Stacks[user] {
		delete(s.st.Views, id)
	}
	delete(s.st.Stacks, user)
	s.changed()
}

// checkView returns what Slack says of a bad view, nil for a good one.
func (s *Server) checkView(raw map[string]any, kind, replaces string) *apiError {
	if b, _ := json.Marshal(raw); len(b) > 250_000 {
		return fail("view_too_large")
	}
	problems := s.valid.view(raw)
	if raw["type"] != kind {
		problems = append(problems, problem{"must be " + kind, "/view/type", "const"})
	}
	if len(problems) > 0 {
		return refused("invalid_arguments", problems)
	}
	external, _ := raw["external_id"].(string)
	for _, v := range s.st.Views {
		if external != "" && v.ExternalID == external && v.ID != replaces {
			return fail("duplicate_external_id")
		}
	}
	return nil
}

// viewArg reads and checks the view argument.
func (c *apiCall) viewArg(kind, replaces string) (map[string]any, *apiError) {
	if !c.has("view") {
		return nil, refused("invalid_arguments", []problem{{"missing required field: view", "/view", "required"}})
	}
	raw, ok := c.object("view")
	if !ok {
		return nil, refused("invalid_arguments", []problem{{"must provide an object", "/view", "type"}})
	}
	return raw, c.s.checkView(raw, kind, replaces)
}

// trigger finds a trigger_id that is still good. A bad view is refused before, and does not use it up.
func (c *apiCall) trigger() (*trigger, *apiError) {
	id := c.str("trigger_id")
	if id == "" {
		id = c.str("interactivity_pointer")
	}
	t := c.s.st.Triggers[id]
	switch {
	case t == nil:
		return nil, fail("invalid_trigger_id")
	case t.Used:
		return nil, fail("exchanged_trigger_id")
	case c.now.Sub(t.Made) > 3*time.Second:
		return nil, fail("expired_trigger_id")
	}
	return t, nil
}

func (c *apiCall) viewsOpen() (map[string]any, *apiError) {
	raw, err := c.viewArg("modal", "")
	if err != nil {
		return nil, err
	}
	t, err := c.trigger()
	if err != nil {
		return nil, err
	}
	t.Used = true
	return c.viewed(c.s.addView(t.User, raw, false)), nil
}

func (c *apiCall) viewsPush() (map[string]any, *apiError) {
	raw, err := c.viewArg("modal", "")
	if err != nil {
		return nil, err
	}
	t, err := c.trigger()
	if err != nil {
		return nil, err
	}
	if stack := c.s.st.Stacks[t.User]; t.View == "" || !slices.Contains(stack, t.View) {
		return nil, fail("invalid_trigger_id")
	} else if len(stack) >= maxStack {
		return nil, fail("push_limit_reached")
	}
	t.Used = true
	return c.viewed(c.s.addView(t.User, raw, true)), nil
}

// maxStack is how many modals may lie on one another.
const maxStack = 3

func (c *apiCall) viewsUpdate() (map[string]any, *apiError) {
	var v *View
	if id := c.str("view_id"); id != "" {
		v = c.s.st.Views[id]
	} else if external := c.str("external_id"); external != "" {
		for _, candidate := range c.s.st.Views {
			if candidate.ExternalID == external {
				v = candidate
			}
		}
	}
	if v == nil {
		return nil, fail("not_found")
	}
	raw, err := c.viewArg(v.Type, v.ID)
	if err != nil {
		return nil, err
	}
	if hash := c.str("hash"); hash != "" && hash != v.Hash {
		return nil, fail("hash_conflict")
	}
	c.s.st.Counter++
	c.s.load(v, raw)
	return c.viewed(v), nil
}

func (c *apiCall) viewsPublish() (map[string]any, *apiError) {
	if c.s.noHome {
		return nil, fail("not_enabled")
	}
	user := c.str("user_id")
	if u := c.s.st.Users[user]; u == nil || u.Deleted {
		return nil, fail("user_not_found")
	}
	old := c.s.st.Views[c.s.st.Homes[user]]
	replaces := ""
	if old != nil {
		replaces = old.ID
	}
	raw, err := c.viewArg("home", replaces)
	if err != nil {
		return nil, err
	}
	if hash := c.str("hash"); hash != "" && (old == nil || hash != old.Hash) {
		return nil, fail("hash_conflict")
	}
	if old == nil {
		return c.viewed(c.s.addView(user, raw, false)), nil
	}
	c.s.st.Counter++
	c.s.load(old, raw)
	return c.viewed(old), nil
}

func (c *apiCall) viewed(v *View) map[string]any { return map[string]any{"view": v.wire(c.s.st)} }

// blocksValidate is Slack's own check of blocks, a view or a message, exactly one of them.
func (c *apiCall) blocksValidate() (map[string]any, *apiError) {
	given := 0
	var problems []problem
	code := ""
	if c.has("blocks") {
		given++
		code = "invalid_blocks"
		list, ok := c.list("blocks")
		if !ok {
			return nil, fail("invalid_blocks_format")
		}
		problems = c.s.valid.blocks(list)
	}
	for _, name := range []string{"view", "message"} {
		obj, ok := c.object(name)
		if !c.has(name) {
			continue
		}
		given++
		code = "invalid_" + name
		list, _ := obj["blocks"].([]any)
		switch {
		case !ok:
			problems = []problem{{"must provide an object", "/" + name, "type"}}
		case name == "view":
			problems = c.s.valid.view(obj)
		default:
			problems = c.s.valid.blocks(list)
		}
	}
	if given != 1 {
		return nil, fail("invalid_arguments")
	}
	if len(problems) == 0 {
		return nil, nil
	}
	var list []any
	for _, p := range problems {
		list = append(list, map[string]any{
			"code": "failed_constraint", "message": p.message, "pointer": p.pointer,
			"constraint": map[string]any{"type": p.constraint, "expected": p.message},
		})
	}
	return nil, &apiError{code, map[string]any{"errors": list}}
}

// View returns the modal on top for a user.
func (s *Server) View(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stack := s.st.Stacks[user]; len(stack) > 0 {
		if v := s.st.Views[stack[len(stack)-1]]; v != nil {
			return v.copyOf(), true
		}
	}
	return View{}, false
}

// Views returns a user's modals, the lowest first.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []View
	for _, id := range s.st.Stacks[user] {
		if v := s.st.Views[id]; v != nil {
			out = append(out, v.copyOf())
		}
	}
	return out
}

// Home returns a user's Home tab.
func (s *Server) Home(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.st.Views[s.st.Homes[user]]; v != nil {
		return v.copyOf(), true
	}
	return View{}, false
}
