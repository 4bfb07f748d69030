package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// The form that asks for a change. Each input's block_id is its action_id.
const (
	requestForm = "request"

	inSystem  = "system"
	inGroup   = "group"
	inAction  = "action"
	inWho     = "who"
	inRole    = "role"
	inFor     = "for"
	inBecause = "because"
)

// filled is what stands in the form, as it would be typed.
type filled struct {
	system, group, action, who, role, limit, because string
}

// openForm opens the form for a person, filled in with what is known
// (https://docs.slack.dev/reference/methods/views.open).
func (b *Bot) openForm(ctx context.Context, lang Lang, trigger string, a workflow.Actor, f filled) error {
	_, err := b.client.OpenViewContext(ctx, trigger, b.form(lang, a, f))
	return err
}

// form is the form with the inputs that the chosen action needs; all of them while none is chosen.
func (b *Bot) form(lang Lang, a workflow.Actor, f filled) slack.ModalViewRequest {
	action := workflow.Action(f.action)
	blocks := []slack.Block{
		chooser(lang, inSystem, b.systemOptions(a), f.system),
		chooser(lang, inAction, b.actionOptions(lang, a, f.system), f.action),
		b.groupInput(lang, f.group),
	}
	if action == "" || wantsWho(action) {
		blocks = append(blocks, line(lang, inWho, f.who, 3000, true))
	}
	if action == "" || wantsAs(action) {
		blocks = append(blocks, line(lang, inRole, f.role, 200, true))
	}
	if action == "" || mayEnd(action) {
		blocks = append(blocks, line(lang, inFor, f.limit, 20, true))
	}
	because := line(lang, inBecause, f.because, workflow.MaxReason, true)
	because.Element.(*slack.PlainTextInputBlockElement).Multiline = true
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: requestForm,
		Title: plainText(lang.say("form.title")), Submit: plainText(lang.say("form.submit")), Close: plainText(lang.say("form.cancel")),
		Blocks: slack.Blocks{BlockSet: append(blocks, because)},
	}
}

func wantsWho(a workflow.Action) bool { return a != workflow.Accept && a != workflow.Reject }

func wantsAs(a workflow.Action) bool {
	switch a {
	case workflow.Resend, workflow.Cancel, workflow.Accept, workflow.Reject, workflow.RemoveOne:
		return false
	default:
		return true
	}
}

// mayEnd reports whether a membership of the action may be limited in time.
func mayEnd(a workflow.Action) bool {
	return !slices.Contains([]workflow.Action{
		workflow.Invite, workflow.Resend, workflow.Cancel, workflow.Rename, workflow.Accept, workflow.Reject, workflow.RemoveOne,
		workflow.DropRole,
	}, a)
}

// chooser is a menu; a choice is told at once, so that the form can follow it.
func chooser(lang Lang, name string, options []*slack.OptionBlockObject, chosen string) *slack.InputBlock {
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText(lang.say("form."+name+".hint")), name, options...)
	for _, o := range options {
		if o.Value == chosen {
			menu.InitialOption = o
		}
	}
	block := slack.NewInputBlock(name, plainText(lang.say("form."+name)), nil, menu)
	block.DispatchAction = true
	return block
}

// line is an input of one line.
func line(lang Lang, name, text string, limit int, optional bool) *slack.InputBlock {
	input := slack.NewPlainTextInputBlockElement(plainText(lang.say("form."+name+".hint")), name)
	input.MaxLength = limit
	input.InitialValue = cut(text, limit)
	block := slack.NewInputBlock(name, plainText(lang.say("form."+name)), nil, input)
	block.Optional = optional
	return block
}

// groupInput is a menu that is filled live as one types; what is typed is always among its options.
func (b *Bot) groupInput(lang Lang, group string) *slack.InputBlock {
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plainText(lang.say("form.group.hint")), inGroup)
	least := 0
	menu.MinQueryLength = &least
	if group != "" {
		menu.InitialOption = option(group, group)
	}
	return slack.NewInputBlock(inGroup, plainText(lang.say("form.group")), nil, menu)
}

// option is one choice of a menu, cut to Slack's 75 characters.
func option(value, text string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(cut(value, 75), plainText(cut(text, 75)), nil)
}

// systemOptions are the systems on which some rule lets the person ask for something; all of them where none does, so
// that the answer can say why.
func (b *Bot) systemOptions(a workflow.Actor) []*slack.OptionBlockObject {
	var mine, all []*slack.OptionBlockObject
	for _, sys := range b.o.Engine.Systems() {
		o := option(sys.Name, sys.Name)
		all = append(all, o)
		if slices.ContainsFunc(sys.Actions, func(x workflow.Action) bool { return b.o.Engine.Policy().MightAsk(sys.Name, x, a) }) {
			mine = append(mine, o)
		}
	}
	if len(mine) == 0 {
		mine = all
	}
	return mine[:min(len(mine), 100)]
}

// actionOptions are the actions of the chosen system, or of all while none is chosen.
func (b *Bot) actionOptions(lang Lang, a workflow.Actor, system string) []*slack.OptionBlockObject {
	var actions []workflow.Action
	for _, sys := range b.o.Engine.Systems() {
		if system != "" && sys.Name != system {
			continue
		}
		for _, x := range sys.Actions {
			if !slices.Contains(actions, x) && (system == "" || b.o.Engine.Policy().MightAsk(sys.Name, x, a)) {
				actions = append(actions, x)
			}
		}
	}
	if len(actions) == 0 && system != "" {
		return b.actionOptions(lang, a, "")
	}
	options := make([]*slack.OptionBlockObject, len(actions))
	for i, x := range actions {
		options[i] = option(string(x), lang.say("form.action."+string(x)))
	}
	return options
}

// values are what a person has put into the form so far.
func values(v view) filled {
	return filled{
		system: v.input(inSystem), group: v.input(inGroup), action: v.input(inAction), who: v.input(inWho),
		role: v.input(inRole), limit: v.input(inFor), because: v.input(inBecause),
	}
}

// refit shows the form anew after a choice that others depend on
// (https://docs.slack.dev/reference/methods/views.update).
func (b *Bot) refit(ctx context.Context, i interaction) {
	f := values(*i.View)
	lang := b.langOf(ctx, i.User.ID)
	a := b.actor(ctx, i.person(), false)
	if sys, ok := b.o.Engine.System(f.system); ok && !slices.Contains(sys.Actions, workflow.Action(f.action)) {
		f.action = ""
	}
	if _, err := b.client.UpdateViewContext(ctx, b.form(lang, a, f), "", i.View.Hash, i.View.ID); err != nil {
		b.o.Logger.Info("a form could not be refitted; it works as it is", "error", err)
	}
}

// submitted makes requests of a submitted form, exactly as of a typed command.
func (b *Bot) submitted(ctx context.Context, i interaction) any {
	lang := b.langOf(ctx, i.User.ID)
	f := values(*i.View)
	made, err := b.submitForm(ctx, i, f)
	if err != nil {
		ref := refusalOf(err)
		b.refused(Attempt{By: i.person(), Verb: "form", Via: "slack form"}, ref)
		if ref.Kind == workflow.NotRecorded || ref.Kind == workflow.Busy {
			b.o.Logger.Error("a form could not be carried out", "user", i.User.ID, "error", err)
		}
		return fieldError(fieldOf(*i.View, ref.Kind), strings.ReplaceAll(lang.sayRefusal(ref), "*", ""))
	}
	return map[string]any{"response_action": "update", "view": lang.madeForm(b.made(ctx, lang, made))}
}

func (b *Bot) submitForm(ctx context.Context, i interaction, f filled) ([]workflow.Request, error) {
	for _, text := range []string{f.who, f.role, f.because, f.group} {
		if ref := clean(text); ref != nil {
			return nil, ref
		}
	}
	a := ask{
		action: workflow.Action(f.action), system: f.system, group: f.group,
		as: strings.TrimSpace(f.role), hasAs: strings.TrimSpace(f.role) != "", reason: strings.TrimSpace(f.because),
	}
	if f.limit = strings.TrimSpace(f.limit); f.limit != "" {
		d, err := workflow.ParseDuration(f.limit)
		if err != nil {
			return nil, workflow.Refuse(workflow.BadDuration, f.limit)
		}
		a.limit = d
	}
	if f.system == "" || f.group == "" {
		return nil, workflow.Refuse(workflow.MissingTarget)
	}
	if who := strings.TrimSpace(f.who); who != "" {
		for part := range strings.SplitSeq(who, ",") {
			if part = strings.TrimSpace(part); part == "" {
				return nil, workflow.Refuse(workflow.EmptyItem)
			}
			a.who = append(a.who, part)
		}
	}
	drafts, ref := b.drafts(a)
	if ref != nil {
		return nil, ref
	}
	return b.o.Engine.Submit(ctx, workflow.Submission{
		Delivery: "view " + i.View.ID, Actor: b.actor(ctx, i.person(), false), Drafts: drafts, Reason: a.reason, Via: "slack form",
	})
}

// fields are where a refusal is shown in the form.
var fields = map[workflow.Kind]string{
	workflow.BadSystem: inSystem, workflow.MissingTarget: inGroup, workflow.BadTarget: inGroup, workflow.BadTeam: inGroup,
	workflow.BadWorkspace: inGroup, workflow.MissingWho: inWho, workflow.WhoNotAllowed: inWho, workflow.BadCompany: inWho,
	workflow.BadIAM: inWho, workflow.BadMention: inWho, workflow.EmptyItem: inWho, workflow.RepeatedWho: inWho,
	workflow.TooManyWho: inWho, workflow.GroupNoSupport: inWho, workflow.BadRole: inRole, workflow.MissingAs: inRole,
	workflow.AsNotAllowed: inRole, workflow.BadRemark: inRole, workflow.NoTimeLimit: inFor, workflow.BadDuration: inFor,
	workflow.NothingToEnd: inFor, workflow.UnknownName: inWho, workflow.NoLookUp: inWho, workflow.LongDuration: inFor, workflow.TooLong: inBecause, workflow.BadCharacter: inBecause,
}

// fieldOf is the input at which a refusal is shown: its own, where the form has it.
func fieldOf(v view, k workflow.Kind) string {
	name, ok := fields[k]
	if !ok {
		name = inAction
	}
	if _, there := v.State.Values[name]; !there {
		return inBecause
	}
	return name
}

// nearForm is what a nearly right command fills into the form.
func nearForm(text string) filled {
	var f filled
	p := &parser{s: scanner{text}, have: map[string]bool{}}
	first, ok, ref := p.s.next()
	if ref != nil || !ok {
		return f
	}
	f.action = strings.ToLower(plain(first.text))
	for {
		t, ok, ref := p.s.next()
		if ref != nil || !ok {
			break
		}
		if p.part(t) != nil {
			continue
		}
	}
	f.system, f.group, f.role, f.because = p.ask.system, p.ask.group, p.ask.as, p.ask.reason
	f.who = plain(strings.Join(p.ask.who, ", "))
	if p.ask.limit > 0 {
		f.limit = workflow.FormatDuration(p.ask.limit)
	}
	return f
}
