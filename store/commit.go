package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"countersign/workflow"
)

// Commit stores all of c durably, or nothing; see workflow.Store. It waits at most Options.MaxWait for its turn, and
// less if ctx ends: then it is workflow.ErrBusy and nothing was recorded. Once its turn has come the result is the true
// one, also when ctx has ended. Besides the errors of workflow.Store: ErrFull if there is no room (a later commit may
// succeed), ErrFailed if whether it is stored shows only after a restart.
func (s *Store) Commit(ctx context.Context, c workflow.Commit) ([]workflow.Revision, error) {
	p, err := s.prepare(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if err := s.enqueue(ctx, p); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if err := p.wait(ctx, s.opts.MaxWait); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return p.revisions, nil
}

// pending is a commit on its way through the queue.
type pending struct {
	delivery string
	claimID  []byte
	writes   []write
	entries  []link // of no request
	// Of a pruning: entries of no request that go, and where the trail then begins.
	forget     []uint64
	checkpoint *checkpoint

	// owner goes once from nobody to the committer, who then answers, or to the caller, who has given up.
	owner atomic.Int32
	done  chan struct{}

	// Set by the committer before done is closed.
	revisions []workflow.Revision
	err       error
}

const (
	ownedByCommitter = 1
	ownedByCaller    = 2
)

// write is a workflow.Write with everything done that does not need the committer.
type write struct {
	number  workflow.Number
	key     []byte
	rev     uint64
	request []byte // JSON
	entries []link
	index   [][]byte // the index keys of the new record
	// Where the request becomes the one that may have a call under way on its membership: the key that says so, and the
	// revision it is stored at, which is not nought if the request it names no longer calls for it.
	alone    []byte
	aloneRev uint64
	gone     bool // the record, its index keys and its entries are removed

	// What the record at rev holds: its index keys and the places of its audit entries. A revision names one version of
	// the record, so these still hold when the committer finds the record at rev.
	oldIndex [][]byte
	oldAudit []uint64
}

// prepare encodes a commit and reads the records it replaces, in the caller's goroutine: the committer is one, the
// callers are many.
func (s *Store) prepare(ctx context.Context, c workflow.Commit) (*pending, error) {
	p := &pending{
		delivery: c.Delivery,
		writes:   make([]write, len(c.Writes)),
		done:     make(chan struct{}),
	}
	if c.Delivery != "" {
		p.claimID = claimID(c.Delivery)
	}
	for _, e := range c.Entries {
		if e.Request != 0 {
			return nil, fmt.Errorf("audit entry of request %d: it belongs to the write of that request", e.Request)
		}
	}
	var err error
	if p.entries, err = links(0, c.Entries); err != nil {
		return nil, err
	}
	for i := range c.Writes {
		w := &c.Writes[i]
		if err := check(w); err != nil {
			return nil, fmt.Errorf("request %d: %w", w.Request.Number, err)
		}
		if err := encodeWrite(&p.writes[i], w); err != nil {
			return nil, fmt.Errorf("request %d: %w", w.Request.Number, err)
		}
	}
	return p, s.readReplaced(ctx, p)
}

// check refuses what could be stored but not found again.
func check(w *workflow.Write) error {
	r := &w.Request
	if r.Number == 0 {
		return errors.New("the number is missing")
	}
	if !slices.Contains(workflow.States(), r.State) {
		return fmt.Errorf("unknown state %q", r.State)
	}
	if len(r.Requester.Team) > math.MaxUint16 || len(r.Requester.User) > math.MaxUint16 {
		return errors.New("the requester's ID is too long")
	}
	for _, e := range r.Effects {
		if e.Due.IsZero() {
			return fmt.Errorf("effect %d (%s) is never due", e.ID, e.Kind)
		}
	}
	for _, e := range w.Entries {
		if e.Request != 0 && e.Request != r.Number {
			return fmt.Errorf("its audit entry is of request %d", e.Request)
		}
	}
	return nil
}

// links prepares the entries of a request for the chain.
func links(n workflow.Number, es []workflow.Entry) ([]link, error) {
	ls := make([]link, len(es))
	for i, e := range es {
		e.Request = n
		var err error
		if ls[i], err = newLink(e); err != nil {
			return nil, err
		}
	}
	return ls, nil
}

func encodeWrite(to *write, w *workflow.Write) error {
	request, err := json.Marshal(&w.Request)
	if err != nil {
		return err
	}
	entries, err := links(w.Request.Number, w.Entries)
	if err != nil {
		return err
	}
	*to = write{
		number:  w.Request.Number,
		key:     requestKey(w.Request.Number),
		rev:     uint64(w.Revision),
		request: request,
		entries: entries,
		index:   indexKeys(&w.Request),
	}
	return nil
}

// readReplaced fills in what the committer must know of the records that p replaces. A record at another revision is
// left for the committer to refuse, behind its check for a repeated delivery.
func (s *Store) readReplaced(ctx context.Context, p *pending) error {
	var keys [][]byte
	for _, w := range p.writes {
		if w.rev != 0 {
			keys = append(keys, w.key)
		}
	}
	var items []Item
	if len(keys) > 0 {
		var err error
		if items, err = s.get(ctx, keys...); err != nil {
			return err
		}
	}
	for i := range p.writes {
		w := &p.writes[i]
		if w.rev == 0 {
			continue
		}
		it := items[0]
		items = items[1:]
		if it.Rev != w.rev {
			continue
		}
		rec, err := decodeRecord(it)
		if err != nil {
			return err
		}
		w.oldIndex, w.oldAudit = indexKeys(&rec.Request), rec.Audit
	}
	for i := range p.writes {
		if err := s.readAlone(ctx, &p.writes[i]); err != nil {
			return err
		}
	}
	return nil
}

// readAlone refuses a request that would be alone on a membership on which another one is.
func (s *Store) readAlone(ctx context.Context, w *write) error {
	i := slices.IndexFunc(w.index, func(k []byte) bool { return k[0] == aloneFamily })
	if i < 0 || contains(w.oldIndex, w.index[i]) {
		return nil
	}
	w.alone = w.index[i]
	items, err := s.get(ctx, w.alone)
	if err != nil || items[0].Rev == 0 {
		return err
	}
	n, err := aloneIn(items[0])
	if err != nil {
		return err
	}
	other, _, err := s.Load(ctx, n)
	switch {
	case errors.Is(err, workflow.ErrNotFound):
	case err != nil:
		return err
	case n != w.number && contains(indexKeys(&other), w.alone):
		return fmt.Errorf("request %d: %w: request %d", w.number, workflow.ErrOccupied, n)
	}
	w.aloneRev = items[0].Rev // left by a version of this program that knew no such key
	return nil
}

func (s *Store) enqueue(ctx context.Context, p *pending) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", workflow.ErrBusy, context.Cause(ctx))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fmt.Errorf("%w: %w", workflow.ErrBusy, ErrClosed)
	}
	select {
	case s.queue <- p:
		return nil
	default:
		return fmt.Errorf("%w: %d commits are waiting", workflow.ErrBusy, cap(s.queue))
	}
}

// wait waits for the committer's answer. Until the committer has taken p, the caller may take it back.
func (p *pending) wait(ctx context.Context, maxWait time.Duration) error {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	var why error
	select {
	case <-p.done:
		return p.err
	case <-timer.C:
		why = fmt.Errorf("%w: it was not taken within %v", workflow.ErrBusy, maxWait)
	case <-ctx.Done():
		why = fmt.Errorf("%w: %w", workflow.ErrBusy, context.Cause(ctx))
	}
	if p.owner.CompareAndSwap(0, ownedByCaller) {
		return why
	}
	<-p.done
	return p.err
}

// take reserves p for the committer; false if its caller has given up.
func (p *pending) take() bool { return p.owner.CompareAndSwap(0, ownedByCommitter) }

// answer ends p. An error goes without revisions.
func (p *pending) answer(rev uint64, err error) {
	p.err = err
	if err == nil {
		p.revisions = make([]workflow.Revision, len(p.writes))
		for i := range p.revisions {
			p.revisions[i] = workflow.Revision(rev)
		}
	}
	close(p.done)
}
