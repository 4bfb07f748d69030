package bolt

import (
	"bytes"
	"iter"

	"go.etcd.io/bbolt"
)

// snapshot is what is stored at one moment: bucket "kv" and what lies upon it. What it yields is valid until its
// transaction ends.
type snapshot struct {
	bucket *bbolt.Bucket
	over   *overlay
	at     *bbolt.Cursor // of get: one for all keys
}

func snapshotOf(b *bbolt.Bucket, over *overlay) snapshot { return snapshot{b, over, b.Cursor()} }

// get is what is stored under a key, or nil.
func (s snapshot) get(key []byte) []byte {
	if stored, there := s.over.get(key); there {
		return stored
	}
	if k, stored := s.at.Seek(key); bytes.Equal(k, key) {
		return stored
	}
	return nil
}

// scan yields what is stored under the keys with from <= key < to, in their order or against it.
func (s snapshot) scan(from, to []byte, reverse bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, stored []byte) bool) {
		below := below{c: s.bucket.Cursor(), from: from, to: to, reverse: reverse}
		above := s.over.between(from, to)
		below.first()
		for {
			c, rest := nearest(above, reverse)
			order := -1 // of what lies upon to what lies below
			switch {
			case c == nil && below.key == nil:
				return
			case c == nil:
				order = 1
			case below.key != nil:
				if order = bytes.Compare(c.key, below.key); reverse {
					order = -order
				}
			}
			key, stored := below.key, below.stored
			if order <= 0 {
				key, stored, above = c.key, c.stored, rest
			}
			if stored != nil && !yield(key, stored) {
				return
			}
			if order >= 0 {
				below.next()
			}
		}
	}
}

// nearest is the change that comes first, and those after it; nil if there is none.
func nearest(cs []change, reverse bool) (*change, []change) {
	switch {
	case len(cs) == 0:
		return nil, nil
	case reverse:
		return &cs[len(cs)-1], cs[:len(cs)-1]
	default:
		return &cs[0], cs[1:]
	}
}

// below goes through a range of a bucket. Its key is nil at the end.
type below struct {
	c           *bbolt.Cursor
	from, to    []byte
	reverse     bool
	key, stored []byte
}

func (b *below) first() {
	if !b.reverse {
		b.keep(b.c.Seek(b.from))
		return
	}
	if k, _ := b.c.Seek(b.to); k == nil {
		b.keep(b.c.Last())
	} else {
		b.keep(b.c.Prev())
	}
}

func (b *below) next() {
	if b.reverse {
		b.keep(b.c.Prev())
	} else {
		b.keep(b.c.Next())
	}
}

func (b *below) keep(key, stored []byte) {
	if key != nil && (bytes.Compare(key, b.from) < 0 || bytes.Compare(key, b.to) >= 0) {
		key = nil
	}
	b.key, b.stored = key, stored
}
