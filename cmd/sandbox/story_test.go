package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
)

func TestPage_ByHand(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	b.shot("first")

	b.types("invite 50002 to gpu-lab/1001 as 张三 because training run")
	b.sees("#log .private", "Recorded as #1")
	b.click("[data-channel=C0APPROVALS]")
	b.sees("#log .message", "pending")
	b.click("#log [data-action=approve]")
	b.sees("#log .private", "somebody else must decide")
	b.shot("refused")

	b.click("[data-person=U0LEAD]")
	b.gone("#log .private")
	b.click("#log [data-action=approve]")
	b.sees("#log .message", "done")
	b.gone("#log [data-action=approve]")
	b.click("#log .replies")
	b.sees("#replies", "done: the provider has confirmed")
	b.sees(`[data-row="1001/50002"]`, "Pending")
	b.sees("#calls .change", "carried out")
	b.shot("thread")

	if got := s.CompShare.Status(1001, 50002); got != "Pending" {
		t.Errorf("the cloud holds %q, want Pending", got)
	}
	if got := len(s.CompShare.Mutations()); got != 1 {
		t.Errorf("%d calls that change something, want 1", got)
	}

	b.click("[data-person=U0REQ]")
	b.click("[data-channel=D0REQ]")
	b.sees("#log", "approved")
	b.shot("direct")
}

func TestPage_DenyInChinese(t *testing.T) {
	s, _ := newServedIn(t, "", "zh")
	b := newBrowser(t, s.url, 1280, 800)
	b.dark(true)
	b.click("[data-person=U0ALICE]")
	b.types("add @alice to warehouse/" + s.sees("U0REQ").Seed["workspace"] + " as developer for 7d because 值班")
	b.sees("#log .private", "已登记为 #1")
	b.click("[data-person=U0BOB]")
	b.click("[data-channel=C0APPROVALS]")
	b.click("#log [data-action=deny]")
	b.sees("#modal", "拒绝")
	b.shot("modal")
	b.do(chromedp.SendKeys(chromedp.CSS("#modal input, #modal textarea"), "不需要"))
	b.click("#modal button[type=submit]")
	b.eventually("the modal closes", `!document.getElementById("modal").open`)
	b.sees("#log .message", "不需要")
	b.gone("#log [data-action=approve]")
	b.shot("denied")
}

// TestStory clicks through the story with its own buttons alone, in both languages, and looks at what each step came to.
func TestStory(t *testing.T) {
	for _, locale := range []string{"en", "zh"} {
		t.Run(locale, func(t *testing.T) {
			s, _ := newServedIn(t, "", locale)
			b := newBrowser(t, s.url, 1280, 800)
			if locale == "zh" {
				b.click("#language")
			}
			said := words(t)
			for i, step := range storySteps(s) {
				text := func(part string) string { return said[step.name+"."+part][map[string]int{"zh": 1}[locale]] }
				b.sees(".steps [aria-current=step]", fmt.Sprint(i+1))
				b.sees("#story", text("before"))
				b.sees("#story-go", text("does"))
				b.click("#story-go[data-done=false]")
				b.sees("#story", text("after"))
				b.eventually(step.name+" has ended", `!document.querySelector("#story-go")?.disabled`)
				step.check(b)
				b.eventually("no emoji is left as its name", `!/:[a-z_]{3,}:/.test(document.body.innerText)`)
				b.eventually("no node is shown as a text", `!/\[object|undefined|\{\d\}/.test(document.body.innerText)`)
				b.shot(fmt.Sprintf("step%02d-%s", i+1, step.name))
				if i < len(storySteps(s))-1 {
					b.click("#story-go[data-done=true]")
				}
			}
			for _, width := range []int64{1440, 1024, 900, 760, 390} {
				b.do(chromedp.EmulateViewport(width, 844))
				b.eventually(fmt.Sprintf("everything fits into %d pixels", width), `document.documentElement.scrollWidth <= innerWidth`)
				b.shot(fmt.Sprintf("width%d", width))
			}
			if got := len(s.DataArts.Mutations()); got != 3 {
				t.Errorf("%d changes of the workspace, want one that changes, one that adds and one that removes", got)
			}
		})
	}
}

// storyStep is a step by its name in the page's catalogue, and what must have come of it.
type storyStep struct {
	name  string
	check func(b *browser)
}

func storySteps(s *served) []storyStep {
	card := func(b *browser, texts ...string) {
		b.t.Helper()
		for _, text := range texts {
			b.sees("#log .message", text)
		}
	}
	roles := func(b *browser, want string) {
		b.t.Helper()
		for _, m := range s.DataArts.Members(rig.Workspace) {
			if got := strings.Join(m.Roles, ","); m.UserName == "carol" && got != want {
				b.t.Errorf("carol is %s, want %s", got, want)
			}
		}
	}
	calls := func(b *browser, want int) {
		b.t.Helper()
		if got := len(s.CompShare.Mutations()) + len(s.DataArts.Mutations()); got != want {
			b.t.Errorf("%d calls that change something, want %d", got, want)
		}
	}
	return []storyStep{
		{"ask", func(b *browser) { b.sees("#log .private", "#1") }},
		{"card", func(b *browser) { card(b, "→", "张三") }},
		{"own", func(b *browser) { b.sees("#log .private", "pending"); calls(b, 0) }},
		{"sign", func(b *browser) { b.sees("#replies", "done"); b.gone("#log [data-action=approve]"); calls(b, 1) }},
		{"drift", func(b *browser) {
			card(b, "developer (r00002)", "admin (r00001) → operator (r00003)")
			b.eventually("the signature is struck through", `!!document.querySelector("#log .message s")`)
			b.eventually("it waits for a new one", `!!document.querySelector("#log [data-action=approve]")`)
			roles(b, "r00001")
			calls(b, 1)
		}},
		{"again", func(b *browser) { b.gone("#log [data-action=approve]"); roles(b, "r00003"); calls(b, 2) }},
		{"no", func(b *browser) {
			for _, text := range []string{"failed", "RetCode 226606", "account is not real-name verified", "fa4e0000-"} {
				b.sees("#replies", text)
			}
			b.eventually("it can be retried", `!!document.querySelector("#log [data-action=retry]")`)
			if got := s.CompShare.Status(1001, 50004); got != "Pending" {
				b.t.Errorf("50004 is %q", got)
			}
			calls(b, 3)
		}},
		{"retry", func(b *browser) {
			b.gone("#log [data-action=retry]")
			if got := s.CompShare.Status(1001, 50004); got != "Canceled" {
				b.t.Errorf("50004 is %q", got)
			}
			calls(b, 4)
		}},
		{"lost", func(b *browser) {
			b.sees("#calls .change.bad", "AddWorkSpaceUsers")
			b.sees(`[data-row="analytics/alice"]`, "developer")
			calls(b, 5)
		}},
		{"time", func(b *browser) { b.gone(`[data-row="analytics/alice"]`); calls(b, 6) }},
	}
}

func TestPage_Keys(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 900, 700)
	b.do(chromedp.KeyEvent("2"))
	b.eventually("Lena is chosen", `document.body.dataset.as === "U0LEAD"`)
	b.do(chromedp.KeyEvent("/"))
	b.eventually("the box has the focus", `document.activeElement.id === "command"`)
	b.do(chromedp.SendKeys(chromedp.CSS("#command"), "pending"+kb.Enter))
	b.sees("#log .private", "Nothing waits")
	b.do(chromedp.SendKeys(chromedp.CSS("#command"), kb.ArrowUp))
	b.eventually("the last command is back", `document.getElementById("command").value === "pending"`)
	b.do(chromedp.SendKeys(chromedp.CSS("#command"), kb.Escape), chromedp.KeyEvent("?"))
	b.sees("#help", "Keys")
	b.shot("help")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.eventually("the help closes", `!document.getElementById("help").open`)
	b.click("#mishaps-button")
	b.shot("mishaps")
}

func TestPage_Form(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 900)
	b.click("[data-example='the form']")
	b.sees("#modal", "System")
	b.enter("#modal [data-block=system] select", "gpu-lab")
	b.eventually("the actions are the system's", `!!document.querySelector("#modal [data-block=action] option[value=invite]") && !document.querySelector("#modal [data-block=action] option[value=add]")`)
	b.enter("#modal [data-block=action] select", "invite")
	b.sees("#modal [data-block=who]", "Who")
	b.picks("group", "10", "gpu-research · 1001")
	b.eventually("the team is chosen", `document.querySelector("#modal [data-block=group] input").value === "gpu-research · 1001"`)
	b.picks("who", "fifty", "fifty")
	b.sees("#modal .chip", "fifty")
	b.enter("#modal [data-block=because] textarea", "filled in")
	b.shot("form")
	b.click("#modal button[type=submit]")
	b.sees("#modal .error", "fifty")
	b.shot("errors")
	b.click("#modal .chip")
	b.gone("#modal .chip")
	b.picks("who", "50002", "50002")
	b.sees("#modal .chip", "50002")
	b.click("#modal button[type=submit]")
	b.sees("#modal", "#1")
	b.click("#modal footer button")
	b.eventually("the form closes", `!document.getElementById("modal").open`)
	b.click("[data-channel=C0APPROVALS]")
	b.sees("#log .message", "filled in")
	b.click("[data-person=U0BOB]")
	b.click("[data-channel=home]")
	b.sees("#log .home", "50002")
	b.shot("home")
}

// everyInput is a modal with each kind of input that the page can show.
const everyInput = `{"type":"modal","callback_id":"sandbox-test","title":{"type":"plain_text","text":"Every input"},
"submit":{"type":"plain_text","text":"Send"},"blocks":[
{"type":"section","block_id":"s","text":{"type":"mrkdwn","text":"*Bold* _italic_ ~struck~ ` + "`&lt;b&gt;code&lt;/b&gt;`" + ` &lt;img src=x&gt; <https://example.com|a link> <!channel>\n> quoted 张三"}},
{"type":"input","block_id":"t","label":{"type":"plain_text","text":"Text"},"element":{"type":"plain_text_input","action_id":"t"}},
{"type":"input","block_id":"m","optional":true,"label":{"type":"plain_text","text":"Lines"},"element":{"type":"plain_text_input","action_id":"m","multiline":true,"initial_value":"as it was"}},
{"type":"input","block_id":"c","label":{"type":"plain_text","text":"Choose"},"element":{"type":"static_select","action_id":"c","options":[
 {"text":{"type":"plain_text","text":"One"},"value":"1"},{"text":{"type":"plain_text","text":"Two"},"value":"2"}]}},
{"type":"input","block_id":"u","label":{"type":"plain_text","text":"Who"},"element":{"type":"users_select","action_id":"u"}},
{"type":"input","block_id":"r","label":{"type":"plain_text","text":"One of"},"element":{"type":"radio_buttons","action_id":"r","options":[
 {"text":{"type":"plain_text","text":"Red"},"value":"red"},{"text":{"type":"plain_text","text":"Blue"},"value":"blue"}]}},
{"type":"input","block_id":"k","optional":true,"label":{"type":"plain_text","text":"Some of"},"element":{"type":"checkboxes","action_id":"k","options":[
 {"text":{"type":"plain_text","text":"Salt"},"value":"salt"},{"text":{"type":"plain_text","text":"Pepper"},"value":"pepper"}]}}]}`

func TestPage_EveryInput(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 900)
	ack, err := s.Slack.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0GENERAL", Command: "/access", Text: "help"})
	if err != nil {
		t.Fatal(err)
	}
	// The app opens the modal; here the test is the app.
	form := url.Values{"token": {s.Slack.BotToken()}, "trigger_id": {ack.TriggerID}, "view": {everyInput}}
	resp, err := http.PostForm(s.Slack.APIURL()+"views.open", form)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	b.sees("#modal", "Every input")
	b.sees("#modal code", "<b>code</b>")
	b.sees("#modal blockquote", "quoted")
	b.eventually("markup of others stays text", `!document.querySelector("#modal img, #modal b, #modal a[href]")`)
	b.click("#modal button[type=submit]")
	b.sees("#modal [data-block=t] .error", "required")
	b.shot("missing")
	b.enter("#modal [data-block=t] input", "张三")
	b.enter("#modal [data-block=c] select", "2")
	b.enter("#modal [data-block=u] select", "U0ALICE")
	b.click(`#modal [value=blue]`)
	b.click(`#modal [value=salt]`)
	b.click("#modal button[type=submit]")
	b.eventually("the modal closes", `!document.getElementById("modal").open`)
	sent := <-s.submitted
	for _, want := range []string{
		`"t":{"type":"plain_text_input","value":"张三"}`, `"value":"as it was"`, `"text":"Two"`, `"value":"2"`, `"selected_user":"U0ALICE"`,
		`"value":"blue"`, `"value":"salt"`,
	} {
		if !strings.Contains(sent, want) {
			t.Errorf("the form does not send %s: %s", want, sent)
		}
	}
}
