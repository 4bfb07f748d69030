package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"countersign/workflow"
)

// genesis is what the first entry of a chain has before it.
var genesis = strings.Repeat("0", 2*sha256.Size)

// head is the end of the audit chain, and the highest number that any stored request has or an entry names.
type head struct {
	Seq    uint64          `json:"seq"`
	Hash   string          `json:"hash"`
	Number workflow.Number `json:"number"`
}

// link gives an entry its place behind h and returns the new head. Only the fields of the chain are set.
func (h head) link(e *workflow.Entry) (head, error) {
	e.Seq, e.Prev = h.Seq+1, h.Hash
	sum, err := EntryHash(*e)
	if err != nil {
		return h, err
	}
	e.Hash = sum
	return head{Seq: e.Seq, Hash: sum, Number: max(h.Number, e.Request)}, nil
}

// follows reports why e is not the entry behind h, or nil.
func (h head) follows(e workflow.Entry) error {
	key := auditKey(h.Seq + 1)
	if e.Seq != h.Seq+1 {
		return damaged(key, fmt.Sprintf("in its place is entry %d", e.Seq))
	}
	if e.Prev != h.Hash {
		return damaged(key, "it does not continue the chain of the entry before it")
	}
	sum, err := EntryHash(e)
	if err != nil {
		return damaged(key, err.Error())
	}
	if e.Hash != sum {
		return damaged(key, "its hash does not match its content")
	}
	return nil
}

// EntryHash computes the hash that an audit entry must bear, from everything in it but its Hash. The package
// documentation says how other tools compute it.
func EntryHash(e workflow.Entry) (string, error) {
	e.Hash = ""
	raw, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("audit entry: %w", err)
	}
	text, err := canonical(raw, "hash")
	if err != nil {
		return "", fmt.Errorf("audit entry: %w", err)
	}
	sum := sha256.New()
	sum.Write([]byte(e.Prev))
	sum.Write(text)
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// canonical rewrites a JSON object in the form of RFC 8785, without the named member of the outermost object. Numbers
// must be integers: they are copied as they stand.
func canonical(object []byte, without string) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	delete(members, without)
	return appendCanonical(make([]byte, 0, len(object)), members), nil
}

func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, name), ':')
			b = appendCanonical(b, v[name])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, item)
		}
		return append(b, ']')
	case string:
		return appendQuoted(b, v)
	case json.Number:
		return append(b, v...)
	default: // true, false, null
		return fmt.Append(b, literal(v))
	}
}

func literal(v any) any {
	if v == nil {
		return "null"
	}
	return v
}

// shortEscapes are the control characters with an escape of two characters.
var shortEscapes = map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r'}

// appendQuoted escapes what JSON demands and nothing else, unlike encoding/json, which also escapes for HTML.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			b = append(b, c)
		case shortEscapes[c] != 0:
			b = append(b, '\\', shortEscapes[c])
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
