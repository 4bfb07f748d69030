package main

import (
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// request sends a request with headers of its own and returns the status and the answer.
func (s *served) request(method, path, body string, header map[string]string) (int, http.Header, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if h := header["Host"]; h != "" {
		req.Host = h
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

func TestGuard(t *testing.T) {
	s, _ := newServed(t, "")
	const json = "application/json"
	body := `{"id":"mend"}`
	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		want               int
	}{
		{"the page", "GET", "/", nil, 200},
		{"by the name localhost", "GET", "/", map[string]string{"Host": "localhost:7878"}, 200},
		{"by IPv6 loopback", "GET", "/", map[string]string{"Host": "[::1]:7878"}, 200},
		{"a rebound name", "GET", "/", map[string]string{"Host": "evil.example"}, 403},
		{"a rebound name that begins well", "GET", "/api/state?as=U0REQ", map[string]string{"Host": "127.0.0.1.evil.example"}, 403},
		{"an act", "POST", "/api/mishap", map[string]string{"Content-Type": json}, 200},
		{"an act of the page", "POST", "/api/mishap", map[string]string{"Content-Type": json, "Origin": s.url, "Sec-Fetch-Site": "same-origin"}, 200},
		{"an act of another page", "POST", "/api/mishap", map[string]string{"Content-Type": json, "Origin": "https://evil.example"}, 403},
		{"an act of another port", "POST", "/api/mishap", map[string]string{"Content-Type": json, "Origin": "http://127.0.0.1:1"}, 403},
		{"an act of no origin", "POST", "/api/mishap", map[string]string{"Content-Type": json, "Origin": "null"}, 403},
		{"a cross-site act", "POST", "/api/mishap", map[string]string{"Content-Type": json, "Sec-Fetch-Site": "cross-site"}, 403},
		{"a form of another page", "POST", "/api/mishap", map[string]string{"Content-Type": "text/plain"}, 403},
		{"another page reads", "GET", "/api/state?as=U0REQ", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a bot's place", "GET", "/api/state?as=U0BOT", nil, 400},
		{"the place of somebody who left", "GET", "/api/state?as=U0GONE", nil, 400},
		{"nobody's place", "GET", "/api/state", nil, 400},
		{"an act by GET", "GET", "/api/mishap", nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := ""
			if tt.method == "POST" {
				sent = body
			}
			status, _, answer := s.request(tt.method, tt.path, sent, tt.header)
			if status != tt.want {
				t.Errorf("%d %s, want %d", status, answer, tt.want)
			}
		})
	}
	status, _, _ := s.request("POST", "/api/slash", `{"text":"`+strings.Repeat("x", maxBody)+`"}`, map[string]string{"Content-Type": json})
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of more than %d bytes was answered %d", maxBody, status)
	}
	_, header, _ := s.request("GET", "/app.js", "", nil)
	if got := header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'self'") || strings.Contains(got, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", got)
	}
	if got := header.Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
		t.Errorf("app.js is served as %s", got)
	}
}

// TestPageFiles reads the page's files for what would leave the machine, and for markup made of data.
func TestPageFiles(t *testing.T) {
	address := regexp.MustCompile(`(?:https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}`)
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\sstyle="|\son[a-z]+="|javascript:`)
	err := fs.WalkDir(pageFiles, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(pageFiles, path)
		if err != nil {
			return err
		}
		for _, found := range address.FindAllString(string(raw), -1) {
			if found != "http://www.w3.org" { // the name of SVG, which nobody fetches
				t.Errorf("%s: the address %s", path, found)
			}
		}
		if found := bad.FindString(string(raw)); found != "" {
			t.Errorf("%s: %q", path, found)
		}
		if n := strings.Count(string(raw), "\n"); n > 300 {
			t.Errorf("%s has %d lines; split it", path, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPicture_DependsOnWhoLooks(t *testing.T) {
	s, _ := newServed(t, "")
	a := s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001"})
	if !strings.Contains(a.Text, "#1") {
		t.Fatalf("answered %q", a.Text)
	}
	card := s.waitCard("U0GUEST", "50002", "approve")
	if got := s.sees("U0REQ").private("C0GENERAL"); !strings.Contains(got, "#1") {
		t.Errorf("Rita sees %q", got)
	}
	if got := s.sees("U0LEAD").private("C0GENERAL"); got != "" {
		t.Errorf("Lena sees what was for Rita only: %q", got)
	}
	for _, c := range s.sees("U0OUT").Channels {
		if c.ID != "C0SHARED" && c.ID != "D0OUT" {
			t.Errorf("an outsider sees %s", c.ID)
		}
	}
	if status, _ := s.post("slash", slashAct{As: "U0OUT", Channel: "C0GENERAL", Text: "help"}); status != http.StatusConflict {
		t.Errorf("an outsider typed in #general: %d", status)
	}
	// The guest sees the card, presses, and is told privately why not.
	s.must("click", clickAct{As: "U0GUEST", Channel: "C0APPROVALS", TS: card.TS, ActionID: "approve"})
	s.eventually("the guest is refused", func() bool { return s.sees("U0GUEST").private("C0APPROVALS") != "" })
	if got := len(s.CompShare.Mutations()); got != 0 {
		t.Errorf("%d changes", got)
	}
}

func TestModal_ErrorsStandAtFields(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001"})
	card := s.waitCard("U0BOB", "50002", "deny")
	s.must("click", clickAct{As: "U0BOB", Channel: "C0APPROVALS", TS: card.TS, ActionID: "deny"})
	s.eventually("the modal is open", func() bool { return len(s.sees("U0BOB").Modals) == 1 })
	view := s.sees("U0BOB").Modals[0]
	if len(s.sees("U0LEAD").Modals) != 0 {
		t.Error("Lena sees Bob's modal")
	}
	s.must("close", viewAct{As: "U0BOB", ViewID: view.ID})
	if len(s.sees("U0BOB").Modals) != 0 {
		t.Error("the modal did not close")
	}
}

func TestClock_ExpiresRequests(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001"})
	s.waitCard("U0REQ", "50002", "pending")
	s.must("clock", clockAct{Seconds: 25 * 60 * 60})
	s.waitCard("U0REQ", "50002", "expired")
	if status, _ := s.post("clock", clockAct{Seconds: -1}); status != http.StatusConflict {
		t.Errorf("time went back: %d", status)
	}
}

func TestEvents(t *testing.T) {
	s, stop := newServed(t, "")
	resp, err := http.Get(s.url + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		buf := make([]byte, 256)
		for {
			n, err := resp.Body.Read(buf)
			if err != nil {
				return
			}
			lines <- string(buf[:n])
		}
	}()
	if got := <-lines; !strings.HasPrefix(got, "data: ") {
		t.Fatalf("the first event is %q", got)
	}
	s.must("clock", clockAct{Seconds: 60})
	select {
	case <-lines:
	case <-time.After(30 * time.Second):
		t.Error("no event after a change")
	}
	began := time.Now()
	stop() // an open stream must not hold up the stop
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopped after %s", took)
	}
}
