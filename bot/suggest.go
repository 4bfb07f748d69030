package bot

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

const (
	// groupsFresh is how old the groups of a system may be before they are read anew, behind the answer.
	groupsFresh = time.Minute
	// groupsWait is how long the first answer waits for them; Slack waits three seconds for options.
	groupsWait = 1500 * time.Millisecond
	// groupsRead bounds one reading.
	groupsRead = 8 * time.Second
)

// shelves are the groups of each system as they were last read, for menus that are filled as one types.
type shelves struct {
	mu       sync.Mutex
	systems  map[string]seen[[]workflow.Group]
	underway map[string]chan struct{}
}

func newShelves() *shelves {
	return &shelves{systems: map[string]seen[[]workflow.Group]{}, underway: map[string]chan struct{}{}}
}

// suggest answers a request for the options of a menu
// (https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#external_select). What was typed is
// always an option, so that a cloud that cannot be read never keeps anybody from asking.
func (b *Bot) suggest(ctx context.Context, i interaction) any {
	options := []*slack.OptionBlockObject{}
	typed := cut(plain(i.Value), 75)
	if clean(i.Value) != nil {
		typed = ""
	}
	if typed != "" {
		options = append(options, option(typed, typed))
	}
	a := b.actor(ctx, i.person(), false)
	if b.o.Engine.Policy().Vet(a) != nil {
		return map[string]any{"options": options}
	}
	system := ""
	if i.View != nil {
		system = i.View.input(inSystem)
	}
	for _, g := range b.groups(ctx, system) {
		matches := strings.Contains(strings.ToLower(g.ID+" "+g.Name), strings.ToLower(typed))
		if len(options) < 100 && matches && g.ID != typed && b.o.Engine.Policy().MayRead(system, g.ID, a) == nil {
			text := g.ID
			if g.Name != "" {
				text = calm(g.Name) + " · " + g.ID
			}
			options = append(options, option(g.ID, text))
		}
	}
	return map[string]any{"options": options}
}

// groups are the groups of a system: as they were last read, and those that the policy names. Where they are old they
// are read anew behind the answer; only the very first answer waits for that, a little.
func (b *Bot) groups(ctx context.Context, system string) []workflow.Group {
	sys, ok := b.o.Engine.System(system)
	if !ok {
		return nil
	}
	s := b.shelves
	s.mu.Lock()
	have, read := s.systems[system]
	if (!read || b.o.Engine.Now().Sub(have.at).Abs() > groupsFresh) && s.underway[system] == nil && sys.Directory != nil {
		done := make(chan struct{})
		s.underway[system] = done
		b.aside("read groups", func() { b.shelve(context.WithoutCancel(ctx), sys, done) })
	}
	wait := s.underway[system]
	s.mu.Unlock()
	if !read && wait != nil {
		select {
		case <-wait:
		case <-time.After(groupsWait):
		}
	}
	s.mu.Lock()
	groups := slices.Clone(s.systems[system].value)
	s.mu.Unlock()
	for _, id := range b.groupsInPolicy(system) {
		if !slices.ContainsFunc(groups, func(g workflow.Group) bool { return g.ID == id }) {
			groups = append(groups, workflow.Group{ID: id})
		}
	}
	return groups
}

// shelve reads the groups of a system. A reading that fails leaves what there was.
func (b *Bot) shelve(ctx context.Context, sys workflow.System, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, groupsRead)
	defer cancel()
	groups, err := sys.Directory.Groups(ctx)
	s := b.shelves
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		b.o.Logger.Info("the groups of a system could not be read for a menu", "system", sys.Name, "error", err)
		groups = s.systems[sys.Name].value
	}
	s.systems[sys.Name] = seen[[]workflow.Group]{b.o.Engine.Now(), groups}
	delete(s.underway, sys.Name)
	close(done)
}

// groupsInPolicy are the groups that the policy names for a system.
func (b *Bot) groupsInPolicy(system string) []string {
	var groups []string
	for _, r := range b.o.Engine.Policy().Rules {
		if len(r.Systems) == 0 || slices.Contains(r.Systems, system) {
			groups = append(groups, r.Groups...)
		}
	}
	return groups
}
