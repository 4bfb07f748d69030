// Package gather sends what many have to say over one connection in few system calls.
package gather

import (
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// maxWaiting is how many bytes may wait while others are on their way; a writer with more waits itself.
	maxWaiting = 64 << 10
	// farewell is how long what still waits may take to leave when the connection is closed.
	farewell = 250 * time.Millisecond
)

// Conn is a connection that gathers what is written while it sends, and sends that in one go, in order. Write does not
// wait until its bytes have left: where they could not, the connection is closed, so that its reader learns of it, and
// later writes return the error.
type Conn struct {
	net.Conn
	mu       sync.Mutex
	progress *sync.Cond
	waiting  []byte
	spare    []byte    // the memory of what was sent last
	wanted   time.Time // the deadline of what will be written
	deadline time.Time // of what waits
	sending  bool
	err      error // why nothing more is taken
}

// New returns a Conn that sends over conn; from now on it alone writes to conn and closes it.
func New(conn net.Conn) *Conn {
	c := &Conn{Conn: conn}
	c.progress = sync.NewCond(&c.mu)
	return c
}

// Write takes p to be sent, and waits only where there is no room for it.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && c.sending && len(c.waiting)+len(p) > maxWaiting {
		c.progress.Wait() // until the deadline of what is being sent, at most
	}
	if c.err != nil {
		return 0, c.err
	}
	c.waiting = append(c.waiting, p...)
	c.deadline = c.wanted
	if !c.sending {
		c.sending = true
		go c.send()
	}
	return len(p), nil
}

// send sends until nothing waits any more.
func (c *Conn) send() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 {
		c.mu.Unlock()
		runtime.Gosched() // whoever is about to write goes first
		c.mu.Lock()
		out := c.waiting
		c.waiting = c.spare[:0]
		err := c.Conn.SetWriteDeadline(c.deadline)
		c.mu.Unlock()
		if err == nil {
			_, err = c.Conn.Write(out)
		}
		c.mu.Lock()
		c.spare = out
		if err != nil {
			if c.err == nil {
				c.err = err
			}
			c.waiting = nil
			_ = c.Conn.Close()
		}
		c.progress.Broadcast()
	}
	c.sending = false
	c.progress.Broadcast()
}

// SetWriteDeadline bounds the sending of what is written from now on, and of what still waits then.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	return c.err
}

// SetDeadline bounds both directions.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// Close takes nothing more, gives what waits a moment to leave, and closes the connection.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.sending {
		c.deadline = time.Now().Add(farewell)
		_ = c.Conn.SetWriteDeadline(c.deadline)
	}
	if c.err == nil {
		c.err = net.ErrClosed
	}
	for c.sending {
		c.progress.Wait()
	}
	return c.Conn.Close()
}
