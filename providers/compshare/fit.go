package compshare

import (
	"fmt"

	"countersign/workflow"
)

// fit says how a membership that was read stands to the wanted one.
//
//	         absent    pending    joined      rejected   canceled   a status not known
//	invite   differs   satisfied  satisfied   differs    differs    differs
//	resend   differs*? differs*   impossible  differs*   differs*   differs*
//	cancel   satisfied differs    impossible  satisfied  satisfied  impossible
//	rename   differs?  differs, or satisfied where the remark is as wanted already
//	accept   differs   differs    satisfied   differs    differs    differs
//	reject   differs   differs    impossible  satisfied  differs    impossible
//
//	* blind: sending again shows in nothing that can be read
//	? impossible where every list was read: the company has no relation with the team
//
// Where the wanted state is neither there nor out of reach, the vendor is asked: it is the authority on what it allows.
// Cancel and reject are never sent at a relation that is joined, or might be.
func fit(c workflow.Change, m Member, sure bool) workflow.Membership {
	out := workflow.Membership{State: m.state(), Fit: workflow.Differs, Row: m.json()}
	switch {
	case satisfied(c, m):
		out.Fit = workflow.Satisfied
	case c.Action == workflow.Resend && m.Status == Joined:
		return impossible(out, "the company has joined already; there is no invitation to send again")
	case sure && m.Status == Absent && (c.Action == workflow.Resend || c.Action == workflow.Rename):
		return impossible(out, "the company is neither a member of the team nor invited")
	case harmful(c.Action, m.Status):
		return impossible(out, harm(m.Status))
	}
	out.Blind = c.Action == workflow.Resend
	return out
}

func satisfied(c workflow.Change, m Member) bool {
	switch c.Action {
	case workflow.Invite:
		return m.Status == Pending || m.Status == Joined
	case workflow.Cancel:
		return m.Status == Absent || m.Status == Canceled || m.Status == Rejected
	case workflow.Rename:
		return m.Status != Absent && m.Remark == c.Remark
	case workflow.Accept:
		return m.Status == Joined
	case workflow.Reject:
		return m.Status == Rejected
	default:
		return false
	}
}

// harmful reports whether the call might remove a member.
func harmful(a workflow.Action, s Status) bool {
	if a != workflow.Cancel && a != workflow.Reject {
		return false
	}
	switch s {
	case Absent, Pending, Rejected, Canceled:
		return false
	default:
		return true
	}
}

func harm(s Status) string {
	if s == Joined {
		return "the member has joined already; CompShare documents no call that removes a joined member, nor what this one would do"
	}
	return fmt.Sprintf("the membership is %q, a state that CompShare does not document; this call might remove a member", s)
}

func impossible(m workflow.Membership, text string) workflow.Membership {
	m.Fit, m.Why = workflow.Impossible, &workflow.Fault{Class: workflow.ClassState, Text: text}
	return m
}
