package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"countersign/workflow"
)

// The families of keys; see the package documentation.
const (
	metaFamily      = 'm'
	requestFamily   = 'r'
	auditFamily     = 'a'
	requesterFamily = 'p'
	stateFamily     = 's'
	dueFamily       = 'd'
	claimFamily     = 'c'
	claimTimeFamily = 't'
	aloneFamily     = 'b'
)

const (
	numberSize = 8
	timeSize   = 12
	// claimIDSize is the size of what stands for a delivery: the number it begins with, and half a SHA-256.
	claimIDSize = numberSize + sha256.Size/2
	signBit     = 1 << 63
)

var (
	formatKey = []byte{metaFamily, 'f', 'o', 'r', 'm', 'a', 't'}
	headKey   = []byte{metaFamily, 'h', 'e', 'a', 'd'}
	prunedKey = []byte{metaFamily, 'p', 'r', 'u', 'n', 'e', 'd'}
)

func requestKey(n workflow.Number) []byte {
	return binary.BigEndian.AppendUint64([]byte{requestFamily}, uint64(n))
}

func auditKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{auditFamily}, seq)
}

func requesterPrefix(p workflow.Person) []byte {
	return appendString(appendString([]byte{requesterFamily}, p.Team), p.User)
}

func statePrefix(s workflow.State) []byte {
	return appendString([]byte{stateFamily}, string(s))
}

func dueKey(due time.Time, n workflow.Number) []byte {
	return appendNumber(appendTime([]byte{dueFamily}, due), n)
}

// claimID stands for a delivery, whose length is the sender's choice. It begins with the number that the delivery begins
// with, if it does: those of Slack's trigger IDs increase with time, and then so do the keys. Keys all over the place
// would make each commit of a busy hour write a page more.
func claimID(delivery string) []byte {
	digits := delivery
	if i := strings.IndexFunc(delivery, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = delivery[:i]
	}
	n, _ := strconv.ParseUint(digits, 10, 64) // none or too many: still the same for the same delivery
	sum := sha256.Sum256([]byte(delivery))
	return append(binary.BigEndian.AppendUint64(nil, n), sum[:sha256.Size/2]...)
}

func claimKey(id []byte) []byte {
	return append([]byte{claimFamily}, id...)
}

func claimTimeKey(at time.Time, id []byte) []byte {
	return append(appendTime([]byte{claimTimeFamily}, at), id...)
}

// indexKeys are the index keys of a record: all that the indexes ever hold comes from here. A request of Countersign
// itself has no requester to list it for.
func indexKeys(r *workflow.Request) [][]byte {
	keys := [][]byte{appendNumber(statePrefix(r.State), r.Number)}
	if r.Requester != (workflow.Person{}) {
		keys = append(keys, appendNumber(requesterPrefix(r.Requester), r.Number))
	}
	if due := r.Due(); !due.IsZero() {
		keys = append(keys, dueKey(due, r.Number))
	}
	if r.Alone() {
		keys = append(keys, aloneKey(r.Change))
	}
	return keys
}

// aloneKey stands for a membership, and is the key of the one request that is about it.
func aloneKey(c workflow.Change) []byte {
	sum := sha256.Sum256([]byte(c.Key()))
	return append([]byte{aloneFamily}, sum[:sha256.Size/2]...)
}

// aloneIn is the number that an aloneKey is stored with.
func aloneIn(it Item) (workflow.Number, error) {
	payload, err := unseal(it.Key, it.Value)
	if err != nil {
		return 0, err
	}
	if len(payload) != numberSize {
		return 0, damaged(it.Key, "it is no number")
	}
	return workflow.Number(binary.BigEndian.Uint64(payload)), nil
}

func appendNumber(key []byte, n workflow.Number) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(n))
}

func appendString(key []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(key, uint16(len(s))), s...)
}

func appendTime(key []byte, t time.Time) []byte {
	key = binary.BigEndian.AppendUint64(key, uint64(t.Unix())^signBit)
	return binary.BigEndian.AppendUint32(key, uint32(t.Nanosecond()))
}

func timeIn(b []byte) time.Time {
	sec := int64(binary.BigEndian.Uint64(b) ^ signBit)
	return time.Unix(sec, int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

// numberIn is the number that ends a key of a request or of one of its indexes.
func numberIn(key []byte) (workflow.Number, error) {
	if len(key) < 1+numberSize {
		return 0, damaged(key, "the key is too short")
	}
	return workflow.Number(binary.BigEndian.Uint64(key[len(key)-numberSize:])), nil
}

// dueIn is the inverse of dueKey.
func dueIn(key []byte) (workflow.DueItem, error) {
	if len(key) != 1+timeSize+numberSize {
		return workflow.DueItem{}, damaged(key, "the key has the wrong length")
	}
	n, err := numberIn(key)
	return workflow.DueItem{Due: timeIn(key[1:]), Number: n}, err
}

// after is the least key above key.
func after(key []byte) []byte {
	return append(bytes.Clone(key), 0)
}

// end is the least key above all keys with the prefix.
func end(prefix []byte) []byte {
	e := bytes.Clone(prefix)
	for i := len(e) - 1; i >= 0; i-- {
		if e[i]++; e[i] != 0 {
			return e[:i+1]
		}
	}
	panic("store: a key prefix of 0xff only")
}

// keyName is a key in an operator's words.
func keyName(key []byte) string {
	if len(key) == 0 {
		return "empty key"
	}
	n, err := numberIn(key)
	if err != nil && key[0] != metaFamily {
		return fmt.Sprintf("key %x", key)
	}
	switch key[0] {
	case metaFamily:
		return fmt.Sprintf("meta %q", key[1:])
	case requestFamily:
		return fmt.Sprintf("request %d (key %x)", n, key)
	case auditFamily:
		return fmt.Sprintf("audit entry %d (key %x)", n, key)
	case requesterFamily, stateFamily, dueFamily:
		return fmt.Sprintf("index of request %d (key %x)", n, key)
	case aloneFamily:
		return fmt.Sprintf("claim of a membership (key %x)", key)
	case claimFamily, claimTimeFamily:
		return fmt.Sprintf("delivery claim (key %x)", key)
	default:
		return fmt.Sprintf("key %x", key)
	}
}
