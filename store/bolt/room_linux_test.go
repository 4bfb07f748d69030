package bolt_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCommit_WritesWhereTheFileIs: whatever a database writes, the file system has allocated before, so that a commit does
// not wait for its journal too.
func TestCommit_WritesWhereTheFileIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := mustStore(t, path)
	for range 300 {
		if _, err := commitOne(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	const seekHole = 4
	hole, err := syscall.Seek(int(f.Fd()), 0, seekHole)
	if err != nil || hole != info.Size() {
		t.Errorf("the file of %d bytes has a hole at %d, %v", info.Size(), hole, err)
	}
}
