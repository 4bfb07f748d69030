package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// sidecar is the file PATH.seq, which holds the number of the database's last commit. It is written after each commit
// without fsync: so after any crash it is at or behind the database, never before it, unless the database has lost what
// it had. Two slots are written in turn, one of which is always whole.
//
// A slot is: database id (16 bytes), number (8), CRC-32C of both (4), all big-endian.
type sidecar struct {
	file *os.File
	id   []byte
}

const (
	slotSize   = idSize + 8 + crc32.Size
	slotStride = 512 // a sector each
)

func sidecarPath(db string) string { return db + ".seq" }

// openSidecar opens the sidecar of a database and returns the number it holds; 0 if it holds none for this database.
func openSidecar(db string, id []byte) (*sidecar, uint64, error) {
	f, err := os.OpenFile(sidecarPath(db), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, 0, fmt.Errorf("commit counter: %w", err)
	}
	s := &sidecar{file: f, id: id}
	n, err := s.read()
	if err != nil {
		s.close()
		return nil, 0, fmt.Errorf("commit counter: %w", err)
	}
	return s, n, nil
}

func (s *sidecar) read() (uint64, error) {
	buf := make([]byte, 2*slotStride)
	if _, err := s.file.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return max(s.slot(buf), s.slot(buf[slotStride:])), nil
}

// slot returns the number in a slot; 0 if it is not whole or of another database.
func (s *sidecar) slot(b []byte) uint64 {
	sum := binary.BigEndian.Uint32(b[idSize+8:])
	if string(b[:idSize]) != string(s.id) || crc32.Checksum(b[:idSize+8], castagnoli) != sum {
		return 0
	}
	return binary.BigEndian.Uint64(b[idSize:])
}

// record writes down a commit. It has no error: the commit is durable, and a counter that lags behind does no harm.
func (s *sidecar) record(n uint64) {
	if s == nil {
		return
	}
	b := make([]byte, 0, slotSize)
	b = binary.BigEndian.AppendUint64(append(b, s.id...), n)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, _ = s.file.WriteAt(b, int64(n%2)*slotStride)
}

func (s *sidecar) close() {
	if s != nil {
		_ = s.file.Close()
	}
}

// exists reports whether a file is there, under whatever type.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
