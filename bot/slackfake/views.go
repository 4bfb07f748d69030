package slackfake

import (
	"slices"
	"time"
)

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
