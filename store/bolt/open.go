package bolt

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

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
	fileMode      = 0o600
	formatVersion = 1
	idSize        = 16
	pageSize      = 4096
	// initialMap is how much address space is set aside, so that the map never moves while the database grows: to move it
	// bbolt waits for all readers, and all writers wait meanwhile.
	initialMap = min(16<<30, math.MaxInt)
	smallMap   = 256 << 20
)

var (
	formatName = []byte("format")
	idName     = []byte("id")
)

// Open opens the database at path. If there is no file it makes one, whole or not at all. Nobody else can open it until
// Close. Its errors are those of this package and of the file system.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	there, err := exists(path)
	if err == nil && !there {
		err = create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	d, err := open(ctx, path, opts)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return d, nil
}

func open(ctx context.Context, path string, opts Options) (*DB, error) {
	d := &DB{path: path}
	if err := d.openFile(opts); err != nil {
		return nil, err
	}
	id, err := d.identify()
	if err == nil {
		err = d.checkSequence(ctx, id, opts.Logger)
	}
	if err != nil {
		d.abandon(err)
		return nil, err
	}
	return d, nil
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
	d.file = f
	return f, nil
}

// checkSize refuses an empty file, and one that is shorter than its newest meta page says: bbolt would read behind its
// end sooner or later.
func checkSize(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return ErrForeign
	}
	if info.Size() == 0 {
		return ErrEmpty
	}
	if want := promisedSize(f); info.Size() < want {
		return fmt.Errorf("%w: it has %d bytes of at least %d", ErrDamaged, info.Size(), want)
	}
	return nil
}

// A meta page, as bbolt lays it out: a header of 16 bytes, then magic, version, page size and flags (4 bytes each), root
// (16), freelist, end, transaction and checksum (8 each), in the byte order of the machine.
const (
	magic       = 0xED0CDAED
	magicAt     = 16
	pageSizeAt  = 24
	endAt       = 56
	txAt        = 64
	metaSize    = 80
	maxPageSize = 1 << 16
)

// promisedSize is the size that the newest meta page promises; 0 if there is none that can be read. Whether the page
// is whole is bbolt's to judge.
func promisedSize(f io.ReaderAt) int64 {
	var size int64
	var newest uint64
	for _, at := range []int64{0, pageSize} {
		b := make([]byte, metaSize)
		if _, err := f.ReadAt(b, at); err != nil || binary.NativeEndian.Uint32(b[magicAt:]) != magic {
			continue
		}
		ps, tx := binary.NativeEndian.Uint32(b[pageSizeAt:]), binary.NativeEndian.Uint64(b[txAt:])
		if end := binary.NativeEndian.Uint64(b[endAt:]); tx >= newest && ps <= maxPageSize && end < math.MaxInt64/maxPageSize {
			newest, size = tx, int64(end)*int64(ps)
		}
	}
	return size
}

// explain makes an error of bbolt's Open one of ours.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", ErrNewer, err)
	case errors.Is(err, berrors.ErrInvalid) && !looksLikeBolt(path):
		return fmt.Errorf("%w: %w", ErrForeign, err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	default:
		return err
	}
}

// looksLikeBolt tells a database whose meta pages are gone (zeros, or a magic number that is still there) from a file of
// another kind.
func looksLikeBolt(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	for _, at := range []int64{0, pageSize} {
		b := make([]byte, metaSize)
		n, _ := f.ReadAt(b, at)
		blank := bytes.Equal(b[:n], make([]byte, n)) && n == metaSize
		if blank || binary.NativeEndian.Uint32(b[magicAt:]) == magic {
			return true
		}
	}
	return false
}

// identify reads what the file is and returns its id.
func (d *DB) identify() ([]byte, error) {
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
			if n := binary.BigEndian.Uint64(v); n > formatVersion {
				return fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, n, formatVersion)
			}
			if id = bytes.Clone(b.Get(idName)); len(id) != idSize {
				return fmt.Errorf("%w: its identity cannot be read", ErrDamaged)
			}
			return nil
		})
	})
	return id, err
}

// checkSequence compares the number of the last commit with the sidecar.
func (d *DB) checkSequence(ctx context.Context, id []byte, log *slog.Logger) error {
	var stored uint64
	if err := d.view(func(b *bbolt.Bucket) error { stored = b.Sequence(); return nil }); err != nil {
		return err
	}
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

// create makes a new database under a name of its own, and gives it the right one only when it is whole and on disk: a
// crash at any moment leaves either no database or an empty, sound one. A file that has meanwhile appeared is kept.
func create(path string) (err error) {
	dir, base := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+base+".new-*")
	if err != nil {
		return err
	}
	temp := f.Name()
	defer os.Remove(temp) //nolint:errcheck // gone if all went well
	if err := f.Close(); err != nil {
		return err
	}
	if err := initialise(temp); err != nil {
		return fmt.Errorf("new database: %w", err)
	}
	// A link, unlike a rename, never replaces the file of a process that was faster.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

func initialise(path string) error {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{PageSize: pageSize, Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(identityBucket)
		if err != nil {
			return err
		}
		id := make([]byte, idSize)
		rand.Read(id) // never fails
		if err := b.Put(idName, id); err != nil {
			return err
		}
		if err := b.Put(formatName, binary.BigEndian.AppendUint64(nil, formatVersion)); err != nil {
			return err
		}
		_, err = tx.CreateBucket(kvBucket)
		return err
	})
	return errors.Join(err, db.Sync(), db.Close())
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
