// Package app is the one place where the four packages meet: it builds the store, the providers, the engine, the bot and
// the runner from a configuration, starts them in order and stops them in the reverse order. Both binaries use it: the
// product, and the sandbox, which points it at emulators.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"countersign/bot"
	"countersign/providers/compshare"
	"countersign/providers/dataarts"
	"countersign/store"
	"countersign/workflow"
)

const (
	// drainTime is how long effects under way may take after a stop was asked for, before they are cut off and settled
	// at the next start. With what follows it stays below the 15 s that a stop may take.
	drainTime = 9 * time.Second
	// closeTime is how long what is left may take after that.
	closeTime = 3 * time.Second
)

// Options is what an App needs. Config, Env and Logger are required.
type Options struct {
	Config *Config
	// Env looks up an environment variable; empty is unset.
	Env    func(name string) string
	Logger *slog.Logger
	// Now is the clock; nil is the wall clock.
	Now func() time.Time
	// Elapsed is a clock that nobody can set, from some moment on; nil is the process's own.
	Elapsed func() time.Duration
	// Step is told of named points around commits, calls and posts; tests end the process there.
	Step func(point string, n workflow.Number)
	// Reload, if set, asks for the policy and people to be read anew; Watch does so when a file has changed that it is
	// read from.
	Reload <-chan os.Signal
	Watch  bool
}

// App is the whole bot, from New until Run returns.
type App struct {
	o       Options
	cfg     *Config
	log     *slog.Logger
	kv      store.KV
	store   *store.Store
	engine  *workflow.Engine
	bot     *bot.Bot
	runner  *workflow.Runner
	wake    atomic.Pointer[workflow.Runner] // the runner, for whoever is there before it
	metrics *metrics

	attempts  *attempts
	inForce   atomic.Pointer[Config] // whose policy and people are in force
	reloading sync.Mutex
	people    string     // the file of people that the last read configuration names; guarded by reloading
	policy    sync.Mutex // held while the policy in force is changed
	channels  channels
	// The witness's own: when the head of the audit trail was last due and posted, and who was to post it.
	witnessed       time.Time
	claims, sighted claimed

	ops, control, slack net.Listener
}

// New builds an app. It opens the store and the listeners, and contacts neither Slack nor a cloud. On an error nothing
// stays open. Its error is a *ConfigError where the configuration or the environment must be mended.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Config == nil || o.Env == nil || o.Logger == nil {
		return nil, errors.New("app: a configuration, an environment and a logger are needed")
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	if o.Elapsed == nil {
		start := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(start) }
	}
	a := &App{o: o, cfg: o.Config, log: o.Logger, metrics: newMetrics(), attempts: newAttempts()}
	a.inForce.Store(o.Config)
	a.people = o.Config.PeopleCSV
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	secrets, err := readSecrets(o.Config, o.Env)
	if err != nil {
		return nil, err
	}
	systems, err := a.systems(secrets)
	if err != nil {
		return nil, err
	}
	if err := a.openStore(ctx); err != nil {
		return nil, err
	}
	if err := a.build(systems, secrets); err != nil {
		return nil, err
	}
	return a, a.listen(ctx)
}

// openStore opens the database first of all: a second process on it must find out before it touches anything else.
func (a *App) openStore(ctx context.Context) (err error) {
	opts := store.Options{Now: a.o.Now, Logger: a.log, OnCommit: a.metrics.commit}
	a.metrics.watchEngine(a.cfg.Store.Engine())
	a.kv, a.store, err = openStore(ctx, a.cfg.Store, a.o.Env, false, a.elsewhere, opts)
	return err
}

func (a *App) systems(secrets *secrets) ([]workflow.System, error) {
	var list []workflow.System
	for _, s := range a.cfg.Systems {
		keys := secrets.systems[s.Name]
		sys := workflow.System{Name: s.Name, Kind: s.Provider, CallTimeout: s.CallTimeout}
		var err error
		switch s.Provider {
		case CompShare:
			sys.Actions = compshare.Actions()
			sys.Provider, err = newCompShare(s, keys, a.log, nil)
		default:
			sys.Actions = dataarts.Actions()
			sys.Provider, err = newDataArts(s, keys, a.log, nil)
		}
		if err != nil {
			return nil, misconfigured("system %s: %v", s.Name, err)
		}
		if lists, ok := sys.Provider.(interface{ Directory() workflow.Directory }); ok {
			sys.Directory = lists.Directory()
		}
		sys.Provider = a.metrics.meter(s.Name, sys.Provider)
		list = append(list, sys)
	}
	return list, nil
}

func (a *App) build(systems []workflow.System, secrets *secrets) (err error) {
	a.engine, err = workflow.NewEngine(workflow.EngineOptions{
		Store: a.stepped(), Systems: systems, Now: a.o.Now,
		Replica: a.cfg.Store.replica(), Elapsed: a.o.Elapsed,
		Policy: workflow.Policy{Rules: a.cfg.Rules, Teams: a.cfg.Slack.TeamIDs},
		Owed:   func(r workflow.Request) { a.runner.Owed(r) },
		Seen: func(e workflow.Entry) {
			a.metrics.seen(e, func(n workflow.Number) (workflow.Request, error) { return a.engine.Load(context.Background(), n) })
			a.bot.Changed()
		},
	})
	if err != nil {
		return fmt.Errorf("build engine: %w", err)
	}
	lang := bot.LangOf(a.cfg.Locale, bot.English)
	a.bot, err = bot.New(bot.Options{
		Engine: a.engine, Logger: a.log.With("component", "bot"), Lang: lang, People: a.cfg.People,
		Mode: a.cfg.Slack.Mode, APIURL: a.cfg.Slack.APIURL, Command: a.cfg.Slack.Command,
		Transport: &slackMeter{next: http.DefaultTransport.(*http.Transport).Clone(), m: a.metrics, known: map[string]bool{}},
		Refused:   func(t bot.Attempt) { a.metrics.tried(t); a.attempts.take(t, a.o.Now()) }, Acked: a.metrics.acked,
		BotToken: secrets.botToken, AppToken: secrets.appToken, SigningSecret: secrets.signingSecret,
	})
	if err != nil {
		return misconfigured("%v", err)
	}
	a.runner = workflow.NewRunner(workflow.RunnerOptions{
		Engine: a.engine, Notifier: a.bot, Logger: a.log.With("component", "runner"), Step: a.o.Step,
	})
	a.wake.Store(a.runner)
	return nil
}

func (a *App) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if a.ops, err = lc.Listen(ctx, "tcp", a.cfg.Ops.Listen); err != nil {
		return misconfigured("ops.listen: %v", err)
	}
	if a.control, err = listenUnix(ctx, a.cfg.Ops.Socket); err != nil {
		return misconfigured("ops.socket: %v", err)
	}
	if a.cfg.Slack.Mode == bot.HTTP {
		if a.slack, err = lc.Listen(ctx, "tcp", a.cfg.Slack.Listen); err != nil {
			return misconfigured("slack.listen: %v", err)
		}
	}
	return nil
}

// close lets go of everything that New opened.
func (a *App) close() error {
	var errs []error
	for _, l := range []net.Listener{a.slack, a.control, a.ops} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// Engine is the app's engine, for the sandbox and for tests.
func (a *App) Engine() *workflow.Engine { return a.engine }

// Store is the app's store, for the sandbox and for tests.
func (a *App) Store() *store.Store { return a.store }

// Ready reports whether a command can be taken.
func (a *App) Ready() bool { return a.bot.Ready() }

// OpsAddr is where /healthz, /readyz and /metrics are served.
func (a *App) OpsAddr() string { return a.ops.Addr().String() }

// SlackAddr is where Slack delivers in HTTP mode; empty in Socket Mode.
func (a *App) SlackAddr() string {
	if a.slack == nil {
		return ""
	}
	return a.slack.Addr().String()
}

// gcPercent is for a heap of few megabytes: collected whenever it had doubled, it took a fifth of the processor under load.
const gcPercent = 400

// cores is what Go found that it may use. Under load one thread nearly always waits for the disk, and Go would leave its core
// idle for most of that time, while others could run.
var cores = runtime.GOMAXPROCS(0)

// Run runs the app until ctx ends or something fatal happens, then takes nothing more, finishes or records what is
// under way, and closes everything, within 15 seconds. It returns nil if it was ctx that ended it.
func (a *App) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores + 1))
	}
	group, live := errgroup.WithContext(ctx)
	// Effects under way outlive the end of live for a while, so that what was begun can be recorded.
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	context.AfterFunc(live, func() { time.AfterFunc(drainTime, cut) })

	a.started(ctx)
	for _, s := range a.servers() {
		group.Go(func() error { return s.serve(live) })
	}
	group.Go(func() error { return a.runner.Run(live, work) })
	group.Go(func() error { return a.receive(live) })
	group.Go(func() error { return a.watch(live) })
	group.Go(func() error { return a.reloads(live) })
	group.Go(func() error { return a.recordAttempts(live) })
	group.Go(func() error { return a.witness(live) })
	group.Go(func() error { return a.watchChannels(live) })
	err := group.Wait()
	return errors.Join(quietly(ctx, err), a.close())
}

// receive connects to Slack and takes deliveries until ctx ends.
func (a *App) receive(ctx context.Context) error {
	team, err := a.bot.Connect(ctx)
	if err != nil {
		return quietly(ctx, err)
	}
	first, cancel := context.WithTimeout(ctx, startTime)
	shared := a.lookAtChannels(first, a.cfg.Rules)
	cancel()
	if len(shared) > 0 {
		return misconfigured("%s", sharedSentence(shared))
	}
	a.setPolicy(func(p *workflow.Policy) {
		if len(p.Teams) == 0 {
			p.Teams = []string{team}
		}
	})
	if a.cfg.Slack.Mode == bot.HTTP {
		s := &server{name: "slack", l: a.slack, h: a.bot.Handler()}
		a.bot.Opened()
		err := s.serve(ctx)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		a.bot.Close(closing)
		return quietly(ctx, err)
	}
	return quietly(ctx, a.bot.RunSocket(ctx))
}

// watch ends the app when the store has failed for good: what it would say from then on could not be trusted.
func (a *App) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.store.Failed():
		return errors.New("the store has failed; it must be opened anew")
	}
}

// quietly drops the error of what was stopped on purpose.
func quietly(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// server is one HTTP server on a listener of its own.
type server struct {
	name string
	l    net.Listener
	h    http.Handler
}

// serve serves until ctx ends, then lets running requests end.
func (s *server) serve(ctx context.Context) error {
	srv := &http.Server{
		Handler: s.h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ConnContext: withPeer, MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = srv.Shutdown(closing)
	})
	defer stop()
	if err := srv.Serve(s.l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", s.name, err)
	}
	return nil
}
