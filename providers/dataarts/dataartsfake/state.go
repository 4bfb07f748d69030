package dataartsfake

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The values of a member's and of a request's type.
const (
	TypeUser  = 0
	TypeGroup = 1
)

// Key is a permanent access key and the one project that it opens.
type Key struct {
	Access    string `json:"access"`
	Secret    string `json:"secret"`
	ProjectID string `json:"project_id"`
}

// Instance is a DataArts Studio instance.
type Instance struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Workspace is a workspace of an instance, with its members in the order in which they came.
type Workspace struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	InstanceID string   `json:"instance_id"`
	Members    []Member `json:"members,omitempty"`
}

// Member is one row of a workspace's members: a user, or a user group whose ID is in UserID.
type Member struct {
	RecordID    string    `json:"id,omitempty"`
	Type        int       `json:"type"`
	UserID      string    `json:"user_id"`
	UserName    string    `json:"user_name,omitempty"`
	DomainOwner bool      `json:"domain_owner,omitempty"`
	Roles       []string  `json:"roles"`
	Created     time.Time `json:"created,omitzero"`
	Updated     time.Time `json:"updated,omitzero"`
	By          string    `json:"by,omitempty"`
}

// IAMUser is a user of the account.
type IAMUser struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DomainID    string `json:"domain_id"`
	DomainOwner bool   `json:"domain_owner,omitempty"`
	Disabled    bool   `json:"disabled,omitempty"`
	Email       string `json:"email,omitempty"`
}

// IAMGroup is a user group of the account.
type IAMGroup struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Role is a workspace role, the same in every workspace.
type Role struct {
	ID   string `json:"role_id"`
	Code string `json:"role_code"`
	Name string `json:"role_name"`
}

// state is everything that a client can read or change. It is what Snapshot writes.
type state struct {
	Keys       []Key       `json:"keys"`
	Instances  []Instance  `json:"instances"`
	Workspaces []Workspace `json:"workspaces"`
	Users      []IAMUser   `json:"users"`
	Groups     []IAMGroup  `json:"groups"`
	Roles      []Role      `json:"roles"`
	Behaviour  Behaviour   `json:"behaviour"`
	Seq        int         `json:"seq"`
}

func (st *state) key(access string) (Key, bool) {
	i := slices.IndexFunc(st.Keys, func(k Key) bool { return k.Access == access })
	if i < 0 {
		return Key{}, false
	}
	return st.Keys[i], true
}

func (st *state) workspace(id string) *Workspace {
	i := slices.IndexFunc(st.Workspaces, func(w Workspace) bool { return w.ID == id })
	if i < 0 {
		return nil
	}
	return &st.Workspaces[i]
}

func (st *state) user(id string) (IAMUser, bool) {
	i := slices.IndexFunc(st.Users, func(u IAMUser) bool { return u.ID == id })
	if i < 0 {
		return IAMUser{}, false
	}
	return st.Users[i], true
}

func (st *state) group(id string) (IAMGroup, bool) {
	i := slices.IndexFunc(st.Groups, func(g IAMGroup) bool { return g.ID == id })
	if i < 0 {
		return IAMGroup{}, false
	}
	return st.Groups[i], true
}

func (st *state) role(id string) (Role, bool) {
	i := slices.IndexFunc(st.Roles, func(r Role) bool { return r.ID == id })
	if i < 0 {
		return Role{}, false
	}
	return st.Roles[i], true
}

// put adds m to a workspace, or replaces the row of the same type and ID.
func (st *state) put(workspace string, m Member, now time.Time, by string) {
	w := st.workspace(workspace)
	if w == nil {
		return
	}
	m.Updated, m.By = now, by
	m.Roles = slices.Clone(m.Roles)
	if i := w.index(m.Type, m.UserID); i >= 0 {
		m.RecordID, m.Created = w.Members[i].RecordID, w.Members[i].Created
		w.Members[i] = m
		return
	}
	st.Seq++
	m.RecordID, m.Created = fmt.Sprintf("%032x", st.Seq), now
	w.Members = append(w.Members, m)
}

func (w *Workspace) index(kind int, id string) int {
	return slices.IndexFunc(w.Members, func(m Member) bool { return m.Type == kind && m.UserID == id })
}

// byAnyKind finds a row as DeleteWorkspaceusers names it, by an ID alone.
func (w *Workspace) byAnyKind(id string) int {
	return slices.IndexFunc(w.Members, func(m Member) bool { return m.UserID == id })
}

func (st *state) clone() *state {
	var c state
	// A state is made of strings, numbers and times: it survives its own JSON.
	if err := json.Unmarshal(st.encode(), &c); err != nil {
		panic(err)
	}
	return &c
}

func (st *state) encode() []byte {
	b, err := json.Marshal(st)
	if err != nil {
		panic(err)
	}
	return b
}
