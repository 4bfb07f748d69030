package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/store"
)

var kvTests = []contract{
	one("GetAbsent", testGetAbsent),
	one("PutGetDelete", testPutGetDelete),
	one("ScanOrderAndBounds", testScan),
	one("ScanLimits", testScanLimits),
	one("CompareFailureStoresNothing", testCompareFailure),
	one("RevisionsIncrease", testRevisions),
	one("ResultsBelongToTheCaller", testResultsAreCopies),
	one("ConcurrentCompareAndPut", testConcurrentIncrements),
	one("Durable", testDurable),
	one("LargeAndEmptyValues", testValueSizes),
}

func put(pairs ...string) store.Txn {
	var txn store.Txn
	for i := 0; i < len(pairs); i += 2 {
		txn.Puts = append(txn.Puts, store.Put{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return txn
}

func mustPut(t *testing.T, kv store.KV, txn store.Txn) uint64 {
	t.Helper()
	rev, err := kv.Commit(t.Context(), txn)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return rev
}

func mustGet(t *testing.T, kv store.KV, key string) store.Item {
	t.Helper()
	items, err := kv.Get(t.Context(), []byte(key))
	if err != nil || len(items) != 1 {
		t.Fatalf("get %q: %d items, %v", key, len(items), err)
	}
	return items[0]
}

func scanKeys(t *testing.T, kv store.KV, from, to string, limit int, reverse bool) []string {
	t.Helper()
	items, err := kv.Scan(t.Context(), []byte(from), []byte(to), limit, reverse)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	keys := []string{}
	for _, it := range items {
		if it.Rev == 0 {
			t.Errorf("scan: item %q without a revision", it.Key)
		}
		keys = append(keys, string(it.Key))
	}
	return keys
}

// openKV opens a KV that is closed at the end of the test.
func openKV(t *testing.T, e Engine) store.KV {
	t.Helper()
	kv := mustOpenKV(t, e)
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return kv
}

func testGetAbsent(t *testing.T, e Engine) {
	kv := openKV(t, e)
	mustPut(t, kv, put("a", "1", "c", "3"))
	items, err := kv.Get(t.Context(), []byte("c"), []byte("b"), []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, it := range items {
		got = append(got, fmt.Sprintf("%s=%s %t", it.Key, it.Value, it.Rev != 0))
	}
	if diff := cmp.Diff([]string{"c=3 true", "b= false", "a=1 true"}, got); diff != "" {
		t.Errorf("get (-want +got):\n%s", diff)
	}
	if items, err = kv.Get(t.Context()); err != nil || len(items) != 0 {
		t.Errorf("get of no keys: %v, %v", items, err)
	}
}

func testPutGetDelete(t *testing.T, e Engine) {
	kv := openKV(t, e)
	mustPut(t, kv, put("k", "one", "other", "x"))
	mustPut(t, kv, put("k", "two"))
	if it := mustGet(t, kv, "k"); string(it.Value) != "two" {
		t.Errorf("value %q, want the later one", it.Value)
	}
	mustPut(t, kv, store.Txn{Deletes: [][]byte{[]byte("absent"), []byte("k")}})
	if it := mustGet(t, kv, "k"); it.Rev != 0 || it.Value != nil {
		t.Errorf("after delete: %+v", it)
	}
	if it := mustGet(t, kv, "other"); string(it.Value) != "x" {
		t.Errorf("a delete touched another key: %+v", it)
	}
}

func testScan(t *testing.T, e Engine) {
	kv := openKV(t, e)
	keys := []string{"a", "a\x00", "a\xff", "b", "b\x00\x01", "b\x01", "c"}
	for _, k := range []int{3, 0, 6, 2, 5, 1, 4} {
		mustPut(t, kv, put(keys[k], "v"))
	}
	for _, tc := range []struct {
		from, to string
		limit    int
		reverse  bool
		want     []string
	}{
		{"a", "d", 10, false, keys},
		{"a", "d", 2, false, keys[:2]},
		{"a", "c", 10, false, keys[:6]},
		{"a\x00", "b", 10, false, []string{"a\x00", "a\xff"}},
		{"b", "b", 10, false, []string{}},
		{"c", "a", 10, false, []string{}},
		{"c", "a", 10, true, []string{}},
		{"a", "d", 2, true, []string{"c", "b\x01"}},
		{"a", "c", 2, true, []string{"b\x01", "b\x00\x01"}},
		{"a\xff", "b\x00", 10, true, []string{"b", "a\xff"}},
		{"d", "e", 1, true, []string{}},
		{"0", "a", 1, true, []string{}},
	} {
		got := scanKeys(t, kv, tc.from, tc.to, tc.limit, tc.reverse)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("scan %q to %q, %d, reverse %t (-want +got):\n%s", tc.from, tc.to, tc.limit, tc.reverse, diff)
		}
	}
}

func testScanLimits(t *testing.T, e Engine) {
	kv := openKV(t, e)
	var txn store.Txn
	for i := range store.MaxScan + 5 {
		txn.Puts = append(txn.Puts, store.Put{Key: fmt.Appendf(nil, "k%06d", i), Value: []byte("v")})
	}
	mustPut(t, kv, txn)
	if got := scanKeys(t, kv, "k", "l", store.MaxScan, false); len(got) != store.MaxScan {
		t.Errorf("%d items, want %d", len(got), store.MaxScan)
	}
	for _, limit := range []int{-1, 0, store.MaxScan + 1} {
		if _, err := kv.Scan(t.Context(), []byte("k"), []byte("l"), limit, false); err == nil {
			t.Errorf("limit %d was accepted", limit)
		}
	}
}

func testCompareFailure(t *testing.T, e Engine) {
	kv := openKV(t, e)
	rev := mustPut(t, kv, put("a", "1"))
	for name, compares := range map[string][]store.Compare{
		"stale":      {{Key: []byte("a"), Rev: rev - 1}},
		"absent":     {{Key: []byte("a")}},
		"present":    {{Key: []byte("b"), Rev: rev}},
		"one of two": {{Key: []byte("a"), Rev: rev}, {Key: []byte("b"), Rev: rev}},
	} {
		txn := put("a", "2", "b", "2")
		txn.Compares = compares
		if _, err := kv.Commit(t.Context(), txn); !errors.Is(err, store.ErrCompare) {
			t.Errorf("%s: %v, want ErrCompare", name, err)
		}
	}
	if a, b := mustGet(t, kv, "a"), mustGet(t, kv, "b"); string(a.Value) != "1" || a.Rev != rev || b.Rev != 0 {
		t.Errorf("a failed compare changed something: a %+v, b %+v", a, b)
	}
	txn := put("a", "2", "b", "2")
	txn.Compares = []store.Compare{{Key: []byte("a"), Rev: rev}, {Key: []byte("b")}}
	mustPut(t, kv, txn)
}

func testRevisions(t *testing.T, e Engine) {
	kv := openKV(t, e)
	var last uint64
	for i := range 5 {
		rev := mustPut(t, kv, put("a", fmt.Sprint(i), fmt.Sprint("b", i), "x"))
		if rev <= last {
			t.Errorf("revision %d after %d", rev, last)
		}
		if a, b := mustGet(t, kv, "a"), mustGet(t, kv, fmt.Sprint("b", i)); a.Rev != rev || b.Rev != rev {
			t.Errorf("revisions %d and %d, the commit said %d", a.Rev, b.Rev, rev)
		}
		last = rev
		// A key that was deleted and made again must not be at a revision that it had before.
		mustPut(t, kv, store.Txn{Deletes: [][]byte{[]byte("a")}})
	}
}

func testResultsAreCopies(t *testing.T, e Engine) {
	kv := openKV(t, e)
	key, value := []byte("key"), []byte("value")
	mustPut(t, kv, store.Txn{Puts: []store.Put{{Key: key, Value: value}}})
	key[0], value[0] = 'X', 'X'
	got := mustGet(t, kv, "key")
	got.Value[0] = 'Y'
	items, err := kv.Scan(t.Context(), []byte("a"), []byte("z"), 1, false)
	if err != nil || len(items) != 1 {
		t.Fatalf("scan: %v, %v", items, err)
	}
	items[0].Value[0] = 'Z'
	if it := mustGet(t, kv, "key"); !bytes.Equal(it.Value, []byte("value")) {
		t.Errorf("value %q: somebody else's buffer is used", it.Value)
	}
}

func testConcurrentIncrements(t *testing.T, e Engine) {
	const workers, each = 8, 10
	kv := openKV(t, e)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				items, err := kv.Get(t.Context(), []byte("n"))
				if err != nil {
					t.Errorf("get: %v", err)
					return
				}
				txn := put("n", string(items[0].Value)+"I")
				txn.Compares = []store.Compare{{Key: []byte("n"), Rev: items[0].Rev}}
				_, err = kv.Commit(t.Context(), txn)
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrCompare) {
					t.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := len(mustGet(t, kv, "n").Value); got != workers*each {
		t.Errorf("%d increments are stored of %d that succeeded", got, workers*each)
	}
}

func testDurable(t *testing.T, e Engine) {
	kv := mustOpenKV(t, e)
	rev := mustPut(t, kv, put("a", "1"))
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	kv = openKV(t, e)
	if it := mustGet(t, kv, "a"); string(it.Value) != "1" || it.Rev != rev {
		t.Errorf("after reopening: %+v, want revision %d", it, rev)
	}
	if next := mustPut(t, kv, put("a", "2")); next <= rev {
		t.Errorf("revision %d after reopening, %d before", next, rev)
	}
}

func testValueSizes(t *testing.T, e Engine) {
	kv := openKV(t, e)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // 256 KiB
	mustPut(t, kv, store.Txn{Puts: []store.Put{{Key: []byte("big"), Value: big}, {Key: []byte("empty")}}})
	if it := mustGet(t, kv, "big"); !bytes.Equal(it.Value, big) {
		t.Errorf("big value: %d bytes of %d", len(it.Value), len(big))
	}
	if it := mustGet(t, kv, "empty"); it.Rev == 0 || len(it.Value) != 0 {
		t.Errorf("empty value: %+v", it)
	}
}
