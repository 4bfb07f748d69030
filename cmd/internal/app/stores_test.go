package app_test

import (
	"bytes"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/store"
	"countersign/store/postgres/pgtest"
	"countersign/workflow"
)

// TestMain runs many worlds side by side, whatever the number of processors: most of a test here is waiting.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(pgtest.Main(m))
}

func TestConfig_Store(t *testing.T) {
	const rest = `
systems:
  - {name: gpu-lab, provider: compshare, region: cn-wlcb}
`
	for name, tc := range map[string]struct{ yaml, want, wrong string }{
		"default":  {"", "/etc/countersign.db", ""},
		"file":     {"store: {bolt: x.db}", "/etc/x.db", ""},
		"server":   {"store: {postgres: {}}", "PostgreSQL ($COUNTERSIGN_DATABASE_URL)", ""},
		"named":    {"store: {postgres: {dsn_env: MY_URL}}", "PostgreSQL ($MY_URL)", ""},
		"both":     {"store: {bolt: x.db, postgres: {}}", "", "not both"},
		"in plain": {"store: {postgres: {dsn_env: 'postgres://u:hunter2@h/d'}}", "", "the name of an environment variable"},
		"scalar":   {"store: {postgres: 'postgres://u:hunter2@h/d'}", "", "a mapping is needed"},
		"unknown":  {"store: {postgres: {url: x}}", "", "there is no such key"},
		"no path":  {"store: {bolt: ''}", "", "a path is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := app.ParseConfig("/etc/countersign.yaml", []byte(tc.yaml+rest))
			if tc.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wrong) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%v, want %q and no password", err, tc.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Store.String(); got != tc.want {
				t.Errorf("requests are kept in %s, want %s", got, tc.want)
			}
		})
	}
}

// TestApp_Postgres: the main job on PostgreSQL, what operators see of it, and what they see when it is away.
func TestApp_Postgres(t *testing.T) {
	server := pgtest.New(t)
	w := newWorld(t, rig.Options{Database: server.DSN(t)})
	r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training run")
	w.clicks("U0LEAD", card, "approve")
	w.becomes(r.Number, workflow.Done)
	if got := len(w.CompShare.Mutations()); got != 1 {
		t.Errorf("%d mutating calls, want 1", got)
	}
	cfg, err := app.LoadConfig(w.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{true, false} {
		direct := *cfg
		if !running {
			direct.Ops.Socket += ".none"
		}
		c, err := app.NewClient(t.Context(), &direct, w.Env)
		if err != nil {
			t.Fatal(err)
		}
		var head store.Head
		if err := c.JSON(t.Context(), "/audit/verify", &head); err != nil || head.Seq == 0 {
			t.Errorf("verify, running %v: %v %v", running, head, err)
		}
		if err := c.Backup(t.Context(), t.TempDir()+"/b"); err == nil || !strings.Contains(err.Error(), "pg_dump") {
			t.Errorf("backup, running %v: %v, want word of pg_dump", running, err)
		}
		c.Close()
	}
	ready := func() int {
		resp, err := http.Get("http://" + w.app.OpsAddr() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := ready(); got != http.StatusOK {
		t.Errorf("readyz %d, want 200", got)
	}
	server.Kill()
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("readyz without a database %d, want 503", got)
	}
	if answer := w.types("U0REQ", "invite 50003 to gpu-lab/1001 as 李四 because training run"); numberIn(answer) != 0 {
		t.Errorf("without a database the answer is %q", answer)
	}
	server.Start()
	w.eventually("ready again", func() bool { return ready() == http.StatusOK })
	w.asks("U0REQ", "invite 50003 to gpu-lab/1001 as 李四 because training run")
}

// TestApp_PostgresSecrets: the connection string's password is in no error of a start.
func TestApp_PostgresSecrets(t *testing.T) {
	server := pgtest.Shared(t)
	r, err := rig.Start(rig.Options{Dir: t.TempDir(), Database: server.DSN(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cfg, err := app.LoadConfig(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{
		"", "postgres://u:" + server.Password() + "@:x/", strings.Replace(server.DSN(t), "/postgres?", "/absent?", 1),
	} {
		env := func(name string) string {
			if name == app.DatabaseEnv {
				return dsn
			}
			return r.Env(name)
		}
		var log bytes.Buffer
		_, err := app.New(t.Context(), app.Options{Config: cfg, Env: env, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil {
			t.Errorf("%q was accepted", dsn)
			continue
		}
		if text := err.Error() + log.String(); strings.Contains(text, server.Password()) || strings.Contains(text, "dsn-pass") {
			t.Errorf("the password is shown: %s", text)
		}
	}
}

// TestMigrate_ThereAndBack: a request made on a file is decided on PostgreSQL, and the way back keeps it all.
func TestMigrate_ThereAndBack(t *testing.T) {
	dsn := pgtest.Shared(t).DSN(t)
	dir := t.TempDir()
	env := func(name string) string {
		if name == app.DatabaseEnv {
			return dsn
		}
		return ""
	}
	w := newWorld(t, rig.Options{Dir: dir})
	w.asks("U0REQ", "invite 50002 to gpu-lab/1001 as 张三 because training run")
	file, server := app.StoreConfig{Bolt: dir + "/countersign.db"}, app.StoreConfig{DSNEnv: app.DatabaseEnv}
	if _, err := app.Migrate(t.Context(), file, server, env, func(int) {}); err == nil {
		t.Error("a database in use was moved")
	}
	w.stop()
	there, err := app.Migrate(t.Context(), file, server, env, func(int) {})
	if err != nil || there.Number != 1 {
		t.Fatalf("there: %+v, %v", there, err)
	}
	if _, err := app.Migrate(t.Context(), file, server, env, func(int) {}); err == nil {
		t.Error("a database was moved onto another")
	}
	back, err := app.Migrate(t.Context(), server, app.StoreConfig{Bolt: dir + "/back.db"}, env, func(int) {})
	if err != nil || back.Head != there.Head || back.Keys != there.Keys {
		t.Errorf("back: %+v, %v; there: %+v", back, err, there)
	}
}
