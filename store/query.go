package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"countersign/workflow"
)

// defaultLimit is how many requests a query without a limit returns at most.
const defaultLimit = 100

// List returns requests newest first; see workflow.Store. A limit of zero is 100. A request that changes while it is
// listed is returned as it then is, or not at all if it no longer fits the query.
func (s *Store) List(ctx context.Context, q workflow.Query) ([]workflow.Request, error) {
	rs, err := s.list(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return rs, nil
}

func (s *Store) list(ctx context.Context, q workflow.Query) ([]workflow.Request, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	if q.Before == 0 {
		q.Before = math.MaxUint64
	}
	byRequester := q.Requester != (workflow.Person{})
	switch {
	case byRequester && len(q.States) > 0:
		return nil, errors.New("a query is by requester or by states, not by both")
	case byRequester:
		return s.listIndex(ctx, q, requesterPrefix(q.Requester))
	case len(q.States) > 0:
		prefixes := make([][]byte, 0, len(q.States))
		for _, st := range slices.Compact(slices.Sorted(slices.Values(q.States))) {
			prefixes = append(prefixes, statePrefix(st))
		}
		return s.listIndex(ctx, q, prefixes...)
	default:
		return s.listAll(ctx, q)
	}
}

func (s *Store) listAll(ctx context.Context, q workflow.Query) ([]workflow.Request, error) {
	rs := make([]workflow.Request, 0, min(q.Limit, MaxScan))
	for len(rs) < q.Limit {
		limit := min(q.Limit-len(rs), MaxScan)
		items, err := s.page(ctx, []byte{requestFamily}, requestKey(q.Before), limit, true)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			rec, err := decodeRecord(it)
			if err != nil {
				return nil, err
			}
			rs = append(rs, rec.Request)
			q.Before = rec.Request.Number
		}
		if len(items) < limit {
			break
		}
	}
	return rs, nil
}

// listIndex merges the numbers that indexes hold and loads their requests, until the limit or the end is reached.
func (s *Store) listIndex(ctx context.Context, q workflow.Query, prefixes ...[]byte) ([]workflow.Request, error) {
	rs := make([]workflow.Request, 0, min(q.Limit, MaxScan))
	for len(rs) < q.Limit {
		limit := min(q.Limit-len(rs), MaxScan)
		numbers, err := s.newest(ctx, prefixes, q.Before, limit)
		if err != nil || len(numbers) == 0 {
			return rs, err
		}
		got, err := s.loadAll(ctx, numbers)
		if err != nil {
			return nil, err
		}
		for _, r := range got {
			if fits(&r, q) {
				rs = append(rs, r)
			}
		}
		if len(numbers) < limit {
			break
		}
		q.Before = numbers[len(numbers)-1]
	}
	return rs, nil
}

// fits reports whether a request still is what the index said when it was read.
func fits(r *workflow.Request, q workflow.Query) bool {
	return len(q.States) == 0 || slices.Contains(q.States, r.State)
}

// newest returns the highest numbers below before of all indexes together, highest first, at most limit of them.
func (s *Store) newest(ctx context.Context, prefixes [][]byte, before workflow.Number, limit int) ([]workflow.Number, error) {
	var numbers []workflow.Number
	for _, p := range prefixes {
		items, err := s.page(ctx, p, appendNumber(slices.Clone(p), before), limit, true)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			if _, err := unseal(it.Key, it.Value); err != nil {
				return nil, err
			}
			n, err := numberIn(it.Key)
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, func(x, y workflow.Number) int { return cmp.Compare(y, x) })
	// Between two scans a request may have moved from one state to another and be in both.
	numbers = slices.Compact(numbers)
	return numbers[:min(limit, len(numbers))], nil
}

// loadAll loads requests that an index named: one that is missing is damage.
func (s *Store) loadAll(ctx context.Context, numbers []workflow.Number) ([]workflow.Request, error) {
	keys := make([][]byte, len(numbers))
	for i, n := range numbers {
		keys[i] = requestKey(n)
	}
	items, err := s.get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	rs := make([]workflow.Request, len(items))
	for i, it := range items {
		if it.Rev == 0 {
			return nil, damaged(it.Key, "it is missing, but an index names it")
		}
		rec, err := decodeRecord(it)
		if err != nil {
			return nil, err
		}
		rs[i] = rec.Request
	}
	return rs, nil
}

// Due returns what is due; see workflow.Store. A limit of zero is 100. It reads one index and no request.
func (s *Store) Due(ctx context.Context, until time.Time, behind workflow.DueItem, limit int) ([]workflow.DueItem, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	from, to := []byte{dueFamily}, after(dueKey(until, math.MaxUint64))
	if behind != (workflow.DueItem{}) {
		from = after(dueKey(behind.Due, behind.Number))
	}
	due := make([]workflow.DueItem, 0, min(limit, MaxScan))
	err := s.scan(ctx, from, to, limit, func(it Item) error {
		item, err := dueIn(it.Key)
		if err != nil {
			return err
		}
		if _, err := unseal(it.Key, it.Value); err != nil {
			return err
		}
		due = append(due, item)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list what is due: %w", err)
	}
	return due, nil
}

// scan calls f for at most limit items with from <= key < to, in order, page by page: no page is read while f runs, and
// each is of its own moment.
func (s *Store) scan(ctx context.Context, from, to []byte, limit int, f func(Item) error) error {
	for limit > 0 {
		page := min(limit, MaxScan)
		items, err := s.page(ctx, from, to, page, false)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := f(it); err != nil {
				return err
			}
		}
		if len(items) < page {
			return nil
		}
		limit -= page
		from = after(items[len(items)-1].Key)
	}
	return nil
}
