package dataartsfake

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// quirks distort a list.
type quirks struct {
	duplicate bool // a page begins with the last row of the one before
	extra     int  // added to count
	noCount   bool
	bloat     string
}

// page is the body of every list but that of the roles.
type page struct {
	Count     *int             `json:"count,omitempty"`
	TotalPage int              `json:"total_page"`
	Data      []map[string]any `json:"data"`
	Bloat     string           `json:"description,omitempty"`
}

const (
	defaultLimit = 10
	maxLimit     = 100
)

// paged cuts the page that the query asks for out of rows.
func (s *Server) paged(query url.Values, rows []map[string]any, q quirks) reply {
	limit, err := number(query, "limit", defaultLimit)
	offset, err2 := number(query, "offset", 0)
	if err != nil || err2 != nil || limit < 1 {
		return *malformed("limit or offset is not a number")
	}
	limit = min(limit, maxLimit)
	if size := s.st.Behaviour.PageSize; size > 0 {
		limit = min(limit, size)
	}
	switch s.st.Behaviour.Offset {
	case OffsetPages:
		offset *= limit
	case OffsetPagesFrom:
		offset = max(offset-1, 0) * limit
	default: // OffsetRecords
	}
	from, to := min(offset, len(rows)), min(offset+limit, len(rows))
	if q.duplicate && from > 0 {
		from--
	}
	count := len(rows) + q.extra
	p := page{Count: &count, TotalPage: (len(rows) + limit - 1) / limit, Data: rows[from:to], Bloat: q.bloat}
	if q.noCount {
		p.Count = nil
	}
	return answer(p)
}

func number(query url.Values, name string, otherwise int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q", name, text)
	}
	return n, nil
}

// listUsers answers an unknown workspace like an empty one: so does the vendor.
func (s *Server) listUsers(c *call, q quirks) reply {
	rows := []map[string]any{}
	if w := s.st.workspace(c.params[1]); w != nil {
		for _, m := range w.Members {
			rows = append(rows, s.row(w, m))
		}
	}
	return s.paged(c.URL.Query(), rows, q)
}

func (s *Server) row(w *Workspace, m Member) map[string]any {
	roles := make([]map[string]any, len(m.Roles))
	for i, id := range m.Roles {
		role, _ := s.st.role(id)
		role.ID = id
		roles[i] = roleRow(role)
	}
	var owner any = m.DomainOwner
	if s.st.Behaviour.OwnerAsString {
		owner = strconv.FormatBool(m.DomainOwner)
	}
	return map[string]any{
		"id": m.RecordID, "user_id": m.UserID, "user_name": m.UserName, "display_user_name": m.UserName,
		"domain_id": DomainID, "domain_name": DomainName, "domain_owner": owner, "description": nil,
		"workspace_id": w.ID, "roles": roles, "type": m.Type,
		"create_time": millis(m.Created), "create_user": m.By, "update_time": millis(m.Updated), "update_user": m.By,
	}
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func roleRow(r Role) map[string]any {
	return map[string]any{"role_id": r.ID, "role_code": r.Code, "role_name": r.Name, "description": r.Name}
}

func (s *Server) listRoles(c *call, q quirks) reply {
	if s.st.workspace(c.URL.Query().Get("workspace_id")) == nil {
		return noWorkspace()
	}
	rows := make([]map[string]any, len(s.st.Roles))
	for i, r := range s.st.Roles {
		rows[i] = roleRow(r)
		if q.bloat != "" {
			rows[i]["description"] = q.bloat
		}
	}
	return answer(rows)
}

func (s *Server) listWorkspaces(c *call, q quirks) reply {
	rows := []map[string]any{}
	for _, w := range s.st.Workspaces {
		if w.InstanceID == c.params[1] {
			rows = append(rows, workspaceRow(w, c.params[0]))
		}
	}
	return s.paged(c.URL.Query(), rows, q)
}

func (s *Server) showWorkspace(c *call, _ quirks) reply {
	w := s.st.workspace(c.params[2])
	if w == nil || w.InstanceID != c.params[1] {
		return noWorkspace()
	}
	return answer(workspaceRow(*w, c.params[0]))
}

func workspaceRow(w Workspace, project string) map[string]any {
	return map[string]any{
		"id": w.ID, "name": w.Name, "instance_id": w.InstanceID, "project_id": project, "domain_id": DomainID,
		"description": "", "is_default": 0, "member_num": len(w.Members), "owner_name": "owner",
	}
}

func (s *Server) listInstances(c *call, _ quirks) reply {
	orders := []map[string]any{}
	for _, i := range s.st.Instances {
		orders = append(orders, map[string]any{"resource_id": i.ID, "resource_name": i.Name, "status": 2})
	}
	return answer(map[string]any{"count": len(orders), "commodity_orders": orders})
}

func (s *Server) showUser(c *call, q quirks) reply {
	if s.st.Behaviour.IAMRefused {
		return iamForbidden()
	}
	u, ok := s.st.user(c.params[0])
	if !ok {
		return iamError(http.StatusNotFound, "Could not find user: "+c.params[0])
	}
	row := iamRow(u)
	row["description"] = q.bloat
	return answer(map[string]any{"user": row})
}

func (s *Server) listIAMUsers(c *call, _ quirks) reply {
	if s.st.Behaviour.IAMRefused {
		return iamForbidden()
	}
	users := []map[string]any{}
	for _, u := range s.st.Users {
		if name := c.URL.Query().Get("name"); name == "" || name == u.Name {
			row := iamRow(u)
			delete(row, "email") // only ShowUser has it
			users = append(users, row)
		}
	}
	return answer(map[string]any{"users": users, "links": map[string]any{"self": c.URL.Path}})
}

func (s *Server) showGroup(c *call, _ quirks) reply {
	if s.st.Behaviour.IAMRefused {
		return iamForbidden()
	}
	g, ok := s.st.group(c.params[0])
	if !ok {
		return iamError(http.StatusNotFound, "Could not find group: "+c.params[0])
	}
	return answer(map[string]any{"group": map[string]any{
		"id": g.ID, "name": g.Name, "domain_id": DomainID, "description": "",
	}})
}

func iamRow(u IAMUser) map[string]any {
	return map[string]any{
		"id": u.ID, "name": u.Name, "domain_id": u.DomainID, "enabled": !u.Disabled, "is_domain_owner": u.DomainOwner,
		"email": u.Email, "pwd_status": false, "access_mode": "default", "description": "",
	}
}

// iamForbidden and iamError have IAM's own shape, whose code is a number.
func iamForbidden() reply {
	return iamError(http.StatusForbidden, "You are not authorized to perform the requested action.")
}

func iamError(status int, message string) reply {
	r := answer(map[string]any{
		"error": map[string]any{"code": status, "message": message, "title": http.StatusText(status)},
	})
	r.status = status
	return r
}
