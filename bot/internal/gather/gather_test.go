package gather_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"countersign/bot/internal/gather"
)

// held is a real connection whose writes are counted and, until it is let go, held back.
type held struct {
	net.Conn
	letGo  chan struct{}
	writes atomic.Int32
}

func (h *held) Write(p []byte) (int, error) {
	h.writes.Add(1)
	<-h.letGo
	return h.Conn.Write(p)
}

// slow is a real connection that takes its time over each write.
type slow struct{ net.Conn }

func (s slow) Write(p []byte) (int, error) {
	half := len(p) / 2
	if n, err := s.Conn.Write(p[:half]); err != nil {
		return n, err
	}
	time.Sleep(time.Millisecond)
	n, err := s.Conn.Write(p[half:])
	return half + n, err
}

// pair is both ends of a TCP connection.
func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if near, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	if far, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
}

// within fails where f takes as long as a hung one.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it hangs")
	}
}

// begun waits until the first write has reached the connection.
func begun(h *held) {
	for h.writes.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
}

// What is written while a write is under way leaves in one more.
func TestConn_Gathers(t *testing.T) {
	near, far := pair(t)
	h := &held{Conn: near, letGo: make(chan struct{})}
	c := gather.New(h)
	write(t, c, "first ")
	begun(h)
	for range 100 {
		write(t, c, "more ")
	}
	close(h.letGo)
	want := "first " + string(bytes.Repeat([]byte("more "), 100))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); string(got) != want || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if n := h.writes.Load(); n != 2 {
		t.Errorf("%d writes", n)
	}
}

func TestConn_NothingWritten(t *testing.T) {
	for range 100 {
		near, _ := pair(t)
		c := gather.New(near)
		write(t, c, "")
		within(t, func() { _ = c.Close() })
	}
}

// A deadline is not for what was written before it was set.
func TestConn_LaterDeadline(t *testing.T) {
	near, far := pair(t)
	h := &held{Conn: near, letGo: make(chan struct{})}
	c := gather.New(h)
	write(t, c, "first ")
	begun(h)
	write(t, c, "second")
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	close(h.letGo)
	got := make([]byte, len("first second"))
	if _, err := io.ReadFull(far, got); string(got) != "first second" {
		t.Fatalf("%q, %v", got, err)
	}
}

// However many write at once and however slowly it leaves, all arrives once, and each writer's in its order.
func TestConn_KeepsOrder(t *testing.T) {
	const writers, each, size = 8, 500, 1000
	near, far := pair(t)
	c := gather.New(slow{near})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			p := make([]byte, size)
			p[0] = byte(w)
			for n := range each {
				binary.BigEndian.PutUint32(p[1:], uint32(n))
				if err := c.SetWriteDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Error(err)
				}
				if _, err := c.Write(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); _ = c.Close() }()
	var next [writers]uint32
	p := make([]byte, size)
	for {
		_, err := io.ReadFull(far, p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := binary.BigEndian.Uint32(p[1:]); n != next[p[0]] {
			t.Fatalf("of writer %d came %d, not %d", p[0], n, next[p[0]])
		}
		next[p[0]]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("of writer %d came %d", w, n)
		}
	}
}

// A peer that stops reading holds the writer back before much has piled up; at the deadline the writer gets the error and
// the reader learns that the connection is gone.
func TestConn_PeerStopsReading(t *testing.T) {
	near, _ := pair(t)
	h := &held{Conn: near, letGo: make(chan struct{})}
	c := gather.New(h)
	var taken atomic.Int64
	failed := make(chan error, 1)
	go func() {
		p := make([]byte, 4000)
		for {
			_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			n, err := c.Write(p)
			if taken.Add(int64(n)); err != nil {
				failed <- err
				return
			}
		}
	}()
	begun(h)
	time.Sleep(50 * time.Millisecond)
	if n := taken.Load(); n < 4000 || n > 128<<10 {
		t.Errorf("%d bytes were taken while none left", n)
	}
	close(h.letGo)
	within(t, func() {
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read = %v", err)
		}
	})
	if err := c.SetWriteDeadline(time.Time{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("SetWriteDeadline = %v", err)
	}
}

func TestConn_PeerResets(t *testing.T) {
	near, far := pair(t)
	c := gather.New(near)
	write(t, c, "unread")
	_ = far.SetLinger(0)
	_ = far.Close()
	within(t, func() {
		var err error
		for err == nil {
			_, err = c.Write([]byte("more"))
			time.Sleep(time.Millisecond)
		}
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Write = %v", err)
		}
		if _, err = c.Read(make([]byte, 1)); err == nil {
			t.Error("Read sees nothing of it")
		}
	})
	_ = c.Close()
}

// What waits when the connection is closed still leaves.
func TestConn_CloseSendsWhatWaits(t *testing.T) {
	near, far := pair(t)
	h := &held{Conn: near, letGo: make(chan struct{})}
	c := gather.New(h)
	write(t, c, "first ")
	begun(h)
	write(t, c, "last")
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	within(t, func() {
		for errors.Is(c.SetWriteDeadline(time.Time{}), nil) {
			time.Sleep(time.Millisecond)
		}
	})
	if _, err := c.Write([]byte("too late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write = %v", err)
	}
	close(h.letGo)
	if got, err := io.ReadAll(far); string(got) != "first last" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close = %v", err)
	}
}

// Close does not wait for a peer that reads nothing, whatever the deadline was.
func TestConn_CloseWithAPeerThatReadsNothing(t *testing.T) {
	near, _ := pair(t)
	c := gather.New(near)
	stuck := make(chan error, 1)
	go func() {
		for p := make([]byte, 32<<10); ; {
			if _, err := c.Write(p); err != nil {
				stuck <- err
				return
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	within(t, func() {
		_ = c.Close()
		if err := <-stuck; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write = %v", err)
		}
	})
}

func TestConn_DeadlineBoundsReadingToo(t *testing.T) {
	near, _ := pair(t)
	c := gather.New(near)
	if err := c.SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	within(t, func() {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v", err)
		}
	})
}
