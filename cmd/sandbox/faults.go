package main

import (
	"sync"

	"countersign/bot/slackfake"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
)

// The calls of each cloud that change something.
var (
	compshareChanges = []string{"CreateCompShareTeamRelation", "SetCompShareTeamRelation"}
	dataartsChanges  = []string{
		dataartsfake.AddWorkSpaceUsers, dataartsfake.UpdateWorkSpaceUserOrGroup, dataartsfake.DeleteWorkspaceusers,
	}
)

// mishap is something that can be made to go wrong from the page, whose catalogue has the words for it.
type mishap struct {
	ID string `json:"id"`
	// Group is what it happens to: cloud, slack or bot.
	Group string `json:"group"`
	// do makes it happen, or prepares it; where it is prepared, spent reports whether it has happened.
	do func(w *world) (spent func() bool, err error)
}

// mishaps are what can go wrong, in the order of the page.
var mishaps = []mishap{
	{
		"lose-answer", "cloud",
		onNextChange(compsharefake.Fault{Kind: compsharefake.Cut, After: true}, dataartsfake.Fault{Kind: dataartsfake.ApplyThenCut}),
	},
	{
		"cut-call", "cloud",
		onNextChange(compsharefake.Fault{Kind: compsharefake.Cut}, dataartsfake.Fault{Kind: dataartsfake.CutBefore}),
	},
	{
		"refuse", "cloud",
		onNextChange(
			compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: 226606, Message: "account is not real-name verified"},
			dataartsfake.Fault{Kind: dataartsfake.Status, Status: 400, Code: "DAYU.4402", Message: "The workspace user is not allowed to do this."},
		),
	},
	{"busy", "cloud", cloudsBusy},
	{"cloud-down", "cloud", cloudsDown},
	{"slack-limit", "slack", slackLimit},
	{
		"slack-twice", "slack",
		func(w *world) (func() bool, error) { w.Slack.Duplicate(1); return nil, nil },
	},
	{
		"drop-socket", "slack",
		func(w *world) (func() bool, error) { w.Slack.DropSockets(); return nil, nil },
	},
	{
		"restart", "bot",
		func(w *world) (func() bool, error) { return nil, w.restartBot() },
	},
}

// onNextChange strikes the next change that either cloud is asked for, and no read.
func onNextChange(cs compsharefake.Fault, da dataartsfake.Fault) func(*world) (func() bool, error) {
	return func(w *world) (func() bool, error) {
		w.CompShare.ClearFaults()
		w.DataArts.ClearFaults()
		for _, action := range compshareChanges {
			f := cs
			f.Action = action
			w.CompShare.Fault(f)
		}
		for _, route := range dataartsChanges {
			f := da
			f.Route = route
			w.DataArts.AddFault(f)
		}
		before := len(w.CompShare.Mutations()) + len(w.DataArts.Mutations())
		return func() bool { return len(w.CompShare.Mutations())+len(w.DataArts.Mutations()) > before }, nil
	}
}

// never is that something does not end by itself.
func never() bool { return false }

// cloudsBusy lets no change through, and every read.
func cloudsBusy(w *world) (func() bool, error) {
	_, _ = onNextChange(
		compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: 153, Message: "API request throttled", Count: -1},
		dataartsfake.Fault{Kind: dataartsfake.Status, Status: 429, Count: -1},
	)(w)
	return never, nil
}

func cloudsDown(w *world) (func() bool, error) {
	w.CompShare.Fault(compsharefake.Fault{Kind: compsharefake.HTTPStatus, Status: 502, Count: -1})
	w.DataArts.AddFault(dataartsfake.Fault{Kind: dataartsfake.Status, Status: 502, Count: -1})
	return never, nil
}

func slackLimit(w *world) (func() bool, error) {
	before := len(limited(w.Slack))
	for _, method := range []string{"chat.postMessage", "chat.update"} {
		w.Slack.Fault(slackfake.Fault{Method: method, Kind: slackfake.RateLimited, RetryAfter: "3"})
	}
	return func() bool { return len(limited(w.Slack)) > before }, nil
}

func limited(s *slackfake.Server) (calls []slackfake.Call) {
	for _, c := range s.Calls("") {
		if c.Fault == string(slackfake.RateLimited) {
			calls = append(calls, c)
		}
	}
	return calls
}

// armed is what was prepared and has not happened yet.
type armed struct {
	mu   sync.Mutex
	list []waiting
}

type waiting struct {
	mishap
	spent func() bool
}

// labels are the IDs of what is prepared, for the page to mark.
func (a *armed) labels() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := []string{}
	for _, w := range a.list {
		ids = append(ids, w.ID)
	}
	return ids
}

// arm makes a mishap happen, or prepares it. Of those that strike the clouds one is prepared at a time: the emulators
// would take them in an order that nobody could follow.
func (w *world) arm(m mishap) error {
	spent, err := m.do(w)
	if err != nil {
		return err
	}
	w.armed.mu.Lock()
	defer w.armed.mu.Unlock()
	var rest []waiting
	for _, other := range w.armed.list {
		if other.ID != m.ID && (m.Group != "cloud" || other.Group != "cloud") {
			rest = append(rest, other)
		}
	}
	if spent != nil {
		rest = append(rest, waiting{m, spent})
	}
	w.armed.list = rest
	return nil
}

// disarm forgets what has happened, and takes the copies of it away that were prepared for other calls.
func (w *world) disarm() {
	w.armed.mu.Lock()
	defer w.armed.mu.Unlock()
	var rest []waiting
	for _, a := range w.armed.list {
		if !a.spent() {
			rest = append(rest, a)
			continue
		}
		if a.Group == "cloud" {
			w.CompShare.ClearFaults()
			w.DataArts.ClearFaults()
		}
	}
	w.armed.list = rest
}

// heal ends everything that was made to go wrong.
func (w *world) heal() {
	w.armed.mu.Lock()
	defer w.armed.mu.Unlock()
	w.armed.list = nil
	w.CompShare.ClearFaults()
	w.DataArts.ClearFaults()
	w.Slack.ClearFaults()
}
