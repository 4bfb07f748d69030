package slackfake

import (
	"fmt"
	"slices"
)

// initialState is what a view's fields hold before anyone touches them.
func initialState(blocks []any) map[string]map[string]any {
	out := map[string]map[string]any{}
	eachElement(blocks, func(block string, e map[string]any) {
		kind, _ := e["type"].(string)
		key, many := valueKey(kind)
		if key == "" {
			return
		}
		action, _ := e["action_id"].(string)
		value := any(nil)
		if many {
			value = []any{}
		}
		for _, from := range []string{"initial_" + key, initialKey[key], "initial_" + initialKey[key]} {
			if v, ok := e[from]; ok {
				value = v
			}
		}
		if out[block] == nil {
			out[block] = map[string]any{}
		}
		out[block][action] = map[string]any{"type": kind, key: value}
	})
	return out
}

// initialKey names the field that gives a value its start, where it is not initial_ and the value's own name.
var initialKey = map[string]string{
	"value": "initial_value", "selected_option": "initial_option", "selected_options": "initial_options",
	"selected_user": "initial_user", "selected_users": "initial_users", "selected_date": "initial_date",
	"selected_time": "initial_time", "selected_date_time": "initial_date_time",
	"selected_channel": "initial_channel", "selected_channels": "initial_channels",
	"selected_conversation": "initial_conversation", "selected_conversations": "initial_conversations",
}

// valueKey is where a kind of element keeps its value in view.state.values, and whether it is a list.
func valueKey(kind string) (key string, many bool) {
	switch kind {
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return "value", false
	case "static_select", "external_select", "radio_buttons":
		return "selected_option", false
	case "multi_static_select", "multi_external_select", "checkboxes":
		return "selected_options", true
	case "users_select":
		return "selected_user", false
	case "multi_users_select":
		return "selected_users", true
	case "conversations_select":
		return "selected_conversation", false
	case "multi_conversations_select":
		return "selected_conversations", true
	case "channels_select":
		return "selected_channel", false
	case "multi_channels_select":
		return "selected_channels", true
	case "datepicker":
		return "selected_date", false
	case "timepicker":
		return "selected_time", false
	case "datetimepicker":
		return "selected_date_time", false
	case "rich_text_input":
		return "rich_text_value", false
	default:
		return "", false
	}
}

// enter puts what a person typed or chose into a state value. A string stands for an option's value where one is
// chosen; a map is taken as it is.
func enter(e map[string]any, typed any) (map[string]any, error) {
	kind, _ := e["type"].(string)
	key, many := valueKey(kind)
	if key == "" {
		return nil, fmt.Errorf("%s %v takes no input", kind, e["action_id"])
	}
	if whole, ok := typed.(map[string]any); ok && whole["type"] == kind {
		return whole, nil
	}
	list, isList := asList(typed)
	if many != isList {
		return nil, fmt.Errorf("%s %v: a list was wanted: %t, got %T", kind, e["action_id"], many, typed)
	}
	if key == "selected_option" {
		option, err := choose(e, typed)
		return map[string]any{"type": kind, key: option}, err
	}
	if key == "selected_options" {
		chosen := []any{}
		for _, one := range list {
			option, err := choose(e, one)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, option)
		}
		return map[string]any{"type": kind, key: chosen}, nil
	}
	if key == "value" && typed == "" {
		typed = nil
	}
	if many {
		typed = list
	}
	return map[string]any{"type": kind, key: typed}, nil
}

func asList(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case []string:
		out := []any{}
		for _, s := range v {
			out = append(out, s)
		}
		return out, true
	default:
		return nil, false
	}
}

// choose finds the option with a value. The options of an external select are not on the view: they are believed.
func choose(e map[string]any, value any) (any, error) {
	if option, ok := value.(map[string]any); ok {
		return option, nil
	}
	if value == nil || value == "" {
		return nil, nil
	}
	for _, o := range optionsOf(e) {
		if option, _ := o.(map[string]any); option["value"] == value {
			return option, nil
		}
	}
	if kind, _ := e["type"].(string); kind == "external_select" || kind == "multi_external_select" {
		text := map[string]any{"type": "plain_text", "text": fmt.Sprint(value), "emoji": true}
		return map[string]any{"text": text, "value": value}, nil
	}
	return nil, fmt.Errorf("%v has no option %v", e["action_id"], value)
}

func optionsOf(e map[string]any) []any {
	options, _ := e["options"].([]any)
	options = slices.Clone(options)
	groups, _ := e["option_groups"].([]any)
	for _, g := range groups {
		group, _ := g.(map[string]any)
		more, _ := group["options"].([]any)
		options = append(options, more...)
	}
	return options
}

// missing names the first input that Slack's client would not let a person leave empty.
func missing(blocks []any, state map[string]map[string]any) string {
	for _, b := range blocks {
		block, _ := b.(map[string]any)
		if block["type"] != "input" || block["optional"] == true {
			continue
		}
		id, _ := block["block_id"].(string)
		e, _ := block["element"].(map[string]any)
		kind, _ := e["type"].(string)
		key, many := valueKey(kind)
		action, _ := e["action_id"].(string)
		value, _ := state[id][action].(map[string]any)
		list, _ := asList(value[key])
		if key != "" && (value[key] == nil || value[key] == "" || many && len(list) == 0) {
			return id
		}
	}
	return ""
}
