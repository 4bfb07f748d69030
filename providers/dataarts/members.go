package dataarts

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	"countersign/workflow"
)

// row is one member in the vendor's list (ApigWorkspaceUserbody), without the times, which the SDK rounds to the
// minute, and which mean nothing here.
type row struct {
	RecordID    string     `json:"id"`
	Type        int        `json:"type"`
	UserID      string     `json:"user_id"`
	UserName    string     `json:"user_name"`
	DomainID    string     `json:"domain_id"`
	DomainName  string     `json:"domain_name"`
	DomainOwner *looseBool `json:"domain_owner"`
	Roles       []roleRow  `json:"roles"`
}

type roleRow struct {
	ID   string `json:"role_id"`
	Code string `json:"role_code"`
	Name string `json:"role_name"`
}

// looseBool is a bool that may come as a string: the vendor's example shows one where its table says Boolean.
type looseBool bool

// UnmarshalJSON accepts true, false, "true" and "false".
func (b *looseBool) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `true`, `"true"`:
		*b = true
	case `false`, `"false"`:
		*b = false
	default:
		return fmt.Errorf("%s is not a bool", text)
	}
	return nil
}

// key tells rows apart. A row without a user's ID is nobody that a change can name, but it counts.
func (r row) key() string {
	if r.UserID == "" {
		return "record " + r.RecordID
	}
	return strconv.Itoa(r.Type) + " " + r.UserID
}

// roleIDs are sorted, each once, and never nil. A role without an ID makes the state untellable.
func (r row) roleIDs() ([]string, *workflow.Fault) {
	ids := []string{}
	for _, role := range r.Roles {
		if role.ID == "" {
			return nil, unclearList("a role of the member has no ID")
		}
		ids = append(ids, role.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func (r row) account() account {
	a := account{UserID: r.UserID, UserName: r.UserName, DomainID: r.DomainID, DomainName: r.DomainName}
	if r.DomainOwner != nil {
		owner := bool(*r.DomainOwner)
		a.DomainOwner = &owner
	}
	return a
}

// domainOf is the account that the workspace belongs to, as far as its rows tell: its owner's.
func domainOf(rows []row) string {
	domain := ""
	for _, r := range rows {
		if !idShape.MatchString(r.DomainID) {
			continue
		}
		if r.DomainOwner != nil && bool(*r.DomainOwner) {
			return r.DomainID
		}
		if domain == "" {
			domain = r.DomainID
		}
	}
	return domain
}

// rows reads all of ListWorkspaceusers.
func (p *Provider) rows(ctx context.Context, workspace string) ([]row, *workflow.Fault) {
	return readAll(row.key, func(offset int) (page[row], *workflow.Fault) {
		limit, from := strconv.Itoa(pageSize), strconv.Itoa(offset)
		return fetch[page[row]](ctx, p, api{
			name: "ListWorkspaceusers", def: studio.GenReqDefForListWorkspaceusers(), limit: listLimit,
			req: &model.ListWorkspaceusersRequest{WorkspaceId: workspace, Limit: &limit, Offset: &from},
		})
	})
}

// roles reads ListWorkspaceRoles, which the vendor does not cut into pages.
func (p *Provider) roles(ctx context.Context, workspace string) ([]workflow.RoleRef, *problem) {
	a, b := p.ask(ctx, api{
		name: "ListWorkspaceRoles", def: studio.GenReqDefForListWorkspaceRoles(), limit: listLimit,
		req: &model.ListWorkspaceRolesRequest{WorkspaceId: &workspace},
	})
	if b != nil {
		return nil, b
	}
	var rows []roleRow
	if err := decode(*a.Body, &rows); err != nil {
		return nil, p.neither(a, "the answer is not a list of roles: "+err.Error())
	}
	var roles []workflow.RoleRef
	for _, r := range rows {
		if r.ID != "" {
			roles = append(roles, r.ref())
		}
	}
	return roles, nil
}

func (r roleRow) ref() workflow.RoleRef {
	if known, ok := preset(r.ID); ok {
		return known
	}
	return workflow.RoleRef{ID: r.ID, Name: r.Name}
}

// fetch makes an exchange and decodes its answer.
func fetch[T any](ctx context.Context, p *Provider, a api) (T, *workflow.Fault) {
	var v T
	got, b := p.ask(ctx, a)
	if b != nil {
		return v, b.fault
	}
	if err := decode(*got.Body, &v); err != nil {
		return v, p.neither(got, "the answer is not the documented JSON: "+err.Error()).fault
	}
	return v, nil
}
