package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"countersign/workflow"
)

const (
	// channelsAge is how old may be what Slack said of the rules' channels; channelsAgain is when it is asked again after
	// it did not answer.
	channelsAge   = 5 * time.Minute
	channelsAgain = time.Minute
	// channelTime bounds one look at all of them, startTime the first one, which a start waits for.
	channelTime = 15 * time.Second
	startTime   = 3 * time.Second
)

// channels is what Slack said of the rules' channels.
type channels struct {
	mu      sync.Mutex
	outside map[string]bool // by ID: whether people of another organisation read it
	next    time.Time       // when to look again
}

// allowsShared reports whether the configuration allows by name that a channel is shared with another organisation.
func (c *Config) allowsShared(channel string) bool {
	return slices.Contains(c.Slack.SharedChannels, channel)
}

// lookAtChannels asks Slack about the channels of rules, and returns those that are shared with another organisation and
// must not be. Of a channel that Slack cannot be asked about, what it said last holds; if it never did, the channel is
// taken to be private until it is asked again: a stranger is refused at the click in any case.
func (a *App) lookAtChannels(ctx context.Context, rules []workflow.Rule) (shared []string) {
	ctx, cancel := context.WithTimeout(ctx, channelTime)
	defer cancel()
	c := &a.channels
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outside == nil {
		c.outside = map[string]bool{}
	}
	c.next = a.o.Now().Add(channelsAge)
	for _, id := range channelsOf(rules) {
		if a.cfg.allowsShared(id) {
			continue
		}
		p, err := a.bot.Place(ctx, id)
		if err == nil {
			c.outside[id] = p.Outside
		} else {
			c.next = a.o.Now().Add(channelsAgain)
			a.log.Warn("whether a channel is shared with another organisation could not be found out; it is tried again", "channel", id, "error", err)
		}
		if c.outside[id] {
			shared = append(shared, id)
		}
	}
	return shared
}

func channelsOf(rules []workflow.Rule) []string {
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.Channel)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func sharedSentence(shared []string) string {
	return fmt.Sprintf("policy.channel: %s is shared with another organisation, or about to be, whose people would read every request: use a channel of this workspace alone, or name it in slack.shared_channels", strings.Join(shared, ", "))
}

// watchChannels looks at the rules' channels now and then. While one is shared with another organisation nothing is
// asked for or decided there.
func (a *App) watchChannels(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		a.channels.mu.Lock()
		next := a.channels.next
		a.channels.mu.Unlock()
		if next.IsZero() || a.o.Now().Before(next) { // zero: not connected yet
			continue
		}
		a.reloading.Lock()
		a.closeChannels(a.lookAtChannels(ctx, a.inForce.Load().Rules))
		a.reloading.Unlock()
	}
}

// closeChannels puts in force which channels are shared.
func (a *App) closeChannels(shared []string) {
	if before := a.engine.Policy().Shared; slices.Equal(before, shared) {
		return
	}
	for _, id := range shared {
		a.log.Error("a channel of the policy is shared with another organisation: nothing is asked for or decided there until it is private again, or named in slack.shared_channels", "channel", id)
	}
	a.setPolicy(func(p *workflow.Policy) { p.Shared = shared })
}
