package slackfake

import "slices"

// Seed is the workspace at the start: who is there and what the app may do.
type Seed struct {
	Team       Team        `json:"team"`
	BotUser    string      `json:"bot_user"`
	BotID      string      `json:"bot_id"`
	AppID      string      `json:"app_id"`
	Users      []User      `json:"users"`
	UserGroups []UserGroup `json:"usergroups"`
	Channels   []Channel   `json:"channels"`
	// Scopes are those of the bot token; the app token always has connections:write.
	Scopes []string `json:"scopes"`
}

// Team is a workspace.
type Team struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
	// Enterprise is the organisation's ID on Enterprise Grid, else empty.
	Enterprise string `json:"enterprise,omitempty"`
}

// User is a person or a bot.
type User struct {
	ID                string `json:"id"`
	Team              string `json:"team_id"`
	Name              string `json:"name"`
	RealName          string `json:"real_name"`
	Email             string `json:"email,omitempty"`
	Locale            string `json:"locale,omitempty"`
	TZ                string `json:"tz,omitempty"`
	TZOffset          int    `json:"tz_offset,omitempty"`
	Deleted           bool   `json:"deleted,omitempty"`
	IsBot             bool   `json:"is_bot,omitempty"`
	IsWorkflowBot     bool   `json:"is_workflow_bot,omitempty"`
	IsAdmin           bool   `json:"is_admin,omitempty"`
	IsRestricted      bool   `json:"is_restricted,omitempty"`
	IsUltraRestricted bool   `json:"is_ultra_restricted,omitempty"`
	IsStranger        bool   `json:"is_stranger,omitempty"`
}

// UserGroup is a list of people with a handle.
type UserGroup struct {
	ID       string   `json:"id"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Users    []string `json:"users"`
	Disabled bool     `json:"disabled,omitempty"`
}

// Channel is a conversation; a direct message has IsIM and User.
type Channel struct {
	ID                 string   `json:"id"`
	Name               string   `json:"name"`
	Members            []string `json:"members"`
	IsPrivate          bool     `json:"is_private,omitempty"`
	IsArchived         bool     `json:"is_archived,omitempty"`
	IsShared           bool     `json:"is_shared,omitempty"`
	IsExtShared        bool     `json:"is_ext_shared,omitempty"`
	IsPendingExtShared bool     `json:"is_pending_ext_shared,omitempty"`
	IsIM               bool     `json:"is_im,omitempty"`
	User               string   `json:"user,omitempty"`
}

func (c *Channel) has(user string) bool { return slices.Contains(c.Members, user) }

// DefaultSeed is the workspace that the tests and the sandbox speak of.
func DefaultSeed() *Seed {
	return &Seed{
		Team:    Team{ID: "T0HOME", Name: "Acme", Domain: "acme"},
		BotUser: "U0BOT", BotID: "B0BOT", AppID: "A0APP",
		Users: defaultUsers(),
		UserGroups: []UserGroup{
			{ID: "S0GPU", Handle: "gpu-owners", Name: "GPU owners", Users: []string{"U0LEAD", "U0BOB"}},
		},
		Channels: defaultChannels(),
		Scopes: []string{
			"commands", "chat:write", "users:read", "users:read.email", "usergroups:read", "channels:read",
			"groups:read", "im:read", "im:write", "channels:history", "groups:history", "im:history", "reactions:write",
		},
	}
}

func defaultUsers() []User {
	const home, london, shanghai = "T0HOME", "Europe/London", "Asia/Shanghai"
	return []User{
		{ID: "U0BOT", Team: home, Name: "countersign", RealName: "Countersign", IsBot: true, Locale: "en-US"},
		{ID: "U0REQ", Team: home, Name: "rita", RealName: "Rita Requester", Email: "rita@acme.example", Locale: "en-US", TZ: london},
		{
			ID: "U0LEAD", Team: home, Name: "lena", RealName: "Lena Lead", Email: "lena@acme.example", Locale: "en-GB",
			TZ: london, IsAdmin: true,
		},
		{
			ID: "U0ALICE", Team: home, Name: "alice", RealName: "Alice Zhang", Email: "alice@acme.example", Locale: "zh-CN",
			TZ: shanghai, TZOffset: 28800,
		},
		{
			ID: "U0BOB", Team: home, Name: "bob", RealName: "Bob Li", Email: "bob@acme.example", Locale: "zh-CN",
			TZ: shanghai, TZOffset: 28800,
		},
		{ID: "U0GUEST", Team: home, Name: "gus", RealName: "Gus Guest", Email: "gus@guest.example", Locale: "en-US", IsRestricted: true},
		{ID: "U0GONE", Team: home, Name: "gone", RealName: "Gone Gordon", Email: "gone@acme.example", Deleted: true},
		{ID: "U0ROBOT", Team: home, Name: "robot", RealName: "Some Other Bot", IsBot: true},
		{
			ID: "U0OUT", Team: "T0OTHER", Name: "olga", RealName: "Olga Outside", Email: "olga@other.example", Locale: "en-US",
			IsStranger: true,
		},
	}
}

func defaultChannels() []Channel {
	full := []string{"U0REQ", "U0LEAD", "U0ALICE", "U0BOB"}
	with := func(more ...string) []string { return append(slices.Clone(full), more...) }
	return []Channel{
		{ID: "C0APPROVALS", Name: "approvals", Members: with("U0BOT", "U0GUEST", "U0GONE", "U0ROBOT")},
		{ID: "C0GENERAL", Name: "general", Members: with("U0GUEST")},
		{ID: "C0DATA", Name: "data", Members: with("U0BOT")},
		{ID: "C0PRIVATE", Name: "private", Members: with(), IsPrivate: true},
		{ID: "C0ARCHIVED", Name: "archived", Members: with("U0BOT"), IsArchived: true},
		{ID: "C0SHARED", Name: "shared", Members: with("U0BOT", "U0OUT"), IsShared: true, IsExtShared: true},
	}
}
