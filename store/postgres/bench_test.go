package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/postgres"
	"countersign/store/postgres/pgtest"
	"countersign/store/storetest"
	"countersign/workflow"
)

// BenchmarkCommit stores submitted requests, as a slash command does, on both engines in turns on the same disk, with one
// replica and with several.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("engine=bolt/replicas=1/callers=%d", callers), func(b *testing.B) {
			kv, err := bolt.Open(b.Context(), filepath.Join(b.TempDir(), "c.db"), bolt.Options{})
			if err != nil {
				b.Fatal(err)
			}
			submitMany(b, callers, benchStore(b, kv))
		})
		for _, replicas := range []int{1, 2, 3} {
			b.Run(fmt.Sprintf("engine=postgres/replicas=%d/callers=%d", replicas, callers), func(b *testing.B) {
				dsn := pgtest.Shared(b).DSN(b)
				var all []*store.Store
				for range replicas {
					kv, err := postgres.Open(b.Context(), dsn, postgres.Options{})
					if err != nil {
						b.Fatal(err)
					}
					all = append(all, benchStore(b, kv))
				}
				submitMany(b, callers, all...)
			})
		}
	}
}

func benchStore(b *testing.B, kv store.KV) *store.Store {
	s, err := store.Open(b.Context(), kv, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func submitMany(b *testing.B, callers int, stores ...*store.Store) {
	var left, delivery, busy atomic.Int64
	left.Store(int64(b.N))
	latencies := make([][]time.Duration, callers)
	var wg sync.WaitGroup
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			s := stores[c%len(stores)]
			for left.Add(-1) >= 0 {
				begun := time.Now()
				name := fmt.Sprintf("%d.47445629121.803a0bc887a14d10d2c447fce8b6703c", delivery.Add(1))
				for {
					n, err := s.Reserve(b.Context(), 1)
					if err == nil {
						_, err = s.Commit(b.Context(), storetest.Submission(name, storetest.NewRequest(n, alice)))
					}
					if err == nil {
						break
					}
					busy.Add(1) // another replica had the number, or was faster too often: as the engine does
				}
				latencies[c] = append(latencies[c], time.Since(begun))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50_ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99_ms")
	b.ReportMetric(float64(busy.Load())/float64(b.N), "again/op")
}

// BenchmarkRead reads on both engines with 20,000 requests stored, and with 1,000,000 if COUNTERSIGN_BENCH_LARGE is set
// (8 GB, some minutes). One in fifty is pending, and a hundred people have asked.
func BenchmarkRead(b *testing.B) {
	sizes := []int{20_000}
	if os.Getenv("COUNTERSIGN_BENCH_LARGE") != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, stored := range sizes {
		for _, engine := range []string{"bolt", "postgres"} {
			b.Run(fmt.Sprintf("engine=%s/stored=%d", engine, stored), func(b *testing.B) {
				var kv store.KV
				var err error
				if engine == "bolt" {
					kv, err = bolt.Open(b.Context(), filepath.Join(b.TempDir(), "c.db"), bolt.Options{NoSync: true})
				} else {
					kv, err = postgres.Open(b.Context(), pgtest.Shared(b).DSN(b), postgres.Options{Timeout: time.Minute})
				}
				if err != nil {
					b.Fatal(err)
				}
				s := benchStore(b, kv)
				begun := time.Now()
				fill(b, s, stored)
				b.Logf("%d requests stored in %v", stored, time.Since(begun))
				readAll(b, s, stored)
			})
		}
	}
}

// fill stores requests in big commits.
func fill(b *testing.B, s *store.Store, n int) {
	for range n / store.MaxScan {
		first, err := s.Reserve(b.Context(), store.MaxScan)
		if err != nil {
			b.Fatal(err)
		}
		rs := make([]workflow.Request, store.MaxScan)
		for i := range rs {
			rs[i] = storetest.NewRequest(first+workflow.Number(i), workflow.Person{User: fmt.Sprint("U", i%100), Team: "T0ONE"})
			if i%50 != 0 {
				rs[i].State, rs[i].Effects = workflow.Done, nil
			}
		}
		for {
			_, err := s.Commit(b.Context(), storetest.Submission("", rs...))
			if err == nil {
				break
			}
			if !errors.Is(err, workflow.ErrBusy) { // a checkpoint of the server may hold it up
				b.Fatal(err)
			}
		}
	}
}

func readAll(b *testing.B, s *store.Store, n int) {
	next := 0
	list := func(q workflow.Query) func(context.Context) error {
		q.Limit = 50
		return func(ctx context.Context) error { _, err := s.List(ctx, q); return err }
	}
	for _, r := range []struct {
		name string
		read func(context.Context) error
	}{
		{"pending", list(workflow.Query{States: []workflow.State{workflow.Pending}})},
		{"mine", list(workflow.Query{Requester: workflow.Person{User: "U7", Team: "T0ONE"}})},
		{"newest", list(workflow.Query{})},
		{"one", func(ctx context.Context) error {
			next = (next + 7919) % n
			_, _, err := s.Load(ctx, workflow.Number(next+1))
			return err
		}},
		{"due", func(ctx context.Context) error {
			_, err := s.Due(ctx, time.Now().AddDate(99, 0, 0), workflow.DueItem{}, 50)
			return err
		}},
	} {
		b.Run(r.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				if err := r.read(b.Context()); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50_ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99_ms")
		})
	}
}
