package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/slack-go/slack"
)

// witnessType marks the messages that carry the head of the audit trail.
const witnessType = "countersign_audit_head"

// Head is the end of the audit trail at a time.
type Head struct {
	// Day names the post, which is made once: 2026-01-31.
	Day  string
	Seq  uint64
	Hash string
}

// PostHead posts the head of the audit trail to a channel. Where an earlier try may have been posted, since says when, and
// the channel is looked through first. It returns the post's ts, and whether it was there already. Its errors are those
// of a workflow.Notifier.
func (b *Bot) PostHead(ctx context.Context, channel string, h Head, since time.Time) (ts string, found bool, err error) {
	if !since.IsZero() {
		if ts, err = b.findHead(ctx, channel, h.Day, since); err != nil || ts != "" {
			return ts, ts != "", err
		}
	}
	ref := fmt.Sprintf("%d:%s", h.Seq, h.Hash)
	opts := append(notice(b.o.Lang.say("audit.head", h.Day, h.Seq, ref)), slack.MsgOptionMetadata(slack.SlackMetadata{
		EventType: witnessType, EventPayload: map[string]any{"day": h.Day, "head": ref},
	}))
	err = b.gates.pass("chat.postMessage "+channel, func() (err error) {
		_, ts, err = b.client.PostMessageContext(ctx, channel, opts...)
		return err
	})
	return ts, false, err
}

// findHead looks for the post of a day, so that a restart makes no second one.
func (b *Bot) findHead(ctx context.Context, channel, day string, since time.Time) (string, error) {
	h, err := b.client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: channel, Limit: historyPage, IncludeAllMetadata: true, Oldest: fmt.Sprintf("%d.000000", since.Unix()),
	})
	if err != nil {
		return "", b.unreadable(err)
	}
	for _, m := range h.Messages {
		if m.Metadata.EventType == witnessType && m.Metadata.EventPayload["day"] == day {
			return m.Timestamp, nil
		}
	}
	return "", nil
}
