package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/postgres"
	"countersign/store/postgres/pgtest"
	"countersign/store/storetest"
	"countersign/workflow"
)

var alice = workflow.Person{User: "U0ALICE", Team: "T0ONE"}

func mustOpen(t *testing.T, dsn string, opts postgres.Options) *postgres.DB {
	t.Helper()
	d, err := postgres.Open(t.Context(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestOpen_RefusesWhatIsNotDurable(t *testing.T) {
	s := pgtest.New(t, "fsync=off")
	_, err := postgres.Open(t.Context(), s.DSN(t), postgres.Options{})
	refused(t, s, err, postgres.ErrNotDurable, "fsync is off")
	s.Stop()
	s.Start("synchronous_commit=off")
	_, err = postgres.Open(t.Context(), s.DSN(t), postgres.Options{})
	refused(t, s, err, postgres.ErrNotDurable, "synchronous_commit is off")
}

func refused(t *testing.T, s *pgtest.Server, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("open: %v, want %v with %q", err, want, text)
	}
	if err != nil && strings.Contains(err.Error(), s.Password()) {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestOpen_Refuses(t *testing.T) {
	s := pgtest.Shared(t)
	dsn := s.DSN(t)
	for name, tc := range map[string]struct{ dsn, text string }{
		"no DSN":      {"postgres://u:" + s.Password() + "@:port/x", "cannot be read"},
		"no server":   {strings.Replace(dsn, "port=5432", "port=5433", 1), "5433"},
		"no database": {strings.Replace(dsn, "/postgres?", "/absent?", 1), "absent"},
	} {
		_, err := postgres.Open(t.Context(), tc.dsn, postgres.Options{Timeout: 300 * time.Millisecond})
		if err == nil || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want %q", name, err, tc.text)
		}
		if err != nil && (strings.Contains(err.Error(), s.Password()) || strings.Contains(err.Error(), "dsn-pass%2Fword")) {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
	for name, tc := range map[string]struct {
		sql  string
		want error
	}{
		"other columns": {`create table kv (k text primary key, v text)`, postgres.ErrForeign},
		"other rows":    {`create table kv (k bytea primary key, v bytea not null, rev bigint not null); insert into kv values ('x', '', 1)`, postgres.ErrForeign},
		"newer": {
			`create table kv (k bytea primary key, v bytea not null, rev bigint not null); insert into kv values ('\x0001', '{"engine": 2}', 1)`,
			store.ErrNewer,
		},
	} {
		dsn := s.DSN(t)
		s.ExecIn(t, dsn, tc.sql)
		if _, err := postgres.Open(t.Context(), dsn, postgres.Options{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestOpen_ManyAtOnce(t *testing.T) {
	dsn := pgtest.Shared(t).DSN(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			d, err := postgres.Open(t.Context(), dsn, postgres.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			s, err := store.Open(t.Context(), d, store.Options{})
			if err != nil {
				t.Error(err)
				d.Close()
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDB_RefusesItsOwnKeys(t *testing.T) {
	d := mustOpen(t, pgtest.Shared(t).DSN(t), postgres.Options{})
	for _, key := range [][]byte{{}, {0}, {0, 2, 7}} {
		if _, err := d.Get(t.Context(), key); err == nil {
			t.Errorf("get of key %x was not refused", key)
		}
		if _, err := d.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: key}}}); err == nil {
			t.Errorf("put of key %x was not refused", key)
		}
	}
	if items, err := d.Scan(t.Context(), nil, []byte{0xff}, 10, false); err != nil || len(items) != 0 {
		t.Errorf("a scan from the start shows %v, %v", items, err)
	}
}

// load commits from several goroutines until stop, and keeps what was acknowledged.
type load struct {
	t     *testing.T
	acked sync.Map
	count atomic.Int64
	stop  atomic.Bool
	wg    sync.WaitGroup
	last  atomic.Int64 // when the last acknowledgement came
}

func startLoad(t *testing.T, stores ...*store.Store) *load {
	l := &load{t: t}
	for i, s := range stores {
		for w := range 3 {
			l.wg.Go(func() {
				for n := 0; !l.stop.Load(); n++ {
					l.submit(s, fmt.Sprintf("%d-%d-%d", i, w, n))
				}
			})
		}
	}
	return l
}

// submit asks until it is told that the request is stored, with the same delivery, as Slack does.
func (l *load) submit(s *store.Store, delivery string) {
	for !l.stop.Load() {
		n, err := s.Reserve(l.t.Context(), 1)
		if err != nil {
			l.t.Error(err)
			return
		}
		r := storetest.NewRequest(n, alice)
		r.Reason = delivery
		_, err = s.Commit(l.t.Context(), storetest.Submission(delivery, r))
		var dup *workflow.DuplicateError
		switch {
		case errors.As(err, &dup):
			n = dup.Numbers[0]
		case errors.Is(err, store.ErrFailed):
			if !l.stop.Load() {
				l.t.Errorf("the engine has failed: %v", err)
			}
			return
		case err != nil:
			time.Sleep(time.Millisecond)
			continue
		}
		if _, twice := l.acked.LoadOrStore(n, delivery); twice {
			l.t.Errorf("number %d was acknowledged twice", n)
		}
		l.count.Add(1)
		l.last.Store(time.Now().UnixNano())
		return
	}
}

// progress waits until so many more are acknowledged.
func (l *load) progress(n int64) {
	l.t.Helper()
	want, deadline := l.count.Load()+n, time.Now().Add(60*time.Second)
	for l.count.Load() < want {
		if time.Now().After(deadline) {
			l.t.Fatalf("after 60 s: no service")
		}
		time.Sleep(time.Millisecond)
	}
}

// check ends the load and demands that all that was acknowledged is stored, once, and nothing is torn.
func (l *load) check(s *store.Store) {
	l.t.Helper()
	l.stop.Store(true)
	l.wg.Wait()
	seen := map[string]workflow.Number{}
	err := l.each(s, func(r workflow.Request) {
		if other, twice := seen[r.Reason]; twice {
			l.t.Errorf("delivery %s made requests %d and %d", r.Reason, other, r.Number)
		}
		seen[r.Reason] = r.Number
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.acked.Range(func(n, delivery any) bool {
		if seen[delivery.(string)] != n {
			l.t.Errorf("request %d of %s was acknowledged; stored is %d", n, delivery, seen[delivery.(string)])
		}
		return true
	})
	if err := s.CheckIndexes(l.t.Context()); err != nil {
		l.t.Error(err)
	}
	if _, err := s.Verify(l.t.Context()); err != nil {
		l.t.Error(err)
	}
	l.t.Logf("%d acknowledged, %d stored", l.count.Load(), len(seen))
}

func (l *load) each(s *store.Store, f func(workflow.Request)) error {
	q := workflow.Query{Limit: store.MaxScan}
	for {
		rs, err := s.List(l.t.Context(), q)
		if err != nil || len(rs) == 0 {
			return err
		}
		for _, r := range rs {
			f(r)
			q.Before = r.Number
		}
	}
}

func stores(t *testing.T, dsn string, n int, log *slog.Logger) []*store.Store {
	t.Helper()
	var list []*store.Store
	for range n {
		d, err := postgres.Open(t.Context(), dsn, postgres.Options{Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), d, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		list = append(list, s)
	}
	return list
}

// TestDB_CutAndRestarted: connections are cut at random times and the server is shut down and killed while three
// replicas commit. Nothing that was acknowledged is lost, nothing is stored twice, and service resumes by itself.
func TestDB_CutAndRestarted(t *testing.T) {
	s := pgtest.New(t)
	dsn := s.DSN(t)
	var text syncBuffer
	all := stores(t, dsn, 3, slog.New(slog.NewTextHandler(&text, nil)))
	l := startLoad(t, all...)
	for range 40 {
		l.progress(10)
		s.Cut()
	}
	for _, end := range []func(){s.Stop, s.Kill, s.Kill} {
		l.progress(50)
		end()
		s.Start()
		begun := time.Now()
		l.progress(1)
		t.Logf("service resumed %v after the server", time.Since(begun))
	}
	l.progress(50)
	l.check(all[0])
	unclear := strings.Count(text.String(), "the answer to a commit was lost")
	t.Logf("%d commits had to be looked up", unclear)
	if unclear == 0 {
		t.Error("no commit was ever unclear: the test tests nothing")
	}
	if strings.Contains(text.String(), s.Password()) {
		t.Error("the log shows the password")
	}
}

// TestDB_Failover: the primary is killed and its synchronous standby promoted while three replicas commit.
func TestDB_Failover(t *testing.T) {
	primary := pgtest.New(t, "wal_level=replica")
	dsn := primary.DSN(t)
	standby := primary.Standby("standby")
	primary.Exec(`alter system set synchronous_standby_names = 'standby'`)
	primary.Exec(`select pg_reload_conf()`)
	all := stores(t, primary.With(dsn, standby), 3, slog.New(slog.DiscardHandler))
	l := startLoad(t, all...)
	l.progress(300)
	primary.Kill()
	standby.Promote()
	standby.Exec(`alter system set synchronous_standby_names = ''`)
	standby.Exec(`select pg_reload_conf()`)
	begun := time.Now()
	l.progress(300)
	t.Logf("300 commits within %v after the promotion", time.Since(begun))
	l.check(all[0])
}

// TestDB_Stopping: a commit whose server is gone for good has no result; whoever closes the store need not wait for one.
func TestDB_Stopping(t *testing.T) {
	s := pgtest.New(t)
	all := stores(t, s.DSN(t), 1, slog.New(slog.DiscardHandler))
	l := startLoad(t, all...)
	l.progress(20)
	s.Kill()
	time.Sleep(300 * time.Millisecond)
	l.stop.Store(true)
	begun := time.Now()
	if err := all[0].Close(); err != nil {
		t.Error(err)
	}
	l.wg.Wait()
	if d := time.Since(begun); d > 8*time.Second {
		t.Errorf("closing took %v", d)
	}
}

// TestDB_PoolExhausted: reads that use up all connections do not keep commits from theirs.
func TestDB_PoolExhausted(t *testing.T) {
	s := pgtest.Shared(t)
	dsn := s.DSN(t)
	d := mustOpen(t, dsn, postgres.Options{MaxReads: 2})
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 16 {
		wg.Go(func() {
			for !stop.Load() {
				if _, err := d.Scan(t.Context(), []byte("a"), []byte("z"), 1000, false); err != nil {
					t.Errorf("scan: %v", err)
					return
				}
			}
		})
	}
	for i := range 50 {
		if _, err := d.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: fmt.Append(nil, "k", i), Value: []byte("v")}}}); err != nil {
			t.Errorf("commit: %v", err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// TestDB_Changed: another handle hears of a commit, the one that made it does not.
func TestDB_Changed(t *testing.T) {
	dsn := pgtest.Shared(t).DSN(t)
	var heard [2]atomic.Int64
	var d [2]*postgres.DB
	for i := range d {
		d[i] = mustOpen(t, dsn, postgres.Options{Changed: func() { heard[i].Add(1) }})
	}
	until := func(what string, cond func() bool) {
		for deadline := time.Now().Add(60 * time.Second); !cond(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after 60 s: not %s", what)
			}
		}
	}
	until("both listen", func() bool { return heard[0].Load() > 0 && heard[1].Load() > 0 })
	before := heard[1].Load()
	if _, err := d[0].Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: []byte("k")}}}); err != nil {
		t.Fatal(err)
	}
	until("the other has heard", func() bool { return heard[1].Load() > before })
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
