package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// broken is one cloud of a world, and how it is broken and mended.
type broken struct {
	name, typed string
	calls       func(status int) // from now on every call that changes something is answered so, and not carried out
	reads       func(status int) // from now on every read is
	cut         func()           // the next call that changes something is cut off, not carried out
	mended      func()
	holds       func() string
	given       string // what it holds once the change is made
	throttled   []string
	fault       []string
}

// bothClouds are the clouds of a world; each has one call that makes its change.
func bothClouds(w *world) []broken {
	compshare := func(actions ...string) func(int) {
		return func(status int) {
			for _, a := range actions {
				f := compsharefake.Fault{Action: a, Kind: compsharefake.HTTPStatus, Status: status, Count: -1}
				if status == 429 {
					f.Kind, f.RetCode, f.Message = compsharefake.RetCode, 153, "request frequency too high"
				}
				w.CompShare.Fault(f)
			}
		}
	}
	dataarts := func(routes ...string) func(int) {
		return func(status int) {
			for _, r := range routes {
				w.DataArts.AddFault(dataartsfake.Fault{Route: r, Kind: dataartsfake.Status, Status: status, Count: -1})
			}
		}
	}
	return []broken{
		{
			name: "compshare", typed: "invite 50006 to gpu-lab/1001",
			calls: compshare("CreateCompShareTeamRelation"), reads: compshare("GetCompShareTeamInfo", "ListCompShareTeamJoined", "ListCompShareTeamInvite"),
			cut: func() {
				w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Cut})
			},
			mended: w.CompShare.ClearFaults, holds: func() string { return w.CompShare.Status(1001, 50006) }, given: "Pending",
			throttled: []string{"RetCode 153", "request frequency too high"}, fault: []string{"HTTP 500"},
		},
		{
			name: "dataarts", typed: "add @alice to warehouse/" + space + " as viewer",
			calls: dataarts(dataartsfake.AddWorkSpaceUsers), reads: dataarts(dataartsfake.ListWorkspaceusers),
			cut: func() {
				w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.CutBefore})
			},
			mended: w.DataArts.ClearFaults, holds: func() string { return w.member(dataartsfake.TypeUser, alice) }, given: "r00004",
			throttled: []string{"APIGW.0308"}, fault: []string{"DAYU.3531"},
		},
	}
}

// inEachCloud runs a test in a world of its own for each cloud and each way in which Slack delivers, with a clock that can be pushed.
func inEachCloud(t *testing.T, f func(t *testing.T, w *world, clock *pushed, c broken)) {
	t.Helper()
	for i, name := range []string{"compshare", "dataarts"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBothModesAt(t, rig.Options{}, func(t *testing.T, w *world, clock *pushed) {
				f(t, w, clock, bothClouds(w)[i])
			})
		})
	}
}

// passes pushes the clock until a condition holds.
func (w *world) passes(clock *pushed, what string, cond func() bool) {
	w.t.Helper()
	next := time.Now()
	w.eventually(what, func() bool {
		if cond() {
			return true
		}
		if time.Now().After(next) {
			clock.push(10 * time.Second)
			next = time.Now().Add(200 * time.Millisecond)
		}
		return false
	})
}

// ends wants a request in a state with these buttons, and a reply in its thread, and a message to the requester, with
// all of what is wanted and the vendor's request ID if there is one. It returns the card.
func (w *world) ends(n workflow.Number, state workflow.State, buttons []string, want ...string) slackfake.Message {
	w.t.Helper()
	r, card := w.becomes(n, state)
	if got := actionIDs(card); !slices.Equal(got, buttons) {
		w.t.Errorf("buttons %v, want %v", got, buttons)
	}
	key := string(state) + ": "
	if f := r.Result.Fault; f != nil && f.RequestID != "" && r.Result.MarkedBy.User == "" {
		want, key = append(want, key), f.RequestID
	}
	thread, direct := w.threadOf(card, key), w.directly("U0REQ", key)
	want = append(want, key)
	for place, text := range map[string]string{"card": slackfake.Text(card), "thread": thread, "direct message": direct} {
		for _, want := range want {
			if !strings.Contains(text, want) {
				w.t.Errorf("the %s reads\n%s\nwant %q in it", place, text, want)
			}
		}
	}
	return card
}

// retries mends the cloud, presses Retry, and wants the change made by exactly one call more.
func (w *world) retries(c broken, n workflow.Number, card slackfake.Message) {
	w.t.Helper()
	c.mended()
	before := len(w.calls())
	w.settled(n)
	w.clicks("U0BOB", card, "retry")
	_, card = w.becomes(n, workflow.Done)
	wantDecided(w.t, card)
	if got := c.holds(); got != c.given {
		w.t.Errorf("the cloud holds %q, want %q", got, c.given)
	}
	if got := len(w.calls()) - before; got != 1 {
		w.t.Errorf("%d calls by the retry, want 1", got)
	}
}

// A vendor that stays busy is called as often as the bot may by itself; then people are asked.
func TestOutcome_ThrottledBeyondTheBounds(t *testing.T) {
	t.Parallel()
	inEachCloud(t, func(t *testing.T, w *world, clock *pushed, c broken) {
		r, card := w.planned(c.typed)
		c.calls(429)
		w.clicks("U0LEAD", card, "approve")
		w.passes(clock, "failed", func() bool { return w.request(r.Number).State == workflow.Failed })
		if got := len(w.calls()); got != 3 {
			t.Errorf("%d calls, want 3 before people are asked", got)
		}
		card = w.ends(r.Number, workflow.Failed, []string{"retry"}, append(c.throttled, "asks to slow down: press Retry in a minute", "equest ID: ")...)
		w.retries(c, r.Number, card)
	})
}

// A vendor that cannot even be read is not asked to change anything.
func TestOutcome_VendorCannotBeRead(t *testing.T) {
	t.Parallel()
	inEachCloud(t, func(t *testing.T, w *world, clock *pushed, c broken) {
		r, card := w.planned(c.typed)
		c.reads(500)
		w.clicks("U0LEAD", card, "approve")
		w.passes(clock, "failed", func() bool { return w.request(r.Number).State == workflow.Failed })
		if got := w.calls(); len(got) > 0 {
			t.Errorf("calls %v, want none", got)
		}
		card = w.ends(r.Number, workflow.Failed, []string{"retry"}, append(c.fault, "a fault at the provider: press Retry later")...)
		w.retries(c, r.Number, card)
	})
}

// asked is what a card has where a person must say what became of a call.
var asked = []string{"look", "retry", "mark_done", "mark_not"}

// A call that the vendor breaks down over may have been carried out: it is looked up, and where the membership never
// shows it, handed to a person.
func TestOutcome_VendorBreaksDown(t *testing.T) {
	t.Parallel()
	inEachCloud(t, func(t *testing.T, w *world, clock *pushed, c broken) {
		r, card := w.planned(c.typed)
		c.calls(500)
		w.clicks("U0LEAD", card, "approve")
		w.passes(clock, "a person is asked", func() bool { return w.request(r.Number).Asked() })
		card = w.ends(r.Number, workflow.Unknown, asked, "could not be found out", "Look at the provider's console")
		if got := len(w.calls()); got != 1 {
			t.Errorf("%d calls, want the one that nobody knows of", got)
		}
		w.clicks("U0LEAD", card, "mark_not")
		card = w.ends(r.Number, workflow.Failed, []string{"retry"}, "<@U0LEAD> says that it was not applied")
		w.retries(c, r.Number, card)
	})
}

// A call whose answer is lost, of a vendor that then cannot be read, stays unclear.
func TestOutcome_UnclearStaysUnclear(t *testing.T) {
	t.Parallel()
	inEachCloud(t, func(t *testing.T, w *world, clock *pushed, c broken) {
		r, card := w.planned(c.typed)
		c.cut()
		w.clicks("U0LEAD", card, "approve")
		w.eventually("unknown", func() bool { return w.request(r.Number).State == workflow.Unknown })
		c.reads(500)
		w.passes(clock, "a person is asked", func() bool { return w.request(r.Number).Asked() })
		card = w.ends(r.Number, workflow.Unknown, asked, append(c.fault, "could not be found out", "Look at the provider's console")...)
		// Looked at again while it cannot be read, it stays with the person.
		w.clicks("U0LEAD", card, "look")
		w.eventually("it is looked up", func() bool { return !w.request(r.Number).Asked() })
		w.passes(clock, "a person is asked again", func() bool { return w.request(r.Number).Asked() })
		card = w.ends(r.Number, workflow.Unknown, asked, c.fault...)
		w.retries(c, r.Number, card)
		if got := len(w.calls()); got != 2 {
			t.Errorf("%d calls, want the one that was lost and its retry", got)
		}
	})
}
