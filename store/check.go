package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"countersign/workflow"
)

// maxCounted bounds what Stats counts of one state.
const maxCounted = 10 * MaxScan

// Stats is what an operator wants to see of a store.
type Stats struct {
	// Open counts the requests in each state that something may still become of; at most 10,000 of each are counted.
	Open   map[workflow.State]int
	Head   Head
	Number workflow.Number // the highest number stored
	Queued int             // commits that wait for the committer
}

// Stats counts what can be counted at the cost of what is open.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	h, err := s.storedHead(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("store statistics: %w", err)
	}
	st := Stats{
		Open:   map[workflow.State]int{},
		Head:   Head{Seq: h.Seq, Hash: h.Hash},
		Number: h.Number,
		Queued: len(s.queue),
	}
	for _, state := range workflow.States() {
		if !state.Open() {
			continue
		}
		p := statePrefix(state)
		if err := s.scan(ctx, p, end(p), maxCounted, func(Item) error { st.Open[state]++; return nil }); err != nil {
			return Stats{}, fmt.Errorf("store statistics: %w", err)
		}
	}
	return st, nil
}

// Engine is the engine below the store.
func (s *Store) Engine() KV { return s.kv }

// Backup writes a consistent copy of the database to w while others commit. Its error is errors.ErrUnsupported if the
// engine has its own way of being backed up.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	snap, ok := s.kv.(Snapshotter)
	if !ok {
		return fmt.Errorf("backup: this engine has its own: %w", errors.ErrUnsupported)
	}
	if err := snap.Snapshot(ctx, w); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// CheckIndexes compares the indexes with the records, both ways, and the two keys of each delivery claim with one
// another. Its error names the first key that is missing or too much. Nothing may commit meanwhile. It reads everything.
func (s *Store) CheckIndexes(ctx context.Context) error {
	c := checker{store: s, want: map[byte]int{}}
	for _, check := range []func(context.Context) error{c.records, c.claims, c.orphans} {
		if err := check(ctx); err != nil {
			return fmt.Errorf("check indexes: %w", err)
		}
	}
	return nil
}

// checker looks for every key that the records call for, counts them by family, and then counts what is stored: if all
// that is wanted is there and there is as much as is wanted, then the two are the same.
type checker struct {
	store *Store
	want  map[byte]int
}

// records checks the keys that each record calls for, and that the entries it names are its own.
func (c *checker) records(ctx context.Context) error {
	return c.store.scan(ctx, []byte{requestFamily}, []byte{requestFamily + 1}, math.MaxInt, func(it Item) error {
		rec, err := decodeRecord(it)
		if err != nil {
			return err
		}
		if err := c.present(ctx, indexKeys(&rec.Request)...); err != nil {
			return err
		}
		c.want[auditFamily] += len(rec.Audit)
		es, err := c.store.history(ctx, rec.Request.Number)
		if err != nil {
			return err
		}
		for _, e := range es {
			if e.Request != rec.Request.Number {
				return damaged(it.Key, fmt.Sprintf("it names audit entry %d, which is of request %d", e.Seq, e.Request))
			}
		}
		return nil
	})
}

// present demands keys and counts them as wanted.
func (c *checker) present(ctx context.Context, keys ...[]byte) error {
	items, err := c.store.get(ctx, keys...)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.Rev == 0 {
			return damaged(it.Key, "it is missing")
		}
		if _, err := unseal(it.Key, it.Value); err != nil {
			return err
		}
		c.want[it.Key[0]]++
	}
	return nil
}

func (c *checker) claims(ctx context.Context) error {
	return c.store.scan(ctx, []byte{claimFamily}, []byte{claimFamily + 1}, math.MaxInt, func(it Item) error {
		var cl claim
		if err := decode(it, &cl); err != nil {
			return err
		}
		return c.present(ctx, claimTimeKey(cl.At, it.Key[1:]))
	})
}

// orphans compares what is stored with what is wanted, family by family.
func (c *checker) orphans(ctx context.Context) error {
	for _, family := range []byte{requesterFamily, stateFamily, dueFamily, aloneFamily, claimTimeFamily, auditFamily} {
		got := 0
		err := c.store.scan(ctx, []byte{family}, []byte{family + 1}, math.MaxInt, func(it Item) error {
			if family == auditFamily {
				var e workflow.Entry
				if err := decode(it, &e); err != nil || e.Request == 0 {
					return err // of no request: no record names it
				}
			}
			got++
			return nil
		})
		if err != nil {
			return err
		}
		if got != c.want[family] {
			return c.name(ctx, family, got)
		}
	}
	return nil
}

// name finds the first orphan of a family that has one.
func (c *checker) name(ctx context.Context, family byte, got int) error {
	err := c.store.scan(ctx, []byte{family}, []byte{family + 1}, math.MaxInt, func(it Item) error {
		wanted, err := c.wanted(ctx, it)
		if err == nil && !wanted {
			err = damaged(it.Key, "nothing calls for it")
		}
		return err
	})
	if err != nil {
		return err
	}
	return damaged([]byte{family}, fmt.Sprintf("%d keys are stored, the records call for %d", got, c.want[family]))
}

// wanted reports whether a record or a claim calls for an index key.
func (c *checker) wanted(ctx context.Context, it Item) (bool, error) {
	if it.Key[0] == claimTimeFamily {
		items, err := c.store.get(ctx, claimKey(it.Key[1+timeSize:]))
		return err == nil && items[0].Rev != 0, err
	}
	if it.Key[0] == auditFamily {
		return true, nil
	}
	n, err := numberIn(it.Key)
	if it.Key[0] == aloneFamily {
		n, err = aloneIn(it)
	}
	if err != nil {
		return false, err
	}
	r, _, err := c.store.Load(ctx, n)
	if errors.Is(err, workflow.ErrNotFound) {
		return false, nil
	}
	return contains(indexKeys(&r), it.Key), err
}
