package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"countersign/store"
)

// Errors of Open. Each says what an operator can do.
var (
	ErrInUse   = errors.New("the file is in use by another process; stop that one first")
	ErrEmpty   = errors.New("the file is empty, which a database never is; restore a backup, or remove the file to begin anew")
	ErrForeign = errors.New("the file is not a database of Countersign; give another path")
	ErrNewer   = fmt.Errorf("%w (file)", store.ErrNewer)
	ErrDamaged = fmt.Errorf("%w; restore a backup", store.ErrDamaged)
	// ErrRolledBack: the file is whole, but at an older commit than one that was acknowledged.
	ErrRolledBack = errors.New("the database has lost commits that were acknowledged")
)

const (
	fileMode = 0o600
	// formatPlain is the format of a file whose journal is empty, formatJournal of one that is to be read with its journal.
	formatPlain   = 1
	formatJournal = 2
	idSize        = 16
	// pageSize is that of a new database; a database keeps its own. A fold of the journal writes the last pages of each family
	// of keys, and their branches, wherever they are: of twice the usual size they are a third fewer.
	pageSize = 8192
	// initialMap is how much address space is set aside, so that the map never moves while the database grows: to move it
	// bbolt waits for all readers, and all writers wait meanwhile.
	initialMap = min(16<<30, math.MaxInt)
	smallMap   = 256 << 20
)

// pageSizes are those that new databases have had.
var pageSizes = [...]int64{4096, pageSize}

var (
	formatName = []byte("format")
	idName     = []byte("id")
)

// Open opens the database at path. If there is no file it makes one, whole or not at all. Nobody else can open it until
// Close. Its errors are those of this package and of the file system.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	there, err := exists(path)
	switch {
	case err != nil:
	case !there:
		err = create(path)
	default:
		// Whoever made the file may have been killed before its name was durable.
		if errSync := syncDir(filepath.Dir(path)); errSync != nil {
			opts.Logger.WarnContext(ctx, "the directory of the database cannot be synced", "error", errSync)
		}
	}
	var d *DB
	if err == nil {
		d, err = open(ctx, path, opts)
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return nil, fmt.Errorf("open database %s: %w; the user that this runs as must be able to read and write it", path, err)
	case err != nil:
		return nil, fmt.Errorf("open database %s: %w", path, err)
	default:
		return d, nil
	}
}

func open(ctx context.Context, path string, opts Options) (*DB, error) {
	d := &DB{path: path, most: journalCommits}
	if err := d.openFile(opts); err != nil {
		return nil, err
	}
	id, err := d.identity()
	if err == nil {
		err = d.checkSequence(ctx, id, opts.Logger)
	}
	if err != nil {
		d.abandon(err)
		return nil, err
	}
	d.pause = time.AfterFunc(quiet, d.foldRipe)
	d.tidy()
	return d, nil
}

// tidy removes the copies for backups that a process has left that was killed.
func (d *DB) tidy() {
	dir := filepath.Dir(d.path)
	entries, _ := os.ReadDir(dir) // what cannot be read is not tidied
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary(d.path)) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// openFile opens the file with bbolt. Its panics become errors; then the file is closed here, because bbolt does not.
func (d *DB) openFile(opts Options) error {
	err := guard(d.path, func() (err error) {
		d.db, err = bbolt.Open(d.path, fileMode, d.options(opts, initialMap))
		if errors.Is(err, syscall.ENOMEM) {
			d.db, err = bbolt.Open(d.path, fileMode, d.options(opts, smallMap))
		}
		return err
	})
	if err == nil {
		d.db.AllocSize = growBy
		return nil
	}
	if errors.Is(err, ErrDamaged) && d.file != nil {
		_ = drop(d.file)
	}
	return explain(d.path, err)
}

func (d *DB) options(opts Options, mapSize int) *bbolt.Options {
	return &bbolt.Options{
		Timeout:         opts.Timeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapSize,
		PageSize:        pageSize,
		NoSync:          opts.NoSync,
		NoStatistics:    true,
		OpenFile:        d.openRaw,
	}
}

// openRaw opens the file for bbolt, which would make an empty file a new database, and a missing one too.
func (d *DB) openRaw(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	if err := checkSize(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	if d.info, err = f.Stat(); err != nil {
		_ = f.Close()
		return nil, err
	}
	d.file = f
	return f, nil
}

// identity reads what the file is, and its journal, and returns its id.
func (d *DB) identity() ([]byte, error) {
	var id []byte
	err := d.guard(func() error {
		return d.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(identityBucket)
			if b == nil || tx.Bucket(kvBucket) == nil {
				return ErrForeign
			}
			v := b.Get(formatName)
			if len(v) != 8 {
				return fmt.Errorf("%w: its format cannot be read", ErrDamaged)
			}
			if n := formatOf(b); n > formatJournal {
				return fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, n, formatJournal)
			}
			if id = bytes.Clone(b.Get(idName)); len(id) != idSize {
				return fmt.Errorf("%w: its identity cannot be read", ErrDamaged)
			}
			over, err := loadJournal(tx)
			if err == nil {
				d.layers.Store(&layers{now: over})
				d.opened = over.rev
			}
			return err
		})
	})
	return id, err
}

// checkSequence compares the number of the last commit with the sidecar.
func (d *DB) checkSequence(ctx context.Context, id []byte, log *slog.Logger) error {
	stored := d.layers.Load().now.rev
	seq, recorded, err := openSidecar(d.path, id)
	if err != nil {
		log.WarnContext(ctx, "the commit counter cannot be kept: lost commits will go unnoticed", "error", err)
		return nil
	}
	if recorded > stored {
		seq.close()
		return fmt.Errorf("%w: commit %d was acknowledged, the file ends with commit %d; restore a backup, or remove %s to "+
			"accept the loss", ErrRolledBack, recorded, stored, sidecarPath(d.path))
	}
	if recorded == 0 && stored > 0 {
		log.WarnContext(ctx, "no commit counter was found beside the database: whether it lost commits is not known",
			"path", sidecarPath(d.path))
	}
	d.seq = seq
	seq.record(stored)
	return nil
}

// abandon closes a file that was opened and then refused.
func (d *DB) abandon(why error) {
	if errors.Is(why, ErrDamaged) {
		_ = drop(d.file) // bbolt may hold its own locks
		return
	}
	_ = d.db.Close()
}
