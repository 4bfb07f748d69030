package slackfake

import (
	"encoding/json"
	"fmt"
	"slices"
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
