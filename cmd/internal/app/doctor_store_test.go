package app_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/postgres/pgtest"
)

// TestDoctor_BreaksTheDatabase breaks what doctor says of the database, one thing at a time.
func TestDoctor_BreaksTheDatabase(t *testing.T) {
	for _, c := range []struct {
		broken string
		do     func(*patient)
		status app.Severity
		name   string
		what   string
	}{
		{"no directory", func(p *patient) {
			p.edit = func(s string) string { return strings.Replace(s, "./countersign.db", "./nowhere/countersign.db", 1) }
		}, app.Fail, "store", "may not be written"},
		{"no room for a backup", func(p *patient) {
			p.makeDatabase(0o600)
			var fs syscall.Statfs_t
			if err := syscall.Statfs(p.dir, &fs); err != nil {
				p.t.Fatal(err)
			}
			// A file with a hole is as long as a large database, and takes no room.
			if err := os.Truncate(filepath.Join(p.dir, "countersign.db"), int64(fs.Bavail)*fs.Bsize+1<<30); err != nil {
				p.t.Skipf("no file of that length can be made here: %v", err)
			}
		}, app.Warn, "space", "are free"},
		{"an entry was changed", func(p *patient) {
			p.makeDatabase(0o600)
			p.makeDatabase(0o600) // a second start is a second entry
			kv, err := bolt.Open(p.t.Context(), filepath.Join(p.dir, "countersign.db"), bolt.Options{})
			if err != nil {
				p.t.Fatal(err)
			}
			defer kv.Close()
			first, err := kv.Scan(p.t.Context(), []byte("a"), []byte("b"), 1, false)
			if err != nil || len(first) == 0 {
				p.t.Fatalf("%d entries, %v", len(first), err)
			}
			first[0].Value[len(first[0].Value)-3] ^= 1
			if _, err := kv.Commit(p.t.Context(), store.Txn{Puts: []store.Put{{Key: first[0].Key, Value: first[0].Value}}}); err != nil {
				p.t.Fatal(err)
			}
		}, app.Fail, "chain", "audit entry 1"},
		{"something else answers on the socket", func(p *patient) {
			l, err := (&net.ListenConfig{}).Listen(p.t.Context(), "unix", filepath.Join(p.dir, "countersign.sock"))
			if err != nil {
				p.t.Fatal(err)
			}
			s := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
			go func() { _ = s.Serve(l) }()
			p.t.Cleanup(func() { _ = s.Close() })
		}, app.Fail, "serve", "not what it should"},
	} {
		t.Run(c.broken, func(t *testing.T) {
			p := newPatient(t, rig.Options{})
			c.do(p)
			demand(t, p.examine(t.Context()), c.status, c.name, c.what)
		})
	}
}

// TestDoctor_Postgres: doctor knows the engine, makes no table, and says what to do where the server is away.
func TestDoctor_Postgres(t *testing.T) {
	server := pgtest.New(t)
	p := newPatient(t, rig.Options{Database: server.DSN(t)})
	for range 2 { // the first look has made nothing
		demand(t, p.examine(t.Context()), app.OK, "store", "is empty")
	}
	w := &world{Rig: p.Rig, t: t, log: &logbook{t: t}}
	w.start()
	w.stop()
	all := p.examine(t.Context())
	demand(t, all, app.OK, "store", "PostgreSQL ($COUNTERSIGN_DATABASE_URL) can be read and written")
	demand(t, all, app.OK, "chain", "whole")
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	all = p.examine(ctx)
	demand(t, all, app.Fail, "store", "cannot be opened")
	for _, f := range all {
		if f.Name == "store" && !strings.Contains(f.Mend, "start the server") {
			t.Errorf("the mend is %q", f.Mend)
		}
		if strings.Contains(f.String(), server.Password()) {
			t.Errorf("the password is shown: %s", f)
		}
	}
}
