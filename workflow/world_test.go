package workflow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"countersign/providers/compshare"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/store"
	"countersign/store/bolt"
	"countersign/workflow"
)

// world is a whole Countersign but for Slack: real providers that speak to the emulators, a real store on a file, and
// virtual time.
type world struct {
	t      rapid.TB
	path   string
	gpu    *compsharefake.Server
	studio *dataartsfake.Server
	wire   *wire
	desk   *desk
	log    *slog.Logger
	policy workflow.Policy
	gone   string // a system that is no longer configured
	wrap   func(*store.Store) workflow.Store

	store  *store.Store
	engine *workflow.Engine
	runner *workflow.Runner
	stop   func()

	mu    sync.Mutex
	step  func(point string, n workflow.Number)
	ahead time.Duration // how far the clock is wrong
	limit time.Duration // call_timeout of the systems; the default where zero
	dead  bool
}

// virtual runs a test in a bubble of virtual time, in a world that has begun to run. The emulators' listeners stay
// outside: nobody connects to them.
func virtual(t *testing.T, f func(w *world)) {
	t.Helper()
	gpu, studio := emulators(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, filepath.Join(t.TempDir(), "db"), gpu, studio)
		w.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
		w.start()
		defer w.close()
		f(w)
	})
}

func emulators(t *testing.T) (*compsharefake.Server, *dataartsfake.Server) {
	t.Helper()
	gpu, err := compsharefake.Start(compsharefake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	studio, err := dataartsfake.Start(dataartsfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = gpu.Close(), studio.Close() })
	return gpu, studio
}

func newWorld(t rapid.TB, path string, gpu *compsharefake.Server, studio *dataartsfake.Server) *world {
	r := rule(anyOf(1, lead.User))
	r.RemindEvery = 0
	return &world{
		t: t, path: path, gpu: gpu, studio: studio, policy: policy(r), desk: newDesk(),
		wire: &wire{to: map[string]http.Handler{host(gpu.URL()): gpu.Handler(), host(studio.URL()): studio.Handler()}},
		step: never, wrap: func(s *store.Store) workflow.Store { return s },
		log: slog.New(slog.DiscardHandler),
	}
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.Host
}

// now is the clock on the wall, which may be set.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().UTC().Add(w.ahead)
}

// set moves the clock.
func (w *world) set(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// open opens the store, without a runner.
func (w *world) open() {
	w.t.Helper()
	ctx := context.Background()
	kv, err := bolt.Open(ctx, w.path, bolt.Options{NoSync: true})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.store, err = store.Open(ctx, kv, store.Options{Now: w.now}); err != nil {
		w.t.Fatal(err)
	}
	start := time.Now()
	w.engine, err = workflow.NewEngine(workflow.EngineOptions{
		Elapsed: func() time.Duration { return time.Since(start) },
		Store:   w.wrap(w.store), Systems: w.systems(), Policy: w.policy, Now: w.now,
		Owed: func(r workflow.Request) {
			if w.runner != nil {
				w.runner.Owed(r)
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) systems() []workflow.System {
	w.t.Helper()
	gpu, err := compshare.New(compshare.Options{
		System: "gpu-lab", Endpoint: w.gpu.URL(), PublicKey: compsharefake.PublicKey, PrivateKey: compsharefake.PrivateKey,
		Transport: w.wire,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	studio, err := dataarts.New(dataarts.Options{
		System: "warehouse", Endpoint: w.studio.URL(), IAMEndpoint: w.studio.URL(), ProjectID: dataartsfake.ProjectID, InstanceID: dataartsfake.InstanceID,
		AccessKey: dataartsfake.AccessKey, SecretKey: dataartsfake.SecretKey, Transport: w.wire,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	systems := []workflow.System{
		{Name: "gpu-lab", Kind: compshare.Kind, Provider: gpu, Actions: compshare.Actions(), CallTimeout: w.limit},
		{Name: "warehouse", Kind: dataarts.Kind, Provider: studio, Actions: dataarts.Actions(), CallTimeout: w.limit},
	}
	return slices.DeleteFunc(systems, func(s workflow.System) bool { return s.Name == w.gone })
}

// start is a start of the process.
func (w *world) start() {
	w.t.Helper()
	w.runner = nil
	w.open()
	w.mu.Lock()
	w.dead = false
	w.mu.Unlock()
	w.runner = workflow.NewRunner(workflow.RunnerOptions{
		Engine: w.engine, Notifier: w.desk, Logger: w.log,
		Step: func(point string, n workflow.Number) {
			w.mu.Lock()
			dead, step := w.dead, w.step
			w.mu.Unlock()
			if dead {
				runtime.Goexit()
			}
			step(point, n)
		},
	})
	live, end := context.WithCancel(context.Background())
	work, cut := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := w.runner.Run(live, work); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	w.stop = func() {
		end()
		cut()
		<-over
		w.stop = func() {}
	}
}

// at has f called at the runner's points; it may end the process by calling die.
func (w *world) at(f func(point string, n workflow.Number)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = f
}

// never is the step of a process that lives.
func never(string, workflow.Number) {}

// die ends the goroutine of the runner that calls it as the end of the process would: nothing is recorded any more.
func (w *world) die() {
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	runtime.Goexit()
}

// close stops the process and checks what it has stored.
func (w *world) close() {
	w.t.Helper()
	w.stop()
	w.wire.under.Wait()
	ctx := context.Background()
	if err := w.store.CheckIndexes(ctx); err != nil {
		w.t.Error(err)
	}
	if _, err := w.store.Verify(ctx); err != nil {
		w.t.Error(err)
	}
	for _, r := range w.all() {
		assertOwes(w.t, r)
		w.replay(r)
	}
	w.desk.check(w.t)
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

// restart stops the process, or buries one that has died, and starts another.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

func (w *world) all() []workflow.Request {
	w.t.Helper()
	rs, err := w.engine.List(context.Background(), workflow.Query{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return rs
}

// follows are the states that may come after each: the diagram of the design, with the shortcuts of the package's
// documentation.
var follows = map[workflow.State][]workflow.State{
	"":                 {workflow.Pending, workflow.Approved}, // a child is born approved
	workflow.Pending:   {workflow.Approved, workflow.Denied, workflow.Withdrawn, workflow.Expired},
	workflow.Approved:  {workflow.Executing, workflow.Done, workflow.Failed, workflow.Pending},
	workflow.Executing: {workflow.Done, workflow.Failed, workflow.Unknown, workflow.Pending},
	workflow.Unknown:   {workflow.Done, workflow.Failed, workflow.Executing},
	workflow.Failed:    {workflow.Executing},
}

// replay demands that the audit trail of a request leads, along the table, to the state that is stored.
func (w *world) replay(r workflow.Request) {
	w.t.Helper()
	entries, err := w.store.History(context.Background(), r.Number)
	if err != nil {
		w.t.Fatal(err)
	}
	var at workflow.State
	begun := 0
	for _, e := range entries {
		if e.From != at {
			w.t.Errorf("#%v: %s comes from %q, the entry before leads to %q", r.Number, e.Verb, e.From, at)
		}
		if e.From != e.To && !slices.Contains(follows[e.From], e.To) {
			w.t.Errorf("#%v: %s leads from %q to %q", r.Number, e.Verb, e.From, e.To)
		}
		if e.Verb == workflow.Begin {
			begun++
		}
		at = e.To
	}
	if at != r.State {
		w.t.Errorf("#%v is %q, its audit trail ends with %q", r.Number, r.State, at)
	}
	if begun != r.Attempts {
		w.t.Errorf("#%v has begun %d calls, its audit trail %d", r.Number, r.Attempts, begun)
	}
}

// asks submits one change and returns its number.
func (w *world) asks(d workflow.Draft) workflow.Number {
	w.t.Helper()
	rs, err := w.engine.Submit(context.Background(), workflow.Submission{Actor: asker, Drafts: []workflow.Draft{d}, Reason: "because", Via: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return rs[0].Number
}

// approves lets the lead approve.
func (w *world) approves(ns ...workflow.Number) {
	w.t.Helper()
	for _, n := range ns {
		w.does(lead, n, workflow.Approve)
	}
}

func (w *world) does(a workflow.Actor, n workflow.Number, v workflow.Verb) workflow.Request {
	w.t.Helper()
	r, err := w.engine.Do(context.Background(), n, workflow.Command{Verb: v, Actor: a, Via: "test"})
	if err != nil {
		w.t.Fatalf("%s #%v: %v", v, n, err)
	}
	return r
}

// approved asks for a change and has it approved, when the present membership was read.
func (w *world) approved(d workflow.Draft) workflow.Number {
	w.t.Helper()
	n := w.asks(d)
	synctest.Wait()
	w.approves(n)
	return n
}

// passes lets time pass, and everything happen that falls due.
func (w *world) passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) load(n workflow.Number) workflow.Request {
	w.t.Helper()
	r, err := w.engine.Load(context.Background(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// is demands a state.
func (w *world) is(n workflow.Number, want workflow.State) workflow.Request {
	w.t.Helper()
	r := w.load(n)
	if r.State != want {
		w.t.Fatalf("#%v is %q after %v, want %q; result %+v", n, r.State, time.Since(r.Created), want, r.Result)
	}
	return r
}

// becomes waits until a request is in a state, at most d, and returns how long that took.
func (w *world) becomes(n workflow.Number, want workflow.State, d time.Duration) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for time.Since(begun) <= d {
		synctest.Wait()
		if w.load(n).State == want {
			return time.Since(begun)
		}
		time.Sleep(500 * time.Millisecond)
	}
	w.is(n, want)
	return 0
}

// history are the verbs of a request's audit trail, without those of messages.
func (w *world) history(n workflow.Number) []workflow.Verb {
	w.t.Helper()
	entries, err := w.store.History(context.Background(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	var verbs []workflow.Verb
	for _, e := range entries {
		if !slices.Contains(bookkeeping, e.Verb) {
			verbs = append(verbs, e.Verb)
		}
	}
	return verbs
}

// invites are the calls to invite a company, in the order in which they came.
func (w *world) invites(company string) []compsharefake.Call {
	return slices.DeleteFunc(w.gpu.Mutations(), func(c compsharefake.Call) bool {
		return c.Action != inviteCall || c.Params["UserInfo.0.UserCompanyId"] != company
	})
}

func applied(calls []compsharefake.Call) int {
	n := 0
	for _, c := range calls {
		if c.Applied {
			n++
		}
	}
	return n
}

const (
	inviteCall = "CreateCompShareTeamRelation"
	setCall    = "SetCompShareTeamRelation"
	readCall   = "GetCompShareTeamInfo"
)

func invite(company int) workflow.Draft {
	return workflow.Draft{
		Action: workflow.Invite, System: "gpu-lab", Group: "1001",
		Subject: workflow.Subject{Kind: workflow.Member, ID: strconv.Itoa(company)},
	}
}

func member(action workflow.Action, id, as string, limit time.Duration) workflow.Draft {
	return workflow.Draft{
		Action: action, System: "warehouse", Group: dataartsfake.WorkspaceAnalytics, As: as, HasAs: as != "", Limit: limit,
		Subject: workflow.Subject{Kind: workflow.Member, ID: id},
	}
}

// rolesOf are the roles of a user in the workspace; nil for nobody.
func (w *world) rolesOf(id string) []string {
	for _, m := range w.studio.Members(dataartsfake.WorkspaceAnalytics) {
		if m.UserID == id {
			return m.Roles
		}
	}
	return nil
}

// wire carries requests to the emulators without a socket.
type wire struct {
	to map[string]http.Handler
	// under are the calls under way, also those that nobody waits for.
	under sync.WaitGroup

	mu sync.Mutex
	// slow says how long a call is under way before the cloud carries it out, which it does even if nobody waits any
	// more.
	slow func(call string) time.Duration
}

func (c *wire) slows(f func(call string) time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = f
}

// RoundTrip implements http.RoundTripper.
func (c *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	h, ok := c.to[req.URL.Host]
	if !ok {
		return nil, fmt.Errorf("nobody is at %s", req.URL.Host)
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
	}
	in := req.Clone(context.Background())
	in.Body, in.RequestURI, in.RemoteAddr = io.NopCloser(bytes.NewReader(body)), req.URL.RequestURI(), "127.0.0.1:1"
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	name := req.URL.Query().Get("Action")
	if name == "" {
		name = req.Method
	}
	c.mu.Lock()
	slow := c.slow
	c.mu.Unlock()
	wait := time.Duration(0)
	if slow != nil {
		wait = slow(name)
	}
	type answer struct {
		resp *http.Response
		err  error
	}
	answers := make(chan answer, 1)
	c.under.Go(func() {
		time.Sleep(wait)
		resp, err := serve(h, in)
		answers <- answer{resp, err}
	})
	select {
	case a := <-answers:
		return a.resp, a.err
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// serve calls a handler as net/http would.
func serve(h http.Handler, in *http.Request) (resp *http.Response, err error) {
	defer func() {
		v := recover()
		if cut, ok := v.(error); ok && errors.Is(cut, http.ErrAbortHandler) {
			resp, err = nil, io.ErrUnexpectedEOF
		} else if v != nil {
			panic(v)
		}
	}()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// desk is where people see what is stored: a Notifier that behaves as Slack does, and remembers.
type desk struct {
	mu    sync.Mutex
	posts int
	cards map[workflow.Number][]card // a second one is a mistake
	told  []note
	// fails, if set, may end a post with an error: before it was taken, or after.
	fails func(k workflow.EffectKind, r workflow.Request) (before, after error)
	// takes is how long a post is under way.
	takes func(k workflow.EffectKind, r workflow.Request) time.Duration
}

type card struct {
	workflow.Card
	state workflow.State
	at    time.Time
}

// note is a message that was told, with when.
type note struct {
	number workflow.Number
	kind   workflow.EffectKind
	about  workflow.Verb
	to     string
	effect uint64
	at     time.Time
}

func newDesk() *desk {
	return &desk{
		cards: map[workflow.Number][]card{},
		fails: func(workflow.EffectKind, workflow.Request) (error, error) { return nil, nil },
		takes: func(workflow.EffectKind, workflow.Request) time.Duration { return 0 },
	}
}

// Show implements workflow.Notifier.
func (d *desk) Show(ctx context.Context, r workflow.Request, again bool) (workflow.Card, error) {
	before, after := d.under(ctx, workflow.CardEffect, r)
	if before != nil {
		return workflow.Card{}, before
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.cards[r.Number]
	c := r.Card
	if c.TS == "" && again && len(known) > 0 {
		c = known[0].Card
	}
	c.Seq = r.Seq
	if c.TS == "" {
		d.posts++
		c.Channel, c.TS = r.Rule.Channel, strconv.Itoa(d.posts)
		known = append(known, card{})
	}
	for i := range known {
		if known[i].TS == c.TS || known[i].TS == "" {
			known[i] = card{c, r.State, time.Now()}
		}
	}
	d.cards[r.Number] = known
	return c, after
}

// Tell implements workflow.Notifier.
func (d *desk) Tell(ctx context.Context, r workflow.Request, e workflow.Effect, again bool) error {
	before, after := d.under(ctx, e.Kind, r)
	if before != nil {
		return before
	}
	if e.Kind == workflow.ThreadEffect && r.Card.TS == "" {
		return errors.New("the card is not posted yet")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := note{r.Number, e.Kind, e.About, e.To.User, e.ID, time.Now()}
	found := slices.ContainsFunc(d.told, func(o note) bool { return o.number == n.number && o.effect == n.effect })
	if !found || !again {
		d.told = append(d.told, n)
	}
	return after
}

func (d *desk) under(ctx context.Context, k workflow.EffectKind, r workflow.Request) (before, after error) {
	d.mu.Lock()
	fails, takes := d.fails, d.takes(k, r)
	d.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err(), nil
	case <-time.After(takes):
	}
	return fails(k, r)
}

func (d *desk) failing(f func(k workflow.EffectKind, r workflow.Request) (before, after error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = f
}

func (d *desk) taking(f func(k workflow.EffectKind, r workflow.Request) time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takes = f
}

// notes are the messages about a verb, in the order in which they were told.
func (d *desk) notes(n workflow.Number, k workflow.EffectKind, about workflow.Verb) []note {
	d.mu.Lock()
	defer d.mu.Unlock()
	var notes []note
	for _, o := range d.told {
		if o.number == n && o.kind == k && o.about == about {
			notes = append(notes, o)
		}
	}
	return notes
}

// shows is the state on a request's card.
func (d *desk) shows(n workflow.Number) workflow.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.cards[n]) == 0 {
		return ""
	}
	return d.cards[n][0].state
}

// check demands one card for each request, and each message once.
func (d *desk) check(t rapid.TB) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(d.cards)) {
		if len(d.cards[n]) != 1 {
			t.Errorf("#%v has %d cards", n, len(d.cards[n]))
		}
	}
	type message struct {
		number workflow.Number
		effect uint64
	}
	seen := map[message]bool{}
	for _, n := range d.told {
		if m := (message{n.number, n.effect}); seen[m] {
			t.Errorf("told twice: %+v", n)
		} else {
			seen[m] = true
		}
	}
}
