package crash_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/crash"
	"countersign/store"
	"countersign/store/postgres"
	"countersign/store/postgres/pgtest"
	"countersign/workflow"
)

// replicas are several processes of the binary in one world, over one PostgreSQL database.
type replicas struct {
	*world
	dsn     string
	configs []string
	ops     []string
	procs   []*process
}

// newReplicas makes a world for n replicas. The first one answers what the load asks of the operators' socket.
func newReplicas(t *testing.T, dsn string, n int) *replicas {
	t.Helper()
	w := newWorld(t, dsn)
	rs := &replicas{world: w, dsn: dsn, procs: make([]*process, n)}
	text, err := os.ReadFile(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		ops, path := w.ops, w.ConfigFile
		if i > 0 {
			ops, path = freeAddr(t), filepath.Join(w.dir, fmt.Sprint("replica", i, ".yaml"))
			own := strings.NewReplacer("countersign.sock", fmt.Sprint("replica", i, ".sock"), w.ops, ops).Replace(string(text))
			if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		rs.configs, rs.ops = append(rs.configs, path), append(rs.ops, ops)
	}
	return rs
}

// start starts a replica and waits until it is ready.
func (rs *replicas) start(i int) {
	rs.t.Helper()
	p := &process{ended: make(chan struct{}), started: time.Now()}
	p.cmd = exec.Command(rs.binary, "serve", "--config", rs.configs[i])
	p.cmd.Env = append(os.Environ(), rs.Environ()...)
	p.cmd.Stderr = io.MultiWriter(&p.errs, &rs.log)
	if err := p.cmd.Start(); err != nil {
		rs.t.Fatal(err)
	}
	rs.t.Cleanup(p.kill)
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	rs.procs[i] = p
	if _, ok := rs.one(i).ready(p, 30*time.Second); !ok {
		rs.t.Fatalf("replica %d does not become ready: %s", i, p.errs.String())
	}
}

// one is the world as seen by one replica.
func (rs *replicas) one(i int) *world {
	r := *rs.Rig
	r.ConfigFile = rs.configs[i]
	w := &world{Rig: &r, t: rs.t, dir: rs.dir, binary: rs.binary, ops: rs.ops[i]}
	w.http.Timeout = time.Second
	return w
}

func (rs *replicas) signal(i int, sig syscall.Signal) {
	rs.t.Helper()
	if err := rs.procs[i].cmd.Process.Signal(sig); err != nil {
		rs.t.Fatal(err)
	}
}

// store opens the database beside the replicas.
func (rs *replicas) store() *store.Store {
	rs.t.Helper()
	kv, err := postgres.Open(rs.t.Context(), rs.dsn, postgres.Options{})
	if err != nil {
		rs.t.Fatal(err)
	}
	s, err := store.Open(rs.t.Context(), kv, store.Options{})
	if err != nil {
		rs.t.Fatal(err)
	}
	return s
}

// settled waits until nothing is owed and nothing broken, or the time is over, and returns what is broken then.
func (rs *replicas) settled(l *load, limit time.Duration) (*crash.History, []crash.Violation) {
	rs.t.Helper()
	s := rs.store()
	defer s.Close()
	deadline := time.Now().Add(limit)
	for clean := 0; ; {
		h, err := rs.history(l)
		var vs []crash.Violation
		if err != nil {
			vs = []crash.Violation{{Name: crash.Owed, Text: err.Error()}}
		} else if vs = crash.Check(h); len(vs) == 0 {
			vs = rs.due(s, time.Now().Add(10*time.Minute))
		}
		if len(vs) > 0 {
			clean = 0
		} else {
			clean++
		}
		if clean == 3 || len(vs) > 0 && (time.Now().After(deadline) || slices.ContainsFunc(vs, final)) {
			if err := s.CheckIndexes(rs.t.Context()); err != nil {
				vs = append(vs, crash.Violation{Name: crash.Indexes, Text: err.Error()})
			}
			if _, err := s.Verify(rs.t.Context()); err != nil {
				vs = append(vs, crash.Violation{Name: crash.Chain, Text: err.Error()})
			}
			return h, vs
		}
		time.Sleep(700 * time.Millisecond)
	}
}

// TestReplicas_OneRequest: asked at one replica, decided at another, and shown by a third that outlives them both.
func TestReplicas_OneRequest(t *testing.T) {
	rs := newReplicas(t, pgtest.New(t).DSN(t), 3)
	rs.start(0)
	ack, err := rs.Slack.Slash(t.Context(), slackfake.SlashInput{
		User: requester(0), Channel: "C0LOAD", Command: "/access", Text: "invite 50002 to gpu-lab/1001 as x because of a test",
	})
	if err != nil || !ack.OK() {
		t.Fatalf("ask: %v %s", err, ack.Err)
	}
	var v app.View
	until(t, "a card", func() bool { return rs.one(0).ask("/requests/1", &v) == nil && v.TS != "" })
	rs.start(1)
	rs.start(2)
	rs.stop(rs.procs[0])
	if _, err := rs.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", Channel: v.Channel, TS: v.TS, ActionID: "approve"}); err != nil {
		t.Fatal(err)
	}
	until(t, "done", func() bool { return rs.one(1).ask("/requests/1", &v) == nil && v.State == workflow.Done })
	rs.stop(rs.procs[1])
	if err := rs.one(2).ask("/requests/1", &v); err != nil || v.State != workflow.Done {
		t.Errorf("the third replica says %s, %v", v.State, err)
	}
	if got := len(rs.CompShare.Mutations()); got != 1 {
		t.Errorf("%d mutating calls, want 1", got)
	}
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: not %s", what)
		}
	}
}

// TestReplicas_Chaos: three replicas under load, while one after the other is killed, made to stand still, and cut off
// from the database, and the database itself is restarted. What was acknowledged is there, and was applied once.
func TestReplicas_Chaos(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute and a half")
	}
	server := pgtest.New(t)
	rs := newReplicas(t, server.DSN(t), 3)
	for i := range rs.procs {
		rs.start(i)
	}
	l := newLoad(rs.world, 1200*time.Millisecond)
	l.groups(maxJobs)
	l.begin()
	count := map[string]int{}
	begun := time.Now()
	for round := range 18 {
		l.rest(800 * time.Millisecond)
		i := rand.IntN(len(rs.procs))
		switch round % 6 {
		case 0, 3:
			count["SIGKILL"]++
			rs.procs[i].kill()
			rs.start(i)
		case 1:
			count["SIGSTOP"]++
			rs.signal(i, syscall.SIGSTOP)
			time.Sleep(2 * time.Second)
			rs.signal(i, syscall.SIGCONT)
		case 2, 4:
			count["connections cut"]++
			server.Cut()
		case 5:
			count["server killed"]++
			server.Kill()
			time.Sleep(rand.N(1500 * time.Millisecond))
			server.Start()
		}
	}
	// One stands still for longer than its leases last: the others take over.
	rs.signal(1, syscall.SIGSTOP)
	time.Sleep(5 * time.Second)
	rs.procs[2].kill()
	l.end()
	chaos := time.Since(begun)
	time.Sleep(50 * time.Second)
	rs.signal(1, syscall.SIGCONT)
	rs.start(2)
	rs.Slack.ClearFaults()
	rs.CompShare.ClearFaults()
	rs.DataArts.ClearFaults()
	calm := time.Now()
	h, broken := rs.settled(l, 240*time.Second)
	complain(t, broken)
	for i := range rs.procs {
		rs.stop(rs.procs[i])
	}
	acked := 0
	for _, a := range h.Attempts {
		for _, ans := range a.Answers {
			acked += len(ans.Numbers)
		}
	}
	t.Logf("%v in %v; %d requests stored, %d acknowledgements, %d entries, %d calls; at rest %v after the last trouble; %d violations",
		count, chaos.Round(time.Second), len(h.Stored), acked, len(h.Trail), len(h.Applications), time.Since(calm).Round(time.Second), len(broken))
}

// TestReplicas_Failover: the primary is killed under three replicas and its synchronous standby promoted.
func TestReplicas_Failover(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute and a half")
	}
	primary := pgtest.New(t)
	dsn := primary.DSN(t)
	standby := primary.Standby("standby")
	primary.Exec(`alter system set synchronous_standby_names = 'standby'`)
	primary.Exec(`select pg_reload_conf()`)
	rs := newReplicas(t, primary.With(dsn, standby), 3)
	for i := range rs.procs {
		rs.start(i)
	}
	l := newLoad(rs.world, 1200*time.Millisecond)
	l.groups(maxJobs)
	l.begin()
	time.Sleep(8 * time.Second)
	primary.Kill()
	begun := time.Now()
	standby.Promote()
	standby.Exec(`alter system set synchronous_standby_names = ''`)
	standby.Exec(`select pg_reload_conf()`)
	for i := range rs.procs {
		until(t, "ready again", func() bool {
			resp, err := rs.http.Get("http://" + rs.ops[i] + "/readyz")
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == 200
		})
	}
	t.Logf("all replicas are ready %v after the primary was killed", time.Since(begun).Round(time.Millisecond))
	time.Sleep(8 * time.Second)
	l.end()
	rs.Slack.ClearFaults()
	rs.CompShare.ClearFaults()
	rs.DataArts.ClearFaults()
	h, broken := rs.settled(l, 200*time.Second)
	complain(t, broken)
	t.Logf("%d requests stored, %d entries, %d calls; %d violations", len(h.Stored), len(h.Trail), len(h.Applications), len(broken))
	for i := range rs.procs {
		rs.stop(rs.procs[i])
	}
}
