package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
	"countersign/workflow"
)

var alice = workflow.Person{User: "U0ALICE", Team: "T0ONE"}

// child is this test binary in another role.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, path)
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func openAt(ctx context.Context, path string) (*store.Store, error) {
	kv, err := bolt.Open(ctx, path, bolt.Options{})
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, kv, store.Options{})
}

func commitOne(ctx context.Context, s *store.Store) (workflow.Number, error) {
	n, err := s.Reserve(ctx, 1)
	if err != nil {
		return 0, err
	}
	_, err = s.Commit(ctx, storetest.Submission(fmt.Sprint(n, ".child"), storetest.NewRequest(n, alice)))
	return n, err
}

func childOpen(path string) error {
	_, err := bolt.Open(context.Background(), path, bolt.Options{})
	if errors.Is(err, bolt.ErrInUse) {
		return nil
	}
	return fmt.Errorf("open by a second process: %w, want ErrInUse", err)
}

func TestOpen_SecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	kv := mustOpen(t, path)
	begun := time.Now()
	if err := child(t, "open", path).Run(); err != nil {
		t.Errorf("child: %v", err)
	}
	if _, err := bolt.Open(t.Context(), path, bolt.Options{Timeout: 60 * time.Millisecond}); !errors.Is(err, bolt.ErrInUse) {
		t.Errorf("open in the same process: %v, want ErrInUse", err)
	}
	if d := time.Since(begun); d > 30*time.Second {
		t.Errorf("it took %v to say so", d)
	}
	if _, err := kv.Commit(t.Context(), onePut("still", "fine")); err != nil {
		t.Errorf("the first handle: %v", err)
	}
}

// childDenied demands to be told what to do about a file that it may not write, or a directory.
func childDenied(path string) error {
	_, err := bolt.Open(context.Background(), path, bolt.Options{})
	if errors.Is(err, fs.ErrPermission) && strings.Contains(err.Error(), "must be able to read and write it") {
		return nil
	}
	return fmt.Errorf("open: %w, want ErrPermission and the mend", err)
}

func TestOpen_ReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // so that another user may look
		t.Fatal(err)
	}
	path := filepath.Join(dir, "c.db")
	if err := os.Rename(requestsOf(t, 3), path); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "child"), exe, 0o755), os.Chmod(path, 0o444), os.Chmod(dir, 0o555),
	); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(dir, "new.db")} {
		cmd := child(t, "deny", p)
		cmd.Path, cmd.Dir = filepath.Join(dir, "child"), dir
		if os.Geteuid() == 0 { // whom no mode holds back
			const nobody = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		if err := cmd.Run(); err != nil {
			t.Errorf("%s: %v", filepath.Base(p), err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), whole(t.Context(), mustStore(t, path), 3)); err != nil {
		t.Errorf("what was there: %v", err)
	}
}

// childFull runs into a file size limit, the stand-in for a full disk that needs no privilege.
func childFull(path string) error {
	ctx := context.Background()
	s, err := openAt(ctx, path)
	if err != nil {
		return err
	}
	limit := func(n uint64) error {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			return err
		}
		l.Cur = min(n, l.Max)
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l)
	}
	stored := 0
	// First a page cannot be written where the file has room for it, as on a disk that is full; then the file cannot grow.
	for _, size := range []uint64{256 << 10, 3 << 20} {
		for range 20 { // the file grows
			if _, err := commitOne(ctx, s); err != nil {
				return err
			}
		}
		if err := limit(size); err != nil {
			return err
		}
		n, err := untilFull(ctx, s)
		if stored += n + 20; err != nil {
			return fmt.Errorf("at %d bytes: %w", size, err)
		}
		if err := whole(ctx, s, stored); err != nil {
			return fmt.Errorf("full at %d bytes: %w", size, err)
		}
		if err := limit(1 << 40); err != nil {
			return err
		}
	}
	for range 500 {
		if _, err := commitOne(ctx, s); err != nil {
			return fmt.Errorf("when there is room again: %w", err)
		}
	}
	if err := whole(ctx, s, stored+500); err != nil {
		return fmt.Errorf("when there is room again: %w", err)
	}
	return s.Close()
}

// untilFull submits until there is no room, twice, and returns how many were stored.
func untilFull(ctx context.Context, s *store.Store) (stored int, err error) {
	for err == nil && stored < 100_000 {
		if _, err = commitOne(ctx, s); err == nil {
			stored++
		}
	}
	if !errors.Is(err, store.ErrFull) {
		return stored, fmt.Errorf("after %d requests: %w, want ErrFull", stored, err)
	}
	if _, err := commitOne(ctx, s); !errors.Is(err, store.ErrFull) {
		return stored, fmt.Errorf("still full: %w, want ErrFull", err)
	}
	if stored < 10 {
		return stored, fmt.Errorf("full after %d requests", stored)
	}
	return stored, nil
}

// whole demands a sound store with so many requests.
func whole(ctx context.Context, s *store.Store, requests int) error {
	if err := s.CheckIndexes(ctx); err != nil {
		return err
	}
	if _, err := s.Verify(ctx); err != nil {
		return err
	}
	all, err := s.List(ctx, workflow.Query{Limit: 1 << 20})
	if err == nil && len(all) != requests {
		err = fmt.Errorf("%d requests are stored, %d were acknowledged", len(all), requests)
	}
	return err
}

func TestCommit_DiskFull(t *testing.T) {
	if err := child(t, "full", filepath.Join(t.TempDir(), "c.db")).Run(); err != nil {
		t.Errorf("child: %v", err)
	}
}

// childSubmit submits until it is killed and prints each number that was acknowledged.
func childSubmit(path string) error {
	ctx := context.Background()
	s, err := openAt(ctx, path)
	if err != nil {
		return err
	}
	for range 8 {
		go func() {
			for {
				n, err := commitOne(ctx, s)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(4)
				}
				fmt.Printf("%d\n", n)
			}
		}()
	}
	select {}
}

func TestKill_LosesNothingAcknowledged(t *testing.T) {
	cycles := 12
	if testing.Short() {
		cycles = 3
	}
	path := filepath.Join(t.TempDir(), "c.db")
	acked := map[workflow.Number]bool{}
	for cycle := range cycles {
		before := len(acked)
		killOnce(t, path, acked, cycle%3 == 1)
		s, err := openAt(t.Context(), path)
		if err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
		for n := range acked {
			if _, _, err := s.Load(t.Context(), n); err != nil {
				t.Fatalf("cycle %d: acknowledged request %d: %v", cycle, n, err)
			}
		}
		if err := s.CheckIndexes(t.Context()); err != nil {
			t.Errorf("cycle %d: %v", cycle, err)
		}
		if _, err := s.Verify(t.Context()); err != nil {
			t.Errorf("cycle %d: %v", cycle, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("cycle %d: %v", cycle, err)
		}
		if len(acked) == before {
			t.Logf("cycle %d: nothing was acknowledged before the kill", cycle)
		}
	}
	if len(acked) == 0 {
		t.Error("no child acknowledged anything")
	}
}

// killOnce lets a child submit, kills it at a random moment, and notes what it acknowledged. A number that was
// acknowledged before is reused. The moment is after the first acknowledgement, or, if early, after the start.
func killOnce(t *testing.T, path string, acked map[workflow.Number]bool, early bool) {
	t.Helper()
	cmd := child(t, "submit", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		time.AfterFunc(time.Duration(50+rand.IntN(150))*time.Millisecond, func() { cmd.Process.Kill() })
	})
	if early {
		kill()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		kill()
		n, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64)
		if err != nil {
			continue // the line that the kill cut
		}
		if acked[workflow.Number(n)] {
			t.Errorf("number %d was handed out again after a kill", n)
		}
		acked[workflow.Number(n)] = true
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("child ended by itself: %v", err)
	}
}
