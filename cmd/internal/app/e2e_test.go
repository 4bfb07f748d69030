package app_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// world is a rig with the bot running in it.
type world struct {
	*rig.Rig
	t   *testing.T
	app *app.App
	log *logbook
}

// newWorld starts a rig and the bot in it, and stops both with the test.
func newWorld(t *testing.T, o rig.Options) *world {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Rig: r, t: t, log: &logbook{t: t}}
	w.start()
	return w
}

// start runs the bot until the test ends or stop is called.
func (w *world) start() (stop func()) {
	w.t.Helper()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.app, err = app.New(ctx, app.Options{Config: cfg, Env: w.Env, Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		cancel()
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.app.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}
	w.t.Cleanup(stop)
	if cfg.Slack.Mode == bot.HTTP {
		w.Deliver(w.app.SlackAddr())
	}
	w.eventually("the bot is ready", w.app.Ready)
	return stop
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			w.t.Fatalf("after 20 s: not %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// type_ types a slash command and returns the private answer.
func (w *world) types(user, text string) string {
	w.t.Helper()
	ack, err := w.Slack.Slash(w.t.Context(), slackfake.SlashInput{User: user, Channel: "C0GENERAL", Command: "/access", Text: text})
	if err != nil {
		w.t.Fatalf("%s types %q: %v", user, text, err)
	}
	if !ack.OK() {
		w.t.Fatalf("%s types %q: %s", user, text, ack.Err)
	}
	return ack.Text
}

// asks types a command that must make one request, and returns it with its card.
func (w *world) asks(user, text string) (workflow.Request, slackfake.Message) {
	w.t.Helper()
	answer := w.types(user, text)
	n := numberIn(answer)
	if n == 0 {
		w.t.Fatalf("%q was answered %q, without a number", text, answer)
	}
	var card slackfake.Message
	w.eventually("a card for "+answer, func() bool {
		r := w.request(n)
		m, ok := w.Slack.Message(r.Card.Channel, r.Card.TS)
		card = m
		return ok
	})
	return w.request(n), card
}

func (w *world) request(n workflow.Number) workflow.Request {
	w.t.Helper()
	r, err := w.app.Engine().Load(w.t.Context(), n)
	if err != nil {
		w.t.Fatalf("load %v: %v", n, err)
	}
	return r
}

// clicks presses a button of a card as it is now.
func (w *world) clicks(user string, card slackfake.Message, action string) {
	w.t.Helper()
	ack, err := w.Slack.Click(w.t.Context(), slackfake.ClickInput{User: user, Channel: card.Channel, TS: card.TS, ActionID: action})
	if err != nil {
		w.t.Fatalf("%s clicks %s: %v", user, action, err)
	}
	if !ack.OK() {
		w.t.Fatalf("%s clicks %s: %s", user, action, ack.Err)
	}
}

// becomes waits for a state, shown on the card.
func (w *world) becomes(n workflow.Number, state workflow.State) workflow.Request {
	w.t.Helper()
	w.eventually("request "+n.String()+" is "+string(state), func() bool {
		r := w.request(n)
		m, _ := w.Slack.Message(r.Card.Channel, r.Card.TS)
		return r.State == state && strings.Contains(slackfake.Text(m), string(state))
	})
	return w.request(n)
}

// threadOf waits for a reply in a card's thread that contains a text.
func (w *world) threadOf(card slackfake.Message, want string) {
	w.t.Helper()
	var got []string
	w.eventually("a reply with "+want, func() bool {
		got = nil
		for _, m := range w.Slack.Thread(card.Channel, card.TS) {
			got = append(got, slackfake.Text(m))
		}
		return strings.Contains(strings.Join(got, "\n"), want)
	})
}

// privately waits for a private message to a person that contains a text.
func (w *world) privately(user, want string) {
	w.t.Helper()
	w.eventually("a private message to "+user+" with "+want, func() bool {
		for _, m := range w.Slack.Ephemerals(user) {
			if strings.Contains(slackfake.Text(m), want) {
				return true
			}
		}
		return false
	})
}

func numberIn(s string) workflow.Number {
	var n workflow.Number
	_, after, ok := strings.Cut(s, "#")
	for ok && after != "" && after[0] >= '0' && after[0] <= '9' {
		n = n*10 + workflow.Number(after[0]-'0')
		after = after[1:]
	}
	return n
}

// logbook keeps the log of a test, and shows it if the test fails.
type logbook struct {
	t *testing.T
}

func (l *logbook) Write(p []byte) (int, error) { return l.t.Output().Write(p) }

func TestApp_MainJob(t *testing.T) {
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, rig.Options{Mode: mode})
			r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training run")
			if r.State != workflow.Pending {
				t.Fatalf("state %s, want pending", r.State)
			}
			w.clicks("U0REQ", card, "approve")
			w.privately("U0REQ", "somebody else must decide")
			w.clicks("U0LEAD", card, "approve")
			w.becomes(r.Number, workflow.Done)
			w.threadOf(card, "done")
			if got := w.CompShare.Status(1001, 50002); got != "Pending" {
				t.Errorf("the cloud holds %q, want Pending", got)
			}
			if got := len(w.CompShare.Mutations()); got != 1 {
				t.Errorf("%d mutating calls, want 1", got)
			}
			m, _ := w.Slack.Message(card.Channel, card.TS)
			if b := slackfake.Buttons(m); len(b) != 0 {
				t.Errorf("buttons left on a decided card: %v", b)
			}
			w.eventually("a DM to the requester", func() bool { return len(w.Slack.DM("U0REQ")) >= 2 })
		})
	}
}
