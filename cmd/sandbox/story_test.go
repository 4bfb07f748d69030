package main

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
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
	s, _ := newServed(t, "")
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

// TestStory clicks through the story with its own buttons alone.
func TestStory(t *testing.T) {
	s, _ := newServed(t, "")
	b := newBrowser(t, s.url, 1280, 800)
	const steps = 7
	for i := 1; i <= steps; i++ {
		b.sees(".steps [aria-current=step]", fmt.Sprint(i))
		b.click("#story-go[data-done=false]")
		if i < steps {
			b.eventually(fmt.Sprintf("step %d is done", i), `document.querySelector("#story-go")?.dataset.done === "true"`)
		} else {
			b.sees("#story", "That is the story")
		}
		b.shot(fmt.Sprintf("step%d", i))
		if i < steps {
			b.click("#story-go[data-done=true]")
		}
	}
	if got := len(s.DataArts.Mutations()); got != 2 {
		t.Errorf("%d changes of the workspace, want one that adds and one that removes", got)
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
