package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ErrMoving says that a move into the database was begun and not finished.
var ErrMoving = errors.New("a move into this database is not finished; run it again to finish it")

// movePage is how many keys one commit of a move compares and stores.
const movePage = 500

// moveKey marks a database into which a move is under way. It goes when the move is complete and verified, in the commit
// that brings the format: before that, nobody can open the database.
var moveKey = []byte{metaFamily, 'm', 'o', 'v', 'e'}

// moving is the payload of moveKey.
type moving struct {
	ID string `json:"id"` // of the database that is moved
}

// Moved is what a move has done.
type Moved struct {
	Keys    int  // how many the database has
	Written int  // how many of them this run had to write; the others an earlier run had
	Head    Head // the end of the audit trail, which was verified
	Number  uint64
}

// Move copies a database into another engine, which must be empty, or hold what an earlier Move of the same database
// has left: then only what is missing is written. Before it says that it is done it compares every key, checks the
// indexes against the records and recomputes the audit chain, on the copy. Nobody may write to either meanwhile: of the
// source that is checked. The source is not changed. Tell is told of progress.
func Move(ctx context.Context, from, to KV, tell func(keys int)) (Moved, error) {
	m := mover{from: from, to: to, tell: tell}
	moved, err := m.run(ctx)
	if err != nil {
		return Moved{}, fmt.Errorf("move database: %w", err)
	}
	return moved, nil
}

type mover struct {
	from, to KV
	tell     func(int)
	format   Item   // of the source
	lock     uint64 // the revision of moveKey in the target
	done     Moved
}

func (m *mover) run(ctx context.Context) (Moved, error) {
	source := over(m.from, Options{})
	if err := m.begin(ctx); err != nil {
		return Moved{}, err
	}
	before, err := m.from.Get(ctx, headKey)
	if err != nil {
		return Moved{}, err
	}
	if err := m.copyAll(ctx); err != nil {
		return Moved{}, err
	}
	after, err := m.from.Get(ctx, headKey)
	if err != nil {
		return Moved{}, err
	}
	if before[0].Rev != after[0].Rev {
		return Moved{}, errors.New("the database was written to while it was copied; stop whoever uses it, and run this again")
	}
	copied := over(m.to, Options{})
	if err := copied.CheckIndexes(ctx); err != nil {
		return Moved{}, err
	}
	if m.done.Head, err = copied.Verify(ctx); err != nil {
		return Moved{}, err
	}
	h, err := source.storedHead(ctx)
	if err != nil {
		return Moved{}, err
	}
	if h.Seq != m.done.Head.Seq || h.Hash != m.done.Head.Hash {
		return Moved{}, damaged(headKey, "the copy's audit trail does not end as the original's")
	}
	m.done.Number = uint64(h.Number)
	return m.done, m.finish(ctx)
}

// begin marks the target, or finds it marked by an earlier run.
func (m *mover) begin(ctx context.Context) error {
	items, err := m.from.Get(ctx, formatKey, moveKey)
	if err != nil {
		return err
	}
	if m.format = items[0]; m.format.Rev == 0 {
		return errors.New("there is no database to move")
	}
	if err := checkFormat(m.format); err != nil {
		return err
	}
	var f format
	if err := decode(m.format, &f); err != nil {
		return err
	}
	there, err := m.to.Get(ctx, formatKey, moveKey)
	if err != nil {
		return err
	}
	if there[0].Rev != 0 {
		return errors.New("the target holds a database already")
	}
	var mark moving
	if there[1].Rev != 0 {
		if err := decode(there[1], &mark); err != nil {
			return err
		}
		if mark.ID != f.ID {
			return errors.New("the target holds a part of another database")
		}
	} else if first, err := m.to.Scan(ctx, []byte{0}, []byte{0xff}, 1, false); err != nil {
		return err
	} else if len(first) > 0 {
		return errors.New("the target is not empty")
	}
	m.lock = there[1].Rev
	return m.commit(ctx, moving{f.ID}, Txn{})
}

// commit stores a part of the copy, if nobody else is at it.
func (m *mover) commit(ctx context.Context, mark moving, txn Txn) error {
	payload, err := json.Marshal(mark)
	if err != nil {
		return fmt.Errorf("mark of the move: %w", err)
	}
	txn.Compares = []Compare{{Key: moveKey, Rev: m.lock}}
	txn.Puts = append(txn.Puts, Put{moveKey, seal(moveKey, payload)})
	slices.SortFunc(txn.Puts, func(x, y Put) int { return bytes.Compare(x.Key, y.Key) })
	rev, err := m.to.Commit(ctx, txn)
	if errors.Is(err, ErrCompare) {
		return errors.New("somebody else is moving a database to the same place")
	}
	m.lock = rev
	return err
}

// copyAll makes the target hold what the source holds, but for the keys that say what they are.
func (m *mover) copyAll(ctx context.Context) error {
	var f format
	if err := decode(m.format, &f); err != nil {
		return err
	}
	for from := []byte{1}; from != nil; {
		page, err := m.from.Scan(ctx, from, []byte{0xff}, movePage, false)
		if err != nil {
			return err
		}
		to, next := []byte{0xff}, []byte(nil)
		if len(page) == movePage {
			next = after(page[len(page)-1].Key)
			to = next
		}
		txn, err := m.differences(ctx, page, from, to)
		if err != nil {
			return err
		}
		if len(txn.Puts)+len(txn.Deletes) > 0 {
			m.done.Written += len(txn.Puts)
			if err := m.commit(ctx, moving{f.ID}, txn); err != nil {
				return err
			}
		}
		m.tell(m.done.Keys)
		from = next
	}
	return nil
}

// differences is what makes a range of the target the same as a page of the source.
func (m *mover) differences(ctx context.Context, page []Item, from, to []byte) (Txn, error) {
	var txn Txn
	there := map[string][]byte{}
	for {
		items, err := m.to.Scan(ctx, from, to, MaxScan, false)
		if err != nil {
			return txn, err
		}
		for _, it := range items {
			there[string(it.Key)] = it.Value
		}
		if len(items) < MaxScan {
			break
		}
		from = after(items[len(items)-1].Key)
	}
	for _, it := range page {
		if bytes.Equal(it.Key, formatKey) {
			continue
		}
		m.done.Keys++
		value, ok := there[string(it.Key)]
		delete(there, string(it.Key))
		if !ok || !bytes.Equal(value, it.Value) {
			txn.Puts = append(txn.Puts, Put{it.Key, it.Value})
		}
	}
	for k := range there {
		if k != string(moveKey) {
			txn.Deletes = append(txn.Deletes, []byte(k))
		}
	}
	slices.SortFunc(txn.Deletes, bytes.Compare)
	return txn, nil
}

// finish makes the copy a database that can be opened.
func (m *mover) finish(ctx context.Context) error {
	_, err := m.to.Commit(ctx, Txn{
		Compares: []Compare{{Key: formatKey}},
		Puts:     []Put{{formatKey, m.format.Value}},
		Deletes:  [][]byte{moveKey},
	})
	m.done.Keys++
	return err
}
