package bolt_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
)

func TestDB_Contract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		path := filepath.Join(t.TempDir(), "c.db")
		return storetest.Engine{Open: func() (store.KV, error) {
			return bolt.Open(t.Context(), path, bolt.Options{NoSync: true})
		}}
	})
}

func TestOpen_CreatesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.db")
	if err := os.WriteFile(filepath.Join(dir, ".c.db.new-crashed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			kv, err := bolt.Open(t.Context(), path, bolt.Options{Timeout: 200 * time.Millisecond})
			if err == nil {
				opened.Add(1)
				t.Cleanup(func() { kv.Close() })
			} else if !errors.Is(err, bolt.ErrInUse) {
				t.Errorf("open: %v, want ErrInUse", err)
			}
		})
	}
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("%d of 8 opened the new file, want 1", opened.Load())
	}
	for _, p := range []string{path, bolt.SidecarPath(path)} {
		info, err := os.Stat(p)
		if err != nil || info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%s: %v, %v; want mode 0600", p, info, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("files: %v, %v; want the database, its counter and what was there before", entries, err)
	}
	if _, err := bolt.Open(t.Context(), filepath.Join(dir, "absent", "c.db"), bolt.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open in a directory that does not exist: %v", err)
	}
}

// TestOpen_DanglingLink: what a link points to is not made behind the operator's back, least of all empty.
func TestOpen_DanglingLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "c.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(t.Context(), filepath.Join(dir, "c.db"), bolt.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v, want ErrNotExist", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link's target was made: %v", err)
	}
}

func TestBackup_WhileWriting(t *testing.T) {
	dir := t.TempDir()
	s := mustStore(t, filepath.Join(dir, "c.db"))
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if _, err := commitOne(t.Context(), s); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	for i := range 3 {
		before, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var copied bytes.Buffer
		if err := s.Backup(t.Context(), &copied); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "backup")
		if err := os.WriteFile(path, copied.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		b := mustStore(t, path)
		st, err := b.Stats(t.Context())
		if err != nil || st.Head.Seq < before.Head.Seq {
			t.Errorf("backup %d ends with entry %d, %v; entry %d was stored before it began", i, st.Head.Seq, err, before.Head.Seq)
		}
		if err := whole(t.Context(), b, int(st.Head.Seq)); err != nil {
			t.Errorf("backup %d: %v", i, err)
		}
		if _, err := commitOne(t.Context(), b); err != nil {
			t.Errorf("backup %d: %v", i, err)
		}
		b.Close()
	}
	stop.Store(true)
	wg.Wait()
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestBackup_RestoredOverALaterDatabase: a backup is put back on purpose, whatever lies beside it, and goes on.
func TestBackup_RestoredOverALaterDatabase(t *testing.T) {
	path := requestsOf(t, 2)
	s := mustStore(t, path)
	var copied bytes.Buffer
	if err := s.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	killed := filepath.Join(filepath.Dir(path), ".c.db.backup-killed")
	if err := os.WriteFile(killed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func([]byte) []byte { return copied.Bytes() })
	for requests := 2; requests < 4; requests++ {
		s := mustStore(t, path)
		if err := whole(t.Context(), s, requests); err != nil {
			t.Error(err)
		}
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Error(err)
		}
		s.Close()
	}
	if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed backup has left: %v", err)
	}
}

// TestOpen_OlderFilePutBack: the counter beside the database shows that commits are gone.
func TestOpen_OlderFilePutBack(t *testing.T) {
	path := requestsOf(t, 2)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := mustStore(t, path)
	for range 2 {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	edit(t, path, func([]byte) []byte { return old })
	refused(t, path, bolt.ErrRolledBack, "to accept the loss")
	// A crash may have torn either slot of the counter; the other is enough.
	for _, slot := range []int{0, 512} {
		edit(t, bolt.SidecarPath(path), func(b []byte) []byte { b[slot+20] ^= 1; return b })
		refused(t, path, bolt.ErrRolledBack, "to accept the loss")
		edit(t, bolt.SidecarPath(path), func(b []byte) []byte { b[slot+20] ^= 1; return b })
	}
}
