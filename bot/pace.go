package bot

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	firstSpacing = time.Second
	maxSpacing   = 30 * time.Second
)

// pacer spaces the calls of apps.connections.open: slack-go reconnects without any pause when each new connection is
// answered with a disconnect. The space doubles until a hello arrives.
type pacer struct {
	next http.RoundTripper

	mu      sync.Mutex
	spacing time.Duration
	last    time.Time
}

// RoundTrip carries out one Web API call.
func (p *pacer) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/apps.connections.open") {
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(p.take(time.Now())):
		}
	}
	return p.next.RoundTrip(req)
}

// take returns how long to wait before the next connection, and counts it.
func (p *pacer) take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.last.Add(p.spacing)
	if p.last.IsZero() || at.Before(now) {
		at = now
	}
	p.last = at
	p.spacing = min(max(2*p.spacing, firstSpacing), maxSpacing)
	return at.Sub(now)
}

// hello says that a connection has come about.
func (p *pacer) hello() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spacing = firstSpacing
}
