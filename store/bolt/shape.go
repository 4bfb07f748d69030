package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	berrors "go.etcd.io/bbolt/errors"
)

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
	for _, m := range metaPages(f) {
		ps, tx := binary.NativeEndian.Uint32(m[pageSizeAt:]), binary.NativeEndian.Uint64(m[txAt:])
		if end := binary.NativeEndian.Uint64(m[endAt:]); tx >= newest && end < math.MaxInt64/maxPageSize {
			newest, size = tx, int64(end)*int64(ps)
		}
	}
	return size
}

// metaPages are those of the two meta pages that bear the magic number. Where the first does not, the second is looked for
// at each size that a page of a database of ours ever had.
func metaPages(f io.ReaderAt) [][]byte {
	var found [][]byte
	second := pageSizes[:]
	if m, ok := metaPage(f, 0); ok {
		found = append(found, m)
		second = []int64{int64(binary.NativeEndian.Uint32(m[pageSizeAt:]))}
	}
	for _, at := range second {
		if m, ok := metaPage(f, at); ok && int64(binary.NativeEndian.Uint32(m[pageSizeAt:])) == at {
			found = append(found, m)
		}
	}
	return found
}

func metaPage(f io.ReaderAt, at int64) ([]byte, bool) {
	m := make([]byte, metaSize)
	_, err := f.ReadAt(m, at)
	return m, err == nil && binary.NativeEndian.Uint32(m[magicAt:]) == magic &&
		binary.NativeEndian.Uint32(m[pageSizeAt:]) <= maxPageSize
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
	b := make([]byte, metaSize)
	for _, at := range append([]int64{0}, pageSizes[:]...) {
		n, _ := f.ReadAt(b, at)
		blank := bytes.Equal(b[:n], make([]byte, n)) && n == metaSize
		if blank || binary.NativeEndian.Uint32(b[magicAt:]) == magic {
			return true
		}
	}
	return false
}
