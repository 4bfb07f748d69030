package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/store"
)

// ErrNewer says that a newer version of this program has written the table.
var ErrNewer = fmt.Errorf("%w (table kv)", store.ErrNewer)

// ErrForeign says that there is a table of that name which is not ours.
var ErrForeign = errors.New("the table kv is not a database of Countersign; give it a schema of its own, with search_path in the connection string")

// ErrEmpty says that nothing was made in the database yet; see Options.Existing.
var ErrEmpty = errors.New("it is empty: serve makes its table when it first starts")

const (
	// reserved is the first byte of the engine's own keys.
	reserved      = 0
	formatFamily  = 1
	handleFamily  = 2
	engineVersion = 1
	// forgetHandles is after how many commits of others the row of a handle that was never closed is removed. A handle
	// that still lives then, and has lost its row, takes itself for failed.
	forgetHandles = 1_000_000
)

var (
	counterKey = []byte{reserved}
	formatKey  = []byte{reserved, formatFamily}
	handlesKey = []byte{reserved, handleFamily}
	handlesEnd = []byte{reserved, handleFamily + 1}
	firstFree  = []byte{reserved + 1}
)

func isReserved(key []byte) bool { return len(key) == 0 || key[0] == reserved }

// engine is what the table is.
type engine struct {
	Engine int `json:"engine"`
}

// prepare makes the table where there is none, and checks one that is there. Any number of handles may do so at once.
func (d *DB) prepare(ctx context.Context) error {
	const patience = 10 // times as long as a read: the server may be starting too
	ctx, cancel := context.WithTimeout(ctx, patience*d.opts.Timeout)
	defer cancel()
	var before error
	for try := 0; ; try++ {
		err := d.writes.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return ensure(ctx, c.Conn(), d.opts.Existing) })
		if err != nil && ctx.Err() != nil && before != nil {
			return before // which says why, and not only that the time is over
		}
		if err == nil || !passing(err) && !raced(err) || !pause(ctx, try) {
			return err
		}
		before = err
	}
}

// raced reports that another handle was faster to make the table.
func raced(err error) bool {
	switch codeOf(err) {
	case "23505", "42P07", "42710", "XX000": // a row of the catalogue, the table, its type; "tuple concurrently updated"
		return true
	default:
		return false
	}
}

const noTable = "42P01"

func ensure(ctx context.Context, c *pgx.Conn, existing bool) error {
	var v []byte
	err := c.QueryRow(ctx, `select v from kv where k = $1`, formatKey).Scan(&v)
	switch {
	case err == nil:
		return check(v)
	case existing && (errors.Is(err, pgx.ErrNoRows) || codeOf(err) == noTable):
		return ErrEmpty
	case errors.Is(err, pgx.ErrNoRows):
		return create(ctx, c)
	case codeOf(err) == noTable:
		if _, err := c.Exec(ctx, `create table if not exists kv (k bytea primary key, v bytea not null, rev bigint not null)`); err != nil {
			return err
		}
		return create(ctx, c)
	case misfit(codeOf(err)):
		return ErrForeign
	default:
		return err
	}
}

// misfit reports that a table has other columns, or columns of other types.
func misfit(code string) bool {
	switch code {
	case "42703", "42804", "42883", "22021", "22P02":
		return true
	default:
		return false
	}
}

// create writes the first rows of a table. If another handle is faster, its rows stay.
func create(ctx context.Context, c *pgx.Conn) error {
	var foreign bool
	if err := c.QueryRow(ctx, `select exists (select 1 from kv where k >= $1)`, firstFree).Scan(&foreign); err != nil {
		return err
	}
	if foreign {
		return ErrForeign
	}
	format, err := json.Marshal(engine{engineVersion})
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, `insert into kv (k, v, rev) values ($1, $3, 0), ($2, '', 0) on conflict (k) do nothing`, formatKey, counterKey, format)
	return err
}

// check judges what a table says that it is. Version 1 is the first: an older one would be upgraded here, under the lock
// of the counter.
func check(v []byte) error {
	var e engine
	if err := json.Unmarshal(v, &e); err != nil || e.Engine < 1 {
		return ErrForeign
	}
	if e.Engine > engineVersion {
		return fmt.Errorf("%w: its engine is %d, this program knows %d", ErrNewer, e.Engine, engineVersion)
	}
	return nil
}

// register makes the handle's row, and removes those of handles long dead.
func (d *DB) register(ctx context.Context) error {
	if _, err := d.commit(ctx, store.Txn{}); err != nil {
		return err
	}
	return d.writes.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		_, err := c.Exec(ctx, `delete from kv where k >= $1 and k < $2 and k <> $3 and rev < (select m.rev from kv m where m.k = $4) - $5::bigint`,
			handlesKey, handlesEnd, d.handle, counterKey, forgetHandles)
		if passing(err) {
			return nil // the next one will
		}
		return err
	})
}

// unregister removes the handle's row. Should it stay, another handle removes it one day.
func (d *DB) unregister() {
	if d.failed.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.writes.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		_, err := c.Exec(ctx, `delete from kv where k = $1`, d.handle)
		return err
	})
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
