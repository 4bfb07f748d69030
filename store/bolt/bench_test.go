//go:build linux

package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
	"countersign/workflow"
)

// BenchmarkCommit stores submitted requests, as a slash command does: reserve, record, three indexes, audit entry,
// delivery claim, fsync. commits/raw_sync compares its rate with that of appending as many bytes to a file with fdatasync,
// measured in turns on the same disk: the rates themselves say more about the disk, which is never quiet.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			const turns = 40
			dir := b.TempDir()
			s := openStore(b, filepath.Join(dir, "c.db"))
			raw := newRawDisk(b, dir)
			var delivery atomic.Int64
			var all []time.Duration
			b.ResetTimer()
			for turn := range turns {
				b.StopTimer()
				raw.measure(b)
				b.StartTimer()
				all = append(all, commitMany(b, s, &delivery, callers, b.N*(turn+1)/turns-b.N*turn/turns)...)
			}
			b.StopTimer()
			slices.Sort(all)
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "commits/s")
			b.ReportMetric(raw.rate(), "raw_sync/s")
			b.ReportMetric(rate/raw.rate(), "commits/raw_sync")
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50_ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99_ms")
		})
	}
}

// commitMany lets so many callers submit n requests together and returns how long each took.
func commitMany(b *testing.B, s *store.Store, delivery *atomic.Int64, callers, n int) []time.Duration {
	latencies := make([][]time.Duration, callers)
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				begun := time.Now()
				submitOne(b, s, fmt.Sprintf("%d.47445629121.803a0bc887a14d10d2c447fce8b6703c", delivery.Add(1)))
				latencies[c] = append(latencies[c], time.Since(begun))
			}
		})
	}
	wg.Wait()
	return slices.Concat(latencies...)
}

func openStore(b *testing.B, path string) *store.Store {
	kv, err := bolt.Open(b.Context(), path, bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), kv, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func submitOne(b *testing.B, s *store.Store, delivery string) {
	n, err := s.Reserve(b.Context(), 1)
	if err == nil {
		_, err = s.Commit(b.Context(), storetest.Submission(delivery, storetest.NewRequest(n, alice)))
	}
	if err != nil {
		b.Error(err)
	}
}

// rawDisk measures how often in a second the disk appends a submission's bytes durably.
type rawDisk struct {
	file  *os.File
	syncs int
	spent time.Duration
}

func newRawDisk(b *testing.B, dir string) *rawDisk {
	f, err := os.CreateTemp(dir, "raw-*")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return &rawDisk{file: f}
}

func (r *rawDisk) measure(b *testing.B) {
	const bytesOfOne, rounds = 2048, 50
	block := make([]byte, bytesOfOne)
	begun := time.Now()
	for range rounds {
		if _, err := r.file.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(r.file.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	r.syncs += rounds
	r.spent += time.Since(begun)
}

func (r *rawDisk) rate() float64 { return float64(r.syncs) / r.spent.Seconds() }

// BenchmarkRead reads with so many requests stored: 1,000, and 1,000,000 if COUNTERSIGN_BENCH_LARGE is set (3 GB).
func BenchmarkRead(b *testing.B) {
	sizes := []int{1000}
	if os.Getenv("COUNTERSIGN_BENCH_LARGE") != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		path := filepath.Join(b.TempDir(), "c.db")
		begun := time.Now()
		fill(b, path, n)
		b.Logf("%d requests stored in %v", n, time.Since(begun))
		begun = time.Now()
		s := openStore(b, path)
		b.Logf("opened in %v", time.Since(begun))
		for name, read := range reads(b, s, n) {
			b.Run(fmt.Sprintf("%s/stored=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					if err := read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func reads(b *testing.B, s *store.Store, n int) map[string]func() error {
	ctx := b.Context()
	list := func(q workflow.Query) func() error {
		return func() error { _, err := s.List(ctx, q); return err }
	}
	next := 0
	return map[string]func() error{
		"Load": func() error {
			next = (next + 7919) % n
			_, _, err := s.Load(ctx, workflow.Number(next+1))
			return err
		},
		"ListMine":    list(workflow.Query{Requester: workflow.Person{User: "U7", Team: "T0ONE"}, Limit: 50}),
		"ListPending": list(workflow.Query{States: []workflow.State{workflow.Pending}, Limit: 50}),
		"ListAll":     list(workflow.Query{Limit: 50}),
		"History":     func() error { _, err := s.History(ctx, workflow.Number(n/2)); return err },
		"Due":         func() error { _, err := s.Due(ctx, time.Now().AddDate(99, 0, 0), workflow.DueItem{}, 50); return err },
	}
}

// fill stores n requests in big commits and without fsync.
func fill(b *testing.B, path string, n int) {
	kv, err := bolt.Open(b.Context(), path, bolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), kv, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for done := 0; done < n; done += 1000 {
		first, err := s.Reserve(b.Context(), 1000)
		if err != nil {
			b.Fatal(err)
		}
		rs := make([]workflow.Request, min(1000, n-done))
		for i := range rs {
			rs[i] = storetest.NewRequest(first+workflow.Number(i), workflow.Person{User: fmt.Sprint("U", i%100), Team: "T0ONE"})
			if i%50 != 0 {
				rs[i].State, rs[i].Effects = workflow.Done, nil
			}
		}
		if _, err := s.Commit(b.Context(), storetest.Submission("", rs...)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
