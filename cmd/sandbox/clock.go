package main

import (
	"slices"
	"sync"
	"time"
)

// clock is the wall clock, pushed forward. Slack, CompShare and the bot share it, so that an hour that passes passes for
// all of them. DataArts keeps the wall clock: its requests are signed with a time, which must be right to fifteen
// minutes.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
	// pushes are when, by the wall clock, the offset became what it is, the newest last.
	pushes []push
}

type push struct {
	at    time.Time
	ahead time.Duration
}

// now is the time in the sandbox.
func (c *clock) now() time.Time { return time.Now().UTC().Add(c.offset()) }

// offset is how far the clock was pushed.
func (c *clock) offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// push moves the clock forward, never back: messages would change places.
func (c *clock) push(d time.Duration) { c.set(c.offset() + max(d, 0)) }

func (c *clock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = d
	c.pushes = append(c.pushes, push{time.Now(), d})
}

// inHere is what the sandbox's clock showed at a moment of the wall clock.
func (c *clock) inHere(wall time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Backward(c.pushes) {
		if !wall.Before(p.at) {
			return wall.Add(p.ahead)
		}
	}
	return wall
}
