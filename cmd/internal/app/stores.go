package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/prometheus/client_golang/prometheus"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/postgres"
)

// DatabaseEnv names the environment variable that holds the connection string, where the configuration names no other.
const DatabaseEnv = "COUNTERSIGN_DATABASE_URL"

// StoreConfig is where requests are kept: in a bbolt file, or in a PostgreSQL database that several replicas share.
type StoreConfig struct {
	// Bolt is the file; empty where PostgreSQL is used.
	Bolt string
	// DSNEnv names the environment variable that holds the connection string; empty where a file is used.
	DSNEnv string
}

// String says where requests are kept, without the connection string, which bears a password.
func (c StoreConfig) String() string {
	if c.DSNEnv != "" {
		return "PostgreSQL ($" + c.DSNEnv + ")"
	}
	return c.Bolt
}

// replica is a name for this life of this process among those that share the database; empty where nobody can.
func (c StoreConfig) replica() string {
	if c.DSNEnv == "" {
		return ""
	}
	host, _ := os.Hostname()
	return host + "/" + rand.Text()[:8]
}

// elsewhere is told that another replica has committed.
func (a *App) elsewhere() {
	if r := a.wake.Load(); r != nil {
		r.Wake()
		a.bot.Changed()
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Engine is the engine's name.
func (c StoreConfig) Engine() string {
	if c.DSNEnv != "" {
		return "postgres"
	}
	return "bolt"
}

func (c *Config) readStore(r *reader, n ast.Node) {
	var file, server bool
	r.mapping(n, "store", fields{
		"bolt": func(n ast.Node) {
			file = true
			if c.Store.Bolt = r.text(n, "store.bolt"); c.Store.Bolt == "" {
				r.fail(n, "store.bolt", "a path is needed")
			}
		},
		"postgres": func(n ast.Node) {
			server = true
			c.Store.DSNEnv = DatabaseEnv
			r.mapping(n, "store.postgres", fields{
				"dsn_env": func(n ast.Node) {
					if c.Store.DSNEnv = r.text(n, "store.postgres.dsn_env"); !envName.MatchString(c.Store.DSNEnv) {
						r.fail(n, "store.postgres.dsn_env", "the name of an environment variable is needed, not the connection string: it bears a password")
					}
				},
			})
		},
	})
	switch {
	case file && server:
		r.fail(n, "store", "either bolt or postgres, not both")
	case server:
		c.Store.Bolt = ""
	}
}

var errNoDatabase = errors.New("there is no database")

// openKV opens the engine that the configuration names. Changed is told, where that is to be had, that another replica
// has committed; nil where nobody wants to know. Existing has it make no database where there is none.
func openKV(ctx context.Context, c StoreConfig, env func(string) string, log *slog.Logger, existing bool, changed func()) (store.KV, error) {
	if c.DSNEnv == "" {
		if _, err := os.Stat(c.Bolt); existing && err != nil {
			return nil, fmt.Errorf("%w: %w", errNoDatabase, err)
		}
		kv, err := bolt.Open(ctx, c.Bolt, bolt.Options{Logger: log})
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", c.Bolt, err)
		}
		return kv, nil
	}
	dsn, err := secret(c.DSNEnv, env)
	switch {
	case err != nil:
		return nil, misconfigured("%v", err)
	case dsn == "":
		return nil, misconfigured("%s is not set (nor %s_FILE): the connection string of the PostgreSQL database", c.DSNEnv, c.DSNEnv)
	}
	db, err := postgres.Open(ctx, dsn, postgres.Options{Logger: log, Existing: existing, Changed: changed})
	if errors.Is(err, postgres.ErrEmpty) {
		return nil, fmt.Errorf("%w: %s: %w", errNoDatabase, c, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.DSNEnv, err)
	}
	return db, nil
}

// openStore opens the engine and the store in it.
func openStore(ctx context.Context, c StoreConfig, env func(string) string, existing bool, changed func(), opts store.Options) (store.KV, *store.Store, error) {
	kv, err := openKV(ctx, c, env, opts.Logger, existing, changed)
	if err != nil {
		return nil, nil, err
	}
	s, err := store.Open(ctx, kv, opts)
	if err != nil {
		_ = kv.Close()
		return nil, nil, fmt.Errorf("read %s: %w", c, err)
	}
	return kv, s, nil
}

// watchEngine adds the gauge that names the engine.
func (m *metrics) watchEngine(name string) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_store_engine", Help: "1, labelled with the engine that keeps the requests.",
		ConstLabels: prometheus.Labels{"engine": name},
	})
	g.Set(1)
	m.registry.MustRegister(g)
}

// away says why the database does not answer; nil where it does, or where it is a file of this process.
func (a *App) away(r *http.Request) error {
	db, ok := a.kv.(interface {
		Ping(ctx context.Context) error
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	return db.Ping(ctx)
}
