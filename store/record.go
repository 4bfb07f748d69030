package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"countersign/workflow"
)

const (
	// envelopeVersion is the first byte of every value.
	envelopeVersion = 1
	envelopeSize    = 1 + crc32.Size
	// Format is the version of keys and payloads as a whole. A database of a higher one is refused.
	Format = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DamageError says that what is stored under a key is not what was written, or that it is missing. It is ErrDamaged.
type DamageError struct {
	Key []byte
	Why string
}

func damaged(key []byte, why string) error { return &DamageError{Key: key, Why: why} }

func (e *DamageError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrDamaged, keyName(e.Key), e.Why)
}

// Unwrap makes a DamageError an ErrDamaged.
func (e *DamageError) Unwrap() error { return ErrDamaged }

// seal puts a payload in the envelope that open checks. The key is covered too, so that a value under a foreign key is
// found out.
func seal(key, payload []byte) []byte {
	return appendSealed(make([]byte, 0, envelopeSize+len(payload)), key, payload)
}

// appendSealed appends what seal makes of a payload that comes in parts.
func appendSealed(b, key []byte, parts ...[]byte) []byte {
	from := len(b) + envelopeSize
	b = append(b, envelopeVersion, 0, 0, 0, 0)
	for _, part := range parts {
		b = append(b, part...)
	}
	binary.BigEndian.PutUint32(b[from-crc32.Size:], checksum(key, b[from:]))
	return b
}

func checksum(key, payload []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, []byte{envelopeVersion})
	return crc32.Update(sum, castagnoli, payload)
}

// unseal returns the payload of a value, or a *DamageError.
func unseal(key, value []byte) ([]byte, error) {
	if len(value) < envelopeSize {
		return nil, damaged(key, "the value is too short")
	}
	if value[0] != envelopeVersion {
		return nil, damaged(key, fmt.Sprintf("the value has version %d, this program knows %d", value[0], envelopeVersion))
	}
	payload := value[envelopeSize:]
	if binary.BigEndian.Uint32(value[1:]) != checksum(key, payload) {
		return nil, damaged(key, "the checksum does not match")
	}
	return payload, nil
}

// decode opens an item's envelope and reads its JSON payload into v.
func decode(it Item, v any) error {
	payload, err := unseal(it.Key, it.Value)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return damaged(it.Key, err.Error())
	}
	return nil
}

// format is what a database is.
type format struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

// claim remembers a delivery.
type claim struct {
	At      time.Time         `json:"at"`
	Numbers []workflow.Number `json:"numbers,omitempty"`
}

// record is the payload of a request. Audit lists the places of its entries in the audit trail, oldest first: they
// make the history of one request cost what it returns, without an index key for each entry.
type record struct {
	Audit   []uint64         `json:"audit"`
	Request workflow.Request `json:"request"`
}

// decodeRecord reads a record and checks that it is the one its key names.
func decodeRecord(it Item) (record, error) {
	var rec record
	if err := decode(it, &rec); err != nil {
		return record{}, err
	}
	if n, err := numberIn(it.Key); err != nil || n != rec.Request.Number {
		return record{}, damaged(it.Key, fmt.Sprintf("the record is of request %d", rec.Request.Number))
	}
	return rec, nil
}

// encodeRecord makes the payload that record describes, in parts, from a request that is encoded already: requests are
// encoded by their callers, side by side, while the places of their entries are only known to the one committer.
func encodeRecord(audit []uint64, request []byte) [][]byte {
	p := make([]byte, 0, 20*len(audit)+32)
	p = append(p, `{"audit":[`...)
	for i, seq := range audit {
		if i > 0 {
			p = append(p, ',')
		}
		p = strconv.AppendUint(p, seq, 10)
	}
	return [][]byte{append(p, `],"request":`...), request, []byte("}")}
}
