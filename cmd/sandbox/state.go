package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
)

const (
	botUser = "U0BOT"
	// maxShown is how many messages of a channel, and how many calls of a cloud, the page gets.
	maxShown = 200
)

// picture is everything that the page shows to one person at one moment.
type picture struct {
	Version int64     `json:"version"`
	Now     time.Time `json:"now"`
	// Ahead is how far the clock was pushed, in seconds.
	Ahead     int64             `json:"ahead"`
	As        string            `json:"as"`
	People    []person          `json:"people"`
	Groups    []userGroup       `json:"groups"`
	Channels  []channel         `json:"channels"`
	Modals    []slackfake.View  `json:"modals"`
	Home      *slackfake.View   `json:"home"`
	CompShare []team            `json:"compshare"`
	DataArts  []workspace       `json:"dataarts"`
	IAM       iam               `json:"iam"`
	Calls     []call            `json:"calls"`
	Bot       status            `json:"bot"`
	Mishaps   []mishap          `json:"mishaps"`
	Armed     []string          `json:"armed"`
	Names     map[string]string `json:"names"`
	Seed      map[string]string `json:"seed"`
}

// person is somebody who may be looked up in a mention, and, with SignIn, whose place may be taken.
type person struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Real   string `json:"real"`
	Role   string `json:"role"`
	Locale string `json:"locale"`
	TZ     string `json:"tz"`
	Bot    bool   `json:"bot,omitempty"`
	SignIn bool   `json:"sign_in"`
}

type userGroup struct {
	ID     string `json:"id"`
	Handle string `json:"handle"`
}

// channel is a conversation with what the person sees in it.
type channel struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Private  bool      `json:"private,omitempty"`
	Shared   bool      `json:"shared,omitempty"`
	Direct   bool      `json:"direct,omitempty"`
	Messages []message `json:"messages"`
}

// message is a message without what a person cannot see of it: metadata and earlier versions.
type message struct {
	TS        string    `json:"ts"`
	ThreadTS  string    `json:"thread_ts,omitempty"`
	User      string    `json:"user"`
	Text      string    `json:"text"`
	Blocks    []any     `json:"blocks,omitempty"`
	Ephemeral bool      `json:"ephemeral,omitempty"`
	Edited    bool      `json:"edited,omitempty"`
	Versions  int       `json:"versions"`
	Source    string    `json:"source"`
	Time      time.Time `json:"time"`
}

// roles are, by keys of the page's catalogue, what the seed's people are for, in the order in which the page offers them.
var roles = []struct{ id, role string }{
	{"U0REQ", "asks"},
	{"U0LEAD", "approves"},
	{"U0BOB", "approves"},
	{"U0ALICE", "asks"},
	{"U0GUEST", "guest"},
	{"U0OUT", "stranger"},
}

// canSignIn tells people from bots and from those who have left.
func canSignIn(u slackfake.User) bool { return !u.IsBot && !u.IsWorkflowBot && !u.Deleted }

// picture draws what a person sees now.
func (w *world) picture(as string) picture {
	version, _ := w.news.wait()
	cloud := w.dataarts()
	p := picture{
		Version: version, Now: w.clock.now(), Ahead: int64(w.clock.offset().Seconds()), As: as,
		People: w.people(), Channels: w.channels(as), Modals: w.Slack.Views(as),
		CompShare: w.teams(), DataArts: cloud.workspaces(), IAM: cloud.iam(), Calls: w.calls(),
		Bot: w.status(), Mishaps: mishaps, Armed: w.armed.labels(), Names: companies,
		Seed: map[string]string{"team": rig.Team, "workspace": rig.Workspace, "channel": rig.Channel},
	}
	for _, g := range slackfake.DefaultSeed().UserGroups {
		p.Groups = append(p.Groups, userGroup{g.ID, g.Handle})
	}
	if v, ok := w.Slack.Home(as); ok {
		p.Home = &v
	}
	return p
}

func (w *world) people() []person {
	var list []person
	for _, u := range w.Slack.Users() {
		p := person{
			ID: u.ID, Name: u.Name, Real: u.RealName, Locale: u.Locale, TZ: u.TZ, Bot: u.IsBot, SignIn: canSignIn(u),
		}
		if i := place(u.ID); i < len(roles) {
			p.Role = roles[i].role
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b person) int { return cmp.Compare(place(a.ID), place(b.ID)) })
	return list
}

// place is where a person stands in the page's list.
func place(id string) int {
	for i, r := range roles {
		if r.id == id {
			return i
		}
	}
	return len(roles)
}

// channels are the conversations that a person is in, with the messages that are there for that person.
func (w *world) channels(as string) []channel {
	var list []channel
	for _, c := range w.Slack.Channels() {
		if !slices.Contains(c.Members, as) || c.IsArchived || c.IsIM && c.User != as {
			continue
		}
		list = append(list, channel{
			ID: c.ID, Name: c.Name, Private: c.IsPrivate, Shared: c.IsExtShared, Direct: c.IsIM, Messages: []message{},
		})
	}
	for _, m := range w.Slack.AllMessages() {
		i := slices.IndexFunc(list, func(c channel) bool { return c.ID == m.Channel })
		if i < 0 || m.Deleted || m.Ephemeral && m.To != as {
			continue
		}
		list[i].Messages = append(list[i].Messages, message{
			m.TS, m.ThreadTS, m.User, m.Text, m.Blocks, m.Ephemeral, m.Edited, len(m.Edits) + 1, m.Source, m.Time,
		})
	}
	for i := range list {
		list[i].Messages = list[i].Messages[max(0, len(list[i].Messages)-maxShown):]
	}
	return list
}

// decode reads what one of the emulators said of itself; that it cannot be read would be a mistake in this program.
func decode(raw []byte, v any) {
	if err := json.Unmarshal(raw, v); err != nil {
		panic(err)
	}
}
