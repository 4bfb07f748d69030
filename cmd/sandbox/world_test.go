package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestData_SurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s, stop := newServed(t, dir)
	s.must("clock", clockAct{Seconds: 3600})
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001 as 张三"})
	before := s.waitCard("U0LEAD", "50002", "pending")
	stop()

	s, _ = newServed(t, dir)
	p := s.sees("U0REQ")
	if got := p.private("C0GENERAL"); !strings.Contains(got, "#1") {
		t.Errorf("Rita's private answer is %q", got)
	}
	if p.Ahead != 3600 {
		t.Errorf("the clock is ahead by %d s, want 3600", p.Ahead)
	}
	card := s.waitCard("U0LEAD", "50002", "pending")
	if card.TS != before.TS {
		t.Errorf("the card is at %s, was at %s", card.TS, before.TS)
	}
	s.must("click", clickAct{As: "U0LEAD", Channel: "C0APPROVALS", TS: card.TS, ActionID: "approve"})
	s.waitCard("U0LEAD", "50002", "done")
	if got := s.CompShare.Status(1001, 50002); got != "Pending" {
		t.Errorf("the cloud holds %q", got)
	}
}

func TestData_SavedBeforeTheEnd(t *testing.T) {
	dir := t.TempDir()
	s, _ := newServed(t, dir)
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001"})
	s.waitCard("U0LEAD", "50002", "pending")
	s.eventually("the card is on disk", func() bool {
		raw, _ := os.ReadFile(filepath.Join(dir, "emulators.json"))
		return bytes.Contains(raw, []byte(`request:1`))
	})
}

func TestStartOver(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001"})
	s.waitCard("U0LEAD", "50002", "pending")
	s.must("clock", clockAct{Seconds: 60})
	s.must("mishap", mishapAct{ID: "start-over"})
	if _, there := s.card("U0LEAD", "50002"); there || s.sees("U0LEAD").Ahead != 0 {
		t.Error("something is left")
	}
	a := s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50006 to gpu-lab/1001"})
	if !strings.Contains(a.Text, "#1") {
		t.Errorf("the first request after a new start is answered %q", a.Text)
	}
}

func TestMishaps(t *testing.T) {
	approve := func(t *testing.T, s *served) {
		t.Helper()
		s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: "invite 50002 to gpu-lab/1001"})
		card := s.waitCard("U0LEAD", "50002", "approve")
		s.must("click", clickAct{As: "U0LEAD", Channel: "C0APPROVALS", TS: card.TS, ActionID: "approve"})
	}
	for _, tt := range []struct{ id, state, also string }{
		{"lose-answer", "done", "the answer was lost"},
		{"refuse", "failed", "226606"},
		{"slack-limit", "done", "confirmed"},
		{"slack-twice", "done", "confirmed"},
		{"drop-socket", "done", "confirmed"},
		{"restart", "done", "confirmed"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			s, _ := newServed(t, "")
			s.must("mishap", mishapAct{ID: tt.id})
			approve(t, s)
			s.waitCard("U0LEAD", "50002", tt.state)
			s.waitCard("U0LEAD", "50002", tt.also)
			if _, more := s.card("U0LEAD", `"request:2`); more {
				t.Error("one command made two requests")
			}
			s.eventually("nothing is armed any more", func() bool { return len(s.sees("U0REQ").Armed) == 0 })
			want := 1
			if got := len(s.CompShare.Mutations()); got != want {
				t.Errorf("%d calls that change something, want %d", got, want)
			}
		})
	}
	t.Run("cloud-down", func(t *testing.T) {
		s, _ := newServed(t, "")
		s.must("mishap", mishapAct{ID: "cloud-down"})
		if got := s.sees("U0REQ").Armed; len(got) != 1 {
			t.Errorf("armed: %v", got)
		}
		s.must("mishap", mishapAct{ID: "mend"})
		approve(t, s)
		s.waitCard("U0LEAD", "50002", "done")
	})
	t.Run("unknown", func(t *testing.T) {
		s, _ := newServed(t, "")
		if status, _ := s.post("mishap", mishapAct{ID: "x"}); status == 200 {
			t.Error("something unknown was done")
		}
	})
}

func TestRelate(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("relation", relateAct{Team: 1001, Company: 50004, Status: "Joined"})
	if got := s.CompShare.Status(1001, 50004); got != "Joined" {
		t.Errorf("the cloud holds %q", got)
	}
	if status, _ := s.post("relation", relateAct{Team: 1001, Company: 50004, Status: "Joined"}); status == 200 {
		t.Error("a company joined twice")
	}
}

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-h"}, exitFine, "-data"},
		{[]string{"-listen", "0.0.0.0:1"}, exitUsage, "loopback only"},
		{[]string{"-locale", "fr"}, exitUsage, "en or zh"},
		{[]string{"extra"}, exitUsage, "extra"},
		{[]string{"-nonsense"}, exitUsage, "nonsense"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), &out, &errs, tt.args); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%v: exit code %d, want %d; said %q", tt.args, code, tt.code, errs.String())
		}
	}
}

// TestRun_StopsSoon starts two sandboxes at once, the second of which must find a port of its own, and stops both.
func TestRun_StopsSoon(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	outs := []*lockedBuffer{{}, {}}
	codes := make(chan int, len(outs))
	for _, out := range outs {
		go func() { codes <- run(ctx, out, out, nil) }()
	}
	deadline := time.Now().Add(60 * time.Second)
	for _, out := range outs {
		for !strings.Contains(out.String(), "Ctrl-C") {
			if time.Now().After(deadline) {
				t.Fatalf("it did not start: %s", out.String())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	began := time.Now()
	cancel()
	for range outs {
		if code := <-codes; code != exitFine {
			t.Errorf("exit code %d", code)
		}
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopped after %s", took)
	}
	for _, out := range outs {
		if !strings.Contains(out.String(), "not Slack") || !strings.Contains(out.String(), "http://127.0.0.1:") {
			t.Errorf("the banner is %s", out.String())
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
