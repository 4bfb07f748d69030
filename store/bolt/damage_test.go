package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
	"countersign/workflow"
)

const page = 8192

// requestsOf makes a closed database with so many requests and returns its path.
func requestsOf(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.db")
	s := mustStore(t, path)
	for range n {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustStore(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), mustOpen(t, path), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustOpen(t *testing.T, path string) *bolt.DB {
	t.Helper()
	kv, err := bolt.Open(t.Context(), path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	return kv
}

func onePut(key, value string) store.Txn {
	return store.Txn{Puts: []store.Put{{Key: []byte(key), Value: []byte(value)}}}
}

// edit changes a file in place.
func edit(t *testing.T, path string, change func(content []byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newestMeta is the number of the meta page with the higher transaction.
func newestMeta(content []byte) int {
	tx := func(p int) uint64 { return binary.NativeEndian.Uint64(content[p*page+64:]) }
	if tx(1) > tx(0) {
		return 1
	}
	return 0
}

func refused(t *testing.T, path string, want error, sentence string) {
	t.Helper()
	kv, err := bolt.Open(t.Context(), path, bolt.Options{})
	if err == nil {
		kv.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("open: %v, want %v", err, want)
	} else if !strings.Contains(fmt.Sprint(err), sentence) {
		t.Errorf("open: %v; it should say %q", err, sentence)
	}
	if err != nil && !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("open: %v; it should name the file", err)
	}
}

func TestOpen_NewestMetaPageLost(t *testing.T) {
	path := leftBehind(t, 5)
	edit(t, path, func(b []byte) []byte { clear(b[newestMeta(b)*page:][:page]); return b })
	refused(t, path, bolt.ErrRolledBack, "restore a backup, or remove "+bolt.SidecarPath(path))
	// The operator may accept the loss.
	if err := os.Remove(bolt.SidecarPath(path)); err != nil {
		t.Fatal(err)
	}
	s := mustStore(t, path)
	if _, _, err := s.Load(t.Context(), 5); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("the last request: %v, want ErrNotFound", err)
	}
	if err := whole(t.Context(), s, 4); err != nil {
		t.Error(err)
	}
}

func TestOpen_SidecarLostOrBehind(t *testing.T) {
	for name, change := range map[string]func(path string){
		"missing": func(p string) { os.Remove(p) },
		"empty":   func(p string) { edit(t, p, func([]byte) []byte { return nil }) },
		"garbage": func(p string) { edit(t, p, func(b []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(b)) }) },
		"newer slot torn": func(p string) {
			edit(t, p, func(b []byte) []byte { b[20] ^= 1; return b })
		},
	} {
		path := requestsOf(t, 3)
		change(bolt.SidecarPath(path))
		s := mustStore(t, path)
		if err := whole(t.Context(), s, 3); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRead_FlippedByte flips each byte of a stored request, one at a time: none may ever be served.
func TestRead_FlippedByte(t *testing.T) {
	path := requestsOf(t, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The record of request 2 as it stands in the file: revision and envelope, then JSON.
	const before = 12 + 5
	at := bytes.LastIndex(whole, []byte(`{"audit":[2],`)) - before
	size := bytes.Index(whole[at+before:], []byte(`"about":"submit"`)) + before
	for i := at; i < at+size; i += 7 {
		edit(t, path, func(b []byte) []byte { copy(b, whole); b[i] ^= 0x10; return b })
		kv := mustOpen(t, path)
		s, err := store.Open(t.Context(), kv, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Load(t.Context(), 2)
		var damage *store.DamageError
		if !errors.As(err, &damage) || !strings.Contains(fmt.Sprint(err), "request 2") {
			t.Errorf("byte %d flipped: %v, want a DamageError that names request 2", i-at, err)
		}
		if _, err := s.List(t.Context(), workflow.Query{}); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("byte %d flipped: list: %v, want ErrDamaged", i-at, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpen_Truncated(t *testing.T) {
	for _, keep := range []int{1, 100, page, page + 100, 2 * page, 3 * page, 10 * page} {
		path := requestsOf(t, 50)
		edit(t, path, func(b []byte) []byte { return b[:keep] })
		kv, err := bolt.Open(t.Context(), path, bolt.Options{})
		if err == nil {
			kv.Close()
		}
		if !errors.Is(err, bolt.ErrDamaged) && !errors.Is(err, bolt.ErrForeign) {
			t.Errorf("%d bytes left: %v, want ErrDamaged", keep, err)
		}
	}
}

// TestOpen_OlderPageSize: a database keeps the page size it was made with, and what is known of its shape with it.
func TestOpen_OlderPageSize(t *testing.T) {
	const older = 4096
	path := filepath.Join(t.TempDir(), "c.db")
	if err := bolt.Initialise(path, older); err != nil {
		t.Fatal(err)
	}
	s := mustStore(t, path)
	for range 30 {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if err := readAll(t, path); err != nil {
		t.Errorf("opened again: %v", err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := binary.NativeEndian.Uint32(sound[24:]); got != older {
		t.Errorf("its pages have %d bytes, want %d", got, older)
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"cut":                                    func(b []byte) []byte { return b[:6*older] },
		"cut, and its first meta page zeroed":    func(b []byte) []byte { clear(b[:older]); return b[:6*older] },
		"both meta pages zeroed":                 func(b []byte) []byte { clear(b[:2*older]); return b },
		"both meta pages of a wrong transaction": func(b []byte) []byte { b[64]++; b[older+64]++; return b },
	} {
		if err := os.WriteFile(path, damage(bytes.Clone(sound)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readAll(t, path); !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

// TestRead_TruncatedWhileOpen: pages that the file no longer has are an error, not the death of the process.
func TestRead_TruncatedWhileOpen(t *testing.T) {
	path := requestsOf(t, 30)
	s := mustStore(t, path)
	if err := os.Truncate(path, 2*page); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), 30); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("load: %v, want ErrDamaged", err)
	}
	if _, err := commitOne(t.Context(), s); err == nil {
		t.Error("a commit succeeded")
	}
	s.Close()
}

// TestRead_ZeroedPages zeroes each page but the meta pages, one at a time. What cannot be read is an error, and the
// process lives.
func TestRead_ZeroedPages(t *testing.T) {
	path := requestsOf(t, 30)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	meta := sound[newestMeta(sound)*page:]
	pages := int(binary.NativeEndian.Uint64(meta[56:]))
	failed := 0
	for p := 2; p < pages; p++ {
		edit(t, path, func(b []byte) []byte { copy(b, sound); clear(b[p*page:][:page]); return b })
		if err := readAll(t, path); err != nil {
			failed++
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, bolt.ErrForeign) {
				t.Errorf("page %d zeroed: %v, want ErrDamaged", p, err)
			}
		}
	}
	if failed < 5 {
		t.Errorf("only %d of %d pages were missed", failed, pages)
	}
}

// readAll opens a database and reads everything.
func readAll(t *testing.T, path string) error {
	kv, err := bolt.Open(t.Context(), path, bolt.Options{})
	if err != nil {
		return err
	}
	s, err := store.Open(t.Context(), kv, store.Options{})
	if err != nil {
		kv.Close()
		return err
	}
	defer s.Close()
	return whole(t.Context(), s, 30)
}

func TestOpen_Refuses(t *testing.T) {
	foreign := func(t *testing.T, path string) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name     string
		make     func(t *testing.T, path string)
		want     error
		sentence string
	}{
		{"empty file", func(t *testing.T, p string) { os.WriteFile(p, nil, 0o600) }, bolt.ErrEmpty, "restore a backup"},
		{"text", func(t *testing.T, p string) { os.WriteFile(p, bytes.Repeat([]byte("slack:\n"), 5000), 0o600) }, bolt.ErrForeign, "not a database"},
		{"short text", func(t *testing.T, p string) { os.WriteFile(p, []byte("x"), 0o600) }, bolt.ErrForeign, "not a database"},
		{"directory", func(t *testing.T, p string) { os.Mkdir(p, 0o700) }, nil, ""},
		{"another program's database", foreign, bolt.ErrForeign, "not a database"},
		{"both meta pages zeroed", func(t *testing.T, p string) {
			os.Rename(requestsOf(t, 3), p)
			edit(t, p, func(b []byte) []byte { clear(b[:2*page]); return b })
		}, bolt.ErrDamaged, "restore a backup"},
		{"both meta pages flipped", func(t *testing.T, p string) {
			os.Rename(requestsOf(t, 3), p)
			edit(t, p, func(b []byte) []byte { b[40] ^= 1; b[page+40] ^= 1; return b })
		}, bolt.ErrDamaged, "restore a backup"},
		{"newer format", func(t *testing.T, p string) { setFormat(t, p, 3) }, bolt.ErrNewer, "newer version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.db")
			tc.make(t, path)
			if tc.want == nil {
				if _, err := bolt.Open(t.Context(), path, bolt.Options{}); err == nil {
					t.Error("it was opened")
				}
				return
			}
			before, _ := os.ReadFile(path)
			refused(t, path, tc.want, tc.sentence)
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the refused file was changed")
			}
		})
	}
}

func setFormat(t *testing.T, path string, n uint64) {
	t.Helper()
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error { return putFormat(tx, n) }); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_NewerStoreFormat(t *testing.T) {
	path := requestsOf(t, 1)
	kv := mustOpen(t, path)
	if _, err := store.Open(t.Context(), storetest.WithFormat(kv, 2), store.Options{}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("open: %v, want ErrNewer", err)
	}
}

func TestCommit_DiskGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	kv := mustOpen(t, path)
	s, err := store.Open(t.Context(), kv, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := commitOne(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := kv.CloseFile(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := commitOne(t.Context(), s); !errors.Is(err, bolt.ErrPoisoned) || !errors.Is(err, store.ErrFailed) {
			t.Errorf("commit: %v, want ErrPoisoned", err)
		}
	}
	if _, _, err := s.Load(t.Context(), 1); !errors.Is(err, bolt.ErrPoisoned) {
		t.Errorf("load: %v, want ErrPoisoned", err)
	}
	select {
	case <-s.Failed():
	default:
		t.Error("the process was not told")
	}
	s.Close()
	s = mustStore(t, path)
	if err := whole(t.Context(), s, 1); err != nil {
		t.Error(err)
	}
}

// TestFailed_ByWhatNobodyWaitsFor: where the journal cannot be folded in a pause, the process learns of it by the next read:
// whoever decides reads before they commit.
func TestFailed_ByWhatNobodyWaitsFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := mustStore(t, path)
	for range bolt.RipeCommits {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(bolt.Quiet) {
		_, err := s.Due(t.Context(), time.Now(), workflow.DueItem{}, 10)
		if errors.Is(err, bolt.ErrVanished) {
			break
		}
		if err != nil || time.Since(begun) > 20*time.Second {
			t.Fatalf("what is due: %v, want ErrVanished", err)
		}
	}
	select {
	case <-s.Failed():
	default:
		t.Error("the process is not told to end")
	}
}

// TestCommit_FileVanished: what was acknowledged is kept, and nothing is acknowledged that would be lost.
func TestCommit_FileVanished(t *testing.T) {
	for name, vanish := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) { os.Remove(path) },
		"moved":   func(t *testing.T, path string) { os.Rename(path, path+".elsewhere") },
		"replaced": func(t *testing.T, path string) {
			os.Remove(path)
			os.Rename(requestsOf(t, 1), path)
		},
	} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/AtClose=%t", name, closed), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "c.db")
				s := mustStore(t, path)
				for range 20 {
					if _, err := commitOne(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
				vanish(t, path)
				if !closed {
					if _, err := commitOne(t.Context(), s); !errors.Is(err, bolt.ErrVanished) || !errors.Is(err, store.ErrFailed) {
						t.Errorf("commit: %v, want ErrVanished", err)
					}
					select {
					case <-s.Failed():
					default:
						t.Error("the process is not told to end")
					}
				}
				if err := s.Close(); closed && !errors.Is(err, bolt.ErrVanished) {
					t.Errorf("close: %v, want ErrVanished", err)
				}
				saved, err := filepath.Glob(path + ".saved-*")
				if err != nil || len(saved) != 1 {
					t.Fatalf("saved: %v, %v", saved, err)
				}
				if err := os.Rename(saved[0], path); err != nil {
					t.Fatal(err)
				}
				again := mustStore(t, path)
				if err := whole(t.Context(), again, 20); err != nil {
					t.Errorf("what was saved: %v", err)
				}
			})
		}
	}
}
