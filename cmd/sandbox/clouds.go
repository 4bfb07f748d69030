package main

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
)

// companies are names for the company numbers of CompShare's seed, which has none; the page shows them beside the
// numbers, so that a newcomer can tell them apart.
var companies = map[string]string{
	"50001": "Acme", "50002": "Zhang San 张三", "50003": "Chen Jing 陈静", "50004": "Zhao Lei 赵磊",
	"50005": "Vision Lab", "50006": "Li Si 李四", "50009": "Unverified Ltd", "50010": "LLM platform",
}

// team is a CompShare team as its owner sees it.
type team struct {
	ID        uint32     `json:"id"`
	Name      string     `json:"name"`
	Owner     uint32     `json:"owner"`
	Relations []relation `json:"relations"`
}

type relation struct {
	Company uint32 `json:"company"`
	Status  string `json:"status"`
	Remark  string `json:"remark"`
	Sent    int    `json:"sent"`
}

// workspace is a DataArts Studio workspace.
type workspace struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []member `json:"members"`
}

type member struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Group bool     `json:"group,omitempty"`
	Owner bool     `json:"owner,omitempty"`
	Roles []string `json:"roles"`
	// RoleIDs are the roles by their IDs, in the order of Roles.
	RoleIDs []string `json:"role_ids"`
}

// call is one call that a cloud got.
type call struct {
	Cloud    string    `json:"cloud"`
	Time     time.Time `json:"time"`
	Name     string    `json:"name"`
	Detail   string    `json:"detail"`
	Mutating bool      `json:"mutating"`
	Applied  bool      `json:"applied"`
	// Answer is what the client was told; empty where it was told nothing.
	Answer string `json:"answer"`
	Failed bool   `json:"failed"`
}

// named are the people and roles that a request to DataArts names, for those who do not know IDs by heart.
func named(body string) string {
	var names []string
	for _, m := range nameIn.FindAllStringSubmatch(body, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return strings.Join(names, ", ")
}

var nameIn = regexp.MustCompile(`"(?:user_name|role_code)"\s*:\s*"([^"]+)"`)

func (w *world) teams() []team {
	raw, err := w.CompShare.Snapshot()
	if err != nil {
		return nil
	}
	var st compsharefake.State
	decode(raw, &st)
	var list []team
	for _, t := range st.Teams {
		if t.Deleted || t.ID == 9001 {
			continue
		}
		out := team{ID: t.ID, Name: t.Name, Owner: t.Owner, Relations: []relation{}}
		for _, r := range st.Relations {
			if r.Team == t.ID {
				out.Relations = append(out.Relations, relation{r.Company, r.Status, r.Remark, r.Sent})
			}
		}
		list = append(list, out)
	}
	return list
}

// dataartsState is what the emulator of DataArts Studio knows, as far as the page is concerned.
type dataartsState struct {
	Workspaces []dataartsfake.Workspace `json:"workspaces"`
	Users      []dataartsfake.IAMUser   `json:"users"`
	Groups     []dataartsfake.IAMGroup  `json:"groups"`
	Roles      []dataartsfake.Role      `json:"roles"`
}

func (w *world) dataarts() (st dataartsState) {
	decode(w.DataArts.Snapshot(), &st)
	return st
}

// names are the names of users, user groups and roles, by their IDs.
func (st dataartsState) names() map[string]string {
	names := map[string]string{}
	for _, u := range st.Users {
		names[u.ID] = u.Name
	}
	for _, g := range st.Groups {
		names[g.ID] = g.Name
	}
	for _, r := range st.Roles {
		names[r.ID] = r.Code
	}
	return names
}

// iam is whom and what a member can be in a workspace.
type iam struct {
	Subjects []subject `json:"subjects"`
	Roles    []subject `json:"roles"`
}

type subject struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Group bool   `json:"group,omitempty"`
}

func (st dataartsState) iam() (all iam) {
	for _, u := range st.Users {
		all.Subjects = append(all.Subjects, subject{u.ID, u.Name, false})
	}
	for _, g := range st.Groups {
		all.Subjects = append(all.Subjects, subject{g.ID, g.Name, true})
	}
	for _, r := range st.Roles {
		all.Roles = append(all.Roles, subject{r.ID, cmp.Or(r.Code, r.Name), false})
	}
	return all
}

func (st dataartsState) workspaces() []workspace {
	names := st.names()
	var list []workspace
	for _, ws := range st.Workspaces {
		out := workspace{ID: ws.ID, Name: ws.Name, Members: []member{}}
		for _, m := range ws.Members {
			row := member{
				ID: m.UserID, Name: cmp.Or(m.UserName, names[m.UserID]), Group: m.Type == dataartsfake.TypeGroup,
				Owner: m.DomainOwner, Roles: []string{}, RoleIDs: slices.Clone(m.Roles),
			}
			for _, r := range m.Roles {
				row.Roles = append(row.Roles, cmp.Or(names[r], r))
			}
			out.Members = append(out.Members, row)
		}
		list = append(list, out)
	}
	return list
}

// calls are what both clouds were called for, in the order of time, the oldest left out.
func (w *world) calls() []call {
	list := []call{}
	for _, c := range w.CompShare.Calls() {
		list = append(list, compshareCall(c))
	}
	for _, c := range w.DataArts.Calls() {
		out := dataartsCall(c)
		out.Time = w.clock.inHere(c.Time)
		list = append(list, out)
	}
	slices.SortStableFunc(list, func(a, b call) int { return a.Time.Compare(b.Time) })
	return list[max(0, len(list)-maxShown):]
}

// telling are the parameters of CompShare's calls that tell a reader what was asked for.
var telling = map[string]bool{
	"TeamId": true, "Status": true, "UserCompanyId": true, "CompanyId": true, "RemarkName": true,
}

func compshareCall(c compsharefake.Call) call {
	out := call{Cloud: "CompShare", Time: c.Time, Name: c.Action, Mutating: c.Mutating, Applied: c.Applied}
	// The parameters that say something, in the order of their names: the rest is region, project and the like.
	for _, k := range slices.Sorted(maps.Keys(c.Params)) {
		last := k[strings.LastIndexByte(k, '.')+1:]
		if telling[last] && c.Params[k] != "" {
			out.Detail += " " + last + "=" + c.Params[k]
		}
	}
	out.Detail = strings.TrimSpace(out.Detail)
	switch {
	case c.Fault == compsharefake.Cut || c.Fault == compsharefake.Truncated:
		out.Failed = true
	case c.Fault != "" && c.Fault != compsharefake.RetCode:
		out.Answer, out.Failed = string(c.Fault), true
	default:
		out.Answer, out.Failed = "RetCode "+strconv.Itoa(c.RetCode), c.RetCode != 0
	}
	return out
}

// longID is what Huawei Cloud's IDs look like; six characters are enough to tell those of the seed apart.
var longID = regexp.MustCompile(`\b[0-9a-z]{32}\b`)

func dataartsCall(c dataartsfake.Call) call {
	path, _, _ := strings.Cut(c.Path, "?")
	path = longID.ReplaceAllStringFunc(path, func(id string) string { return id[:6] + "…" })
	out := call{
		Cloud: "DataArts", Time: c.Time, Name: cmp.Or(c.Route, c.Method+" "+path), Mutating: c.Mutating, Applied: c.Applied,
		Detail: strings.TrimSpace(c.Method + " " + path + " " + named(c.Body)), Answer: strconv.Itoa(c.Status), Failed: c.Status >= http.StatusBadRequest,
	}
	if c.Status == 0 {
		out.Answer, out.Failed = "", true
	}
	return out
}
