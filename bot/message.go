package bot

import (
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// thread is what is said in a card's thread about what has just become of the request.
func (l Lang) thread(r workflow.Request, e workflow.Effect) string {
	if e.About == workflow.Remind {
		return l.say("thread.remind", l.progress(r))
	}
	if e.About == workflow.Drifted && r.Drift != nil && r.Plan != nil {
		return l.say("thread.drift", l.position(r.Drift.Was), l.position(r.Plan.Membership.Now))
	}
	return l.ending(r)
}

// direct is what the requester is told. Link is the request's number, linked to its card where that is known.
func (l Lang) direct(r workflow.Request, e workflow.Effect) string {
	what := l.does(r)
	switch {
	case e.About == workflow.EndsSoon:
		return l.say("dm.ends_soon", r.Number, what, l.date(ends(r)), r.Parent)
	case e.To != r.Requester:
		return l.toSubject(r, what)
	}
	switch e.About {
	case workflow.Approve:
		lack, needed := -1, 0
		for _, rule := range r.Rules() { // of the one that lacks most
			if n := sum(rule.Missing(r.Requester, r.Decisions)); n > lack {
				lack, needed = n, rule.Needed()
			}
		}
		more := l.say("dm.approve.last")
		if r.State == workflow.Pending {
			more = l.say("dm.approve.more", needed-lack, needed)
		}
		if d, ok := decided(r, e); ok && d.Reason != "" {
			more = l.join(more, l.say("dm.approve.note", shown(d.Reason, 500)))
		}
		return l.say("dm.approve", who(e.By), r.Number, what, more)
	case workflow.Deny:
		s := l.say("dm.deny", who(e.By), r.Number, what)
		if d, ok := decided(r, e); ok && d.Reason != "" {
			s = l.join(s, l.say("dm.deny.reason", shown(d.Reason, 500)))
		}
		return s
	case workflow.Planned:
		return l.say("dm.hopeless", r.Number, what, l.ending(r))
	case workflow.Drifted:
		return l.say("dm.drift", r.Number, what)
	case workflow.Expire:
		return l.say("dm.expire", r.Number, what)
	case workflow.GiveUp:
		return l.say("dm.no_card", r.Number, what, r.Rule.Channel)
	default:
		s := l.say("dm.result", r.Number, what, l.ending(r))
		if r.State == workflow.Failed {
			s += "\n" + l.say("dm.retry", r.Rule.Channel)
		}
		return s
	}
}

// toSubject is what the person is told whose membership has changed, or when it ends.
func (l Lang) toSubject(r workflow.Request, what string) string {
	switch res := r.Result; {
	case res != nil && res.Clock == workflow.Moved:
		return l.say("dm.subject.moved", r.Number, what, who(r.Requester), l.date(res.Until))
	case res != nil && res.Clock == workflow.Lifted:
		return l.say("dm.subject.lifted", r.Number, what, who(r.Requester))
	default:
		return l.say("dm.subject", r.Number, what, who(r.Requester))
	}
}

// decided is the decision that an effect tells of: approvals may have followed, or have been voided, before it is told.
func decided(r workflow.Request, e workflow.Effect) (workflow.Decision, bool) {
	all := slices.Concat(r.Voided, r.Decisions)
	for _, d := range slices.Backward(all) {
		if d.By == e.By && d.Approve == (e.About == workflow.Approve) {
			return d, true
		}
	}
	return workflow.Decision{}, false
}

// ends is when the call that ends a timed membership is due.
func ends(r workflow.Request) time.Time {
	for _, e := range r.Effects {
		if e.Kind == workflow.CallEffect {
			return e.Due
		}
	}
	return r.Updated
}

// notice is a message of one paragraph: blocks, so that Slack makes no links in it, and the text for notifications. More
// blocks may follow.
func notice(s string, more ...slack.Block) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(trim(strings.TrimSpace(s), maxText), false), slack.MsgOptionBlocks(noticed(s, more...)...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// noticed are the blocks of a notice.
func noticed(s string, more ...slack.Block) []slack.Block {
	return append([]slack.Block{slack.NewSectionBlock(mrkdwn(trim(strings.TrimSpace(s), maxSection)), nil, nil)}, more...)
}
