package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"countersign/store"
)

// A commit that puts its keys where they belong writes the last page of each family of keys, and the branches above:
// some twelve pages all over the file, which cost the disk more than what they hold. So it is put into the journal, where it
// writes one page, the root and the list of free pages, and is folded into the other keys with those before and after it.
const (
	// journalCommits and journalSize are where the journal is folded, in the next commit. They bound what Open reads and
	// what a read looks through.
	journalCommits = 256
	journalSize    = 4 << 20
	// ripeCommits and ripeSize are where it is folded as soon as nothing has been committed for quiet: then nobody waits
	// for it.
	ripeCommits = 32
	ripeSize    = 64 << 10
	quiet       = 20 * time.Millisecond
	// journalPage is how much goes into one page: a bucket for each has no branch that would be written too. Where pages are
	// smaller, some have one.
	journalPage = pageSize - 512
)

// overlay is what the journal holds: it lies upon bucket "kv" as that was at commit base. It never changes.
type overlay struct {
	base, rev uint64 // the last commit below, and the last one in here
	commits   int
	size      int
	page      uint64 // the commit that the last page begins with; 0 if a new one is due
	filled    int    // how much is in it
	// The changes, each part sorted by key with one for each. What is in recent counts: a commit copies that part alone,
	// until it is put together with the other.
	settled, recent []change
}

// recentChanges bounds the part that each commit copies.
const recentChanges = 1024

// change is what became of a key: what is stored under it, or nil if it is deleted.
type change struct {
	key    []byte
	stored []byte
}

// layers are what readers choose from. While the journal is being folded, bucket "kv" is either as it was, and now lies
// upon it, or as it will be, and then next does.
type layers struct {
	now, next *overlay
}

// upon is the overlay that lies upon bucket "kv" at a commit; nil if there is none any more.
func (l *layers) upon(rev uint64) *overlay {
	switch {
	case l.now.base == rev:
		return l.now
	case l.next != nil && l.next.base == rev:
		return l.next
	default:
		return nil
	}
}

// with is o with one more commit on top.
func (o *overlay) with(rev uint64, cs []change, size int) *overlay {
	next := &overlay{base: o.base, rev: rev, commits: o.commits + 1, size: o.size + size, settled: o.settled, recent: onto(o.recent, cs)}
	if len(next.recent) > recentChanges {
		next.settled, next.recent = onto(next.settled, next.recent), nil
	}
	next.page, next.filled = o.room(rev, size)
	return next
}

// onto is below with above on top.
func onto(below, above []change) []change {
	all := make([]change, 0, len(below)+len(above))
	for _, c := range above {
		i, there := find(below, c.key)
		all = append(append(all, below[:i]...), c)
		if there {
			i++
		}
		below = below[i:]
	}
	return append(all, below...)
}

// room is the page for a commit, and how much is in it then.
func (o *overlay) room(rev uint64, size int) (page uint64, filled int) {
	if o.page == 0 || o.filled+size > journalPage {
		return rev, size
	}
	return o.page, o.filled + size
}

// takes reports whether a commit can be put into the journal, which has so many at most: what it changes, and the size of its
// record.
func (o *overlay) takes(cs []change, size, most int) bool {
	return o.commits < most && o.size+size <= journalSize &&
		!slices.ContainsFunc(cs, func(c change) bool { return len(c.key) == 0 || len(c.key) > bbolt.MaxKeySize })
}

// ripe reports whether the journal is worth being folded.
func (o *overlay) ripe() bool { return o.commits >= ripeCommits || o.size >= ripeSize }

func find(cs []change, key []byte) (int, bool) {
	return slices.BinarySearchFunc(cs, key, func(c change, k []byte) int { return bytes.Compare(c.key, k) })
}

// get is what became of a key; false if nothing did.
func (o *overlay) get(key []byte) (stored []byte, there bool) {
	for _, cs := range [...][]change{o.recent, o.settled} {
		if i, there := find(cs, key); there {
			return cs[i].stored, true
		}
	}
	return nil, false
}

// between are the changes of keys with from <= key < to.
func (o *overlay) between(from, to []byte) []change {
	var parts [2][]change
	for n, cs := range [...][]change{o.settled, o.recent} {
		i, _ := find(cs, from)
		j, _ := find(cs, to)
		parts[n] = cs[i:max(i, j)]
	}
	switch {
	case len(parts[0]) == 0:
		return parts[1]
	case len(parts[1]) == 0:
		return parts[0]
	default:
		return onto(parts[0], parts[1])
	}
}

// A record of the journal is stored under the number of its commit: CRC-32C of that number and the frame (4 bytes), the
// size of the frame (4), the frame, and what is stored under each key that was put. The frame is, for each change, the size
// of its key (2), that of what is stored plus one or 0 for a deletion (4), and the key; all big-endian. What is stored has
// checksums of its own, so that one flipped byte spoils one key.
const recordHeader = 8

// encode makes the record of a commit. The changes that it returns share its memory.
func encode(txn store.Txn, rev uint64) (record []byte, cs []change) {
	frame, size := recordHeader, 0
	for _, p := range txn.Puts {
		frame += 6 + len(p.Key)
		size += headerSize + len(p.Value)
	}
	for _, k := range txn.Deletes {
		frame += 6 + len(k)
	}
	record = make([]byte, recordHeader, frame+size)
	cs = make([]change, 0, len(txn.Puts)+len(txn.Deletes))
	stored := record[frame:frame]
	for puts, deletes := txn.Puts, txn.Deletes; len(puts) > 0 || len(deletes) > 0; {
		var c change
		var key []byte
		put := uint32(0)
		if len(deletes) == 0 || len(puts) > 0 && bytes.Compare(puts[0].Key, deletes[0]) < 0 {
			key = puts[0].Key
			from := len(stored)
			stored = appendStored(stored, key, puts[0].Value, rev)
			c.stored = stored[from:len(stored):len(stored)]
			put, puts = uint32(len(c.stored))+1, puts[1:]
		} else {
			key, deletes = deletes[0], deletes[1:]
		}
		record = binary.BigEndian.AppendUint16(record, uint16(len(key)))
		record = append(binary.BigEndian.AppendUint32(record, put), key...)
		c.key = record[len(record)-len(key) : len(record) : len(record)]
		cs = append(cs, c)
	}
	binary.BigEndian.PutUint32(record[4:], uint32(frame-recordHeader))
	binary.BigEndian.PutUint32(record, frameSum(rev, record[4:]))
	return record[:frame+size], cs
}

func frameSum(rev uint64, sizeAndFrame []byte) uint32 {
	return crc32.Update(crc32.Checksum(binary.BigEndian.AppendUint64(nil, rev), castagnoli), castagnoli, sizeAndFrame)
}

// decode is the inverse of encode. What it returns does not share memory with the record.
func decode(rev uint64, record []byte) ([]change, error) {
	bad := fmt.Errorf("%w: commit %d in the journal is not what was written", ErrDamaged, rev)
	if len(record) < recordHeader {
		return nil, bad
	}
	record = bytes.Clone(record)
	size := uint64(binary.BigEndian.Uint32(record[4:]))
	if size > uint64(len(record)-recordHeader) || binary.BigEndian.Uint32(record) != frameSum(rev, record[4:recordHeader+size]) {
		return nil, bad
	}
	frame, values := record[recordHeader:recordHeader+size], record[recordHeader+size:]
	var cs []change
	for len(frame) > 0 {
		if len(frame) < 6 {
			return nil, bad
		}
		key, put := int(binary.BigEndian.Uint16(frame)), int(binary.BigEndian.Uint32(frame[2:]))
		if frame = frame[6:]; len(frame) < key {
			return nil, bad
		}
		c := change{key: frame[:key:key]}
		frame = frame[key:]
		if put > 0 {
			if put-1 > len(values) {
				return nil, bad
			}
			c.stored, values = values[:put-1:put-1], values[put-1:]
		}
		cs = append(cs, c)
	}
	if len(values) > 0 || !ordered(cs) {
		return nil, bad
	}
	return cs, nil
}

// ordered reports whether changes are sorted, one for each key: else what lies upon bucket "kv" could not be found.
func ordered(cs []change) bool {
	for i := 1; i < len(cs); i++ {
		if bytes.Compare(cs[i-1].key, cs[i].key) >= 0 {
			return false
		}
	}
	return true
}

// loadJournal reads what lies upon bucket "kv". The file says which commit its journal ends with, so none is lost unnoticed.
func loadJournal(tx *bbolt.Tx) (*overlay, error) {
	base := tx.Bucket(kvBucket).Sequence()
	o := &overlay{base: base, rev: base}
	for _, name := range journalPages(tx) {
		b := tx.Bucket(name)
		if b.Root() == 1 {
			return nil, fmt.Errorf("%w: the journal is not where it should be", ErrDamaged) // bbolt would look for ever
		}
		err := b.ForEach(func(k, record []byte) error {
			if !bytes.Equal(k, journalKey(o.rev+1)) {
				return fmt.Errorf("%w: commit %d is missing in the journal", ErrDamaged, o.rev+1)
			}
			cs, err := decode(o.rev+1, record)
			if err == nil {
				o = o.with(o.rev+1, cs, len(record))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	o.page = 0
	id := tx.Bucket(identityBucket)
	if journalled := formatOf(id) == formatJournal; journalled != (o.commits > 0) || journalled && id.Sequence() != o.rev {
		return nil, fmt.Errorf("%w: of its journal a part is missing", ErrDamaged)
	}
	return o, nil
}

func journalKey(rev uint64) []byte { return binary.BigEndian.AppendUint64(nil, rev) }

// journalPages are the names of the buckets that are the journal, in order.
func journalPages(tx *bbolt.Tx) [][]byte {
	var names [][]byte
	c := tx.Cursor()
	for k, _ := c.Seek(journalName); bytes.HasPrefix(k, journalName); k, _ = c.Next() {
		names = append(names, bytes.Clone(k))
	}
	return names
}

// journal stores a commit in the journal.
func journal(tx *bbolt.Tx, o *overlay, rev uint64, record []byte) error {
	if o.commits == 0 {
		if err := setFormat(tx, formatJournal); err != nil {
			return err
		}
	}
	if err := tx.Bucket(identityBucket).SetSequence(rev); err != nil {
		return err
	}
	page, _ := o.room(rev, len(record))
	b, err := tx.CreateBucketIfNotExists(slices.Concat(journalName, journalKey(page)))
	if err != nil {
		return err
	}
	return b.Put(journalKey(rev), record)
}

// fold puts what the journal holds, and then cs, where they belong, and empties the journal.
func fold(tx *bbolt.Tx, o *overlay, rev uint64, cs []change) error {
	b := tx.Bucket(kvBucket)
	b.FillPercent = fill
	for _, c := range onto(o.settled, onto(o.recent, cs)) {
		if c.stored == nil {
			if err := b.Delete(c.key); err != nil {
				return fmt.Errorf("delete key %x: %w", c.key, err)
			}
		} else if err := b.Put(c.key, c.stored); err != nil {
			return fmt.Errorf("put key %x: %w", c.key, err)
		}
	}
	if err := b.SetSequence(rev); err != nil {
		return err
	}
	if o.commits == 0 {
		return nil
	}
	for _, name := range journalPages(tx) {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	return setFormat(tx, formatPlain)
}

func formatOf(identity *bbolt.Bucket) uint64 {
	return binary.BigEndian.Uint64(identity.Get(formatName))
}

func setFormat(tx *bbolt.Tx, n uint64) error {
	return tx.Bucket(identityBucket).Put(formatName, binary.BigEndian.AppendUint64(nil, n))
}
