package bot

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// scanAge is how long one look through a channel serves. After a restart many cards are looked for at once: a look for
// each would cost a call for each, and the history is the same.
const scanAge = 5 * time.Second

// scans remembers which cards each channel was seen to hold.
type scans struct {
	mu        sync.Mutex
	byChannel map[string]*scan
}

// scan is one look through a channel's history.
type scan struct {
	at   time.Time
	from time.Time // what was posted earlier was not looked at
	ts   map[workflow.Number]string
}

func newScans() *scans { return &scans{byChannel: map[string]*scan{}} }

// seen returns what a recent look through a channel that went back to from found of a request; not ok if there is none.
func (s *scans) seen(channel string, n workflow.Number, from time.Time) (ts string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byChannel[channel]
	if c == nil || time.Since(c.at) > scanAge || c.from.After(from) {
		return "", false
	}
	return c.ts[n], true
}

func (s *scans) keep(channel string, c *scan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byChannel[channel] = c
}

// forget is for a post of which it is not known whether it came about.
func (s *scans) forget(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byChannel, channel)
}

// findCard looks for a card of the request that was posted without being recorded. Where the bot may not read the
// channel's history it finds none, and a second card may be posted: that is the price of leaving the scope out.
func (b *Bot) findCard(ctx context.Context, r workflow.Request) (string, error) {
	from := r.Created.Add(-time.Minute)
	if ts, ok := b.scans.seen(r.Rule.Channel, r.Number, from); ok {
		return ts, nil
	}
	c := &scan{at: time.Now(), from: from, ts: map[workflow.Number]string{}}
	for cursor := ""; ; {
		h, err := b.client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: r.Rule.Channel, Limit: historyPage, IncludeAllMetadata: true, Cursor: cursor,
			Oldest: fmt.Sprintf("%d.000000", from.Unix()),
		})
		if err != nil {
			return "", b.unreadable(err)
		}
		for _, m := range h.Messages {
			if number, _, ok := ours(m); ok && (m.ThreadTimestamp == "" || m.ThreadTimestamp == m.Timestamp) {
				c.ts[number] = m.Timestamp
			}
		}
		if cursor = h.ResponseMetaData.NextCursor; !h.HasMore || cursor == "" {
			b.scans.keep(r.Rule.Channel, c)
			return c.ts[r.Number], nil
		}
	}
}
