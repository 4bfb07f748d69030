package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"countersign/workflow"
)

// Head is the end of the audit trail: keep it elsewhere, and a trail that was cut or rewritten shows.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// History returns the audit entries of a request, oldest first, or workflow.ErrNotFound. It reads them and the request,
// nothing else.
func (s *Store) History(ctx context.Context, n workflow.Number) ([]workflow.Entry, error) {
	es, err := s.history(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("history of request %d: %w", n, err)
	}
	return es, nil
}

func (s *Store) history(ctx context.Context, n workflow.Number) ([]workflow.Entry, error) {
	items, err := s.get(ctx, requestKey(n))
	if err != nil {
		return nil, err
	}
	if items[0].Rev == 0 {
		return nil, workflow.ErrNotFound
	}
	rec, err := decodeRecord(items[0])
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(rec.Audit))
	for i, seq := range rec.Audit {
		keys[i] = auditKey(seq)
	}
	if items, err = s.get(ctx, keys...); err != nil {
		return nil, err
	}
	es := make([]workflow.Entry, len(items))
	for i, it := range items {
		if it.Rev == 0 {
			return nil, damaged(it.Key, fmt.Sprintf("it is missing, but request %d names it", n))
		}
		if err := decode(it, &es[i]); err != nil {
			return nil, err
		}
	}
	return es, nil
}

// Audit returns the audit trail from entry from on, oldest first, at most limit entries; zero is 100. To read on, call
// it again with the last Seq plus one.
func (s *Store) Audit(ctx context.Context, from uint64, limit int) ([]workflow.Entry, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	es := make([]workflow.Entry, 0, min(limit, MaxScan))
	err := s.scan(ctx, auditKey(from), []byte{auditFamily + 1}, limit, func(it Item) error {
		var e workflow.Entry
		if err := decode(it, &e); err != nil {
			return err
		}
		es = append(es, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit trail: %w", err)
	}
	return es, nil
}

// Verify recomputes the whole audit chain, and looks for the request of each entry. It returns the end of the trail. Its
// error is a *DamageError that names the first entry that is missing, changed or out of place, or the first request that
// an entry names and that is not stored. It may run while others commit, and takes time in proportion to the trail.
func (s *Store) Verify(ctx context.Context) (Head, error) {
	for {
		cp, err := s.checkpoint(ctx)
		var h Head
		if err == nil {
			h, err = s.verify(ctx, cp)
		}
		if errors.Is(err, ErrDamaged) {
			if now, e := s.checkpoint(ctx); e == nil && !reflect.DeepEqual(now, cp) {
				continue // it was pruned meanwhile
			}
		}
		if err != nil {
			return Head{}, fmt.Errorf("verify audit trail: %w", err)
		}
		return h, nil
	}
}

func (s *Store) verify(ctx context.Context, cp *checkpoint) (Head, error) {
	stored, err := s.storedHead(ctx)
	if err != nil {
		return Head{}, err
	}
	h := head{Hash: genesis}
	seen := pageOfRequests{store: s}
	if cp != nil {
		h.Seq, h.Hash = cp.Seq, cp.Hash
		kept, digest, err := s.older(ctx, *cp, func(e workflow.Entry) error {
			if cp.Done == 0 {
				return nil // what goes is going
			}
			return seen.add(ctx, e.Request)
		})
		if err != nil {
			return Head{}, err
		}
		if cp.Done != 0 && (kept != cp.Kept || digest != cp.Digest) {
			return Head{}, damaged(auditKey(cp.Seq), "up to it, older entries are missing or were changed since the pruning")
		}
	}
	err = s.scan(ctx, auditKey(h.Seq+1), auditKey(stored.Seq+1), math.MaxInt, func(it Item) error {
		var e workflow.Entry
		if err := decode(it, &e); err != nil {
			return err
		}
		if err := h.follows(e); err != nil {
			return err
		}
		h = head{Seq: e.Seq, Hash: e.Hash}
		if err := cp.confirm(e); err != nil {
			return err
		}
		return seen.add(ctx, e.Request)
	})
	if err == nil {
		err = seen.flush(ctx)
	}
	if err == nil && (h.Seq != stored.Seq || h.Hash != stored.Hash) {
		err = damaged(auditKey(h.Seq+1), fmt.Sprintf("it is missing; the trail should end with entry %d", stored.Seq))
	}
	if err == nil && cp != nil && (cp.Entry > h.Seq || cp.Entry <= cp.Seq || cp.Done > h.Seq) {
		err = damaged(prunedKey, "the audit trail does not hold the entry that it names")
	}
	if err != nil {
		return Head{}, err
	}
	return Head{Seq: h.Seq, Hash: h.Hash}, nil
}

// VerifyHead verifies the trail, and that it still holds the entry that a head from elsewhere names.
func (s *Store) VerifyHead(ctx context.Context, want Head) (Head, error) {
	h, err := s.Verify(ctx)
	if err != nil {
		return Head{}, err
	}
	if want.Seq > h.Seq {
		return Head{}, fmt.Errorf("verify audit trail: %w", damaged(auditKey(want.Seq), fmt.Sprintf("it is missing: the trail ends with entry %d", h.Seq)))
	}
	hash := genesis
	if want.Seq > 0 {
		items, err := s.get(ctx, auditKey(want.Seq))
		if err != nil {
			return Head{}, fmt.Errorf("verify audit trail: %w", err)
		}
		if items[0].Rev == 0 {
			return s.verifyPruned(ctx, want, h)
		}
		var e workflow.Entry
		if err := decode(items[0], &e); err != nil {
			return Head{}, fmt.Errorf("verify audit trail: %w", err)
		}
		hash = e.Hash
	}
	if hash != want.Hash {
		return Head{}, fmt.Errorf("verify audit trail: %w", damaged(auditKey(want.Seq), "it is not the entry of that head: the trail was rewritten"))
	}
	return h, nil
}

// ErrPruned says that an entry was pruned, so that nothing can be compared with it.
var ErrPruned = errors.New("the entry was pruned")

func (s *Store) verifyPruned(ctx context.Context, want, h Head) (Head, error) {
	cp, err := s.checkpoint(ctx)
	switch {
	case err != nil:
		return Head{}, fmt.Errorf("verify audit trail: %w", err)
	case cp != nil && cp.Seq == want.Seq && cp.Hash == want.Hash:
		return h, nil
	case cp != nil && cp.Seq == want.Seq:
		return Head{}, fmt.Errorf("verify audit trail: %w", damaged(auditKey(want.Seq), "it is not the entry of that head: the trail was rewritten"))
	case cp != nil:
		return Head{}, fmt.Errorf("verify audit trail: %w: entry %d, and all up to %d, before %s; compare a later head",
			ErrPruned, want.Seq, cp.Seq, cp.Before.Format(time.RFC3339))
	default:
		return Head{}, fmt.Errorf("verify audit trail: %w", damaged(auditKey(want.Seq), "it is missing"))
	}
}

// Latest returns the last entries before an entry, newest first, at most limit (1 to MaxScan); before 0 is the end.
func (s *Store) Latest(ctx context.Context, before uint64, limit int) ([]workflow.Entry, error) {
	to := []byte{auditFamily + 1}
	if before > 0 {
		to = auditKey(before)
	}
	items, err := s.page(ctx, []byte{auditFamily}, to, limit, true)
	if err != nil {
		return nil, fmt.Errorf("audit trail: %w", err)
	}
	es := make([]workflow.Entry, len(items))
	for i, it := range items {
		if err := decode(it, &es[i]); err != nil {
			return nil, fmt.Errorf("audit trail: %w", err)
		}
	}
	return es, nil
}

func (s *Store) storedHead(ctx context.Context) (head, error) {
	items, err := s.get(ctx, headKey)
	if err != nil {
		return head{}, err
	}
	if items[0].Rev == 0 {
		return head{}, damaged(headKey, "it is missing")
	}
	var h head
	return h, decode(items[0], &h)
}

// pageOfRequests looks for requests many at a time.
type pageOfRequests struct {
	store *Store
	keys  [][]byte
}

func (p *pageOfRequests) add(ctx context.Context, n workflow.Number) error {
	if n == 0 {
		return nil
	}
	p.keys = append(p.keys, requestKey(n))
	if len(p.keys) < MaxScan {
		return nil
	}
	return p.flush(ctx)
}

func (p *pageOfRequests) flush(ctx context.Context) error {
	items, err := p.store.get(ctx, p.keys...)
	if err != nil {
		return err
	}
	p.keys = p.keys[:0]
	for _, it := range items {
		if it.Rev == 0 {
			return damaged(it.Key, "it is missing, but the audit trail names it")
		}
	}
	return nil
}
