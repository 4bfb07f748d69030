package bolt

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// CloseFile closes the file under bbolt's feet: the next write fails like that of a disk that has gone.
func (d *DB) CloseFile() error { return d.file.Close() }

// SidecarPath is where the commit counter of a database is.
var SidecarPath = sidecarPath

// Initialise makes a database with pages of a given size at path, which is not yet there.
var Initialise = initialise

// JournalPages are the names of the buckets that are the journal of a file.
var JournalPages = journalPages

// CheckRecord demands that a record of two changes is read back as it was written, and that an arbitrary one, its checksum
// made right, is read or refused.
func CheckRecord(t *testing.T, rev uint64, arbitrary, key, value []byte) {
	if len(key) > 1000 {
		key = key[:1000]
	}
	cs := []change{{key: key, stored: append([]byte{}, value...)}, {key: append(bytes.Clone(key), 0)}}
	got, err := decodeChanges(rev, encodeChanges(rev, cs))
	if err != nil || len(got) != 2 || !bytes.Equal(got[0].key, key) || !bytes.Equal(got[0].stored, value) ||
		got[0].stored == nil || !bytes.Equal(got[1].key, cs[1].key) || got[1].stored != nil {
		t.Errorf("%v is read back as %v, %v", cs, got, err)
	}
	if _, err := decodeChanges(rev+1, encodeChanges(rev, cs)); err == nil {
		t.Error("it is taken for another commit")
	}
	_, _ = decodeChanges(rev, arbitrary)
	if len(arbitrary) >= recordHeader {
		size := min(binary.BigEndian.Uint32(arbitrary[4:]), uint32(len(arbitrary)-recordHeader))
		binary.BigEndian.PutUint32(arbitrary[4:], size)
		binary.BigEndian.PutUint32(arbitrary, frameSum(rev, arbitrary[4:recordHeader+size]))
		_, _ = decodeChanges(rev, arbitrary)
	}
}
