package bot

import (
	"errors"
	"sync"
	"time"

	"countersign/workflow"
)

// gates keep what Slack has asked to wait: one for each of its limits, which are by method, and by channel for posts.
// While a gate is closed nothing is sent through it, by anybody.
type gates struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newGates() *gates { return &gates{until: map[string]time.Time{}} }

// errClosed is why nothing was sent.
var errClosed = errors.New("slack has asked to wait")

// pass makes a call through a gate and closes it if Slack asks to wait. Its errors are those of a workflow.Notifier.
func (g *gates) pass(name string, call func() error) error {
	if left := g.left(name); left > 0 {
		return &workflow.LaterError{After: left, Err: errClosed}
	}
	err := slackError(call())
	if later, ok := errors.AsType[*workflow.LaterError](err); ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.until[name] = time.Now().Add(later.After)
	}
	return err
}

func (g *gates) left(name string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := time.Until(g.until[name])
	if left <= 0 {
		delete(g.until, name)
	}
	return left
}
