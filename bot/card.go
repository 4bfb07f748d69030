package bot

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// The action_ids of a card's buttons. A button's value is the request's number and nothing else.
const (
	actApprove = "approve"
	actDeny    = "deny"

	actApproveNote = "approve_note" // opens a form for a note, then approves

	actRetry = "retry"
	actLook  = "look"
	actDone  = "mark_done"
	actNot   = "mark_not"

	actUndo  = "undo"
	actClaim = "claim"

	actWithdraw = "withdraw" // on the requester's Home
	actAsk      = "ask"      // opens the form, on the Home
)

// blockPrefix begins the block_id of every block of a card.
const blockPrefix = "request:"

func itoa(n int) string { return strconv.Itoa(n) }

// mrkdwn is verbatim, so that Slack makes no link or mention of a text that merely looks like one.
func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

func plainText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// card renders a request as the blocks of its one message, and as the text that notifications show. It is pure: the
// same request always gives the same card.
func (l Lang) card(r workflow.Request) (blocks []slack.Block, text string) {
	id := blockPrefix + r.Number.String()
	what := l.brief(r)
	title := l.say("card.title", r.Number, l.state(r.State))
	head := slack.NewSectionBlock(mrkdwn(title+"\n"+trim(what, maxSection-200)), nil, nil, slack.SectionBlockOptionBlockID(id))
	blocks = append(blocks, head)
	if diff := l.difference(r); diff != "" {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(diff), nil, nil, slack.SectionBlockOptionBlockID(id+":plan")))
	}
	facts := slack.NewSectionBlock(nil, l.facts(r), nil, slack.SectionBlockOptionBlockID(id+":facts"))
	blocks = append(blocks, facts)
	if r.Reason != "" && r.Parent == 0 {
		why := l.say("card.reason", shown(r.Reason, maxSection-100))
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(why), nil, nil, slack.SectionBlockOptionBlockID(id+":why")))
	}
	if lines := l.history(r); lines != "" {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(lines), nil, nil, slack.SectionBlockOptionBlockID(id+":history")))
	}
	if buttons := l.buttons(r); len(buttons) > 0 {
		blocks = append(blocks, slack.NewActionBlock(id+":act", buttons...))
	}
	blocks = append(blocks, slack.NewContextBlock(id+":about", mrkdwn(l.about(r))))
	return blocks, "#" + r.Number.String() + " " + l.state(r.State) + " · " + trim(what, maxText-100)
}

// called is what people call the group and the subject of a change, escaped; empty where only the ID is known.
type called struct{ group, subject string }

// names are what the request was resolved to, and what the membership was read with.
func names(r workflow.Request) called {
	var n called
	if r.Plan != nil {
		n.group, n.subject = r.Plan.Membership.GroupName, r.Plan.Membership.SubjectName
	}
	if name, ok := strings.CutPrefix(r.Change.Subject.From, workflow.FromIAM); ok && n.subject == "" {
		n.subject = name
	}
	return called{group: shown(n.group, 100), subject: shown(n.subject, 100)}
}

// does is the change as one sentence, escaped: names with the IDs beside them.
func (l Lang) does(r workflow.Request) string {
	c, n := r.Change, names(r)
	return l.sentenceOf(r, l.subject(c.Subject, n.subject), l.beside(n.group, shown(c.Group, 100)))
}

// brief is the change as one sentence without the IDs of what has a name: the card says them below it.
func (l Lang) brief(r workflow.Request) string {
	c, n := r.Change, names(r)
	subject := l.subject(c.Subject, n.subject)
	switch {
	case c.Subject.Kind == workflow.UserGroup && n.subject != "":
		subject = l.say("subject.group", bold(n.subject))
	case c.Subject.Slack != "":
		subject = "<@" + c.Subject.Slack + ">"
	case n.subject != "":
		subject = bold(n.subject)
	}
	group := code(c.Group)
	if n.group != "" {
		group = bold(n.group)
	}
	return l.sentenceOf(r, subject, group)
}

func (l Lang) sentenceOf(r workflow.Request, subject, group string) string {
	c := r.Change
	key := "do." + string(c.Action)
	as := l.roles(roleNames(r))
	if c.Remark != "" {
		as = shown(c.Remark, 200)
		if c.Action == workflow.Invite {
			key += ".as"
		}
	}
	phrase := phrases[key][l]
	for i, arg := range []string{subject, group} { // no blank between Chinese characters
		place := "%[" + itoa(i+1) + "]s"
		if first, _ := utf8.DecodeRuneInString(arg); unicode.Is(unicode.Han, first) {
			phrase = strings.ReplaceAll(phrase, " "+place, place)
		}
		if strings.HasSuffix(arg, "）") {
			phrase = strings.ReplaceAll(phrase, place+" ", place)
		}
	}
	s := fill(phrase, subject, group, code(c.System), as)
	switch {
	case c.Limit > 0:
		return l.say("do.for", s, workflow.FormatDuration(c.Limit))
	case r.Parent == 0 && (c.Action == workflow.Add || c.Action == workflow.SetRole || c.Action == workflow.AddRole):
		return l.say("do.for_good", s)
	default:
		return s
	}
}

func bold(s string) string { return "*" + s + "*" }

func code(s string) string { return bold(shown(s, 100)) }

// beside puts an ID beside the name, if there is one; both are escaped.
func (l Lang) beside(name, id string) string {
	if name == "" {
		return bold(id)
	}
	return l.say("name.id", bold(name), id)
}

// subject is who, by the vendor's name if there is one, which is escaped already.
func (l Lang) subject(s workflow.Subject, name string) string {
	id := shown(s.ID, 100)
	switch {
	case s.Kind == workflow.UserGroup:
		return l.say("subject.group", l.beside(name, id))
	case s.Slack != "":
		return l.say("name.id", "<@"+s.Slack+">", id)
	default:
		return l.beside(name, id)
	}
}

// roleNames are the roles of a request, with the names that were read for those that were given by ID.
func roleNames(r workflow.Request) []workflow.RoleRef {
	rs := slices.Clone(r.Change.Roles)
	if r.Plan == nil {
		return rs
	}
	m := r.Plan.Membership
	known := slices.Concat(m.Then.Roles, m.Now.Roles)
	for i := range rs {
		if j := slices.IndexFunc(known, func(k workflow.RoleRef) bool { return k.ID == rs[i].ID }); rs[i].Name == "" && j >= 0 {
			rs[i].Name = known[j].Name
		}
	}
	return rs
}

func (l Lang) roles(rs []workflow.RoleRef) string {
	said := make([]string, len(rs))
	for i, r := range rs {
		said[i] = shown(r.ID, 100)
		if r.Name != "" {
			said[i] = shown(r.Name, 100) + " (" + said[i] + ")"
		}
	}
	return strings.Join(said, l.say("list.comma"))
}

// facts are what the sentence above them does not say: the IDs behind its names, and who asked.
func (l Lang) facts(r workflow.Request) []*slack.TextBlockObject {
	c, n := r.Change, names(r)
	var fs []*slack.TextBlockObject
	add := func(key, value string) { fs = append(fs, mrkdwn(trim(l.say(key, value), maxField))) }
	var subject []string
	if c.Subject.Slack != "" {
		subject = append(subject, "<@"+c.Subject.Slack+">")
	}
	if n.subject != "" {
		subject = append(subject, n.subject)
	}
	if len(subject) > 0 {
		add("card.subject", strings.Join(subject, " · ")+"\n"+shown(c.Subject.String(), 200)+l.origin(c.Subject))
	}
	if n.group != "" {
		add("card.target", n.group+"\n"+shown(c.System+"/"+c.Group, 200))
	}
	add("card.requester", who(r.Requester))
	return fs
}

// origin says where the ID of a subject comes from, where it was not typed.
func (l Lang) origin(s workflow.Subject) string {
	name, byIAM := strings.CutPrefix(s.From, workflow.FromIAM)
	switch {
	case byIAM:
		return "\n" + l.say("from.iam", shown(name, 100))
	case s.From == workflow.FromPeople || s.From == workflow.FromCSV:
		return "\n" + l.say("from."+s.From)
	default:
		return ""
	}
}

// who mentions a person; Countersign itself goes by its name.
func who(p workflow.Person) string {
	if p.User == "" {
		return "Countersign"
	}
	return "<@" + p.User + ">"
}

// history is who decided what, what is still missing, and how it ended.
func (l Lang) history(r workflow.Request) string {
	var lines []string
	for _, d := range r.Voided {
		lines = append(lines, "~"+l.decision(d)+"~")
	}
	if r.Drift != nil {
		lines = append(lines, l.say("card.drift", l.position(r.Drift.Was), l.date(r.Drift.At)))
	}
	for _, d := range r.Decisions {
		lines = append(lines, l.decision(d))
	}
	if r.State == workflow.Pending {
		lines = append(lines, l.progress(r))
	}
	if r.State == workflow.Pending && r.Claim != nil {
		lines = append(lines, l.say("card.claim", who(r.Claim.By), l.date(r.Claim.At)))
	}
	// How it ended is never what is cut off.
	end := l.ending(r)
	said := trim(strings.Join(lines, "\n"), maxSection-utf8.RuneCountInString(end)-1)
	return strings.TrimSpace(said + "\n" + end)
}

func (l Lang) decision(d workflow.Decision) string {
	key := "card.approved"
	if !d.Approve {
		key = "card.denied"
	}
	line := l.say(key, who(d.By), l.date(d.At))
	if d.Reason != "" {
		line = l.say("card.reason_was", line, shown(d.Reason, 400))
	}
	return line
}

// progress says how many approvals are in, who is still needed, and by which rule and, of several, which entry of it: so
// everybody who can approve reads why. Where the policy has become stricter, that is a line for each rule that lacks some.
func (l Lang) progress(r workflow.Request) string {
	var lines []string
	rules := r.Rules()
	for i, rule := range rules {
		others := slices.Delete(slices.Clone(rules), i, i+1)
		if lack := rule.Missing(r.Requester, r.Decisions); sum(lack) > 0 || len(others) == 0 {
			lines = append(lines, l.lacking(r, rule, lack, others))
		}
	}
	return strings.Join(slices.Compact(lines), "\n")
}

// lacking is the progress under one rule; whoever approves must be an approver under the others too.
func (l Lang) lacking(r workflow.Request, rule workflow.Rule, lack []int, others []workflow.Rule) string {
	var need []string
	stuck := false // too few are named, and no user group
	for i, a := range rule.Approvers {
		if lack[i] == 0 {
			continue
		}
		names := make([]string, 0, len(a.AnyOf))
		for _, id := range a.AnyOf {
			if id == r.Requester.User || slices.ContainsFunc(r.Decisions, func(d workflow.Decision) bool { return d.By.User == id }) {
				continue // the requester fills no place, and nobody fills two
			}
			if !slices.ContainsFunc(others, func(o workflow.Rule) bool { return !o.MayName(id) }) {
				names = append(names, refer(id))
			}
		}
		stuck = stuck || len(names) < lack[i] && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "<!subteam") })
		list := trim(strings.Join(names, l.say("list.comma")), 600)
		who := l.say("card.one_of", list)
		switch {
		case lack[i] > 1:
			who = l.say("card.n_of", list, lack[i])
		case len(names) == 1 && strings.HasPrefix(list, "<@"):
			who = list
		}
		if len(rule.Approvers) > 1 {
			who = l.say("card.entry", who, i+1)
		}
		need = append(need, who)
	}
	in, needed, name := rule.Needed()-sum(lack), rule.Needed(), shown(rule.Name, 100)
	if stuck {
		return l.say("card.stuck", in, needed, name)
	}
	return l.say("card.progress", in, needed, strings.Join(need, l.say("list.semicolon")), name)
}

func sum(ns []int) int {
	total := 0
	for _, n := range ns {
		total += n
	}
	return total
}

// refer mentions a user or a user group of the policy.
func refer(id string) string {
	if workflow.IsUserGroup(id) {
		return "<!subteam^" + id + ">"
	}
	return "<@" + id + ">"
}

// ending is how the cloud call stands or ended, in a sentence with the vendor's own code and text.
func (l Lang) ending(r workflow.Request) string {
	res := r.Result
	switch {
	case r.State == workflow.Executing && res != nil && res.Fault != nil:
		return l.say("result.again", l.vendor(res.Fault))
	case r.State == workflow.Executing:
		return l.say("result.executing")
	case r.State == workflow.Denied && res != nil && res.Fault != nil:
		return l.quoting(l.say("result.hopeless", l.mend(res.Fault)), res.Fault)
	case res == nil:
		return ""
	case r.State == workflow.Done:
		return l.succeeded(*res)
	case r.State == workflow.Failed && res.MarkedBy.User != "":
		return l.say("result.not", who(res.MarkedBy))
	case r.State == workflow.Failed:
		return l.quoting(l.say("result.failed", l.mend(res.Fault)), res.Fault)
	case r.State == workflow.Unknown && !res.Asked:
		return l.say("result.looking")
	case r.State == workflow.Unknown:
		seen := ""
		if res.Fault != nil {
			seen = l.vendor(res.Fault)
		}
		if res.Seen != "" {
			seen = l.join(seen, l.say("result.seen", shown(res.Seen, 200)))
		}
		return l.say("result.unknown", seen)
	default:
		return ""
	}
}

func (l Lang) succeeded(res workflow.Result) string {
	var s string
	switch {
	case res.Clock == workflow.Moved:
		s = l.say("result.moved", l.date(res.Until))
	case res.Clock == workflow.Lifted:
		s = l.say("result.lifted")
	case res.Already:
		s = l.say("result.already")
	case res.ReadBack:
		s = l.say("result.read_back")
	case res.MarkedBy.User != "":
		s = l.say("result.marked", who(res.MarkedBy))
	default:
		s = l.say("result.done")
	}
	if res.RequestID != "" {
		s = l.join(s, l.say("result.request_id", shown(res.RequestID, 80)))
	}
	return s
}

// vendor is the vendor's own code and text.
func (l Lang) vendor(f *workflow.Fault) string {
	if f == nil {
		return ""
	}
	s := strings.TrimSpace(shown(f.Code, 80) + " " + shown(f.Text, 500))
	if s != "" && !strings.ContainsAny(s[len(s)-1:], ".!?") && !strings.HasSuffix(s, "。") {
		s = l.say("result.vendor", s)
	}
	if f.RequestID != "" {
		s = l.join(s, l.say("result.request_id", shown(f.RequestID, 80)))
	}
	return s
}

// quoting puts what the vendor said below a sentence.
func (l Lang) quoting(s string, f *workflow.Fault) string {
	if said := l.vendor(f); said != "" {
		s += "\n>" + said
	}
	return s
}

func (l Lang) mend(f *workflow.Fault) string {
	if f == nil {
		return l.say("mend.refused")
	}
	return l.say("mend." + string(f.Class))
}

// buttons are those that work in the request's present state.
func (l Lang) buttons(r workflow.Request) []slack.BlockElement {
	value := r.Number.String()
	button := func(action, key string, style slack.Style) slack.BlockElement {
		b := slack.NewButtonBlockElement(action, value, plainText(l.say(key)))
		b.Style = style
		return b
	}
	switch {
	case r.State == workflow.Pending:
		return []slack.BlockElement{
			button(actApprove, "button.approve", slack.StylePrimary), button(actApproveNote, "button.approve_note", ""),
			button(actDeny, "button.deny", slack.StyleDanger), button(actClaim, "button.claim", ""),
		}
	case r.MayUndo():
		return []slack.BlockElement{button(actUndo, "button.undo", "")}
	case r.State == workflow.Failed:
		return []slack.BlockElement{button(actRetry, "button.retry", "")}
	case r.Asked():
		return []slack.BlockElement{
			button(actLook, "button.look", slack.StylePrimary), button(actRetry, "button.retry", ""),
			button(actDone, "button.done", ""), button(actNot, "button.not", ""),
		}
	default:
		return nil
	}
}

// about is the card's small print.
func (l Lang) about(r workflow.Request) string {
	parts := []string{l.say("card.asked", l.date(r.Created))}
	if r.State != workflow.Pending { // else who is still needed is said with the rule
		parts = append([]string{l.say("card.rule", shown(r.Rule.Name, 100))}, parts...)
	}
	if r.Parent != 0 {
		parts = append(parts, l.say("card.parent", r.Parent))
	}
	if r.Child != 0 && r.Change.Limit > 0 {
		parts = append(parts, l.say("card.child", r.Child))
	} else if r.Child != 0 {
		parts = append(parts, l.say("card.undo", r.Child))
	}
	if r.Extends != 0 {
		parts = append(parts, l.say("card.extends", r.Extends))
	}
	if r.State == workflow.Pending && !r.Expires.IsZero() {
		parts = append(parts, l.say("card.expires", l.date(r.Expires)))
	}
	if r.State == workflow.Approved && r.Parent != 0 {
		parts = append(parts, l.say("card.due", l.date(ends(r))))
	}
	return strings.Join(parts, " · ")
}

// date is a moment in the viewer's own time zone, with UTC for clients that cannot.
func (l Lang) date(t time.Time) string {
	return l.say("date", t.Unix(), t.UTC().Format("2006-01-02 15:04 UTC"))
}
