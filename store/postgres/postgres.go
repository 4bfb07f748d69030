package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/store"
)

// Options of Open; the zero value is fine.
type Options struct {
	// Logger gets warnings; nil discards them.
	Logger *slog.Logger
	// MaxReads is how many connections reads may use at once; zero is 8. Commits have two more, and Changed one.
	MaxReads int32
	// Timeout bounds one read, and how long a commit is tried that the server has not begun; zero is 1.2 s, so that a
	// person is told of a database that is away before Slack gives up on the bot.
	Timeout time.Duration
	// Existing has Open make nothing where there is no table: it is ErrEmpty then.
	Existing bool
	// Changed, if set, is told soon after another handle has committed. It is a hint: it may come late, twice or never,
	// and servers without LISTEN never give it.
	Changed func()
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxReads <= 0 {
		o.MaxReads = 8
	}
	if o.Timeout <= 0 {
		o.Timeout = 1200 * time.Millisecond
	}
	return o
}

// DB is a store.KV in a database that others may use at the same time. Its methods may be called concurrently.
type DB struct {
	opts   Options
	reads  *pgxpool.Pool
	writes *pgxpool.Pool
	hide   redactor
	// handle is the key of this handle's row.
	handle []byte

	// committing lets one commit of this handle through at a time: its row can tell of one only.
	committing sync.Mutex
	failed     atomic.Bool
	stopping   chan struct{}
	stop       sync.Once
	closing    sync.Once

	notify *notifier
}

var _ store.KV = (*DB)(nil)

// handleSize is the size of what tells one handle from another, and of a commit's ID.
const handleSize = 16

// Open connects to the database that a DSN names (https://www.postgresql.org/docs/current/libpq-connect.html, as a URL or
// as keywords and values), makes or upgrades the table, and returns a handle on it. Its errors never show the password.
func Open(ctx context.Context, dsn string, opts Options) (*DB, error) {
	d := &DB{opts: opts.withDefaults(), stopping: make(chan struct{})}
	id := newID()
	d.handle = append([]byte{reserved, handleFamily}, id...)
	if err := d.connect(ctx, dsn); err != nil {
		return nil, fmt.Errorf("open database: %w", d.hide.in(err))
	}
	err := d.prepare(ctx)
	if err == nil {
		err = d.register(ctx)
	}
	if err != nil {
		d.closePools()
		return nil, fmt.Errorf("open database: %w", d.hide.in(err))
	}
	d.notify = startNotifier(d, fmt.Sprintf("%x", id))
	return d, nil
}

func newID() []byte {
	id := make([]byte, handleSize)
	rand.Read(id) // it never fails
	return id
}

var errReserved = errors.New("the key begins with a zero byte: those are the engine's own")

// Get implements store.KV.
func (d *DB) Get(ctx context.Context, keys ...[]byte) ([]store.Item, error) {
	if len(keys) == 0 {
		return []store.Item{}, nil
	}
	for _, k := range keys {
		if isReserved(k) {
			return nil, fmt.Errorf("get key %x: %w", k, errReserved)
		}
	}
	found := make(map[string]store.Item, len(keys))
	err := d.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		clear(found)
		rows, err := c.Query(ctx, `select k, v, rev from kv where k = any($1::bytea[])`, keys)
		return each(rows, err, func(it store.Item) { found[string(it.Key)] = it })
	})
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	items := make([]store.Item, len(keys))
	for i, k := range keys {
		it := found[string(k)]
		items[i] = store.Item{Key: bytes.Clone(k), Value: bytes.Clone(it.Value), Rev: it.Rev}
	}
	return items, nil
}

// Scan implements store.KV.
func (d *DB) Scan(ctx context.Context, from, to []byte, limit int, reverse bool) ([]store.Item, error) {
	if limit < 1 || limit > store.MaxScan {
		return nil, fmt.Errorf("scan of %d items: the limit is 1 to %d", limit, store.MaxScan)
	}
	if bytes.Compare(from, firstFree) < 0 {
		from = firstFree
	}
	query := `select k, v, rev from kv where k >= $1 and k < $2 order by k limit $3`
	if reverse {
		query = `select k, v, rev from kv where k >= $1 and k < $2 order by k desc limit $3`
	}
	var items []store.Item
	err := d.read(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		items = items[:0]
		rows, err := c.Query(ctx, query, from, to, limit)
		return each(rows, err, func(it store.Item) { items = append(items, it) })
	})
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	return items, nil
}

func each(rows pgx.Rows, err error, f func(store.Item)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var it store.Item
		var rev int64
		if err := rows.Scan(&it.Key, &it.Value, &rev); err != nil {
			return err
		}
		it.Rev = uint64(rev)
		f(it)
	}
	return rows.Err()
}

// read runs f with a connection, and again where the server or the way to it was at fault: reading twice does no harm.
func (d *DB) read(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) error {
	if d.failed.Load() {
		return store.ErrFailed
	}
	ctx, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	for try := 0; ; try++ {
		err := d.reads.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return f(ctx, c) })
		if err == nil || !passing(err) || !pause(ctx, try) {
			return d.hide.in(err)
		}
	}
}

// pause waits before another try, longer each time; false if ctx has ended.
func pause(ctx context.Context, try int) bool {
	const first, longest = 5 * time.Millisecond, 250 * time.Millisecond
	timer := time.NewTimer(jitter(min(first<<min(try, 10), longest)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Ping reports why the database cannot be used; nil where it can.
func (d *DB) Ping(ctx context.Context) error {
	_, err := d.Get(ctx, firstFree)
	return err
}

// Stopping says that Close will follow: a commit that waits for the server to come back waits no longer. It then is
// store.ErrFailed.
func (d *DB) Stopping() { d.stop.Do(func() { close(d.stopping) }) }

// Close implements store.KV. It waits for calls that are under way.
func (d *DB) Close() error {
	d.closing.Do(func() {
		d.Stopping()
		d.notify.close()
		d.committing.Lock() // waits for a commit under way
		defer d.committing.Unlock()
		d.unregister()
		d.closePools()
	})
	return nil
}

func (d *DB) closePools() {
	if d.writes != nil {
		d.writes.Close()
	}
	if d.reads != nil {
		d.reads.Close()
	}
}
