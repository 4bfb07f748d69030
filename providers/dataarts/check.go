package dataarts

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"countersign/workflow"
)

// presets are the roles that every workspace has: ApigRole in the vendor's document.
var presets = []workflow.RoleRef{
	{ID: adminID, Name: "admin"},
	{ID: "r00002", Name: "developer"},
	{ID: "r00003", Name: "operator"},
	{ID: "r00004", Name: "viewer"},
}

const adminID = "r00001"

// Preset is the ID of a role that every workspace has, by its name or ID in any case; any other role is returned as it is.
func Preset(role string) string {
	for _, p := range presets {
		if strings.EqualFold(role, p.Name) || strings.EqualFold(role, p.ID) {
			return p.ID
		}
	}
	return role
}

// roleShape is how the ID of a role looks that is no preset.
var roleShape = regexp.MustCompile(`^r[0-9][A-Za-z0-9_-]{0,126}$`)

// maxRoles is the vendor's limit of roles_ids.
const maxRoles = 100

// Check implements workflow.Provider. `as` is one role or several, comma-separated, by name or ID; a role named twice
// counts once. The names of roles that are no presets are those that Resolve has found. A time limit makes sense for what
// is given, not for what is taken away.
func (p *Provider) Check(d workflow.Draft) (workflow.Change, error) {
	if r := checkAction(d.Action, p.system); r != nil {
		return workflow.Change{}, r
	}
	c := workflow.Change{Action: d.Action, System: d.System, Group: d.Group, Subject: d.Subject, Limit: d.Limit}
	if r := checkSubject(&c); r != nil {
		return workflow.Change{}, r
	}
	if !idShape.MatchString(d.Group) {
		return workflow.Change{}, workflow.Refuse(workflow.BadWorkspace, d.Group)
	}
	if r := checkAs(&c, d); r != nil {
		return workflow.Change{}, r
	}
	return c, nil
}

func checkAction(a workflow.Action, system string) *workflow.Refusal {
	if slices.Contains(Actions(), a) {
		return nil
	}
	switch a {
	case workflow.Invite, workflow.Resend, workflow.Cancel, workflow.Rename, workflow.Accept, workflow.Reject:
		return workflow.Refuse(workflow.ActionNotHere, string(a), system, actionNames())
	default:
		return workflow.Refuse(workflow.BadAction, string(a), actionNames())
	}
}

func checkSubject(c *workflow.Change) *workflow.Refusal {
	if c.Subject.ID == "" {
		return workflow.Refuse(workflow.MissingWho, string(c.Action))
	}
	if c.Subject.Kind == "" {
		c.Subject.Kind = workflow.Member
	}
	if !known(c.Subject) {
		return workflow.Refuse(workflow.BadIAM, c.Subject.String())
	}
	return nil
}

func checkAs(c *workflow.Change, d workflow.Draft) *workflow.Refusal {
	if c.Action == workflow.RemoveOne {
		if d.HasAs {
			return workflow.Refuse(workflow.AsNotAllowed, string(c.Action))
		}
		return checkEndless(d)
	}
	if !d.HasAs {
		return workflow.Refuse(workflow.MissingAs, string(c.Action))
	}
	if c.Action == workflow.DropRole && d.Limit != 0 {
		return checkEndless(d)
	}
	roles, r := parseRoles(d.As, d.Roles)
	c.Roles = roles
	return r
}

func checkEndless(d workflow.Draft) *workflow.Refusal {
	if d.Limit != 0 {
		return workflow.Refuse(workflow.NothingToEnd, string(d.Action))
	}
	return nil
}

// parseRoles returns the roles in the order of their IDs, each once.
func parseRoles(text string, found []workflow.RoleRef) ([]workflow.RoleRef, *workflow.Refusal) {
	var roles []workflow.RoleRef
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return nil, workflow.Refuse(workflow.EmptyItem)
		}
		role, ok := parseRole(item, found)
		if !ok {
			return nil, workflow.Refuse(workflow.BadRole, item, roleNames())
		}
		roles = append(roles, role)
	}
	slices.SortFunc(roles, func(a, b workflow.RoleRef) int { return cmp.Compare(a.ID, b.ID) })
	roles = slices.Compact(roles)
	if len(roles) > maxRoles {
		return nil, workflow.Refuse(workflow.TooLong, strconv.Itoa(maxRoles))
	}
	return roles, nil
}

func parseRole(item string, found []workflow.RoleRef) (workflow.RoleRef, bool) {
	for _, r := range presets {
		if strings.EqualFold(item, r.ID) || strings.EqualFold(item, r.Name) {
			return r, true
		}
	}
	for _, r := range found {
		if item == r.ID || r.Name != "" && strings.EqualFold(item, r.Name) {
			return r, true
		}
	}
	return workflow.RoleRef{ID: item}, roleShape.MatchString(item)
}

func preset(id string) (workflow.RoleRef, bool) {
	i := slices.IndexFunc(presets, func(r workflow.RoleRef) bool { return r.ID == id })
	if i < 0 {
		return workflow.RoleRef{}, false
	}
	return presets[i], true
}

func roleNames() string {
	names := make([]string, len(presets))
	for i, r := range presets {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}

func actionNames() string {
	var names []string
	for _, a := range Actions() {
		names = append(names, string(a))
	}
	return strings.Join(names, ", ")
}
