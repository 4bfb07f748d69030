package crash

import (
	"fmt"
	"slices"
	"strings"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/workflow"
)

// judge gathers violations.
type judge struct {
	h     *History
	views map[workflow.Number]app.View
	trail map[workflow.Number][]workflow.Entry
	found []Violation
}

// Check returns every promise that the history breaks. The bot must have come to rest: what may still change counts as
// broken.
func Check(h *History) []Violation {
	j := &judge{h: h, views: map[workflow.Number]app.View{}, trail: map[workflow.Number][]workflow.Entry{}}
	for _, v := range h.Stored {
		j.views[v.Number] = v
	}
	for _, e := range h.Trail {
		if e.Request != 0 {
			j.trail[e.Request] = append(j.trail[e.Request], e)
		}
	}
	j.acknowledged()
	j.asked()
	j.moves()
	j.applications()
	j.messages()
	return j.found
}

func (j *judge) fail(name, format string, args ...any) {
	j.found = append(j.found, Violation{name, fmt.Sprintf(format, args...)})
}

// acknowledged holds what people were told against what is stored.
func (j *judge) acknowledged() {
	owner := map[workflow.Number]string{}
	for _, a := range j.h.Attempts {
		for _, ans := range a.Answers {
			if len(ans.Numbers) > 0 && len(ans.Numbers) != len(a.Subjects) {
				j.fail(Lost, "%q asks for %d changes and was answered %q", a.Reason, len(a.Subjects), ans.Text)
			}
			for i, n := range ans.Numbers {
				if other, ok := owner[n]; ok && other != a.Reason {
					j.fail(Reused, "#%v was given to %q and to %q", n, other, a.Reason)
				}
				owner[n] = a.Reason
				if i < len(a.Subjects) {
					j.fits(n, a, a.Subjects[i])
				}
			}
		}
	}
}

func (j *judge) fits(n workflow.Number, a Attempt, subject string) {
	v, ok := j.views[n]
	if !ok {
		j.fail(Lost, "#%v (%q) was acknowledged to %s and is not there", n, a.Reason, a.Requester)
		return
	}
	as := v.Role
	if as == "" {
		as = v.Remark
	}
	got := []string{v.Reason, v.Requester, string(v.Action), v.System, v.Group, v.Subject, as}
	want := []string{a.Reason, a.Requester, string(a.Action), a.System, a.Group, subject, a.As}
	if !slices.Equal(got, want) {
		j.fail(Changed, "#%v: stored %q, asked %q", n, got, want)
	}
}

// asked holds what is stored against what people typed.
func (j *judge) asked() {
	byReason := map[string]Attempt{}
	for _, a := range j.h.Attempts {
		byReason[a.Reason] = a
	}
	seen := map[string]workflow.Number{}
	for _, v := range j.h.Stored {
		a, ok := byReason[v.Reason]
		if !ok || !slices.Contains(a.Subjects, v.Subject) {
			j.fail(Invented, "#%v: %s %s because %q", v.Number, v.Action, v.Subject, v.Reason)
			continue
		}
		key := v.Reason + " " + v.Subject
		if other, ok := seen[key]; ok {
			j.fail(Doubled, "#%v and #%v both come of %q", other, v.Number, v.Reason)
		}
		seen[key] = v.Number
		for _, ans := range a.Answers {
			if len(ans.Numbers) == 0 {
				j.fail(Refused, "#%v is stored, but its requester was told %q", v.Number, ans.Text)
			}
		}
	}
}

// enters counts how often a request entered a state.
func enters(trail []workflow.Entry, s workflow.State) int {
	n := 0
	for _, e := range trail {
		if e.To == s && e.From != s {
			n++
		}
	}
	return n
}

// moves replays each request's trail: every entry begins where the one before ended, and the last is the stored state.
func (j *judge) moves() {
	for _, v := range j.h.Stored {
		trail := j.trail[v.Number]
		at := workflow.State("")
		for _, e := range trail {
			if e.From != at {
				j.fail(Table, "#%v: entry %d (%s) begins at %q, the one before ended at %q", v.Number, e.Seq, e.Verb, e.From, at)
			}
			at = e.To
		}
		if at != v.State {
			j.fail(Table, "#%v is %s, its trail ends at %q", v.Number, v.State, at)
		}
		for _, s := range []workflow.State{workflow.Approved, workflow.Denied, workflow.Withdrawn, workflow.Done} {
			if n := enters(trail, s); n > 1 {
				j.fail(Table, "#%v became %s %d times", v.Number, s, n)
			}
		}
		if v.State == workflow.Approved || v.State == workflow.Executing || v.State == workflow.Unknown && !asked(trail) {
			j.fail(Unsettled, "#%v is still %s", v.Number, v.State)
		}
	}
}

// asked reports whether the bot has given an unclear outcome to people.
func asked(trail []workflow.Entry) bool {
	return slices.ContainsFunc(trail, func(e workflow.Entry) bool { return e.Verb == workflow.Ask })
}

func already(trail []workflow.Entry) bool {
	return slices.ContainsFunc(trail, func(e workflow.Entry) bool {
		return e.Verb == workflow.Succeed && e.Detail == "already so"
	})
}

// tally is what is known of one subject. No two jobs of a run share one; a job that a person typed again does.
type tally struct {
	must, may int // applications that there must be, and may be besides
	approved  int
	numbers   []workflow.Number
	applied   int
	calls     int
}

// applications holds what the clouds were told against what was approved.
func (j *judge) applications() {
	tallies := map[string]*tally{}
	of := func(system, subject string) *tally {
		key := system + "/" + subject
		if tallies[key] == nil {
			tallies[key] = &tally{}
		}
		return tallies[key]
	}
	for _, v := range j.h.Stored {
		t, trail := of(v.System, v.Subject), j.trail[v.Number]
		t.numbers = append(t.numbers, v.Number)
		t.approved += enters(trail, workflow.Approved)
		switch {
		case v.State == workflow.Done && !already(trail):
			t.must++
		case v.State == workflow.Executing || v.State == workflow.Unknown || v.State == workflow.Failed && enters(trail, workflow.Unknown) > 0:
			t.may++
		}
	}
	for _, a := range j.h.Applications {
		t := of(a.System, a.Subject)
		t.calls++
		if a.Applied {
			t.applied++
		}
	}
	for key, t := range tallies {
		switch {
		case t.calls > 0 && t.approved == 0:
			j.fail(Unapproved, "%s: %d calls (%d applied), and no approved request among %v", key, t.calls, t.applied, t.numbers)
		case t.applied > t.must+t.may:
			j.fail(AppliedTwo, "%s: %d applied, %d done and %d unclear among %v", key, t.applied, t.must, t.may, t.numbers)
		case t.applied < t.must:
			j.fail(Unapplied, "%s: %d applied, %d done among %v", key, t.applied, t.must, t.numbers)
		case t.calls > 2*t.approved:
			j.fail(AppliedTwo, "%s: %d calls for %d approvals of %v", key, t.calls, t.approved, t.numbers)
		}
	}
}

// mark is what the bot's metadata says of a message.
type mark struct {
	number workflow.Number
	seq    uint64
}

func markOf(m slackfake.Message) (mark, bool) {
	if m.Metadata["event_type"] != "countersign_request" {
		return mark{}, false
	}
	payload, _ := m.Metadata["event_payload"].(map[string]any)
	n, ok := payload["request"].(float64)
	seq, _ := payload["seq"].(float64)
	return mark{workflow.Number(n), uint64(seq)}, ok
}

// messages holds what Slack shows against what is stored.
func (j *judge) messages() {
	cards := map[workflow.Number][]slackfake.Message{}
	replies, direct := map[mark]int{}, map[mark]int{}
	thread, dms := map[workflow.Number]int{}, map[workflow.Number]int{}
	for _, m := range j.h.Messages {
		k, ours := markOf(m)
		if !ours || m.Ephemeral {
			continue
		}
		_, isDM := j.h.Direct[m.Channel]
		switch {
		case isDM:
			direct[k]++
			dms[k.number]++
		case m.ThreadTS == "" || m.ThreadTS == m.TS:
			cards[k.number] = append(cards[k.number], m)
		default:
			replies[k]++
			thread[k.number]++
		}
	}
	for k, n := range replies {
		if n > 1 {
			j.fail(ThreadOne, "#%v: reply %d was posted %d times", k.number, k.seq, n)
		}
	}
	for k, n := range direct {
		if n > 1 {
			j.fail(DirectOne, "#%v: message %d was sent %d times", k.number, k.seq, n)
		}
	}
	for _, v := range j.h.Stored {
		j.card(v, cards[v.Number])
		if want := results(v, j.trail[v.Number]); thread[v.Number] != want {
			j.fail(ThreadOne, "#%v is %s and has %d replies, want %d", v.Number, v.State, thread[v.Number], want)
		}
		if want := tellings(v, j.trail[v.Number]); dms[v.Number] != want {
			j.fail(DirectOne, "#%v is %s after %d decisions: %s was told %d things, want %d",
				v.Number, v.State, len(v.Decisions), v.Requester, dms[v.Number], want)
		}
	}
}

// results is how many results a request's thread tells of.
func results(_ app.View, trail []workflow.Entry) int {
	n := 0
	for _, e := range trail {
		switch e.Verb {
		case workflow.Succeed, workflow.Fail, workflow.Ask, workflow.MarkDone, workflow.MarkNot:
			n++
		default:
		}
	}
	return n
}

// tellings is how many direct messages a requester gets: one for each decision and one for each result.
func tellings(v app.View, trail []workflow.Entry) int {
	return len(v.Decisions) + enters(trail, workflow.Expired) + results(v, trail)
}

func (j *judge) card(v app.View, cards []slackfake.Message) {
	if len(cards) != 1 {
		j.fail(CardOne, "#%v is %s and has %d cards", v.Number, v.State, len(cards))
		return
	}
	m := cards[0]
	if m.TS != v.TS || m.Channel != v.Channel || m.Deleted {
		j.fail(CardOne, "#%v: the card is %s/%s (deleted: %t), stored is %s/%s", v.Number, m.Channel, m.TS, m.Deleted, v.Channel, v.TS)
	}
	if want := fmt.Sprintf("#%v %s ", v.Number, v.State); !strings.HasPrefix(m.Text, want) {
		j.fail(CardState, "#%v is %s, its card says %q", v.Number, v.State, m.Text)
	}
	live := map[string]bool{}
	for _, b := range slackfake.Buttons(m) {
		live[b.ActionID] = true
	}
	pending := v.State == workflow.Pending
	for _, action := range []string{"approve", "deny"} {
		if live[action] && !pending {
			j.fail(LiveButton, "#%v is %s, and its card has a button %s", v.Number, v.State, action)
		}
		if !live[action] && pending {
			j.fail(NoButton, "#%v is pending, and its card has no button %s", v.Number, action)
		}
	}
}
