package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"countersign/store"
	"countersign/store/storetest"
	"countersign/workflow"
)

// cutOff is a KV whose process is killed after so many commits.
type cutOff struct {
	store.KV
	left int
}

var errCut = errors.New("cut off")

// Commit implements store.KV.
func (c *cutOff) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	if c.left--; c.left < 0 {
		return 0, errCut
	}
	return c.KV.Commit(ctx, txn)
}

func filled(t *testing.T, m *storetest.Memory, requests int) {
	t.Helper()
	kv, _ := m.Open()
	s, err := store.Open(t.Context(), kv, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range requests {
		n, _ := s.Reserve(t.Context(), 1)
		r := storetest.NewRequest(n, workflow.Person{User: "U0ALICE", Team: "T0ONE"})
		if _, err := s.Commit(t.Context(), storetest.Submission(fmt.Sprint("d", n), r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func silent(int) {}

// TestMove_ResumesWhereverItWasCutOff: cut off after each of its commits, a move is no database, and the next run ends it.
func TestMove_ResumesWhereverItWasCutOff(t *testing.T) {
	var source storetest.Memory
	filled(t, &source, 400)
	for cut := 0; ; cut++ {
		var target storetest.Memory
		from, _ := source.Open()
		to, _ := target.Open()
		_, err := store.Move(t.Context(), from, &cutOff{to, cut}, silent)
		if err == nil {
			if cut < 5 {
				t.Errorf("the move took %d commits: too few to be of use", cut)
			}
			return
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		half, _ := target.Open()
		if _, err := store.Open(t.Context(), half, store.Options{}); cut > 0 && !errors.Is(err, store.ErrMoving) {
			t.Errorf("cut off after %d commits, it is opened: %v", cut, err)
		} else if cut == 0 {
			continue // it is still empty, and has just become a database
		}
		moved, err := store.Move(t.Context(), from, to, silent)
		if err != nil {
			t.Fatalf("cut off after %d commits, the next run: %v", cut, err)
		}
		if moved.Number != 400 || moved.Keys != source.Len() || target.Len() != source.Len() {
			t.Errorf("moved %+v, the copy has %d keys, the original %d", moved, target.Len(), source.Len())
		}
		s, err := store.Open(t.Context(), half, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if head, err := s.Verify(t.Context()); err != nil || head != moved.Head {
			t.Errorf("verify: %v, %v; want %v", head, err, moved.Head)
		}
		s.Close()
	}
}

func TestMove_Refuses(t *testing.T) {
	var source, other, empty storetest.Memory
	filled(t, &source, 3)
	filled(t, &other, 3)
	damaged := storetest.Memory{}
	filled(t, &damaged, 3)
	damaged.Corrupt(damaged.Keys("a")[1], func(v []byte) []byte { v[len(v)-3] ^= 1; return v })
	begun := storetest.Memory{}
	from, _ := source.Open()
	to, _ := begun.Open()
	if _, err := store.Move(t.Context(), from, &cutOff{to, 2}, silent); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		from, to *storetest.Memory
		want     string
	}{
		"onto a database":          {&source, &other, "holds a database already"},
		"onto a part of another":   {&other, &begun, "a part of another"},
		"of nothing":               {&empty, &storetest.Memory{}, "no database to move"},
		"of what is damaged":       {&damaged, &storetest.Memory{}, "damaged"},
		"of a move not yet finish": {&begun, &storetest.Memory{}, "no database to move"},
	} {
		from, _ := tc.from.Open()
		to, _ := tc.to.Open()
		if _, err := store.Move(t.Context(), from, to, silent); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestMove_WhileSomebodyWrites: a source that was written to meanwhile makes no database.
func TestMove_WhileSomebodyWrites(t *testing.T) {
	var source, target storetest.Memory
	filled(t, &source, 3)
	from, _ := source.Open()
	to, _ := target.Open()
	wrote := false
	_, err := store.Move(t.Context(), from, to, func(int) {
		if !wrote {
			wrote = true
			filled(t, &source, 1)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "written to while") {
		t.Errorf("move: %v", err)
	}
	if _, err := store.Move(t.Context(), from, to, silent); err != nil {
		t.Errorf("run again: %v", err)
	}
}

// TestMove_TwoAtOnce: of two moves into one place the one that began first is told, and the other one's copy is whole.
func TestMove_TwoAtOnce(t *testing.T) {
	var source, target storetest.Memory
	filled(t, &source, 400)
	from, _ := source.Open()
	to, _ := target.Open()
	second := false
	_, err := store.Move(t.Context(), from, to, func(int) {
		if !second {
			second = true
			if _, err := store.Move(t.Context(), from, to, silent); err != nil {
				t.Errorf("the second: %v", err)
			}
		}
	})
	if err == nil || !strings.Contains(err.Error(), "somebody else is moving a database to the same place") {
		t.Errorf("the first: %v", err)
	}
	s, err := store.Open(t.Context(), to, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckIndexes(t.Context()); err != nil {
		t.Error(err)
	}
}
