package compshare

import (
	"slices"

	"countersign/workflow"
)

// fill completes a membership for people: how the company stands to the team and would stand, what the team is called,
// and whether the invitation was answered already. Where it leads as a State cannot be told: that has the time of the
// invitation in it, which the vendor sets. A company has no name here but its remark.
func (p *Provider) fill(c workflow.Change, m Member, out *workflow.Membership) {
	out.GroupName = p.keys.text(m.TeamName)
	out.Now = p.position(m)
	if c.Action != workflow.Rename && slices.Contains([]Status{Joined, Rejected}, m.Status) {
		out.Warnings = append(out.Warnings, workflow.Answered)
	}
	switch out.Fit {
	case workflow.Satisfied:
		out.Then = out.Now
	case workflow.Differs:
		out.Then = then(c, out.Now)
	case workflow.Impossible:
	}
}

func (p *Provider) position(m Member) workflow.Position {
	return workflow.Position{Status: string(m.Status), Remark: p.keys.text(m.Remark)}
}

// then is where a change leads from a position.
func then(c workflow.Change, now workflow.Position) workflow.Position {
	switch c.Action {
	case workflow.Invite:
		return workflow.Position{Status: string(Pending), Remark: c.Remark}
	case workflow.Resend:
		now.Status = string(Pending)
	case workflow.Cancel:
		now.Status = string(Canceled)
	case workflow.Rename:
		now.Remark = c.Remark
	case workflow.Accept:
		now.Status = string(Joined)
	case workflow.Reject:
		now.Status = string(Rejected)
	default:
	}
	return now
}
