package crash_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/crash"
	"countersign/store/postgres/pgtest"
	"countersign/workflow"
)

var kills = flag.Int("kills", 64, "how often TestCrash_AcknowledgedIsKept kills the process")

// points are the named steps; the process ends itself there.
var points = []string{
	"before_commit", "after_commit", "before_ack", "before_begin", "before_call", "after_call", "before_post", "after_post",
}

// TestMain removes the binary that the tests have built.
func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// startLimit is far more than a restart takes on a machine that does much else; Slack's own pauses are within.
const startLimit = 30 * time.Second

// figures are what a run is reported by.
type figures struct {
	kills   int
	at      map[string]int
	restart []time.Duration
}

func TestCrash_AcknowledgedIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes two minutes")
	}
	w := newWorld(t, "")
	l := newLoad(w, 800*time.Millisecond)
	l.groups(maxJobs)
	l.begin()
	f := &figures{at: map[string]int{}}
	begun := time.Now()
	for i := 0; i < *kills && !t.Failed(); i++ {
		mode := bot.Socket
		if i/4%4 == 0 {
			mode = bot.HTTP
		}
		w.deliverBy(mode)
		point := ""
		if i%3 > 0 {
			point = points[(i-i/3)%len(points)]
		}
		w.life(l, f, point)
		if i%16 == 15 { // between kills, once in a while, an operator's restart
			p := w.serve("")
			if _, ok := w.ready(p, startLimit); ok {
				time.Sleep(500 * time.Millisecond)
				w.stop(p)
			}
		}
	}
	killing := time.Since(begun)
	w.deliverBy(bot.Socket)
	p := w.serve("")
	up, ok := w.ready(p, startLimit)
	if !ok {
		t.Fatal("after the last kill the process does not become ready")
	}
	f.restart = append(f.restart, up)
	l.rest(time.Second)
	l.end()
	w.Slack.ClearFaults()
	w.CompShare.ClearFaults()
	w.DataArts.ClearFaults()
	calm := time.Now()
	h, broken := w.settle(l, 240*time.Second)
	w.stop(p)
	complain(t, append(broken, w.file()...))
	f.report(t, l, h, broken, killing, time.Since(calm))
}

// TestCrash_OldFileIsFound is the control: after a kill the database is put back as it was some time before. The process
// must refuse that file; where the commit counter is put back too, so that it cannot know, the judge must find the loss.
func TestCrash_OldFileIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the real binary")
	}
	w := newWorld(t, "")
	l := newLoad(w, 300*time.Millisecond)
	l.groups(1000)
	l.begin()
	db := filepath.Join(w.dir, "countersign.db")
	w.lives(2 * time.Second)
	oldDB, oldSeq := read(t, db), read(t, db+".seq")
	w.lives(2 * time.Second)
	l.end()
	write(t, db, oldDB)
	p := w.serve("")
	if !p.gone(startLimit) || p.killed() || !strings.Contains(p.errs.String(), "lost commits that were acknowledged") {
		t.Errorf("an older database was not refused: %v\n%s", p.cmd.ProcessState, p.errs.String())
	}
	p.kill()
	write(t, db+".seq", oldSeq)
	p = w.serve("")
	if _, ok := w.ready(p, startLimit); !ok {
		t.Fatalf("with its own commit counter the older database is refused too:\n%s", p.errs.String())
	}
	_, broken := w.settle(l, 5*time.Second)
	p.kill()
	lost := slices.DeleteFunc(broken, func(v crash.Violation) bool { return v.Name != crash.Lost })
	t.Logf("%d acknowledged requests are missed", len(lost))
	if len(lost) == 0 {
		t.Error("acknowledged requests are gone, and nobody has noticed")
	}
}

// lives lets the process live for a time, and kills it.
func (w *world) lives(d time.Duration) {
	w.t.Helper()
	p := w.serve("")
	if _, ok := w.ready(p, startLimit); !ok {
		w.t.Fatalf("the process does not become ready:\n%s", p.errs.String())
	}
	time.Sleep(d)
	p.kill()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// life is one life of the process: from the start to the kill, with a look at what is stored once it is ready.
func (w *world) life(l *load, f *figures, point string) {
	w.t.Helper()
	if point != "" {
		passes := 3 // calls are rarer than commits and posts
		if strings.HasSuffix(point, "_commit") || strings.HasSuffix(point, "_post") {
			passes = 25
		}
		point = fmt.Sprintf("%s:%d", point, 1+rand.IntN(passes))
	}
	owed := l.attempts()
	p := w.serve(point)
	if point == "" && rand.IntN(4) == 0 {
		time.Sleep(rand.N(150 * time.Millisecond)) // while it starts
	} else if up, ok := w.ready(p, startLimit); ok {
		f.restart = append(f.restart, up)
		w.kept(owed)
		if point != "" {
			p.gone(2500 * time.Millisecond)
		} else {
			time.Sleep(rand.N(1500 * time.Millisecond))
		}
	} else if time.Since(p.started) >= startLimit {
		w.t.Errorf("the process is not ready %v after its start", startLimit)
	}
	p.kill()
	if !p.killed() {
		w.t.Errorf("%s: %v\n%s", crash.Died, p.cmd.ProcessState, p.errs.String())
	}
	f.kills++
	if at := p.struck(); at != "" {
		f.at[at]++
	} else {
		f.at["at random"]++
	}
}

// kept demands that the newest of what was acknowledged before is there; the end of the run looks at everything.
func (w *world) kept(owed []crash.Attempt) {
	w.t.Helper()
	var views []app.View
	if err := w.ask("/requests?limit=200", &views); err != nil || len(views) == 0 {
		return // killed meanwhile
	}
	there := map[workflow.Number]bool{}
	for _, v := range views {
		there[v.Number] = true
	}
	for _, a := range owed {
		for _, ans := range a.Answers {
			for _, n := range ans.Numbers {
				if n >= views[len(views)-1].Number && !there[n] {
					w.t.Errorf("%s: #%v (%q) is gone after a kill", crash.Lost, n, a.Reason)
				}
			}
		}
	}
}

func (f *figures) report(t *testing.T, l *load, h *crash.History, broken []crash.Violation, killing, settling time.Duration) {
	t.Helper()
	acked, refused := 0, 0
	for _, a := range h.Attempts {
		for _, ans := range a.Answers {
			acked += len(ans.Numbers)
			if len(ans.Numbers) == 0 {
				refused++
			}
		}
	}
	count := map[string]int{}
	for _, v := range broken {
		count[v.Name]++
	}
	states := map[workflow.State]int{}
	for _, v := range h.Stored {
		states[v.State]++
	}
	applied := 0
	for _, a := range h.Applications {
		if a.Applied {
			applied++
		}
	}
	slices.Sort(f.restart)
	t.Logf("%d kills in %v, then %v until everything was settled", f.kills, killing.Round(time.Second), settling.Round(time.Second))
	t.Logf("kills by step: %v", f.at)
	t.Logf("%d commands typed, %d deliveries failed, %d clicks", len(h.Attempts), l.failed, l.clicks)
	t.Logf("%d acknowledged, %d answered without a number; %d stored, of them never acknowledged %d", acked, refused, len(h.Stored), len(h.Stored)-acked)
	t.Logf("lost %d, doubled %d; states %v", count[crash.Lost], count[crash.Doubled]+count[crash.Reused], states)
	t.Logf("%d cloud calls, %d applied; %d messages; %d audit entries", len(h.Applications), applied, len(h.Messages), len(h.Trail))
	t.Logf("restart to ready: p50 %v, max %v", f.restart[len(f.restart)/2].Round(time.Millisecond), f.restart[len(f.restart)-1].Round(time.Millisecond))
}
