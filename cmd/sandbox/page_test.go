package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"countersign/bot/slackfake"
	"countersign/providers/dataarts/dataartsfake"
)

// english finds words of the page's own parts that were left in English. Names of products, people and commands stay.
const english = `[...document.querySelectorAll(".top, #story, .side h2, .side .role, #direct, .talk > header p, .box button, .thread > header," +
	".clouds h2, .held .kind, .held .does, .held .state, #clock, #mishaps, #help, .only, .replies")]
	.flatMap((n) => n.textContent.match(/[A-Za-z][a-z]{3,}/g) ?? [])
	.filter((w) => !["Countersign", "English", "Slack", "Comp", "Share", "Data", "Arts", "Studio", "Rita", "Lena", "Alice", "Olga", "Requester",
		"approvals", "general", "admin", "developer", "operator", "carol", "private", "Europe", "London"].includes(w)).join(" ")`

func TestPage_Language(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	b.sees("#mishaps-button", "Break something")
	b.types("mine")
	b.sees("#log .only", "Only visible to you")
	b.click("#language")
	b.sees("#mishaps-button", "制造故障")
	b.sees("#log .only", "仅您可见")
	b.sees("#language", "English")
	b.eventually("the page says its language", `document.documentElement.lang === "zh-CN"`)
	b.click("#help-button")
	b.sees("#help", "快捷键")
	b.shot("help")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.click("#mishaps-button")
	b.sees("#mishaps", "丢失下一次应答")
	b.shot("mishaps")
	if left, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](english)); err != nil || left != "" {
		t.Errorf("left in English: %s %v", left, err)
	}
	// Another person's place changes what the bot says, not what the page says.
	b.click("[data-person=U0BOB]")
	b.eventually("Bob is there", `document.body.dataset.as === "U0BOB"`)
	b.types("mine")
	b.sees("#log .private .blocks", "您")
	b.click("[data-person=U0REQ]")
	b.eventually("Rita is back", `document.body.dataset.as === "U0REQ"`)
	b.sees("#log .private", "You have asked for nothing yet")
	b.sees("#people", "审批人")
	b.do(chromedp.Navigate(s.url))
	b.sees("#mishaps-button", "制造故障")
	b.click("#language")
	b.sees("#mishaps-button", "Break something")
	b.sees("#people", "approves")
}

// TestPage_Console changes memberships in the clouds' own consoles, by keyboard alone.
func TestPage_Console(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 900)
	focus := func(selector string) { b.t.Helper(); b.do(chromedp.Focus(chromedp.CSS(selector))) }
	b.sees(`[data-row="analytics/carol"]`, "developer")
	focus(`[data-edit="analytics/` + dataartsfake.UserCarol + `"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.sees(".console", "behind the bot's back")
	b.eventually("the first role has the focus", `document.activeElement.value === "r00001"`)
	b.do(chromedp.KeyEvent(" "))
	b.shot("roles")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.sees(`[data-row="analytics/carol"]`, "admin")
	b.gone(".console")
	b.eventually("the focus is back", `document.activeElement.dataset.edit === "analytics/`+dataartsfake.UserCarol+`"`)

	focus(`[data-edit="gpu-research/new"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.enter(".console select", "50006")
	b.enter(".console [name=remark]", "李四")
	b.shot("team")
	b.click(".console [type=submit]")
	b.sees(`[data-row="1001/50006"]`, "李四")
	b.gone(".console") // the server tells the page of the change before the console has its answer
	if got := s.CompShare.Status(1001, 50006); got != "Pending" {
		t.Errorf("50006 is %q", got)
	}
	focus(`[data-edit="gpu-research/50003"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.enter(".console [name=status]", "")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.gone(".console")
	if got := s.CompShare.Status(1001, 50003); got != "Joined" {
		t.Errorf("Escape changed something: %q", got)
	}
	focus(`[data-edit="gpu-research/50003"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.enter(".console [name=status]", "")
	b.click(".console [type=submit]")
	b.gone(`[data-row="1001/50003"]`)
}

// TestPage_Time pushes the clock from the page.
func TestPage_Time(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	b.types("invite 50002 to gpu-lab/1001 because waits")
	b.click("[data-channel=C0APPROVALS]")
	b.sees("#log .message", "pending")
	b.click("#clock-button")
	b.click("[data-push='14400']")
	b.sees("#clock-button", "+4h")
	b.sees("#clock-now", "pushed forward by 4h")
	b.shot("clock")
	b.click("#log .replies")
	b.sees("#replies", "Still waiting")
	b.click("[data-push='86400']")
	b.sees("#log .message", "expired")
	b.click("[data-channel=D0REQ]")
	b.sees("#log", "it has expired")
	b.shot("direct")
}

// posted posts a message with blocks as the app.
func (s *served) posted(channel, blocks string) {
	s.t.Helper()
	form := url.Values{"token": {s.Slack.BotToken()}, "channel": {channel}, "text": {"x"}, "blocks": {blocks}}
	resp, err := http.PostForm(s.Slack.APIURL()+"chat.postMessage", form)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
}

// TestPage_Confirm presses a button that asks first: nothing is told before the answer is yes.
func TestPage_Confirm(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	s.posted("C0APPROVALS", `[{"type":"actions","block_id":"q","elements":[{"type":"button","action_id":"sandbox-test","text":{"type":"plain_text","text":"Go"},"style":"danger",
"confirm":{"title":{"type":"plain_text","text":"Really?"},"text":{"type":"mrkdwn","text":"It *cannot* be undone <b>"},"confirm":{"type":"plain_text","text":"Do it"},"deny":{"type":"plain_text","text":"Leave it"},"style":"danger"}}]}]`)
	pressed := func() (n int) {
		for _, a := range s.Slack.Acks() {
			if a.Kind == "interactive" {
				n++
			}
		}
		return n
	}
	b.click("[data-channel=C0APPROVALS]")
	b.click("#log [data-action=sandbox-test]")
	b.sees("#confirm", "Really?")
	b.sees("#confirm strong", "cannot")
	b.shot("asked")
	b.click("#confirm footer button:first-child")
	b.eventually("the question is gone", `!document.getElementById("confirm").open`)
	b.click("#log [data-action=sandbox-test]")
	b.sees("#confirm", "Do it")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.eventually("the question is gone", `!document.getElementById("confirm").open`)
	if got := pressed(); got != 0 {
		t.Errorf("%d presses were told after two refusals", got)
	}
	b.click("#log [data-action=sandbox-test]")
	b.sees("#confirm", "Do it")
	b.do(chromedp.KeyEvent(kb.Enter)) // the answer has the focus
	s.eventually("the press is told", func() bool { return pressed() == 1 })
}

// TestPage_MenuOfSeveral chooses several options that the app tells while one types.
func TestPage_MenuOfSeveral(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	ack, err := s.Slack.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0GENERAL", Command: "/access", Text: "help"})
	if err != nil {
		t.Fatal(err)
	}
	option := func(name string) string {
		return `{"text":{"type":"plain_text","text":"` + name + `"},"value":"` + name + `"}`
	}
	view := `{"type":"modal","callback_id":"sandbox-test","title":{"type":"plain_text","text":"Several"},"submit":{"type":"plain_text","text":"Send"},"blocks":[
{"type":"input","block_id":"m","label":{"type":"plain_text","text":"Who"},"element":{"type":"multi_external_select","action_id":"m","min_query_length":1,"initial_options":[` + option("张三") + `,` + option("two") + `]}}]}`
	resp, err := http.PostForm(s.Slack.APIURL()+"views.open", url.Values{"token": {s.Slack.BotToken()}, "trigger_id": {ack.TriggerID}, "view": {view}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	b.sees("#modal .chip", "张三")
	b.click("#modal .chips :first-child")
	b.eventually("one is left", `document.querySelectorAll("#modal .chip").length === 1`)
	b.shot("chips")
	b.click("#modal button[type=submit]")
	b.eventually("the modal closes", `!document.getElementById("modal").open`)
	if sent := <-s.submitted; !strings.Contains(sent, `"selected_options":[{`) || !strings.Contains(sent, `"value":"two"`) || strings.Contains(sent, "张三") {
		t.Errorf("the form sends %s", sent)
	}
}

// TestPage_Looks takes pictures of what people look at most, in both looks, both languages and two widths.
func TestPage_Looks(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1440, 900)
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "role user:carol on warehouse/" + s.sees("U0REQ").Seed["workspace"] + " as admin because 夜间批处理 on the new cluster"})
	s.waitCard("U0LEAD", "new cluster", "→")
	fits := func(name string) {
		b.t.Helper()
		for _, width := range []int64{1440, 900} {
			b.do(chromedp.EmulateViewport(width, 900))
			b.eventually(name+" fits", `document.documentElement.scrollWidth <= innerWidth`)
			for _, dark := range []bool{false, true} {
				b.dark(dark)
				b.shot(name + map[bool]string{true: "-dark", false: "-light"}[dark] + map[int64]string{1440: "-wide", 900: "-narrow"}[width])
			}
		}
		b.dark(false)
	}
	for _, language := range []string{"en", "zh"} {
		b.click("[data-person=" + map[string]string{"en": "U0LEAD", "zh": "U0BOB"}[language] + "]")
		b.click("[data-channel=C0APPROVALS]")
		b.sees("#log .message", "developer (r00002)")
		fits("card-" + language)
		b.do(chromedp.EmulateViewport(900, 600))
		b.eventually("the card's buttons are still in sight", `[...document.querySelectorAll("#log button")].some((e) => {
			const r = e.getBoundingClientRect(), log = document.getElementById("log").getBoundingClientRect();
			return e.textContent !== "" && r.top > log.top && r.bottom < log.bottom;
		})`)
		b.click("[data-channel=home]")
		b.sees("#log .home", "developer (r00002)")
		fits("home-" + language)
		b.click("[data-channel=C0GENERAL]")
		b.click("[data-example='the form']")
		b.sees("#modal", map[string]string{"en": "System", "zh": "系统"}[language])
		fits("form-" + language)
		b.click("#modal footer button:first-child")
		b.eventually("the form closes", `!document.getElementById("modal").open`)
		b.click("#language")
	}
}

// TestPage_HomeIsPaged turns to what was asked for earlier, in the viewer's language.
func TestPage_HomeIsPaged(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002,50006,50007,50008,50009,50010,50011 to gpu-lab/1001 because 夜间批处理 on the new cluster"})
	s.waitCard("U0LEAD", "50011", "Approve")
	b := newBrowser(t, s.url, 1280, 900)
	for who, words := range map[string][2]string{"U0LEAD": {"Older", "Newer"}, "U0BOB": {"更早", "较新"}} {
		b.click("[data-channel=C0GENERAL]") // who comes from a Home opens it, and then again: it would be turned back
		b.click("[data-person=" + who + "]")
		b.click("[data-channel=home]")
		b.sees("#log .home", "#7")
		b.shot("first-" + who)
		b.sees("#log .home", words[0])
		b.click("#log [data-action=older]")
		b.sees("#log .home", "#2")
		b.sees("#log .home", words[1])
		b.shot("second-" + who)
	}
}

// TestPage_Withdraw takes a request back with the button on the requester's private message, in their language.
func TestPage_Withdraw(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	b.click("[data-person=U0ALICE]")
	b.click("[data-channel=C0GENERAL]")
	b.types("invite 50002 to gpu-lab/1001 because 不需要了")
	b.click("#log .private [data-action=withdraw]")
	b.sees("#confirm[open]", "撤回申请")
	b.shot("asked")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.click("[data-channel=C0APPROVALS]")
	b.sees("#log .message", "withdrawn")
	b.gone("#log [data-action=approve]")
	b.shot("withdrawn")
	b.click("[data-channel=C0GENERAL]")
	b.gone("#log .private [data-action=withdraw]")
	b.shot("private")
}
