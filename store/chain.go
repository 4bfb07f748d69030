package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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

// link is an entry on its way into the chain: its canonical form but for what only the committer knows. All else is
// done by the callers, side by side.
type link struct {
	request workflow.Number
	// The canonical form is before, prev, between, seq and rest.
	before, between, rest []byte
}

const (
	prevMember = `"prev":"`
	hashMember = `"hash":"`
	seqMember  = `"seq":`
)

func newLink(e workflow.Entry) (link, error) {
	e.Seq, e.Prev, e.Hash = 0, "", ""
	text, err := canonicalEntry(e)
	if err != nil {
		return link{}, err
	}
	// Within a string a quote is escaped, so these can only be found where they are meant.
	before, rest, okPrev := bytes.Cut(text, []byte(prevMember))
	between, rest, okSeq := bytes.Cut(rest, []byte(seqMember+"0"))
	if !okPrev || !okSeq {
		return link{}, errors.New("audit entry: it has no place for the chain")
	}
	return link{request: e.Request, before: before, between: between, rest: rest}, nil
}

// append gives l its place behind h. It returns the new head and, in parts, the entry as it is stored: in canonical form,
// with the hash where it belongs by its name.
func (h head) append(l link) (head, [][]byte) {
	next := head{Seq: h.Seq + 1, Number: max(h.Number, l.request)}
	tail := make([]byte, 0, len(l.between)+len(l.rest)+len(h.Hash)+48)
	tail = append(append(append(tail, prevMember...), h.Hash...), l.between...)
	tail = append(strconv.AppendUint(append(tail, seqMember...), next.Seq, 10), l.rest...)
	next.Hash = chainHash(h.Hash, l.before, tail)
	return next, [][]byte{l.before, []byte(hashMember + next.Hash + `",`), tail}
}

// chainHash is the hash of an entry whose canonical form is given in parts.
func chainHash(prev string, canonical ...[]byte) string {
	sum := sha256.New()
	sum.Write([]byte(prev))
	for _, part := range canonical {
		sum.Write(part)
	}
	return hex.EncodeToString(sum.Sum(nil))
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
	text, err := canonicalEntry(e)
	if err != nil {
		return "", err
	}
	return chainHash(e.Prev, text), nil
}

// canonicalEntry is the canonical form of an entry without its hash.
func canonicalEntry(e workflow.Entry) ([]byte, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("audit entry: %w", err)
	}
	text, err := canonical(raw, "hash")
	if err != nil {
		return nil, fmt.Errorf("audit entry: %w", err)
	}
	return text, nil
}

// canonical rewrites a JSON object that json.Marshal has made in the form of RFC 8785, without the named member of the
// outermost object. Numbers must be integers: they are copied as they stand. It goes by the text, not by a decoded copy:
// every commit waits for it.
func canonical(object []byte, without string) ([]byte, error) {
	b, rest, err := appendCanonical(make([]byte, 0, len(object)), object, without)
	if err == nil && len(rest) > 0 {
		err = errNoJSON
	}
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return b, nil
}

var errNoJSON = errors.New("it is not what json.Marshal makes")

// appendCanonical appends the value that text begins with, and returns the text behind it.
func appendCanonical(b, text []byte, without ...string) (canonical, rest []byte, err error) {
	if len(text) == 0 {
		return nil, nil, errNoJSON
	}
	switch text[0] {
	case '{':
		return appendObject(b, text, without)
	case '[':
		b = append(b, '[')
		return appendList(b, text[1:])
	case '"':
		raw, rest, err := cutString(text)
		if err != nil || bytes.IndexByte(raw, '\\') < 0 {
			return append(b, raw...), rest, err
		}
		s, err := unquote(raw)
		return appendQuoted(b, s), rest, err
	default: // a number, true, false, null
		end := bytes.IndexAny(text, ",]}")
		if end < 0 {
			end = len(text)
		}
		return append(b, text[:end]...), text[end:], nil
	}
}

// appendList appends the values of a list, whose bracket is open.
func appendList(b, text []byte) (canonical, rest []byte, err error) {
	for first := true; ; first = false {
		switch {
		case len(text) == 0:
			return nil, nil, errNoJSON
		case text[0] == ']':
			return append(b, ']'), text[1:], nil
		case !first && text[0] == ',':
			b, text = append(b, ','), text[1:]
		case !first:
			return nil, nil, errNoJSON
		}
		if b, text, err = appendCanonical(b, text); err != nil {
			return nil, nil, err
		}
	}
}

// member is one of an object, its value in canonical form.
type member struct {
	name  string
	value []byte
}

func appendObject(b, text []byte, without []string) (canonical, rest []byte, err error) {
	members := make([]member, 0, 16)
	values := make([]byte, 0, len(text))
	text = text[1:]
	for len(text) > 0 && text[0] != '}' {
		if len(members) > 0 {
			if text[0] != ',' {
				return nil, nil, errNoJSON
			}
			text = text[1:]
		}
		raw, after, err := cutString(text)
		if err != nil || len(after) == 0 || after[0] != ':' {
			return nil, nil, errNoJSON
		}
		name, err := unquote(raw)
		if err != nil {
			return nil, nil, err
		}
		begin := len(values)
		if values, text, err = appendCanonical(values, after[1:]); err != nil {
			return nil, nil, err
		}
		members = append(members, member{name, values[begin:]})
	}
	if len(text) == 0 {
		return nil, nil, errNoJSON
	}
	slices.SortFunc(members, func(x, y member) int { return strings.Compare(x.name, y.name) })
	b = append(b, '{')
	for _, m := range members {
		if slices.Contains(without, m.name) {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(appendQuoted(b, m.name), ':'), m.value...)
	}
	return append(b, '}'), text[1:], nil
}

// cutString cuts the string off that text begins with, quotes and all.
func cutString(text []byte) (raw, rest []byte, err error) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, errNoJSON
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i+1], text[i+1:], nil
		}
	}
	return nil, nil, errNoJSON
}

func unquote(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// appendQuoted escapes what JSON demands and nothing else, unlike encoding/json, which also escapes for HTML.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0 // where what needs no escape begins
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[plain:]...), '"')
}
