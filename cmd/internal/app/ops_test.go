package app_test

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/bot"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

func TestOps_ProbesAndMetrics(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{Mode: bot.Socket})
	w.Slack.RefuseSockets("link_disabled")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if w.app, err = app.New(ctx, app.Options{Config: cfg, Env: w.Env, Logger: w.logger()}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.app.Run(ctx) }()
	w.eventually("a connection was tried", func() bool { return len(w.Slack.Connects()) > 0 })
	time.Sleep(50 * time.Millisecond)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200, "/": 404, "/requests": 404} {
		if got, body := w.get(path); got != want {
			t.Errorf("%s before hello: %d %s, want %d", path, got, body, want)
		}
	}
	w.Slack.RefuseSockets("")
	w.eventually("ready", func() bool { code, _ := w.get("/readyz"); return code == 200 && w.ready() })
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 because training")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
	_, metrics := w.get("/metrics")
	for _, want := range []string{
		`countersign_ready 1`, `countersign_transitions_total{state="pending",verb="submit"} 1`,
		`countersign_transitions_total{state="done",verb="succeed"} 1`, "countersign_commit_seconds_count",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, bad := range append(w.Secrets(), "U0REQ", "U0LEAD", "training", "50002") {
		if strings.Contains(metrics, bad) {
			t.Errorf("metrics hold %q", bad)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// socket is an HTTP client of the operators' socket.
func (w *world) socket() *http.Client {
	path := filepath.Join(filepath.Dir(w.ConfigFile), "countersign.sock")
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

func (w *world) asksSocket(path string, v any) int {
	w.t.Helper()
	resp, err := w.socket().Get("http://countersign" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == 200 {
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
			w.t.Fatalf("%s: %v", path, err)
		}
	}
	return resp.StatusCode
}

func TestOps_RequestsAreAsTheDesignSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	var none []map[string]any
	if code := w.asksSocket("/requests", &none); code != 200 || none == nil {
		t.Errorf("no requests: %d %v, want an empty array", code, none)
	}
	first, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training <run>")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(first.Number, workflow.Done)
	second, denied := w.asks("U0REQ", "add @alice to warehouse/"+space+` as "viewer,developer" for 7d`)
	w.clicks("U0BOB", denied, "deny")
	form, _ := w.Slack.View("U0BOB")
	block, action := theInput(t, form)
	w.submits("U0BOB", block, action, "not now")
	w.becomes(second.Number, workflow.Denied)

	keys := []string{
		"action", "channel", "created", "decisions", "expires", "group", "number", "parent", "reason", "remark", "requester",
		"role", "state", "subject", "system", "ts", "updated",
	}
	var list []map[string]any
	if code := w.asksSocket("/requests", &list); code != 200 || len(list) != 2 || list[0]["number"] != 2.0 {
		t.Fatalf("list %v, want two requests, newest first", list)
	}
	for _, got := range list {
		for _, key := range keys {
			if _, ok := got[key]; !ok {
				t.Errorf("request %v lacks %q", got["number"], key)
			}
		}
	}
	var shown map[string]any
	if code := w.asksSocket("/requests/1", &shown); code != 200 {
		t.Fatalf("show 1: %d", code)
	}
	if extra := slices.DeleteFunc(slices.Sorted(maps.Keys(shown)), func(k string) bool { return slices.Contains(keys, k) }); len(extra) > 0 {
		t.Errorf("show has %v beside what the design lists", extra)
	}
	decisions, _ := json.Marshal(shown["decisions"])
	if !strings.Contains(string(decisions), "U0LEAD") || !strings.Contains(string(decisions), "approve") {
		t.Errorf("decisions %s, want U0LEAD's approval", decisions)
	}
	delete(shown, "decisions")
	for _, k := range []string{"created", "updated", "expires"} {
		if _, err := time.Parse(time.RFC3339Nano, shown[k].(string)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		delete(shown, k)
	}
	want := map[string]any{
		"number": 1.0, "state": "done", "action": "invite", "system": "gpu-lab", "group": "1001", "subject": "50002", "role": "",
		"remark": "张三", "reason": "training <run>", "requester": "U0REQ", "channel": card.Channel, "ts": card.TS, "parent": 0.0,
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("show 1 (-want +got):\n%s", diff)
	}
	if list[0]["role"] != "r00002,r00004" || list[0]["state"] != "denied" {
		t.Errorf("the second is %v", list[0])
	}
	for _, path := range []string{"/requests/99", "/requests/0", "/requests/x", "/requests/-1"} {
		if code := w.asksSocket(path, &shown); code != 404 {
			t.Errorf("%s: %d, want 404", path, code)
		}
	}
}

// submits sends a form with one input filled in.
func (w *world) submits(user, block, action, text string) {
	w.t.Helper()
	ack, err := w.Slack.Submit(w.t.Context(), submitOf(user, block, action, text))
	if err != nil || !ack.OK() {
		w.t.Fatalf("%s submits: %v %s", user, err, ack.Err)
	}
}

func TestOps_AuditAndBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 because training")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
	w.settled(r.Number)
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(cfg.Ops.Socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v %v, want 0600", info.Mode(), err)
	}
	var history []workflow.Entry
	w.asksSocket("/requests/1/history", &history)
	var verbs []string
	for _, e := range history {
		verbs = append(verbs, string(e.Verb)+" "+e.By.User)
	}
	for _, want := range []string{"submit U0REQ", "approve U0LEAD", "begin ", "succeed "} {
		if !slices.Contains(verbs, want) {
			t.Errorf("history %v lacks %q", verbs, want)
		}
	}
	saved := filepath.Join(t.TempDir(), "saved.db")
	for _, running := range []bool{true, false} {
		if !running {
			w.stop()
		}
		c, err := app.NewClient(t.Context(), cfg, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		var head map[string]any
		if err := c.JSON(t.Context(), "/audit/verify", &head); err != nil || len(head) == 0 {
			t.Errorf("verify, running %v: %v %v", running, head, err)
		}
		if err := c.Backup(t.Context(), saved); err != nil {
			t.Errorf("backup, running %v: %v", running, err)
		}
		if err := c.Backup(t.Context(), saved); err == nil {
			t.Errorf("a backup went over an older one")
		}
		c.Close()
		// The copy is a database that holds the request.
		copied := *cfg
		copied.Store.Bolt, copied.Ops.Socket = saved, filepath.Join(t.TempDir(), "none.sock")
		c, err = app.NewClient(t.Context(), &copied, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		var shown app.View
		if err := c.JSON(t.Context(), "/requests/1", &shown); err != nil || shown.State != workflow.Done {
			t.Errorf("the copy, running %v, holds %+v %v", running, shown, err)
		}
		c.Close()
		if err := os.Remove(saved); err != nil {
			t.Fatal(err)
		}
	}
}

func TestApp_SecondOnTheSameFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = app.New(t.Context(), app.Options{Config: cfg, Env: w.Env, Logger: w.logger()})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second app: %v, want that the file is in use by another process", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v, want 5 s at most", d)
	}
	w.asks("U0REQ", "invite 50002 to gpu-lab/1001") // the first one does not mind
}

func TestApp_StopsInTimeWithACallHanging(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Delay, DelayMS: 60_000})
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.clicks("U0LEAD", card, "approve")
	w.eventually("the call hangs", func() bool { return w.request(r.Number).State == workflow.Executing })
	start := time.Now()
	w.stop()
	if d := time.Since(start); d > 15*time.Second {
		t.Errorf("it stopped after %v, want 15 s at most", d)
	}
	w.start()
	got, _ := w.becomes(r.Number, workflow.Unknown)
	if got.Attempts != 1 {
		t.Errorf("%d attempts, want 1: an unclear call is looked up first", got.Attempts)
	}
	w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 50002, Status: compsharefake.Pending})
	w.becomes(r.Number, workflow.Done)
	if got := w.calls(); len(got) > 1 {
		t.Errorf("calls %v, want one at most", got)
	}
}

func TestApp_RefusesWithoutSecrets(t *testing.T) {
	t.Parallel()
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		w := newRig(t, rig.Options{Mode: mode})
		cfg, err := app.LoadConfig(w.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		_, err = app.New(t.Context(), app.Options{Config: cfg, Env: func(string) string { return "" }, Logger: w.logger()})
		want := []string{"SLACK_BOT_TOKEN", "COMPSHARE_PUBLIC_KEY", "COMPSHARE_PRIVATE_KEY", "CLOUD_SDK_AK", "CLOUD_SDK_SK"}
		want = append(want, map[bot.Mode]string{bot.Socket: "SLACK_APP_TOKEN", bot.HTTP: "SLACK_SIGNING_SECRET"}[mode])
		for _, name := range want {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v, want %s named", mode, err, name)
			}
		}
	}
}

func TestApp_SecretsFromFiles(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{})
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env := func(name string) string {
		base, isFile := strings.CutSuffix(name, "_FILE")
		if !isFile || w.Env(base) == "" {
			return ""
		}
		path := filepath.Join(dir, base)
		if err := os.WriteFile(path, []byte(w.Env(base)+"\n"), 0o600); err != nil {
			t.Error(err)
		}
		return path
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if w.app, err = app.New(ctx, app.Options{Config: cfg, Env: env, Logger: w.logger()}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.app.Run(ctx) }()
	w.eventually("ready", w.ready)
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
