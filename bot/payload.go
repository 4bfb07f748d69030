package bot

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"countersign/workflow"
)

// The payloads hold only what the bot reads. Slack adds fields and block kinds at will; slack-go's own types refuse a
// whole delivery for one that they do not know.

// slashPayload is a slash command, as a form or as JSON. See
// https://docs.slack.dev/interactivity/implementing-slash-commands.
type slashPayload struct {
	TeamID      string `json:"team_id"`
	UserID      string `json:"user_id"`
	ChannelID   string `json:"channel_id"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
}

func (p slashPayload) person() workflow.Person {
	return workflow.Person{User: p.UserID, Team: p.TeamID}
}

func slashFromForm(f url.Values) slashPayload {
	return slashPayload{
		TeamID: f.Get("team_id"), UserID: f.Get("user_id"), ChannelID: f.Get("channel_id"), Command: f.Get("command"),
		Text: f.Get("text"), TriggerID: f.Get("trigger_id"), ResponseURL: f.Get("response_url"),
	}
}

// interaction is a click, a form or a shortcut. See https://docs.slack.dev/interactivity/handling-user-interaction.
type interaction struct {
	Type string `json:"type"`
	User struct {
		ID     string `json:"id"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	Container struct {
		Type      string `json:"type"`
		MessageTS string `json:"message_ts"`
		ChannelID string `json:"channel_id"`
	} `json:"container"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Message struct {
		TS   string `json:"ts"`
		Text string `json:"text"` // absent where the message is ephemeral
	} `json:"message"`
	TriggerID   string        `json:"trigger_id"`
	ResponseURL string        `json:"response_url"`
	CallbackID  string        `json:"callback_id"`
	Actions     []blockAction `json:"actions"`
	View        *view         `json:"view"`
	// Of a request for options.
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
}

func (i interaction) person() workflow.Person {
	return workflow.Person{User: i.User.ID, Team: i.User.TeamID}
}

// place is the channel and the message that an interaction came from; empty for a view.
func (i interaction) place() (channel, ts string) {
	channel, ts = i.Container.ChannelID, i.Container.MessageTS
	if channel == "" {
		channel = i.Channel.ID
	}
	if ts == "" {
		ts = i.Message.TS
	}
	return channel, ts
}

type blockAction struct {
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
}

type view struct {
	ID              string `json:"id"`
	Type            string `json:"type"`
	CallbackID      string `json:"callback_id"`
	PrivateMetadata string `json:"private_metadata"`
	Hash            string `json:"hash"`
	State           struct {
		Values map[string]map[string]stateValue `json:"values"`
	} `json:"state"`
}

// stateValue is what a person put into one input.
type stateValue struct {
	Type            string         `json:"type,omitempty"`
	Typed           any            `json:"value,omitempty"`
	SelectedOption  *chosenOption  `json:"selected_option,omitempty"`
	SelectedOptions []chosenOption `json:"selected_options,omitempty"`
	SelectedUser    string         `json:"selected_user,omitempty"`
}

type chosenOption struct {
	Value string `json:"value"`
}

// text is the input's value, whatever kind of input it is; several are joined by commas.
func (v stateValue) text() string {
	switch {
	case v.SelectedOption != nil:
		return v.SelectedOption.Value
	case len(v.SelectedOptions) > 0:
		values := make([]string, len(v.SelectedOptions))
		for i, o := range v.SelectedOptions {
			values[i] = o.Value
		}
		return strings.Join(values, ",")
	case v.SelectedUser != "":
		return v.SelectedUser
	default:
		s, _ := v.Typed.(string)
		return s
	}
}

// input is the value of the form's input whose block_id and action_id are both name.
func (v view) input(name string) string { return v.State.Values[name][name].text() }

func parseSlash(raw []byte) (slashPayload, error) {
	var p slashPayload
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, fmt.Errorf("read slash command: %w", err)
	}
	return p, nil
}

func parseInteraction(raw []byte) (interaction, error) {
	var i interaction
	if err := json.Unmarshal(raw, &i); err != nil {
		return i, fmt.Errorf("read interaction: %w", err)
	}
	return i, nil
}
