package store_test

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"countersign/store"
	"countersign/store/storetest"
	"countersign/workflow"
)

var update = flag.Bool("update", false, "write the golden files anew; only for a format that nobody has stored yet")

const goldenV1 = "testdata/v1.txt"

// TestOpen_ReadsFormat1 reads a database that an earlier program wrote: what is stored stays readable.
func TestOpen_ReadsFormat1(t *testing.T) {
	if *update {
		m, _ := five(t)
		var dump strings.Builder
		for _, k := range m.Keys("") {
			m.Corrupt(k, func(v []byte) []byte { fmt.Fprintf(&dump, "%x %x\n", k, v); return v })
		}
		if err := os.WriteFile(goldenV1, []byte(dump.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, load(t, goldenV1), store.Options{})
	if head, err := s.Verify(t.Context()); err != nil || head.Seq != 6 {
		t.Errorf("audit trail: %v, %v", head, err)
	}
	if err := s.CheckIndexes(t.Context()); err != nil {
		t.Error(err)
	}
	r, _, err := s.Load(t.Context(), 2)
	if err != nil || r.State != workflow.Approved || r.Change.Remark != "张三" || r.Requester != alice {
		t.Errorf("request 2: %+v, %v", r, err)
	}
	if n, err := s.Reserve(t.Context(), 1); err != nil || n != 6 {
		t.Errorf("next number: %d, %v; want 6", n, err)
	}
}

func load(t *testing.T, golden string) store.KV {
	t.Helper()
	f, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var txn store.Txn
	for lines := bufio.NewScanner(f); lines.Scan(); {
		k, v, _ := strings.Cut(lines.Text(), " ")
		key, errKey := hex.DecodeString(k)
		value, errValue := hex.DecodeString(v)
		if errKey != nil || errValue != nil {
			t.Fatalf("line %q: %v, %v", lines.Text(), errKey, errValue)
		}
		txn.Puts = append(txn.Puts, store.Put{Key: key, Value: value})
	}
	kv, err := (&storetest.Memory{}).Open()
	if err == nil {
		_, err = kv.Commit(t.Context(), txn)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// FuzzKeys: keys that are built are read back, and order as what they stand for does.
func FuzzKeys(f *testing.F) {
	f.Add(uint64(1), uint64(2), int64(0), int64(-1), "T", "U")
	f.Fuzz(func(t *testing.T, n1, n2 uint64, t1, t2 int64, team, user string) {
		store.CheckKeyOrder(t, n1, n2, t1, t2)
		a := storetest.NewRequest(workflow.Number(n1), workflow.Person{Team: team, User: user})
		b := storetest.NewRequest(workflow.Number(n1), workflow.Person{Team: team + user})
		if user != "" && string(store.KeysOf(&a)[1]) == string(store.KeysOf(&b)[1]) {
			t.Errorf("requesters %q %q and %q share a key", team, user, team+user)
		}
	})
}

// FuzzUnseal: no bytes make the reader panic, and only what was sealed is opened.
func FuzzUnseal(f *testing.F) {
	f.Add([]byte("r12345678"), []byte(`{"audit":[],"request":{}}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if payload, err := store.Unseal(key, value); err == nil && string(storetest.Seal(key, payload)) != string(value) {
			t.Errorf("opened what was not sealed: %x", value)
		}
		sealed := storetest.Seal(key, value)
		if payload, err := store.Unseal(key, sealed); err != nil || string(payload) != string(value) {
			t.Errorf("sealed %x, opened %x, %v", value, payload, err)
		}
		if len(value) > 0 {
			sealed[len(sealed)-1] ^= 1
			if _, err := store.Unseal(key, sealed); err == nil {
				t.Errorf("a flipped bit went unnoticed")
			}
		}
	})
}
