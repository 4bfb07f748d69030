package bot

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/workflow"
)

// The commands that read a system's lists.
const (
	listMembers = "members"
	listGroups  = "groups"
	listRoles   = "roles"
)

const (
	// listTimeout bounds the reading of a list that is answered later; a stop waits for it.
	listTimeout = 8 * time.Second
	// listReserve is what is left of the time to answer when a list is no longer waited for.
	listReserve = 500 * time.Millisecond
)

func isList(verb string) bool {
	return slices.Contains([]string{listMembers, listGroups, listRoles}, verb)
}

// wanted is a typed command that reads a list.
type wanted struct {
	verb   string
	system workflow.System
	group  string
	page   int
}

func (w wanted) target() string {
	if w.group == "" {
		return w.system.Name
	}
	return w.system.Name + "/" + w.group
}

// lists answers a command that reads a list from the cloud. A cloud that is slow is answered for later, by the command's
// response_url.
func (b *Bot) lists(ctx context.Context, lang Lang, verb, rest string, p slashPayload) (string, error) {
	w, ref := b.parseList(verb, rest)
	if ref != nil {
		return "", ref
	}
	actor := b.actor(ctx, p.person(), false)
	if ref := b.o.Engine.Policy().MayRead(w.system.Name, w.group, actor); ref != nil {
		return "", ref
	}
	type result struct {
		text string
		err  error
	}
	now, late := make(chan result), make(chan struct{})
	b.aside("read a list", func() {
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout)
		defer cancel()
		var text string
		err := b.guard("read a list", func() (err error) {
			text, err = b.readList(work, lang, w, actor)
			return err
		})
		select {
		case now <- result{text, err}:
		case <-late:
			b.answerLate(work, lang, p, text, err)
		}
	})
	patience := answerTimeout - listReserve
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end) - listReserve
	}
	select {
	case r := <-now:
		return r.text, r.err
	case <-time.After(patience):
		close(late)
		return lang.say("read.slow", shown(w.target(), 100)), nil
	}
}

func (b *Bot) answerLate(ctx context.Context, lang Lang, p slashPayload, text string, err error) {
	if err != nil {
		text = lang.sayRefusal(refusalOf(err))
	}
	if err := b.respond(ctx, p.ResponseURL, private(text)); err != nil {
		b.o.Logger.Warn("a list could not be shown", "user", p.UserID, "error", err)
	}
}

// parseList reads SYSTEM or SYSTEM/GROUP, and page N.
func (b *Bot) parseList(verb, rest string) (wanted, *workflow.Refusal) {
	w := wanted{verb: verb, page: 1}
	words := strings.Fields(plain(rest))
	if len(words) == 0 {
		return w, workflow.Refuse(workflow.MissingTarget, verb)
	}
	name, group, slash := strings.Cut(words[0], "/")
	if name == "" || len(words[0]) > maxToken || slash == (verb == listGroups) || slash && group == "" {
		return w, workflow.Refuse(workflow.BadTarget, words[0])
	}
	sys, ok := b.o.Engine.System(name)
	if !ok {
		known := []string{name}
		for _, s := range b.o.Engine.Systems() {
			known = append(known, s.Name)
		}
		return w, workflow.Refuse(workflow.BadSystem, known...)
	}
	w.system, w.group = sys, group
	if words = words[1:]; len(words) > 0 {
		n, err := strconv.Atoi(words[len(words)-1])
		if len(words) != 2 || !strings.EqualFold(words[0], "page") || err != nil || n < 1 {
			return w, workflow.Refuse(workflow.UnexpectedWord, words[0])
		}
		w.page = n
	}
	return w, nil
}

func (b *Bot) readList(ctx context.Context, lang Lang, w wanted, a workflow.Actor) (string, error) {
	if w.system.Directory == nil {
		return "", workflow.Refuse(workflow.NoList, w.verb, w.system.Name)
	}
	lines, err := b.linesOf(ctx, lang, w, a)
	if f, ok := errors.AsType[*workflow.Fault](err); ok {
		b.o.Logger.Warn("a list could not be read", "system", w.system.Name, "class", string(f.Class), "error", err)
		return "", workflow.Refuse(workflow.Unreadable, w.target(), f.Error())
	}
	if err != nil {
		return "", err
	}
	return lang.listPage(w, lines, b.o.Command), nil
}

// linesOf are the lines of a list. Of the groups, those are shown in which some rule lets the person ask.
func (b *Bot) linesOf(ctx context.Context, lang Lang, w wanted, a workflow.Actor) (lines []string, err error) {
	switch w.verb {
	case listGroups:
		groups, err := w.system.Directory.Groups(ctx)
		for _, g := range groups {
			if b.o.Engine.Policy().MayRead(w.system.Name, g.ID, a) == nil {
				lines = append(lines, named(code(g.ID), g.Name))
			}
		}
		return lines, err
	case listRoles:
		roles, err := w.system.Directory.Roles(ctx, w.group)
		if err == nil && len(roles) == 0 {
			return nil, workflow.Refuse(workflow.NoList, w.verb, w.system.Name)
		}
		for _, r := range roles {
			lines = append(lines, lang.roles([]workflow.RoleRef{r}))
		}
		return lines, err
	default:
		members, err := w.system.Directory.Members(ctx, w.group)
		for _, m := range members {
			lines = append(lines, named(lang.subject(m.Subject, ""), m.Name)+" · "+lang.position(m.Position))
		}
		return lines, err
	}
}

// named puts the vendor's name behind an ID, which is what a command takes.
func named(id, name string) string {
	if name == "" {
		return id
	}
	return id + " · " + shown(name, 100)
}

// listPage is one page of a list, with the command for the next one. It has no number sign: only requests have one.
func (l Lang) listPage(w wanted, lines []string, command string) string {
	target := shown(w.target(), 100)
	pages := max((len(lines)+listed-1)/listed, 1)
	page := min(w.page, pages)
	out := []string{l.say("read."+w.verb, target, len(lines), page, pages)}
	if len(lines) == 0 {
		out = append(out, l.say("read.none"))
	}
	first := (page - 1) * listed
	for _, line := range lines[first:min(first+listed, len(lines))] {
		out = append(out, "• "+trim(line, 180))
	}
	if page < pages {
		out = append(out, l.say("read.more", command+" "+w.verb+" "+target+" page "+strconv.Itoa(page+1)))
	}
	return strings.ReplaceAll(strings.Join(out, "\n"), "#", "＃")
}
