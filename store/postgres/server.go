package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Errors of Open. Each says what an operator can do.
var (
	ErrBadDSN = errors.New("the connection string cannot be read: write postgres://user:password@host:5432/database?sslmode=verify-full")
	// ErrNotDurable: the server confirms what a power failure may take back.
	ErrNotDurable = errors.New("the server would lose requests that were confirmed")
)

const (
	connectTimeout = 3 * time.Second
	connLifetime   = 30 * time.Minute
	connIdle       = 5 * time.Minute
	// writers: the commit under way, and one that settles it.
	writers = 2
	// session bounds what the server does for us on its own: no statement and no forgotten transaction lasts.
	session = `set statement_timeout = '20s'; set lock_timeout = '5s'; set idle_in_transaction_session_timeout = '10s'`
)

// connect makes the pools. It does not contact the server.
func (d *DB) connect(ctx context.Context, dsn string) error {
	for _, p := range []struct {
		pool **pgxpool.Pool
		max  int32
	}{{&d.reads, d.opts.MaxReads}, {&d.writes, writers}} {
		cfg, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			d.closePools()
			return ErrBadDSN // the cause would quote the password
		}
		d.hide = hider(cfg.ConnConfig)
		cfg.MaxConns, cfg.MinConns = p.max, 0
		cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter, cfg.MaxConnIdleTime = connLifetime, connLifetime/10, connIdle
		c := cfg.ConnConfig
		if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
			c.ConnectTimeout = connectTimeout
		}
		if c.ValidateConnect == nil {
			c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
		if c.RuntimeParams["application_name"] == "" {
			c.RuntimeParams["application_name"] = "countersign"
		}
		c.OnNotice = noticed
		cfg.AfterConnect = d.vet
		if *p.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
			d.closePools()
			return err
		}
	}
	return nil
}

// unreplicated is the key, in a connection's own data, of whether a wait for a standby was cut short on it.
const unreplicated = "unreplicated"

// noticed looks for the one warning that matters: the server confirms a commit that the synchronous standby does not
// have, because somebody cancelled the wait.
func noticed(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		flag(c).Store(true)
	}
}

func flag(c *pgconn.PgConn) *atomic.Bool {
	f, ok := c.CustomData()[unreplicated].(*atomic.Bool)
	if !ok {
		f = &atomic.Bool{}
		c.CustomData()[unreplicated] = f
	}
	return f
}

// vet looks at each server that a connection was made to, before it is used.
func (d *DB) vet(ctx context.Context, c *pgx.Conn) error {
	var version string
	var fsync, commit *string
	err := c.QueryRow(ctx, `select version(), current_setting('fsync', true), current_setting('synchronous_commit', true)`).
		Scan(&version, &fsync, &commit)
	if err != nil {
		return err
	}
	if err := durable(version, fsync, commit); err != nil {
		return err
	}
	if _, encrypted := c.PgConn().Conn().(*tls.Conn); !encrypted && remote(c.PgConn().Conn()) {
		d.opts.Logger.WarnContext(ctx, "the connection to the database is not encrypted; set sslmode in the connection string")
	}
	_, err = c.PgConn().Exec(ctx, session).ReadAll()
	return err
}

// durable judges a server's settings. Those that are PostgreSQL in name only have a storage of their own, which these
// settings do not reach.
func durable(version string, fsync, commit *string) error {
	if strings.Contains(version, "CockroachDB") || strings.Contains(version, "-YB-") {
		return nil
	}
	if fsync != nil && *fsync == "off" {
		return fmt.Errorf("%w: fsync is off; set it on in postgresql.conf", ErrNotDurable)
	}
	if commit != nil && *commit == "off" {
		return fmt.Errorf("%w: synchronous_commit is off; set it on, for the server or for this user", ErrNotDurable)
	}
	return nil
}

func remote(c net.Conn) bool {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	return ok && !a.IP.IsLoopback()
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// redactor keeps a password out of errors.
type redactor struct{ secrets []string }

func hider(c *pgx.ConnConfig) redactor {
	var r redactor
	for _, s := range []string{c.Password, url.QueryEscape(c.Password), url.PathEscape(c.Password)} {
		const tellable = 3 // a shorter one would redact half of each error, and hide nothing
		if len(s) > tellable {
			r.secrets = append(r.secrets, s)
		}
	}
	return r
}

// in returns err, without the password should it be in there.
func (r redactor) in(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, "[redacted]")
	}
	if text == err.Error() {
		return err
	}
	return redactedError{text, err}
}

type redactedError struct {
	text  string
	cause error
}

// Error is the text without the password.
func (e redactedError) Error() string { return e.text }

// Is reports what the cause is, without giving it away.
func (e redactedError) Is(target error) bool { return errors.Is(e.cause, target) }
