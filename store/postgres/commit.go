package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/store"
)

const (
	// commitTimeout is how long an answer to a commit is waited for before it counts as lost.
	commitTimeout = 5 * time.Second
	// maxTries bounds how often a commit is tried that the server refuses for the sake of another.
	maxTries = 20
	// settlePause is how long to wait before the next try to settle a commit.
	settlePause = 100 * time.Millisecond
)

// The statements of a commit, in their order. The lock is a statement of its own: what follows it then sees all that was
// committed before, at read committed and at stricter levels.
const (
	beginSQL = `begin isolation level read committed`
	lockSQL  = `select rev from kv where k = '\x00' for update`
	signSQL  = `update kv set rev = rev + 1, v = $1 where k = '\x00' and (
		select count(*) from unnest($2::bytea[], $3::bigint[]) as c (k, r)
		where coalesce((select t.rev from kv t where t.k = c.k), 0) <> c.r) = 0 returning rev`
	putSQL = `insert into kv (k, v, rev) select p.k, p.v, m.rev from unnest($1::bytea[], $2::bytea[]) as p (k, v), kv m
		where m.k = '\x00' and m.v = $3 on conflict (k) do update set v = excluded.v, rev = excluded.rev`
	deleteSQL = `delete from kv where k = any($1::bytea[]) and exists (select 1 from kv m where m.k = '\x00' and m.v = $2)`
	commitSQL = `commit`
)

// Commit implements store.KV. It pays no heed to the end of ctx: a commit lasts until its result is known.
func (d *DB) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	for _, keys := range [][][]byte{keysOf(txn.Puts, func(p store.Put) []byte { return p.Key }), txn.Deletes} {
		if i := slices.IndexFunc(keys, isReserved); i >= 0 {
			return 0, fmt.Errorf("commit key %x: %w", keys[i], errReserved)
		}
	}
	d.committing.Lock()
	defer d.committing.Unlock()
	if d.failed.Load() {
		return 0, store.ErrFailed
	}
	rev, err := d.commit(context.WithoutCancel(ctx), txn)
	if err != nil {
		return 0, fmt.Errorf("commit: %w", d.hide.in(err))
	}
	d.notify.committed()
	return rev, nil
}

func keysOf[T any](list []T, key func(T) []byte) [][]byte {
	keys := make([][]byte, len(list))
	for i, v := range list {
		keys[i] = key(v)
	}
	return keys
}

// commit tries until there is a result. What is not tried again is not stored.
func (d *DB) commit(ctx context.Context, txn store.Txn) (uint64, error) {
	patience := time.Now().Add(d.opts.Timeout)
	for try := 0; ; try++ {
		id := newID()
		rev, err := d.attempt(ctx, txn, id)
		if errors.Is(err, errUnclear) {
			d.opts.Logger.WarnContext(ctx, "the answer to a commit was lost; it is looked up", "error", d.hide.in(err))
			var stored bool
			rev, stored, err = d.settle(ctx, id)
			if err != nil || stored {
				return rev, err
			}
			patience = time.Now().Add(d.opts.Timeout)
			continue
		}
		if err == nil || !passing(err) || try >= maxTries || time.Now().After(patience) {
			return rev, full(err)
		}
		pause(ctx, try)
	}
}

// full makes the server's words for a full disk those of a KV.
func full(err error) error {
	if codeOf(err) == "53100" {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// errUnclear says that nothing was heard of a commit that was sent.
var errUnclear = errors.New("whether it was stored is not known yet")

// attempt sends a commit once. Its error is errUnclear if it may have been stored.
func (d *DB) attempt(ctx context.Context, txn store.Txn, id []byte) (uint64, error) {
	actx, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	conn, err := d.writes.Acquire(actx)
	if err != nil {
		return 0, notSent{err}
	}
	defer conn.Release()
	sctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	rev, err := d.send(sctx, conn, txn, id)
	if codeOf(err) == readOnly {
		_ = conn.Conn().Close(ctx) // it has become a standby: the next connection is to the other one
	}
	if err != nil && !errors.Is(err, errUnclear) {
		rollback(ctx, conn)
	}
	return rev, err
}

// readOnly is the code of a server that does not write.
const readOnly = "25006"

func (d *DB) send(ctx context.Context, conn *pgxpool.Conn, txn store.Txn, id []byte) (uint64, error) {
	cut := flag(conn.Conn().PgConn())
	cut.Store(false)
	b := d.batch(txn, id)
	answers := conn.SendBatch(ctx, b)
	var rev int64
	err := collect(answers, b.Len(), &rev)
	if errClose := answers.Close(); err == nil {
		err = errClose
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, store.ErrCompare
	case err != nil && refused(err):
		return 0, err
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errUnclear, err)
	case cut.Load():
		return 0, fmt.Errorf("%w: the wait for the synchronous standby was cancelled", errUnclear)
	}
	return uint64(rev), nil
}

func (d *DB) batch(txn store.Txn, id []byte) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(beginSQL)
	b.Queue(lockSQL)
	revs := make([]int64, len(txn.Compares))
	for i, c := range txn.Compares {
		revs[i] = int64(c.Rev)
	}
	b.Queue(signSQL, id, keysOf(txn.Compares, func(c store.Compare) []byte { return c.Key }), revs)
	keys := append(keysOf(txn.Puts, func(p store.Put) []byte { return p.Key }), d.handle)
	values := append(keysOf(txn.Puts, func(p store.Put) []byte { return notNil(p.Value) }), id)
	b.Queue(putSQL, keys, values, id)
	if len(txn.Deletes) > 0 {
		b.Queue(deleteSQL, txn.Deletes, id)
	}
	b.Queue(commitSQL)
	return b
}

func notNil(v []byte) []byte {
	if v == nil {
		return []byte{}
	}
	return v
}

// collect reads the answers to a commit. It is pgx.ErrNoRows if a compare did not hold: then nothing was changed, and the
// rest was without effect.
func collect(answers pgx.BatchResults, n int, rev *int64) error {
	var held error
	for i := range n {
		const sign = 2
		if i != sign {
			if _, err := answers.Exec(); err != nil {
				return err
			}
			continue
		}
		err := answers.QueryRow().Scan(rev)
		if errors.Is(err, pgx.ErrNoRows) {
			held = err
		} else if err != nil {
			return err
		}
	}
	return held
}

// settle finds out what became of a commit. Its transaction waits for the lock that the commit held, so that the commit
// has ended one way or the other, and is durable itself, so that what it has read is. It is tried for as long as it
// takes, unless the handle is to be closed.
func (d *DB) settle(ctx context.Context, id []byte) (uint64, bool, error) {
	for {
		last, rev, err := d.look(ctx)
		switch {
		case err == nil && last == nil:
			err = errors.New("the row of this handle is gone")
		case err == nil:
			return rev, bytes.Equal(last, id), nil
		case d.wait(settlePause):
			d.opts.Logger.DebugContext(ctx, "a commit is still to be looked up", "error", d.hide.in(err))
			continue
		}
		d.failed.Store(true)
		return 0, false, fmt.Errorf("%w: %w", store.ErrFailed, d.hide.in(err))
	}
}

// wait waits a while; false if the handle is to be closed.
func (d *DB) wait(t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-d.stopping:
		return false
	case <-timer.C:
		return true
	}
}

// look reads the ID of the handle's last commit and its revision, in a transaction that follows it.
func (d *DB) look(ctx context.Context) (last []byte, rev uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	conn, err := d.writes.Acquire(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Release()
	cut := flag(conn.Conn().PgConn())
	cut.Store(false)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, 0, err
	}
	defer rollback(ctx, conn)
	if _, err := tx.Exec(ctx, lockSQL); err != nil {
		return nil, 0, err
	}
	if _, err := tx.Exec(ctx, `update kv set rev = rev + 1 where k = '\x00'`); err != nil {
		return nil, 0, err
	}
	var r int64
	err = tx.QueryRow(ctx, `select v, rev from kv where k = $1`, d.handle).Scan(&last, &r)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, err
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, 0, err
	}
	if cut.Load() {
		return nil, 0, errors.New("the wait for the synchronous standby was cancelled")
	}
	return last, uint64(r), nil
}

// rollback ends a transaction that was not committed. If that fails, the pool drops the connection.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	const idle = 'I'
	if c := conn.Conn(); !c.IsClosed() && c.PgConn().TxStatus() != idle {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, _ = c.Exec(ctx, `rollback`)
	}
}

// notSent is an error from before anything of a commit was sent.
type notSent struct{ error }

// Unwrap returns the cause.
func (e notSent) Unwrap() error { return e.error }

// refused reports that the server has said no, and that the transaction has come to nothing. An error that ends the
// connection says nothing: it may have come while the commit waited for a standby.
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	const unknown = "40003" // statement completion unknown
	return ok && e.SeverityUnlocalized == "ERROR" && e.Code != unknown
}

// passing reports whether the same may succeed a little later.
func passing(err error) bool {
	for _, lasting := range []error{nil, ErrNotDurable, ErrForeign, ErrEmpty, store.ErrNewer, store.ErrCompare, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return true // the way to the server
	}
	switch e.Code {
	case "40001", "40P01", "55P03", readOnly: // serialization failure, deadlock, lock not available
		return true
	}
	switch e.Code[:2] {
	case "08", "57": // connection, operator intervention (shutdown, still starting)
		return true
	}
	const tooMany = "53300"
	return e.Code == tooMany
}
