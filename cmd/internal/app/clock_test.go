package app_test

import (
	"os"
	"strings"
	"sync"
	"time"

	"countersign/cmd/internal/app"
)

// pushed is the wall clock, pushed forward.
type pushed struct {
	mu sync.Mutex
	by time.Duration
}

func (p *pushed) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().UTC().Add(p.by)
}

func (p *pushed) push(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by += d
}

// edits changes the configuration file.
func (w *world) edits(from, to string) {
	w.t.Helper()
	src, err := os.ReadFile(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	changed := strings.Replace(string(src), from, to, 1)
	if changed == string(src) {
		w.t.Fatalf("the configuration does not have %q", from)
	}
	if err := os.WriteFile(w.ConfigFile, []byte(changed), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// builds makes an app of the configuration, without running it.
func (w *world) builds(o app.Options) *app.App {
	w.t.Helper()
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		w.t.Fatal(err)
	}
	o.Config, o.Env, o.Logger = cfg, w.Env, w.logger()
	a, err := app.New(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}
