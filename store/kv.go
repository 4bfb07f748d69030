package store

import (
	"context"
	"errors"
	"io"
)

// MaxScan is the largest limit of a scan. It bounds how long an engine holds a read transaction.
const MaxScan = 1000

// KV is the ordered key-value engine below a Store. Keys order bytewise. Its methods may be called concurrently, except
// that nothing may be called after Close. What it returns belongs to the caller; what it is given it does not keep.
//
// An error that is ErrFailed leaves open whether the last commit was stored; after any other error of Commit nothing of
// it was.
type KV interface {
	// Get returns one item for each key, in their order, all of one moment. The Rev of an absent key is 0.
	Get(ctx context.Context, keys ...[]byte) ([]Item, error)

	// Scan returns the items with from <= key < to, at most limit of them (1 to MaxScan), in ascending order, or from the
	// end of the range in descending order if reverse. They are of one moment.
	Scan(ctx context.Context, from, to []byte, limit int, reverse bool) ([]Item, error)

	// Commit stores all of txn durably, or nothing, and returns the revision that each key it put now has: one that
	// is above all earlier revisions of those keys. It is ErrCompare if a compared key is at another revision.
	Commit(ctx context.Context, txn Txn) (rev uint64, err error)

	// Close gives up what the engine holds. It is called once, and last.
	Close() error
}

// Snapshotter is a KV that can write a copy of itself, as it was at one commit, while it is in use.
type Snapshotter interface {
	Snapshot(ctx context.Context, w io.Writer) error
}

// Waiter is a KV whose Commit may wait for a server that is away, for as long as it takes to learn what became of what
// was sent. Stopping says that Close will follow: the wait ends, and whether the commit was stored stays open (ErrFailed).
type Waiter interface {
	Stopping()
}

// Item is a key and what is stored under it.
type Item struct {
	Key   []byte
	Value []byte
	Rev   uint64
}

// Txn is one atomic change of a KV. A key is put or deleted at most once. Each compared key is also put: so an engine
// may judge a compare by the rows that its write touched. Puts, deletes and compares are sorted by key.
type Txn struct {
	Compares []Compare
	Puts     []Put
	Deletes  [][]byte // deleting an absent key is no error
}

// Compare demands that a key is at a revision; 0 demands that it is absent.
type Compare struct {
	Key []byte
	Rev uint64
}

// Put stores a value under a key.
type Put struct {
	Key   []byte
	Value []byte
}

// Errors of a KV, besides those of its own.
var (
	// ErrCompare says that a compared key was at another revision; nothing was stored.
	ErrCompare = errors.New("a compared key has changed")
	// ErrFull says that there was no room; nothing was stored, and a later commit may succeed.
	ErrFull = errors.New("no room left for the database")
	// ErrFailed says that the engine can no longer be trusted: whether the last commit was stored shows only once it
	// is opened again. Every later call fails with it too.
	ErrFailed = errors.New("the database engine has failed; start again to recover")
	// ErrDamaged says that stored data is not what was written.
	ErrDamaged = errors.New("the database is damaged")
)
