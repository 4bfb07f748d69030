package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"countersign/store"
)

// ErrPoisoned says that a commit met an error of the disk other than a full one. Whether it was stored shows only when
// the file is opened again; until then every call fails. It is store.ErrFailed.
var ErrPoisoned = fmt.Errorf("%w (a commit met an error of the disk)", store.ErrFailed)

// ErrVanished says that the file was removed or replaced while it was open. Nothing is stored after that.
var ErrVanished = errors.New("the file was removed or replaced while it was in use")

// poison is why a DB is of no use any more.
type poison struct {
	cause error
	stuck bool // bbolt still holds its locks
}

// view runs f on what is stored at one moment. It may run f again from the start.
func (d *DB) view(f func(snapshot) error) error {
	for {
		there := true
		err := d.guard(func() error {
			l := d.layers.Load()
			return d.db.View(func(tx *bbolt.Tx) error {
				b := tx.Bucket(kvBucket)
				over := l.upon(b.Sequence())
				if there = over != nil; !there {
					return nil // folded since
				}
				return f(snapshotOf(b, over))
			})
		})
		if there || err != nil {
			return err
		}
	}
}

// update runs f in a write transaction and sorts the errors that committing it may have.
func (d *DB) update(f func(*bbolt.Tx) error) error {
	if err := d.poisoned(); err != nil {
		return err
	}
	if err := d.inPlace(); err != nil {
		return d.poisonWith(err, false)
	}
	var refused error
	err := d.guard(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error {
			d.prepareRoom(tx.Size())
			refused = f(tx)
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

// inPlace makes sure that the file is still what its path names. What is stored in a file that has no name any more ends
// with the process, so it is saved under another one, and nothing more is stored.
func (d *DB) inPlace() error {
	named, err := os.Stat(d.path)
	if err == nil && os.SameFile(named, d.info) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // it cannot be looked at, which says nothing of where it is
	}
	saved, err := d.save()
	if err != nil {
		return fmt.Errorf("%w, and its content could not be saved: %w", ErrVanished, err)
	}
	return fmt.Errorf("%w; its content is saved as %s: put that in its place and start again", ErrVanished, saved)
}

// save copies the database to a new file beside its path.
func (d *DB) save() (path string, err error) {
	f, err := os.CreateTemp(filepath.Dir(d.path), filepath.Base(d.path)+".saved-*")
	if err != nil {
		return "", err
	}
	err = d.copyTo(context.Background(), f)
	return f.Name(), errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(d.path)))
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
