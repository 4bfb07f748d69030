package bolt_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
	"countersign/workflow"
)

const (
	// Few writers and many rounds: however they share commits, there are enough for the journal to be folded on the way.
	powerWriters = 2
	powerRounds  = 33
	powerFold    = 64
	sector       = 512
)

// childPower submits and approves requests from several goroutines and prints each step once it is acknowledged: its
// writes to the standard output stand in the trace between those to the file.
func childPower(path string) error { return power(path, bolt.Options{}) }

// childPowerNoSync is the same on a file that is never synced.
func childPowerNoSync(path string) error { return power(path, bolt.Options{NoSync: true}) }

func power(path string, opts bolt.Options) error {
	ctx := context.Background()
	kv, err := bolt.Open(ctx, path, opts)
	if err != nil {
		return err
	}
	kv.FoldAfter(powerFold)
	s, err := store.Open(ctx, kv, store.Options{})
	if err != nil {
		return err
	}
	errs := make([]error, powerWriters)
	var wg sync.WaitGroup
	for i := range powerWriters {
		wg.Go(func() {
			for range powerRounds {
				if errs[i] = submitAndApprove(ctx, s); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, s.Close())...)
}

func submitAndApprove(ctx context.Context, s *store.Store) error {
	n, err := commitOne(ctx, s)
	if err != nil {
		return err
	}
	fmt.Printf("pending %d\n", n)
	r, rev, err := s.Load(ctx, n)
	if err != nil {
		return err
	}
	if _, err := s.Commit(ctx, storetest.Move(r, rev, workflow.Approved)); err != nil {
		return err
	}
	fmt.Printf("approved %d\n", n)
	return nil
}

// record lets a child play a role under strace and returns what it did to its files.
func record(t *testing.T, role, db string) *trace {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed, and CI must not do without")
		}
		t.Skip("strace is not installed")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-q", "-xx", "-s", "100000000", "-e", "signal=none", "-e",
		"trace=openat,close,write,pwrite64,ftruncate,fdatasync,fsync,linkat,renameat,unlinkat", "-o", log, exe, db)
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("a child under strace: %v\n%s", err, tail(out))
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := parseTrace(string(raw), db)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.acks) != 2*powerWriters*powerRounds {
		t.Fatalf("%d acknowledgements in the trace, want %d", len(tr.acks), 2*powerWriters*powerRounds)
	}
	return tr
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// verdict is what became of the rebuilt states of a trace.
type verdict struct {
	states, lost, refused, broken int
	first                         error
}

// lose rebuilds what a power failure may leave behind at every moment of the trace, opens it, and looks for what had
// been acknowledged by then.
func lose(t *testing.T, tr *trace, moments []int, patience time.Duration) verdict {
	t.Helper()
	l := newLooker(t, patience)
	rnd := rand.New(rand.NewPCG(1, 2))
	var v verdict
	seen := map[uint64]bool{}
	seed := maphash.MakeSeed()
	for _, at := range moments {
		for _, left := range tr.leftovers(at, rnd) {
			key := left.hash(seed, tr.acked(at))
			if seen[key] {
				continue
			}
			seen[key] = true
			v.states++
			v.judge(l.reopen(left, tr.acks[:tr.acked(at)]), at)
		}
	}
	return v
}

func (v *verdict) judge(err error, at int) {
	switch {
	case err == nil:
		return
	case errors.Is(err, errLost):
		v.lost++
	case errors.Is(err, errBroken):
		v.broken++
	default:
		v.refused++
	}
	if v.first == nil {
		v.first = fmt.Errorf("cut behind line %d of the trace: %w", at, err)
	}
}

var (
	errLost   = errors.New("an acknowledged step is lost")
	errBroken = errors.New("the database is not whole")
)

// looker opens images in a process of its own: on garbage bbolt may spin for ever, or end its process.
type looker struct {
	t   *testing.T
	dir string
	// patience is how long an image may take: one that is damaged may take for ever.
	patience time.Duration
	cmd      *exec.Cmd
	in       io.WriteCloser
	lines    chan string
}

// question is what a looker is asked, answer what it says.
type question struct {
	Path string
	Acks []ack
}

type answer struct{ Lost, Broken, Refused string }

func newLooker(t *testing.T, patience time.Duration) *looker {
	t.Helper()
	l := &looker{t: t, dir: ramDir(t), patience: patience}
	t.Cleanup(l.stop)
	return l
}

// ramDir is a directory in memory, where the system has one: thousands of files are written.
func ramDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "powerloss") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (l *looker) start() {
	l.cmd = child(l.t, "look", l.dir)
	var err error
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		l.t.Fatal(err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	l.cmd.Stderr = nil // the last words of a process that was ended by garbage are long
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	l.lines = lines
}

func (l *looker) stop() {
	if l.cmd != nil {
		_ = l.cmd.Process.Kill()
		for range l.lines { // until the pipe has ended
		}
		_ = l.cmd.Wait()
		l.cmd = nil
	}
}

// reopen writes an image to disk and has it opened and looked at.
func (l *looker) reopen(left leftover, acks []ack) error {
	l.t.Helper()
	path := filepath.Join(l.dir, "c.db")
	for name, img := range map[string]*image{path: left.db, path + ".seq": left.seq} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.t.Fatal(err)
		}
		if img != nil {
			img.write(l.t, name)
		}
	}
	if l.cmd == nil {
		l.start()
	}
	if err := json.NewEncoder(l.in).Encode(question{path, acks}); err != nil {
		l.t.Fatal(err)
	}
	select {
	case line, ok := <-l.lines:
		if !ok {
			l.stop()
			return fmt.Errorf("%w: opening it ends the process", errBroken)
		}
		return said(line)
	case <-time.After(l.patience):
		l.stop()
		return fmt.Errorf("%w: it is still being opened after %v", errBroken, l.patience)
	}
}

func said(line string) error {
	var a answer
	switch err := json.Unmarshal([]byte(line), &a); {
	case err != nil:
		return fmt.Errorf("%w: %w", errBroken, err)
	case a.Lost != "":
		return fmt.Errorf("%w: %s", errLost, a.Lost)
	case a.Broken != "":
		return fmt.Errorf("%w: %s", errBroken, a.Broken)
	case a.Refused != "":
		return errors.New(a.Refused)
	}
	return nil
}

// childLook answers questions from its standard input.
func childLook(string) error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(look(q)); err != nil {
			return err
		}
	}
	return in.Err()
}

func look(q question) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a.Broken = fmt.Sprint("panic: ", p)
		}
	}()
	ctx := context.Background()
	s, err := openAt(ctx, q.Path)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	defer s.Close()
	for _, a := range q.Acks {
		r, _, err := s.Load(ctx, a.Number)
		if err != nil {
			return answer{Lost: fmt.Sprintf("%s %v: %v", a.State, a.Number, err)}
		}
		if a.State == workflow.Approved && r.State != workflow.Approved {
			return answer{Lost: fmt.Sprintf("request %v is %s, %s was acknowledged", a.Number, r.State, a.State)}
		}
	}
	if _, err := s.Verify(ctx); err != nil {
		return answer{Broken: err.Error()}
	}
	if err := s.CheckIndexes(ctx); err != nil {
		return answer{Broken: err.Error()}
	}
	return answer{}
}

func TestPowerLoss_LosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of files are written and opened")
	}
	tr := record(t, "power", filepath.Join(t.TempDir(), "c.db"))
	begun := time.Now()
	v := lose(t, tr, tr.moments(), 30*time.Second)
	t.Logf("%d acknowledgements, %d writes, %d syncs: %d states rebuilt and opened in %v; lost %d, refused %d, not whole %d",
		len(tr.acks), tr.count(opWrite), tr.count(opSync), v.states, time.Since(begun).Round(time.Millisecond), v.lost, v.refused, v.broken)
	if v.first != nil {
		t.Error(v.first)
	}
	if v.states < 500 {
		t.Errorf("only %d states: the trace was not understood", v.states)
	}
}

// TestPowerLoss_NoSyncLoses is the control: where nothing is synced, the same look must find losses.
func TestPowerLoss_NoSyncLoses(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of files are written and opened")
	}
	tr := record(t, "power-nosync", filepath.Join(t.TempDir(), "c.db"))
	begun := time.Now()
	var some []int
	for i, at := range tr.moments() {
		if i%8 == 0 {
			some = append(some, at)
		}
	}
	v := lose(t, tr, some, 2*time.Second)
	t.Logf("without sync: %d syncs, %d states in %v; lost %d, refused %d, not whole %d; first: %v",
		tr.count(opSync), v.states, time.Since(begun).Round(time.Millisecond), v.lost, v.refused, v.broken, v.first)
	if v.lost+v.refused == 0 {
		t.Error("no state of a file that was never synced lost anything: the look is blind")
	}
}

// leftover is what a power failure leaves: nil is no file.
type leftover struct{ db, seq *image }

func (l leftover) hash(seed maphash.Seed, acks int) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, img := range []*image{l.db, l.seq} {
		if img == nil {
			h.WriteString("-")
			continue
		}
		fmt.Fprintln(&h, len(img.data), img.size)
		h.Write(img.data)
	}
	fmt.Fprintln(&h, acks)
	return h.Sum64()
}

// image is the contents of a file; zeros follow data up to size.
type image struct {
	data []byte
	size int
}

func (m *image) put(off int, data []byte) {
	if need := off + len(data); need > len(m.data) {
		m.data = append(m.data, make([]byte, need-len(m.data))...)
	}
	copy(m.data[off:], data)
	m.size = max(m.size, len(m.data))
}

func (m *image) truncate(n int) {
	m.data, m.size = m.data[:min(len(m.data), n)], n
}

func (m *image) write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, m.data, 0o600); err != nil {
		t.Fatal(err)
	}
	if m.size > len(m.data) {
		if err := os.Truncate(path, int64(m.size)); err != nil {
			t.Fatal(err)
		}
	}
}

// leftovers are the states that a power failure behind line at may leave: what was synced, and of what was not, nothing,
// everything, each prefix, some random subsets, and torn writes.
func (tr *trace) leftovers(at int, rnd *rand.Rand) []leftover {
	sure, open := tr.db.split(at)
	var dbs []*image
	base := &image{}
	for _, o := range sure {
		o.apply(base)
	}
	add := func(chosen []op) {
		img := &image{data: slices.Clone(base.data), size: base.size}
		for _, o := range chosen {
			o.apply(img)
		}
		dbs = append(dbs, img)
	}
	for i := range min(len(open), 6) {
		add(open[:i])
	}
	add(open)
	if len(open) > 0 {
		for range 3 {
			add(slices.DeleteFunc(slices.Clone(open), func(op) bool { return rnd.IntN(2) == 0 }))
		}
		for _, unit := range []int{sector, 4096} {
			for range 2 {
				add(torn(open, unit, rnd))
			}
			add(append(slices.Clone(open[:len(open)-1]), cutOff(open[len(open)-1], unit, rnd)))
		}
	}
	named, sureName := tr.named(at)
	var all []leftover
	for i, db := range dbs {
		switch {
		case !named:
			all = append(all, leftover{seq: tr.sidecar(at, i, rnd)})
		case !sureName && i%2 == 0:
			all = append(all, leftover{})
			fallthrough
		default:
			all = append(all, leftover{db, tr.sidecar(at, i, rnd)})
		}
	}
	if !named {
		all = all[:1]
	}
	return all
}

// sidecar is the sidecar at a moment: never synced, so each of its slots is as it was at some earlier moment. The worst
// is the newest, beside a database that has not come as far.
func (tr *trace) sidecar(at, variant int, rnd *rand.Rand) *image {
	_, open := tr.seq.split(at)
	if len(open) == 0 || variant%5 == 4 {
		return nil
	}
	if variant%3 == 2 {
		open = slices.DeleteFunc(slices.Clone(open), func(op) bool { return rnd.IntN(3) == 0 })
	}
	img := &image{}
	for _, o := range open {
		o.apply(img)
	}
	return img
}

// torn takes a random subset of the units that some writes consist of.
func torn(ops []op, unit int, rnd *rand.Rand) []op {
	var out []op
	for _, o := range ops {
		if o.kind != opWrite {
			out = append(out, o)
			continue
		}
		for from := 0; from < len(o.data); from += unit {
			if rnd.IntN(2) == 0 {
				part := o
				part.off, part.data = o.off+from, o.data[from:min(from+unit, len(o.data))]
				out = append(out, part)
			}
		}
	}
	return out
}

// cutOff ends a write early, at a whole number of units.
func cutOff(o op, unit int, rnd *rand.Rand) op {
	if n := len(o.data) / unit; o.kind == opWrite && n > 1 {
		o.data = o.data[:unit*(1+rnd.IntN(n-1))]
	}
	return o
}

// split sorts what was begun by a moment into what is certainly on disk, and what may be.
func (f *file) split(at int) (sure, open []op) {
	for _, o := range f.ops {
		switch {
		case o.kind == opSync || o.begin > at:
		case o.synced != 0 && o.synced <= at:
			sure = append(sure, o)
		default:
			open = append(open, o)
		}
	}
	return sure, open
}

func (o op) apply(img *image) {
	if o.kind == opTruncate {
		img.truncate(o.off)
		return
	}
	img.put(o.off, o.data)
}

// named reports whether the database may have its name at a moment, and whether that is certain.
func (tr *trace) named(at int) (may, sure bool) {
	for _, s := range tr.dirSyncs {
		sure = sure || s.begin > tr.linked.end && s.end <= at
	}
	return tr.linked.begin <= at, sure
}

// acked is how many acknowledgements were given by a moment.
func (tr *trace) acked(at int) int {
	n := 0
	for _, a := range tr.acks {
		if a.Line <= at {
			n++
		}
	}
	return n
}

// moments are the lines behind which the power may fail: each begin and each end of something that counts.
func (tr *trace) moments() []int {
	var at []int
	for _, f := range []*file{tr.db, tr.seq} {
		for _, o := range f.ops {
			at = append(at, o.begin, o.end)
		}
	}
	for _, a := range tr.acks {
		at = append(at, a.Line)
	}
	at = append(at, tr.linked.begin, tr.linked.end)
	slices.Sort(at)
	return slices.Compact(at)
}

func (tr *trace) count(k opKind) int {
	n := 0
	for _, o := range tr.db.ops {
		if o.kind == k {
			n++
		}
	}
	return n
}

// TestPowerLoss_NameIsSynced opens a database whose maker may have been killed before its name was durable: before
// anything is acknowledged, it must be.
func TestPowerLoss_NameIsSynced(t *testing.T) {
	db := filepath.Join(t.TempDir(), "c.db")
	s, err := openAt(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tr := record(t, "power", db)
	if len(tr.dirSyncs) == 0 || tr.dirSyncs[0].end > tr.acks[0].Line {
		t.Errorf("the first acknowledgement is on line %d, the directory is synced at %v", tr.acks[0].Line, tr.dirSyncs)
	}
}

// TestPowerLoss_TraceIsUnderstood replays a whole trace, and demands the file that the child has left.
func TestPowerLoss_TraceIsUnderstood(t *testing.T) {
	tr := record(t, "power", filepath.Join(t.TempDir(), "c.db"))
	want, err := os.ReadFile(tr.path)
	if err != nil {
		t.Fatal(err)
	}
	img := &image{}
	for _, o := range tr.db.ops {
		if o.kind != opSync {
			o.apply(img)
		}
	}
	got := append(img.data, make([]byte, img.size-len(img.data))...)
	if !bytes.Equal(got, want) {
		t.Errorf("the replayed trace makes a file of %d bytes that is not the one of %d bytes that was written", len(got), len(want))
	}
}
