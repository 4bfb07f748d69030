package slackfake_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"countersign/bot/slackfake"
)

func text(kind, s string) string { return fmt.Sprintf(`{"type":%q,"text":%q}`, kind, s) }

func long(n int) string { return strings.Repeat("界", n) }

func button(fields string) string {
	return `{"type":"button","action_id":"a","text":{"type":"plain_text","text":"Go"}` + fields + `}`
}

func actions(elements ...string) string {
	return `{"type":"actions","elements":[` + strings.Join(elements, ",") + `]}`
}

func sectionOf(t string) string { return `{"type":"section","text":` + t + `}` }

func repeat(one string, n int) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }

func option(i int) string {
	return fmt.Sprintf(`{"text":{"type":"plain_text","text":"o%d"},"value":"%d"}`, i, i)
}

func options(n int) string {
	var all []string
	for i := range n {
		all = append(all, option(i))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// numbered buttons, for each action_id must be its own.
func buttons(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"type":"button","action_id":"a%d","text":{"type":"plain_text","text":"Go"}}`, i))
	}
	return actions(all...)
}

func TestBlocks_RefusedInMessages(t *testing.T) {
	s := start(t, slackfake.Options{})
	cases := []struct {
		name, block string
		want        string // in the first error; empty for blocks that are fine
	}{
		{"fine: section", sectionOf(text("mrkdwn", long(3000))), ""},
		{"fine: 25 buttons", buttons(25), ""},
		{"fine: 50 blocks", repeat(`{"type":"divider"}`, 50), ""},
		{"fine: styled button with confirm", actions(button(`,"style":"danger","value":"42","confirm":{"title":{"type":"plain_text","text":"t"},"text":{"type":"mrkdwn","text":"x"},"confirm":{"type":"plain_text","text":"y"},"deny":{"type":"plain_text","text":"n"}}`)), ""},
		{"51 blocks", repeat(`{"type":"divider"}`, 51), "no more than 50 items allowed [json-pointer:/blocks]"},
		{"verbatim on plain_text", `{"type":"header","text":{"type":"plain_text","text":"x","verbatim":true}}`, "invalid additional property: verbatim [json-pointer:/blocks/0/text]"},
		{"verbatim in context", `{"type":"context","elements":[{"type":"plain_text","text":"x","verbatim":false}]}`, "invalid additional property: verbatim [json-pointer:/blocks/0/elements/0]"},
		{"emoji on mrkdwn", sectionOf(`{"type":"mrkdwn","text":"x","emoji":true}`), "invalid additional property: emoji"},
		{"section text too long", sectionOf(text("mrkdwn", long(3001))), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		{"empty text", sectionOf(text("mrkdwn", "")), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		{"section with neither text nor fields", `{"type":"section"}`, "missing required field: text"},
		{"11 fields", `{"type":"section","fields":[` + repeat(text("mrkdwn", "f"), 11) + `]}`, "no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		{"field too long", `{"type":"section","fields":[` + text("mrkdwn", long(2001)) + `]}`, "must be less than 2001 characters"},
		{"mrkdwn header", `{"type":"header","text":` + text("mrkdwn", "x") + `}`, "/blocks/0/text/type"},
		{"header too long", `{"type":"header","text":` + text("plain_text", long(151)) + `}`, "must be less than 151 characters"},
		{"header without text", `{"type":"header"}`, "missing required field: text [json-pointer:/blocks/0]"},
		{"11 context elements", `{"type":"context","elements":[` + repeat(text("mrkdwn", "x"), 11) + `]}`, "no more than 10 items allowed"},
		{"button in context", `{"type":"context","elements":[` + button("") + `]}`, "unsupported type: button [json-pointer:/blocks/0/elements/0/type]"},
		{"26 buttons", buttons(26), "no more than 25 items allowed"},
		{"no buttons", `{"type":"actions","elements":[]}`, "no fewer than 1 items allowed"},
		{"button text too long", actions(`{"type":"button","action_id":"a","text":` + text("plain_text", long(76)) + `}`), "must be less than 76 characters"},
		{"button text in mrkdwn", actions(`{"type":"button","action_id":"a","text":` + text("mrkdwn", "x") + `}`), "/blocks/0/elements/0/text/type"},
		{"button value too long", actions(button(`,"value":"` + long(2001) + `"`)), "must be less than 2001 characters"},
		{"button value a number", actions(button(`,"value":42`)), "must provide a string [json-pointer:/blocks/0/elements/0/value]"},
		{"button style", actions(button(`,"style":"default"`)), "unsupported type: default [json-pointer:/blocks/0/elements/0/style]"},
		{"button without text", actions(`{"type":"button","action_id":"a"}`), "missing required field: text [json-pointer:/blocks/0/elements/0]"},
		{"action_id too long", actions(`{"type":"button","action_id":"` + long(256) + `","text":` + text("plain_text", "x") + `}`), "must be less than 256 characters"},
		{"block_id too long", `{"type":"divider","block_id":"` + long(256) + `"}`, "must be less than 256 characters"},
		{"confirm title too long", actions(button(`,"confirm":{"title":` + text("plain_text", long(101)) + `,"text":` + text("plain_text", "x") + `}`)), "must be less than 101 characters"},
		{"confirm button too long", actions(button(`,"confirm":{"text":` + text("plain_text", "x") + `,"confirm":` + text("plain_text", long(31)) + `}`)), "must be less than 31 characters"},
		{"confirm text too long", actions(button(`,"confirm":{"text":` + text("plain_text", long(301)) + `}`)), "must be less than 301 characters"},
		{"unknown block", `{"type":"sektion"}`, "unsupported type: sektion [json-pointer:/blocks/0/type]"},
		{"no type", `{"text":"x"}`, "missing required field: type [json-pointer:/blocks/0]"},
		{"block is a string", `"hello"`, "must provide an object [json-pointer:/blocks/0]"},
		{"unknown field", `{"type":"divider","colour":"red"}`, "invalid additional property: colour"},
		{"text is a string", `{"type":"section","text":"hello"}`, "must provide an object [json-pointer:/blocks/0/text]"},
		{"101 options", actions(`{"type":"static_select","action_id":"a","options":` + options(101) + `}`), "no more than 100 items allowed"},
		{"6 in an overflow", `{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"overflow","action_id":"a","options":` + options(6) + `}}`, "no more than 5 items allowed"},
		{"11 checkboxes", actions(`{"type":"checkboxes","action_id":"a","options":` + options(11) + `}`), "no more than 10 items allowed"},
		{"option text too long", actions(`{"type":"static_select","action_id":"a","options":[{"text":` + text("plain_text", long(76)) + `,"value":"v"}]}`), "must be less than 76 characters"},
		{"image without alt_text", `{"type":"image","image_url":"https://x.example/a.png"}`, "missing required field: alt_text"},
		{"doubled block_id", `{"type":"divider","block_id":"x"},{"type":"divider","block_id":"x"}`, "`block_id` already exists: x [json-pointer:/blocks/1/block_id]"},
		{"doubled action_id", actions(button(""), button("")), "`action_id` already exists: a"},
		{"markdown over 12,000 in all", repeat(`{"type":"markdown","text":"`+long(7000)+`"}`, 2), "must be less than 12001 characters [json-pointer:/blocks/1/text]"},
	}
	for _, tc := range cases {
		_, _, body := call(t, s, "chat.postMessage", s.BotToken(), map[string]string{
			"channel": "C0DATA", "text": "x", "blocks": "[" + tc.block + "]",
		})
		if tc.want == "" {
			if body["ok"] != true {
				t.Errorf("%s: refused: %v", tc.name, body)
			}
			continue
		}
		if body["error"] != "invalid_blocks" {
			t.Errorf("%s: answer %v, want invalid_blocks", tc.name, body["error"])
			continue
		}
		list, _ := body["errors"].([]any)
		meta, _ := body["response_metadata"].(map[string]any)
		messages, _ := meta["messages"].([]any)
		if len(list) == 0 || !strings.Contains(fmt.Sprint(list...), tc.want) || len(messages) != len(list) || messages[0] != "[ERROR] "+list[0].(string) {
			t.Errorf("%s: errors %v, messages %v, want %q", tc.name, list, messages, tc.want)
		}
	}
}

func input(fields string) string {
	return `{"type":"input","block_id":"b","label":{"type":"plain_text","text":"l"},"element":{"type":"plain_text_input","action_id":"a"}` + fields + `}`
}

func modal(fields string, blocks ...string) string {
	return `{"type":"modal","title":{"type":"plain_text","text":"T"},"blocks":[` + strings.Join(blocks, ",") + `]` + fields + `}`
}

const submit = `,"submit":{"type":"plain_text","text":"Go"}`

func TestBlocks_RefusedInViews(t *testing.T) {
	s := start(t, slackfake.Options{})
	cases := []struct{ name, view, want string }{
		{"fine", modal(submit, input("")), ""},
		{"fine: 100 blocks", modal("", repeat(`{"type":"divider"}`, 100)), ""},
		{"input without submit", modal("", input("")), "submit"},
		{"101 blocks", modal("", repeat(`{"type":"divider"}`, 101)), "no more than 100 items allowed"},
		{"no title", `{"type":"modal","blocks":[{"type":"divider"}]}`, "missing required field: title"},
		{"title too long", strings.Replace(modal("", `{"type":"divider"}`), `"T"`, `"`+long(25)+`"`, 1), "must be less than 25 characters"},
		{"submit too long", modal(`,"submit":`+text("plain_text", long(25)), input("")), "must be less than 25 characters"},
		{"private_metadata too long", modal(`,"private_metadata":"`+long(3001)+`"`, `{"type":"divider"}`), "must be less than 3001 characters"},
		{"callback_id too long", modal(`,"callback_id":"`+long(256)+`"`, `{"type":"divider"}`), "must be less than 256 characters"},
		{"home in views.open", `{"type":"home","blocks":[{"type":"divider"}]}`, "must be modal"},
		{"label too long", modal(submit, strings.Replace(input(""), `"l"`, `"`+long(2001)+`"`, 1)), "must be less than 2001 characters"},
		{"button in an input", modal(submit, `{"type":"input","label":{"type":"plain_text","text":"l"},"element":`+button("")+`}`), "unsupported type: button"},
		{"placeholder too long", modal(submit, strings.Replace(input(""), `"action_id":"a"`, `"action_id":"a","placeholder":`+text("plain_text", long(151)), 1)), "must be less than 151 characters"},
	}
	for _, tc := range cases {
		_, _, body := call(t, s, "views.open", s.BotToken(), map[string]string{"trigger_id": typed(t, s).TriggerID, "view": tc.view})
		raw, _ := json.Marshal(body)
		switch {
		case tc.want == "" && body["ok"] != true:
			t.Errorf("%s: refused: %s", tc.name, raw)
		case tc.want != "" && (body["error"] != "invalid_arguments" || !strings.Contains(string(raw), tc.want)):
			t.Errorf("%s: %s, want %q", tc.name, raw, tc.want)
		}
	}
}

func TestBlocksValidate(t *testing.T) {
	s := start(t, slackfake.Options{})
	for _, tc := range []struct {
		form map[string]string
		want any
	}{
		{map[string]string{"blocks": `[{"type":"divider"}]`}, nil},
		{map[string]string{"blocks": `[{"type":"x"}]`}, "invalid_blocks"},
		{map[string]string{"view": modal("", input(""))}, "invalid_view"},
		{map[string]string{"message": `{"blocks":[{"type":"header"}]}`}, "invalid_message"},
		{map[string]string{"blocks": `[]`, "view": `{}`}, "invalid_arguments"},
		{nil, "invalid_arguments"},
	} {
		_, _, body := call(t, s, "blocks.validate", s.BotToken(), tc.form)
		if body["error"] != tc.want {
			t.Errorf("%v: %v, want %v", tc.form, body, tc.want)
		}
		if list, ok := body["errors"].([]any); ok {
			first, _ := list[0].(map[string]any)
			if first["code"] != "failed_constraint" || first["pointer"] == nil {
				t.Errorf("%v: %v", tc.form, first)
			}
		}
	}
}
