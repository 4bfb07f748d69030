package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/postgres/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(withServers{m}, map[string]func(){"countersign": main})
}

// withServers ends the database servers after the tests.
type withServers struct{ m *testing.M }

// Run runs the tests.
func (w withServers) Run() int { return pgtest.Main(w.m) }

// TestScript runs the product as people do. Besides what testscript knows, a script may say:
//
//	rig [socket|http] [DATABASE]  emulators of Slack and the clouds, with countersign.yaml and the environment for them
//	exits N countersign ...       run it, and demand an exit code
//	until REGEXP countersign ...  run it until its output matches
//	ready                         wait until the running process takes commands
//	signal HUP|TERM               send a signal to it
//	slash USER TEXT...            type a command; the private answer is stdout
//	click USER NUMBER ACTION      press a button of a request's card
//	edit FILE OLD NEW             replace a text in a file
//	leaks FILE...                 demand that no secret of the rig is in stdout, stderr or the files
//	says TEXT                     demand that the text, as it is, is in stdout or stderr
//	probe PATH CODE               ask ops.listen, as probes do; the answer is stdout
//	database half|stray FILE      make a file that a move was cut off into, or one that holds something else
//	impostor KIND                 answer at countersign.sock, wrongly: nonsense, hangup, cut or untold
//	server kill|start             of a script on PostgreSQL
func TestScript(t *testing.T) { runScripts(t, "testdata/script", nil) }

// TestScript_Postgres runs the scripts that need a database server. Each has one of its own, which $DATABASE names.
func TestScript_Postgres(t *testing.T) {
	files, err := filepath.Glob("testdata/postgres/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	servers := make(chan *pgtest.Server, len(files))
	for range files {
		servers <- pgtest.New(t)
	}
	runScripts(t, "testdata/postgres", func(e *testscript.Env, w *world) {
		w.server = <-servers
		e.Setenv("DATABASE", w.server.DSN(t))
	})
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env, *world)) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			w := &world{ctx: t.Context()}
			e.Values[worldKey{}] = w
			if setup != nil {
				setup(e, w)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rig": startRig, "exits": exits, "until": until, "ready": ready, "signal": send, "slash": slash, "click": click,
			"edit": edit, "leaks": leaks, "says": says, "probe": probe, "database": database, "impostor": impostor, "server": server,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// patience is how long a script waits for what must come, on a machine that does much else; nothing is promised by it.
const patience = time.Minute

type worldKey struct{}

// world is what one script has.
type world struct {
	ctx    context.Context
	rig    *rig.Rig
	ops    string
	server *pgtest.Server
	// impostor ends the one that there is.
	impostor func()
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func startRig(ts *testscript.TestScript, _ bool, args []string) {
	o := rig.Options{Dir: ts.MkAbs("."), Ops: freePort(ts)}
	if len(args) > 0 {
		o.Mode = bot.Mode(args[0])
	}
	if len(args) > 1 {
		o.Database = args[1]
	}
	worldOf(ts).ops = o.Ops
	r, err := rig.Start(o)
	ts.Check(err)
	ts.Defer(func() { _ = r.Close() })
	for _, pair := range r.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		ts.Setenv(name, value)
	}
	worldOf(ts).rig = r
}

// freePort is an address that stays free while no process of the script listens there: below the ports that the system
// gives away by itself, to the emulators of another script for example.
func freePort(ts *testscript.TestScript) string {
	for range 100 {
		addr := fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000))
		if l, err := (&net.ListenConfig{}).Listen(worldOf(ts).ctx, "tcp", addr); err == nil {
			ts.Check(l.Close())
			return addr
		}
	}
	ts.Fatalf("no port is free")
	return ""
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func until(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after %v no match of %q (%v)", patience, args[0], err)
		}
	}
}

// status asks the running process how it is.
func status(ts *testscript.TestScript) (app.Status, error) {
	var s app.Status
	// Not by the file, which a script may have made wrong.
	cfg := &app.Config{Ops: app.OpsConfig{Socket: ts.MkAbs("countersign.sock")}}
	if _, err := os.Stat(cfg.Ops.Socket); err != nil {
		return s, err
	}
	c, err := app.NewClient(worldOf(ts).ctx, cfg, os.Getenv)
	if err != nil {
		return s, err
	}
	defer c.Close()
	return s, c.JSON(worldOf(ts).ctx, "/status", &s)
}

func ready(ts *testscript.TestScript, _ bool, _ []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s, err := status(ts)
		if err == nil && s.Ready {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after %v nothing is ready: %+v, %v", patience, s, err)
		}
	}
}

func send(ts *testscript.TestScript, _ bool, args []string) {
	s, err := status(ts)
	ts.Check(err)
	sig := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}[args[0]]
	ts.Check(syscall.Kill(s.PID, sig))
}

func slash(ts *testscript.TestScript, _ bool, args []string) {
	ack, err := worldOf(ts).rig.Slack.Slash(worldOf(ts).ctx, slackfake.SlashInput{
		User: args[0], Channel: "C0GENERAL", Command: "/access", Text: strings.Join(args[1:], " "),
	})
	ts.Check(err)
	if !ack.OK() {
		ts.Fatalf("not acknowledged: %s", ack.Err)
	}
	fmt.Fprintln(ts.Stdout(), ack.Text)
}

func click(ts *testscript.TestScript, _ bool, args []string) {
	s := worldOf(ts).rig.Slack
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, m := range s.Messages(rig.Channel) {
			if !strings.Contains(slackfake.Text(m), "#"+args[1]+" ") && !strings.Contains(slackfake.Text(m), "#"+args[1]+"*") {
				continue
			}
			ack, err := s.Click(worldOf(ts).ctx, slackfake.ClickInput{
				User: args[0], Channel: m.Channel, TS: m.TS, ActionID: args[2],
			})
			ts.Check(err)
			if !ack.OK() {
				ts.Fatalf("not acknowledged: %s", ack.Err)
			}
			return
		}
	}
	ts.Fatalf("no card of #%s", args[1])
}

func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

func leaks(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range append(args, "stdout", "stderr") {
		text := ts.ReadFile(file)
		for _, secret := range worldOf(ts).rig.Secrets() {
			if strings.Contains(text, secret) {
				ts.Fatalf("a secret is in %s", file)
			}
		}
	}
}

func says(ts *testscript.TestScript, _ bool, args []string) {
	if text := ts.ReadFile("stdout") + ts.ReadFile("stderr"); !strings.Contains(text, args[0]) {
		ts.Fatalf("it does not say %q", args[0])
	}
}

func probe(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		code, text, err := ask("http://" + worldOf(ts).ops + args[0])
		if fmt.Sprint(code) == args[1] {
			fmt.Fprint(ts.Stdout(), text)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after %v %s answers %d %s (%v)", patience, args[0], code, text, err)
		}
	}
}

func ask(url string) (int, string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// database makes a file that is no whole database.
func database(ts *testscript.TestScript, _ bool, args []string) {
	ctx := worldOf(ts).ctx
	kv, err := bolt.Open(ctx, ts.MkAbs(args[1]), bolt.Options{})
	ts.Check(err)
	defer kv.Close()
	if args[0] == "stray" {
		_, err := kv.Commit(ctx, store.Txn{Puts: []store.Put{{Key: []byte("stray"), Value: []byte("x")}}})
		ts.Check(err)
		return
	}
	from, err := bolt.Open(ctx, ts.MkAbs("other.db"), bolt.Options{})
	ts.Check(err)
	s, err := store.Open(ctx, from, store.Options{})
	ts.Check(err)
	defer s.Close()
	defer func() { _ = recover() }()
	_, err = store.Move(ctx, from, kv, func(int) { panic("the machine stops") })
	ts.Fatalf("the move was not cut off: %v", err)
}

// impostor is what an operator's command meets when the process that it asks dies in the middle.
func impostor(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if w.impostor != nil {
		w.impostor()
	}
	l, err := (&net.ListenConfig{}).Listen(w.ctx, "unix", ts.MkAbs("countersign.sock"))
	ts.Check(err)
	srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch args[0] {
		case "nonsense":
			_, _ = io.WriteString(w, "what?")
		case "hangup":
			panic(http.ErrAbortHandler)
		case "cut":
			_, _ = io.WriteString(w, `{"seq":1}`+"\n{")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "untold":
			_, _ = io.WriteString(w, "a copy that ends too soon")
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	w.impostor = sync.OnceFunc(func() {
		_ = srv.Close()
		<-done
	})
	ts.Defer(w.impostor)
}

func server(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "kill" {
		worldOf(ts).server.Kill()
		return
	}
	worldOf(ts).server.Start()
}
