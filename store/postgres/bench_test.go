package postgres_test

import (
	"fmt"
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

// BenchmarkList lists the newest of many stored requests.
func BenchmarkList(b *testing.B) {
	const stored = 20_000
	kv, err := postgres.Open(b.Context(), pgtest.Shared(b).DSN(b), postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := benchStore(b, kv)
	for range stored / 1000 {
		first, err := s.Reserve(b.Context(), 1000)
		if err != nil {
			b.Fatal(err)
		}
		rs := make([]workflow.Request, 1000)
		for i := range rs {
			rs[i] = storetest.NewRequest(first+workflow.Number(i), workflow.Person{User: fmt.Sprint("U", i%100), Team: "T0ONE"})
		}
		if _, err := s.Commit(b.Context(), storetest.Submission("", rs...)); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]workflow.Query{
		"pending": {States: []workflow.State{workflow.Pending}, Limit: 50},
		"mine":    {Requester: workflow.Person{User: "U7", Team: "T0ONE"}, Limit: 50},
	} {
		b.Run(fmt.Sprintf("%s/stored=%d", name, stored), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.List(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
