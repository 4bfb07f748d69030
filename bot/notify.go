package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// eventType marks the bot's messages, so that one whose post was not recorded can be found again.
const eventType = "countersign_request"

// defaultWait is how long a lane waits when Slack asks for a pause without saying how long.
const defaultWait = 5 * time.Second

func marked(r workflow.Request, seq uint64) slack.MsgOption {
	return slack.MsgOptionMetadata(slack.SlackMetadata{
		EventType:    eventType,
		EventPayload: map[string]any{"request": uint64(r.Number), "seq": seq},
	})
}

// Show makes the request's card show r: chat.update if it has one, else chat.postMessage into the rule's channel
// (https://docs.slack.dev/reference/methods/chat.update, .../chat.postMessage).
func (b *Bot) Show(ctx context.Context, r workflow.Request, again bool) (workflow.Card, error) {
	blocks, text := b.o.Lang.card(r)
	card := r.Card
	card.Seq = r.Seq
	if card.TS == "" && again {
		ts, err := b.findCard(ctx, r)
		if err != nil {
			return workflow.Card{}, err
		}
		if ts != "" {
			card.Channel, card.TS = r.Rule.Channel, ts
		}
	}
	opts := []slack.MsgOption{
		slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...), marked(r, r.Seq),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if card.TS != "" {
		return card, b.gates.pass("chat.update", func() error {
			_, _, _, err := b.client.UpdateMessageContext(ctx, card.Channel, card.TS, opts...)
			return err
		})
	}
	err := b.gates.pass("chat.postMessage "+r.Rule.Channel, func() (err error) {
		card.Channel, card.TS, err = b.client.PostMessageContext(ctx, r.Rule.Channel, opts...)
		if err == nil && card.TS == "" {
			err = errors.New("chat.postMessage answered without a ts")
		}
		if card.Channel == "" {
			card.Channel = r.Rule.Channel
		}
		return err
	})
	if err != nil {
		b.scans.forget(r.Rule.Channel)
	}
	return card, err
}

// post sends one message; Slack limits posts by channel.
func (b *Bot) post(ctx context.Context, channel string, opts ...slack.MsgOption) error {
	return b.gates.pass("chat.postMessage "+channel, func() error {
		_, _, err := b.client.PostMessageContext(ctx, channel, opts...)
		return err
	})
}

// Tell posts a reply in the card's thread, or a direct message.
func (b *Bot) Tell(ctx context.Context, r workflow.Request, e workflow.Effect, again bool) error {
	if e.Kind == workflow.DirectEffect {
		return b.tellDirect(ctx, r, e, again)
	}
	if r.Card.TS == "" {
		return waitForCard(r)
	}
	if again {
		found, err := b.findReply(ctx, r, e.ID)
		if err != nil || found {
			return err
		}
	}
	opts := append(notice(b.o.Lang.thread(r, e)), marked(r, e.ID), slack.MsgOptionTS(r.Card.TS))
	return b.post(ctx, r.Card.Channel, opts...)
}

// waitForCard says why a reply has no card to stand under: it is still to come, or it never will.
func waitForCard(r workflow.Request) error {
	for _, e := range r.Effects {
		if e.Kind == workflow.CardEffect {
			return errors.New("the card is not posted yet")
		}
	}
	return &workflow.UndeliverableError{Err: errors.New("the card could not be posted")}
}

func (b *Bot) tellDirect(ctx context.Context, r workflow.Request, e workflow.Effect, again bool) error {
	if again {
		found, err := b.findDirect(ctx, r, e)
		if err != nil || found {
			return err
		}
	}
	lang := b.langOf(ctx, e.To.User)
	said := lang.direct(r, e)
	if command := b.longer(ctx, r, e); command != "" {
		said = lang.join(said, lang.say("dm.ends_soon.longer", command))
	}
	opts := append(notice(said, lang.mayWithdraw(r, e)...), marked(r, e.ID))
	return b.post(ctx, e.To.User, opts...)
}

// longer is the command by which a person who is told that a membership ends soon can ask to keep it for as long again;
// none if it ends already, or no rule lets them ask.
func (b *Bot) longer(ctx context.Context, r workflow.Request, e workflow.Effect) string {
	if e.About != workflow.EndsSoon || r.State != workflow.Approved {
		return ""
	}
	given, err := b.o.Engine.Load(ctx, r.Parent)
	if err != nil {
		return ""
	}
	p, a := b.o.Engine.Policy(), b.actor(ctx, e.To, false)
	rule, ok := p.Find(given.Change, a.Person, a.Groups)
	if !ok || p.Vet(a) != nil {
		return ""
	}
	d := given.Change.Limit
	if rule.MaxDuration > 0 {
		d = min(d, rule.MaxDuration)
	}
	return b.o.Command + " extend " + given.Number.String() + " for " + workflow.FormatDuration(d)
}

// historyPage is how many messages of a channel are read at once.
const historyPage = 200

func (b *Bot) findReply(ctx context.Context, r workflow.Request, seq uint64) (bool, error) {
	cursor := ""
	for {
		msgs, more, next, err := b.client.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: r.Card.Channel, Timestamp: r.Card.TS, Limit: historyPage, Cursor: cursor, IncludeAllMetadata: true,
		})
		if err != nil {
			return false, b.unreadable(err)
		}
		for _, m := range msgs {
			if number, s, ok := ours(m); ok && number == r.Number && s == seq && m.Timestamp != r.Card.TS {
				return true, nil
			}
		}
		if !more || next == "" {
			return false, nil
		}
		cursor = next
	}
}

func (b *Bot) findDirect(ctx context.Context, r workflow.Request, e workflow.Effect) (bool, error) {
	ch, _, _, err := b.client.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{e.To.User}, ReturnIM: true})
	if err != nil {
		return false, b.unreadable(err)
	}
	for cursor := ""; ; {
		h, err := b.client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: ch.ID, Limit: historyPage, IncludeAllMetadata: true, Cursor: cursor,
			Oldest: fmt.Sprintf("%d.000000", r.Created.Add(-time.Minute).Unix()),
		})
		if err != nil {
			return false, b.unreadable(err)
		}
		if slices.ContainsFunc(h.Messages, func(m slack.Message) bool {
			number, seq, ok := ours(m)
			return ok && number == r.Number && seq == e.ID
		}) {
			return true, nil
		}
		if cursor = h.ResponseMetaData.NextCursor; !h.HasMore || cursor == "" {
			return false, nil
		}
	}
}

// unreadable lets a missing scope, or a missing method, pass: the look-up is then impossible, not failed.
func (b *Bot) unreadable(err error) error {
	impossible := false
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch e.Err {
		case "missing_scope", "not_in_channel", "channel_not_found", "no_permission", "thread_not_found", "unknown_method",
			"not_allowed_token_type", "method_not_supported_for_channel_type":
			impossible = true
		}
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok {
		switch e.Code {
		case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
			impossible = true
		}
	}
	if !impossible {
		return slackError(err)
	}
	b.o.Logger.Warn("earlier messages cannot be read, so one may be posted twice", "error", err)
	return nil
}

// ours reads the metadata of a message that this bot has posted.
func ours(m slack.Message) (workflow.Number, uint64, bool) {
	if m.Metadata.EventType != eventType {
		return 0, 0, false
	}
	number, ok := m.Metadata.EventPayload["request"].(float64)
	seq, _ := m.Metadata.EventPayload["seq"].(float64)
	return workflow.Number(number), uint64(seq), ok
}

// slackError sorts what slack-go returns into what the runner can do about it.
func slackError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return &workflow.LaterError{After: e.RetryAfter, Err: err}
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok && e.Code == http.StatusTooManyRequests {
		return &workflow.LaterError{After: defaultWait, Err: err}
	}
	if _, ok := errors.AsType[*strconv.NumError](err); ok {
		// slack-go reads Retry-After as a whole number only, and fails on any other.
		return &workflow.LaterError{After: defaultWait, Err: err}
	}
	e, ok := errors.AsType[slack.SlackErrorResponse](err)
	if !ok {
		return err
	}
	switch e.Err {
	case "ratelimited", "rate_limited":
		return &workflow.LaterError{After: defaultWait, Err: err}
	case "channel_not_found", "not_in_channel", "is_archived", "message_not_found", "cant_update_message", "edit_window_closed",
		"is_inactive", "user_not_found", "users_not_found", "cannot_dm_bot", "user_disabled", "restricted_action", "invalid_blocks", "msg_too_long",
		"invalid_metadata_format", "cannot_reply_to_message":
		return &workflow.UndeliverableError{Err: err}
	default:
		return err
	}
}
