package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"countersign/store"
)

// Memory is a database without a disk that several handles share, as replicas do. It is the plainest reading of the
// contract of store.KV: a yardstick for real engines, and what tests of the store itself run on.
type Memory struct {
	mu    sync.Mutex
	items []store.Item // sorted by key
	rev   uint64
}

var errClosed = errors.New("this handle is closed")

// Open returns one more handle.
func (m *Memory) Open() (store.KV, error) { return &handle{memory: m}, nil }

// Len counts the keys.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}

// Corrupt changes what is stored under the key in place, behind everybody's back. It reports whether there is such a key.
func (m *Memory) Corrupt(key []byte, change func(value []byte) []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := m.find(key)
	if found {
		m.items[i].Value = change(bytes.Clone(m.items[i].Value))
	}
	return found
}

// Keys returns all keys that begin with prefix, in order.
func (m *Memory) Keys(prefix string) [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys [][]byte
	for _, it := range m.items {
		if strings.HasPrefix(string(it.Key), prefix) {
			keys = append(keys, bytes.Clone(it.Key))
		}
	}
	return keys
}

func (m *Memory) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.items, key, func(it store.Item, k []byte) int { return bytes.Compare(it.Key, k) })
}

// handle is one open Memory.
type handle struct {
	memory *Memory
	closed bool
}

func (h *handle) lock() (func(), error) {
	h.memory.mu.Lock()
	if h.closed {
		h.memory.mu.Unlock()
		return nil, errClosed
	}
	return h.memory.mu.Unlock, nil
}

// Get implements store.KV.
func (h *handle) Get(_ context.Context, keys ...[]byte) ([]store.Item, error) {
	unlock, err := h.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	items := make([]store.Item, len(keys))
	for i, k := range keys {
		items[i].Key = bytes.Clone(k)
		if at, found := h.memory.find(k); found {
			items[i] = clone(h.memory.items[at])
		}
	}
	return items, nil
}

// Scan implements store.KV.
func (h *handle) Scan(_ context.Context, from, to []byte, limit int, reverse bool) ([]store.Item, error) {
	if limit < 1 || limit > store.MaxScan {
		return nil, fmt.Errorf("scan of %d items", limit)
	}
	unlock, err := h.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	lo, _ := h.memory.find(from)
	hi, _ := h.memory.find(to)
	if lo >= hi {
		return nil, nil
	}
	var items []store.Item
	if reverse {
		for i := hi - 1; i >= lo && len(items) < limit; i-- {
			items = append(items, clone(h.memory.items[i]))
		}
		return items, nil
	}
	for _, it := range h.memory.items[lo:min(hi, lo+limit)] {
		items = append(items, clone(it))
	}
	return items, nil
}

func clone(it store.Item) store.Item {
	return store.Item{Key: bytes.Clone(it.Key), Value: bytes.Clone(it.Value), Rev: it.Rev}
}

// Commit implements store.KV.
func (h *handle) Commit(_ context.Context, txn store.Txn) (uint64, error) {
	unlock, err := h.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := wellFormed(txn); err != nil {
		return 0, err
	}
	m := h.memory
	for _, c := range txn.Compares {
		var rev uint64
		if i, found := m.find(c.Key); found {
			rev = m.items[i].Rev
		}
		if rev != c.Rev {
			return 0, store.ErrCompare
		}
	}
	m.rev++
	for _, k := range txn.Deletes {
		if i, found := m.find(k); found {
			m.items = slices.Delete(m.items, i, i+1)
		}
	}
	m.put(txn.Puts)
	return m.rev, nil
}

// wellFormed reports what store.Txn promises its engine and txn does not keep.
func wellFormed(txn store.Txn) error {
	var puts, compares [][]byte
	for _, p := range txn.Puts {
		puts = append(puts, p.Key)
	}
	for _, c := range txn.Compares {
		compares = append(compares, c.Key)
	}
	for _, keys := range [][][]byte{puts, compares, txn.Deletes} {
		for i := 1; i < len(keys); i++ {
			if bytes.Compare(keys[i-1], keys[i]) >= 0 {
				return fmt.Errorf("commit: key %q comes after %q", keys[i], keys[i-1])
			}
		}
	}
	for _, k := range txn.Deletes {
		if _, both := slices.BinarySearchFunc(puts, k, bytes.Compare); both {
			return fmt.Errorf("commit: key %q is put and deleted", k)
		}
	}
	for _, k := range compares {
		if _, put := slices.BinarySearchFunc(puts, k, bytes.Compare); !put {
			return fmt.Errorf("commit: key %q is compared and not put", k)
		}
	}
	return nil
}

// put sorts the new keys in all at once: a test that stores many records would otherwise wait for it.
func (m *Memory) put(puts []store.Put) {
	var fresh []store.Item
	for _, p := range puts {
		it := clone(store.Item{Key: p.Key, Value: p.Value, Rev: m.rev})
		if i, found := m.find(p.Key); found {
			m.items[i] = it
		} else {
			fresh = append(fresh, it)
		}
	}
	m.items = append(m.items, fresh...)
	slices.SortFunc(m.items, func(a, b store.Item) int { return bytes.Compare(a.Key, b.Key) })
}

// Close implements store.KV.
func (h *handle) Close() error {
	unlock, err := h.lock()
	if err != nil {
		return err
	}
	defer unlock()
	h.closed = true
	return nil
}
