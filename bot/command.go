package bot

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"countersign/workflow"
)

// command carries out one slash command and returns its private answer; nil where a form was opened instead. Whatever it
// says was done is committed.
func (b *Bot) command(ctx context.Context, p slashPayload) *reply {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	lang := b.langOf(ctx, p.UserID)
	var rep *reply
	err := b.guard("command", func() (err error) {
		rep, err = b.obey(ctx, lang, p)
		return err
	})
	if err != nil {
		ref := refusalOf(err)
		b.refused(Attempt{By: p.person(), Verb: "command", Via: "slack " + p.ChannelID}, ref)
		if ref.Kind == workflow.NotRecorded || ref.Kind == workflow.Busy {
			b.o.Logger.Error("a command could not be carried out", "user", p.UserID, "error", err)
		}
		text := lang.sayRefusal(ref)
		if ref.Kind.OfWords() && ref.Kind != workflow.BadAction && !isList(firstWord(p.Text)) {
			b.offerForm(ctx, lang, p)
		}
		if hint := b.hint(lang, p.Text, ref.Kind); hint != "" {
			text += "\n" + hint
		}
		rep = private(text)
	}
	return rep
}

// offerForm opens the form filled in with what a refused command got right, beside the answer, which does not wait for
// it. That the form cannot be opened changes nothing.
func (b *Bot) offerForm(ctx context.Context, lang Lang, p slashPayload) {
	if p.TriggerID == "" {
		return
	}
	b.aside("offer form", func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
		defer cancel()
		if err := b.openForm(ctx, lang, p.TriggerID, b.actor(ctx, p.person(), false), nearForm(p.Text)); err != nil {
			b.o.Logger.Info("the form could not be offered", "user", p.UserID, "error", err)
		}
	})
}

// obey sorts commands into those about requests that exist, and those that ask for a change. It returns no reply where a
// form was opened.
func (b *Bot) obey(ctx context.Context, lang Lang, p slashPayload) (*reply, error) {
	if ref := clean(p.Text); ref != nil {
		return nil, ref
	}
	verb, rest, _ := strings.Cut(strings.TrimSpace(p.Text), " ")
	verb, rest = strings.ToLower(verb), strings.TrimSpace(rest)
	switch verb {
	case "":
		a := b.actor(ctx, p.person(), false)
		if ref := b.o.Engine.Policy().Vet(a); ref != nil {
			return nil, ref
		}
		if err := b.openForm(ctx, lang, p.TriggerID, a, filled{}); err != nil {
			b.o.Logger.Warn("the form could not be opened", "user", p.UserID, "error", err)
			return private(b.help(ctx, lang, p)), nil
		}
		return nil, nil
	case "help":
		return private(b.help(ctx, lang, p)), nil
	case "extend":
		return b.extend(ctx, lang, rest, p)
	case listMembers, listGroups, listRoles, "mine", "pending", "show", "withdraw":
		text, err := b.tell(ctx, lang, verb, rest, p)
		if err != nil {
			return nil, err
		}
		return private(text), nil
	default:
		return b.ask(ctx, lang, p)
	}
}

// tell carries out the commands that are answered with words alone.
func (b *Bot) tell(ctx context.Context, lang Lang, verb, rest string, p slashPayload) (string, error) {
	if isList(verb) {
		return b.lists(ctx, lang, verb, rest, p)
	}
	actor := b.actor(ctx, p.person(), verb == "withdraw")
	if ref := b.o.Engine.Policy().Vet(actor); ref != nil {
		return "", ref
	}
	switch verb {
	case "mine":
		return b.mine(ctx, lang, actor)
	case "pending":
		return b.pending(ctx, lang, actor)
	case "show":
		return b.show(ctx, lang, actor, rest)
	default:
		return b.withdraw(ctx, lang, actor, rest, p)
	}
}

// extend asks anew for a timed membership: extend 42 for 7d because free text.
func (b *Bot) extend(ctx context.Context, lang Lang, rest string, p slashPayload) (*reply, error) {
	arg, more, _ := strings.Cut(rest, " ")
	n, ref := number(arg)
	if ref != nil {
		return nil, ref
	}
	parts := &parser{s: scanner{more}, have: map[string]bool{}}
	for {
		t, ok, ref := parts.s.next()
		switch {
		case ref != nil:
			return nil, ref
		case ok && !t.is("for", "because"):
			return nil, workflow.Refuse(workflow.UnexpectedWord, plain(t.text))
		case ok:
			if ref := parts.part(t); ref != nil {
				return nil, ref
			}
			continue
		}
		break
	}
	if parts.ask.limit == 0 {
		return nil, workflow.Refuse(workflow.BadDuration, "")
	}
	sub := b.submission(ctx, p, nil, parts.ask.reason)
	if ref := b.o.Engine.Policy().Vet(sub.Actor); ref != nil {
		return nil, ref
	}
	if _, err := b.visible(ctx, sub.Actor, n); err != nil {
		return nil, err
	}
	made, err := b.o.Engine.Extend(ctx, n, parts.ask.limit, sub)
	if err != nil {
		return nil, err
	}
	return b.made(ctx, lang, made), nil
}

// submission is what a slash command submits.
func (b *Bot) submission(ctx context.Context, p slashPayload, drafts []workflow.Draft, reason string) workflow.Submission {
	s := workflow.Submission{
		Actor: b.actor(ctx, p.person(), false), Drafts: drafts, Reason: reason, Via: "slack " + p.ChannelID, Known: b.owner,
	}
	if p.TriggerID != "" {
		s.Delivery = "slash " + p.TriggerID
	}
	return s
}

// ask makes requests of a typed command.
func (b *Bot) ask(ctx context.Context, lang Lang, p slashPayload) (*reply, error) {
	if ref := knownAction(p.Text); ref != nil {
		return nil, ref
	}
	a, ref := parseAsk(p.Text)
	if ref != nil {
		return nil, ref
	}
	drafts, ref := b.drafts(a)
	if ref != nil {
		return nil, ref
	}
	made, err := b.o.Engine.Submit(ctx, b.submission(ctx, p, drafts, a.reason))
	if err != nil {
		return nil, err
	}
	return b.made(ctx, lang, made), nil
}

const listed = 20 // requests in one private list

func (b *Bot) mine(ctx context.Context, lang Lang, a workflow.Actor) (string, error) {
	rs, err := b.o.Engine.List(ctx, workflow.Query{Requester: a.Person, Limit: listed + 1})
	if err != nil {
		return "", err
	}
	if len(rs) == 0 {
		return lang.say("list.mine.none", b.o.Command), nil
	}
	return b.list(lang, "list.mine", rs), nil
}

// pending lists what waits for a decision, of what this person asked for or may decide.
func (b *Bot) pending(ctx context.Context, lang Lang, a workflow.Actor) (string, error) {
	var visible []workflow.Request
	q := workflow.Query{States: []workflow.State{workflow.Pending}, Limit: 100}
	for len(visible) <= listed {
		rs, err := b.o.Engine.List(ctx, q)
		if err != nil {
			return "", err
		}
		for _, r := range rs {
			q.Before = r.Number
			if r.StateAt(b.o.Engine.Now()) == workflow.Pending && b.maySee(r, a) {
				visible = append(visible, r)
			}
		}
		if len(rs) < q.Limit {
			break
		}
	}
	if len(visible) == 0 {
		return lang.say("list.none"), nil
	}
	return b.list(lang, "list.pending", visible[:min(len(visible), listed+1)]), nil
}

func (b *Bot) list(lang Lang, title string, rs []workflow.Request) string {
	lines := []string{lang.say(title)}
	now := b.o.Engine.Now()
	for _, r := range rs[:min(len(rs), listed)] {
		lines = append(lines, lang.say("list.line", r.Number, lang.state(r.StateAt(now)), trim(lang.does(r), 200), lang.date(r.Created)))
	}
	if len(rs) > listed {
		lines = append(lines, lang.say("list.more", b.o.Command))
	}
	return strings.Join(lines, "\n")
}

// maySee reports whether a request is a person's business: they asked for it, it is about them, or they may decide it.
func (b *Bot) maySee(r workflow.Request, a workflow.Actor) bool {
	return r.Requester == a.Person || r.Change.Subject.Slack == a.User || b.o.Engine.Policy().MayDecide(r, a) == nil
}

// visible is a stored request, for whoever may see it; to anybody else there is none.
func (b *Bot) visible(ctx context.Context, a workflow.Actor, n workflow.Number) (workflow.Request, error) {
	r, err := b.o.Engine.Load(ctx, n)
	if errors.Is(err, workflow.ErrNotFound) || err == nil && !b.maySee(r, a) {
		return workflow.Request{}, workflow.Refuse(workflow.NotFound, n.String())
	}
	return r, err
}

func (b *Bot) show(ctx context.Context, lang Lang, a workflow.Actor, arg string) (string, error) {
	n, ref := number(arg)
	if ref != nil {
		return "", ref
	}
	r, err := b.visible(ctx, a, n)
	if err != nil {
		return "", err
	}
	r.State = r.StateAt(b.o.Engine.Now())
	return lang.summary(r), nil
}

// summary is a request in the lines of its card.
func (l Lang) summary(r workflow.Request) string {
	lines := []string{l.say("card.title", r.Number, l.state(r.State)), l.does(r)}
	lines = append(lines, strings.ReplaceAll(l.say("card.requester", who(r.Requester)), "\n", " "))
	if r.Reason != "" && r.Parent == 0 {
		lines = append(lines, strings.ReplaceAll(l.say("card.reason", shown(r.Reason, 1000)), "\n>", " "))
	}
	if h := l.history(r); h != "" {
		lines = append(lines, h)
	}
	return strings.Join(append(lines, l.about(r)), "\n")
}

func (b *Bot) withdraw(ctx context.Context, lang Lang, a workflow.Actor, arg string, p slashPayload) (string, error) {
	n, ref := number(arg)
	if ref != nil {
		return "", ref
	}
	via := "slack " + p.ChannelID
	r, err := b.o.Engine.Do(ctx, n, workflow.Command{Verb: workflow.Withdraw, Actor: a, Via: via})
	if ref, ok := errors.AsType[*workflow.Refusal](err); ok && ref.Request != nil && !b.maySee(*ref.Request, a) {
		b.refused(Attempt{By: a.Person, Verb: "command", Request: n, Via: via}, ref)
		return "", workflow.Refuse(workflow.NotFound, n.String())
	}
	if err != nil {
		return "", err
	}
	return lang.say("withdrawn", r.Number), nil
}

// number reads a request's number as people type it.
func number(arg string) (workflow.Number, *workflow.Refusal) {
	n, err := strconv.ParseUint(strings.TrimPrefix(arg, "#"), 10, 63)
	if err != nil || n == 0 {
		return 0, workflow.Refuse(workflow.BadNumber, plain(arg))
	}
	return workflow.Number(n), nil
}
