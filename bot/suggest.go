package bot

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

const (
	// maxOption is how many characters an option's value or text may have.
	maxOption = 75
	// maxOptions is how many options Slack takes at once.
	maxOptions = 100
)

// choice is one thing that a picker of the form offers: what stands for it in a command, what people read, and the
// cloud's ID.
type choice struct{ value, text, id string }

// option is one choice of a menu, cut to Slack's limit.
func option(value, text string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(cut(value, maxOption), plainText(cut(text, maxOption)), nil)
}

// suggest answers a request for the options of one of the form's pickers
// (https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#external_select). What was typed is
// always an option, so that a cloud that cannot be read never keeps anybody from asking. Whoever may not ask, and whatever
// no person types, is answered with nothing.
func (b *Bot) suggest(ctx context.Context, i interaction) any {
	options := []*slack.OptionBlockObject{}
	typed := strings.TrimSpace(plain(i.Value))
	a := b.actor(ctx, i.person(), false)
	if i.View != nil && i.View.CallbackID == requestForm && utf8.RuneCountInString(typed) <= maxOption && clean(i.Value) == nil &&
		b.o.Engine.Policy().Vet(a) == nil {
		options = picks(b.choices(ctx, i.ActionID, chosen(*i.View), a), typed, i.ActionID != inWho || !strings.HasPrefix(typed, "@"))
	}
	return map[string]any{"options": options}
}

// picks are the choices that fit what was typed, which comes first where it may be chosen itself.
func picks(all []choice, typed string, itself bool) []*slack.OptionBlockObject {
	options := []*slack.OptionBlockObject{}
	named := slices.ContainsFunc(all, func(c choice) bool { return c.value == typed })
	if typed != "" && itself && !named {
		options = append(options, option(typed, typed))
	}
	words := strings.Fields(strings.ToLower(strings.TrimPrefix(typed, "@")))
	for _, c := range all {
		seen := strings.ToLower(c.text + " " + c.value)
		if utf8.RuneCountInString(c.value) > maxOption || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(seen, w) }) {
			continue
		}
		if options = append(options, option(c.value, c.text)); len(options) == maxOptions {
			break
		}
	}
	return options
}

// choices are what a picker offers, given what the rest of the form says.
func (b *Bot) choices(ctx context.Context, picker string, f filled, a workflow.Actor) []choice {
	sys, ok := b.o.Engine.System(f.system)
	if !ok {
		return nil
	}
	switch picker {
	case inGroup:
		return b.groupChoices(ctx, sys, a)
	case inWho:
		return b.whoChoices(ctx, sys, f, a)
	case inRole:
		roles, _ := b.rolesIn(ctx, sys, f.group, a)
		return roleChoices(roles)
	default:
		return nil
	}
}

// groupChoices are the groups that the cloud lists and those that the policy names, where this person may ask.
func (b *Bot) groupChoices(ctx context.Context, sys workflow.System, a workflow.Actor) []choice {
	groups, _ := b.groupsOf(ctx, sys)
	var cs []choice
	for _, id := range b.groupsInPolicy(sys.Name) {
		if !slices.ContainsFunc(groups, func(g workflow.Group) bool { return g.ID == id }) {
			groups = append(groups, workflow.Group{ID: id})
		}
	}
	for _, g := range groups {
		if b.o.Engine.Policy().MayRead(sys.Name, g.ID, a) == nil {
			cs = append(cs, choice{g.ID, labelled(g.Name, g.ID), g.ID})
		}
	}
	return cs
}

// labelled is what people read of something with an ID, in plain text.
func labelled(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return calm(strings.Join(parts, " · "))
}

// groupsInPolicy are the groups that the policy names for a system.
func (b *Bot) groupsInPolicy(system string) []string {
	var groups []string
	for _, r := range b.o.Engine.Policy().Rules {
		if len(r.Systems) == 0 || slices.Contains(r.Systems, system) {
			groups = append(groups, r.Groups...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// whoChoices are the people whom the configuration knows; for an action on a membership that is there, the members, if
// the cloud lists them.
func (b *Bot) whoChoices(ctx context.Context, sys workflow.System, f filled, a workflow.Actor) []choice {
	if b.o.Engine.Policy().MayRead(sys.Name, "", a) != nil {
		return nil
	}
	names := b.namesOf(ctx)
	if !joins(workflow.Action(f.action)) {
		if members, known := b.membersOf(ctx, sys, f.group, a); known {
			return b.memberChoices(sys, workflow.Action(f.action), members, names)
		}
	}
	var cs []choice
	for _, p := range b.people() {
		if id := p.IDs[sys.Kind]; id != "" {
			cs = append(cs, choice{"<@" + p.Slack + ">", labelled(names[p.Slack], id), id})
		}
	}
	return cs
}

// joins reports whether an action is about somebody who is no member yet; none chosen is.
func joins(a workflow.Action) bool { return a == "" || a == workflow.Invite || a == workflow.Add }

// memberChoices are the members that an action can be about. One whom the configuration knows goes by their mention, so
// that they are told.
func (b *Bot) memberChoices(sys workflow.System, action workflow.Action, members []workflow.Listed, names map[string]string) []choice {
	known := map[string]string{}
	for _, p := range b.people() {
		known[p.IDs[sys.Kind]] = p.Slack
	}
	var cs []choice
	for _, m := range members {
		invited := m.Position.Status == "pending"
		if action == workflow.Cancel && !invited || action == workflow.Resend && m.Position.Status == "joined" {
			continue
		}
		id := m.Subject.ID
		user := known[id]
		name := m.Name
		if name == "" {
			name = m.Position.Remark
		}
		switch {
		case m.Subject.Kind == workflow.UserGroup:
			cs = append(cs, choice{"group:" + id, labelled(name, id), id})
		case user != "":
			cs = append(cs, choice{"<@" + user + ">", labelled(name, names[user], id), id})
		default:
			cs = append(cs, choice{id, labelled(name, id), id})
		}
	}
	return cs
}

func roleChoices(roles []workflow.RoleRef) []choice {
	cs := make([]choice, len(roles))
	for i, r := range roles {
		cs[i] = choice{r.ID, labelled(r.Name, r.ID), r.ID}
	}
	return cs
}
