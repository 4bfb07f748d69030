package dataarts

import (
	"context"
	"encoding/json"

	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	"countersign/workflow"
)

// Apply implements workflow.Provider by one request:
//
//   - add: AddWorkSpaceUsers, POST /v2/{project_id}/{workspace_id}/users
//   - role: UpdateWorkSpaceUserOrGroup, PUT /v2/{project_id}/{workspace_id}/users/{user_id}; the roles given replace
//     those that were
//   - remove: DeleteWorkspaceusers, POST /v2/{project_id}/{workspace_id}/delete-users
//
// It is Applied if and only if the answer is 200 with is_success true.
func (p *Provider) Apply(ctx context.Context, c workflow.Change, m workflow.Membership) workflow.Outcome {
	if f := sound(c); f != nil {
		return workflow.Outcome{Verdict: workflow.Refused, Fault: f}
	}
	a, b := p.ask(ctx, mutation(c, m))
	if b == nil {
		b = p.verdict(a)
	}
	switch {
	case b == nil:
		return workflow.Outcome{Verdict: workflow.Applied, RequestID: a.requestID}
	case b.unclear:
		b.fault.Class = workflow.ClassUnclear
		return workflow.Outcome{Verdict: workflow.Unclear, Fault: b.fault, RequestID: b.fault.RequestID}
	default:
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
	case workflow.SetRole:
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
