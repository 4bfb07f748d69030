package dataartsfake

import (
	"net/http"
	"regexp"
)

// The routes, by the vendor's API names.
const (
	AddWorkSpaceUsers           = "AddWorkSpaceUsers"
	UpdateWorkSpaceUserOrGroup  = "UpdateWorkSpaceUserOrGroup"
	DeleteWorkspaceusers        = "DeleteWorkspaceusers"
	ListWorkspaceusers          = "ListWorkspaceusers"
	ListWorkspaceRoles          = "ListWorkspaceRoles"
	ListManagerWorkSpaces       = "ListManagerWorkSpaces"
	ShowWorkSpace               = "ShowWorkSpace"
	ListDataArtsStudioInstances = "ListDataArtsStudioInstances"
	ShowUser                    = "ShowUser"
	KeystoneListUsers           = "KeystoneListUsers"
	KeystoneShowGroup           = "KeystoneShowGroup"
)

// route is one API: where it is and how it answers. handle runs under the server's lock.
type route struct {
	name     string
	method   string
	path     *regexp.Regexp
	mutating bool
	project  bool // the path's first parameter is the project
	handle   func(*Server, *call, quirks) reply
}

const id = `([a-z0-9]{32})`

func at(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

// routes are in the order in which they are tried: /v2/{project}/users/role has the shape of no other.
var routes = []route{
	{AddWorkSpaceUsers, http.MethodPost, at("/v2/" + id + "/" + id + "/users"), true, true, (*Server).addUsers},
	{UpdateWorkSpaceUserOrGroup, http.MethodPut, at("/v2/" + id + "/" + id + "/users/" + id), true, true, (*Server).updateUser},
	{DeleteWorkspaceusers, http.MethodPost, at("/v2/" + id + "/" + id + "/delete-users"), true, true, (*Server).deleteUsers},
	{ListWorkspaceusers, http.MethodGet, at("/v2/" + id + "/" + id + "/users"), false, true, (*Server).listUsers},
	{ListWorkspaceRoles, http.MethodGet, at("/v2/" + id + "/users/role"), false, true, (*Server).listRoles},
	{ListManagerWorkSpaces, http.MethodGet, at("/v1/" + id + "/workspaces/" + id), false, true, (*Server).listWorkspaces},
	{ShowWorkSpace, http.MethodGet, at("/v1/" + id + "/workspaces/" + id + "/" + id), false, true, (*Server).showWorkspace},
	{ListDataArtsStudioInstances, http.MethodGet, at("/v1/" + id + "/instances"), false, true, (*Server).listInstances},
	{ShowUser, http.MethodGet, at(`/v3\.0/OS-USER/users/` + id), false, false, (*Server).showUser},
	{KeystoneListUsers, http.MethodGet, at("/v3/users"), false, false, (*Server).listIAMUsers},
	{KeystoneShowGroup, http.MethodGet, at("/v3/groups/" + id), false, false, (*Server).showGroup},
}

// Routes are the names of all routes.
func Routes() []string {
	names := make([]string, len(routes))
	for i, r := range routes {
		names[i] = r.name
	}
	return names
}

func match(r *http.Request) (*route, []string) {
	for i := range routes {
		if routes[i].method != r.Method {
			continue
		}
		if m := routes[i].path.FindStringSubmatch(r.URL.Path); m != nil {
			return &routes[i], m[1:]
		}
	}
	return nil, nil
}
