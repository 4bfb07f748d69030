package slackfake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// state is everything that [Server.Snapshot] keeps. Its methods expect the server's lock to be held.
type state struct {
	Team     Team
	BotUser  string
	BotID    string
	AppID    string
	Scopes   []string
	Users    map[string]*User
	Groups   map[string]*UserGroup
	Channels map[string]*Channel
	// Messages holds each channel's messages in the order they came, ephemeral and deleted ones too.
	Messages  map[string][]*Message
	LastTS    map[string]int64
	Views     map[string]*View
	Stacks    map[string][]string // user -> view IDs, the top one last
	Homes     map[string]string   // user -> view ID
	Triggers  map[string]*trigger
	Responses map[string]*responseURL
	Counter   int64
}

// trigger is the right to open one modal, for three seconds.
type trigger struct {
	User string
	Made time.Time
	Used bool
	View string // the view that the trigger came from, for views.push
}

func newState(seed *Seed) *state {
	st := &state{
		Team: seed.Team, BotUser: seed.BotUser, BotID: seed.BotID, AppID: seed.AppID, Scopes: slices.Clone(seed.Scopes),
		Users: map[string]*User{}, Groups: map[string]*UserGroup{}, Channels: map[string]*Channel{},
		Messages: map[string][]*Message{}, LastTS: map[string]int64{}, Views: map[string]*View{},
		Stacks: map[string][]string{}, Homes: map[string]string{}, Triggers: map[string]*trigger{},
		Responses: map[string]*responseURL{},
	}
	for _, u := range seed.Users {
		st.Users[u.ID] = &u
	}
	for _, g := range seed.UserGroups {
		g.Users = slices.Clone(g.Users)
		st.Groups[g.ID] = &g
	}
	for _, c := range seed.Channels {
		c.Members = slices.Clone(c.Members)
		st.Channels[c.ID] = &c
	}
	return st
}

// id makes the next identifier of a kind; they are the same in every run that does the same things.
func (st *state) id(prefix string) string {
	st.Counter++
	return prefix + fmt.Sprintf("%08s", strings.ToUpper(strconv.FormatInt(st.Counter, 36)))
}

// ts is a message's timestamp: unique and increasing within its channel, whatever the clock does.
func (st *state) ts(channel string, now time.Time) string {
	micros := max(now.UnixMicro(), st.LastTS[channel]+1)
	st.LastTS[channel] = micros
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}

// message finds a message by channel and ts, deleted ones too.
func (st *state) message(channel, ts string) *Message {
	for _, m := range st.Messages[channel] {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

// im is the direct-message channel between the bot and a user, opened when it is first needed.
func (st *state) im(user string) *Channel {
	id := "D" + strings.TrimLeft(user, "UW")
	if st.Channels[id] == nil {
		st.Channels[id] = &Channel{ID: id, IsIM: true, User: user, Members: []string{user, st.BotUser}}
	}
	return st.Channels[id]
}

// channelByRef finds a channel by ID, #name or name.
func (st *state) channelByRef(ref string) *Channel {
	if c := st.Channels[ref]; c != nil {
		return c
	}
	name := strings.TrimPrefix(ref, "#")
	for _, c := range st.channels() {
		if name != "" && c.Name == name {
			return c
		}
	}
	return nil
}

func (st *state) users() []*User {
	return slices.SortedFunc(maps.Values(st.Users), func(a, b *User) int { return cmp.Compare(a.ID, b.ID) })
}

func (st *state) groups() []*UserGroup {
	return slices.SortedFunc(maps.Values(st.Groups), func(a, b *UserGroup) int { return cmp.Compare(a.ID, b.ID) })
}

func (st *state) channels() []*Channel {
	return slices.SortedFunc(maps.Values(st.Channels), func(a, b *Channel) int { return cmp.Compare(a.ID, b.ID) })
}

// newTrigger makes a trigger_id in Slack's shape, 123.456.abcdef.
func (st *state) newTrigger(user, view string, now time.Time) string {
	st.Counter++
	id := fmt.Sprintf("%d.%d.%032x", now.UnixMilli(), st.Counter, mix(st.Counter))
	st.Triggers[id] = &trigger{User: user, Made: now, View: view}
	return id
}

// mix spreads a counter over 64 bits, so that identifiers look like Slack's and are not mistaken for numbers.
func mix(n int64) uint64 {
	x := uint64(n) * 0x9E3779B97F4A7C15
	x ^= x >> 31
	x *= 0xBF58476D1CE4E5B9
	return x ^ x>>27
}
