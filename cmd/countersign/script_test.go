package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"countersign": main})
}

// TestScript runs the product as people do. Besides what testscript knows, a script may say:
//
//	rig [socket|http]             emulators of Slack and the clouds, with countersign.yaml and the environment for them
//	exits N countersign ...       run it, and demand an exit code
//	until REGEXP countersign ...  run it until its output matches
//	ready                         wait until the running process takes commands
//	signal HUP|TERM               send a signal to it
//	slash USER TEXT...            type a command; the private answer is stdout
//	click USER NUMBER ACTION      press a button of a request's card
//	edit FILE OLD NEW             replace a text in a file
//	leaks FILE...                 demand that no secret of the rig is in stdout, stderr or the files
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Values[worldKey{}] = &world{ctx: t.Context()}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rig": startRig, "exits": exits, "until": until, "ready": ready, "signal": send, "slash": slash, "click": click,
			"edit": edit, "leaks": leaks,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type worldKey struct{}

// world is what one script has.
type world struct {
	ctx context.Context
	rig *rig.Rig
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func startRig(ts *testscript.TestScript, _ bool, args []string) {
	o := rig.Options{Dir: ts.MkAbs(".")}
	if len(args) > 0 {
		o.Mode = bot.Mode(args[0])
	}
	r, err := rig.Start(o)
	ts.Check(err)
	ts.Defer(func() { _ = r.Close() })
	for _, pair := range r.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		ts.Setenv(name, value)
	}
	worldOf(ts).rig = r
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after 20 s no match of %q (%v)", args[0], err)
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s, err := status(ts)
		if err == nil && s.Ready {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after 20 s nothing is ready: %+v, %v", s, err)
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
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
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
