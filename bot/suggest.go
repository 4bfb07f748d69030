package bot

import (
	"context"
	"slices"

	"github.com/slack-go/slack"
)

// suggest answers a request for the options of a menu
// (https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#external_select). What was typed is
// always an option, so that a cloud that cannot be read never keeps anybody from asking.
func (b *Bot) suggest(ctx context.Context, i interaction) any {
	options := []*slack.OptionBlockObject{}
	if typed := cut(plain(i.Value), 75); typed != "" && clean(i.Value) == nil {
		options = append(options, option(typed, typed))
	}
	if ref := b.o.Engine.Policy().Vet(b.actor(ctx, i.person(), false)); ref != nil {
		return map[string]any{"options": options}
	}
	system := ""
	if i.View != nil {
		system = i.View.input(inSystem)
	}
	for _, r := range b.groupsInPolicy(system) {
		if len(options) < 100 && r != i.Value {
			options = append(options, option(r, r))
		}
	}
	return map[string]any{"options": options}
}

// groupsInPolicy are the groups that the policy names for a system.
func (b *Bot) groupsInPolicy(system string) []string {
	var groups []string
	for _, r := range b.o.Engine.Policy().Rules {
		if system == "" || len(r.Systems) == 0 || slices.Contains(r.Systems, system) {
			groups = append(groups, r.Groups...)
		}
	}
	return groups
}
