package compshare

import (
	"context"
	"strconv"

	"github.com/ucloud/ucloud-sdk-go/services/ucompshare"
	"github.com/ucloud/ucloud-sdk-go/ucloud"

	"countersign/workflow"
)

// Apply makes the change's one call: CreateCompShareTeamRelation for invite, SetCompShareTeamRelation for the rest
// (docs.ucloud.cn and compshare.cn, pages of the same names). What Read found impossible is not sent.
func (p *Provider) Apply(ctx context.Context, c workflow.Change, m workflow.Membership) workflow.Outcome {
	t, err := targetOf(c)
	if err != nil {
		return refused(workflow.ClassRefused, "", err.Error())
	}
	if m.Fit == workflow.Impossible {
		return workflow.Outcome{Verdict: workflow.Refused, Fault: m.Why}
	}
	if c.Action == workflow.Invite {
		return p.invite(ctx, c, t)
	}
	return p.setRelation(ctx, c, t)
}

func (p *Provider) invite(ctx context.Context, c workflow.Change, t target) workflow.Outcome {
	who := ucompshare.CreateCompShareTeamRelationParamUserInfo{UserCompanyId: &t.company}
	if c.Remark != "" {
		who.RemarkName = &c.Remark
	}
	a, out := p.call(ctx, "CreateCompShareTeamRelation", &ucompshare.CreateCompShareTeamRelationRequest{
		TeamId: &t.team, UserInfo: []ucompshare.CreateCompShareTeamRelationParamUserInfo{who},
	})
	return p.mapped(a, t, out)
}

// mapped looks into the ErrorMap of an answer that is a success as a whole. The documents have one for invitations
// only; an answer that says both yes and no is not a yes, whichever call it answers.
func (p *Provider) mapped(a *answer, t target, out workflow.Outcome) workflow.Outcome {
	if out.Verdict != workflow.Applied {
		return advised(out)
	}
	entries, err := a.refusals()
	no, ours := entries[strconv.Itoa(t.company)]
	var bad workflow.Outcome
	switch {
	case err != nil:
		bad = unclear(workflow.ClassUnclear, "", "the answer says RetCode 0, but "+err.Error())
	case ours:
		bad = codeVerdict("ErrorMap", no.Code, no.Message)
	case len(entries) > 0:
		bad = unclear(workflow.ClassUnclear, "", "the answer's ErrorMap is about another company")
	default:
		return out
	}
	bad.RequestID, bad.Fault.RequestID = out.RequestID, out.RequestID
	bad.Fault.Text = p.keys.text(bad.Fault.Text)
	return advised(bad)
}

// statuses are the operations of SetCompShareTeamRelation. Send is documented on compshare.cn only.
var statuses = map[workflow.Action]string{
	workflow.Resend: "Send",
	workflow.Cancel: "Cancel",
	workflow.Rename: "UpdateRemarkName",
	workflow.Accept: "Agree",
	workflow.Reject: "Reject",
}

// setRelation sends no UserCompanyId with Agree and Reject: they are the caller's own, as by the vendor's command line.
func (p *Provider) setRelation(ctx context.Context, c workflow.Change, t target) workflow.Outcome {
	status, ok := statuses[c.Action]
	if !ok {
		return refused(workflow.ClassRefused, "", "not sent: CompShare has no "+strconv.Quote(string(c.Action)))
	}
	req := &ucompshare.SetCompShareTeamRelationRequest{TeamId: ucloud.String(strconv.Itoa(t.team)), Status: &status}
	if !forItself(c.Action) {
		req.UserCompanyId = ucloud.String(strconv.Itoa(t.company))
	}
	if c.Action == workflow.Rename {
		req.RemarkName = ucloud.String(c.Remark)
	}
	a, out := p.call(ctx, "SetCompShareTeamRelation", req)
	return p.mapped(a, t, out)
}
