package bot

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

const (
	// groupAge is how old a user group's membership may be at a decision.
	groupAge = 5 * time.Minute
	// userAge is how old a look-up of a person may be where nothing is decided by it.
	userAge = time.Minute
	// lookTimeout bounds one look-up, so that an act is answered within Slack's three seconds: an act's are made side by side.
	lookTimeout = 1500 * time.Millisecond
)

// directory is what Slack said about people and user groups, and when.
type directory struct {
	mu     sync.Mutex
	users  map[string]seen[*slack.User]
	groups map[string]seen[[]string]
}

type seen[T any] struct {
	at    time.Time
	value T
}

func newDirectory() *directory {
	return &directory{users: map[string]seen[*slack.User]{}, groups: map[string]seen[[]string]{}}
}

// decider looks up who is about to decide a request, also in the user groups that its own rule names: the policy may have
// changed since.
func (b *Bot) decider(ctx context.Context, p workflow.Person, n workflow.Number) workflow.Actor {
	r, err := b.o.Engine.Load(ctx, n)
	if err != nil {
		return b.actor(ctx, p, true) // the decision meets the same error
	}
	return b.actor(ctx, p, true, r.Rule.UserGroups()...)
}

// actor looks up who acts, in the user groups of the policy and more. Fresh asks Slack about the person now, as a decision
// needs; a look-up that fails leaves the standing unknown, which the workflow refuses.
func (b *Bot) actor(ctx context.Context, p workflow.Person, fresh bool, more ...string) workflow.Actor {
	a := workflow.Actor{Person: p}
	var wg sync.WaitGroup
	var mu sync.Mutex
	place := func(group string, members []string, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			b.o.Logger.Warn("a user group could not be read", "user_group", group, "error", err)
			a.Unread = append(a.Unread, group)
		case slices.Contains(members, p.User):
			a.Groups = append(a.Groups, group)
		}
	}
	groups := append(b.o.Engine.Policy().UserGroups(), more...)
	slices.Sort(groups)
	for _, id := range slices.Compact(groups) {
		if members, known := b.dir.group(id, b.o.Engine.Now()); known {
			place(id, members, nil)
			continue
		}
		wg.Go(func() {
			members, err := b.readGroup(ctx, id)
			place(id, members, err)
		})
	}
	u, err := b.user(ctx, p.User, fresh)
	wg.Wait()
	slices.Sort(a.Groups)
	slices.Sort(a.Unread)
	if err != nil {
		b.o.Logger.Warn("a person could not be looked up", "user", p.User, "error", err)
		return a
	}
	a.Standing = standing(u)
	return a
}

// standing is what a person may do at all, from users.info (https://docs.slack.dev/reference/objects/user-object).
func standing(u *slack.User) workflow.Standing {
	switch {
	case u.Deleted:
		return workflow.IsDeactivated
	case u.IsBot || u.IsWorkflowBot || u.IsConnectorBot || u.ID == "USLACKBOT":
		return workflow.IsBot
	case u.IsStranger:
		return workflow.IsStranger
	case u.IsUltraRestricted:
		return workflow.IsLoneGuest
	case u.IsRestricted:
		return workflow.IsGuest
	default:
		return workflow.FullMember
	}
}

// user is users.info, cached. A fresh look-up never falls back on the cache: what cannot be looked up is not believed.
func (b *Bot) user(ctx context.Context, id string, fresh bool) (*slack.User, error) {
	d := b.dir
	d.mu.Lock()
	old, have := d.users[id]
	d.mu.Unlock()
	if have && !fresh && b.o.Engine.Now().Sub(old.at) < userAge {
		return old.value, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	u, err := b.client.GetUserInfoContext(ctx, id, slack.GetUserInfoOptionIncludeLocale(true))
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.users) > maxRemembered {
		clear(d.users)
	}
	d.users[id] = seen[*slack.User]{b.o.Engine.Now(), u}
	return u, nil
}

// maxRemembered bounds the cache of people.
const maxRemembered = 5000

// group is who is in a user group, if Slack has said so lately.
func (d *directory) group(id string, now time.Time) ([]string, bool) {
	d.mu.Lock()
	old, have := d.groups[id]
	d.mu.Unlock()
	age := now.Sub(old.at)
	return old.value, have && age >= 0 && age < groupAge
}

// readGroup is usergroups.users.list.
func (b *Bot) readGroup(ctx context.Context, id string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	members, err := b.client.GetUserGroupMembersContext(ctx, id)
	if err != nil {
		return nil, err
	}
	d := b.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups[id] = seen[[]string]{b.o.Engine.Now(), members}
	return members, nil
}

// members says who is in a user group, if Slack tells.
func (b *Bot) members(ctx context.Context) func(group string) ([]string, bool) {
	return func(id string) ([]string, bool) {
		if users, known := b.dir.group(id, b.o.Engine.Now()); known {
			return users, true
		}
		users, err := b.readGroup(ctx, id)
		return users, err == nil
	}
}

func rateLimited(err error) bool {
	if _, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return true
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return e.Code == http.StatusTooManyRequests
	}
	e, ok := errors.AsType[slack.SlackErrorResponse](err)
	return ok && (e.Err == "ratelimited" || e.Err == "rate_limited")
}

// langOf is the language for what one person alone reads; the configured one where theirs is not known.
func (b *Bot) langOf(ctx context.Context, user string) Lang {
	u, err := b.user(ctx, user, false)
	if err != nil {
		return b.o.Lang
	}
	return LangOf(u.Locale, b.o.Lang)
}
