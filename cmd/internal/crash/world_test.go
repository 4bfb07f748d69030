package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/crash"
	"countersign/cmd/internal/rig"
	"countersign/store"
	"countersign/store/bolt"
	"countersign/workflow"
)

// policy lets everybody ask; one person decides about the GPU team, two about the workspaces.
const policy = `
  - name: gpu team
    systems: [gpu-lab]
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD, U0BOB, U0CARA]}
    channel: C0APPROVALS
    expires: 24h
  - name: workspaces
    systems: [warehouse]
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD, U0BOB, U0CARA], count: 2}
    channel: C0APPROVALS
    expires: 24h
`

// callTimeout is short, so that the quiet time after an unclear call is hardly more than a minute.
const callTimeout = "1s"

// world is the emulators, which outlive every kill, and the binary that is killed.
type world struct {
	*rig.Rig
	t         testing.TB
	dir       string
	binary    string
	ops, hook string
	log       logbook
	http      http.Client
}

// build makes the binary with failpoints, once for a test run.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "crash")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "countersign")
	out, err := exec.Command("go", "build", "-tags", "failpoint", "-o", path, "countersign/cmd/countersign").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// newWorld makes a world whose binary keeps its requests in the database at dsn, or in a bbolt file where that is empty.
func newWorld(t testing.TB, dsn string) *world {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), binary: binary, ops: freeAddr(t), hook: freeAddr(t)}
	w.http.Transport = &http.Transport{DisableKeepAlives: true}
	w.http.Timeout = time.Second
	w.Rig, err = rig.Start(rig.Options{
		Dir: w.dir, Policy: policy, CallTimeout: callTimeout, Listen: w.hook, Ops: w.ops, Database: dsn,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of the log of the processes:\n%s", w.log.tail(12_000))
		}
	})
	w.Slack.SetUser(slackfake.User{ID: "U0CARA", Team: "T0HOME", Name: "cara", RealName: "Cara Chief", Locale: "en-US"})
	for i := range requesters {
		w.Slack.SetUser(slackfake.User{
			ID: requester(i), Team: "T0HOME", Name: fmt.Sprint("asker", i), RealName: fmt.Sprint("Asker ", i), Locale: "en-US",
		})
	}
	w.Slack.SetChannel(slackfake.Channel{ID: "C0LOAD", Name: "load", Members: askers()})
	return w
}

// freeAddr is an address that stays free between the lives of a process: below the ports that the system gives away by
// itself, to connections and to servers of other tests.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// deliverBy switches how Slack delivers, for the next process.
func (w *world) deliverBy(mode bot.Mode) {
	w.t.Helper()
	raw, err := os.ReadFile(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	raw = regexp.MustCompile(`(?m)^  mode: .*$`).ReplaceAll(raw, []byte("  mode: "+string(mode)))
	if err := os.WriteFile(w.ConfigFile, raw, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if mode == bot.HTTP {
		w.Deliver(w.hook)
	} else {
		w.Slack.SetHTTP(slackfake.HTTPTarget{})
	}
}

// process is one life of the binary.
type process struct {
	cmd     *exec.Cmd
	ended   chan struct{}
	started time.Time
	took    time.Duration // from the start to ready, of one that a benchmark started
	errs    bytes.Buffer
}

// serve starts the binary; failpoint may be empty.
func (w *world) serve(failpoint string) *process {
	w.t.Helper()
	p := &process{ended: make(chan struct{}), started: time.Now()}
	p.cmd = exec.Command(w.binary, "serve", "--config", w.ConfigFile, "--log-level", "info")
	p.cmd.Env = append(append(os.Environ(), w.Environ()...), "COUNTERSIGN_FAILPOINT="+failpoint)
	p.cmd.Stderr = io.MultiWriter(&p.errs, &w.log)
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.kill)
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

// kill ends the process at once, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// gone reports whether the process ends within a time.
func (p *process) gone(d time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(d):
		return false
	}
}

// killed reports whether it was SIGKILL that ended the process, and not itself.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// struck is the failpoint that ended the process, from its last words.
func (p *process) struck() string {
	_, after, ok := strings.Cut(p.errs.String(), "failpoint ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(after, " ")
	return name
}

// ready waits until commands can be taken, and returns how long after the start that was; not ok if the process ended.
func (w *world) ready(p *process, limit time.Duration) (time.Duration, bool) {
	for time.Since(p.started) < limit {
		resp, err := w.http.Get("http://" + w.ops + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Since(p.started), true
			}
		}
		if p.gone(2 * time.Millisecond) {
			return 0, false
		}
	}
	return 0, false
}

// ask asks the operators' socket, as `countersign requests` and `audit` do.
func (w *world) ask(path string, v any) error {
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		return err
	}
	if _, err := os.Stat(cfg.Ops.Socket); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", cfg.Ops.Socket)
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://countersign"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", path, text)
	}
	if lines, ok := v.(*[]workflow.Entry); ok {
		return decodeLines(resp.Body, lines)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

func decodeLines(r io.Reader, es *[]workflow.Entry) error {
	for dec := json.NewDecoder(r); ; {
		var e workflow.Entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		*es = append(*es, e)
	}
}

// run runs another subcommand of the binary and returns what it prints.
func (w *world) run(args ...string) (string, error) {
	cmd := exec.Command(w.binary, append(args, "--config", w.ConfigFile)...)
	cmd.Env = append(os.Environ(), w.Environ()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// history gathers what can be seen from outside. The bot must be running.
func (w *world) history(l *load) (*crash.History, error) {
	// A call is recorded before it is made, and its end after it. So what the clouds have seen is read first: whatever is
	// there has its request in the records that are read later.
	h := &crash.History{Attempts: l.attempts(), Direct: map[string]string{}}
	h.Messages = w.Slack.AllMessages()
	for _, c := range w.Slack.Channels() {
		if c.IsIM {
			h.Direct[c.ID] = c.User
		}
	}
	for _, c := range w.CompShare.Mutations() {
		for k, v := range c.Params {
			if strings.HasSuffix(k, "UserCompanyId") {
				h.Applications = append(h.Applications, crash.Application{System: "gpu-lab", Subject: v, Applied: c.Applied})
			}
		}
	}
	for _, c := range w.DataArts.Mutations() {
		for _, id := range slices.Compact(subjectID.FindAllString(c.Path+" "+c.Body, -1)) {
			h.Applications = append(h.Applications, crash.Application{System: "warehouse", Subject: id, Applied: c.Applied})
		}
	}
	if err := w.ask("/requests?limit=10000", &h.Stored); err != nil {
		return nil, err
	}
	if err := w.ask("/audit", &h.Trail); err != nil {
		return nil, err
	}
	return h, nil
}

// settle waits until the bot has come to rest and returns the history and what is broken in it then.
func (w *world) settle(l *load, limit time.Duration) (*crash.History, []crash.Violation) {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	wrong := map[crash.Violation]int{} // in how many looks in a row
	for clean := 0; ; {
		h, err := w.history(l)
		if err != nil {
			w.t.Fatalf("look at the requests: %v", err)
		}
		vs := crash.Check(h)
		if len(vs) == 0 {
			vs = w.owed()
		}
		clean++
		if len(vs) > 0 {
			clean = 0
		}
		maps.DeleteFunc(wrong, func(v crash.Violation, _ int) bool { return !slices.Contains(vs, v) })
		stays := false
		for _, v := range vs {
			wrong[v]++
			stays = stays || final(v) && wrong[v] >= 5
		}
		// What is right must stay right for a while: a second post may still come. And since the history is not of one
		// moment, what looks wrong while the bot works must stay wrong.
		if clean == 3 || stays || len(vs) > 0 && time.Now().After(deadline) {
			return h, vs
		}
		time.Sleep(700 * time.Millisecond)
	}
}

// owed looks into a backup, made while the bot runs, for effects that are still to come within minutes.
func (w *world) owed() []crash.Violation {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "backup.db")
	if out, err := w.run("backup", path); err != nil {
		w.t.Fatalf("backup: %v: %s", err, out)
	}
	s, err := open(w.t.Context(), path)
	if err != nil {
		w.t.Fatalf("open the backup: %v", err)
	}
	defer s.Close()
	return w.due(s, time.Now().Add(10*time.Minute))
}

func open(ctx context.Context, path string) (*store.Store, error) {
	kv, err := bolt.Open(ctx, path, bolt.Options{})
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, kv, store.Options{})
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return s, nil
}

func (w *world) due(s *store.Store, until time.Time) []crash.Violation {
	w.t.Helper()
	items, err := s.Due(w.t.Context(), until, workflow.DueItem{}, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var found []crash.Violation
	for _, d := range items {
		found = append(found, crash.Violation{Name: crash.Owed, Text: fmt.Sprintf("#%v owes something since %v", d.Number, d.Due)})
	}
	return found
}

// final reports whether time does not mend a violation.
func final(v crash.Violation) bool {
	switch v.Name {
	case crash.Lost, crash.Changed, crash.Doubled, crash.Reused, crash.Invented, crash.Refused, crash.AppliedTwo, crash.Unapproved:
		return true
	default:
		return false
	}
}

// stop ends a process as an operator does.
func (w *world) stop(p *process) {
	w.t.Helper()
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	if !p.gone(15 * time.Second) {
		w.t.Errorf("the process did not stop within 15 s of SIGTERM")
		return
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("after SIGTERM the process ended with code %d", code)
	}
	w.t.Logf("SIGTERM to exit: %v", time.Since(begun).Round(time.Millisecond))
}

// file checks the database once no process has it open.
func (w *world) file() []crash.Violation {
	w.t.Helper()
	var found []crash.Violation
	if out, err := w.run("audit", "verify"); err != nil || !strings.Contains(out, "the chain is whole") {
		found = append(found, crash.Violation{Name: crash.Chain, Text: fmt.Sprintf("audit verify: %v: %s", err, out)})
	}
	ctx := w.t.Context()
	s, err := open(ctx, filepath.Join(w.dir, "countersign.db"))
	if err != nil {
		return append(found, crash.Violation{Name: crash.Chain, Text: err.Error()})
	}
	defer s.Close()
	if err := s.CheckIndexes(ctx); err != nil {
		found = append(found, crash.Violation{Name: crash.Indexes, Text: err.Error()})
	}
	return append(found, w.due(s, time.Now())...)
}

// complain reports violations, the first of each sort in full.
func complain(t *testing.T, vs []crash.Violation) {
	t.Helper()
	count := map[string]int{}
	for _, v := range vs {
		if count[v.Name]++; count[v.Name] <= 6 {
			t.Error(v)
		}
	}
	for name, n := range count {
		if n > 6 {
			t.Errorf("%s: broken %d times", name, n)
		}
	}
}

// logbook keeps what processes write.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.buf.String()
	return s[max(0, len(s)-n):]
}
