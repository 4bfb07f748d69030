package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/store"
	"countersign/workflow"
)

// edit rewrites the configuration.
func (w *world) edit(old, with string) {
	w.t.Helper()
	text, err := os.ReadFile(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		w.t.Fatalf("%q is not in the configuration", old)
	}
	if err := os.WriteFile(w.ConfigFile, []byte(strings.ReplaceAll(string(text), old, with)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// trail are the audit entries of a verb.
func (w *world) trail(verb workflow.Verb) []workflow.Entry {
	w.t.Helper()
	es, err := w.app.Store().Audit(w.t.Context(), 1, store.MaxScan)
	if err != nil {
		w.t.Fatal(err)
	}
	var found []workflow.Entry
	for _, e := range es {
		if e.Verb == verb {
			found = append(found, e)
		}
	}
	return found
}

// said waits until the log has a text so many times.
func (w *world) said(text string, times int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d times in the log: %s", times, text), func() bool { return strings.Count(w.log.String(), text) >= times })
}

func TestReload_Signal(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{})
	hup := make(chan os.Signal, 1)
	w.startWith(app.Options{Reload: hup})
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")

	hup <- syscall.SIGHUP
	w.said("policy and people are as they were", 1)

	w.edit("approvers:\n      - {any_of: [U0LEAD, U0BOB]}\n    channel: C0APPROVALS\n    expires: 24h\n  - name: workspace admins",
		"approvers:\n      - {any_of: [U0BOB]}\n    channel: C0APPROVALS\n    expires: 24h\n  - name: workspace admins")
	hup <- syscall.SIGHUP
	w.said("a new policy is in force", 1)
	w.clicks("U0LEAD", card, "approve")
	w.privately("U0LEAD", "approve")
	if got := w.request(r.Number).State; got != workflow.Pending {
		t.Fatalf("whom the new policy does not name approved: %s", got)
	}
	w.clicks("U0BOB", card, "approve")
	w.becomes(r.Number, workflow.Done)

	// A wrong file is refused as a whole: the first change in it, which is right, does not come into force either.
	w.edit("max_duration: 7d", "max_duration: 8d")
	w.edit("expires: 24h", "expires: 24x")
	hup <- syscall.SIGHUP
	w.said("the new configuration is refused", 1)
	w.edit("expires: 24x", "expires: 24h")
	// So is one that changes what needs a restart.
	w.edit("locale: en", "locale: zh")
	hup <- syscall.SIGHUP
	w.said("the new configuration is refused", 2)
	w.said("locale changed too, which needs a restart", 1)
	w.edit("locale: zh", "locale: en")
	if err := os.Rename(w.ConfigFile, w.ConfigFile+".away"); err != nil {
		t.Fatal(err)
	}
	hup <- syscall.SIGHUP
	w.said("the new configuration is refused", 3)
	if err := os.Rename(w.ConfigFile+".away", w.ConfigFile); err != nil {
		t.Fatal(err)
	}
	hup <- syscall.SIGHUP
	w.said("a new policy is in force", 2)

	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	reloads := w.trail("reload")
	if len(reloads) != 5 {
		t.Fatalf("%d entries of reloads, want 5: %v", len(reloads), reloads)
	}
	if last := reloads[4]; !strings.Contains(last.Detail, "policy "+cfg.PolicyHash()+" instead of ") || last.Via != "signal" {
		t.Errorf("the last reload is recorded as %+v", last)
	}
	if !strings.Contains(reloads[2].Detail, "refused") || !strings.Contains(reloads[2].Detail, "locale") {
		t.Errorf("a refused reload is recorded as %+v", reloads[2])
	}
	if starts := w.trail("start"); len(starts) != 1 || !strings.Contains(starts[0].Detail, "policy ") {
		t.Errorf("starts: %v", starts)
	}
	// The workspace whose members may act is not in the file, and is still known.
	w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
}

func TestReload_FileChanged(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{})
	w.startWith(app.Options{Watch: true})
	if answer := w.types("U0REQ", "add @bob to warehouse/"+space+" as viewer"); numberIn(answer) == 0 {
		t.Fatalf("answered %q", answer)
	}
	w.edit("dataarts: "+dataartsfake.UserBob, "dataarts: "+dataartsfake.UserCarol)
	w.said("a new policy is in force", 1)
	n := numberIn(w.types("U0REQ", "add @bob to warehouse/"+space+" as developer"))
	if got := w.request(n).Change.Subject.ID; got != dataartsfake.UserCarol {
		t.Errorf("@bob is %s, want what the new file says", got)
	}
}

func TestReload_NotRecordedNotTaken(t *testing.T) {
	w := newWorld(t, rig.Options{})
	w.edit("max_duration: 7d", "max_duration: 8d")
	w.stop() // the store is closed: nothing can be recorded
	if err := w.app.Reload(t.Context(), "signal"); err == nil {
		t.Error("a policy came into force that is not in the trail")
	}
	for _, r := range w.app.Engine().Policy().Rules {
		if r.MaxDuration == 8*24*time.Hour {
			t.Error("the engine has the new policy")
		}
	}
}

// TestWitness_OncePerDay posts the head once, whatever happens in between, and the head can be verified.
func TestWitness_OncePerDay(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{})
	w.edit("locale:", "audit: {channel: C0DATA, at: \"00:00\"}\nlocale:")
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().UTC().Add(time.Duration(ahead.Load())) }
	o := app.Options{Now: now}
	// The answer to the first post is lost: it is found, not posted again.
	w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Channel: "C0DATA", Kind: slackfake.ApplyThenCut})
	w.startWith(o)
	w.said("could not be posted", 1)
	w.stop()
	w.startWith(o)
	w.said("the head of the audit trail is posted", 1)
	if got := len(w.Slack.Messages("C0DATA")); got != 1 {
		t.Fatalf("%d posts, want 1", got)
	}
	w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.stop()
	w.startWith(o)
	time.Sleep(100 * time.Millisecond)
	w.stop()
	if got := len(w.Slack.Messages("C0DATA")); got != 1 {
		t.Fatalf("%d posts after a restart, want 1", got)
	}
	// The process dies between the record and the post: the next one posts.
	ahead.Store(int64(24 * time.Hour))
	w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Channel: "C0DATA", Kind: slackfake.CutBefore})
	w.startWith(o)
	w.said("could not be posted", 2)
	w.stop()
	w.startWith(o)
	w.said("the head of the audit trail is posted", 2)
	posts := w.Slack.Messages("C0DATA")
	if len(posts) != 2 {
		t.Fatalf("%d posts on the second day, want 2", len(posts))
	}
	for _, p := range posts {
		head, err := app.ParseHead(regexp.MustCompile(`\d+:[0-9a-f]{64}`).FindString(slackfake.Text(p)))
		if err != nil {
			t.Fatalf("%v in %q", err, slackfake.Text(p))
		}
		if _, err := w.app.Store().VerifyHead(t.Context(), head); err != nil {
			t.Error(err)
		}
		head.Hash = strings.Repeat("0", 64)
		if _, err := w.app.Store().VerifyHead(t.Context(), head); err == nil {
			t.Error("another head is taken for the posted one")
		}
	}
	if told := w.trail("head_told"); len(told) != 2 || !strings.Contains(told[0].Via, "slack C0DATA") {
		t.Errorf("recorded as %v", told)
	}
	if heads := w.trail("head"); len(heads) != 2 {
		t.Errorf("%d heads were claimed, want 2", len(heads))
	}
}

func TestWitness_WaitsWhenSlackAsks(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{})
	w.edit("locale:", "audit: {channel: C0DATA}\nlocale:")
	w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Channel: "C0DATA", Kind: slackfake.RateLimited, RetryAfter: "1"})
	w.start()
	w.said("the head of the audit trail is posted", 1)
	if got := len(w.Slack.Messages("C0DATA")); got != 1 {
		t.Errorf("%d posts, want 1", got)
	}
}

// TestAudit_RefusedAttempts: who tries what they have no right to is in the trail, once, however often they try.
func TestAudit_RefusedAttempts(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		for range 5 {
			w.clicks("U0GUEST", card, "approve")
		}
		w.clicks("U0REQ", card, "approve")
		w.clicks("U0ALICE", card, "deny")
		w.types("U0ALICE", "withdraw "+r.Number.String())
		w.types("U0GUEST", "invite 50006 to gpu-lab/1001")
		w.eventually("the attempts are recorded", func() bool { return len(w.trail("refused")) >= 5 })
		var got []string
		for _, e := range w.trail("refused") {
			got = append(got, e.By.User+" "+e.Detail)
			if e.By.Team != "T0HOME" || !strings.HasPrefix(e.Via, "slack") {
				t.Errorf("recorded as %+v", e)
			}
		}
		want := []string{
			"U0GUEST request 1, approve: guest", "U0REQ request 1, approve: own_request", "U0ALICE request 1, deny: not_approver",
			"U0ALICE request 1, command: not_requester", "U0GUEST command: guest",
		}
		if len(got) != len(want) {
			t.Fatalf("recorded:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, line := range want {
			if !strings.Contains(strings.Join(got, "\n"), line) {
				t.Errorf("%q is not recorded:\n%s", line, strings.Join(got, "\n"))
			}
		}
		if _, err := w.app.Store().Verify(t.Context()); err != nil {
			t.Error(err)
		}
		if w.request(r.Number).State != workflow.Pending {
			t.Error("the request did not stay pending")
		}
	})
}

// TestMetrics_SayWhatHappenedAndToNobody scrapes after a day's work.
func TestMetrics_SayWhatHappenedAndToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training run")
	w.clicks("U0GUEST", card, "approve")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
	_, card = w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
	w.Slack.Fault(slackfake.Fault{Method: "chat.update", Kind: slackfake.RateLimited, RetryAfter: "1"})
	w.clicks("U0LEAD", card, "claim")
	var text string
	w.eventually("the metrics say so", func() bool {
		_, text = w.get("/metrics")
		return strings.Contains(text, `countersign_slack_wait_seconds_total{method="chat.update"} 1`) // which is counted last
	})
	for _, want := range []string{
		`countersign_ready 1`, `countersign_slack_connected{mode="socket"} 1`, `countersign_decisions_total{decision="approve"} 1`,
		`countersign_decisions_total{decision="deny"} 0`, `countersign_decision_seconds_count 1`, `countersign_refused_total{kind="guest"} 1`,
		`countersign_provider_calls_total{action="invite",class="ok",system="gpu-lab"} 1`, `countersign_provider_calls_total{action="read",class="ok",system="gpu-lab"}`,
		`countersign_slack_calls_total{method="apps.connections.open",outcome="ok"} 1`, `countersign_slack_calls_total{method="chat.update",outcome="ratelimited"} 1`,
		`countersign_ack_seconds_count{kind="interactive"}`, `countersign_ack_seconds_count{kind="slash_commands"} 2`,
		`countersign_commit_seconds_count`, `countersign_commit_batch_count`, `countersign_effects_due`, `countersign_effect_oldest_seconds`,
		`countersign_requests{state="pending"}`, `countersign_transitions_total{state="done",verb="succeed"} 1`, `countersign_build_info{go="go1`,
		`countersign_policy_info{hash="`, `countersign_audit_entries`, `countersign_store_failed 0`, `countersign_audit_head_posted_timestamp_seconds 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not in the metrics: %s", want)
		}
	}
	for _, secret := range append(w.Secrets(), "U0", "C0APPROVALS", "T0HOME", "张三", "50002", "training", "1001") {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(line, "countersign_") && strings.Contains(strings.SplitN(line, "}", 2)[0], secret) {
				t.Errorf("%q is in %s", secret, line)
			}
		}
	}
}

// TestBackup_RestoreAndGoOn takes a copy while the bot runs, loses the database, restores the copy by the documented
// steps, and goes on with what was pending.
func TestBackup_RestoreAndGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	first, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.settled(first.Number)
	copied := filepath.Join(t.TempDir(), "backup.db")
	c, err := app.NewClient(t.Context(), cfg, w.Env)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	c.Close()
	lost, _ := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
	w.stop()

	text, err := os.ReadFile(copied)
	if err == nil {
		err = os.WriteFile(cfg.Store.Bolt, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	if _, err := w.app.Engine().Load(t.Context(), lost.Number); err == nil {
		t.Error("the backup holds what came after it")
	}
	w.clicks("U0LEAD", card, "approve")
	w.becomes(first.Number, workflow.Done)
	if _, err := w.app.Store().Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if acts := w.trail("backup"); len(acts) != 1 || !strings.HasPrefix(acts[0].Via, "operator uid ") {
		t.Errorf("the backup is recorded as %v", acts)
	}
}

// TestPrune_WhileRunning removes what is over, and the bot goes on.
func TestPrune_WhileRunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{})
	gone, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(gone.Number, workflow.Done)
	w.settled(gone.Number)
	open, _ := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := app.NewClient(t.Context(), cfg, w.Env)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	time.Sleep(1100 * time.Millisecond)
	var done store.Pruned
	if err := c.Post(t.Context(), "/prune?before=1s", &done); err != nil || done.Requests != 1 {
		t.Fatalf("pruned %+v, %v", done, err)
	}
	var v app.View
	if err := c.JSON(t.Context(), "/requests/"+gone.Number.String(), &v); err == nil {
		t.Error("the pruned request is still shown")
	}
	if err := c.JSON(t.Context(), "/requests/"+open.Number.String(), &v); err != nil {
		t.Error(err)
	}
	if err := c.JSON(t.Context(), "/audit/verify", &store.Head{}); err != nil {
		t.Error(err)
	}
	w.clicks("U0LEAD", card, "undo")
	w.privately("U0LEAD", gone.Number.String())
}
