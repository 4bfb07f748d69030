package workflow

import (
	"math/rand/v2"
	"time"
)

const (
	// spacing is how far apart the posts of a lane are once Slack has asked to wait: it takes one a second to a channel
	// (https://docs.slack.dev/apis/web-api/rate-limits). spaced is how many of them, should the lane not be empty before.
	spacing = time.Second
	spaced  = 20
	// spread bounds how much longer than asked is waited, in multiples of it, when Slack refuses again and again: the
	// others have posted meanwhile, and should not all come back at once.
	spread = 7
)

// pace is how a lane goes on after Slack has asked to wait, where other replicas post to the same channel. One process
// alone just waits as long as it is asked to.
type pace struct {
	left    int  // posts to space
	refused int  // refusals in a row
	posted  bool // since it was last looked at
}

// refused returns how long to wait after Slack has asked a lane to.
func (r *Runner) refused(lane string, after time.Duration) time.Duration {
	if r.o.Engine.leases.replica == "" {
		return after
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.paces[lane]
	p.left, p.refused = spaced, p.refused+1
	r.paces[lane] = p
	return after + rand.N(after*time.Duration(min(p.refused-1, spread))+1)
}

// posted notes a post of a lane.
func (r *Runner) posted(lane string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.paces[lane]; ok {
		r.paces[lane] = pace{left: p.left - 1, posted: true}
	}
}

// space returns how long a lane waits before its next task. The lock must be held.
func (r *Runner) space(lane string) time.Duration {
	p, ok := r.paces[lane]
	switch {
	case !ok || !p.posted:
		return 0
	case p.left <= 0:
		delete(r.paces, lane)
		return 0
	}
	p.posted = false
	r.paces[lane] = p
	return spacing
}
