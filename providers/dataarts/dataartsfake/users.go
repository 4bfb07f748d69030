package dataartsfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// dto is the body of AddWorkSpaceUsers and UpdateWorkSpaceUserOrGroup.
type dto struct {
	Type   *int      `json:"type"`
	Users  []dtoUser `json:"user_ids"`
	Groups []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"groups"`
	Roles []struct {
		ID string `json:"role_id"`
	} `json:"roles_ids"`
}

type dtoUser struct {
	ID          string    `json:"user_id"`
	Name        string    `json:"user_name"`
	DomainID    string    `json:"domain_id"`
	DomainName  string    `json:"domain_name"`
	DomainOwner looseBool `json:"is_domain_owner"`
}

// looseBool is a JSON bool, or a string with one in it: the document's table says Boolean, its example shows "false".
type looseBool bool

// UnmarshalJSON accepts true, "true", false, "false" and null.
func (b *looseBool) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `true`, `"true"`:
		*b = true
	case `false`, `"false"`, `null`:
		*b = false
	default:
		return fmt.Errorf("is_domain_owner: %s", text)
	}
	return nil
}

const maxEntries = 100

// members are the members that the body names, with its roles; a reply if the body is wrong.
func (s *Server) members(c *call) ([]Member, *reply) {
	var d dto
	if err := json.Unmarshal(c.body, &d); err != nil {
		return nil, malformed("the body is not as documented")
	}
	roles := make([]string, len(d.Roles))
	for i, r := range d.Roles {
		roles[i] = r.ID
	}
	switch {
	case d.Type == nil || *d.Type < TypeUser || *d.Type > TypeGroup:
		return nil, malformed("type must be 0 or 1")
	case len(roles) == 0 || len(roles) > maxEntries:
		return nil, malformed("roles_ids must have 1 to 100 entries")
	}
	var members []Member
	if *d.Type == TypeGroup {
		for _, g := range d.Groups {
			members = append(members, Member{Type: TypeGroup, UserID: g.ID, UserName: g.Name, Roles: roles})
		}
	} else {
		for _, u := range d.Users {
			members = append(members, Member{UserID: u.ID, UserName: u.Name, DomainOwner: bool(u.DomainOwner), Roles: roles})
		}
	}
	if len(members) == 0 || len(members) > maxEntries {
		return nil, malformed("user_ids or groups must have 1 to 100 entries")
	}
	return members, s.unknown(members)
}

// unknown refuses members and roles that do not exist, and completes the names of those that do.
func (s *Server) unknown(members []Member) *reply {
	for i := range members {
		m := &members[i]
		for _, r := range m.Roles {
			if _, ok := s.st.role(r); !ok {
				return refusal(AnswerFalse, "The role "+r+" does not exist.")
			}
		}
		name, known := s.iamName(m)
		if !known && !s.st.Behaviour.AcceptStrangers {
			return refusal(AnswerFalse, "The user or user group "+m.UserID+" does not exist.")
		}
		if m.UserName == "" {
			m.UserName = name
		}
	}
	return nil
}

func (s *Server) iamName(m *Member) (string, bool) {
	if m.Type == TypeGroup {
		g, ok := s.st.group(m.UserID)
		return g.Name, ok
	}
	u, ok := s.st.user(m.UserID)
	return u.Name, ok
}

func (s *Server) addUsers(c *call, _ quirks) reply {
	w := s.st.workspace(c.params[1])
	if w == nil {
		return noWorkspace()
	}
	members, bad := s.members(c)
	if bad != nil {
		return *bad
	}
	if s.st.Behaviour.NeedUserName && nameless(c.body) {
		return *malformed("user_name must not be empty")
	}
	for _, m := range members {
		if w.index(m.Type, m.UserID) >= 0 {
			return *refusal(s.st.Behaviour.AddExisting, "The user "+m.UserID+" is already in the workspace.")
		}
	}
	if most := s.st.Behaviour.MaxMembers; most > 0 && len(w.Members)+len(members) > most {
		return *refusal(AnswerFalse, "The quota of workspace members is used up.")
	}
	return s.write(w.ID, members, c)
}

func nameless(body []byte) bool {
	var d dto
	_ = json.Unmarshal(body, &d) // decoded before
	return slices.ContainsFunc(d.Users, func(u dtoUser) bool { return u.Name == "" })
}

func (s *Server) write(workspace string, members []Member, c *call) reply {
	for _, m := range members {
		s.st.put(workspace, m, s.now(), c.key.Access)
	}
	r := succeed()
	r.applied = true
	return r
}

func (s *Server) updateUser(c *call, _ quirks) reply {
	w := s.st.workspace(c.params[1])
	if w == nil {
		return noWorkspace()
	}
	members, bad := s.members(c)
	switch {
	case bad != nil:
		return *bad
	case len(members) != 1:
		return *malformed("exactly one user or user group can be updated")
	}
	m := members[0]
	i := w.index(m.Type, m.UserID)
	if i < 0 {
		return *refusal(s.st.Behaviour.Absent, "The user "+m.UserID+" is not in the workspace.")
	}
	want := m.UserID
	if m.Type == TypeGroup && s.st.Behaviour.GroupPath == GroupPathRecord {
		want = w.Members[i].RecordID
	}
	if c.params[2] != want {
		return *malformed("the path's user_id is not the one of the body")
	}
	old := w.Members[i]
	m.DomainOwner, m.UserName = old.DomainOwner, old.UserName // roles are all that is updated
	return s.write(w.ID, []Member{m}, c)
}

func (s *Server) deleteUsers(c *call, _ quirks) reply {
	var d struct {
		IDs []string `json:"user_ids"`
	}
	if err := json.Unmarshal(c.body, &d); err != nil || len(d.IDs) == 0 || len(d.IDs) > maxEntries {
		return *malformed("user_ids must be 1 to 100 IDs")
	}
	w := s.st.workspace(c.params[1])
	if w == nil {
		return noWorkspace()
	}
	for _, id := range d.IDs {
		if w.byAnyKind(id) < 0 {
			return *refusal(s.st.Behaviour.Absent, "The user "+id+" is not in the workspace.")
		}
	}
	w.Members = slices.DeleteFunc(w.Members, func(m Member) bool { return slices.Contains(d.IDs, m.UserID) })
	r := succeed()
	r.applied = true
	return r
}

func malformed(why string) *reply {
	r := refuse(http.StatusBadRequest, "DAYU.4402", "The operation failed, detail msg is: "+why)
	return &r
}

// refusal is a reply to a call that changes nothing, in the way that a switch asks for.
func refusal(a Answer, message string) *reply {
	r := fail(message)
	if a == Answer4402 {
		return malformed(message)
	}
	if a == AnswerAccept {
		r = succeed()
	}
	return &r
}

func noWorkspace() reply {
	return refuse(http.StatusBadRequest, "DLM.4001", "The instance or workspace does not exist.")
}
