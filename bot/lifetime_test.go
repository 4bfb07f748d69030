package bot

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestLifetime_NothingBeginsOnceItIsOver: whatever has begun when the bot stops is waited for, and nothing begins behind.
// The race detector sees it where the two are not kept apart.
func TestLifetime_NothingBeginsOnceItIsOver(t *testing.T) {
	for round := range 200 {
		l := newLifetime()
		var under atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if l.begin() {
					under.Add(1)
					time.Sleep(100 * time.Microsecond)
					under.Add(-1)
					l.work.Done()
				}
			})
		}
		time.Sleep(time.Duration(round) * time.Microsecond / 4)
		l.finish()
		if n := under.Load(); n != 0 {
			t.Fatalf("%d are still under way", n)
		}
		if l.begin() {
			t.Fatal("something began behind the end")
		}
		wg.Wait()
	}
}
