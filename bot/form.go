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
// (https://docs.slack.dev/reference/methods/views.open). What its pickers will offer is read meanwhile.
func (b *Bot) openForm(ctx context.Context, lang Lang, trigger string, a workflow.Actor, f filled) error {
	if systems := b.systemOptions(a); f.system == "" && len(systems) == 1 {
		f.system = systems[0].Value
	}
	b.foresee(ctx, f, a)
	if strings.Contains(f.who, "<@") {
		b.namesOf(ctx) // whoever is mentioned reads as a name
	}
	_, err := b.client.OpenViewContext(ctx, trigger, b.form(lang, a, f))
	return err
}

// foresee has what the pickers will be asked for read before they are.
func (b *Bot) foresee(ctx context.Context, f filled, a workflow.Actor) {
	b.aside("foresee", func() {
		ctx := context.WithoutCancel(ctx)
		b.namesOf(ctx)
		b.choices(ctx, inGroup, f, a)
		b.choices(ctx, inWho, f, a)
		b.choices(ctx, inRole, f, a)
	})
}

// form is the form with the inputs that the chosen action needs; all of them while none is chosen.
func (b *Bot) form(lang Lang, a workflow.Actor, f filled) slack.ModalViewRequest {
	action := workflow.Action(f.action)
	blocks := []slack.Block{
		chooser(lang, inSystem, b.systemOptions(a), f.system),
		b.groupInput(lang, f.group),
		chooser(lang, inAction, b.actionOptions(lang, a, f.system), f.action),
	}
	if action == "" || wantsWho(action) {
		blocks = append(blocks, b.whoInput(lang, f))
	}
	if action == "" || wantsAs(action) {
		blocks = append(blocks, roleInput(lang, action, f.role))
	}
	if action == "" || mayEnd(action) {
		blocks = append(blocks, line(lang, inFor, f.limit, 20, true))
	}
	because := line(lang, inBecause, f.because, workflow.MaxReason, true)
	because.Element.(*slack.PlainTextInputBlockElement).Multiline = true
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: requestForm, PrivateMetadata: f.choices(),
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

// givesRole reports whether an action's role is one of a list.
func givesRole(a workflow.Action) bool {
	return slices.Contains([]workflow.Action{workflow.Add, workflow.SetRole, workflow.AddRole, workflow.DropRole}, a)
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

// groupInput is a picker whose choice is told at once, so that the form can follow it.
func (b *Bot) groupInput(lang Lang, group string) *slack.InputBlock {
	block := picker(lang, inGroup, group)
	block.Optional = false
	block.DispatchAction = true
	return block
}

// picker is a menu that is filled live as one types; what is typed is always among its options.
func picker(lang Lang, name, chosen string) *slack.InputBlock {
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plainText(lang.say("form."+name+".hint")), name)
	least := 0
	menu.MinQueryLength = &least
	if chosen != "" {
		menu.InitialOption = option(chosen, chosen)
	}
	block := slack.NewInputBlock(name, plainText(lang.say("form."+name)), nil, menu)
	block.Optional = true
	return block
}

// roleInput is a picker of roles, or a line for a remark, or for either while no action is chosen.
func roleInput(lang Lang, action workflow.Action, role string) *slack.InputBlock {
	switch {
	case action == "":
		return line(lang, inRole, role, 200, true)
	case givesRole(action):
		block := picker(lang, inRole, role)
		block.Optional = false
		block.Label = plainText(lang.say("form.role.only"))
		block.Element.(*slack.SelectBlockElement).Placeholder = plainText(lang.say("form.role.only.hint"))
		return block
	default:
		block := line(lang, inRole, role, 200, action != workflow.Rename)
		block.Label = plainText(lang.say("form.remark"))
		block.Element.(*slack.PlainTextInputBlockElement).Placeholder = plainText(lang.say("form.remark.hint"))
		return block
	}
}

// whoInput is a picker of several.
func (b *Bot) whoInput(lang Lang, f filled) *slack.InputBlock {
	menu := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeExternal, plainText(lang.say("form.who.hint")), inWho)
	least := 0
	menu.MinQueryLength = &least
	for _, who := range f.everyone() {
		menu.InitialOptions = append(menu.InitialOptions, option(who, b.called(who)))
	}
	block := slack.NewInputBlock(inWho, plainText(lang.say("form.who")), nil, menu)
	block.Optional = f.action == "" // it may turn out to be one that is about nobody else
	return block
}

// everyone is each WHO that stands in the form.
func (f filled) everyone() []string {
	var all []string
	for who := range strings.SplitSeq(f.who, ",") {
		if who = strings.TrimSpace(who); who != "" {
			all = append(all, who)
		}
	}
	return all
}

// called is how a WHO reads: a mention by what Slack calls the person, if that is known already.
func (b *Bot) called(who string) string {
	m := mention.FindStringSubmatch(who)
	if m == nil {
		return who
	}
	s := b.shelves.names
	s.mu.Lock()
	defer s.mu.Unlock()
	return "@" + firstOf(calm(s.lists[namesKey].list[m[1]]), m[1])
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
		return fieldError(fieldOf(*i.View, ref), strings.ReplaceAll(lang.sayRefusal(ref), "*", ""))
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
		Delivery: i.View.delivery(), Actor: b.actor(ctx, i.person(), false), Drafts: drafts, Reason: a.reason, Via: "slack form",
		Known: b.owner,
	})
}

// delivery tells a form that is delivered twice from two forms; empty where Slack does not say which form it is.
func (v view) delivery() string {
	if v.ID == "" {
		return ""
	}
	return "view " + v.ID
}

// fields are where a refusal is shown in the form.
var fields = map[workflow.Kind]string{
	workflow.BadSystem: inSystem, workflow.MissingTarget: inGroup, workflow.BadTarget: inGroup, workflow.BadTeam: inGroup,
	workflow.BadWorkspace: inGroup, workflow.MissingWho: inWho, workflow.WhoNotAllowed: inWho, workflow.BadCompany: inWho,
	workflow.BadIAM: inWho, workflow.BadMention: inWho, workflow.EmptyItem: inWho, workflow.RepeatedWho: inWho,
	workflow.TooManyWho: inWho, workflow.GroupNoSupport: inWho, workflow.BadRole: inRole, workflow.MissingAs: inRole,
	workflow.AsNotAllowed: inRole, workflow.BadRemark: inRole, workflow.NoTimeLimit: inFor, workflow.BadDuration: inFor,
	workflow.NothingToEnd: inFor, workflow.UnknownName: inWho, workflow.NoLookUp: inWho, workflow.Unreadable: inGroup, workflow.LongDuration: inFor, workflow.TooLong: inBecause, workflow.BadCharacter: inBecause,
}

// fieldOf is the input at which a refusal is shown: its own, where the form has it.
func fieldOf(v view, ref *workflow.Refusal) string {
	name, ok := fields[ref.Kind]
	if !ok {
		name = inAction
	}
	if ref.Kind == workflow.Ambiguous || ref.Kind == workflow.Unresolved { // of a role, or else of a person
		name = inWho
		for role := range strings.SplitSeq(v.input(inRole), ",") {
			if len(ref.Args) > 0 && strings.TrimSpace(role) == ref.Args[0] {
				name = inRole
			}
		}
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
	for i, who := range p.ask.who {
		if m := mention.FindStringSubmatch(who); m != nil {
			p.ask.who[i] = "<@" + m[1] + ">"
		} else {
			p.ask.who[i] = plain(who)
		}
	}
	f.who = strings.Join(p.ask.who, ",")
	if p.ask.limit > 0 {
		f.limit = workflow.FormatDuration(p.ask.limit)
	}
	return f
}
