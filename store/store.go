package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"countersign/workflow"
)

// Options of Open; the zero value is fine.
type Options struct {
	// Now is the clock by which delivery claims grow old; nil is the wall clock.
	Now func() time.Time
	// Logger gets what no caller is told; nil discards it.
	Logger *slog.Logger
	// MaxWait is how long a commit may wait for the committer before it is ErrBusy; zero is 1.5 s.
	MaxWait time.Duration
	// MaxBatch is how many commits share one KV.Commit at most; zero is 128.
	MaxBatch int
	// Queue is how many commits may wait at once; zero is 1024.
	Queue int
	// OnCommit, if set, is told of each KV.Commit: how many commits shared it, and how long it took. It must be quick.
	OnCommit func(batch int, d time.Duration)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 1500 * time.Millisecond
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 128
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.OnCommit == nil {
		o.OnCommit = func(int, time.Duration) {}
	}
	return o
}

// ErrClosed says that the store is closed; nothing was recorded.
var ErrClosed = errors.New("the store is closed")

// ErrNewer says that a newer version of this program has written the database.
var ErrNewer = errors.New("the database was written by a newer version of this program; run that version")

// Store is a workflow.Store over a KV. Its methods may be called concurrently.
type Store struct {
	kv   KV
	opts Options

	// mu guards the queue's sending side: senders hold it shared, so that Close can close the queue.
	mu     sync.RWMutex
	closed bool
	queue  chan *pending

	drained  chan struct{} // closed when the committer has answered everybody
	closing  sync.Once
	closeErr error
	failed   chan struct{} // closed on ErrFailed
	failing  sync.Once
	pruning  sync.Mutex // held by the one Prune

	// number is the highest number handed out or known to be stored.
	number atomic.Uint64

	// The committer's own: the head of the chain and the revision it is stored at. Nobody else touches them.
	head    head
	headRev uint64
}

var _ workflow.Store = (*Store)(nil)

// Open opens the store that kv holds, and makes a new one if kv is empty. The store then owns kv; if Open fails, kv
// remains the caller's to close. Its errors: ErrNewer, ErrDamaged (a *DamageError names the key), those of kv.
func Open(ctx context.Context, kv KV, opts Options) (*Store, error) {
	s := over(kv, opts)
	if err := s.identify(ctx); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.loadEnd(ctx); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	go s.run(context.WithoutCancel(ctx))
	return s, nil
}

// over is a Store that only reads, as long as nothing runs its queue.
func over(kv KV, opts Options) *Store {
	opts = opts.withDefaults()
	return &Store{
		kv: kv, opts: opts, queue: make(chan *pending, opts.Queue), drained: make(chan struct{}), failed: make(chan struct{}),
	}
}

// get is KV.Get. A read may be the first to meet an engine that has failed: it need not be a commit that failed it.
func (s *Store) get(ctx context.Context, keys ...[]byte) ([]Item, error) {
	items, err := s.kv.Get(ctx, keys...)
	s.note(err)
	return items, err
}

// page is KV.Scan, as get is KV.Get.
func (s *Store) page(ctx context.Context, from, to []byte, limit int, reverse bool) ([]Item, error) {
	items, err := s.kv.Scan(ctx, from, to, limit, reverse)
	s.note(err)
	return items, err
}

// identify checks what kind of database this is, and makes an empty one ours.
func (s *Store) identify(ctx context.Context) error {
	for {
		items, err := s.get(ctx, formatKey)
		if err != nil {
			return err
		}
		if items[0].Rev != 0 {
			return checkFormat(items[0])
		}
		first, err := s.page(ctx, []byte{0}, []byte{0xff}, 1, false)
		if err != nil {
			return err
		}
		again, err := s.get(ctx, formatKey, moveKey)
		switch {
		case err != nil:
			return err
		case again[0].Rev != 0:
			continue // another replica has just made it ours
		case again[1].Rev != 0:
			return ErrMoving
		}
		if len(first) > 0 {
			return damaged(formatKey, "it is missing, but the database is not empty")
		}
		// Another replica may be faster: then what it wrote is checked.
		if err := s.create(ctx); !errors.Is(err, ErrCompare) {
			return err
		}
	}
}

func checkFormat(it Item) error {
	var f format
	if err := decode(it, &f); err != nil {
		return err
	}
	if f.Format > Format {
		return fmt.Errorf("%w (its format is %d, this program knows %d)", ErrNewer, f.Format, Format)
	}
	return nil
}

func (s *Store) create(ctx context.Context) error {
	var id [16]byte
	rand.Read(id[:]) // never fails
	f, err := json.Marshal(format{Format: Format, ID: hex.EncodeToString(id[:]), Created: s.opts.Now().UTC()})
	if err != nil {
		return fmt.Errorf("format record: %w", err)
	}
	h, err := json.Marshal(head{Hash: genesis})
	if err != nil {
		return fmt.Errorf("head record: %w", err)
	}
	_, err = s.kv.Commit(ctx, Txn{
		Compares: []Compare{{Key: formatKey}, {Key: headKey}},
		Puts:     []Put{{formatKey, seal(formatKey, f)}, {headKey, seal(headKey, h)}},
	})
	return err
}

// loadEnd reads the head and checks it against what it is the head of. These are several reads: where another replica has
// committed in between, they are repeated.
func (s *Store) loadEnd(ctx context.Context) error {
	if err := s.loadHead(ctx); err != nil {
		return err
	}
	for {
		was := s.headRev
		err := s.checkEnd(ctx)
		if err == nil {
			return nil
		}
		if errLoad := s.loadHead(ctx); errLoad != nil || s.headRev == was {
			return errors.Join(err, errLoad)
		}
	}
}

// loadHead reads the end of the chain and lifts the next number above all that are stored.
func (s *Store) loadHead(ctx context.Context) error {
	items, err := s.get(ctx, headKey)
	if err != nil {
		return err
	}
	if items[0].Rev == 0 {
		return damaged(headKey, "it is missing")
	}
	var h head
	if err := decode(items[0], &h); err != nil {
		return err
	}
	s.head, s.headRev = h, items[0].Rev
	s.raiseNumber(uint64(h.Number))
	return nil
}

// checkEnd compares the head with the last audit entry and the last request: the cheap part of Verify, which finds a
// database that has lost its end.
func (s *Store) checkEnd(ctx context.Context) error {
	last, err := s.last(ctx, auditFamily)
	if err != nil {
		return err
	}
	var e workflow.Entry
	if last.Rev != 0 {
		if err := decode(last, &e); err != nil {
			return err
		}
	} else {
		e.Hash = genesis
	}
	if e.Seq != s.head.Seq || e.Hash != s.head.Hash {
		return damaged(headKey, fmt.Sprintf("the audit trail should end with entry %d, it ends with %d", s.head.Seq, e.Seq))
	}
	if last, err = s.last(ctx, requestFamily); err != nil || last.Rev == 0 {
		return err
	}
	n, err := numberIn(last.Key)
	if err != nil {
		return err
	}
	if n > s.head.Number {
		return damaged(headKey, fmt.Sprintf("the highest number should be %d, request %d is stored", s.head.Number, n))
	}
	return nil
}

// last is the item with the highest key of a family; its Rev is 0 if there is none.
func (s *Store) last(ctx context.Context, family byte) (Item, error) {
	items, err := s.page(ctx, []byte{family}, []byte{family + 1}, 1, true)
	if err != nil || len(items) == 0 {
		return Item{}, err
	}
	return items[0], nil
}

// Close takes no more commits, answers those that wait, and closes the engine. Further calls return what the first did.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		close(s.queue)
		s.mu.Unlock()
		if w, ok := s.kv.(Waiter); ok {
			w.Stopping()
		}
		<-s.drained
		s.closeErr = s.kv.Close()
	})
	return s.closeErr
}

// Failed is closed once the engine has failed (ErrFailed). The process should then end, so that the next one reads from
// the disk what was stored and what was not.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Load returns a request and the revision it is stored at, or workflow.ErrNotFound.
func (s *Store) Load(ctx context.Context, n workflow.Number) (workflow.Request, workflow.Revision, error) {
	items, err := s.get(ctx, requestKey(n))
	if err != nil {
		return workflow.Request{}, 0, fmt.Errorf("load request %d: %w", n, err)
	}
	if items[0].Rev == 0 {
		return workflow.Request{}, 0, fmt.Errorf("load request %d: %w", n, workflow.ErrNotFound)
	}
	rec, err := decodeRecord(items[0])
	if err != nil {
		return workflow.Request{}, 0, fmt.Errorf("load request %d: %w", n, err)
	}
	return rec.Request, workflow.Revision(items[0].Rev), nil
}

// maxReserve bounds one Reserve: far more than one command can ask for.
const maxReserve = 1 << 20

// Reserve hands out n consecutive numbers above all that are stored and all that it has handed out before; it returns
// the first. It only counts in memory: a number that never came to be stored may be handed out again after a restart,
// or by another replica at the same time. Then one of the two commits is workflow.ErrConflict, and reserves again.
func (s *Store) Reserve(_ context.Context, n int) (workflow.Number, error) {
	if n < 1 || n > maxReserve {
		return 0, fmt.Errorf("reserve %d numbers: out of range", n)
	}
	return workflow.Number(s.number.Add(uint64(n)) - uint64(n) + 1), nil
}

// raiseNumber makes sure that no number up to n is handed out from now on.
func (s *Store) raiseNumber(n uint64) {
	for {
		old := s.number.Load()
		if old >= n || s.number.CompareAndSwap(old, n) {
			return
		}
	}
}
