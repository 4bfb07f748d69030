package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// madeView is the callback_id of what the form turns into once its requests are recorded.
const madeView = "made"

// maxSpelled is how many requests of one command are acknowledged with all that they say, each with its button; more
// would be longer than Slack takes.
const maxSpelled = 10

// series are the requests that one command has made: their numbers follow one another.
type series struct {
	first workflow.Number
	count int
}

// String is the end of the block_id of each of the series' buttons, by which the message is made anew after a click.
func (s series) String() string { return "made:" + s.first.String() + "+" + itoa(s.count) }

// seriesOf reads the series back. What a block_id says decides nothing: of the requests that it names, only those of the
// person who clicked are shown to them.
func seriesOf(blockID string) (series, bool) {
	var s series
	_, tail, _ := strings.Cut(strings.TrimPrefix(blockID, blockPrefix), ":")
	if n, err := fmt.Sscanf(tail, "made:%d+%d", &s.first, &s.count); n != 2 || err != nil {
		return series{}, false
	}
	return s, s.first > 0 && s.count > 0 && s.count <= maxSpelled && s.String() == tail
}

// buttoned is a section with a button beside it, encoded in one go; slack-go's own encodes the button twice.
type buttoned struct {
	*slack.SectionBlock
	Accessory *slack.ButtonBlockElement `json:"accessory,omitempty"`
}

// made acknowledges requests that are stored, by their numbers, with a button to withdraw each that still can be.
func (b *Bot) made(ctx context.Context, lang Lang, rs []workflow.Request) *reply {
	hopeless := slices.ContainsFunc(rs, func(r workflow.Request) bool {
		return !r.Rule.CouldApprove(r.Requester, b.members(ctx))
	})
	return lang.made(rs, hopeless, b.o.Engine.Now())
}

// made words the acknowledgement; hopeless says that nobody but the requester could approve one of them.
func (l Lang) made(rs []workflow.Request, hopeless bool, now time.Time) *reply {
	s := series{rs[0].Number, len(rs)}
	var lines []string
	var blocks []slack.Block
	if len(rs) > 1 {
		lines = append(lines, l.say("made.many"))
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(lines[0]), nil, nil))
	}
	for _, r := range rs {
		r.State = r.StateAt(now)
		line := l.recorded(r, len(rs))
		lines = append(lines, line)
		block := buttoned{SectionBlock: slack.NewSectionBlock(mrkdwn(trim(line, maxSection)), nil, nil, slack.SectionBlockOptionBlockID(
			blockPrefix+r.Number.String()+":"+s.String()))}
		if r.State == workflow.Pending {
			block.Accessory = l.withdrawButton(r.Number)
		}
		blocks = append(blocks, block)
	}
	if hopeless {
		lines = append(lines, l.say("made.nobody"))
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(l.say("made.nobody")), nil, nil))
	}
	text := strings.Join(lines, "\n")
	if len(rs) > maxSpelled {
		return private(text)
	}
	return privately(text, blocks)
}

// recorded is one request's line of an acknowledgement of several, or all of it.
func (l Lang) recorded(r workflow.Request, of int) string {
	what := l.does(r)
	switch {
	case of > maxSpelled: // the typed command says the rest
		return l.say("made.line", r.Number, l.subject(r.Change.Subject, names(r).subject))
	case r.State != workflow.Pending && of > 1:
		return "• " + l.say("made.now", r.Number, l.state(r.State), what)
	case r.State != workflow.Pending:
		return l.say("made.now", r.Number, l.state(r.State), what)
	case of > 1:
		return l.say("made.line", r.Number, what)
	default:
		return l.say("made.one", r.Number, what, r.Rule.Channel)
	}
}

// withdrawButton asks before it withdraws.
func (l Lang) withdrawButton(n workflow.Number) *slack.ButtonBlockElement {
	button := slack.NewButtonBlockElement(actWithdraw, n.String(), plainText(l.say("button.withdraw")))
	confirm := slack.NewConfirmationBlockObject(plainText(cut(l.say("withdraw.title", n), 100)), plainText(l.say("withdraw.text")),
		plainText(l.say("button.withdraw")), plainText(l.say("withdraw.keep")))
	confirm.Style = slack.StyleDanger
	return button.WithConfirm(confirm)
}

// mayWithdraw is the button on a direct message to the requester of a request that is not decided yet.
func (l Lang) mayWithdraw(r workflow.Request, e workflow.Effect) []slack.Block {
	if r.State != workflow.Pending || e.To != r.Requester {
		return nil
	}
	s := series{r.Number, 1}
	return []slack.Block{slack.NewActionBlock(blockPrefix+r.Number.String()+":"+s.String(), l.withdrawButton(r.Number))}
}

// repair makes the private message that a withdrawal was asked on show how its requests stand now, so that no button is
// left that does nothing. One that cannot be replaced stays; its buttons answer with the present state.
func (b *Bot) repair(ctx context.Context, i interaction, a blockAction) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTimeout)
	defer cancel()
	s, ok := seriesOf(a.BlockID)
	if !ok {
		return
	}
	var rs []workflow.Request
	changed := false
	for n := range workflow.Number(s.count) {
		r, err := b.o.Engine.Load(ctx, s.first+n)
		if err != nil || r.Requester != i.person() {
			return
		}
		rs = append(rs, r)
		changed = changed || r.StateAt(b.o.Engine.Now()) != workflow.Pending
	}
	if !changed {
		return
	}
	lang := b.langOf(ctx, i.User.ID)
	rep := b.made(ctx, lang, rs)
	if said := i.Message.Text; said != "" && len(rs) == 1 { // a direct message, which said more than that it is recorded
		r := rs[0]
		r.State = r.StateAt(b.o.Engine.Now())
		rep = private(trim(said, maxSection-200) + "\n" + lang.present(r))
	}
	rep.Replace = true
	var err error
	if i.View != nil {
		_, err = b.client.UpdateViewContext(ctx, lang.madeForm(rep), "", i.View.Hash, i.View.ID)
	} else {
		err = b.respond(ctx, i.ResponseURL, rep)
	}
	if err != nil {
		b.o.Logger.Info("a private message could not be repaired", "user", i.User.ID, "error", err)
	}
}

// madeForm is what the form turns into.
func (l Lang) madeForm(rep *reply) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: madeView, Title: plainText(l.say("form.title")), Close: plainText(l.say("form.close")),
		Blocks: slack.Blocks{BlockSet: rep.Blocks},
	}
}
