package bot

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"countersign/workflow"
)

// The buttons that turn the pages of a Home.
const (
	actOlder = "older"
	actNewer = "newer"
)

// page is some of a part's requests, newest first.
type page struct {
	requests []workflow.Request
	// next is below which number the older ones are; zero where there are none.
	next  workflow.Number
	newer bool
}

// homePage reads one page. It looks at a bounded number of requests, whatever is stored: where few of them are this
// person's business the page is short, and the next one goes on from there.
func (b *Bot) homePage(ctx context.Context, part string, before workflow.Number, a workflow.Actor) (page, error) {
	var p page
	now := b.o.Engine.Now()
	q := workflow.Query{Before: before, Limit: homeListed + 1}
	switch part {
	case partMine:
		q.Requester = a.Person
	case partWaiting:
		q.States = []workflow.State{workflow.Pending}
	}
	for read := 0; ; {
		rs, err := b.o.Engine.List(ctx, q)
		if err != nil {
			return p, err
		}
		for _, r := range rs {
			q.Before = r.Number
			r.State = r.StateAt(now)
			if !b.belongs(r, part, a) {
				continue
			}
			if len(p.requests) == homeListed {
				p.next = p.requests[homeListed-1].Number
				return p, nil
			}
			p.requests = append(p.requests, r)
		}
		if len(rs) < q.Limit {
			return p, nil
		}
		if read += len(rs); read >= homeRead {
			p.next = q.Before
			return p, nil
		}
		q.Limit = min(4*q.Limit, homeRead-read)
	}
}

// belongs reports whether a request stands in a part of somebody's Home.
func (b *Bot) belongs(r workflow.Request, part string, a workflow.Actor) bool {
	switch part {
	case partWaiting:
		return r.State == workflow.Pending && b.o.Engine.Policy().MayDecide(r, a) == nil &&
			!slices.ContainsFunc(r.Decisions, func(d workflow.Decision) bool { return d.By.User == a.User })
	case partDecided:
		return r.State != workflow.Pending && r.Requester != a.Person && b.maySee(r, a)
	default:
		return true
	}
}

// maxTurns is how many pages back one can turn again; beyond them the newest is next.
const maxTurns = 30

// pages are where somebody stands in the parts of their Home: below which numbers the pages begin that they have turned
// to, one after the other. The view's private_metadata holds them, so that a restart loses no place; what comes back
// from there is believed only as far as it makes sense, and decides nothing.
type pages map[string][]workflow.Number

// String is the form in which the pages are kept with the view.
func (ps pages) String() string {
	text, err := json.Marshal(ps)
	if err != nil || len(ps) == 0 { // lists of numbers always have a form
		return ""
	}
	return string(text)
}

func pagesOf(metadata string) pages {
	kept := pages{}
	var given map[string][]workflow.Number
	if len(metadata) > maxMetadata || json.Unmarshal([]byte(metadata), &given) != nil {
		return kept
	}
	for _, part := range homeParts {
		for _, n := range given[part] {
			kept.turn(part, n)
		}
	}
	return kept
}

// before is below which number the part's page begins; zero is the newest page.
func (ps pages) before(part string) workflow.Number {
	if at := ps[part]; len(at) > 0 {
		return at[len(at)-1]
	}
	return 0
}

// turn goes on to the page below a number; pages only ever go down.
func (ps pages) turn(part string, n workflow.Number) {
	if at := ps.before(part); n == 0 || at > 0 && n >= at {
		return
	}
	ps[part] = append(ps[part], n)
	if len(ps[part]) > maxTurns {
		ps[part] = ps[part][1:]
	}
}

// back turns to the page before.
func (ps pages) back(part string) {
	if at := ps[part]; len(at) > 1 {
		ps[part] = at[:len(at)-1]
		return
	}
	ps.first(part)
}

// first turns to the newest page.
func (ps pages) first(part string) { delete(ps, part) }

// turned follows a press on any button of a Home: it turns the page where the button says so, and shows the Home as it
// now is, since a button that no longer works must go.
func (b *Bot) turned(ctx context.Context, i interaction, a blockAction) {
	at := pagesOf(i.View.PrivateMetadata)
	part, text, _ := strings.Cut(a.Value, ":")
	if slices.Contains(homeParts, part) {
		switch a.ActionID {
		case actNewer:
			at.back(part)
		case actOlder:
			if n, err := strconv.ParseUint(text, 10, 63); err == nil {
				at.turn(part, workflow.Number(n))
			}
		}
	}
	home := b.homes.opened(i.person(), at)
	b.aside("home", func() { b.showHome(context.WithoutCancel(ctx), home) })
}
