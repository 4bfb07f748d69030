//go:build linux

package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/postgres"
	"countersign/store/postgres/pgtest"
	"countersign/store/storetest"
	"countersign/workflow"
)

// waiting is how many requests are pending, their cards still to be posted: Slack takes one a second.
const waiting = 1000

// BenchmarkProcess runs the real binary twice, side by side: with 1,000 requests stored, and with 20,000, or 1,000,000 if
// COUNTERSIGN_BENCH_LARGE is set (4 GB). 1,000 of either are pending, and their cards need work. A round is fifty answers to
// each command and a restart after SIGTERM and after SIGKILL, of both in turns. Times are medians; a ratio is that of more
// stored to less; memory is looked at after the last start.
func BenchmarkProcess(b *testing.B) {
	large := 20_000
	if os.Getenv("COUNTERSIGN_BENCH_LARGE") != "" {
		large = 1_000_000
	}
	b.Run("bolt", func(b *testing.B) { benchProcess(b, newSized(b, "", waiting), newSized(b, "", large)) })
	b.Run("postgres", func(b *testing.B) {
		server := pgtest.New(b)
		benchProcess(b, newSized(b, server.DSN(b), waiting), newSized(b, server.DSN(b), large))
	})
}

// sized is a world with so many requests in it.
type sized struct {
	*world
	dsn   string
	n     int
	p     *process
	empty float64 // memory with none
	took  map[string][]time.Duration
}

func newSized(b *testing.B, dsn string, n int) *sized {
	s := &sized{world: newWorld(b, dsn), dsn: dsn, n: n, took: map[string][]time.Duration{}}
	s.Slack.RateTiers(true)
	s.p = s.up(b)
	time.Sleep(5 * time.Second)
	s.empty = s.anon(b, s.p)
	s.stop(s.p)
	s.fill(b, dsn, n-waiting)
	s.p = s.up(b)
	s.together(b, 16, waiting, func(i int) string { return invite(70_000_000 + i) })
	return s
}

func benchProcess(b *testing.B, small, large *sized) {
	both := []*sized{small, large}
	b.ResetTimer()
	for i := range b.N * 50 {
		both[i%2].answers(b, i)
		both[1-i%2].answers(b, i)
	}
	for range b.N {
		for _, s := range both {
			s.stop(s.p)
			s.p = s.up(b)
			s.took["start"] = append(s.took["start"], s.p.took)
			s.p.kill()
			s.p = s.up(b)
			s.took["start_killed"] = append(s.took["start_killed"], s.p.took)
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for name := range large.took {
		less, more := median(small.took[name]), median(large.took[name])
		b.ReportMetric(float64(more.Microseconds())/1000, name+"_ms")
		b.ReportMetric(float64(more)/float64(less), name+"_ratio")
	}
	time.Sleep(5 * time.Second)
	b.ReportMetric(large.anon(b, large.p), "RssAnon_MB")
	b.ReportMetric(large.empty, "RssAnon_empty_MB")
	if large.dsn == "" {
		info, err := os.Stat(filepath.Join(large.dir, "countersign.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(large.n), "bytes/request")
		b.ReportMetric(large.duringBackup(b), "backup_worst_ack_ms")
	}
	for _, s := range both {
		s.stop(s.p)
	}
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// answers lets a person type each command once. Each shows another request of theirs: those that wait are all theirs, of the
// others every hundredth is.
func (s *sized) answers(b *testing.B, i int) {
	step := 79
	if s.n > waiting {
		step *= 100
	}
	for name, text := range map[string]string{
		"mine": "mine", "pending": "pending", "show": fmt.Sprint("show ", 1+i*step%s.n),
		"submit": invite(80_000_000 + i),
	} {
		s.took[name] = append(s.took[name], s.types(b, text))
	}
}

// invite is a command whose request is like those of fill.
func invite(who int) string {
	return fmt.Sprintf("invite %d to gpu-lab/1001 as 张三 because training run of the speech model, until the end of the quarter", who)
}

// up starts the process and waits until it takes commands.
func (w *world) up(b *testing.B) *process {
	b.Helper()
	p := w.serve("")
	var ok bool
	if p.took, ok = w.ready(p, time.Minute); !ok {
		b.Fatalf("the process does not become ready:\n%s", p.errs.String())
	}
	return p
}

// anon is the memory of a process that is its own, in MB.
func (w *world) anon(b *testing.B, p *process) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), "RssAnon:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}

// types types a command and returns how long the answer took.
func (w *world) types(b *testing.B, text string) time.Duration {
	b.Helper()
	begun := time.Now()
	answer, err := w.Slack.Deliver(context.Background(), "slash_commands", fmt.Appendf(nil,
		`{"team_id":"T0HOME","user_id":%q,"channel_id":"C0LOAD","command":"/access","text":%q,"trigger_id":"%d.1.a"}`,
		requester(0), text, begun.UnixNano()))
	took := time.Since(begun)
	if err != nil || !bytes.Contains(answer, []byte("#")) {
		b.Errorf("%s is answered %s, %v", text, answer, err)
	}
	return took
}

// together lets several people type n commands, and returns the longest time to an answer.
func (w *world) together(b *testing.B, people, n int, text func(i int) string) (worst time.Duration) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for c := range people {
		wg.Go(func() {
			for i := c; i < n; i += people {
				took := w.types(b, text(i))
				mu.Lock()
				worst = max(worst, took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return worst
}

// duringBackup is the longest that anybody waits for an answer while a backup is made, in ms.
func (w *world) duringBackup(b *testing.B) float64 {
	b.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if out, err := w.run("backup", filepath.Join(b.TempDir(), "backup.db")); err != nil {
			b.Errorf("backup: %v: %s", err, out)
		}
	}()
	var worst time.Duration
	for i := 0; ; i += 50 {
		worst = max(worst, w.together(b, 4, 50, func(j int) string {
			return invite(90_000_000 + i + j)
		}))
		select {
		case <-done:
			return float64(worst.Microseconds()) / 1000
		default:
		}
	}
}

// fill stores n requests that are done, of a hundred requesters, behind what is there.
func (w *world) fill(b *testing.B, dsn string, n int) {
	b.Helper()
	var kv store.KV
	var err error
	if path := filepath.Join(w.dir, "countersign.db"); dsn == "" {
		kv, err = bolt.Open(b.Context(), path, bolt.Options{NoSync: true})
	} else {
		kv, err = postgres.Open(b.Context(), dsn, postgres.Options{})
	}
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), kv, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	for done := 0; done < n; done += 1000 {
		count := min(1000, n-done)
		first, err := s.Reserve(b.Context(), count)
		if err != nil {
			b.Fatal(err)
		}
		rs := make([]workflow.Request, count)
		for i := range rs {
			by := workflow.Person{User: requester(i % 100), Team: "T0HOME"}
			rs[i] = storetest.NewRequest(first+workflow.Number(i), by)
			rs[i].State, rs[i].Effects = workflow.Done, nil
		}
		if _, err := s.Commit(b.Context(), storetest.Submission("", rs...)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d requests stored in %v", n, time.Since(begun).Round(time.Millisecond))
}
