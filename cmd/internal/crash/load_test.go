package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/crash"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

const (
	requesters = 9
	// patience is how long a person looks at a spinning cursor; Slack gives up after three seconds.
	patience = 900 * time.Millisecond
	// perGroup is how many subjects share a team or a workspace, so that lists stay short.
	perGroup = 60
)

func requester(i int) string { return fmt.Sprintf("U0ASK%02d", i) }

func askers() []string {
	var ids []string
	for i := range requesters {
		ids = append(ids, requester(i))
	}
	return ids
}

// subjectID tells IAM users that the load has made from every other ID.
var subjectID = regexp.MustCompile(`u[0-9]{31}`)

var numbersIn = regexp.MustCompile(`#([0-9]+)`)

// load is people at work: some ask, some decide, some change their minds, and all try again when Slack says that it
// failed.
type load struct {
	w     *world
	pause time.Duration // between two jobs of one requester
	live  context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup

	jobs  atomic.Int64
	typed atomic.Int64

	mu     sync.Mutex
	all    []*crash.Attempt
	clicks int
	failed int
}

func newLoad(w *world, pause time.Duration) *load {
	l := &load{w: w, pause: pause}
	l.live, l.stop = context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.t.Cleanup(l.end)
	return l
}

// begin sets everybody to work.
func (l *load) begin() {
	for i := range requesters {
		l.wg.Go(func() { l.asker(requester(i)) })
	}
	for _, who := range []string{"U0LEAD", "U0BOB", "U0CARA"} {
		l.wg.Go(func() { l.decider(who) })
	}
	l.wg.Go(l.chaos)
}

// end lets everybody finish what they are at.
func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

// rest sleeps around a mean time; false when the work is over.
func (l *load) rest(d time.Duration) bool {
	select {
	case <-l.live.Done():
		return false
	case <-time.After(d/2 + rand.N(d+1)):
		return true
	}
}

func (l *load) attempts() []crash.Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	as := make([]crash.Attempt, len(l.all))
	for i, a := range l.all {
		as[i] = *a
		as[i].Answers = slices.Clone(a.Answers)
	}
	return as
}

// job makes something to ask for that nobody else asks for.
func (l *load) job(who string) crash.Attempt {
	n := l.jobs.Add(1)
	a := crash.Attempt{Requester: who}
	subjects := 1
	if n%8 == 0 {
		subjects = 3
	}
	group := n / perGroup
	for i := range int64(subjects) {
		switch n % 4 {
		case 0, 1:
			a.Subjects = append(a.Subjects, fmt.Sprint(1_000_000+10*n+i))
		default:
			a.Subjects = append(a.Subjects, fmt.Sprintf("u%031d", 10*n+i))
		}
	}
	team, workspace := uint32(5000+group), fmt.Sprintf("w%031d", group)
	switch n % 4 {
	case 0, 1:
		a.System, a.Group = "gpu-lab", fmt.Sprint(team)
		a.Action, a.As = workflow.Invite, fmt.Sprint("guest", n)
		if n%8 == 5 {
			a.Action = workflow.Rename
			company, _ := strconv.Atoi(a.Subjects[0])
			l.w.CompShare.SetRelation(compsharefake.Relation{Team: team, Company: uint32(company), Status: compsharefake.Joined, Remark: "old"})
		}
	default:
		a.System, a.Group, a.Action, a.As = "warehouse", workspace, workflow.Add, dataartsfake.RoleDeveloper
		for _, id := range a.Subjects {
			l.w.DataArts.AddIAMUser(dataartsfake.IAMUser{ID: id, Name: id[:8], DomainID: dataartsfake.DomainID})
		}
		if n%8 == 6 {
			a.Action = workflow.SetRole
			l.w.DataArts.SetMember(workspace, dataartsfake.Member{
				Type: dataartsfake.TypeUser, UserID: a.Subjects[0], UserName: "x", Roles: []string{dataartsfake.RoleViewer},
			})
		}
	}
	return a
}

// groups makes the teams and workspaces that jobs speak of.
func (l *load) groups(jobs int64) {
	for g := range jobs/perGroup + 2 {
		l.w.CompShare.AddTeam(uint32(5000+g), 50001, fmt.Sprint("team-", g))
		l.w.DataArts.AddWorkspace(fmt.Sprintf("w%031d", g), fmt.Sprint("workspace-", g))
	}
}

// maxJobs bounds a run, so that one list holds all its requests.
const maxJobs = 6000

func (l *load) asker(who string) {
	for l.rest(l.pause) {
		if l.jobs.Load() >= maxJobs {
			return
		}
		if l.behind() {
			continue
		}
		job := l.job(who)
		for range 6 {
			numbers, again := l.try(job)
			if len(numbers) > 0 && rand.IntN(8) == 0 {
				l.withdraw(who, numbers[0])
			}
			if !again || !l.rest(300*time.Millisecond) {
				break
			}
		}
	}
}

// behind reports whether many requests wait for their cards: then people ask for less, so that what is measured is the
// bot and not how slow the machine is.
func (l *load) behind() bool {
	var newest []app.View
	if err := l.w.ask("/requests?limit=60", &newest); err != nil {
		return false
	}
	waiting := 0
	for _, v := range newest {
		if v.TS == "" {
			waiting++
		}
	}
	return waiting >= 40
}

// try types a job's command once. Where Slack says that it failed, either Slack delivers it again, or the person is to
// type it anew: then again is true.
func (l *load) try(job crash.Attempt) (numbers []workflow.Number, again bool) {
	a := &job
	a.Reason = fmt.Sprintf("try %d of %s", l.typed.Add(1), a.Requester)
	l.mu.Lock()
	l.all = append(l.all, a)
	l.mu.Unlock()
	as := a.As
	if as == dataartsfake.RoleDeveloper {
		as = "developer"
	}
	word := map[workflow.Action]string{workflow.Rename: "on", workflow.SetRole: "on"}[a.Action]
	if word == "" {
		word = "to"
	}
	text := fmt.Sprintf("%s %s %s %s/%s as %s because %s", a.Action, strings.Join(a.Subjects, ","), word, a.System, a.Group, as, a.Reason)
	in := slackfake.SlashInput{User: a.Requester, Channel: "C0LOAD", Command: "/access", Text: text}
	for range 4 {
		ack, ok := l.slash(in)
		l.mu.Lock()
		if !ok {
			a.Unanswered++
			l.failed++
			l.mu.Unlock()
			if rand.IntN(2) == 0 || !l.rest(200*time.Millisecond) {
				return nil, true
			}
			in.TriggerID = ack.TriggerID
			continue
		}
		ans := crash.Answer{Text: ack.Text}
		for _, m := range numbersIn.FindAllStringSubmatch(ack.Text, -1) {
			n, _ := strconv.ParseUint(m[1], 10, 63)
			if !slices.Contains(ans.Numbers, workflow.Number(n)) { // a message says it in its blocks and in its text
				ans.Numbers = append(ans.Numbers, workflow.Number(n))
			}
		}
		a.Answers = append(a.Answers, ans)
		l.mu.Unlock()
		return ans.Numbers, len(ans.Numbers) == 0
	}
	return nil, true
}

func (l *load) slash(in slackfake.SlashInput) (slackfake.Ack, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ack, err := l.w.Slack.Slash(ctx, in)
	return ack, err == nil && ack.OK()
}

func (l *load) withdraw(who string, n workflow.Number) {
	for range 4 {
		if !l.rest(rand.N(150 * time.Millisecond)) {
			return
		}
		if _, ok := l.slash(slackfake.SlashInput{User: who, Channel: "C0LOAD", Command: "/access", Text: "withdraw " + n.String()}); ok {
			return
		}
	}
}

// decider looks at what is pending and decides about most of it.
func (l *load) decider(who string) {
	for l.rest(60 * time.Millisecond) {
		var pending []app.View
		if err := l.w.ask("/requests?state=pending&limit=60", &pending); err != nil {
			continue // between two lives
		}
		pending = slices.DeleteFunc(pending, func(v app.View) bool {
			return v.TS == "" || v.Number%9 == 0 || slices.ContainsFunc(v.Decisions, func(d app.DecisionView) bool { return d.User == who })
		})
		if len(pending) == 0 {
			continue
		}
		v := pending[rand.IntN(len(pending))]
		if rand.IntN(9) == 0 {
			l.deny(who, v)
		} else {
			l.click(who, v, "approve")
		}
	}
}

func (l *load) click(who string, v app.View, action string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ack, err := l.w.Slack.Click(ctx, slackfake.ClickInput{User: who, Channel: v.Channel, TS: v.TS, ActionID: action})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clicks++
	return err == nil && ack.OK()
}

func (l *load) deny(who string, v app.View) {
	if !l.click(who, v, "deny") {
		return
	}
	view, ok := l.w.Slack.View(who)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reason := map[string]map[string]any{"reason": {"reason": "not now"}}
	_, _ = l.w.Slack.Submit(ctx, slackfake.SubmitInput{User: who, ViewID: view.ID, Values: reason})
	if _, ok := l.w.Slack.View(who); ok {
		_, _ = l.w.Slack.CloseView(ctx, who, "", true)
	}
}

// chaos lets Slack and the clouds misbehave as they do.
func (l *load) chaos() {
	s, cs, da := l.w.Slack, l.w.CompShare, l.w.DataArts
	troubles := []func(){
		func() { s.Duplicate(1) },
		func() { s.RedeliverNext() },
		func() { s.CutAfterSend(1) },
		func() { s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.ApplyThenCut}) },
		func() {
			s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.ApplyThenError, Code: "internal_error"})
		},
		func() { s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.Status500HTML}) },
		func() { s.Fault(slackfake.Fault{Method: "chat.update", Kind: slackfake.ApplyThenCut}) },
		func() { s.Fault(slackfake.Fault{Method: "chat.update", Kind: slackfake.CutBefore}) },
		func() {
			s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.RateLimited, RetryAfter: "1"})
		},
		func() {
			s.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.Slow, For: 80 * time.Millisecond, Count: 4})
		},
		func() {
			cs.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Cut, After: true})
		},
		func() { cs.Fault(compsharefake.Fault{Action: "SetCompShareTeamRelation", Kind: compsharefake.Cut}) },
		func() {
			cs.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.Delay, DelayMS: 120, Count: 3})
		},
		func() {
			da.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.ApplyThenCut})
		},
		func() {
			da.AddFault(dataartsfake.Fault{Route: dataartsfake.UpdateWorkSpaceUserOrGroup, Kind: dataartsfake.CutBefore})
		},
		func() {
			da.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.Delay, Delay: 120 * time.Millisecond, Count: 3})
		},
	}
	for l.rest(600 * time.Millisecond) {
		troubles[rand.IntN(len(troubles))]()
	}
}
