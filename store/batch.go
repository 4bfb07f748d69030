package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"countersign/workflow"
)

const (
	// claimAge is how long a delivery claim is kept at least: the hour that is promised, and one by which the clock may
	// be put forward meanwhile.
	claimAge = 2 * time.Hour
	// claimsPerClaim is how many old claims make room for a new one. Two: so that a backlog shrinks, and never by a bulk
	// delete, which would leave an engine with more free pages than it can handle.
	claimsPerClaim = 2
)

// batch is what several commits would change together. Commits are judged one after the other, each against what is
// stored and what those before it in the batch would store.
type batch struct {
	now      time.Time
	commits  []*pending
	verdicts []verdict
	accepted int

	revs    map[string]uint64            // stored revisions of the request keys that were read
	written map[string]bool              // request keys written by this batch
	claims  map[string][]workflow.Number // deliveries claimed by this batch
	claimed map[string]claim             // deliveries claimed before
	old     []Item                       // by-time keys of claims that are old enough to go

	head    head
	headRev uint64

	// What is to be stored, in no order; of a key that is put and deleted, the put counts.
	compares []Compare
	puts     []Put
	deletes  [][]byte
	room     []byte // for values that are yet to come
}

// verdict is what became of one commit of a batch. A tentative one refers to what the batch itself would store.
type verdict struct {
	err       error
	tentative bool
}

// evaluate judges ps. Its error is of the engine and concerns them all. Unless look is set, it reads only what the engine
// will not compare, and takes it that the rest is as each commit says: nearly always it is.
func (s *Store) evaluate(ctx context.Context, ps []*pending, look bool) (*batch, error) {
	b := &batch{
		now:      s.opts.Now().UTC(),
		commits:  ps,
		verdicts: make([]verdict, len(ps)),
		revs:     map[string]uint64{},
		written:  map[string]bool{},
		claims:   map[string][]workflow.Number{},
		claimed:  map[string]claim{},
		head:     s.head,
		headRev:  s.headRev,
	}
	b.makeRoom()
	if err := b.read(ctx, s.kv, look); err != nil {
		return nil, err
	}
	for i, p := range ps {
		v := b.judge(p)
		if v.err == nil {
			if err := b.apply(p); err != nil {
				return nil, err
			}
		}
		b.verdicts[i] = v
	}
	return b, s.learnNumbers(ctx, b)
}

// read reads what the commits are judged by, all at once.
func (b *batch) read(ctx context.Context, kv KV, look bool) error {
	var wanted [][]byte
	deliveries := 0
	for _, p := range b.commits {
		for _, w := range p.writes {
			if look || w.gone {
				wanted = append(wanted, w.key)
			}
			if look && w.alone != nil {
				wanted = append(wanted, w.alone)
			}
		}
		if p.delivery != "" {
			deliveries++
			if look {
				wanted = append(wanted, claimKey(p.claimID))
			}
		}
	}
	if err := b.readKeys(ctx, kv, wanted); err != nil {
		return err
	}
	return b.readOld(ctx, kv, deliveries*claimsPerClaim)
}

func (b *batch) readKeys(ctx context.Context, kv KV, wanted [][]byte) error {
	if len(wanted) == 0 {
		return nil
	}
	slices.SortFunc(wanted, bytes.Compare)
	items, err := kv.Get(ctx, slices.CompactFunc(wanted, bytes.Equal)...)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.Key[0] == requestFamily || it.Key[0] == aloneFamily {
			b.revs[string(it.Key)] = it.Rev
		} else if err := b.readClaim(it); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) readClaim(it Item) error {
	if it.Rev == 0 {
		return nil
	}
	var c claim
	if err := decode(it, &c); err != nil {
		return err
	}
	b.claimed[string(it.Key)] = c
	return nil
}

func (b *batch) readOld(ctx context.Context, kv KV, limit int) (err error) {
	if limit == 0 {
		return nil
	}
	to := claimTimeKey(b.now.Add(-claimAge), nil)
	b.old, err = kv.Scan(ctx, []byte{claimTimeFamily}, to, min(limit, MaxScan), false)
	return err
}

// judge decides whether p can be stored.
func (b *batch) judge(p *pending) verdict {
	if p.delivery != "" {
		key := claimKey(p.claimID)
		if c, ok := b.claimed[string(key)]; ok {
			return verdict{err: &workflow.DuplicateError{Delivery: p.delivery, Numbers: c.Numbers}}
		}
		if numbers, ok := b.claims[string(key)]; ok {
			return verdict{err: &workflow.DuplicateError{Delivery: p.delivery, Numbers: numbers}, tentative: true}
		}
	}
	for i, w := range p.writes {
		if b.written[string(w.key)] || w.alone != nil && b.written[string(w.alone)] {
			return verdict{err: conflict(w), tentative: true}
		}
		if b.differs(w.key, w.rev) || w.alone != nil && b.differs(w.alone, w.aloneRev) {
			return verdict{err: conflict(w)}
		}
		if slices.ContainsFunc(p.writes[:i], func(v write) bool { return bytes.Equal(v.key, w.key) }) {
			return verdict{err: conflict(w)}
		}
	}
	return verdict{}
}

// differs reports whether a key was read and is not at a revision.
func (b *batch) differs(key []byte, rev uint64) bool {
	stored, read := b.revs[string(key)]
	return read && stored != rev
}

func conflict(w write) error {
	return fmt.Errorf("request %d: %w", w.number, workflow.ErrConflict)
}

// apply adds an accepted commit to the batch. Its error leaves the batch useless.
func (b *batch) apply(p *pending) error {
	b.accepted++
	numbers := make([]workflow.Number, len(p.writes))
	for i := range p.writes {
		numbers[i] = p.writes[i].number
		b.applyWrite(&p.writes[i])
	}
	for _, l := range p.entries {
		b.append(l)
	}
	for _, seq := range p.forget {
		b.delete(auditKey(seq))
	}
	if p.checkpoint != nil {
		if err := b.point(*p.checkpoint); err != nil {
			return err
		}
	}
	if p.delivery == "" {
		return nil
	}
	return b.claim(p.claimID, numbers)
}

func (b *batch) applyWrite(w *write) {
	if w.gone {
		b.applyRemoval(w)
		return
	}
	audit := slices.Clone(w.oldAudit)
	for _, l := range w.entries {
		b.append(l)
		audit = append(audit, b.head.Seq)
	}
	b.compare(w.key, w.rev)
	b.put(w.key, encodeRecord(audit, w.request)...)
	b.written[string(w.key)] = true
	b.head.Number = max(b.head.Number, w.number)
	for _, k := range w.oldIndex {
		if !contains(w.index, k) {
			b.delete(k)
		}
	}
	for _, k := range w.index {
		if !contains(w.oldIndex, k) && !bytes.Equal(k, w.alone) {
			b.put(k)
		}
	}
	if w.alone != nil {
		b.put(w.alone, appendNumber(nil, w.number))
		b.compare(w.alone, w.aloneRev)
		b.written[string(w.alone)] = true
	}
}

func (b *batch) applyRemoval(w *write) {
	b.written[string(w.key)] = true
	for _, k := range w.oldIndex {
		b.delete(k)
	}
	for _, seq := range w.oldAudit {
		b.delete(auditKey(seq))
	}
	b.delete(w.key)
}

func contains(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

// append puts an entry at the end of the chain.
func (b *batch) append(l link) {
	next, payload := b.head.append(l)
	b.head = next
	b.put(auditKey(next.Seq), payload...)
}

// claim remembers a delivery and forgets at most two old ones.
func (b *batch) claim(id []byte, numbers []workflow.Number) error {
	payload, err := json.Marshal(claim{At: b.now, Numbers: numbers})
	if err != nil {
		return fmt.Errorf("delivery claim: %w", err)
	}
	key := claimKey(id)
	b.claims[string(key)] = numbers
	b.compare(key, 0)
	b.put(key, payload)
	b.put(claimTimeKey(b.now, id), nil)
	for range min(claimsPerClaim, len(b.old)) {
		k := b.old[0].Key
		b.old = b.old[1:]
		if len(k) != 1+timeSize+claimIDSize {
			return damaged(k, "the key has the wrong length")
		}
		b.delete(k)
		b.delete(claimKey(k[1+timeSize:]))
	}
	return nil
}

func (b *batch) compare(key []byte, rev uint64) {
	b.compares = append(b.compares, Compare{Key: key, Rev: rev})
}

func (b *batch) delete(key []byte) { b.deletes = append(b.deletes, key) }

// makeRoom makes room for what is to be stored, as much as nearly every batch needs: a value for each key of its own, or
// room for many more, would be much work for the heap.
func (b *batch) makeRoom() {
	const (
		keys   = 7   // of a write: its record, an audit entry, indexes and a claim
		others = 640 // bytes of those but the first
	)
	writes, size := 0, others
	for _, p := range b.commits {
		writes += len(p.writes)
		for i := range p.writes {
			size += len(p.writes[i].request) + others
		}
	}
	b.room = make([]byte, 0, size)
	b.puts = make([]Put, 0, keys*writes+1)
	b.compares = make([]Compare, 0, keys*writes/2+1)
}

// put stores a payload that comes in parts.
func (b *batch) put(key []byte, parts ...[]byte) {
	size := envelopeSize
	for _, part := range parts {
		size += len(part)
	}
	if cap(b.room)-len(b.room) < size {
		b.room = make([]byte, 0, max(4<<10, size))
	}
	from := len(b.room)
	b.room = appendSealed(b.room, key, parts...)
	b.puts = append(b.puts, Put{Key: key, Value: b.room[from:len(b.room):len(b.room)]})
}

// txn is the batch as the engine takes it.
func (b *batch) txn() (Txn, error) {
	payload, err := json.Marshal(b.head)
	if err != nil {
		return Txn{}, fmt.Errorf("head record: %w", err)
	}
	b.put(headKey, payload)
	b.compare(headKey, b.headRev)
	slices.SortFunc(b.puts, func(x, y Put) int { return bytes.Compare(x.Key, y.Key) })
	slices.SortFunc(b.compares, func(x, y Compare) int { return bytes.Compare(x.Key, y.Key) })
	slices.SortFunc(b.deletes, bytes.Compare)
	b.deletes = slices.DeleteFunc(slices.CompactFunc(b.deletes, bytes.Equal), func(k []byte) bool {
		_, put := slices.BinarySearchFunc(b.puts, k, func(p Put, k []byte) int { return bytes.Compare(p.Key, k) })
		return put
	})
	return Txn{Compares: b.compares, Puts: b.puts, Deletes: b.deletes}, nil
}

// learnNumbers catches up with other replicas when a new request met a number that is stored already: the next Reserve
// is then above all of theirs.
func (s *Store) learnNumbers(ctx context.Context, b *batch) error {
	for i, p := range b.commits {
		if b.verdicts[i].err == nil {
			continue
		}
		for _, w := range p.writes {
			if w.rev == 0 && b.revs[string(w.key)] != 0 && w.number > s.head.Number {
				return s.loadHead(ctx)
			}
		}
	}
	return nil
}
