package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"

	"countersign/store"
)

// Counting counts what passes through a KV.
type Counting struct {
	store.KV
	reads, deletes, commits atomic.Uint64
}

// NewCounting wraps a KV.
func NewCounting(kv store.KV) *Counting { return &Counting{KV: kv} }

// Reads is how many items were read.
func (c *Counting) Reads() uint64 { return c.reads.Load() }

// Deletes is how many keys were asked to be deleted.
func (c *Counting) Deletes() uint64 { return c.deletes.Load() }

// Commits is how many commits were tried.
func (c *Counting) Commits() uint64 { return c.commits.Load() }

// Get implements store.KV.
func (c *Counting) Get(ctx context.Context, keys ...[]byte) ([]store.Item, error) {
	c.reads.Add(uint64(len(keys)))
	return c.KV.Get(ctx, keys...)
}

// Scan implements store.KV.
func (c *Counting) Scan(ctx context.Context, from, to []byte, limit int, reverse bool) ([]store.Item, error) {
	items, err := c.KV.Scan(ctx, from, to, limit, reverse)
	c.reads.Add(uint64(len(items)))
	return items, err
}

// Commit implements store.KV.
func (c *Counting) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	c.commits.Add(1)
	c.deletes.Add(uint64(len(txn.Deletes)))
	return c.KV.Commit(ctx, txn)
}

// ErrCrash is what everything returns after a crash.
var ErrCrash = errors.New("crashed")

// Crashing is a KV whose process dies at one of its commits.
type Crashing struct {
	store.KV
	// At is the commit to die at, counted from 1; After says whether that one is still stored.
	At    int64
	After bool

	commits atomic.Int64
	dead    atomic.Bool
}

// Commits is how many commits were tried.
func (c *Crashing) Commits() int64 { return c.commits.Load() }

// Get implements store.KV.
func (c *Crashing) Get(ctx context.Context, keys ...[]byte) ([]store.Item, error) {
	if c.dead.Load() {
		return nil, ErrCrash
	}
	return c.KV.Get(ctx, keys...)
}

// Scan implements store.KV.
func (c *Crashing) Scan(ctx context.Context, from, to []byte, limit int, reverse bool) ([]store.Item, error) {
	if c.dead.Load() {
		return nil, ErrCrash
	}
	return c.KV.Scan(ctx, from, to, limit, reverse)
}

// Commit implements store.KV.
func (c *Crashing) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	if c.dead.Load() {
		return 0, ErrCrash
	}
	if c.commits.Add(1) != c.At {
		return c.KV.Commit(ctx, txn)
	}
	c.dead.Store(true)
	if c.After {
		if _, err := c.KV.Commit(ctx, txn); err != nil {
			return 0, err
		}
	}
	return 0, ErrCrash
}

// WithFormat makes a KV look as if a program that knows the given format of the store had written it.
func WithFormat(kv store.KV, format int) store.KV { return otherFormat{kv, format} }

type otherFormat struct {
	store.KV
	format int
}

// Get implements store.KV.
func (o otherFormat) Get(ctx context.Context, keys ...[]byte) ([]store.Item, error) {
	items, err := o.KV.Get(ctx, keys...)
	for i, it := range items {
		if string(it.Key) == "mformat" {
			items[i].Value = Seal(it.Key, fmt.Appendf(nil, `{"format":%d}`, o.format))
		}
	}
	return items, err
}

// Seal puts a payload in the envelope that the store puts around every value: version 1, CRC-32C of key, version and
// payload, payload. Tests that forge what a program with a bug or a person with a tool may have written need it.
func Seal(key, payload []byte) []byte {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	sum.Write(key)
	sum.Write([]byte{1})
	sum.Write(payload)
	return append(binary.BigEndian.AppendUint32([]byte{1}, sum.Sum32()), payload...)
}
