package bot

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// choices are what the form's other inputs depend on, as its private_metadata keeps them: by it a new choice is told from
// an old one, and a picker knows them where Slack does not say what stands in the form. What comes back from there is
// judged as what is typed.
func (f filled) choices() string {
	text, err := json.Marshal([]string{f.system, f.group, f.action})
	if err != nil || len(text) > maxMetadata { // longer than anything that can be chosen
		return ""
	}
	return string(text)
}

func choicesOf(metadata string) filled {
	var c []string
	if json.Unmarshal([]byte(metadata), &c) != nil || len(c) != 3 {
		return filled{}
	}
	return filled{system: c[0], group: c[1], action: c[2]}
}

// chosen is what stands in the form, with the choices that it was last shown with where it does not say.
func chosen(v view) filled {
	f := values(v)
	if shown := choicesOf(v.PrivateMetadata); f.system == "" {
		f.system, f.group, f.action = shown.system, firstOf(f.group, shown.group), firstOf(f.action, shown.action)
	}
	return f
}

// refit shows the form anew after a choice that others depend on, with what still fits
// (https://docs.slack.dev/reference/methods/views.update). Slack keeps what stands in an input whose block_id and
// action_id stay, whatever the update says; so an input that must change is taken away first.
func (b *Bot) refit(ctx context.Context, i interaction) {
	had := values(*i.View)
	lang := b.langOf(ctx, i.User.ID)
	a := b.actor(ctx, i.person(), false)
	f := b.fitting(ctx, had, choicesOf(i.View.PrivateMetadata), a)
	b.foresee(ctx, f, a)
	form := b.form(lang, a, f)
	hash := i.View.Hash
	if without := changed(form, *i.View, had, f); len(without.Blocks.BlockSet) < len(form.Blocks.BlockSet) {
		shown, err := b.client.UpdateViewContext(ctx, without, "", hash, i.View.ID)
		if err != nil {
			b.o.Logger.Info("a form could not be refitted; it works as it is", "error", err)
			return
		}
		hash = shown.Hash
	}
	if _, err := b.client.UpdateViewContext(ctx, form, "", hash, i.View.ID); err != nil {
		b.o.Logger.Info("a form could not be refitted; it works as it is", "error", err)
	}
}

// changed is the form without the inputs in which something else stands than is to stand there, or another kind of input.
func changed(form slack.ModalViewRequest, v view, had, f filled) slack.ModalViewRequest {
	old, now := had.texts(), f.texts()
	kept := form
	kept.Blocks.BlockSet = slices.DeleteFunc(slices.Clone(form.Blocks.BlockSet), func(block slack.Block) bool {
		name := block.ID()
		input, ok := block.(*slack.InputBlock)
		was, there := v.State.Values[name][name]
		return ok && there && (old[name] != now[name] || was.Type != "" && was.Type != string(input.Element.ElementType()))
	})
	return kept
}

// texts are what stands in each input.
func (f filled) texts() map[string]string {
	return map[string]string{
		inSystem: f.system, inGroup: f.group, inAction: f.action, inWho: f.who, inRole: f.role, inFor: f.limit, inBecause: f.because,
	}
}

// fitting is what stands in the form, less what no longer fits the choices that were made since was. Where a list is not
// known nothing is known to be wrong.
func (b *Bot) fitting(ctx context.Context, f, was filled, a workflow.Actor) filled {
	sys, ok := b.o.Engine.System(f.system)
	if !ok {
		return f
	}
	if !slices.Contains(sys.Actions, workflow.Action(f.action)) {
		f.action = ""
	}
	before, had := b.o.Engine.System(was.system)
	otherSystem := had && before.Name != sys.Name
	if otherSystem && !slices.ContainsFunc(b.groupChoices(ctx, sys, a), func(c choice) bool { return c.value == f.group }) {
		f.group = ""
	}
	if otherSystem && before.Kind != sys.Kind {
		f.role = ""
		f.who = strings.Join(slices.DeleteFunc(f.everyone(), func(who string) bool { return !b.hasID(who, sys.Kind) }), ",")
	}
	if f.group == "" || f.group == was.group && !otherSystem {
		return f
	}
	if !joins(workflow.Action(f.action)) {
		if members, known := b.membersOf(ctx, sys, f.group, a); known {
			cs := b.memberChoices(sys, "", members, nil)
			f.who = strings.Join(slices.DeleteFunc(f.everyone(), func(who string) bool {
				return !slices.ContainsFunc(cs, func(c choice) bool { return c.value == who || c.id == who })
			}), ",")
		}
	}
	if givesRole(workflow.Action(f.action)) {
		if roles, known := b.rolesIn(ctx, sys, f.group, a); known && !haveAll(roles, f.role) {
			f.role = ""
		}
	}
	return f
}

// hasID reports whether a WHO is somebody whom the configuration knows an ID of, at a kind of provider.
func (b *Bot) hasID(who, kind string) bool {
	m := mention.FindStringSubmatch(who)
	return m != nil && slices.ContainsFunc(b.people(), func(p Person) bool { return p.Slack == m[1] && p.IDs[kind] != "" })
}

// haveAll reports whether each role of a list, by name or ID, is among those that there are.
func haveAll(roles []workflow.RoleRef, list string) bool {
	for role := range strings.SplitSeq(list, ",") {
		role = strings.TrimSpace(role)
		if role != "" && !slices.ContainsFunc(roles, func(r workflow.RoleRef) bool { return r.ID == role || strings.EqualFold(r.Name, role) }) {
			return false
		}
	}
	return true
}
