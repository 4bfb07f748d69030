package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"countersign/workflow"
)

// The verbs of the entries that Prune leaves in the trail.
const (
	PruneVerb  workflow.Verb = "prune"  // from here on, what was before the entry that it names may be missing
	PrunedVerb workflow.Verb = "pruned" // what is still there of it, for good
)

const (
	removedAtOnce = 16  // requests in one commit
	entriesAtOnce = 200 // entries of no request in one commit
	pruneTries    = 20  // of a commit that found the store busy
)

// PruneOptions say what Prune removes.
type PruneOptions struct {
	// Before is the age: a request that was touched later stays, with all its entries.
	Before time.Time
	// Via says in the trail who asked for it.
	Via string
	// Pause is kept between two commits, so that others get their turn.
	Pause time.Duration
	// Dry counts only.
	Dry bool
}

// Pruned is what Prune removed.
type Pruned struct {
	Requests int `json:"requests"`
	Entries  int `json:"entries"`
	// Kept counts the older entries that stay, because their requests do.
	Kept int `json:"kept"`
	// Through is the entry up to which the trail is no longer whole.
	Through Head `json:"through"`
}

// checkpoint is where the whole part of the trail begins since something was pruned. The entries Entry and Done say the
// same in the chain itself, so that nobody can move it unnoticed.
type checkpoint struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
	// Before is the age that was asked for.
	Before time.Time `json:"before"`
	Entry  uint64    `json:"entry"`
	// Done is zero while a pruning is under way, or was cut off. Kept and Digest are set with it.
	Done   uint64 `json:"done,omitempty"`
	Kept   int    `json:"kept,omitempty"`
	Digest string `json:"digest,omitempty"`
}

func (c checkpoint) begins() string {
	return fmt.Sprintf("through %d:%s, before %s", c.Seq, c.Hash, c.Before.UTC().Format(time.RFC3339))
}

func (c checkpoint) ends() string {
	return fmt.Sprintf("through %d, %d older entries kept: %s", c.Seq, c.Kept, c.Digest)
}

// Prune removes closed requests that were last touched before a time and owe nothing, with their entries, and the
// entries of no request from before it. The chain stays verifiable: it then begins at a checkpoint, which an entry of
// the chain confirms, and older entries that stay are covered by a digest in another. A request that is linked to one
// that stays, stays too. It works in small commits; if it is cut off, the next Prune goes on. Others may commit
// meanwhile.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (Pruned, error) {
	if !s.pruning.TryLock() {
		return Pruned{}, errors.New("prune: another one is under way")
	}
	defer s.pruning.Unlock()
	p, err := s.prune(ctx, o)
	if err != nil {
		return p, fmt.Errorf("prune: %w", err)
	}
	return p, nil
}

func (s *Store) prune(ctx context.Context, o PruneOptions) (Pruned, error) {
	if _, err := s.Verify(ctx); err != nil {
		return Pruned{}, fmt.Errorf("nothing is removed from a trail that is not whole: %w", err)
	}
	old, err := s.checkpoint(ctx)
	if err != nil {
		return Pruned{}, err
	}
	cp, err := s.cut(ctx, old, o.Before)
	if err != nil {
		return Pruned{}, err
	}
	gone, err := s.removable(ctx, cp)
	if err != nil {
		return Pruned{}, err
	}
	free, kept, err := s.below(ctx, cp, gone)
	out := Pruned{Requests: len(gone), Entries: len(free), Kept: kept, Through: Head{cp.Seq, cp.Hash}}
	for _, g := range gone {
		out.Entries += len(g.audit)
	}
	if err != nil || o.Dry || out.Entries == 0 && (old == nil || old.Done != 0) {
		return out, err
	}
	begun := workflow.Entry{At: s.opts.Now().UTC(), Verb: PruneVerb, Via: o.Via, Detail: cp.begins()}
	if err := s.remove(ctx, begun, nil, nil, &cp); err != nil {
		return Pruned{}, err
	}
	if err := s.removeAll(ctx, o, gone, free, &out); err != nil {
		return out, err
	}
	return out, s.conclude(ctx, o, &out)
}

// conclude records what is left below the checkpoint.
func (s *Store) conclude(ctx context.Context, o PruneOptions, out *Pruned) error {
	stored, err := s.checkpoint(ctx) // which knows its Entry
	if err != nil || stored == nil {
		return errors.Join(err, damagedIf(stored == nil))
	}
	cp := *stored
	if cp.Kept, cp.Digest, err = s.older(ctx, cp, nil); err != nil {
		return err
	}
	out.Kept = cp.Kept
	cp.Done = math.MaxUint64 // the committer knows
	return s.remove(ctx, workflow.Entry{At: s.opts.Now().UTC(), Verb: PrunedVerb, Via: o.Via, Detail: cp.ends()}, nil, nil, &cp)
}

func damagedIf(missing bool) error {
	if missing {
		return damaged(prunedKey, "it is missing")
	}
	return nil
}

// checkpoint reads where the trail begins; nil if nothing was ever pruned.
func (s *Store) checkpoint(ctx context.Context) (*checkpoint, error) {
	items, err := s.get(ctx, prunedKey)
	if err != nil || items[0].Rev == 0 {
		return nil, err
	}
	var cp checkpoint
	return &cp, decode(items[0], &cp)
}

// cut finds the last entry of those at the trail's beginning that are all older.
func (s *Store) cut(ctx context.Context, old *checkpoint, before time.Time) (checkpoint, error) {
	cp := checkpoint{Hash: genesis, Before: before}
	if old != nil {
		cp.Seq, cp.Hash = old.Seq, old.Hash
	}
	end := errors.New("end")
	err := s.scan(ctx, auditKey(cp.Seq+1), []byte{auditFamily + 1}, math.MaxInt, func(it Item) error {
		var e workflow.Entry
		if err := decode(it, &e); err != nil {
			return err
		}
		if !e.At.Before(before) {
			return end
		}
		cp.Seq, cp.Hash = e.Seq, e.Hash
		return nil
	})
	if errors.Is(err, end) {
		err = nil
	}
	return cp, err
}

// removal is a request that goes.
type removal struct {
	number, parent, child workflow.Number
	rev                   uint64
	audit                 []uint64
}

// removable are the requests that go, by number.
func (s *Store) removable(ctx context.Context, cp checkpoint) (map[workflow.Number]removal, error) {
	gone := map[workflow.Number]removal{}
	stays := map[workflow.Number]bool{}
	err := s.scan(ctx, []byte{requestFamily}, []byte{requestFamily + 1}, math.MaxInt, func(it Item) error {
		rec, err := decodeRecord(it)
		if err != nil {
			return err
		}
		r := &rec.Request
		late := slices.ContainsFunc(rec.Audit, func(seq uint64) bool { return seq > cp.Seq })
		if r.State.Open() || len(r.Effects) > 0 || !r.Updated.Before(cp.Before) || late {
			stays[r.Number] = true
		} else {
			gone[r.Number] = removal{r.Number, r.Parent, r.Child, it.Rev, rec.Audit}
		}
		return nil
	})
	for linked := true; linked && err == nil; {
		linked = false
		for n, g := range gone {
			if stays[g.parent] || stays[g.child] {
				delete(gone, n)
				stays[n], linked = true, true
			}
		}
	}
	return gone, err
}

// below lists the old entries of no request, and counts those that stay.
func (s *Store) below(ctx context.Context, cp checkpoint, gone map[workflow.Number]removal) (free []uint64, kept int, err error) {
	err = s.scan(ctx, auditKey(1), auditKey(cp.Seq+1), math.MaxInt, func(it Item) error {
		var e workflow.Entry
		if err := decode(it, &e); err != nil {
			return err
		}
		if _, goes := gone[e.Request]; e.Request == 0 {
			free = append(free, e.Seq)
		} else if !goes {
			kept++
		}
		return nil
	})
	return free, kept, err
}

// removeAll removes in small commits. A request that somebody has touched meanwhile stays.
func (s *Store) removeAll(ctx context.Context, o PruneOptions, gone map[workflow.Number]removal, free []uint64, out *Pruned) error {
	var list []removal
	for _, g := range gone {
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b removal) int { return int(a.number) - int(b.number) })
	for chunk := range slices.Chunk(list, removedAtOnce) {
		err := s.remove(ctx, workflow.Entry{}, chunk, nil, nil)
		if errors.Is(err, workflow.ErrConflict) {
			err = s.removeEach(ctx, chunk, out)
		}
		if err != nil {
			return err
		}
		if err := pause(ctx, o.Pause); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(free, entriesAtOnce) {
		if err := s.remove(ctx, workflow.Entry{}, nil, chunk, nil); err != nil {
			return err
		}
		if err := pause(ctx, o.Pause); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeEach(ctx context.Context, chunk []removal, out *Pruned) error {
	for _, g := range chunk {
		err := s.remove(ctx, workflow.Entry{}, []removal{g}, nil, nil)
		if errors.Is(err, workflow.ErrConflict) {
			out.Requests--
			out.Entries -= len(g.audit)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// remove is one commit of a pruning.
func (s *Store) remove(ctx context.Context, e workflow.Entry, requests []removal, entries []uint64, cp *checkpoint) error {
	for tries := 0; ; tries++ {
		p := &pending{done: make(chan struct{}), forget: entries, checkpoint: cp}
		for _, g := range requests {
			p.writes = append(p.writes, write{number: g.number, key: requestKey(g.number), rev: g.rev, gone: true})
		}
		if err := s.readReplaced(ctx, p); err != nil {
			return err
		}
		if e.Verb != "" {
			l, err := newLink(e)
			if err != nil {
				return err
			}
			p.entries = []link{l}
		}
		err := s.enqueue(ctx, p)
		if err == nil {
			err = p.wait(ctx, s.opts.MaxWait)
		}
		if !errors.Is(err, workflow.ErrBusy) || errors.Is(err, ErrClosed) || ctx.Err() != nil || tries == pruneTries {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// older goes through what is left below a checkpoint: each entry bears its own hash, and the digest covers them all.
func (s *Store) older(ctx context.Context, cp checkpoint, each func(workflow.Entry) error) (kept int, digest string, err error) {
	sum := sha256.New()
	err = s.scan(ctx, auditKey(1), auditKey(cp.Seq+1), math.MaxInt, func(it Item) error {
		var e workflow.Entry
		if err := decode(it, &e); err != nil {
			return err
		}
		want, err := EntryHash(e)
		switch {
		case err != nil:
			return damaged(it.Key, err.Error())
		case string(it.Key) != string(auditKey(e.Seq)):
			return damaged(it.Key, fmt.Sprintf("in its place is entry %d", e.Seq))
		case want != e.Hash || e.Seq == cp.Seq && e.Hash != cp.Hash:
			return damaged(it.Key, "its hash does not match its content")
		}
		kept++
		fmt.Fprintf(sum, "%d:%s\n", e.Seq, e.Hash)
		if each != nil {
			return each(e)
		}
		return nil
	})
	return kept, hex.EncodeToString(sum.Sum(nil)), err
}

// point stores a checkpoint with the commit whose entry, the last one appended, confirms it.
func (b *batch) point(cp checkpoint) error {
	if cp.Done == math.MaxUint64 {
		cp.Done = b.head.Seq
	} else {
		cp.Entry = b.head.Seq
	}
	payload, err := json.Marshal(cp)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	b.put(prunedKey, payload)
	return nil
}

// confirm demands that the chain says of a checkpoint what the checkpoint says of itself, and knows no newer one.
func (c *checkpoint) confirm(e workflow.Entry) error {
	if c == nil {
		if e.Verb == PruneVerb {
			return damaged(prunedKey, fmt.Sprintf("it is missing, but audit entry %d names it", e.Seq))
		}
		return nil
	}
	switch {
	case e.Seq == c.Entry && (e.Verb != PruneVerb || e.Detail != c.begins()),
		e.Seq == c.Done && (e.Verb != PrunedVerb || e.Detail != c.ends()),
		e.Seq > c.Entry && e.Verb == PruneVerb,
		e.Seq > c.Entry && e.Seq != c.Done && e.Verb == PrunedVerb:
		return damaged(prunedKey, fmt.Sprintf("audit entry %d says otherwise", e.Seq))
	}
	return nil
}
