package bot

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// clicks maps a card's buttons to commands; those that open a form first are in worded.
var clicks = map[string]workflow.Verb{
	actApprove: workflow.Approve,
	actRetry:   workflow.Retry,
	actLook:    workflow.LookAgain,
	actDone:    workflow.MarkDone,
	actNot:     workflow.MarkNot,

	actUndo:     workflow.Undo,
	actClaim:    workflow.Claim,
	actWithdraw: workflow.Withdraw,
}

// The forms that ask for a person's words before they decide: why not, or a note to an approval. Each has one input.
const (
	denyForm    = "deny"
	denyInput   = "reason"
	approveForm = "approve"
	noteInput   = "note"
)

// worded are the buttons that open such a form, and what the form does.
var worded = map[string]wordForm{
	actDeny:        {denyForm, denyInput, workflow.Deny},
	actApproveNote: {approveForm, noteInput, workflow.Approve},
}

// wordForm is one such form. Its phrases in the catalogue begin with form. and its callback_id.
type wordForm struct {
	callbackID, input string
	verb              workflow.Verb
}

// wordFormOf is the form with a callback_id.
func wordFormOf(v *view) (wordForm, bool) {
	for _, f := range worded {
		if v != nil && v.CallbackID == f.callbackID {
			return f, true
		}
	}
	return wordForm{}, false
}

// cardWait is how long a click waits for its card's ts to be recorded: a person may click before the post's answer has
// come back.
const cardWait = time.Second

// interact carries out a click or a submitted form and returns the body of the acknowledgement; nil is an empty one.
func (b *Bot) interact(ctx context.Context, i interaction) (body any) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	err := b.guard(i.Type, func() error {
		body = b.interactWith(ctx, i)
		return nil
	})
	if err != nil && i.Type != "block_suggestion" {
		b.aside("answer", func() { b.answer(ctx, i, refusalOf(err)) })
	}
	return body
}

func (b *Bot) interactWith(ctx context.Context, i interaction) any {
	switch i.Type {
	case "block_actions":
		for _, a := range i.Actions {
			b.click(ctx, i, a)
		}
	case "view_submission":
		if f, ok := wordFormOf(i.View); ok {
			return b.decideInWords(ctx, i, f)
		}
		if i.View != nil && i.View.CallbackID == requestForm {
			return b.submitted(ctx, i)
		}
	case "block_suggestion":
		return b.suggest(ctx, i)
	case "shortcut":
		b.openFormFor(ctx, i)
	}
	return nil
}

// openFormFor opens an empty form for whoever used the shortcut or the button on their Home.
func (b *Bot) openFormFor(ctx context.Context, i interaction) {
	a := b.actor(ctx, i.person(), false)
	ref := b.o.Engine.Policy().Vet(a)
	if ref == nil {
		err := b.openForm(ctx, b.langOf(ctx, i.User.ID), i.TriggerID, a, filled{})
		if err == nil {
			return
		}
		b.o.Logger.Warn("the form could not be opened", "user", i.User.ID, "error", err)
		ref = workflow.Refuse(workflow.NoForm)
	}
	b.refused(Attempt{By: i.person(), Verb: "form", Via: "slack form"}, ref)
	b.aside("answer", func() { b.answer(ctx, i, ref) })
}

// click carries out one button, or says privately why not.
func (b *Bot) click(ctx context.Context, i interaction, a blockAction) {
	if i.View != nil && i.View.Type == "home" {
		defer b.turned(ctx, i, a)
	}
	switch {
	case a.ActionID == actAsk:
		b.openFormFor(ctx, i)
		return
	case i.View != nil && i.View.CallbackID == requestForm:
		b.refit(ctx, i)
		return
	}
	verb, ok := clicks[a.ActionID]
	if _, opens := worded[a.ActionID]; !ok && !opens {
		return // a link: nothing was asked
	}
	err := b.decide(ctx, i, a, verb)
	if verb == workflow.Withdraw {
		b.aside("repair", func() { b.repair(ctx, i, a) })
	}
	if err == nil {
		return
	}
	ref := refusalOf(err)
	channel, ts := i.place()
	n, _ := number(a.Value)
	b.refused(Attempt{By: i.person(), Verb: a.ActionID, Request: n, Via: strings.TrimSpace("slack " + channel + " " + ts)}, ref)
	if ref.Kind == workflow.NotRecorded || ref.Kind == workflow.Busy {
		b.o.Logger.Error("a click could not be carried out", "user", i.User.ID, "action", a.ActionID, "error", err)
	}
	b.aside("answer", func() { b.answer(ctx, i, ref) })
	if ref.Kind == workflow.WrongState && verb != workflow.Withdraw {
		b.aside("reshow", func() { b.reshow(ctx, n) })
	}
}

// reshow has a card shown as it is now, on which somebody has found a button that no longer works.
func (b *Bot) reshow(ctx context.Context, n workflow.Number) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTimeout)
	defer cancel()
	_, err := b.o.Engine.Do(ctx, n, workflow.Command{Verb: workflow.Reshow, Via: "slack"})
	if _, owed := errors.AsType[*workflow.Refusal](err); err != nil && !owed {
		b.o.Logger.Warn("a card could not be shown again", "request", uint64(n), "error", err)
	}
}

func (b *Bot) decide(ctx context.Context, i interaction, a blockAction, verb workflow.Verb) error {
	n, err := b.clicked(ctx, i, a)
	if err != nil {
		return err
	}
	channel, ts := i.place()
	cmd := workflow.Command{Verb: verb, Actor: b.decider(ctx, i.person(), n), Via: strings.TrimSpace("slack " + channel + " " + ts)}
	if f, opens := worded[a.ActionID]; opens {
		cmd.Verb = f.verb
		if err := b.o.Engine.Try(ctx, n, cmd); err != nil {
			return err
		}
		return b.openWords(ctx, i, n, f)
	}
	_, err = b.o.Engine.Do(ctx, n, cmd)
	return err
}

// clicked returns the request that a button belongs to, if the button is on the request's card or on the clicker's Home.
// Only the requester withdraws, from whichever of their private messages they like.
func (b *Bot) clicked(ctx context.Context, i interaction, a blockAction) (workflow.Number, error) {
	v, err := strconv.ParseUint(a.Value, 10, 63)
	n := workflow.Number(v)
	block := blockPrefix + n.String()
	if err != nil || v == 0 || n.String() != a.Value || a.BlockID != block && !strings.HasPrefix(a.BlockID, block+":") {
		return 0, workflow.Refuse(workflow.NotHere)
	}
	if a.ActionID == actWithdraw || i.View != nil && i.View.Type == "home" {
		return n, nil
	}
	channel, ts := i.place()
	r, err := b.carded(ctx, n)
	if err != nil {
		return 0, err
	}
	if channel == "" || ts == "" || r.Card.Channel != channel || r.Card.TS != ts {
		ref := workflow.Refuse(workflow.NotHere)
		ref.Request = &r
		return 0, ref
	}
	return n, nil
}

// carded loads a request, waiting a little for its card to be recorded.
func (b *Bot) carded(ctx context.Context, n workflow.Number) (workflow.Request, error) {
	deadline := time.Now().Add(cardWait)
	for {
		r, err := b.o.Engine.Load(ctx, n)
		if errors.Is(err, workflow.ErrNotFound) {
			return r, workflow.Refuse(workflow.NotFound, n.String())
		}
		if err != nil || r.Card.TS != "" || time.Now().After(deadline) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openWords opens the form that asks for words (https://docs.slack.dev/reference/methods/views.open). It carries the
// request's number; authority is judged again when it is submitted.
func (b *Bot) openWords(ctx context.Context, i interaction, n workflow.Number, f wordForm) error {
	if _, err := b.client.OpenViewContext(ctx, i.TriggerID, b.langOf(ctx, i.User.ID).words(n, f)); err != nil {
		b.o.Logger.Warn("the form for a decision could not be opened", "request", uint64(n), "verb", string(f.verb), "error", err)
		return workflow.Refuse(workflow.NoForm)
	}
	return nil
}

func (l Lang) words(n workflow.Number, f wordForm) slack.ModalViewRequest {
	key := "form." + f.callbackID
	input := slack.NewPlainTextInputBlockElement(nil, f.input)
	input.Multiline, input.MaxLength = true, workflow.MaxReason
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: f.callbackID, PrivateMetadata: n.String(),
		Title:  plainText(cut(l.say(key+".title", n), 24)),
		Submit: plainText(l.say(key + ".submit")), Close: plainText(l.say("form.cancel")),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewInputBlock(f.input, plainText(l.say(key+".label")), nil, input),
		}},
	}
}

// decideInWords takes the submitted form and decides as a click does. A refusal stands at its field, where only the
// person who submitted it reads it.
func (b *Bot) decideInWords(ctx context.Context, i interaction, f wordForm) any {
	lang := b.langOf(ctx, i.User.ID)
	n, ref := number(i.View.PrivateMetadata)
	words := strings.TrimSpace(i.View.input(f.input))
	if ref == nil && words == "" {
		return fieldError(f.input, lang.say("form."+f.callbackID+".empty"))
	}
	var err error
	if ref != nil {
		err = ref
	} else {
		actor := b.decider(ctx, i.person(), n)
		_, err = b.o.Engine.Do(ctx, n, workflow.Command{Verb: f.verb, Actor: actor, Reason: cut(words, workflow.MaxReason), Via: "slack form"})
	}
	if err == nil {
		return nil
	}
	refused := refusalOf(err)
	b.refused(Attempt{By: i.person(), Verb: f.callbackID, Request: n, Via: "slack form"}, refused)
	if refused.Kind == workflow.NotRecorded {
		b.o.Logger.Error("a decision could not be carried out", "user", i.User.ID, "verb", string(f.verb), "error", err)
	}
	return fieldError(f.input, strings.ReplaceAll(lang.sayRefusal(refused), "*", ""))
}

// fieldError acknowledges a form by showing an error at a field
// (https://docs.slack.dev/surfaces/modals#displaying_errors).
func fieldError(field, text string) any {
	return map[string]any{"response_action": "errors", "errors": map[string]string{field: cut(text, 2000)}}
}
