package main

import (
	"sync/atomic"
	"time"
)

// clock is the wall clock, pushed forward. Slack, CompShare and the bot share it, so that an hour that passes passes for
// all of them. DataArts keeps the wall clock: its requests are signed with a time, which must be right to fifteen
// minutes.
type clock struct{ ahead atomic.Int64 }

// now is the time in the sandbox.
func (c *clock) now() time.Time { return time.Now().UTC().Add(c.offset()) }

// offset is how far the clock was pushed.
func (c *clock) offset() time.Duration { return time.Duration(c.ahead.Load()) }

// push moves the clock forward. It never goes back but by set: messages would change places.
func (c *clock) push(d time.Duration) { c.ahead.Add(int64(max(d, 0))) }

func (c *clock) set(d time.Duration) { c.ahead.Store(int64(d)) }
