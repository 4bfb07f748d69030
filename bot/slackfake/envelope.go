package slackfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// chaos is what is done to deliveries to come, in numbers of them.
type chaos struct {
	redeliver int
	duplicate int
	cutAfter  int
	// always redelivers what was not acknowledged, slash commands and clicks too.
	always bool
}

// retries is how often an event is sent again.
const retries = 3

// deliverSocket sends an envelope to one live socket, whichever it is, and waits for its acknowledgement.
func (s *Server) deliverSocket(ctx context.Context, d delivery, land func(*Ack)) Ack {
	var err error
	if d.raw, err = json.Marshal(d.payload); err != nil {
		return Ack{Kind: d.kind, Sent: s.Now(), Err: "dispatch_failed"}
	}
	s.mu.Lock()
	lose := take(&s.sock.chaos.redeliver)
	twice := take(&s.sock.chaos.duplicate)
	again := s.sock.chaos.always || d.kind == "events_api"
	s.mu.Unlock()
	ack, last := s.sendOnce(ctx, d, 0, nil)
	if twice {
		copied, _ := s.sendOnce(ctx, d, 0, nil)
		s.keepExtra(copied, "duplicate", land)
	}
	if lose && ack.Err == "" {
		// The first acknowledgement is lost on the way: Slack tells the app again, and the person sees that answer.
		s.keepExtra(ack, "lost", nil)
		ack, last = s.sendOnce(ctx, d, 1, last)
		ack.Note = "redelivery"
	}
	for n := 1; again && ack.Err != "" && n <= retries && ctx.Err() == nil; n++ {
		s.keepExtra(ack, "failed", nil)
		ack, last = s.sendOnce(ctx, d, n, last)
		ack.Note = "redelivery"
	}
	return ack
}

// keepExtra records an answer that is not the one the person waits for.
func (s *Server) keepExtra(ack Ack, note string, land func(*Ack)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ack.Note = note
	if land != nil && ack.Err == "" {
		land(&ack)
	}
	s.acks = append(s.acks, ack)
}

func take(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

// sendOnce sends to a socket chosen at random; to another one than avoid, where there is one.
func (s *Server) sendOnce(ctx context.Context, d delivery, attempt int, avoid *socket) (Ack, *socket) {
	id := uuid()
	p := &pending{answer: make(chan reply, 1)}
	s.mu.Lock()
	start := time.Now()
	ack := Ack{Kind: d.kind, EnvelopeID: id, Sent: s.now(), Attempt: attempt}
	if len(s.sock.live) == 0 {
		s.mu.Unlock()
		ack.Err = "dispatch_failed"
		s.pause(ctx, attempt)
		return ack, nil
	}
	p.sock = choice(s.sock.live, avoid)
	s.sock.pending[id] = p
	cutAfter := take(&s.sock.chaos.cutAfter)
	s.mu.Unlock()

	err := p.sock.write(envelope(id, d, attempt))
	if cutAfter {
		_ = p.sock.conn.Close()
	}
	if err != nil {
		ack.Err = "dispatch_failed"
	} else {
		s.await(ctx, p, &ack)
	}
	s.mu.Lock()
	delete(s.sock.pending, id)
	s.sock.finished[id] = true
	s.mu.Unlock()
	ack.Latency = time.Since(start)
	return ack, p.sock
}

func choice(live []*socket, avoid *socket) *socket {
	if len(live) > 1 {
		live = slices.DeleteFunc(slices.Clone(live), func(k *socket) bool { return k == avoid })
	}
	return live[rand.IntN(len(live))]
}

// pause keeps retries apart while nobody is connected.
func (s *Server) pause(ctx context.Context, attempt int) {
	if attempt == 0 {
		return
	}
	select {
	case <-time.After(s.opts.AckTimeout):
	case <-ctx.Done():
	case <-s.done:
	}
}

func (s *Server) await(ctx context.Context, p *pending, ack *Ack) {
	timer := time.NewTimer(s.opts.AckTimeout)
	defer timer.Stop()
	select {
	case r := <-p.answer:
		ack.Payload, ack.Err = r.payload, r.err
	case <-timer.C:
		ack.Err = "operation_timeout"
	case <-ctx.Done():
		ack.Err = "operation_timeout"
	case <-s.done:
		ack.Err = "dispatch_failed"
	}
}

// Deliver sends a payload over one of the live sockets, as it is, and returns the frame that acknowledges it, as it came:
// for a benchmark, whose figure would else be this server's. Of neither anything is shown or kept. Its error says that
// nobody is connected, that ctx ended first, or that the server was closed.
func (s *Server) Deliver(ctx context.Context, kind string, payload []byte) ([]byte, error) {
	id := uuid()
	p := &pending{answer: make(chan reply, 1), asIs: true}
	s.mu.Lock()
	if len(s.sock.live) == 0 {
		s.mu.Unlock()
		return nil, errors.New("deliver: nobody is connected")
	}
	p.sock = choice(s.sock.live, nil)
	s.sock.pending[id] = p
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.sock.pending, id)
		s.sock.finished[id] = true
		s.mu.Unlock()
	}()
	if err := p.sock.write(envelope(id, delivery{kind: kind, raw: payload, answers: true}, 0)); err != nil {
		return nil, fmt.Errorf("deliver: %w", err)
	}
	select {
	case r := <-p.answer:
		return r.frame, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, errors.New("deliver: the server is closed")
	}
}

// envelope is written by hand: to encode it would be to read the payload again.
func envelope(id string, d delivery, attempt int) []byte {
	kind := d.kind
	if kind == "options" {
		kind = "interactive"
	}
	out := fmt.Appendf(nil, `{"envelope_id":%q,"type":%q,"accepts_response_payload":%t`, id, kind, d.answers)
	if attempt > 0 || d.kind == "events_api" {
		reason := ""
		if attempt > 0 {
			reason = "timeout"
		}
		out = fmt.Appendf(out, `,"retry_attempt":%d,"retry_reason":%q`, attempt, reason)
	}
	return append(append(append(out, `,"payload":`...), d.raw...), '}')
}

// Sockets is the number of live connections, those whose hello is just being written among them.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sock.live)
}

func (s *Server) sockets() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sock.live)
}

// Disconnect tells every socket to go: warning, refresh_requested, link_disabled or too_many_websockets. All but
// warning are followed by the end of the connection.
func (s *Server) Disconnect(reason string) {
	for _, k := range s.sockets() {
		k.disconnect(reason)
	}
}

// DropSockets closes every connection without a close frame, as a dying network does. Nothing is delivered to one
// afterwards.
func (s *Server) DropSockets() {
	s.mu.Lock()
	live := s.sock.live
	s.sock.live = nil
	s.changed()
	s.mu.Unlock()
	for _, k := range live {
		_ = k.conn.Close()
	}
}

// RefuseSockets makes each new socket get a disconnect at once instead of hello; "" ends it.
func (s *Server) RefuseSockets(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sock.refuse = reason
}

// StopPings makes the server fall silent, so that clients think the connection dead.
func (s *Server) StopPings(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sock.noPings = on
}

// RedeliverNext loses the acknowledgement of the next delivery: it is sent again, with retry_attempt 1.
func (s *Server) RedeliverNext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sock.chaos.redeliver++
}

// Duplicate sends each of the next n deliveries twice, to any socket.
func (s *Server) Duplicate(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sock.chaos.duplicate = n
}

// CutAfterSend cuts the connection right after each of the next n envelopes was written to it.
func (s *Server) CutAfterSend(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sock.chaos.cutAfter = n
}

// RedeliverUnacked makes Slack send slash commands and clicks again when nobody acknowledged them, up to three times,
// as it does with events.
func (s *Server) RedeliverUnacked(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sock.chaos.always = on
}
