package dataartsfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value is a server with the seed, on a free port of the loopback interface.
type Options struct {
	Addr string           // default 127.0.0.1:0
	Now  func() time.Time // default time.Now
	// Empty starts without the seed's keys, users and workspaces.
	Empty     bool
	Behaviour Behaviour
}

// Server is a running emulator. Its methods may be called concurrently, by a test and by requests.
type Server struct {
	now  func() time.Time
	opts Options
	url  string
	http *http.Server
	l    net.Listener
	done chan struct{} // closed by Close: ends delays
	once sync.Once

	mu     sync.Mutex
	st     *state
	faults []Fault
	calls  []Call
	seq    int // request IDs
}

// maxBody is the gateway's limit.
const maxBody = 12 << 20

// Start runs a server. Close ends it.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l, err := net.Listen("tcp", o.Addr) //nolint:noctx // a listener on loopback has nothing to wait for
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{now: o.Now, opts: o, url: "http://" + l.Addr().String(), l: l, done: make(chan struct{})}
	s.Reset()
	s.http = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return s, nil
}

// URL is the server's base URL, the endpoint to give to the SDK for DataArts Studio and for IAM.
func (s *Server) URL() string { return s.url }

// Close ends the server and every call that still waits.
func (s *Server) Close() error {
	s.once.Do(func() {
		close(s.done)
		// http.Server closes only a listener that Serve has got to see, and that runs in a goroutine.
		_ = s.l.Close()
	})
	if err := s.http.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Handler is the server without its listener.
func (s *Server) Handler() http.Handler {
	control := s.control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// No ServeMux here: it would redirect a path that is not clean, where the gateway says 404.
		if strings.HasPrefix(r.URL.Path, "/_emu/") {
			control.ServeHTTP(w, r)
			return
		}
		s.serve(w, r)
	})
}

// Reset returns to the seed, and forgets calls and faults.
func (s *Server) Reset() {
	st := &state{}
	if !s.opts.Empty {
		st = s.seed()
	}
	st.Behaviour = s.opts.Behaviour
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st, s.faults, s.calls = st, nil, nil
}

// serve answers one request of the vendor's protocol.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	req := s.begin(r, body)
	var reply reply
	switch tooBig := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooBig):
		reply = refuse(http.StatusRequestEntityTooLarge, "APIGW.0201", "Request entity too large")
	case err != nil:
		reply = refuse(http.StatusBadRequest, "APIGW.0201", "Bad request")
	default:
		reply = s.decide(req)
	}
	s.end(req, reply)
	reply.write(w, req.id)
}

// decide is the answer to a request that was read as a whole.
func (s *Server) decide(req *call) reply {
	if req.route == nil {
		return refuse(http.StatusNotFound, "APIGW.0101",
			"The API does not exist or has not been published in the environment.")
	}
	if bad := s.authenticate(req); bad != nil {
		return *bad
	}
	if f, ok := s.takeFault(req.route.name); ok {
		return s.faulty(req, f)
	}
	return s.handle(req, quirks{})
}

func (s *Server) handle(req *call, q quirks) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return req.route.handle(s, req, q)
}

// AddKey makes a key pair known.
func (s *Server) AddKey(access, secret, projectID string) {
	s.change(func(st *state) { st.Keys = append(st.Keys, Key{Access: access, Secret: secret, ProjectID: projectID}) })
}

// AddWorkspace adds an empty workspace to the seed's instance.
func (s *Server) AddWorkspace(id, name string) {
	s.change(func(st *state) {
		if st.workspace(id) == nil {
			st.Workspaces = append(st.Workspaces, Workspace{ID: id, Name: name, InstanceID: InstanceID})
		}
	})
}

// AddIAMUser adds a user to the account.
func (s *Server) AddIAMUser(u IAMUser) { s.change(func(st *state) { st.Users = append(st.Users, u) }) }

// AddIAMGroup adds a user group to the account.
func (s *Server) AddIAMGroup(g IAMGroup) {
	s.change(func(st *state) { st.Groups = append(st.Groups, g) })
}

// AddRole adds a role to every workspace.
func (s *Server) AddRole(r Role) { s.change(func(st *state) { st.Roles = append(st.Roles, r) }) }

// SetMember adds a member to a workspace, or replaces one, behind the client's back.
func (s *Server) SetMember(workspace string, m Member) {
	s.change(func(st *state) { st.put(workspace, m, s.now(), "console") })
}

// RemoveMember removes a member from a workspace, behind the client's back.
func (s *Server) RemoveMember(workspace string, kind int, id string) {
	s.change(func(st *state) {
		if w := st.workspace(workspace); w != nil {
			w.Members = slices.DeleteFunc(w.Members, func(m Member) bool { return m.Type == kind && m.UserID == id })
		}
	})
}

// Members are the members of a workspace, in the order in which they came.
func (s *Server) Members(workspace string) []Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.st.clone().workspace(workspace)
	if w == nil {
		return nil
	}
	return w.Members
}

// SetBehaviour switches what the vendor does not publish.
func (s *Server) SetBehaviour(b Behaviour) { s.change(func(st *state) { st.Behaviour = b }) }

// Snapshot is the whole state as JSON, keys included, without calls and faults.
func (s *Server) Snapshot() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.encode()
}

// Restore replaces the state by a Snapshot.
func (s *Server) Restore(snapshot []byte) error {
	var st state
	if err := json.Unmarshal(snapshot, &st); err != nil {
		return fmt.Errorf("decode snapshot: %w", err)
	}
	s.change(func(old *state) { *old = st })
	return nil
}

func (s *Server) change(f func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.st)
}
