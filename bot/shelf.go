package bot

import (
	"context"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

const (
	// shelfFresh is how old a list from a cloud may be before it is read anew, behind the answer.
	shelfFresh = time.Minute
	// shelfWait is how long the first answer waits for a list; Slack waits three seconds for options.
	shelfWait = 1200 * time.Millisecond
	// shelfRead bounds one reading.
	shelfRead = 8 * time.Second
	// shelfLists bounds how many lists of a kind are kept.
	shelfLists = 500

	// namesFresh is how old the names of people may be; namesWait is how long an answer waits for them.
	namesFresh = time.Hour
	namesWait  = 400 * time.Millisecond
	namesKey   = "people"
	// namesPages bounds one reading of names.
	namesPages, namesPage = 10, 500
)

// shelf is lists as they were last read, for menus that are filled as one types. A list that is old is read anew behind
// the answer; only the very first answer waits for that, a little.
type shelf[T any] struct {
	mu       sync.Mutex
	lists    map[string]shelved[T]
	underway map[string]chan struct{}
}

// shelved is one list; read is whether it was ever read.
type shelved[T any] struct {
	at   time.Time
	list T
	read bool
}

func newShelf[T any]() *shelf[T] {
	return &shelf[T]{lists: map[string]shelved[T]{}, underway: map[string]chan struct{}{}}
}

// forget makes the next answer read anew.
func (s *shelf[T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.lists)
}

// shelves are what the form's pickers offer.
type shelves struct {
	groups  *shelf[[]workflow.Group]
	members *shelf[[]workflow.Listed]
	roles   *shelf[[]workflow.RoleRef]
	names   *shelf[map[string]string]
}

func newShelves() *shelves {
	return &shelves{
		groups: newShelf[[]workflow.Group](), members: newShelf[[]workflow.Listed](),
		roles: newShelf[[]workflow.RoleRef](), names: newShelf[map[string]string](),
	}
}

// take returns a list as it was last read, and whether it ever was. Nobody may change it.
func take[T any](ctx context.Context, b *Bot, s *shelf[T], key string, fresh, wait time.Duration, read func(context.Context) (T, error)) (T, bool) {
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)-listReserve)
	}
	s.mu.Lock()
	have, known := s.lists[key]
	if !have.read {
		fresh = min(fresh, shelfFresh)
	}
	if (!known || b.o.Engine.Now().Sub(have.at).Abs() > fresh) && s.underway[key] == nil {
		done := make(chan struct{})
		s.underway[key] = done
		b.aside("read a list for a menu", func() { fetch(context.WithoutCancel(ctx), b, s, key, done, read) })
	}
	reading := s.underway[key]
	s.mu.Unlock()
	if !known && reading != nil {
		select {
		case <-reading:
		case <-time.After(wait):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	have = s.lists[key]
	return have.list, have.read
}

// fetch reads a list. A reading that fails leaves what there was.
func fetch[T any](ctx context.Context, b *Bot, s *shelf[T], key string, done chan struct{}, read func(context.Context) (T, error)) {
	defer func() { // also where the reading panics, so that the next one is not kept from it
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.underway, key)
		close(done)
	}()
	ctx, cancel := context.WithTimeout(ctx, shelfRead)
	defer cancel()
	list, err := read(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lists) > shelfLists {
		clear(s.lists)
	}
	now := shelved[T]{b.o.Engine.Now(), list, true}
	if err != nil {
		b.o.Logger.Info("a list could not be read for a menu", "list", key, "error", err)
		now.list, now.read = s.lists[key].list, s.lists[key].read
	}
	s.lists[key] = now
}

func (b *Bot) groupsOf(ctx context.Context, sys workflow.System) ([]workflow.Group, bool) {
	if sys.Directory == nil {
		return nil, false
	}
	return take(ctx, b, b.shelves.groups, sys.Name, shelfFresh, shelfWait, sys.Directory.Groups)
}

// membersOf are the memberships in a group, for whoever may ask for something there.
func (b *Bot) membersOf(ctx context.Context, sys workflow.System, group string, a workflow.Actor) ([]workflow.Listed, bool) {
	if sys.Directory == nil || group == "" || b.o.Engine.Policy().MayRead(sys.Name, group, a) != nil {
		return nil, false
	}
	return take(ctx, b, b.shelves.members, sys.Name+"/"+group, shelfFresh, shelfWait, func(ctx context.Context) ([]workflow.Listed, error) {
		return sys.Directory.Members(ctx, group)
	})
}

// rolesIn are the roles that can be given in a group, for whoever may ask for something there.
func (b *Bot) rolesIn(ctx context.Context, sys workflow.System, group string, a workflow.Actor) ([]workflow.RoleRef, bool) {
	if sys.Directory == nil || group == "" || b.o.Engine.Policy().MayRead(sys.Name, group, a) != nil {
		return nil, false
	}
	return take(ctx, b, b.shelves.roles, sys.Name+"/"+group, shelfFresh, shelfWait, func(ctx context.Context) ([]workflow.RoleRef, error) {
		return sys.Directory.Roles(ctx, group)
	})
}

// namesOf are what people are called in Slack, of those whom the configuration knows. They are read by users.list, whose
// limit no decision depends on (https://docs.slack.dev/reference/methods/users.list).
func (b *Bot) namesOf(ctx context.Context) map[string]string {
	names, _ := take(ctx, b, b.shelves.names, namesKey, namesFresh, namesWait, b.readNames)
	return names
}

func (b *Bot) readNames(ctx context.Context) (map[string]string, error) {
	wanted := map[string]bool{}
	for _, p := range b.people() {
		wanted[p.Slack] = true
	}
	names := map[string]string{}
	page := b.client.GetUsersPaginated(slack.GetUsersOptionLimit(namesPage))
	for n := 0; n < namesPages && len(names) < len(wanted); n++ {
		var err error
		if page, err = page.Next(ctx); err != nil {
			if page.Failure(err) == nil || len(names) > 0 { // that was the last one, or what was read is of use
				return names, nil
			}
			return nil, err
		}
		for _, u := range page.Users {
			if wanted[u.ID] {
				names[u.ID] = nameOf(u)
			}
		}
	}
	return names, nil
}

// nameOf is a person's full name, with the one they go by.
func nameOf(u slack.User) string {
	full, short := firstOf(u.RealName, u.Name), firstOf(u.Profile.DisplayName, u.Name)
	if short == full {
		return full
	}
	return full + " (" + short + ")"
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
