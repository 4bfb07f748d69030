package bot

import (
	"context"
	"slices"

	"github.com/slack-go/slack"
)

// Place is what Slack says of a channel.
type Place struct {
	Name string
	// Member: the bot is in it. Outside: people of other organisations are in it, or are invited.
	Member, Archived, Outside bool
}

// Place looks a channel up (https://docs.slack.dev/reference/methods/conversations.info).
func (b *Bot) Place(ctx context.Context, channel string) (Place, error) {
	return placeOf(ctx, b.client, channel)
}

// Place looks a channel up (https://docs.slack.dev/reference/methods/conversations.info).
func (d *Doctor) Place(ctx context.Context, channel string) (Place, error) {
	return placeOf(ctx, d.client, channel)
}

func placeOf(ctx context.Context, client *slack.Client, channel string) (Place, error) {
	ch, err := client.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
	if err != nil {
		return Place{}, err
	}
	return Place{Name: ch.Name, Member: ch.IsMember, Archived: ch.IsArchived, Outside: outside(ch)}, nil
}

// outside reports whether people of another organisation are in a channel, or invited. A channel that is shared only
// between workspaces of the same organisation is not; one that is shared in a way that Slack does not say is.
func outside(ch *slack.Channel) bool {
	own := ch.ContextTeamID
	if own == "" && len(ch.ConnectedTeamIDs) == 1 {
		own = ch.ConnectedTeamIDs[0] // one workspace alone shares nothing
	}
	other := slices.ContainsFunc(ch.ConnectedTeamIDs, func(team string) bool { return team != own })
	return ch.IsExtShared || ch.IsPendingExtShared || len(ch.PendingShared) > 0 || (ch.IsShared || other) && !ch.IsOrgShared
}
