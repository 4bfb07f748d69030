package workflow_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign/workflow"
)

// gate is a channel that takes one post a second, as Slack's do.
type gate struct {
	mu             sync.Mutex
	last           time.Time
	taken, refused int
}

func (g *gate) under(k workflow.EffectKind, r workflow.Request) (before, after error) {
	if k != workflow.CardEffect || r.Card.TS != "" {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.last) < time.Second {
		g.refused++
		return &workflow.LaterError{After: time.Second, Err: errors.New("ratelimited")}, nil
	}
	g.last = time.Now()
	g.taken++
	return nil, nil
}

// TestPace_AmongReplicas: several replicas together post as fast as one, and hardly ask more often.
func TestPace_AmongReplicas(t *testing.T) {
	virtualFleet(t, 3, func(f *fleet) {
		var g gate
		f.desk.failing(g.under)
		const burst = 42
		for i := range burst {
			f.replicas[i%len(f.replicas)].asks(invite(60000 + i))
		}
		f.passes(2 * burst * time.Second)
		synctest.Wait()
		t.Logf("%d cards posted, %d refused", g.taken, g.refused)
		if g.taken != burst || g.refused > burst {
			t.Errorf("%d cards posted, %d refused", g.taken, g.refused)
		}
	})
}
