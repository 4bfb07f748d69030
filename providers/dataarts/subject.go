package dataarts

import (
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	"countersign/workflow"
)

// This file is all that this package supposes of users and user groups in the vendor's bodies, paths and rows. For
// groups the vendor documents the body of an addition, and nothing else.

// The values of type in a request and in a row.
const (
	typeUser  = 0
	typeGroup = 1
)

func kindOf(s workflow.Subject) int32 {
	if s.Kind == workflow.UserGroup {
		return typeGroup
	}
	return typeUser
}

// known reports whether s is a subject of a kind and of a shape that may be sent.
func known(s workflow.Subject) bool {
	return (s.Kind == workflow.Member || s.Kind == workflow.UserGroup) && idShape.MatchString(s.ID)
}

// pathID is what ends the path of UpdateWorkSpaceUserOrGroup, and what DeleteWorkspaceusers takes in user_ids.
func pathID(s workflow.Subject) string { return s.ID }

// is reports whether r is the row of s. A row without a type is a user's.
func (r row) is(s workflow.Subject) bool { return int32(r.Type) == kindOf(s) && r.UserID == s.ID }

// userDto is the body of AddWorkSpaceUsers and of UpdateWorkSpaceUserOrGroup (the vendor's ApigWorkspaceUserDto).
func userDto(c workflow.Change, a account) *model.ApigWorkspaceUserDto {
	dto := &model.ApigWorkspaceUserDto{Type: kindOf(c.Subject)}
	if c.Subject.Kind == workflow.UserGroup {
		dto.Groups = &[]model.Group{{Id: &c.Subject.ID}}
	} else {
		dto.UserIds = &[]model.ApigIamUserDto{a.dto(c.Subject.ID)}
	}
	for i := range c.Roles {
		dto.RolesIds = append(dto.RolesIds, model.ApigRole{RoleId: &c.Roles[i].ID})
	}
	return dto
}

// account is what the vendor's ApigIamUserDto says of a user besides the roles, as far as it was read. It is the Row of
// a Membership.
type account struct {
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name,omitempty"`
	DomainID    string `json:"domain_id,omitempty"`
	DomainName  string `json:"domain_name,omitempty"`
	DomainOwner *bool  `json:"domain_owner,omitempty"`
}

// dto is a as it is sent. What was read of somebody else is not sent.
func (a account) dto(id string) model.ApigIamUserDto {
	if a.UserID != id {
		return model.ApigIamUserDto{UserId: &id}
	}
	return model.ApigIamUserDto{
		UserId: &id, UserName: unlessEmpty(a.UserName), DomainId: unlessEmpty(a.DomainID),
		DomainName: unlessEmpty(a.DomainName), IsDomainOwner: a.DomainOwner,
	}
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
