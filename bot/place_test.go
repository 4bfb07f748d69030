package bot

import (
	"testing"

	"github.com/slack-go/slack"
)

func TestOutside(t *testing.T) {
	channel := func(f func(c *slack.Channel)) *slack.Channel {
		c := &slack.Channel{}
		f(c)
		return c
	}
	for name, c := range map[string]struct {
		channel *slack.Channel
		want    bool
	}{
		"nothing said":                {channel(func(*slack.Channel) {}), false},
		"shared with others":          {channel(func(c *slack.Channel) { c.IsExtShared = true }), true},
		"about to be":                 {channel(func(c *slack.Channel) { c.IsPendingExtShared = true }), true},
		"within the organisation":     {channel(func(c *slack.Channel) { c.IsShared, c.IsOrgShared = true, true }), false},
		"shared, not said how":        {channel(func(c *slack.Channel) { c.IsShared = true }), true},
		"of its own workspace":        {channel(func(c *slack.Channel) { c.ContextTeamID, c.ConnectedTeamIDs = "T1", []string{"T1"} }), false},
		"of another workspace":        {channel(func(c *slack.Channel) { c.ContextTeamID, c.ConnectedTeamIDs = "T1", []string{"T2"} }), true},
		"of one workspace, not whose": {channel(func(c *slack.Channel) { c.ConnectedTeamIDs = []string{"T1"} }), false},
		"of two workspaces":           {channel(func(c *slack.Channel) { c.ConnectedTeamIDs = []string{"T1", "T2"} }), true},
	} {
		if got := outside(c.channel); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
