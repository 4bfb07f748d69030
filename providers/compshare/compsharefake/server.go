package compsharefake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options are the settings of a [Server]; the zero value is the seed's company on a free port.
type Options struct {
	// Addr is where to listen, loopback only; 127.0.0.1:0 when empty.
	Addr string
	// Now is the clock of CreateTime and of [Call.Time]; time.Now when nil.
	Now func() time.Time
	// Seed is the state to begin with and to return to on Reset; [DefaultSeed] when nil.
	Seed *State
	// Codes are the RetCodes that the vendor does not publish; [DefaultCodes] when zero.
	Codes Codes
	// Quirks are the vendor's documented and reported variations.
	Quirks Quirks
}

// Codes are RetCodes for which the vendor publishes no number.
type Codes struct {
	NoRelation int `json:"no_relation"` // no such relation
	WrongState int `json:"wrong_state"` // the relation is not in a state that allows this
	NoTeam     int `json:"no_team"`     // no such team
	NotEmpty   int `json:"not_empty"`   // the team still has members
}

// DefaultCodes are numbers of our own.
func DefaultCodes() Codes {
	return Codes{NoRelation: 16002, WrongState: 16003, NoTeam: 16004, NotEmpty: 16005}
}

// Quirks are variations between the vendor's documents, samples and reported answers. A client must survive all.
type Quirks struct {
	LowerStatus   bool   `json:"lower_status,omitempty"`   // "joined" instead of "Joined", as on compshare.cn
	StatusText    string `json:"status_text,omitempty"`    // this text instead of any status
	NullLists     bool   `json:"null_lists,omitempty"`     // null instead of an empty list
	ErrorMapText  bool   `json:"error_map_text,omitempty"` // "ErrorMap":"" instead of {}, as the SDK has it
	TextRetCode   bool   `json:"text_ret_code,omitempty"`  // "RetCode":"0" instead of 0
	TextNumbers   bool   `json:"text_numbers,omitempty"`   // IDs as strings
	LogTypesMap   bool   `json:"log_types_map,omitempty"`  // OperateTypeList and StatusList as maps
	BareErrors    bool   `json:"bare_errors,omitempty"`    // the gateway's errors without Action
	InvitesApart  bool   `json:"invites_apart,omitempty"`  // GetCompShareTeamInfo does not list pending relations
	CancelRemoves bool   `json:"cancel_removes,omitempty"` // Cancel on a Joined relation removes the member
	NoSignature   bool   `json:"no_signature,omitempty"`   // signatures are not verified
	KeepRejected  bool   `json:"keep_rejected,omitempty"`  // ListCompShareTeamJoined shows rows of every state
	OldRows       bool   `json:"old_rows,omitempty"`       // a second invitation makes a second row; the old one stays listed
	MaxMembers    int    `json:"max_members,omitempty"`    // how many a team may have, pending ones too; 0: no limit
}

// Server is one CompShare with its accounts and teams.
type Server struct {
	opts Options
	base string
	http *http.Server
	mux  *http.ServeMux
	done chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	st     *State
	quirks Quirks
	codes  Codes
	calls  []*Call
	faults []*Fault
	serial int
}

// Start listens and serves until [Server.Close].
func Start(o Options) (*Server, error) {
	s := newServer(o)
	ln, err := listenLoopback(s.opts.Addr)
	if err != nil {
		return nil, err
	}
	s.base = "http://" + ln.Addr().String()
	s.http = &http.Server{Handler: s.mux, ReadHeaderTimeout: 10 * time.Second}
	s.wg.Go(func() { _ = s.http.Serve(ln) })
	return s, nil
}

func newServer(o Options) *Server {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == nil {
		o.Seed = DefaultSeed()
	}
	if o.Codes == (Codes{}) {
		o.Codes = DefaultCodes()
	}
	s := &Server{
		opts: o, mux: http.NewServeMux(), done: make(chan struct{}),
		st: o.Seed.clone(), quirks: o.Quirks, codes: o.Codes,
	}
	s.routeControl()
	s.mux.HandleFunc("/", s.serveAPI)
	return s
}

func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	if !loopbackHost(host) {
		return nil, fmt.Errorf("address %q: an emulator listens on loopback only", addr)
	}
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Close drops every connection, also those that a fault holds, and stops serving. It may be called again.
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
	err := s.http.Close()
	s.wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// URL is what a client takes for https://api.compshare.cn, without a slash at its end.
func (s *Server) URL() string { return s.base }

// Handler is the whole server, for a test that wants to wrap it.
func (s *Server) Handler() http.Handler { return s.mux }

// SetQuirks replaces the quirks.
func (s *Server) SetQuirks(q Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quirks = q
}

// Reset forgets everything that happened and returns to the seed, without faults.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st, s.quirks = s.opts.Seed.clone(), s.opts.Quirks
	s.calls, s.faults = nil, nil
}

// pause waits for d; it is cut short by Close.
func (s *Server) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.done:
	}
}
