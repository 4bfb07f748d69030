package slackfake

import (
	"regexp"
	"slices"
	"strings"
)

// Button is a button that a person can press.
type Button struct {
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
	Text     string `json:"text"`
	Style    string `json:"style,omitempty"`
	URL      string `json:"url,omitempty"`
}

// Text is all that a person reads in a message, line by line; mrkdwn tokens are left as they are. When a message has
// blocks its text is only the notification's, but it is read too, so it comes first.
func Text(m Message) string {
	return strings.Join(append([]string{m.Text}, BlockTexts(m.Blocks, m.Attachments)...), "\n")
}

// BlockTexts are the words in blocks and attachments, in order.
func BlockTexts(values ...[]any) []string {
	var out []string
	for _, v := range values {
		walkText(v, func(text, kind string) { out = append(out, text) })
	}
	return out
}

// walkText calls see for every string a person reads; kind is mrkdwn, plain_text, markdown or rich_text.
func walkText(v any, see func(text, kind string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walkText(e, see)
		}
	case map[string]any:
		walkTextObject(v, see)
	}
}

// textOrder is the order in which the parts of a block are read.
var textOrder = []string{
	"title", "label", "pretext", "text", "hint", "placeholder", "fields", "elements", "accessory", "element", "options",
	"option_groups", "initial_option", "rows", "confirm", "description", "footer", "alt_text", "blocks", "child_blocks",
}

func walkTextObject(m map[string]any, see func(text, kind string)) {
	kind, _ := m["type"].(string)
	switch kind {
	case "user", "usergroup", "broadcast", "channel":
		see(richToken(m), "rich_text")
		return
	case "mrkdwn", "plain_text", "markdown":
		if t, ok := m["text"].(string); ok {
			see(t, kind)
		}
		return
	case "link":
		url, _ := m["url"].(string)
		label, _ := m["text"].(string)
		see("<"+url+"|"+label+">", "rich_text")
		return
	}
	for _, key := range textOrder {
		switch part := m[key].(type) {
		case string:
			// A bare string is read as mrkdwn in an attachment, as it stands elsewhere.
			if kind == "" {
				see(part, "mrkdwn")
			} else {
				see(part, "rich_text_plain")
			}
		default:
			walkText(part, see)
		}
	}
}

func richToken(m map[string]any) string {
	str := func(k string) string { v, _ := m[k].(string); return v }
	switch str("type") {
	case "user":
		return "<@" + str("user_id") + ">"
	case "usergroup":
		return "<!subteam^" + str("usergroup_id") + ">"
	case "channel":
		return "<#" + str("channel_id") + ">"
	default:
		return "<!" + str("range") + ">"
	}
}

var token = regexp.MustCompile(`<(?:[!@#][^<>]*|(?:https?://|mailto:|tel:|slack:)[^<>]*)>`)

// MentionsIn returns the mentions and links that Slack would act on in a message: <!channel>, <@U...>, <!subteam^S...>,
// <#C...> and <url|label>. plain_text objects take part in none; code fences do not protect.
func MentionsIn(m Message) []string {
	out := token.FindAllString(m.Text, -1)
	collect := func(text, kind string) {
		if kind != "plain_text" && kind != "rich_text_plain" {
			out = append(out, token.FindAllString(text, -1)...)
		}
	}
	walkText(m.Blocks, collect)
	walkText(m.Attachments, collect)
	return out
}

// Mentions is [MentionsIn] for a message of a channel, without repeats.
func (s *Server) Mentions(channel, ts string) []string {
	m, _ := s.Message(channel, ts)
	var out []string
	for _, t := range MentionsIn(m) {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// Text is the package's [Text], as a method for callers that hold a server.
func (s *Server) Text(m Message) string { return Text(m) }

// Buttons returns the buttons of a message.
func Buttons(m Message) []Button { return ButtonsIn(m.Blocks) }

// Buttons is the package's [Buttons], as a method for callers that hold a server.
func (s *Server) Buttons(m Message) []Button { return Buttons(m) }

// ButtonsIn returns the buttons in blocks.
func ButtonsIn(blocks []any) []Button {
	var out []Button
	eachElement(blocks, func(blockID string, e map[string]any) {
		if e["type"] != "button" {
			return
		}
		str := func(k string) string { v, _ := e[k].(string); return v }
		label, _ := e["text"].(map[string]any)
		text, _ := label["text"].(string)
		out = append(out, Button{
			ActionID: str("action_id"), BlockID: blockID, Value: str("value"), Text: text, Style: str("style"), URL: str("url"),
		})
	})
	return out
}

// eachElement visits every interactive element with the ID of its block.
func eachElement(blocks []any, visit func(blockID string, e map[string]any)) {
	for _, b := range blocks {
		block, ok := b.(map[string]any)
		if !ok {
			continue
		}
		id, _ := block["block_id"].(string)
		elements, _ := block["elements"].([]any)
		for _, e := range append(slices.Clone(elements), block["accessory"], block["element"]) {
			if el, ok := e.(map[string]any); ok && interactive(el) {
				visit(id, el)
			}
		}
	}
}

// interactive tells an element with an action_id from text and images.
func interactive(e map[string]any) bool {
	switch t, _ := e["type"].(string); t {
	case "", "mrkdwn", "plain_text", "image":
		return false
	default:
		return !strings.HasPrefix(t, "rich_text_") || t == "rich_text_input"
	}
}

// fillIDs gives block_id and action_id to whatever has none, as Slack does; the lock must be held.
func (s *Server) fillIDs(blocks []any) {
	for _, b := range blocks {
		if block, ok := b.(map[string]any); ok {
			if id, _ := block["block_id"].(string); id == "" {
				block["block_id"] = s.st.id("b")
			}
		}
	}
	eachElement(blocks, func(_ string, e map[string]any) {
		if id, _ := e["action_id"].(string); id == "" {
			e["action_id"] = s.st.id("a")
		}
	})
}
