package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/storetest"
	"countersign/workflow"
)

// five makes a store with five requests, the second of them approved: six audit entries.
func five(t *testing.T) (*storetest.Memory, *store.Store) {
	t.Helper()
	m, kv := memory(t)
	s := open(t, kv, store.Options{})
	for n := workflow.Number(1); n <= 5; n++ {
		if _, err := s.Commit(t.Context(), storetest.Submission(fmt.Sprint("d", n), storetest.NewRequest(n, alice))); err != nil {
			t.Fatal(err)
		}
	}
	r, rev, err := s.Load(t.Context(), 2)
	if err == nil {
		_, err = s.Commit(t.Context(), storetest.Move(r, rev, workflow.Approved))
	}
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

func key(family byte, n byte) []byte { return []byte{family, 0, 0, 0, 0, 0, 0, 0, n} }

// forge rewrites the payload under a key and seals it again, as a person with the right tool can.
func forge(t *testing.T, m *storetest.Memory, k []byte, change func(payload string) string) {
	t.Helper()
	if !m.Corrupt(k, func(v []byte) []byte { return storetest.Seal(k, []byte(change(string(v[5:])))) }) {
		t.Fatalf("no key %x", k)
	}
}

// remove deletes a key behind the store's back.
func remove(t *testing.T, m *storetest.Memory, k []byte) {
	t.Helper()
	kv, _ := m.Open()
	before := m.Len()
	if _, err := kv.Commit(t.Context(), store.Txn{Deletes: [][]byte{k}}); err != nil || m.Len() == before {
		t.Fatalf("no key %x: %v", k, err)
	}
}

func plant(t *testing.T, m *storetest.Memory, k []byte, payload string) {
	t.Helper()
	kv, _ := m.Open()
	if _, err := kv.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: k, Value: storetest.Seal(k, []byte(payload))}}}); err != nil {
		t.Fatal(err)
	}
}

// rehashed changes an entry and gives it the hash that then fits.
func rehashed(t *testing.T, payload string, change func(*workflow.Entry)) string {
	t.Helper()
	var e workflow.Entry
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		t.Fatal(err)
	}
	change(&e)
	sum, err := store.EntryHash(e)
	if err != nil {
		t.Fatal(err)
	}
	e.Hash = sum
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestVerify_NamesTheFirstBadEntry(t *testing.T) {
	swap := func(t *testing.T, m *storetest.Memory) {
		var third string
		forge(t, m, key('a', 3), func(p string) string { third = p; return p })
		forge(t, m, key('a', 4), func(p string) string { p, third = third, p; return p })
		forge(t, m, key('a', 3), func(string) string { return third })
	}
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, m *storetest.Memory)
		names string
	}{
		"changed": {func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('a', 3), func(p string) string { return strings.Replace(p, "U0ALICE", "U0MALLORY", 1) })
		}, "audit entry 3"},
		"rewritten": {func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('a', 3), func(p string) string { return rehashed(t, p, func(e *workflow.Entry) { e.Detail = "rewritten" }) })
		}, "audit entry 4"},
		"missing":      {func(t *testing.T, m *storetest.Memory) { remove(t, m, key('a', 4)) }, "audit entry 4"},
		"last missing": {func(t *testing.T, m *storetest.Memory) { remove(t, m, key('a', 6)) }, "audit entry 6"},
		"reordered":    {swap, "audit entry 3"},
		"flipped": {func(_ *testing.T, m *storetest.Memory) {
			m.Corrupt(key('a', 2), func(v []byte) []byte { v[20] ^= 4; return v })
		}, "audit entry 2"},
		"request missing": {func(t *testing.T, m *storetest.Memory) { remove(t, m, key('r', 5)) }, "request 5"},
		"head missing":    {func(t *testing.T, m *storetest.Memory) { remove(t, m, []byte("mhead")) }, `meta "head"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := five(t)
			if head, err := s.Verify(t.Context()); err != nil || head.Seq != 6 {
				t.Fatalf("sound trail: %v, %v", head, err)
			}
			tc.spoil(t, m)
			var damage *store.DamageError
			if _, err := s.Verify(t.Context()); !errors.As(err, &damage) || !strings.Contains(fmt.Sprint(err), tc.names) {
				t.Errorf("verify: %v, want a DamageError that names %s", err, tc.names)
			}
		})
	}
}

// TestVerify_RewrittenHistory: whoever recomputes all hashes behind a change still meets the head.
func TestVerify_RewrittenHistory(t *testing.T) {
	m, s := five(t)
	prev := strings.Repeat("0", 64)
	for n := byte(1); n <= 6; n++ {
		forge(t, m, key('a', n), func(p string) string {
			return rehashed(t, p, func(e *workflow.Entry) { e.Prev, e.Detail = prev, "rewritten" })
		})
		forge(t, m, key('a', n), func(p string) string {
			var e workflow.Entry
			if err := json.Unmarshal([]byte(p), &e); err != nil {
				t.Fatal(err)
			}
			prev = e.Hash
			return p
		})
	}
	if _, err := s.Verify(t.Context()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("verify: %v, want ErrDamaged", err)
	}
	kv, _ := m.Open()
	if _, err := store.Open(t.Context(), kv, store.Options{}); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("open: %v, want ErrDamaged", err)
	}
}

func TestLoad_RecordOfAnother(t *testing.T) {
	m, s := five(t)
	forge(t, m, key('r', 2), func(p string) string { return strings.Replace(p, `"number":2`, `"number":3`, 1) })
	var damage *store.DamageError
	if _, _, err := s.Load(t.Context(), 2); !errors.As(err, &damage) {
		t.Errorf("load: %v, want a DamageError", err)
	}
}

func TestCheckIndexes_BothWays(t *testing.T) {
	orphan := storetest.NewRequest(3, alice)
	orphan.State = workflow.Denied
	for name, spoil := range map[string]func(t *testing.T, m *storetest.Memory){
		"state key missing":     func(t *testing.T, m *storetest.Memory) { remove(t, m, m.Keys("s")[1]) },
		"requester key missing": func(t *testing.T, m *storetest.Memory) { remove(t, m, m.Keys("p")[1]) },
		"due key missing":       func(t *testing.T, m *storetest.Memory) { remove(t, m, m.Keys("d")[0]) },
		"claim missing":         func(t *testing.T, m *storetest.Memory) { remove(t, m, m.Keys("c")[0]) },
		"claim time missing":    func(t *testing.T, m *storetest.Memory) { remove(t, m, m.Keys("t")[0]) },
		"record missing":        func(t *testing.T, m *storetest.Memory) { remove(t, m, key('r', 3)) },
		"entry missing":         func(t *testing.T, m *storetest.Memory) { remove(t, m, key('a', 3)) },
		"stale state key":       func(t *testing.T, m *storetest.Memory) { plant(t, m, store.KeysOf(&orphan)[0], "") },
		"index of nothing": func(t *testing.T, m *storetest.Memory) {
			r := storetest.NewRequest(99, alice)
			plant(t, m, store.KeysOf(&r)[0], "")
		},
		"entry nobody names": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('r', 2), func(p string) string { return strings.Replace(p, "[2,6]", "[2]", 1) })
		},
		"entry of another": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('r', 2), func(p string) string { return strings.Replace(p, "[2,6]", "[2,3]", 1) })
		},
		"record under a foreign key": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, key('r', 2), func(p string) string { return strings.Replace(p, `"number":2`, `"number":3`, 1) })
		},
		"value under a foreign key": func(_ *testing.T, m *storetest.Memory) {
			var other []byte
			m.Corrupt(key('r', 3), func(v []byte) []byte { other = bytes.Clone(v); return v })
			m.Corrupt(key('r', 4), func([]byte) []byte { return other })
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := five(t)
			if err := s.CheckIndexes(t.Context()); err != nil {
				t.Fatalf("sound store: %v", err)
			}
			spoil(t, m)
			if err := s.CheckIndexes(t.Context()); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("check: %v, want ErrDamaged", err)
			}
		})
	}
}

// TestRead_EveryFlippedByte flips each byte of each value in turn and reads everything: it must not go unnoticed.
func TestRead_EveryFlippedByte(t *testing.T) {
	m, s := five(t)
	read := func() error {
		_, err := s.Verify(t.Context())
		return errors.Join(err, s.CheckIndexes(t.Context()))
	}
	for _, k := range m.Keys("") {
		if string(k) == "mformat" {
			continue // read at Open only
		}
		for i := 0; ; i += 1 + i/40 {
			var size int
			flip := func(v []byte) []byte { size = len(v); v[min(i, size-1)] ^= 0x20; return v }
			m.Corrupt(k, flip)
			if err := read(); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("byte %d of key %x flipped: %v, want ErrDamaged", i, k, err)
			}
			m.Corrupt(k, flip)
			if i >= size {
				break
			}
		}
	}
	if err := read(); err != nil {
		t.Errorf("all flipped back: %v", err)
	}
}

func TestOpen_RefusesADatabaseThatLostItsEnd(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, m *storetest.Memory){
		"last entry": func(t *testing.T, m *storetest.Memory) { remove(t, m, key('a', 6)) },
		"head":       func(t *testing.T, m *storetest.Memory) { remove(t, m, []byte("mhead")) },
		"format":     func(t *testing.T, m *storetest.Memory) { remove(t, m, []byte("mformat")) },
		"head number": func(t *testing.T, m *storetest.Memory) {
			forge(t, m, []byte("mhead"), func(p string) string { return strings.Replace(p, `"number":5`, `"number":4`, 1) })
		},
	} {
		m, _ := five(t)
		spoil(t, m)
		kv, _ := m.Open()
		if _, err := store.Open(t.Context(), kv, store.Options{}); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
	m, _ := five(t)
	forge(t, m, []byte("mformat"), func(p string) string { return strings.Replace(p, `"format":1`, `"format":2`, 1) })
	kv, _ := m.Open()
	if _, err := store.Open(t.Context(), kv, store.Options{}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("newer format: %v, want ErrNewer", err)
	}
}

// TestEntryHash_KnownAnswer fixes the hash for ever; the package documentation's Python gave the same.
func TestEntryHash_KnownAnswer(t *testing.T) {
	e := workflow.Entry{
		Seq: 7, At: time.Date(2026, 3, 4, 5, 6, 7, 890123456, time.UTC), Request: 42, Verb: "approve",
		From: workflow.Pending, To: workflow.Approved, By: workflow.Person{User: "U0LEAD", Team: "T0ONE"},
		Via: "slack C0 1712.000100", Detail: "\"\\/\b\f\n\r\t\x01\x7f<>&\u2028\u2029é张😀", Prev: strings.Repeat("ab", 32), Hash: "ignored",
	}
	const want = "b78919ed56e2315bcfe38a3bd718933678597d7b97ccd5df229edc5ec4f23196"
	if got, err := store.EntryHash(e); err != nil || got != want {
		t.Errorf("hash %s, %v; want %s", got, err, want)
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{}`: `{}`,
		`{"b":1,"a":[true,null,-2,"x",[],{}],"c":{"z":"","y":{}}}`: `{"a":[true,null,-2,"x",[],{}],"b":1,"c":{"y":{},"z":""}}`,
		`{"hash":"x","a":{"hash":"kept"}}`:                         `{"a":{"hash":"kept"}}`,
		`{"hash":"x"}`:                                             `{}`,
		`{"\u003c":1,"\"}":{"{,":"]"}}`:                            `{"\"}":{"{,":"]"},"<":1}`,
		`{"s":"\u003c\u2028\u001f\u0022\u005c\/\ud83d\ude00"}`:     "{\"s\":\"<\u2028\\u001f\\\"\\\\/😀\"}",
	} {
		got, err := store.Canonical([]byte(in), "hash")
		if err != nil || string(got) != want {
			t.Errorf("canonical form of %s: %s, %v; want %s", in, got, err, want)
		}
	}
}

// FuzzCanonical compares with encoding/json, which sorts the members of a map by name, too.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{}`, `{"b":1,"a":[true,null,-2,"x",{"d":"","c":"\u0000\\"}]}`, `{"\u003c":"é张😀","":{"":[[]]}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, object string) {
		dec := json.NewDecoder(strings.NewReader(object))
		dec.UseNumber()
		var members map[string]any
		if err := dec.Decode(&members); err != nil || members == nil {
			t.Skip("no object")
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(members); err != nil || strings.Contains(want.String(), `\u202`) {
			t.Skip("escaped in another way")
		}
		got, err := store.Canonical(backwards(t, members), "not in it")
		if err != nil || string(got) != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("canonical form of %s: %s, %v; want %s", object, got, err, want.String())
		}
		for i := range got {
			if _, err := store.Canonical(got[:i], ""); err == nil {
				t.Errorf("the first %d bytes of %s are taken for whole", i, got)
			}
		}
	})
}

// backwards is the JSON of a value with the members of each object in the wrong order.
func backwards(t *testing.T, v any) []byte {
	b := []byte{}
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		slices.Reverse(names)
		for _, name := range names {
			b = fmt.Appendf(append(b, ','), "%s:%s", backwards(t, name), backwards(t, v[name]))
		}
		return append(append([]byte{'{'}, bytes.TrimPrefix(b, []byte(","))...), '}')
	case []any:
		for _, item := range v {
			b = append(append(b, ','), backwards(t, item)...)
		}
		return append(append([]byte{'['}, bytes.TrimPrefix(b, []byte(","))...), ']')
	default:
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}
