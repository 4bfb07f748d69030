package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
	"countersign/workflow"
)

// killed is a database that nobody ever closes: what is opened next is what a kill would have left.
type killed struct {
	*bolt.DB
	lives *lives
}

// lives are the files that a database has had, one for each time it was opened.
type lives struct {
	dir string
	n   int
}

func (l *lives) path() string { return filepath.Join(l.dir, fmt.Sprint(l.n)) }

func (l *lives) open(ctx context.Context) (store.KV, error) {
	db, err := bolt.Open(ctx, l.path(), bolt.Options{NoSync: true})
	return &killed{db, l}, err
}

func (k *killed) Close() error {
	from := k.lives.path()
	k.lives.n++
	return errors.Join(copyHeld(k.DB, from, k.lives.path()), k.DB.Close())
}

// copyHeld copies the file of a database in use, and what lies beside it.
func copyHeld(db *bolt.DB, from, to string) error {
	defer db.Hold()()
	return errors.Join(copyFile(from, to), copyFile(bolt.SidecarPath(from), bolt.SidecarPath(to)))
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// TestDB_ContractWhenKilled is TestDB_Contract of a database that is killed instead of closed.
func TestDB_ContractWhenKilled(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		l := &lives{dir: t.TempDir()}
		return storetest.Engine{Open: func() (store.KV, error) { return l.open(t.Context()) }}
	})
}

// leftBehind is a copy of the file of a database in use, with so many requests. So few are all in the journal that it would
// not be folded by a pause.
func leftBehind(t *testing.T, requests int) string {
	t.Helper()
	path, to := filepath.Join(t.TempDir(), "c.db"), filepath.Join(t.TempDir(), "c.db")
	db := mustOpen(t, path)
	s, err := store.Open(t.Context(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range requests {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(copyHeld(db, path, to), s.Close()); err != nil {
		t.Fatal(err)
	}
	return to
}

// formatOf is the format of a file, and how many buckets its journal has.
func formatOf(t *testing.T, path string) (format uint64, journal int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		format = binary.BigEndian.Uint64(tx.Bucket([]byte("countersign")).Get([]byte("format")))
		journal = len(bolt.JournalPages(tx))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return format, journal
}

// TestJournal_EarlierVersionsKnowWhereTheyStand: a version that knows no journal refuses a file with one, and reads what a
// clean stop leaves.
func TestJournal_EarlierVersionsKnowWhereTheyStand(t *testing.T) {
	path := leftBehind(t, 5)
	if format, journal := formatOf(t, path); format != 2 || journal == 0 {
		t.Errorf("in use: format %d with %d buckets of the journal, want format 2 with some", format, journal)
	}
	s := mustStore(t, path)
	if _, err := commitOne(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	if err := s.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	s.Close()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(backup, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"after a clean stop": path, "backup": backup} {
		if format, journal := formatOf(t, path); format != 1 || journal != 0 {
			t.Errorf("%s: format %d with %d buckets of the journal, want format 1 with none", name, format, journal)
		}
		if err := whole(t.Context(), mustStore(t, path), 6); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestJournal_IsFolded: however much is stored, the journal does not grow.
func TestJournal_IsFolded(t *testing.T) {
	const most = bolt.JournalCommits
	for _, requests := range []int{most - 1, most, most + 1, 1000} {
		path := leftBehind(t, requests)
		if _, journal := formatOf(t, path); journal > most {
			t.Errorf("%d requests: %d buckets of the journal, want at most %d", requests, journal, most)
		}
		if err := whole(t.Context(), mustStore(t, path), requests); err != nil {
			t.Errorf("%d requests: %v", requests, err)
		}
	}
}

// TestJournal_IsFoldedInAPause: a journal that is worth it is folded as soon as nobody commits, a short one is not.
func TestJournal_IsFoldedInAPause(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	db := mustOpen(t, path)
	journal := func() int {
		to := filepath.Join(t.TempDir(), "c.db")
		if err := copyHeld(db, path, to); err != nil {
			t.Fatal(err)
		}
		_, buckets := formatOf(t, to)
		return buckets
	}
	commit := func(n int) {
		for range n {
			if _, err := db.Commit(t.Context(), onePut("key", "value")); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit(3)
	time.Sleep(5 * bolt.Quiet)
	if journal() == 0 {
		t.Error("a journal of 3 commits was folded")
	}
	commit(bolt.RipeCommits)
	for begun := time.Now(); journal() > 0; time.Sleep(bolt.Quiet) {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("it is not folded")
		}
	}
	if it, err := db.Get(t.Context(), []byte("key")); err != nil || it[0].Rev != 3+bolt.RipeCommits {
		t.Errorf("the last commit is read as %v, %v", it, err)
	}
	commit(1)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if it, err := mustOpen(t, path).Get(t.Context(), []byte("key")); err != nil || it[0].Rev != 4+bolt.RipeCommits {
		t.Errorf("after a stop the last commit is read as %v, %v", it, err)
	}
}

// TestJournal_FlippedByte flips each byte of a commit in the journal, one at a time: the file is refused, or the key is
// named; nothing else is ever served.
func TestJournal_FlippedByte(t *testing.T) {
	path := leftBehind(t, 3)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	var record []byte // of the last commit
	if err := db.View(func(tx *bbolt.Tx) error {
		_, v := tx.Bucket(bolt.JournalPages(tx)[0]).Cursor().Last()
		record = bytes.Clone(v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(sound, record)
	refused, named := 0, 0
	for i := 0; i < len(record); i += 3 {
		edit(t, path, func(b []byte) []byte { copy(b, sound); b[at+i] ^= 0x10; return b })
		err := readAll(t, path)
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("byte %d flipped: %v, want ErrDamaged", i, err)
		} else if strings.Contains(err.Error(), "in the journal is not what was written") {
			refused++
		} else {
			named++
		}
	}
	if refused < 20 || named < 300 {
		t.Errorf("%d flips made the file refused, %d one key", refused, named)
	}
}

// TestJournal_Incomplete: a file whose journal lacks something is refused.
func TestJournal_Incomplete(t *testing.T) {
	for name, change := range map[string]func(tx *bbolt.Tx, pages [][]byte) error{
		"nothing left":  func(tx *bbolt.Tx, pages [][]byte) error { return each(pages, tx.DeleteBucket) },
		"first page":    func(tx *bbolt.Tx, pages [][]byte) error { return tx.DeleteBucket(pages[0]) },
		"page between":  func(tx *bbolt.Tx, pages [][]byte) error { return tx.DeleteBucket(pages[1]) },
		"first commit":  func(tx *bbolt.Tx, pages [][]byte) error { return drop(tx.Bucket(pages[0]), (*bbolt.Cursor).First) },
		"last in page":  func(tx *bbolt.Tx, pages [][]byte) error { return drop(tx.Bucket(pages[0]), (*bbolt.Cursor).Last) },
		"record empty":  func(tx *bbolt.Tx, pages [][]byte) error { return rewrite(tx.Bucket(pages[1]), 0) },
		"record short":  func(tx *bbolt.Tx, pages [][]byte) error { return rewrite(tx.Bucket(pages[1]), 7) },
		"record cut":    func(tx *bbolt.Tx, pages [][]byte) error { return rewrite(tx.Bucket(pages[1]), 100) },
		"values cut":    func(tx *bbolt.Tx, pages [][]byte) error { return rewrite(tx.Bucket(pages[1]), 1000) },
		"format denied": func(tx *bbolt.Tx, _ [][]byte) error { return putFormat(tx, 1) },
	} {
		path := leftBehind(t, 20)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bbolt.Tx) error { return change(tx, bolt.JournalPages(tx)) }); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		kv, err := bolt.Open(t.Context(), path, bolt.Options{})
		if err == nil {
			kv.Close()
		}
		if !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

func each(names [][]byte, f func([]byte) error) error {
	var err error
	for _, n := range names {
		err = errors.Join(err, f(n))
	}
	return err
}

func drop(b *bbolt.Bucket, to func(*bbolt.Cursor) ([]byte, []byte)) error {
	k, _ := to(b.Cursor())
	return b.Delete(bytes.Clone(k))
}

func rewrite(b *bbolt.Bucket, size int) error {
	k, v := b.Cursor().First()
	return b.Put(bytes.Clone(k), bytes.Clone(v[:size]))
}

func putFormat(tx *bbolt.Tx, n uint64) error {
	return tx.Bucket([]byte("countersign")).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, n))
}

// TestJournal_FlippedRootPage flips a bit of each byte of the page that names the buckets, in a file that nothing lies beside,
// as a backup is: what was acknowledged is there, or the file is refused or damaged; nothing goes unnoticed.
func TestJournal_FlippedRootPage(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand files are written and opened")
	}
	const requests = 30
	sound, err := os.ReadFile(leftBehind(t, requests))
	if err != nil {
		t.Fatal(err)
	}
	var acks []ack
	for n := range requests {
		acks = append(acks, ack{Number: workflow.Number(n + 1), State: workflow.Pending})
	}
	root := int(binary.NativeEndian.Uint64(sound[newestMeta(sound)*page+32:])) * page
	l := newLooker(t, 3*time.Second)
	noticed := 0
	for at := root; at < root+1000; at++ {
		b := bytes.Clone(sound)
		b[at] ^= 1
		err := l.reopen(leftover{db: &image{data: b, size: len(b)}}, acks)
		if errors.Is(err, errLost) {
			t.Errorf("byte %d of the page flipped: %v", at-root, err)
		}
		if err != nil {
			noticed++
		}
	}
	t.Logf("%d of 1,000 flips were noticed", noticed)
	if noticed < 100 {
		t.Error("these are too few")
	}
}

// TestClose_DamagedMeanwhile: Close ends, and says what it met, whatever has become of the file since it was opened.
func TestClose_DamagedMeanwhile(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, kv *bolt.DB, path string) error{
		"cut to two pages":   func(_ *testing.T, _ *bolt.DB, path string) error { return os.Truncate(path, 2*page) },
		"cut to three pages": func(_ *testing.T, _ *bolt.DB, path string) error { return os.Truncate(path, 3*page) },
		"no meta pages": func(t *testing.T, _ *bolt.DB, path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(make([]byte, 2*page), 0)
			return errors.Join(err, f.Close())
		},
		"disk gone": func(_ *testing.T, kv *bolt.DB, _ string) error { return kv.CloseFile() },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.db")
			kv := mustOpen(t, path)
			for i := range 10 {
				if _, err := kv.Commit(t.Context(), onePut(fmt.Sprint(i), "v")); err != nil {
					t.Fatal(err)
				}
			}
			if err := damage(t, kv, path); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			go func() { closed <- kv.Close() }()
			select {
			case err := <-closed:
				if !errors.Is(err, store.ErrFailed) {
					t.Errorf("close: %v, want ErrFailed", err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("close does not end")
			}
		})
	}
}

// TestClose_WritesNothingWhereNothingWasCommitted: whoever only looks at a file leaves it as it was, with its journal.
func TestClose_WritesNothingWhereNothingWasCommitted(t *testing.T) {
	path := leftBehind(t, 5)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := mustStore(t, path)
	if err := whole(t.Context(), s, 5); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// TestJournal_AgreesWithAPlainMap lets a database, killed now and then, and a plain map go through the same random commits,
// small and large, and compares what they read.
func TestJournal_AgreesWithAPlainMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 1))
	plain, err := (&storetest.Memory{}).Open()
	if err != nil {
		t.Fatal(err)
	}
	l := &lives{dir: t.TempDir()}
	kv, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { kv.Close() }()
	key := func() []byte { return fmt.Appendf(nil, "k%04d", rnd.IntN(3000)) }
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	for range rounds {
		switch rnd.IntN(150) {
		case 0:
			time.Sleep(2 * bolt.Quiet) // it is folded, or not yet
		case 1:
			if err := kv.Close(); err != nil {
				t.Fatal(err)
			}
			if kv, err = l.open(t.Context()); err != nil {
				t.Fatal(err)
			}
		default:
			txn := randomTxn(rnd, key)
			if _, err := plain.Commit(t.Context(), txn); err != nil {
				t.Fatal(err)
			}
			if _, err := kv.Commit(t.Context(), txn); err != nil {
				t.Fatal(err)
			}
		}
		from, to, limit, reverse := key(), key(), 1+rnd.IntN(300), rnd.IntN(2) == 0
		want, err := plain.Scan(t.Context(), from, to, limit, reverse)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kv.Scan(t.Context(), from, to, limit, reverse)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(values(want), values(got)); diff != "" {
			t.Fatalf("scan from %s to %s, at most %d, reverse %t (-want +got):\n%s", from, to, limit, reverse, diff)
		}
		one := key()
		a, errA := plain.Get(t.Context(), one)
		b, errB := kv.Get(t.Context(), one)
		if err := errors.Join(errA, errB); err != nil || !bytes.Equal(a[0].Value, b[0].Value) || (a[0].Rev == 0) != (b[0].Rev == 0) {
			t.Fatalf("key %s: %v, %v; want %v", one, b, err, a)
		}
	}
}

// TestCommit_Disorder: keys out of their order could not be found again, so they are never stored.
func TestCommit_Disorder(t *testing.T) {
	kv, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	a, b := store.Put{Key: []byte("a")}, store.Put{Key: []byte("b")}
	for name, txn := range map[string]store.Txn{
		"puts": {Puts: []store.Put{b, a}}, "deletes": {Deletes: [][]byte{b.Key, a.Key}},
		"put twice": {Puts: []store.Put{a, a}}, "put and deleted": {Puts: []store.Put{a}, Deletes: [][]byte{a.Key}},
	} {
		if _, err := kv.Commit(t.Context(), txn); err == nil {
			t.Errorf("%s: it was stored", name)
		}
	}
	if items, err := kv.Get(t.Context(), a.Key, b.Key); err != nil || items[0].Rev != 0 || items[1].Rev != 0 {
		t.Errorf("stored is %v, %v", items, err)
	}
	if _, err := kv.Commit(t.Context(), store.Txn{Puts: []store.Put{a, b}}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// randomTxn puts and deletes some keys, most of the time a few and small ones, at times more than the journal takes.
func randomTxn(rnd *rand.Rand, key func() []byte) store.Txn {
	count := 1 + rnd.IntN(4)
	size := 400
	if rnd.IntN(20) == 0 {
		count = 1 + rnd.IntN(200)
	}
	if rnd.IntN(100) == 0 {
		size = 20_000
	}
	chosen := map[string]bool{}
	for range count {
		chosen[string(key())] = rnd.IntN(3) == 0
	}
	var txn store.Txn
	for _, k := range slices.Sorted(maps.Keys(chosen)) {
		if chosen[k] {
			txn.Deletes = append(txn.Deletes, []byte(k))
		} else {
			txn.Puts = append(txn.Puts, store.Put{Key: []byte(k), Value: bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(size))})
		}
	}
	return txn
}

func values(items []store.Item) []string {
	var vs []string
	for _, it := range items {
		vs = append(vs, fmt.Sprintf("%s=%x", it.Key, it.Value))
	}
	return vs
}

// TestView_IsOfOneMoment: whoever reads while the journal is written and folded sees each commit whole or not at all. Each
// commit puts its number under "last" and under one of many other keys, where nothing may be above it.
func TestView_IsOfOneMoment(t *testing.T) {
	const others = 100
	kv, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	commit := func(i int) error {
		v := fmt.Appendf(nil, "%08d", i)
		_, err := kv.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: []byte("last"), Value: v}, {Key: fmt.Appendf(nil, "other%02d", i%others), Value: v}}})
		return err
	}
	if err := commit(0); err != nil {
		t.Fatal(err)
	}
	keys := [][]byte{[]byte("last")}
	for i := range others {
		keys = append(keys, fmt.Appendf(nil, "other%02d", i))
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			for before := []byte(nil); !stop.Load(); {
				var items []store.Item
				var err error
				if reader == 0 {
					items, err = kv.Scan(t.Context(), []byte("last"), []byte("p"), 1+others, false)
				} else {
					items, err = kv.Get(t.Context(), keys...)
				}
				if err != nil {
					t.Error(err)
					return
				}
				last, highest := items[0].Value, []byte(nil)
				for _, it := range items[1:] {
					if bytes.Compare(it.Value, highest) > 0 {
						highest = it.Value
					}
				}
				if !bytes.Equal(last, highest) || bytes.Compare(last, before) < 0 {
					t.Errorf("read %s as the last, %s beside it, after %s", last, highest, before)
					return
				}
				before = last
			}
		})
	}
	for i := range 3000 {
		if err := commit(i); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// FuzzJournalRecord: whatever is in the journal is read as it was written, or refused.
func FuzzJournalRecord(f *testing.F) {
	f.Add(uint64(1), []byte{}, []byte("k"), []byte("v"))
	f.Add(uint64(7), []byte("\x00\x00\x00\x00\x00\x00\x00\x06\xff\xff\xff\xff\xff\xff"), []byte("k"), []byte{})
	f.Fuzz(bolt.CheckRecord)
}
