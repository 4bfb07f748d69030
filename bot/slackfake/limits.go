package slackfake

import (
	"math"
	"time"
)

// bucket is a token bucket: it holds what is left and refills with time.
type bucket struct {
	left float64
	at   time.Time
}

// RateTiers switches Slack's documented limits on; they are off at the start.
func (s *Server) RateTiers(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tiers = on
	s.buckets = map[string]*bucket{}
}

// postBurst is how many posts one channel takes at once before it is held to one a second.
const postBurst = 5

// overLimit returns the seconds to wait, 0 when the call may pass.
func (s *Server) overLimit(c *apiCall, m method) int {
	if !s.tiers {
		return 0
	}
	key, size, perSecond := c.method, float64(m.perMinute), float64(m.perMinute)/60
	if m.perMinute == 0 {
		key, size, perSecond = c.method+" "+c.str("channel"), postBurst, 1
	}
	b := s.buckets[key]
	if b == nil {
		b = &bucket{left: size, at: c.now}
		s.buckets[key] = b
	}
	b.left = min(size, b.left+c.now.Sub(b.at).Seconds()*perSecond)
	b.at = c.now
	if b.left < 1 {
		return int(math.Ceil((1 - b.left) / perSecond))
	}
	b.left--
	return 0
}
