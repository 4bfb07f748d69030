// Package pgtest starts real PostgreSQL servers for tests, from the programs of Debian's package.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// nobody runs the servers where the tests run as root, which PostgreSQL refuses.
	nobody    = 65534
	port      = "5432"
	startTime = 60 * time.Second
)

// Server is one PostgreSQL server. It listens on a unix socket in a directory of its own.
type Server struct {
	dir  string
	tb   testing.TB
	exit chan struct{}
	pid  int
}

// run is what this process has made once for all its servers.
var run struct {
	sync.Mutex
	dir    string
	shared *Server
	failed error
	count  atomic.Int64
}

// Main runs a package's tests and takes away what Shared and New have left.
func Main(m *testing.M) int {
	code := m.Run()
	run.Lock()
	defer run.Unlock()
	if run.shared != nil {
		run.shared.Kill()
	}
	if run.dir != "" {
		_ = os.RemoveAll(run.dir)
	}
	return code
}

// Shared returns the server that all tests of a run share. Each test takes a database of its own from it, with DSN.
// The package's TestMain must end with Main. Without PostgreSQL the test is skipped, in CI it fails.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	template := prepare(tb)
	run.Lock()
	defer run.Unlock()
	if run.shared == nil {
		s, err := newServer(template)
		if err == nil {
			err = s.start("max_connections=400")
		}
		if err != nil {
			tb.Fatalf("start PostgreSQL: %v", err)
		}
		run.shared = s
	}
	return run.shared
}

// New starts a server for one test, which may kill it, with settings as in "fsync=off". See Shared.
func New(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	template := prepare(tb)
	s, err := newServer(template)
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	s.tb = tb
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(s.dir)
	})
	s.Start(settings...)
	return s
}

// prepare makes a new database cluster once in a run, which the servers copy.
func prepare(tb testing.TB) (template string) {
	tb.Helper()
	bin, err := program("initdb")
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("%v: CI must run these tests", err)
		}
		tb.Skipf("%v: tests on a real PostgreSQL are skipped; apt-get install postgresql-15", err)
	}
	run.Lock()
	defer run.Unlock()
	if run.dir == "" && run.failed == nil {
		run.failed = initdb(bin)
	}
	if run.failed != nil {
		tb.Fatalf("make a database cluster: %v", run.failed)
	}
	return filepath.Join(run.dir, "template")
}

func initdb(bin string) error {
	dir, err := os.MkdirTemp("", "countersign-pg-")
	if err != nil {
		return err
	}
	run.dir = dir
	if err := own(dir); err != nil {
		return err
	}
	return command(bin, "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D", filepath.Join(dir, "template"))
}

// own gives a directory to whoever runs the servers, and lets everybody pass through it.
func own(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}

// program finds one of PostgreSQL's programs, of the newest version on the machine.
func program(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("there is no %s in PATH nor in /usr/lib/postgresql: %w", name, fs.ErrNotExist)
	}
	return slices.Max(found), nil
}

func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}

// command runs a program to its end.
func command(bin string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c := exec.CommandContext(ctx, bin, args...)
	c.SysProcAttr, c.Dir = attributes(), "/"
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", bin, err, out)
	}
	return nil
}

func newServer(template string) (*Server, error) {
	s := &Server{dir: filepath.Join(filepath.Dir(template), fmt.Sprint("server", run.count.Add(1)))}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return nil, err
	}
	if err := own(s.dir); err != nil {
		return nil, err
	}
	if template == "" {
		return s, nil
	}
	return s, command("/bin/cp", "-a", template, s.data())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Start starts a server that was stopped or killed, on the data that it had.
func (s *Server) Start(settings ...string) {
	s.tb.Helper()
	if err := s.start(settings...); err != nil {
		s.tb.Fatalf("start PostgreSQL: %v", err)
	}
}

func (s *Server) start(settings ...string) error {
	bin, err := program("postgres")
	if err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-k", s.dir, "-p", port, "-c", "listen_addresses=", "-c", "shared_buffers=32MB"}
	for _, set := range settings {
		args = append(args, "-c", set)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has it
	c := exec.CommandContext(context.Background(), bin, args...)
	c.SysProcAttr, c.Dir, c.Stdout, c.Stderr = attributes(), "/", log, log
	started := make(chan error)
	s.exit = make(chan struct{})
	go func() {
		// The server is told when the thread that started it ends, so that must live as long.
		runtime.LockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait()
		}
		close(s.exit)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.pid = c.Process.Pid
	return s.await()
}

// await waits until the server answers.
func (s *Server) await() error {
	deadline := time.Now().Add(startTime)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, s.dsn("postgres"))
		if err == nil {
			_ = c.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-s.exit:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("it has ended: %s", text)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not answer: %w", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Kill ends the server as a crash does: nothing is flushed, the next start recovers from the log.
func (s *Server) Kill() { s.end(syscall.SIGQUIT) }

// Stop shuts the server down: connections are cut, all is written.
func (s *Server) Stop() { s.end(syscall.SIGINT) }

func (s *Server) end(sig syscall.Signal) {
	if s.pid == 0 {
		return
	}
	_ = syscall.Kill(s.pid, sig)
	<-s.exit
	s.pid = 0
}

// Standby starts a second server that follows this one. Its own name, for synchronous_standby_names, is given.
func (s *Server) Standby(name string) *Server {
	s.tb.Helper()
	bin, err := program("pg_basebackup")
	if err != nil {
		s.tb.Fatal(err)
	}
	b, err := newServer(filepath.Join(filepath.Dir(s.dir), "template"))
	if err == nil {
		err = os.RemoveAll(b.data())
	}
	if err == nil {
		err = command(bin, "-D", b.data(), "-R", "--checkpoint=fast", "--no-sync",
			"-d", "host="+s.dir+" port="+port+" user=postgres application_name="+name)
	}
	if err != nil {
		s.tb.Fatalf("copy the primary: %v", err)
	}
	b.tb = s.tb
	s.tb.Cleanup(func() {
		b.Kill()
		_ = os.RemoveAll(b.dir)
	})
	b.Start()
	return b
}

// Promote makes a standby a primary.
func (s *Server) Promote() {
	s.tb.Helper()
	s.Exec(`select pg_promote(true)`)
}

// Exec runs SQL as the superuser.
func (s *Server) Exec(sql string, args ...any) {
	if err := s.exec("postgres", sql, args...); err != nil {
		s.tb.Helper()
		s.tb.Fatalf("%s: %v", sql, err)
	}
}

// ExecIn runs SQL, statements without arguments, in the schema of a DSN.
func (s *Server) ExecIn(tb testing.TB, dsn, sql string) {
	if err := exec1(dsn, sql); err != nil {
		tb.Helper()
		tb.Fatalf("%s: %v", sql, err)
	}
}

func (s *Server) exec(database, sql string, args ...any) error {
	return exec1(s.dsn(database), sql, args...)
}

func exec1(dsn, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sql, args...)
	return errors.Join(err, c.Close(ctx))
}

// Cut ends all connections to the server, as a network or an administrator does.
func (s *Server) Cut() {
	_ = s.exec("postgres", `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'countersign%' and pid <> pg_backend_pid()`)
}

// password is in every DSN: no test may ever see it printed. The server trusts whoever reaches the socket.
const password = "dsn-pass/word"

// Password is the password in every DSN, which must appear nowhere.
func (*Server) Password() string { return password }

func (s *Server) dsn(database string, hosts ...string) string {
	q := url.Values{"host": append([]string{s.dir}, hosts...), "port": {port}}
	return (&url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password), Path: "/" + database, RawQuery: q.Encode()}).String()
}

// DSN makes a new schema and returns how to connect to it.
func (s *Server) DSN(tb testing.TB) string {
	tb.Helper()
	schema := fmt.Sprint("test_", run.count.Add(1))
	if err := s.exec("postgres", `create schema `+schema); err != nil {
		tb.Fatalf("make a schema: %v", err)
	}
	return s.dsn("postgres") + "&search_path=" + schema
}

// With returns a DSN of this server with another one to turn to: what of the two can be written to is used.
func (s *Server) With(dsn string, other *Server) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn
	}
	q := u.Query()
	q.Set("host", s.dir+","+other.dir)
	q.Set("port", port+","+port)
	u.RawQuery = q.Encode()
	return u.String()
}

// Socket is the path of the server's unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL."+port) }
