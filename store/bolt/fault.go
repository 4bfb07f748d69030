package bolt

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"countersign/store"
)

// ErrPoisoned says that a commit met an error of the disk other than a full one. Whether it was stored shows only when
// the file is opened again; until then every call fails. It is store.ErrFailed.
var ErrPoisoned = fmt.Errorf("%w (a commit met an error of the disk)", store.ErrFailed)

// poison is why a DB is of no use any more.
type poison struct {
	cause error
	stuck bool // bbolt still holds its locks
}

// view runs f in a read transaction.
func (d *DB) view(f func(*bbolt.Bucket) error) error {
	return d.guard(func() error {
		return d.db.View(func(tx *bbolt.Tx) error { return f(tx.Bucket(kvBucket)) })
	})
}

// update runs f in a write transaction and sorts the errors that committing it may have.
func (d *DB) update(f func(*bbolt.Bucket) error) error {
	var refused error
	err := d.guard(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error {
			d.prepareRoom(tx.Size())
			refused = f(tx.Bucket(kvBucket))
			return refused
		})
	})
	switch {
	case err == nil || refused != nil:
		return err
	case errors.Is(err, ErrDamaged):
		return d.poisonWith(err, true)
	case errors.Is(err, store.ErrFailed), errors.Is(err, berrors.ErrDatabaseNotOpen):
		return err
	case d.isFull(err):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	default:
		return d.poisonWith(err, false)
	}
}

func (d *DB) poisonWith(cause error, stuck bool) error {
	d.poison.CompareAndSwap(nil, &poison{cause: cause, stuck: stuck})
	return d.poisoned()
}

func (d *DB) poisoned() error {
	if p := d.poison.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrPoisoned, p.cause)
	}
	return nil
}

// guard runs f unless the DB is poisoned, and turns what a damaged file does to bbolt into an error.
func (d *DB) guard(f func() error) error {
	if err := d.poisoned(); err != nil {
		return err
	}
	return guard(d.path, f)
}

// guard turns a panic into ErrDamaged, also the fault of reading a page of the memory map that the file no longer has.
func guard(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v", ErrDamaged, path, p)
		}
	}()
	return f()
}

// isFull reports whether a commit failed for want of room, before it changed anything that counts: when the file could
// not grow, or when a page could not be written. An fsync that finds no room is not among them: what the disk then
// holds is unknown.
func (d *DB) isFull(err error) bool {
	if write, ok := errors.AsType[*os.PathError](err); ok {
		return fullErrno(write.Err)
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return false // of an fsync
	}
	// When bbolt cannot make the file longer it keeps the reason to itself, so the same is tried once more. Nothing has
	// been written then. If there is room again, the reason stays unknown, and nothing is taken for granted.
	info, statErr := d.file.Stat()
	if statErr != nil {
		return false
	}
	if truncErr := d.file.Truncate(info.Size() + growBy); truncErr != nil {
		return fullErrno(truncErr)
	}
	return false
}

// fullErrno reports whether an error is one of those by which a system says that there is no room.
func fullErrno(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT)
}
