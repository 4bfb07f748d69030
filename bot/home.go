package bot

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

const (
	homeListed = 5   // requests in one page of one part of the Home
	homeRead   = 200 // requests that are looked at for one page, where only some are this person's business
	homeKnown  = 500 // people whose Home is kept up to date
	homeDelay  = 300 * time.Millisecond
	homeAgain  = 10 * time.Second // before a Home that could not be shown is tried again
	homeTries  = 5
)

// homes are the people who have opened their Home, so that it is kept right while they look at it.
type homes struct {
	mu     sync.Mutex
	people []*homeOf // latest last
	due    time.Time // when the next refresh is; zero where none is on its way
}

// homeOf is one person's Home. Its fields are the homes' to guard.
type homeOf struct {
	person workflow.Person
	// publishing is held while it is made and published, so that an older one never lands last.
	publishing sync.Mutex
	pages      pages
	shown      string // what Slack took last; empty where that is not known
	hash       string // what Slack calls it; empty where it is to be shown whatever is there
	failed     int
}

// opened remembers whose Home is looked at, and on which pages.
func (h *homes) opened(p workflow.Person, at pages) *homeOf {
	h.mu.Lock()
	defer h.mu.Unlock()
	home := &homeOf{person: p}
	if i := slices.IndexFunc(h.people, func(o *homeOf) bool { return o.person == p }); i >= 0 {
		home = h.people[i]
		h.people = slices.Delete(h.people, i, i+1)
	}
	h.people = append(h.people, home)
	if len(h.people) > homeKnown {
		h.people = h.people[1:]
	}
	home.pages, home.shown, home.hash, home.failed = at, "", "", 0
	return home
}

// look returns on which pages a Home is, what it shows, and its hash.
func (h *homes) look(home *homeOf) (at pages, shown, hash string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(home.pages), home.shown, home.hash
}

// took notes what Slack has taken; where it failed, what is shown is not known.
func (h *homes) took(home *homeOf, shown, hash string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if home.shown, home.hash = "", ""; err == nil {
		home.shown, home.hash, home.failed = shown, hash, 0
	}
}

// leave forgets a Home until it is opened again.
func (h *homes) leave(home *homeOf) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.people = slices.DeleteFunc(h.people, func(o *homeOf) bool { return o == home })
}

// happened takes an event: somebody opens their Home
// (https://docs.slack.dev/reference/events/app_home_opened). The Home is shown behind the acknowledgement, without which
// Slack delivers the event again after three seconds.
func (b *Bot) happened(ctx context.Context, payload []byte) {
	var e struct {
		TeamID string `json:"team_id"`
		Event  struct {
			Type string `json:"type"`
			User string `json:"user"`
			Tab  string `json:"tab"`
		} `json:"event"`
	}
	if err := json.Unmarshal(payload, &e); err != nil || e.Event.Type != "app_home_opened" || e.Event.Tab != "home" {
		return
	}
	home := b.homes.opened(workflow.Person{User: e.Event.User, Team: e.TeamID}, pages{})
	b.aside("home", func() { b.showHome(context.WithoutCancel(ctx), home) })
}

// Changed says that something was committed, here or by another replica. It brings the Homes that people have opened here
// up to date, a moment later, so that several changes make one update.
func (b *Bot) Changed() { b.refreshHomes(homeDelay) }

func (b *Bot) refreshHomes(after time.Duration) {
	h := &b.homes
	h.mu.Lock()
	defer h.mu.Unlock()
	at := time.Now().Add(after)
	if !h.due.IsZero() && !at.Before(h.due) || len(h.people) == 0 {
		return
	}
	h.due = at
	time.AfterFunc(after, func() {
		h.mu.Lock()
		h.due = time.Time{}
		people := slices.Clone(h.people)
		h.mu.Unlock()
		if !b.life.begin() {
			return
		}
		defer b.life.work.Done()
		_ = b.guard("homes", func() error {
			for _, home := range people {
				b.showHome(b.life.ctx, home)
			}
			return nil
		})
	})
}

// showHome shows a person their Home, and again later where that failed.
func (b *Bot) showHome(ctx context.Context, home *homeOf) {
	err := b.publishHome(ctx, home)
	if err == nil {
		return
	}
	b.o.Logger.Warn("a home could not be shown", "user", home.person.User, "error", err)
	if later, ok := errors.AsType[*workflow.LaterError](err); ok {
		b.refreshHomes(max(later.After, homeDelay))
		return
	}
	if b.homes.missed(home, err) {
		b.refreshHomes(homeAgain)
	}
}

// missed counts a failure and reports whether the Home is worth another try; else it is forgotten until it is opened
// again.
func (h *homes) missed(home *homeOf, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, never := errors.AsType[*workflow.UndeliverableError](err)
	if home.failed++; !never && home.failed < homeTries {
		return true
	}
	h.people = slices.DeleteFunc(h.people, func(o *homeOf) bool { return o == home })
	return false
}

// publishHome shows a person their Home, if it has changed (https://docs.slack.dev/reference/methods/views.publish).
func (b *Bot) publishHome(ctx context.Context, home *homeOf) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	home.publishing.Lock()
	defer home.publishing.Unlock()
	at, shown, hash := b.homes.look(home)
	p := home.person
	view, err := b.home(ctx, b.langOf(ctx, p.User), b.actor(ctx, p, false), at)
	if err != nil {
		return err
	}
	text, err := json.Marshal(view)
	if err != nil || string(text) == shown {
		return err
	}
	ask := slack.PublishViewContextRequest{UserID: p.User, View: view}
	if hash != "" {
		ask.Hash = &hash
	}
	taken, elsewhere := "", false
	err = b.gates.pass("views.publish", func() error {
		resp, err := b.client.PublishViewContext(ctx, ask)
		if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok && e.Err == "hash_conflict" {
			elsewhere = true
			return nil
		}
		if err == nil {
			taken = resp.Hash
		}
		return err
	})
	if elsewhere { // another replica has shown them a Home since, and keeps it right
		b.homes.leave(home)
		return nil
	}
	b.homes.took(home, string(text), taken, err)
	return err
}

// postTimeout bounds the making and publishing of one Home.
const postTimeout = 15 * time.Second

// The parts of a Home.
const (
	partWaiting = "waiting"
	partMine    = "mine"
	partDecided = "decided"
)

var homeParts = []string{partWaiting, partMine, partDecided}

// home is a person's Home: what waits for them, what they asked for, what was decided lately of what they may see.
func (b *Bot) home(ctx context.Context, lang Lang, a workflow.Actor, at pages) (slack.HomeTabViewRequest, error) {
	if ref := b.o.Engine.Policy().Vet(a); ref != nil {
		return lang.closedHome(ref), nil
	}
	parts := map[string]page{}
	for _, part := range homeParts {
		p, err := b.homePage(ctx, part, at.before(part), a)
		if err == nil && len(p.requests) == 0 && at.before(part) > 0 { // what stood there is gone
			at.first(part)
			p, err = b.homePage(ctx, part, 0, a)
		}
		if err != nil {
			return slack.HomeTabViewRequest{}, err
		}
		parts[part] = p
	}
	return b.homeOf(lang, a, at, parts), nil
}

// homeView is the callback_id of a Home.
const homeView = "home"

// closedHome is the Home of whoever may neither ask nor decide.
func (l Lang) closedHome(ref *workflow.Refusal) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, CallbackID: homeView, Blocks: slack.Blocks{BlockSet: paragraphs(l.sayRefusal(ref))}}
}

// homeOf words a Home.
func (b *Bot) homeOf(lang Lang, a workflow.Actor, at pages, parts map[string]page) slack.HomeTabViewRequest {
	ask := slack.NewButtonBlockElement(actAsk, "ask", plainText(lang.say("home.ask")))
	ask.Style = slack.StylePrimary
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab, CallbackID: homeView, PrivateMetadata: at.String()}
	view.Blocks.BlockSet = append(view.Blocks.BlockSet, slack.NewActionBlock("home:ask", ask))
	for _, part := range homeParts {
		p := parts[part]
		p.newer = at.before(part) > 0
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, b.homePart(lang, part, p, a)...)
	}
	return view
}

// homePart is one page of one list of the Home, each request with the buttons that work for this person.
func (b *Bot) homePart(l Lang, part string, p page, a workflow.Actor) []slack.Block {
	blocks := []slack.Block{slack.NewDividerBlock(), slack.NewHeaderBlock(plainText(l.say("home." + part)))}
	if len(p.requests) == 0 {
		blocks = append(blocks, slack.NewContextBlock("", mrkdwn(l.say("home."+part+".none"))))
	}
	for _, r := range p.requests {
		id := blockPrefix + r.Number.String() + ":home." + part
		text := l.say("list.line", r.Number, l.state(r.State), l.does(r), l.date(r.Created))
		if diff := l.difference(r); diff != "" && r.State == workflow.Pending {
			text += "\n" + diff
		}
		text += l.homeMore(part, r)
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(trim(text, maxSection)), nil, nil, slack.SectionBlockOptionBlockID(id)))
		if buttons := b.homeButtons(l, r, a); len(buttons) > 0 {
			blocks = append(blocks, slack.NewActionBlock(id+":act", buttons...))
		}
	}
	var turn []slack.BlockElement
	if p.newer {
		turn = append(turn, slack.NewButtonBlockElement(actNewer, part, plainText(l.say("home.newer"))))
	}
	if p.next > 0 {
		turn = append(turn, slack.NewButtonBlockElement(actOlder, part+":"+p.next.String(), plainText(l.say("home.older"))))
	}
	if len(turn) > 0 {
		blocks = append(blocks, slack.NewActionBlock("home:"+part+":page", turn...))
	}
	return blocks
}

// homeMore is what else one must know of a request: who asked and why, who decided, or who is still to.
func (l Lang) homeMore(part string, r workflow.Request) string {
	lines := []string{""}
	if part != partMine {
		by := l.say("home.by", who(r.Requester))
		if r.Reason != "" && r.Parent == 0 {
			by = l.say("card.reason_was", by, shown(r.Reason, 300))
		}
		lines = append(lines, by)
	}
	if n := len(r.Decisions); part != partWaiting && n > 0 {
		lines = append(lines, l.decision(r.Decisions[n-1]))
	}
	if end := l.ending(r); end != "" && (r.State == workflow.Failed || r.Asked()) {
		lines = append(lines, end) // its buttons are what is to be done about it
	}
	if part == partMine && r.State == workflow.Pending {
		lines = append(lines, l.progress(r))
	}
	return strings.Join(lines, "\n")
}

// homeButtons are a request's buttons for one person: the card's for those who may decide, withdraw and undo for who
// asked, none for whom it is only about.
func (b *Bot) homeButtons(l Lang, r workflow.Request, a workflow.Actor) []slack.BlockElement {
	switch {
	case r.Requester == a.Person && r.State == workflow.Pending:
		return []slack.BlockElement{l.withdrawButton(r.Number)}
	case r.Requester == a.Person && r.MayUndo(), b.o.Engine.Policy().MayDecide(r, a) == nil:
		return l.buttons(r)
	default:
		return nil
	}
}
