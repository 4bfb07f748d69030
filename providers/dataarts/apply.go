package dataarts

import (
	"context"
	"encoding/json"
	"slices"

	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	"countersign/workflow"
)

// Apply implements workflow.Provider by one request:
//
//   - add: AddWorkSpaceUsers, POST /v2/{project_id}/{workspace_id}/users
//   - role: UpdateWorkSpaceUserOrGroup, PUT /v2/{project_id}/{workspace_id}/users/{user_id}; the roles given replace
//     those that were
//   - add-role, drop-role: the same with the whole set that the read roles and the change make; then ListWorkspaceusers
//     must show it
//   - remove: DeleteWorkspaceusers, POST /v2/{project_id}/{workspace_id}/delete-users
//
// It is Applied if and only if the answer is 200 with is_success true, and for a single role the list agrees. Another's
// change between the read and the PUT is lost: the vendor has no conditional write.
func (p *Provider) Apply(ctx context.Context, c workflow.Change, m workflow.Membership) workflow.Outcome {
	f := sound(c)
	single := c.Action == workflow.AddRole || c.Action == workflow.DropRole
	if f == nil && single {
		f = singleRoles(&c, m)
	}
	if f != nil {
		return workflow.Outcome{Verdict: workflow.Refused, Fault: f}
	}
	a, b := p.ask(ctx, mutation(c, m))
	if b == nil {
		b = p.verdict(a)
	}
	if b == nil && single {
		b = p.readBack(ctx, c, a)
	}
	switch {
	case b == nil:
		return workflow.Outcome{Verdict: workflow.Applied, RequestID: a.requestID}
	case b.unclear:
		b.fault.Class = workflow.ClassUnclear
		return workflow.Outcome{Verdict: workflow.Unclear, Fault: b.fault, RequestID: b.fault.RequestID}
	default:
		if b.fault.Class == workflow.ClassRefused && quota.MatchString(b.fault.Text) {
			b.fault.Class = workflow.ClassQuota
		}
		return workflow.Outcome{Verdict: workflow.Refused, Fault: b.fault, RequestID: b.fault.RequestID}
	}
}

// mutation is the one request of a change.
func mutation(c workflow.Change, m workflow.Membership) api {
	var read account
	// A Row that cannot be read says nothing of the user: the ID alone is sent.
	_ = json.Unmarshal(m.Row, &read)
	switch c.Action {
	case workflow.Add:
		return api{
			name: "AddWorkSpaceUsers", def: studio.GenReqDefForAddWorkSpaceUsers(), limit: otherLimit,
			req: &model.AddWorkSpaceUsersRequest{WorkspaceId: c.Group, Body: userDto(c, read)},
		}
	case workflow.SetRole, workflow.AddRole, workflow.DropRole:
		return api{
			name: "UpdateWorkSpaceUserOrGroup", def: studio.GenReqDefForUpdateWorkSpaceUserOrGroup(), limit: otherLimit,
			req: &model.UpdateWorkSpaceUserOrGroupRequest{
				WorkspaceId: c.Group, UserId: pathID(c.Subject), Body: userDto(c, read),
			},
		}
	default: // RemoveOne: sound lets no other pass
		var ids any = []string{pathID(c.Subject)}
		return api{
			name: "DeleteWorkspaceusers", def: studio.GenReqDefForDeleteWorkspaceusers(), limit: otherLimit,
			req: &model.DeleteWorkspaceusersRequest{WorkspaceId: c.Group, Body: &model.ApigDelUserParams{UserIds: &ids}},
		}
	}
}

// singleRoles puts into a change of single roles the whole set to be written.
func singleRoles(c *workflow.Change, m workflow.Membership) *workflow.Fault {
	var set []string
	if m.State != absent && m.State != "" {
		set = changed(*c, m.Roles)
	}
	if len(set) == 0 {
		return &workflow.Fault{Class: workflow.ClassState, Text: "not sent: no role would be left"}
	}
	c.Roles = make([]workflow.RoleRef, len(set))
	for i, id := range set {
		c.Roles[i] = workflow.RoleRef{ID: id}
	}
	return nil
}

// readBack looks whether the set that was written is there. Where it is not, or cannot be seen, nothing is certain.
func (p *Provider) readBack(ctx context.Context, c workflow.Change, a answer) *problem {
	rows, f := p.rows(ctx, c.Group)
	if f != nil {
		return p.neither(a, "is_success was true, but the roles could not be read back: "+f.Error())
	}
	seen := absent
	if i := slices.IndexFunc(rows, func(r row) bool { return r.is(c.Subject) }); i >= 0 {
		ids, f := rows[i].roleIDs()
		if f == nil && slices.Equal(ids, wanted(c)) {
			return nil
		}
		seen = stateOf(ids)
	}
	return p.neither(a, "is_success was true, but read back the roles are "+seen)
}

// verdict reads the body of a mutating call's 200; nil is "applied".
func (p *Provider) verdict(a answer) *problem {
	var said struct {
		Message   json.RawMessage `json:"message"`
		Success   *bool           `json:"is_success"`
		ErrorCode string          `json:"error_code"`
		ErrorMsg  string          `json:"error_msg"`
	}
	if err := decode(*a.Body, &said); err != nil {
		return p.neither(a, "the answer is not the documented JSON: "+err.Error())
	}
	if said.Success == nil {
		b := p.neither(a, "the answer has no is_success")
		if said.ErrorCode != "" {
			b.fault.Code, b.fault.Text = p.clean(said.ErrorCode), p.clean(said.ErrorMsg)
		}
		return b
	}
	if *said.Success {
		return nil
	}
	return &problem{status: a.HttpStatusCode, fault: &workflow.Fault{
		Class: workflow.ClassRefused, Text: p.clean(message(said.Message)), RequestID: a.requestID,
	}}
}

func message(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return text
	}
	if text = string(raw); text != "" && text != "null" && text != `""` {
		return text
	}
	return "is_success is false, without a message"
}
