package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"countersign/store"
)

// Options of Open; the zero value is fine.
type Options struct {
	// Logger gets warnings; nil discards them.
	Logger *slog.Logger
	// Timeout is how long Open waits for another process to let go of the file; zero is 2 s.
	Timeout time.Duration
	// NoSync leaves out fsync: for tests only. A power failure then loses or destroys the database.
	NoSync bool
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	return o
}

// DB is a store.KV in one file. Its methods may be called concurrently.
type DB struct {
	db   *bbolt.DB
	file *os.File // bbolt's own
	info os.FileInfo
	path string
	seq  *sidecar // nil where it cannot be written

	writing sync.Mutex // held by the one Commit, and by whoever else folds the journal
	layers  atomic.Pointer[layers]
	most    int         // journalCommits
	opened  uint64      // the last commit when it was opened
	pause   *time.Timer // folds the journal when nothing has been committed for a while
	closed  bool        // guarded by writing
	poison  atomic.Pointer[poison]
	closing sync.Once
}

var (
	_ store.KV          = (*DB)(nil)
	_ store.Snapshotter = (*DB)(nil)
)

var (
	identityBucket = []byte("countersign")
	kvBucket       = []byte("kv")
	journalName    = []byte("journal ") // begins the names of its buckets
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
)

const (
	// fill leaves little room in pages: nearly all keys are appended to their family.
	fill = 0.9
	// growBy is how much the file grows at a time, and roomAhead how much of it is left when it grows again.
	growBy    = 1 << 20
	roomAhead = growBy / 2
	// headerSize is the size of the revision and its checksum.
	headerSize = 8 + crc32.Size
)

// Get implements store.KV.
func (d *DB) Get(_ context.Context, keys ...[]byte) ([]store.Item, error) {
	items := make([]store.Item, len(keys))
	err := d.view(func(s snapshot) error {
		for i, k := range keys {
			var err error
			if items[i], err = item(k, s.get(k)); err != nil {
				return err
			}
		}
		return nil
	})
	return items, err
}

// Scan implements store.KV.
func (d *DB) Scan(ctx context.Context, from, to []byte, limit int, reverse bool) ([]store.Item, error) {
	if limit < 1 || limit > store.MaxScan {
		return nil, fmt.Errorf("scan of %d items: the limit is 1 to %d", limit, store.MaxScan)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var items []store.Item
	err := d.view(func(s snapshot) error {
		items = nil
		for key, stored := range s.scan(from, to, reverse) {
			it, err := item(key, stored)
			if err != nil {
				return err
			}
			if items = append(items, it); len(items) == limit {
				break
			}
		}
		return nil
	})
	return items, err
}

// item copies an item out of the memory map, which changes once the transaction ends.
func item(key, stored []byte) (store.Item, error) {
	it := store.Item{Key: bytes.Clone(key)}
	if stored == nil {
		return it, nil
	}
	rev, err := revision(key, stored)
	if err != nil {
		return it, err
	}
	it.Value, it.Rev = bytes.Clone(stored[headerSize:]), rev
	return it, nil
}

// revision reads the header of a stored value.
func revision(key, stored []byte) (uint64, error) {
	if len(stored) < headerSize {
		return 0, &store.DamageError{Key: bytes.Clone(key), Why: "the value is too short for a revision"}
	}
	if binary.BigEndian.Uint32(stored[8:]) != headerSum(key, stored[:8]) {
		return 0, &store.DamageError{Key: bytes.Clone(key), Why: "the checksum of the revision does not match"}
	}
	return binary.BigEndian.Uint64(stored), nil
}

func headerSum(key, rev []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, rev)
}

// appendStored appends a value as it is stored.
func appendStored(b, key, value []byte, rev uint64) []byte {
	from := len(b)
	b = binary.BigEndian.AppendUint64(b, rev)
	b = binary.BigEndian.AppendUint32(b, headerSum(key, b[from:]))
	return append(b, value...)
}

var errDisorder = errors.New("a commit's keys are not in order, or one is there twice")

// Commit implements store.KV. It pays no heed to ctx: a commit lasts as long as the disk takes.
func (d *DB) Commit(_ context.Context, txn store.Txn) (uint64, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	now := d.layers.Load().now
	next := now.rev + 1
	record, cs := encode(txn, next)
	if !ordered(cs) {
		return 0, errDisorder
	}
	var err error
	if now.takes(cs, len(record), d.most) {
		err = d.update(func(tx *bbolt.Tx) error {
			if err := compare(snapshotOf(tx.Bucket(kvBucket), now), txn.Compares); err != nil {
				return err
			}
			return journal(tx, now, next, record)
		})
		if err == nil {
			d.layers.Store(&layers{now: now.with(next, cs, len(record))})
		}
	} else {
		err = d.fold(next, cs, txn.Compares)
	}
	if err != nil {
		return 0, err
	}
	d.seq.record(next)
	if d.layers.Load().now.ripe() {
		d.pause.Reset(quiet)
	}
	return next, nil
}

// fold commits what the journal holds, and cs on top, to where they belong.
func (d *DB) fold(rev uint64, cs []change, compares []store.Compare) error {
	now := d.layers.Load().now
	folded := &overlay{base: rev, rev: rev}
	d.layers.Store(&layers{now: now, next: folded})
	err := d.update(func(tx *bbolt.Tx) error {
		if err := compare(snapshotOf(tx.Bucket(kvBucket), now), compares); err != nil {
			return err
		}
		return fold(tx, now, rev, cs)
	})
	if err != nil {
		d.layers.Store(&layers{now: now})
		return err
	}
	d.layers.Store(&layers{now: folded})
	return nil
}

func compare(s snapshot, cs []store.Compare) error {
	for _, c := range cs {
		var rev uint64
		if v := s.get(c.Key); v != nil {
			var err error
			if rev, err = revision(c.Key, v); err != nil {
				return err
			}
		}
		if rev != c.Rev {
			return store.ErrCompare
		}
	}
	return nil
}

var zeros [growBy / 4]byte

// prepareRoom makes the file longer before its pages are needed, by writing zeros behind the last one. Of a page that the
// file system has not allocated before, fdatasync waits for its journal too, which costs a lone commit a tenth of its
// time. It runs within the only write transaction, so nobody else writes there. Where it fails, bbolt makes the file longer
// when it must, and its error counts.
func (d *DB) prepareRoom(used int64) {
	info, err := d.file.Stat()
	if err != nil || info.Size() < used || info.Size() >= used+roomAhead {
		return // shorter than what is used: it was damaged, and zeros would only hide that
	}
	for at := info.Size(); at < used+growBy; at += int64(len(zeros)) {
		if _, err := d.file.WriteAt(zeros[:], at); err != nil {
			return
		}
	}
}

// Snapshot implements store.Snapshotter. It copies the database to a local file that nobody else sees before it
// writes to w, so that a slow w does not hold a read transaction; beside the database there must be room for it. The copy
// is a database of its own: put where this one was, it is not held against the commits that this one has had since.
func (d *DB) Snapshot(ctx context.Context, w io.Writer) error {
	f, err := os.CreateTemp(filepath.Dir(d.path), temporary(d.path)+"*")
	if err != nil {
		return fmt.Errorf("copy for the backup: %w", err)
	}
	defer f.Close()           //nolint:errcheck // it is thrown away
	defer os.Remove(f.Name()) //nolint:errcheck // as above
	if err := d.copyTo(ctx, f); err != nil {
		return fmt.Errorf("copy for the backup: %w", err)
	}
	if err := guard(f.Name(), func() error { return rename(f.Name()) }); err != nil {
		return fmt.Errorf("copy for the backup: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("copy for the backup: %w", err)
	}
	if _, err := io.Copy(contextWriter{ctx, w}, f); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// temporary begins the names of the copies that are under way.
func temporary(path string) string { return "." + filepath.Base(path) + ".backup-" }

// rename gives a database an identity of its own, and folds its journal: an earlier version of this program can read it.
func rename(path string) error {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{Timeout: time.Second, NoSync: true})
	if err != nil {
		return err
	}
	db.AllocSize = pageSize
	err = db.Update(func(tx *bbolt.Tx) error {
		over, err := loadJournal(tx)
		if err != nil {
			return err
		}
		return errors.Join(fold(tx, over, over.rev, nil), identify(tx.Bucket(identityBucket)))
	})
	return errors.Join(err, db.Close())
}

func (d *DB) copyTo(ctx context.Context, w io.Writer) error {
	return d.guard(func() error {
		return d.db.View(func(tx *bbolt.Tx) error {
			_, err := tx.WriteTo(contextWriter{ctx, w})
			return err
		})
	})
}

// contextWriter ends when its context does.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// foldRipe folds a journal that is worth it while nobody commits. Where that fails the engine, whoever reads or commits next
// is told.
func (d *DB) foldRipe() {
	d.writing.Lock()
	defer d.writing.Unlock()
	if now := d.layers.Load().now; now.ripe() && now.rev != d.opened && !d.closed {
		_ = d.fold(now.rev, nil, nil)
	}
}

// rest folds the journal, so that an earlier version of this program can read the file after a clean stop. Where nothing was
// committed, nothing is written; what finds no room stays in the journal.
func (d *DB) rest() error {
	d.writing.Lock()
	defer d.writing.Unlock()
	now := d.layers.Load().now
	if now.commits == 0 || now.rev == d.opened || d.poison.Load() != nil {
		return nil
	}
	err := d.fold(now.rev, nil, nil)
	if errors.Is(err, store.ErrFull) {
		return nil
	}
	return err
}

// Close implements store.KV. It waits for calls that are under way. Its error may be ErrVanished, or ErrPoisoned where the
// journal could not be folded; what was acknowledged is in the file all the same.
func (d *DB) Close() (err error) {
	d.closing.Do(func() {
		d.pause.Stop()
		d.writing.Lock()
		d.closed = true
		d.writing.Unlock()
		d.seq.close()
		if d.poison.Load() == nil {
			if err = d.inPlace(); err == nil {
				err = d.rest()
			}
		}
		if p := d.poison.Load(); p != nil && p.stuck {
			err = errors.Join(err, drop(d.file)) // bbolt's own Close would wait for ever
			return
		}
		err = errors.Join(err, d.db.Close())
	})
	return err
}
