package slackfake

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"countersign/bot/internal/gather"
)

const (
	maxSockets  = 10
	maxAckFrame = 20 * 1024
	// socketBuffer lets many acknowledgements be read at once.
	socketBuffer = 64 * 1024
)

// socketState is what the server knows of Socket Mode.
type socketState struct {
	tickets  map[string]bool // ticket -> still good
	live     []*socket
	pending  map[string]*pending
	finished map[string]bool
	refuse   string
	noPings  bool
	chaos    chaos
}

// pending is an envelope whose acknowledgement is awaited.
type pending struct {
	answer chan reply
	sock   *socket
	asIs   bool // only the frame is looked at
}

type reply struct {
	frame   []byte // of one that is taken as it is
	payload map[string]any
	err     string
}

// socket is one live connection.
type socket struct {
	conn *websocket.Conn
	mu   sync.Mutex // gorilla allows one writer
	gone chan struct{}
}

func newSocketState() socketState {
	return socketState{tickets: map[string]bool{}, pending: map[string]*pending{}, finished: map[string]bool{}}
}

func (c *apiCall) connectionsOpen() (map[string]any, *apiError) {
	ticket := fmt.Sprintf("%016x%016x", mix(int64(len(c.s.calls))+1), mix(c.now.UnixNano()))
	c.s.sock.tickets[ticket] = true
	return map[string]any{"url": c.s.WebSocketURL() + "?ticket=" + ticket + "&app_id=" + c.s.st.AppID}, nil
}

// serveLink takes a WebSocket. Clients send an Origin of slack.com, so it is not looked at: the ticket is what counts.
func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	s.mu.Lock()
	good := s.sock.tickets[ticket]
	s.sock.tickets[ticket] = false
	s.mu.Unlock()
	if !good {
		http.Error(w, "invalid ticket", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{ReadBufferSize: socketBuffer, CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(gathering{w}, r, nil)
	if err != nil {
		return
	}
	s.runSocket(&socket{conn: conn, gone: make(chan struct{})})
}

// gathering is an answer whose connection, once it is a socket, sends in one go what is delivered at once.
type gathering struct{ http.ResponseWriter }

// Hijack hands the connection over, as [http.Hijacker] says.
func (g gathering) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(g.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return gather.New(conn), rw, nil
}

func (s *Server) runSocket(k *socket) {
	defer func() { _ = k.conn.Close() }()
	hello, refuse := s.admit(k)
	if refuse != "" {
		k.disconnect(refuse)
		return
	}
	if hello == nil {
		return
	}
	defer s.forget(k)
	err := k.conn.WriteJSON(hello)
	k.mu.Unlock()
	if err != nil {
		return
	}
	go s.pingSocket(k) // ends with the socket or the server
	s.readSocket(k)
}

// admit counts a socket among the live ones and returns its hello, nothing if the server has closed since, or why no
// more are taken. An admitted socket's writer is locked until the hello is written: a client that has read it is among
// the live ones, and what is delivered meanwhile comes after it.
func (s *Server) admit(k *socket) (hello map[string]any, refuse string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return nil, ""
	default:
	}
	switch {
	case s.sock.refuse != "":
		return nil, s.sock.refuse
	case len(s.sock.live) >= maxSockets:
		return nil, "too_many_websockets"
	}
	k.mu.Lock()
	_ = k.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	s.sock.live = append(s.sock.live, k)
	s.changed()
	return map[string]any{
		"type": "hello", "num_connections": len(s.sock.live), "connection_info": map[string]any{"app_id": s.st.AppID},
		"debug_info": map[string]any{
			"host": "slackfake", "started": time.Now().UTC().Format(time.DateTime), "build_number": 1,
			"approximate_connection_time": 3600,
		},
	}, ""
}

func (s *Server) forget(k *socket) {
	close(k.gone)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.sock.live, k); i >= 0 {
		s.sock.live = slices.Delete(s.sock.live, i, i+1)
	}
	s.changed()
}

func (s *Server) pingSocket(k *socket) {
	tick := time.NewTicker(s.opts.PingInterval)
	defer tick.Stop()
	for {
		s.mu.Lock()
		silent := s.sock.noPings
		s.mu.Unlock()
		if !silent {
			_ = k.conn.WriteControl(websocket.PingMessage, []byte("Ping from slackfake"), time.Now().Add(time.Second))
		}
		select {
		case <-tick.C:
		case <-k.gone:
			return
		case <-s.done:
			return
		}
	}
}

func (s *Server) readSocket(k *socket) {
	var raw bytes.Buffer
	for {
		_, r, err := k.conn.NextReader()
		if err != nil {
			return
		}
		raw.Reset()
		if _, err := raw.ReadFrom(r); err != nil {
			return
		}
		s.takeAck(raw.Bytes())
	}
}

// takeAck matches an acknowledgement with its envelope. Slack drops frames of 20 kB and more without a word.
func (s *Server) takeAck(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, r, bad := firstID(raw), reply{}, false
	if p := s.sock.pending[id]; p == nil || !p.asIs {
		id, r, bad = readAck(raw)
	}
	p := s.sock.pending[id]
	switch {
	case bad || p == nil && !s.sock.finished[id]:
		s.stray(id, "unknown")
	case p == nil:
		s.stray(id, "late")
	case len(raw) >= maxAckFrame:
		s.stray(id, "payload_too_large")
	default:
		delete(s.sock.pending, id)
		s.sock.finished[id] = true
		if p.asIs {
			r.frame = bytes.Clone(raw)
		}
		p.answer <- r
	}
}

// firstID is the envelope's ID in a frame that begins with it; empty in any other.
func firstID(raw []byte) string {
	rest, ok := bytes.CutPrefix(raw, []byte(`{"envelope_id":"`))
	id, _, closed := bytes.Cut(rest, []byte{'"'})
	if !ok || !closed {
		return ""
	}
	return string(id)
}

// readAck decodes an acknowledgement in one go.
func readAck(raw []byte) (id string, r reply, bad bool) {
	var f struct {
		EnvelopeID string         `json:"envelope_id"`
		Payload    map[string]any `json:"payload"`
	}
	err := json.Unmarshal(raw, &f)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field == "payload" {
		r.err, err = "invalid_payload", nil
	}
	r.payload = f.Payload
	return f.EnvelopeID, r, err != nil
}

// stray keeps an acknowledgement that answers nothing.
func (s *Server) stray(id, note string) {
	s.acks = append(s.acks, Ack{EnvelopeID: id, Sent: s.now(), Note: note})
	s.changed()
}

func (k *socket) write(raw []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	return k.conn.WriteMessage(websocket.TextMessage, raw)
}

func (k *socket) disconnect(reason string) {
	raw, _ := json.Marshal(map[string]any{
		"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "slackfake"},
	})
	_ = k.write(raw)
	if reason == "warning" {
		return
	}
	// Slack closes a moment after it said so; a client that reacts closes first.
	select {
	case <-time.After(200 * time.Millisecond):
	case <-k.gone:
	}
	_ = k.conn.Close()
}

// uuid is a random UUID of version 4, as envelope IDs are.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
