package slackfake

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// ClickInput is a press on a button, or a choice in a menu, on a message or, with ViewID, in a modal or Home tab.
type ClickInput struct {
	User    string `json:"user"`
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
	// ViewID is the modal or Home tab that holds the element.
	ViewID   string `json:"view_id,omitempty"`
	ActionID string `json:"action_id"`
	// BlockID is needed where several blocks hold the action.
	BlockID string `json:"block_id,omitempty"`
	// Value replaces the button's own; in a menu it is the value of the option, or the ID, that is chosen.
	Value string `json:"value,omitempty"`
	// Values is Value for a menu in which several are chosen.
	Values []string `json:"values,omitempty"`
	// Stale presses what a slow client still shows: the newest version of the message that had the element, or, where
	// there was none, an element made up from the fields here.
	Stale bool `json:"stale,omitempty"`
	// MessageTS, ChannelID, UserTeam and TeamID forge what the payload says; Slack never would.
	MessageTS string `json:"message_ts,omitempty"`
	ChannelID string `json:"channel_id,omitempty"`
	UserTeam  string `json:"user_team,omitempty"`
	TeamID    string `json:"team_id,omitempty"`
	// TriggerID repeats an earlier one.
	TriggerID string `json:"trigger_id,omitempty"`
	// Patch is laid over the payload, object by object.
	Patch map[string]any `json:"patch,omitempty"`
}

// Click presses an element that is there now, or with Stale one that was, and waits for the acknowledgement.
func (s *Server) Click(ctx context.Context, in ClickInput) (Ack, error) {
	payload, err := locked(s, in, s.clickPayload)
	if err != nil {
		return Ack{}, err
	}
	return s.deliver(ctx, delivery{kind: "interactive", payload: payload, answers: true}, nil)
}

func (s *Server) clickPayload(in ClickInput) (map[string]any, error) {
	u := s.st.Users[in.User]
	if u == nil {
		return nil, fmt.Errorf("click: no user %q", in.User)
	}
	payload := s.interaction("block_actions", u)
	var element map[string]any
	var block string
	var err error
	if in.ViewID != "" {
		element, block, err = s.clickedView(in, payload)
	} else {
		element, block, err = s.clickedMessage(in, payload)
	}
	if err != nil {
		return nil, err
	}
	payload["actions"] = []any{s.action(element, block, in)}
	if in.TriggerID != "" {
		payload["trigger_id"] = in.TriggerID
	}
	user, _ := payload["user"].(map[string]any)
	user["team_id"] = or(in.UserTeam, u.Team)
	team, _ := payload["team"].(map[string]any)
	team["id"] = or(in.TeamID, s.st.Team.ID)
	overlay(payload, in.Patch)
	return payload, nil
}

// interaction is what every interactive payload has. team is the workspace that installed the app; the person's own
// may be another.
func (s *Server) interaction(kind string, u *User) map[string]any {
	payload := map[string]any{
		"type": kind, "team": map[string]any{"id": s.st.Team.ID, "domain": s.st.Team.Domain}, "enterprise": nil,
		"is_enterprise_install": false, "api_app_id": s.st.AppID, "token": "deprecated",
		"user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.Team},
	}
	if e := s.st.Team.Enterprise; e != "" {
		payload["enterprise"] = map[string]any{"id": e, "name": "Enterprise"}
		team, _ := payload["team"].(map[string]any)
		team["enterprise_id"] = e
	}
	if kind != "view_closed" && kind != "block_suggestion" {
		payload["trigger_id"] = s.st.newTrigger(u.ID, "", s.now())
	}
	return payload
}

func (s *Server) clickedMessage(in ClickInput, payload map[string]any) (map[string]any, string, error) {
	m := s.st.message(in.Channel, in.TS)
	if m == nil || m.Deleted && !in.Stale {
		return nil, "", fmt.Errorf("click: no message %s in %s", in.TS, in.Channel)
	}
	if m.Ephemeral && m.To != in.User && !in.Stale {
		return nil, "", fmt.Errorf("click: message %s is shown to %s only", in.TS, m.To)
	}
	shown := m.copyOf()
	element, block := findElement(shown.Blocks, in.BlockID, in.ActionID)
	for i := len(m.Edits) - 1; element == nil && in.Stale && i >= 0; i-- {
		shown.Text, shown.Blocks = m.Edits[i].Text, deepCopy(m.Edits[i].Blocks)
		element, block = findElement(shown.Blocks, in.BlockID, in.ActionID)
	}
	if element == nil && in.Stale {
		element = map[string]any{
			"type": "button", "action_id": in.ActionID, "text": map[string]any{"type": "plain_text", "text": in.ActionID},
		}
		block = in.BlockID
	}
	if element == nil {
		return nil, "", fmt.Errorf("click: message %s has no element %q in block %q", in.TS, in.ActionID, in.BlockID)
	}
	ch := s.st.Channels[m.Channel]
	shown.TS = or(in.MessageTS, m.TS)
	channel := or(in.ChannelID, m.Channel)
	container := map[string]any{
		"type": "message", "message_ts": shown.TS, "channel_id": channel, "is_ephemeral": m.Ephemeral,
	}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload["container"] = container
	payload["channel"] = map[string]any{"id": channel, "name": channelName(ch)}
	payload["state"] = map[string]any{"values": initialState(shown.Blocks)}
	if !m.Ephemeral {
		payload["message"] = shown.wire(s.st, false)
	}
	payload["response_url"] = s.newResponseURL("actions", responseURL{
		Channel: m.Channel, User: in.User, Origin: m.TS, Thread: m.ThreadTS,
	})
	return element, block, nil
}

func (s *Server) clickedView(in ClickInput, payload map[string]any) (map[string]any, string, error) {
	v := s.st.Views[in.ViewID]
	if v == nil {
		return nil, "", fmt.Errorf("click: no view %q", in.ViewID)
	}
	if v.User != in.User && !in.Stale {
		return nil, "", fmt.Errorf("click: view %s is before %s", in.ViewID, v.User)
	}
	element, block := findElement(v.Blocks, in.BlockID, in.ActionID)
	if element == nil && in.Stale {
		element, block = map[string]any{"type": "button", "action_id": in.ActionID}, in.BlockID
	}
	if element == nil {
		return nil, "", fmt.Errorf("click: view %s has no element %q in block %q", in.ViewID, in.ActionID, in.BlockID)
	}
	if key, _ := valueKey(fmt.Sprint(element["type"])); key != "" && (in.Value != "" || in.Values != nil) {
		value, err := enter(element, in.chosen(element))
		if err != nil {
			return nil, "", fmt.Errorf("click: %w", err)
		}
		v.State[block][in.ActionID] = value
	}
	id, _ := payload["trigger_id"].(string)
	s.st.Triggers[id].View = v.ID
	payload["container"] = map[string]any{"type": "view", "view_id": v.ID}
	payload["view"] = v.wire(s.st)
	return element, block, nil
}

func findElement(blocks []any, blockID, actionID string) (found map[string]any, block string) {
	eachElement(blocks, func(id string, e map[string]any) {
		if found == nil && e["action_id"] == actionID && (blockID == "" || blockID == id) {
			found, block = deepCopy(e), id
		}
	})
	return found, block
}

// action is one entry of a payload's actions.
func (s *Server) action(e map[string]any, block string, in ClickInput) map[string]any {
	now := s.now()
	out := map[string]any{
		"type": e["type"], "action_id": e["action_id"], "block_id": block,
		"action_ts": strconv.FormatInt(now.Unix(), 10) + fmt.Sprintf(".%06d", now.Nanosecond()/int(time.Microsecond)),
	}
	for _, k := range []string{"text", "value", "style", "url"} {
		if v, ok := e[k]; ok && e["type"] == "button" {
			out[k] = v
		}
	}
	key, _ := valueKey(fmt.Sprint(e["type"]))
	switch {
	case e["type"] == "overflow":
		key = "selected_option"
	case key == "" && in.Value != "":
		out["value"] = in.Value
		return out
	}
	if key == "" || in.Value == "" && in.Values == nil {
		return out
	}
	out[key] = in.chosen(e)
	if e["type"] == "overflow" {
		if option, err := choose(e, in.Value); err == nil {
			out[key] = option
		}
	} else if value, err := enter(e, in.chosen(e)); err == nil {
		out[key] = value[key]
	}
	return out
}

// chosen is what is chosen in a menu: a list where it takes several.
func (in ClickInput) chosen(e map[string]any) any {
	if _, many := valueKey(fmt.Sprint(e["type"])); !many {
		return in.Value
	}
	if in.Values != nil {
		return in.Values
	}
	return []string{in.Value}
}

// overlay lays b over a, object by object.
func overlay(a, b map[string]any) {
	for k, v := range b {
		under, ok1 := a[k].(map[string]any)
		over, ok2 := v.(map[string]any)
		if ok1 && ok2 {
			overlay(under, over)
		} else {
			a[k] = v
		}
	}
}
