package bolt

import (
	"bytes"
	"encoding/binary"
	"testing"

	"countersign/store"
)

// CloseFile closes the file under bbolt's feet: the next write fails like that of a disk that has gone.
func (d *DB) CloseFile() error { return d.file.Close() }

// Hold keeps d from writing, so that a copy of its file is what a kill would leave.
func (d *DB) Hold() (release func()) {
	d.writing.Lock()
	return d.writing.Unlock
}

// FoldAfter lets the journal have so many commits at most.
func (d *DB) FoldAfter(commits int) { d.most = commits }

// Bounds of the journal: commits after which the next one folds it, and after which a pause does.
const (
	JournalCommits = journalCommits
	RipeCommits    = ripeCommits
	Quiet          = quiet
)

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
	record, cs := encode(store.Txn{Puts: []store.Put{{Key: key, Value: value}}, Deletes: [][]byte{append(bytes.Clone(key), 0)}}, rev)
	for _, same := range []func() ([]change, error){
		func() ([]change, error) { return cs, nil }, func() ([]change, error) { return decode(rev, record) },
	} {
		got, err := same()
		if err != nil || len(got) != 2 || !bytes.Equal(got[0].key, key) || len(got[0].stored) != headerSize+len(value) ||
			!bytes.Equal(got[0].stored[headerSize:], value) || !bytes.Equal(got[1].key, append(bytes.Clone(key), 0)) || got[1].stored != nil {
			t.Errorf("%q = %q is read back as %v, %v", key, value, got, err)
		}
		if n, err := revision(key, got[0].stored); err != nil || n != rev {
			t.Errorf("its revision is %d, %v, not %d", n, err, rev)
		}
	}
	if _, err := decode(rev+1, record); err == nil {
		t.Error("it is taken for another commit")
	}
	_, _ = decode(rev, arbitrary)
	if len(arbitrary) >= recordHeader {
		size := min(binary.BigEndian.Uint32(arbitrary[4:]), uint32(len(arbitrary)-recordHeader))
		binary.BigEndian.PutUint32(arbitrary[4:], size)
		binary.BigEndian.PutUint32(arbitrary, frameSum(rev, arbitrary[4:recordHeader+size]))
		_, _ = decode(rev, arbitrary)
	}
}
