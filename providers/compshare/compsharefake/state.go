package compsharefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// The states of a relation, as docs.ucloud.cn writes them.
const (
	Pending  = "Pending"
	Joined   = "Joined"
	Rejected = "Rejected"
	Canceled = "Canceled"
)

// State is everything a [Server] knows, as JSON: what [Server.Snapshot] returns and [Server.Restore] takes.
type State struct {
	Accounts  []Account  `json:"accounts"`
	Teams     []Team     `json:"teams"`
	Relations []Relation `json:"relations"`
	Logs      []Log      `json:"logs,omitempty"`
	// LastTeam and LastVirtual are the highest numbers given so far.
	LastTeam    uint32 `json:"last_team"`
	LastVirtual uint32 `json:"last_virtual"`
}

// Account is a company with its key pair.
type Account struct {
	PublicKey  string `json:"public_key"`
	PrivateKey string `json:"private_key"`
	Company    uint32 `json:"company"`
	// Unverified is an account without real-name verification: every team action gives RetCode 226606.
	Unverified bool `json:"unverified,omitempty"`
}

// Team is a CompShare team.
type Team struct {
	ID          uint32 `json:"id"`
	Owner       uint32 `json:"owner"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Deleted     bool   `json:"deleted,omitempty"`
}

// Relation is how a company stands to a team.
type Relation struct {
	Team    uint32 `json:"team"`
	Company uint32 `json:"company"`
	Virtual uint32 `json:"virtual,omitempty"`
	Status  string `json:"status"`
	Remark  string `json:"remark,omitempty"`
	Created int64  `json:"created"` // seconds since 1970
	Sent    int    `json:"sent"`    // how many times the invitation was sent
}

// Log is one line of a team's operate log.
type Log struct {
	Team    uint32 `json:"team"`
	Content string `json:"content"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Created int64  `json:"created"`
}

func (st *State) clone() *State {
	return &State{
		Accounts: slices.Clone(st.Accounts), Teams: slices.Clone(st.Teams), Relations: slices.Clone(st.Relations),
		Logs: slices.Clone(st.Logs), LastTeam: st.LastTeam, LastVirtual: st.LastVirtual,
	}
}

func (st *State) account(publicKey string) *Account {
	i := slices.IndexFunc(st.Accounts, func(a Account) bool { return a.PublicKey == publicKey })
	if i < 0 {
		return nil
	}
	return &st.Accounts[i]
}

func (st *State) team(id uint32) *Team {
	i := slices.IndexFunc(st.Teams, func(t Team) bool { return t.ID == id && !t.Deleted })
	if i < 0 {
		return nil
	}
	return &st.Teams[i]
}

// relation is the newest row of a company in a team.
func (st *State) relation(team, company uint32) *Relation {
	for i, r := range slices.Backward(st.Relations) {
		if r.Team == team && r.Company == company {
			return &st.Relations[i]
		}
	}
	return nil
}

// members is how many companies are in a team or invited to it.
func (st *State) members(team uint32) (n int) {
	for _, r := range st.Relations {
		if r.Team == team && (r.Status == Pending || r.Status == Joined) {
			n++
		}
	}
	return n
}

// join makes a relation Joined and gives it its virtual account.
func (st *State) join(r *Relation) {
	r.Status = Joined
	if r.Virtual == 0 {
		st.LastVirtual++
		r.Virtual = st.LastVirtual
	}
}

// AddAccount adds a company with a key pair, or gives an existing public key a new private one.
func (s *Server) AddAccount(publicKey, privateKey string, company uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putAccount(Account{PublicKey: publicKey, PrivateKey: privateKey, Company: company})
}

func (s *Server) putAccount(a Account) {
	if old := s.st.account(a.PublicKey); old != nil {
		*old = a
		return
	}
	s.st.Accounts = append(s.st.Accounts, a)
}

// SetUnverified says whether the accounts of a company lack real-name verification.
func (s *Server) SetUnverified(company uint32, unverified bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.st.Accounts {
		if s.st.Accounts[i].Company == company {
			s.st.Accounts[i].Unverified = unverified
		}
	}
}

// AddTeam adds a team, or replaces the one with that number.
func (s *Server) AddTeam(id, owner uint32, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putTeam(Team{ID: id, Owner: owner, Name: name})
}

func (s *Server) putTeam(t Team) {
	s.st.Teams = slices.DeleteFunc(s.st.Teams, func(o Team) bool { return o.ID == t.ID })
	s.st.Teams = append(s.st.Teams, t)
	s.st.LastTeam = max(s.st.LastTeam, t.ID)
}

// SetRelation puts a relation in place of the company's present one, as somebody in the vendor's console would. An
// empty Status removes it. Created is the clock's when zero, and a Joined relation is given a virtual account.
func (s *Server) SetRelation(r Relation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Relations = slices.DeleteFunc(s.st.Relations, func(o Relation) bool {
		return o.Team == r.Team && o.Company == r.Company
	})
	if r.Status == "" {
		return
	}
	if r.Created == 0 {
		r.Created = s.opts.Now().Unix()
	}
	if r.Status == Joined {
		s.st.join(&r)
	}
	s.st.Relations = append(s.st.Relations, r)
}

// Relations are the relations of a team, in the order in which they were made.
func (s *Server) Relations(team uint32) []Relation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []Relation
	for _, r := range s.st.Relations {
		if r.Team == team {
			rows = append(rows, r)
		}
	}
	return rows
}

// Status is how a company stands to a team; empty if it has no relation with it.
func (s *Server) Status(team, company uint32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.st.relation(team, company); r != nil {
		return r.Status
	}
	return ""
}

// Snapshot is the whole state as JSON.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.MarshalIndent(s.st, "", "  ")
}

// Restore replaces the whole state by a snapshot. Calls and faults stay.
func (s *Server) Restore(snapshot []byte) error {
	dec := json.NewDecoder(bytes.NewReader(snapshot))
	dec.DisallowUnknownFields()
	st := &State{}
	if err := dec.Decode(st); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	return nil
}
