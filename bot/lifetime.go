package bot

import (
	"context"
	"sync"
)

// lifetime is how long a bot lives, and what its stop waits for.
type lifetime struct {
	ctx  context.Context // of what the bot does by itself
	end  context.CancelFunc
	work sync.WaitGroup // what a stop waits for
	mu   sync.Mutex     // held while work begins by itself, and while the end does
}

func newLifetime() *lifetime {
	ctx, end := context.WithCancel(context.Background())
	return &lifetime{ctx: ctx, end: end}
}

// begin counts one more thing that a stop waits for, until work.Done; false once the bot stops, which then does not wait
// for it. What is part of other work, or cannot begin any more when the bot stops, needs no begin.
func (l *lifetime) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.work.Add(1)
	return true
}

// finish ends the life and waits for the work.
func (l *lifetime) finish() {
	l.mu.Lock()
	l.end()
	l.mu.Unlock()
	l.work.Wait()
}
