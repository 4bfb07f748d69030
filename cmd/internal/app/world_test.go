package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
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
	t    *testing.T
	app  *app.App
	log  *logbook
	stop func()
	// mayPanic is set where a panic is what the test is about.
	mayPanic bool
}

// newWorld starts a rig and the bot in it, and stops both with the test. What must hold in every world is checked at
// its end: no secret was said, and no request has two cards.
func newWorld(t *testing.T, o rig.Options) *world {
	t.Helper()
	w := newRig(t, o)
	w.start()
	return w
}

// newRig starts a rig without the bot.
func newRig(t *testing.T, o rig.Options) *world {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	for team := range uint32(5) { // those of authorityPolicy
		r.CompShare.AddTeam(1003+team, 50001, "team")
	}
	w := &world{Rig: r, t: t, log: &logbook{t: t}}
	t.Cleanup(func() {
		w.keptSecrets()
		w.oneCardEach()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// inBothModes runs a test in a world of its own for each way in which Slack delivers.
func inBothModes(t *testing.T, o rig.Options, f func(t *testing.T, w *world)) {
	t.Helper()
	rigInBothModes(t, o, func(t *testing.T, w *world) {
		w.start()
		f(t, w)
	})
}

// rigInBothModes is as inBothModes, for a test that starts the bot itself.
func rigInBothModes(t *testing.T, o rig.Options, f func(t *testing.T, w *world)) {
	t.Helper()
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			o := o
			o.Mode = mode
			f(t, newRig(t, o))
		})
	}
}

// crowd is held by the one test that makes very many requests just now.
var crowd sync.Mutex

// crowds lets no other test make very many requests meanwhile: together they would keep the processors from the tests
// beside them for longer than Slack waits for an answer.
func (w *world) crowds() {
	crowd.Lock()
	w.t.Cleanup(crowd.Unlock)
}

// start runs the bot until the test ends or stop is called.
func (w *world) start() {
	w.t.Helper()
	w.startWith(app.Options{})
}

func (w *world) startWith(o app.Options) {
	w.t.Helper()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	o.Config, o.Env, o.Logger = cfg, w.Env, w.logger()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.app, err = app.New(ctx, o)
	if err != nil {
		cancel()
		w.t.Fatal(err)
	}
	a, done := w.app, make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		// Slack would go on delivering to a socket whose end it has not seen yet.
		for deadline := time.Now().Add(5 * time.Second); w.Slack.Sockets() > 0 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	})
	w.t.Cleanup(w.stop)
	if cfg.Slack.Mode == bot.HTTP {
		w.Deliver(w.app.SlackAddr())
	}
	w.eventually("the bot is ready", w.ready)
}

// ready reports whether both sides know that a command can be taken.
func (w *world) ready() bool {
	return w.app.Ready() && (w.app.SlackAddr() != "" || w.Slack.Sockets() > 0)
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	w.within(20*time.Second, what, cond)
}

func (w *world) within(limit time.Duration, what string, cond func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v: not %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// slash types a slash command, as it is put.
func (w *world) slash(in slackfake.SlashInput) slackfake.Ack {
	w.t.Helper()
	if in.Channel == "" {
		in.Channel = "C0GENERAL"
	}
	in.Command = "/access"
	ack, err := w.Slack.Slash(w.t.Context(), in)
	if err != nil {
		w.t.Fatalf("%s types %q: %v", in.User, in.Text, err)
	}
	if !ack.OK() {
		w.t.Fatalf("%s types %q: %s", in.User, in.Text, ack.Err)
	}
	return ack
}

// types types a slash command and returns the private answer.
func (w *world) types(user, text string) string {
	w.t.Helper()
	return w.slash(slackfake.SlashInput{User: user, Text: text}).Text
}

// asks types a command that must make one request, and returns it with its card.
func (w *world) asks(user, text string) (workflow.Request, slackfake.Message) {
	w.t.Helper()
	answer := w.types(user, text)
	n := numberIn(answer)
	if n == 0 {
		w.t.Fatalf("%q was answered %q, without a number", text, answer)
	}
	return w.carded(n)
}

// carded waits for a request's card.
func (w *world) carded(n workflow.Number) (workflow.Request, slackfake.Message) {
	w.t.Helper()
	w.eventually("a card for request "+n.String(), func() bool {
		_, ok := w.card(n)
		return ok
	})
	m, _ := w.card(n)
	return w.request(n), m
}

func (w *world) request(n workflow.Number) workflow.Request {
	w.t.Helper()
	r, err := w.app.Engine().Load(w.t.Context(), n)
	if err != nil {
		w.t.Fatalf("load %v: %v", n, err)
	}
	return r
}

func (w *world) card(n workflow.Number) (slackfake.Message, bool) {
	w.t.Helper()
	r := w.request(n)
	return w.Slack.Message(r.Card.Channel, r.Card.TS)
}

// stored is how many requests there are.
func (w *world) stored() int {
	w.t.Helper()
	rs, err := w.app.Engine().List(w.t.Context(), workflow.Query{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(rs)
}

// clicks presses a button of a card as it is now.
func (w *world) clicks(user string, card slackfake.Message, action string) {
	w.t.Helper()
	w.presses(slackfake.ClickInput{User: user, Channel: card.Channel, TS: card.TS, ActionID: action})
}

// presses presses a button, as it is put; the click must be acknowledged.
func (w *world) presses(in slackfake.ClickInput) {
	w.t.Helper()
	ack, err := w.Slack.Click(w.t.Context(), in)
	if err != nil {
		w.t.Fatalf("%s clicks %s: %v", in.User, in.ActionID, err)
	}
	if !ack.OK() {
		w.t.Fatalf("%s clicks %s: %s", in.User, in.ActionID, ack.Err)
	}
}

// becomes waits for a state, shown on the card with nothing more to be shown.
func (w *world) becomes(n workflow.Number, state workflow.State) (workflow.Request, slackfake.Message) {
	w.t.Helper()
	w.eventually("request "+n.String()+" is "+string(state), func() bool {
		r := w.request(n)
		m, _ := w.card(n)
		return r.State == state && r.Card.Seq == r.Seq && strings.Contains(slackfake.Text(m), string(state))
	})
	m, _ := w.card(n)
	return w.request(n), m
}

// settled waits until a request owes nothing any more that is due, by the bot's own clock.
func (w *world) settled(n workflow.Number) {
	w.t.Helper()
	w.eventually("nothing owed by "+n.String(), func() bool {
		for _, e := range w.request(n).Effects {
			if e.Due.Before(w.app.Engine().Now().Add(time.Minute)) {
				return false
			}
		}
		return true
	})
}

// threadOf waits for a reply in a card's thread that contains a text, and returns it.
func (w *world) threadOf(card slackfake.Message, want string) string {
	w.t.Helper()
	var found string
	w.eventually("a reply with "+want, func() bool {
		for _, m := range w.Slack.Thread(card.Channel, card.TS) {
			if found = slackfake.Text(m); strings.Contains(found, want) {
				return true
			}
		}
		return false
	})
	return found
}

// privately waits for a private message to a person that contains a text.
func (w *world) privately(user, want string) string {
	w.t.Helper()
	return w.among("private messages to "+user, want, func() []slackfake.Message { return w.Slack.Ephemerals(user) })
}

// directly waits for a direct message to a person that contains a text.
func (w *world) directly(user, want string) string {
	w.t.Helper()
	return w.among("direct messages to "+user, want, func() []slackfake.Message { return w.Slack.DM(user) })
}

func (w *world) among(what, want string, list func() []slackfake.Message) string {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		var all []string
		for _, m := range list() {
			text := slackfake.Text(m)
			if strings.Contains(text, want) {
				return text
			}
			all = append(all, text)
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("after 20 s, %s without %q:\n%s", what, want, strings.Join(all, "\n--\n"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// refused presses a button and wants a private refusal with a text, and the request as it was.
func (w *world) refused(in slackfake.ClickInput, n workflow.Number, want string) {
	w.t.Helper()
	before := w.request(n)
	got := w.answered(in)
	if !strings.Contains(got, want) {
		w.t.Errorf("%s clicks %s: answered %q, want %q in it", in.User, in.ActionID, got, want)
	}
	if state := string(before.State); !strings.Contains(got, state) {
		w.t.Errorf("%s clicks %s: answered %q, want the present state %s in it", in.User, in.ActionID, got, state)
	}
	after := w.request(n)
	if after.State != before.State || len(after.Decisions) != len(before.Decisions) {
		w.t.Errorf("%s clicks %s: state %s with %d decisions, want %s with %d as before",
			in.User, in.ActionID, after.State, len(after.Decisions), before.State, len(before.Decisions))
	}
}

// answered presses a button and returns the private answer.
func (w *world) answered(in slackfake.ClickInput) string {
	w.t.Helper()
	private := func() []slackfake.Message {
		if in.Channel == "" { // on a Home there is no place for a message that only one person sees
			return w.Slack.DM(in.User)
		}
		return w.Slack.Ephemerals(in.User)
	}
	old := map[string]bool{}
	for _, m := range private() {
		old[m.Channel+m.TS] = true
	}
	w.presses(in)
	var got string
	w.eventually("an answer to "+in.User, func() bool {
		for _, m := range private() {
			if !old[m.Channel+m.TS] {
				got = slackfake.Text(m)
				return true
			}
		}
		return false
	})
	return got
}

// keptSecrets fails the test if a secret is in the log or anywhere in Slack.
func (w *world) keptSecrets() {
	w.t.Helper()
	said, err := json.Marshal(w.Slack.AllMessages())
	if err != nil {
		w.t.Fatal(err)
	}
	places := map[string]string{"the log": w.log.String(), "Slack": string(said)}
	for _, secret := range w.Secrets() {
		for place, text := range places {
			if strings.Contains(text, secret) {
				w.t.Errorf("a secret is in %s", place)
			}
		}
	}
	if !w.mayPanic && strings.Contains(w.log.String(), "panic") {
		w.t.Error("something panicked: see the log")
	}
}

// oneCardEach fails the test if a request has two cards.
func (w *world) oneCardEach() {
	w.t.Helper()
	seen := map[any]string{}
	for _, m := range w.Slack.AllMessages() {
		n, ts := cardNumber(m), m.TS
		if n == nil {
			continue
		}
		if other, two := seen[n]; two {
			w.t.Errorf("request %v has two cards: %s and %s", n, other, ts)
		}
		seen[n] = ts
	}
}

// cardNumber is the request whose card a message is, by its metadata; nil if it is no card.
func cardNumber(m slackfake.Message) any {
	if m.ThreadTS != "" || m.Ephemeral || m.Deleted || !strings.HasPrefix(m.Channel, "C") || m.Metadata["event_type"] != "countersign_request" {
		return nil
	}
	payload, _ := m.Metadata["event_payload"].(map[string]any)
	return payload["request"]
}

// cards are the cards in a channel, oldest first.
func (w *world) cards(channel string) []slackfake.Message {
	return slices.DeleteFunc(w.Slack.Messages(channel), func(m slackfake.Message) bool { return cardNumber(m) == nil })
}

// get fetches a path of the ops listener.
func (w *world) get(path string) (int, string) {
	w.t.Helper()
	resp, err := http.Get("http://" + w.app.OpsAddr() + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func numberIn(s string) workflow.Number {
	ns := numbersIn(s)
	if len(ns) == 0 {
		return 0
	}
	return ns[0]
}

// numbersIn are the request numbers in a text, in order, each once.
func numbersIn(s string) []workflow.Number {
	var ns []workflow.Number
	for _, part := range strings.Split(s, "#")[1:] {
		var n workflow.Number
		for part != "" && part[0] >= '0' && part[0] <= '9' {
			n = n*10 + workflow.Number(part[0]-'0')
			part = part[1:]
		}
		if n > 0 && !slices.Contains(ns, n) {
			ns = append(ns, n)
		}
	}
	return ns
}

// submitOf is a form with one input filled in.
func submitOf(user, block, action, text string) slackfake.SubmitInput {
	return slackfake.SubmitInput{User: user, Values: map[string]map[string]any{block: {action: text}}}
}

func actionIDs(m slackfake.Message) []string {
	var ids []string
	for _, b := range slackfake.Buttons(m) {
		ids = append(ids, b.ActionID)
	}
	return ids
}

// logbook keeps the log of a test, and shows it if the test fails.
type logbook struct {
	t  *testing.T
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes one line of the log.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(p)
	return l.t.Output().Write(p)
}

// String is the log so far.
func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
