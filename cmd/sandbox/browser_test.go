package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a page of the sandbox in a headless Chromium.
type browser struct {
	t    *testing.T
	ctx  context.Context
	dir  string // for screenshots
	mu   sync.Mutex
	seen []string // what must not happen: errors of the page, requests to elsewhere
}

// newBrowser opens the page. Without Chromium the test is skipped, but not where CI says that it must be there.
func newBrowser(t *testing.T, page string, width, height int) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("chromium is not installed, and CI must not go without it")
	case err != nil:
		t.Skip("chromium is not installed: the page is not tried in a browser")
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(width, height),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.WSURLReadTimeout(60 * time.Second),
		// Nothing in the world has a name, so that what the browser does by itself leads nowhere either.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	}
	for _, name := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions",
		"disable-dev-shm-usage",
	} {
		opts = append(opts, chromedp.Flag(name, true))
	}
	alloc, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log("close the browser:", err)
		}
		cancel()
	})
	b := &browser{t: t, ctx: ctx, dir: os.Getenv("COUNTERSIGN_SCREENSHOTS")}
	if b.dir == "" {
		b.dir = t.TempDir()
	}
	if err := chromedp.Listen(ctx, b.watch(page)); err != nil {
		t.Fatal("start chromium:", err)
	}
	t.Cleanup(b.check)
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	// A page in the background gets no focus events.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	b.dark(false)
	b.do(chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(page))
	b.sees("#bot", "connected")
	return b
}

// watch notes errors of the page and requests that would leave the machine.
func (b *browser) watch(page string) func(any) {
	own, _ := url.Parse(page)
	note := func(format string, args ...any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = append(b.seen, fmt.Sprintf(format, args...))
	}
	return func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			text := ev.ExceptionDetails.Text
			if ev.ExceptionDetails.Exception != nil {
				text += " " + ev.ExceptionDetails.Exception.Description
			}
			note("an exception in the page: %s", text)
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
				for _, a := range ev.Args {
					note("the page's console: %s %s", a.Value, a.Description)
				}
			}
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(ev.Request.URL); err != nil || u.Host != own.Host {
				note("a request to elsewhere: %s", ev.Request.URL)
			}
		}
	}
}

func (b *browser) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.seen {
		b.t.Error(s)
	}
}

// do does something in the page.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 45*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.shot("failed")
		b.t.Fatal(err)
	}
}

// click clicks on an element once it is there and can be.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.eventually("a click on "+selector, fmt.Sprintf(`(() => {
		const n = [...document.querySelectorAll(%q)].at(-1);
		if (!n || n.disabled || !n.checkVisibility()) return false;
		n.click();
		return true })()`, selector))
}

// sees waits until an element holds a text.
func (b *browser) sees(selector, text string) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%q in %s", text, selector),
		fmt.Sprintf(`[...document.querySelectorAll(%q)].some((n) => n.innerText.includes(%q))`, selector, text))
}

// gone waits until no element fits a selector.
func (b *browser) gone(selector string) {
	b.t.Helper()
	b.eventually("no "+selector, fmt.Sprintf(`document.querySelector(%q) === null`, selector))
}

// eventually waits until an expression is true in the page.
func (b *browser) eventually(what, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		cancel()
		if err == nil && ok {
			return
		}
		if err != nil || time.Now().After(deadline) {
			b.shot("failed")
			b.t.Fatalf("not within 60 s: %s (%v)", what, err)
		}
		time.Sleep(40 * time.Millisecond)
	}
}

// shot takes a screenshot.
func (b *browser) shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if os.Getenv("COUNTERSIGN_SCREENSHOTS") != "" {
		_ = chromedp.Do(ctx, chromedp.Sleep(900*time.Millisecond)) // what has just changed is still moving in
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Log("screenshot:", err)
		return
	}
	file := filepath.Join(b.dir, strings.ReplaceAll(b.t.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(file, png, 0o600); err != nil {
		b.t.Error(err)
	}
}

// dark switches between the page's two looks.
func (b *browser) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// types types a command into the box, as a person does, and sends it with Enter.
func (b *browser) types(text string) {
	b.t.Helper()
	box := chromedp.CSS("#command")
	b.do(chromedp.Focus(box), chromedp.SendKeys(box, text+kb.Enter))
}

// picks types into a field that searches, and chooses with the keys what is listed.
func (b *browser) picks(block, typed, listed string) {
	b.t.Helper()
	field := "#modal [data-block=" + block + "] input"
	b.eventually("the focus in "+field, fmt.Sprintf(`(() => { const n = document.querySelector(%q); n?.focus(); return document.activeElement === n })()`, field))
	b.do(chromedp.KeyEvent(typed)) // to whatever has the focus: the app may draw the form anew meanwhile
	b.sees("#modal [data-block="+block+"] [role=option]", listed)
	b.shot("options-" + block)
	b.eventually(listed+" is walked to", fmt.Sprintf(`(() => {
		const n = document.querySelector(%q);
		if (document.getElementById(n.getAttribute("aria-activedescendant"))?.textContent.includes(%q)) return true;
		n.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true, cancelable: true }));
		return false })()`, field, listed))
	b.do(chromedp.KeyEvent(kb.Enter))
}

// enter puts a value into a field, as typing or choosing it does.
func (b *browser) enter(selector, value string) {
	b.t.Helper()
	b.eventually("a value in "+selector, fmt.Sprintf(`(() => {
		const n = document.querySelector(%q);
		if (!n) return false;
		n.focus();
		n.value = %q;
		n.dispatchEvent(new Event("input", { bubbles: true }));
		n.dispatchEvent(new Event("change", { bubbles: true }));
		return n.value === %[2]q })()`, selector, value))
}
