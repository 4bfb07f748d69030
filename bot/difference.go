package bot

import (
	"strings"

	"countersign/workflow"
)

// difference is what an approver signs: where the subject stands now, and where it would stand.
func (l Lang) difference(r workflow.Request) string {
	p := r.Plan
	switch {
	case p == nil:
		return ""
	case p.Fault != nil:
		return l.say("plan.unread", l.date(p.At), l.vendor(p.Fault))
	case p.Membership.Now.Status == "" && len(p.Membership.Now.Roles) == 0:
		return "" // the end of a timed membership: its parent's card shows what it gave
	}
	m := p.Membership
	var lines []string
	switch m.Fit {
	case workflow.Satisfied:
		lines = append(lines, l.already(r))
	case workflow.Impossible:
		lines = append(lines, l.say("plan.impossible", l.position(m.Now), l.vendor(m.Why)))
	default:
		lines = append(lines, l.say("plan.change", l.position(m.Now), l.position(m.Then)))
	}
	for _, w := range m.Warnings {
		lines = append(lines, l.say("plan."+string(w)))
	}
	return trim(strings.Join(lines, "\n"), maxSection)
}

// already is what approving does to a membership that is as wanted: at most, it ends at another time.
func (l Lang) already(r workflow.Request) string {
	now := l.position(r.Plan.Membership.Now)
	switch r.Plan.Clock {
	case workflow.Moved:
		return l.say("plan.already.moves", now, workflow.FormatDuration(r.Change.Limit))
	case workflow.Lifted:
		return l.say("plan.already.lifts", now)
	default:
		return l.say("plan.already", now)
	}
}

// statuses are the standings that have a phrase of their own; any other is the vendor's word.
var statuses = map[string]string{
	"absent": "position.absent", "pending": "position.pending", "joined": "position.joined",
	"rejected": "position.rejected", "canceled": "position.canceled", "member": "position.member",
}

// position is where a subject stands, in words.
func (l Lang) position(p workflow.Position) string {
	key, known := statuses[p.Status]
	var words string
	switch {
	case len(p.Roles) > 0:
		words = l.roles(p.Roles)
	case known:
		words = l.say(key)
	case p.Status == "":
		words = "?"
	default:
		words = shown(p.Status, 60)
	}
	if p.Remark != "" {
		words = l.say("position.as", words, shown(p.Remark, 100))
	}
	return "*" + words + "*"
}
