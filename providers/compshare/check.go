package compshare

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"countersign/workflow"
)

// MaxRemark is how many characters a remark may have. The limit is ours: the vendor publishes none.
const MaxRemark = 64

// Actions are the actions that CompShare has, in the order in which help shows them.
func Actions() []workflow.Action {
	return []workflow.Action{
		workflow.Invite, workflow.Resend, workflow.Cancel, workflow.Rename, workflow.Accept, workflow.Reject,
	}
}

// Check turns a draft into a change. Numbers lose their leading zeros, remarks the blanks around them.
func (p *Provider) Check(d workflow.Draft) (workflow.Change, error) {
	c := workflow.Change{Action: d.Action, System: d.System}
	if r := p.checkAction(d.Action); r != nil {
		return workflow.Change{}, r
	}
	team, ok := canonicalNumber(d.Group)
	if !ok {
		return workflow.Change{}, workflow.Refuse(workflow.BadTeam, d.Group)
	}
	c.Group = team
	for _, part := range []func(workflow.Draft, *workflow.Change) *workflow.Refusal{
		p.checkSubject, checkRemark, checkLimit,
	} {
		if r := part(d, &c); r != nil {
			return workflow.Change{}, r
		}
	}
	return c, nil
}

func (p *Provider) checkAction(a workflow.Action) *workflow.Refusal {
	if slices.Contains(Actions(), a) {
		return nil
	}
	switch a {
	case workflow.RemoveOne, workflow.SetRole, workflow.AddRole, workflow.DropRole:
		return workflow.Refuse(workflow.NoRemoval, string(a))
	case workflow.Add:
		return workflow.Refuse(workflow.ActionNotHere, string(a), p.system, actionWords())
	default:
		return workflow.Refuse(workflow.BadAction, string(a), actionWords())
	}
}

func actionWords() string {
	words := make([]string, 0, len(Actions()))
	for _, a := range Actions() {
		words = append(words, string(a))
	}
	return strings.Join(words, ", ")
}

// forItself reports whether the action is the configured account's own answer to an invitation.
func forItself(a workflow.Action) bool { return a == workflow.Accept || a == workflow.Reject }

func (p *Provider) checkSubject(d workflow.Draft, c *workflow.Change) *workflow.Refusal {
	who := d.Subject
	switch {
	case forItself(d.Action) && who == (workflow.Subject{}):
		return nil
	case forItself(d.Action):
		return workflow.Refuse(workflow.WhoNotAllowed, string(d.Action))
	case who.Kind == workflow.UserGroup:
		return workflow.Refuse(workflow.GroupNoSupport, string(d.Action), p.system)
	case who.ID == "":
		return workflow.Refuse(workflow.MissingWho, string(d.Action))
	}
	id, ok := canonicalNumber(who.ID)
	if !ok {
		return workflow.Refuse(workflow.BadCompany, who.ID)
	}
	c.Subject = workflow.Subject{Kind: workflow.Member, ID: id, Slack: who.Slack, From: who.From}
	return nil
}

// checkRemark takes a remark where there can be one. It cannot be empty: the SDK does not send an empty string, and the
// vendor would keep the old remark.
func checkRemark(d workflow.Draft, c *workflow.Change) *workflow.Refusal {
	has := d.HasAs || d.As != ""
	switch d.Action {
	case workflow.Invite:
		if !has {
			return nil
		}
	case workflow.Rename:
		if !has {
			return workflow.Refuse(workflow.MissingAs, string(d.Action))
		}
	default:
		if has {
			return workflow.Refuse(workflow.AsNotAllowed, string(d.Action))
		}
		return nil
	}
	if c.Remark = strings.TrimSpace(d.As); !goodRemark(c.Remark) {
		return workflow.Refuse(workflow.BadRemark, d.As, strconv.Itoa(MaxRemark))
	}
	return nil
}

func goodRemark(remark string) bool {
	return remark != "" && utf8.ValidString(remark) && utf8.RuneCountInString(remark) <= MaxRemark &&
		!strings.ContainsFunc(remark, func(r rune) bool {
			// Bidi_Control and the line separators: characters that change how the text around them reads.
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
		})
}

// checkLimit refuses a time limit: nothing that CompShare documents would end a membership.
func checkLimit(d workflow.Draft, _ *workflow.Change) *workflow.Refusal {
	if d.Limit != 0 {
		return workflow.Refuse(workflow.NoTimeLimit, string(d.Action), Kind)
	}
	return nil
}

// canonicalNumber is a number of 32 bits above nought in plain digits, without leading zeros.
func canonicalNumber(text string) (string, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return "", false
	}
	return strconv.FormatUint(n, 10), true
}
