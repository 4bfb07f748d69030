package slackfake

import (
	"context"
	"fmt"
	"slices"
)

// SubmitInput is a press on a modal's submit button after filling it in.
type SubmitInput struct {
	User string `json:"user"`
	// ViewID is the modal; the one on top where it is empty.
	ViewID string `json:"view_id,omitempty"`
	// Values are what is typed and chosen, block_id -> action_id -> value: a text, the value of an option, the ID of a
	// user, a list of these, or the whole state object with its type. What is not given stays as it was.
	Values map[string]map[string]any `json:"values,omitempty"`
	// Force submits what Slack's client would not: a required input left empty.
	Force bool `json:"force,omitempty"`
	// Patch is laid over the payload.
	Patch map[string]any `json:"patch,omitempty"`
}

// Submit fills a modal in, sends it, and applies the answer: close, errors, update, push or clear.
func (s *Server) Submit(ctx context.Context, in SubmitInput) (Ack, error) {
	form, err := locked(s, in, s.submitPayload)
	if err != nil {
		return Ack{}, err
	}
	land := func(a *Ack) { s.landSubmit(form.view, a) }
	return s.deliver(ctx, delivery{kind: "interactive", payload: form.payload, answers: true}, land)
}

func (s *Server) modal(user, id string) (*View, error) {
	if stack := s.st.Stacks[user]; id == "" && len(stack) > 0 {
		id = stack[len(stack)-1]
	}
	v := s.st.Views[id]
	if v == nil || v.User != user {
		return nil, fmt.Errorf("%s has no modal %q open", user, id)
	}
	return v, nil
}

// submission is a filled-in modal and the payload that tells of it.
type submission struct {
	view    *View
	payload map[string]any
}

func (s *Server) submitPayload(in SubmitInput) (submission, error) {
	v, err := s.modal(in.User, in.ViewID)
	if err != nil {
		return submission{}, fmt.Errorf("submit: %w", err)
	}
	if v.Type != "modal" || v.Raw["submit"] == nil && !in.Force {
		return submission{}, fmt.Errorf("submit: view %s has no submit button", v.ID)
	}
	for block, actions := range in.Values {
		for action, typed := range actions {
			if err := v.fill(block, action, typed); err != nil {
				return submission{}, fmt.Errorf("submit: %w", err)
			}
		}
	}
	if block := missing(v.Blocks, v.State); block != "" && !in.Force {
		return submission{}, fmt.Errorf("submit: the client asks to complete the required field %q", block)
	}
	payload := s.interaction("view_submission", s.st.Users[in.User])
	id, _ := payload["trigger_id"].(string)
	s.st.Triggers[id].View = v.ID
	payload["view"], payload["response_urls"] = v.wire(s.st), []any{}
	overlay(payload, in.Patch)
	return submission{v, payload}, nil
}

func (v *View) fill(block, action string, typed any) error {
	e, _ := findElement(v.Blocks, block, action)
	if e == nil {
		return fmt.Errorf("view %s has no input %q in block %q", v.ID, action, block)
	}
	value, err := enter(e, typed)
	if err != nil {
		return err
	}
	if v.State[block] == nil {
		v.State[block] = map[string]any{}
	}
	v.State[block][action] = value
	return nil
}

// landSubmit applies the answer to a submission; the lock is held.
func (s *Server) landSubmit(v *View, a *Ack) {
	v.Errors = nil
	switch action, _ := a.Payload["response_action"].(string); action {
	case "":
		if len(a.Payload) > 0 {
			a.Err = "invalid_response_action"
			return
		}
		s.popView(v)
	case "clear":
		s.clearStack(v.User)
	case "errors":
		a.Err = v.showErrors(a.Payload["errors"])
	case "update", "push":
		s.landView(v, action, a)
	default:
		a.Err = "invalid_response_action"
	}
	s.changed()
}

// showErrors keeps the modal open with its errors; each must stand at an input block.
func (v *View) showErrors(raw any) string {
	list, _ := raw.(map[string]any)
	if len(list) == 0 {
		return "invalid_errors"
	}
	shown := map[string]string{}
	for block, text := range list {
		words, ok := text.(string)
		if !ok || words == "" || !slices.ContainsFunc(v.Blocks, func(b any) bool { return isInput(b, block) }) {
			return "invalid_errors"
		}
		shown[block] = words
	}
	v.Errors = shown
	return ""
}

func isInput(b any, id string) bool {
	block, _ := b.(map[string]any)
	return block["type"] == "input" && block["block_id"] == id
}

func (s *Server) landView(v *View, action string, a *Ack) {
	raw, _ := a.Payload["view"].(map[string]any)
	raw = deepCopy(raw)
	replaces := ""
	if action == "update" {
		replaces = v.ID
	}
	if err := s.checkView(raw, "modal", replaces); err != nil {
		a.Err, a.Text = "invalid_view", fmt.Sprint(err.extra["errors"])
		return
	}
	if action == "update" {
		s.st.Counter++
		s.load(v, raw)
		return
	}
	if len(s.st.Stacks[v.User]) >= maxStack {
		a.Err = "push_limit_reached"
		return
	}
	s.addView(v.User, raw, true)
}

// CloseView closes a modal, the one on top where id is empty. With all the whole stack goes, as with the cross. The
// app is told where it asked for it by notify_on_close; else the Ack is empty.
func (s *Server) CloseView(ctx context.Context, user, id string, all bool) (Ack, error) {
	s.mu.Lock()
	v, err := s.modal(user, id)
	if err != nil {
		s.mu.Unlock()
		return Ack{}, fmt.Errorf("close: %w", err)
	}
	payload := s.interaction("view_closed", s.st.Users[user])
	payload["view"], payload["is_cleared"] = v.wire(s.st), all
	notify := v.Raw["notify_on_close"] == true
	if all || v.Raw["clear_on_close"] == true {
		s.clearStack(user)
	} else {
		s.popView(v)
	}
	s.mu.Unlock()
	if !notify {
		return Ack{}, nil
	}
	return s.deliver(ctx, delivery{kind: "interactive", payload: payload}, nil)
}

// SuggestInput is typing into an external select.
type SuggestInput struct {
	User     string `json:"user"`
	ViewID   string `json:"view_id,omitempty"`
	Channel  string `json:"channel,omitempty"`
	TS       string `json:"ts,omitempty"`
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id,omitempty"`
	Value    string `json:"value"`
	// Patch is laid over the payload.
	Patch map[string]any `json:"patch,omitempty"`
}

// Suggest asks the app for options; they are in the Ack's payload.
func (s *Server) Suggest(ctx context.Context, in SuggestInput) (Ack, error) {
	payload, err := locked(s, in, s.suggestPayload)
	if err != nil {
		return Ack{}, err
	}
	land := func(a *Ack) {
		_, options := a.Payload["options"].([]any)
		_, groups := a.Payload["option_groups"].([]any)
		if options == groups {
			a.Err = "invalid_options"
		}
	}
	return s.deliver(ctx, delivery{kind: "options", payload: payload, answers: true}, land)
}

func (s *Server) suggestPayload(in SuggestInput) (map[string]any, error) {
	u := s.st.Users[in.User]
	if u == nil {
		return nil, fmt.Errorf("suggest: no user %q", in.User)
	}
	payload := s.interaction("block_suggestion", u)
	var blocks []any
	if in.TS != "" {
		m := s.st.message(in.Channel, in.TS)
		if m == nil {
			return nil, fmt.Errorf("suggest: no message %s", in.TS)
		}
		blocks = m.Blocks
		payload["container"] = map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel}
		payload["channel"] = map[string]any{"id": m.Channel, "name": channelName(s.st.Channels[m.Channel])}
		payload["message"] = m.wire(s.st, false)
	} else {
		v, err := s.modal(in.User, in.ViewID)
		if err != nil {
			return nil, fmt.Errorf("suggest: %w", err)
		}
		blocks = v.Blocks
		payload["container"] = map[string]any{"type": "view", "view_id": v.ID}
		payload["view"] = v.wire(s.st)
	}
	e, block := findElement(blocks, in.BlockID, in.ActionID)
	if e == nil {
		return nil, fmt.Errorf("suggest: no element %q", in.ActionID)
	}
	payload["action_id"], payload["block_id"], payload["value"] = in.ActionID, block, in.Value
	overlay(payload, in.Patch)
	return payload, nil
}

// Shortcut runs a global shortcut.
func (s *Server) Shortcut(ctx context.Context, callbackID, user string) (Ack, error) {
	s.mu.Lock()
	u := s.st.Users[user]
	if u == nil {
		s.mu.Unlock()
		return Ack{}, fmt.Errorf("shortcut: no user %q", user)
	}
	payload := s.interaction("shortcut", u)
	payload["callback_id"], payload["action_ts"] = callbackID, s.st.ts("shortcut", s.now())
	s.mu.Unlock()
	return s.deliver(ctx, delivery{kind: "interactive", payload: payload, answers: true}, nil)
}
