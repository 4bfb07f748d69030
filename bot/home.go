package bot

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

const (
	homeListed = 8   // requests in one part of the Home
	homeKnown  = 500 // people whose Home is kept up to date
	homeDelay  = 300 * time.Millisecond
)

// homes are the people who have opened their Home, so that it is kept right while they look at it.
type homes struct {
	mu     sync.Mutex
	people []workflow.Person // latest last
	due    bool              // a refresh is on its way
}

func (h *homes) opened(p workflow.Person) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.people = slices.DeleteFunc(h.people, func(o workflow.Person) bool { return o == p })
	h.people = append(h.people, p)
	if len(h.people) > homeKnown {
		h.people = h.people[1:]
	}
}

// happened takes an event: somebody opens their Home
// (https://docs.slack.dev/reference/events/app_home_opened).
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
	p := workflow.Person{User: e.Event.User, Team: e.TeamID}
	b.homes.opened(p)
	b.publishHome(ctx, p)
}

// Changed brings the Homes that people have opened up to date, a moment later, so that several changes make one update.
func (b *Bot) Changed(workflow.Entry) {
	h := &b.homes
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.due || len(h.people) == 0 {
		return
	}
	h.due = true
	time.AfterFunc(homeDelay, func() {
		h.mu.Lock()
		h.due = false
		people := slices.Clone(h.people)
		h.mu.Unlock()
		for _, p := range people {
			b.publishHome(context.Background(), p)
		}
	})
}

// publishHome shows a person their Home (https://docs.slack.dev/reference/methods/views.publish). One that cannot be
// published is published at the next change, or when it is opened again.
func (b *Bot) publishHome(ctx context.Context, p workflow.Person) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	lang := b.langOf(ctx, p.User)
	view, err := b.home(ctx, lang, b.actor(ctx, p, false))
	if err == nil {
		err = b.gates.pass("views.publish", func() error {
			_, err := b.client.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: p.User, View: view})
			return err
		})
	}
	if err != nil {
		b.o.Logger.Warn("a home could not be shown", "user", p.User, "error", err)
	}
}

// postTimeout bounds the making and publishing of one Home.
const postTimeout = 15 * time.Second

// home is a person's Home: what waits for them, what they asked for, what was decided lately of what they may see.
func (b *Bot) home(ctx context.Context, lang Lang, a workflow.Actor) (slack.HomeTabViewRequest, error) {
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab, CallbackID: "home"}
	if ref := b.o.Engine.Policy().Vet(a); ref != nil {
		view.Blocks.BlockSet = paragraphs(lang.sayRefusal(ref))
		return view, nil
	}
	newest, err := b.o.Engine.List(ctx, workflow.Query{Limit: 200})
	if err != nil {
		return view, err
	}
	mine, err := b.o.Engine.List(ctx, workflow.Query{Requester: a.Person, Limit: homeListed})
	if err != nil {
		return view, err
	}
	pending, err := b.o.Engine.List(ctx, workflow.Query{States: []workflow.State{workflow.Pending}, Limit: 200})
	if err != nil {
		return view, err
	}
	now := b.o.Engine.Now()
	waiting := some(pending, func(r workflow.Request) bool {
		return r.StateAt(now) == workflow.Pending && b.o.Engine.Policy().MayDecide(r, a) == nil &&
			!slices.ContainsFunc(r.Decisions, func(d workflow.Decision) bool { return d.By.User == a.User })
	})
	decided := some(newest, func(r workflow.Request) bool {
		return r.StateAt(now) != workflow.Pending && r.Requester != a.Person && b.maySee(r, a)
	})
	ask := slack.NewButtonBlockElement(actAsk, "ask", plainText(lang.say("home.ask")))
	ask.Style = slack.StylePrimary
	view.Blocks.BlockSet = append(view.Blocks.BlockSet, slack.NewActionBlock("home:ask", ask))
	for _, part := range []struct {
		title string
		rs    []workflow.Request
	}{{"home.waiting", waiting}, {"home.mine", mine}, {"home.decided", decided}} {
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, lang.homePart(part.title, part.rs, a, now)...)
	}
	return view, nil
}

func some(rs []workflow.Request, want func(workflow.Request) bool) []workflow.Request {
	var out []workflow.Request
	for _, r := range rs {
		if len(out) < homeListed && want(r) {
			out = append(out, r)
		}
	}
	return out
}

// homePart is one list of the Home, each request with the buttons that work for this person.
func (l Lang) homePart(title string, rs []workflow.Request, a workflow.Actor, now time.Time) []slack.Block {
	blocks := []slack.Block{slack.NewDividerBlock(), slack.NewHeaderBlock(plainText(l.say(title)))}
	if len(rs) == 0 {
		return append(blocks, slack.NewContextBlock("", mrkdwn(l.say(title+".none"))))
	}
	for _, r := range rs {
		id := blockPrefix + r.Number.String() + ":" + title
		r.State = r.StateAt(now)
		text := l.say("list.line", r.Number, l.state(r.State), l.does(r.Change), l.date(r.Created))
		if diff := l.difference(r); diff != "" && r.State == workflow.Pending {
			text += "\n" + diff
		}
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(trim(text, maxSection)), nil, nil, slack.SectionBlockOptionBlockID(id)))
		if buttons := l.homeButtons(r, a); len(buttons) > 0 {
			blocks = append(blocks, slack.NewActionBlock(id+":act", buttons...))
		}
	}
	return blocks
}

// homeButtons are a request's buttons for one person: the card's for those who may decide, withdraw for who asked.
func (l Lang) homeButtons(r workflow.Request, a workflow.Actor) []slack.BlockElement {
	if r.Requester != a.Person {
		return l.buttons(r)
	}
	if r.State != workflow.Pending {
		return nil
	}
	return []slack.BlockElement{l.withdrawButton(r.Number)}
}
