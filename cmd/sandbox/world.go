package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
)

// worldOptions are how a world is to be. Logger is required.
type worldOptions struct {
	// Dir keeps everything for the next start; where it is empty a temporary directory is used and removed.
	Dir    string
	Locale string
	Logger *slog.Logger
}

// world is the emulators and the bot in them.
type world struct {
	*rig.Rig // nil until it is started
	o        worldOptions
	dir      string
	clock    clock
	news     news
	armed    armed
	// ended ends the goroutines that watch and save.
	ended context.Context
	end   context.CancelFunc
	wg    sync.WaitGroup

	// life is held while the bot is started or stopped.
	life sync.Mutex
	mu   sync.Mutex
	bot  *running
	// failure is why the bot is not running although nobody stopped it.
	failure error
}

// running is one life of the bot.
type running struct {
	app    *app.App
	cancel context.CancelFunc
	done   chan struct{}
}

// newWorld starts the emulators, gives them back what an earlier life left in the directory, and starts the bot.
func newWorld(ctx context.Context, o worldOptions) (_ *world, err error) {
	w := &world{o: o, dir: o.Dir}
	w.ended, w.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = workDir(o.Dir); err != nil {
		return nil, err
	}
	w.Rig, err = rig.Start(rig.Options{Dir: w.dir, Locale: o.Locale, Now: w.clock.now, Policy: policyWithReminders()})
	if err != nil {
		return nil, err
	}
	w.furnish()
	if err = w.restore(); err != nil {
		return nil, err
	}
	w.openDirect()
	if err = w.startBot(); err != nil {
		return nil, err
	}
	w.wg.Go(w.watch)
	if o.Dir != "" {
		w.wg.Go(w.keepSaving)
	}
	return w, nil
}

// workDir makes the directory, absolute, because paths in the configuration are relative to it.
func workDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "countersign-sandbox-")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// policyWithReminders is the rig's policy, in which those who have not decided are also reminded.
func policyWithReminders() string {
	return strings.ReplaceAll(rig.DefaultPolicy, "expires: 24h\n", "expires: 24h\n    remind_every: 4h\n")
}

// furnish adds to the emulators' seeds what the story begins with: carol works in analytics.
func (w *world) furnish() {
	w.DataArts.SetMember(rig.Workspace, dataartsfake.Member{
		UserID: dataartsfake.UserCarol, UserName: "carol", Roles: []string{dataartsfake.RoleDeveloper},
	})
}

// openDirect opens the direct message with the bot for everybody, so that it can be looked into before the first one.
func (w *world) openDirect() {
	for _, u := range w.Slack.Users() {
		if canSignIn(u) {
			id := directWith(u.ID)
			w.Slack.SetChannel(slackfake.Channel{ID: id, IsIM: true, User: u.ID, Members: []string{u.ID, botUser}})
		}
	}
}

// directWith is the ID of the direct message between a person and the bot, by the emulator's rule.
func directWith(user string) string { return "D" + strings.TrimLeft(user, "UW") }

// startBot starts the bot; it returns before Slack is connected.
func (w *world) startBot() error {
	w.life.Lock()
	defer w.life.Unlock()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(w.ended)
	a, err := app.New(ctx, app.Options{Config: cfg, Env: w.Env, Logger: w.o.Logger, Now: w.clock.now})
	if err != nil {
		cancel()
		return err
	}
	r := &running{app: a, cancel: cancel, done: make(chan struct{})}
	w.mu.Lock()
	w.bot, w.failure = r, nil
	w.mu.Unlock()
	go func() {
		defer close(r.done)
		err := a.Run(ctx)
		w.mu.Lock()
		w.bot = nil
		w.failure = err
		w.mu.Unlock()
		w.news.tell()
	}()
	return nil
}

// stopBot stops the bot as SIGTERM would, and waits for it.
func (w *world) stopBot() {
	w.life.Lock()
	defer w.life.Unlock()
	w.mu.Lock()
	r := w.bot
	w.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
}

// restartBot is what a deployment does: the new process knows only what is on disk.
func (w *world) restartBot() error {
	w.stopBot()
	return w.startBot()
}

// startOver forgets everything, as if the sandbox had been started for the first time.
func (w *world) startOver() error {
	w.stopBot()
	err := os.Remove(filepath.Join(w.dir, "countersign.db"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, w.startBot())
	}
	w.heal()
	w.Slack.Reset()
	w.CompShare.Reset()
	w.CompShare.ResetCalls()
	w.DataArts.Reset()
	w.furnish()
	w.clock.set(0)
	w.openDirect()
	return w.startBot()
}

// status is how the bot is, for the page.
type status struct {
	Ready   bool   `json:"ready"`
	Running bool   `json:"running"`
	Error   string `json:"error,omitempty"`
}

func (w *world) status() status {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Right after a connection was dropped the bot does not know it yet; Slack does.
	s := status{Running: w.bot != nil, Ready: w.bot != nil && w.bot.app.Ready() && w.Slack.Sockets() > 0}
	if w.failure != nil {
		s.Error = w.failure.Error()
	}
	return s
}

// waitReady waits until a command can be taken, for at most a few seconds: what the page asks for right after a restart
// should not meet a bot that is not there yet.
func (w *world) waitReady(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for s := w.status(); s.Running && !s.Ready && ctx.Err() == nil; s = w.status() {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// close stops the bot, saves, and stops the emulators, in this order: what the bot does last must be saved too.
func (w *world) close() error {
	var errs []error
	w.stopBot()
	w.end()
	w.wg.Wait()
	if w.Rig != nil {
		if w.o.Dir != "" {
			errs = append(errs, w.save())
		}
		errs = append(errs, w.Close())
	}
	if w.o.Dir == "" && w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}
