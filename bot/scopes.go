package bot

// Scope is a right that the bot's token needs, and what for.
type Scope struct {
	Name string
	// Why is what the bot cannot do without it.
	Why string
}

// Scopes are exactly the scopes that the bot's token needs (https://docs.slack.dev/reference/scopes).
func Scopes() []Scope {
	return []Scope{
		{"commands", "the slash command and the shortcut"},
		{"chat:write", "cards, replies in their threads and direct messages"},
		{"users:read", "who acts: guests, bots and deactivated people are refused"},
		{"usergroups:read", "requesters and approvers by user group"},
		{"channels:read", "doctor sees whether the bot is in a channel, and whether strangers are"},
		{"groups:read", "the same for private channels"},
		{"channels:history", "a card whose post was not recorded is found again instead of posted twice"},
		{"groups:history", "the same in private channels"},
		{"im:history", "the same for direct messages"},
		{"im:write", "the same: the conversation with a person is looked up by it"},
	}
}
