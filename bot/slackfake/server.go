package slackfake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options are the settings of a [Server]; the zero value is a good workspace on a free port.
type Options struct {
	// Addr is where to listen, loopback only; 127.0.0.1:0 when empty.
	Addr string
	// Now is the clock of timestamps, triggers and response URLs; time.Now when nil. [Server.Advance] moves it.
	Now func() time.Time
	// Seed is the workspace; [DefaultSeed] when nil.
	Seed *Seed
	// AckTimeout is how long an acknowledgement is waited for; Slack's 3 s when zero.
	AckTimeout time.Duration
	// PingInterval is the pause between WebSocket pings; 10 s when zero.
	PingInterval time.Duration
	// AllowOrigins are browser origins that may call /_emu/, beside the server's own; loopback ones only.
	AllowOrigins []string
}

// The secrets of the seed's app. They are made to be found by a search for leaks.
const (
	BotToken      = "xoxb-0000000000-fake-BOTTOKENMUSTNOTLEAK"
	AppToken      = "xapp-1-A0APP-0000-fake-APPTOKENMUSTNOTLEAK"
	SigningSecret = "51611ngSECRETMUSTNOTLEAK00000000"
)

// Server is one workspace with one app installed.
type Server struct {
	opts  Options
	base  string
	http  *http.Server
	mux   *http.ServeMux
	done  chan struct{}
	wg    sync.WaitGroup
	valid *validator

	mu       sync.Mutex
	seed     *Seed
	st       *state
	skew     time.Duration
	calls    []Call
	acks     []Ack
	subs     map[int]chan struct{}
	subID    int
	version  int64
	faults   []*Fault
	tiers    bool
	buckets  map[string]*bucket
	tokenErr map[string]string
	noPlan   bool
	noHome   bool
	sock     socketState
	target   HTTPTarget
}

// Start listens and serves until [Server.Close].
func Start(o Options) (*Server, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	ln, err := listenLoopback(s.opts.Addr)
	if err != nil {
		return nil, err
	}
	s.base = "http://" + ln.Addr().String()
	s.http = &http.Server{Handler: s.mux, ReadHeaderTimeout: 10 * time.Second}
	s.wg.Go(func() { _ = s.http.Serve(ln) })
	return s, nil
}

func newServer(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == nil {
		o.Seed = DefaultSeed()
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 3 * time.Second
	}
	if o.PingInterval == 0 {
		o.PingInterval = 10 * time.Second
	}
	valid, err := theValidator()
	if err != nil {
		return nil, fmt.Errorf("block schema: %w", err)
	}
	s := &Server{
		opts: o, mux: http.NewServeMux(), done: make(chan struct{}), valid: valid,
		seed: o.Seed, st: newState(o.Seed), subs: map[int]chan struct{}{}, buckets: map[string]*bucket{},
		tokenErr: map[string]string{}, sock: newSocketState(),
	}
	s.mux.HandleFunc("/api/{method}", s.serveAPI)
	s.mux.HandleFunc("/link/", s.serveLink)
	s.mux.HandleFunc("/response/", s.serveResponseURL)
	s.routeControl()
	return s, nil
}

func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("address %q: an emulator listens on loopback only", addr)
	}
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
}

// Close drops every connection and stops serving. It may be called again.
func (s *Server) Close() error {
	s.mu.Lock()
	select {
	case <-s.done:
		s.mu.Unlock()
		return nil
	default:
		close(s.done)
	}
	s.mu.Unlock()
	s.DropSockets()
	err := s.http.Close()
	s.wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// URL is the base, without a slash at its end.
func (s *Server) URL() string { return s.base }

// APIURL is what a client takes for https://slack.com/api/.
func (s *Server) APIURL() string { return s.base + "/api/" }

// WebSocketURL is the base of Socket Mode's connections.
func (s *Server) WebSocketURL() string { return "ws" + strings.TrimPrefix(s.base, "http") + "/link/" }

// Handler is the whole server, for a test that wants to wrap it.
func (s *Server) Handler() http.Handler { return s.mux }

// BotToken is the token of the installed app, xoxb-....
func (s *Server) BotToken() string { return BotToken }

// AppToken is the app-level token that opens sockets, xapp-....
func (s *Server) AppToken() string { return AppToken }

// SigningSecret is what HTTP deliveries are signed with.
func (s *Server) SigningSecret() string { return SigningSecret }

// now is the emulator's clock; the lock must be held.
func (s *Server) now() time.Time { return s.opts.Now().Add(s.skew) }

// Now is the emulator's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the emulator's clock forward: triggers and response URLs age.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += d
	s.changed()
}

// Reset forgets everything that happened, ends all faults and returns to the seed. Live sockets and the HTTP target
// stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = newState(s.seed)
	s.calls, s.acks, s.faults, s.skew = nil, nil, nil, 0
	s.tiers, s.buckets, s.tokenErr = false, map[string]*bucket{}, map[string]string{}
	s.noPlan, s.noHome = false, false
	s.sock.refuse, s.sock.noPings, s.sock.chaos = "", false, chaos{}
	s.changed()
}
