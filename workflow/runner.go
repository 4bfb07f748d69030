package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	scanPage  = 256
	pollEvery = time.Second      // how soon an effect is seen that fell due, whatever the clock does
	scanEvery = 30 * time.Second // a full scan, for what nobody announced
	planners  = 4                // memberships of a system read for cards at once
	crowd     = 4                // people who ask at the same time, before whom a read for a card waits
	courtesy  = time.Second      // and how long it waits at most
	workers   = 16               // posts under way at once, and calls of each system

	// firstBackoff doubles up to maxBackoff.
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// RunnerOptions is what a Runner needs; all are required but Step.
type RunnerOptions struct {
	Engine   *Engine
	Notifier Notifier
	Logger   *slog.Logger
	// Step is called at named points around each call and post, for tests that end the process there.
	Step func(point string, n Number)
}

// Runner carries out the effects that the store says are owed. Effects wait in lanes: those of one membership, one
// channel or one person run one after the other, and a lane that waits holds up no other.
type Runner struct {
	o     RunnerOptions
	began time.Time

	mu     sync.Mutex
	live   context.Context // ends when nothing more is begun; nil before Run
	work   context.Context // ends when what is under way is cut off
	closed bool            // no lane is started any more
	lanes  map[string]*lane
	known  map[task]bool            // waiting or under way; true if a commit has named it since
	tried  map[task]bool            // posted at least once by this process, with no recorded end
	paces  map[string]pace          // of lanes that Slack has asked to wait
	loud   map[Number]time.Duration // until when the vendor may still be applying a call that this process made
	seen   map[Number]time.Time     // requests all of whose due effects are known, with the due time that the store's index had
	alarms alarms                   // when effects fall due that are not, within scanEvery
	look   time.Time                // when the store is to be looked through for what was left undone; zero: at the next full scan

	holds     map[task]Lease    // what is carried out now, where there are leases
	sightings map[task]sighting // leases of other replicas

	wake  chan struct{}
	calls map[string]chan struct{} // bounds the calls of each system
	plans map[string]chan struct{} // bounds its reads for cards, which never crowd out calls and answers
	posts chan struct{}            // bounds Slack calls
	wg    sync.WaitGroup
}

// task is one effect of one request.
type task struct {
	number Number
	effect uint64
}

// lane is a queue whose tasks run one after the other.
type lane struct {
	tasks  []task
	slots  chan struct{} // bounds how many tasks of lanes like this one run; nil does not
	polite bool          // its tasks let people who wait for an answer go first
}

// NewRunner returns a runner; Run starts it.
func NewRunner(o RunnerOptions) *Runner {
	if o.Step == nil {
		o.Step = func(string, Number) {}
	}
	r := &Runner{
		o: o, began: o.Engine.Now(),
		lanes: map[string]*lane{}, known: map[task]bool{}, tried: map[task]bool{}, loud: map[Number]time.Duration{},
		seen: map[Number]time.Time{}, alarms: newAlarms(), paces: map[string]pace{},
		holds: map[task]Lease{}, sightings: map[task]sighting{},
		wake:  make(chan struct{}, 1),
		calls: map[string]chan struct{}{}, plans: map[string]chan struct{}{}, posts: make(chan struct{}, workers),
	}
	for _, s := range o.Engine.Systems() {
		r.calls[s.Name] = make(chan struct{}, workers)
		r.plans[s.Name] = make(chan struct{}, planners)
	}
	return r
}

// Run carries out effects until ctx ends, then begins nothing more. It returns when what was under way has ended or
// work, the context of the effects themselves, has: what is cut off then is settled after the next start.
func (r *Runner) Run(ctx, work context.Context) error {
	r.mu.Lock()
	r.live, r.work = ctx, work
	r.mu.Unlock()
	var scanned time.Time
	for {
		now := r.o.Engine.Now()
		if full := now.Sub(scanned) >= scanEvery || now.Before(scanned); full || r.reached(now) {
			err := r.scan(ctx, now, full)
			switch {
			case err != nil && ctx.Err() == nil:
				r.o.Logger.Error("the effects that are due could not be read", "error", err)
				scanned = time.Time{} // what the scan did not reach must not wait for the next full one
			case full:
				scanned = now
			}
		}
		r.ring(ctx, now)
		select {
		case <-ctx.Done():
			r.mu.Lock()
			r.closed = true
			r.mu.Unlock()
			r.wg.Wait()
			return nil
		case <-r.wake:
		case <-time.After(r.pause()):
		}
	}
}

// reached reports whether the store is to be looked through.
func (r *Runner) reached(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.look.IsZero() && !now.Before(r.look)
}

// pause is how long to sleep: until the next effect falls due, but never longer than pollEvery, since the clock may be
// set.
func (r *Runner) pause() time.Duration {
	now := r.o.Engine.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := pollEvery
	for _, at := range []time.Time{r.look, r.alarms.next()} {
		if !at.IsZero() {
			wait = min(wait, at.Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// ring queues what falls due of the requests whose alarm rings.
func (r *Runner) ring(ctx context.Context, now time.Time) {
	r.mu.Lock()
	due := r.alarms.ring(now)
	r.mu.Unlock()
	for _, n := range due {
		if !r.take(ctx, n, now) {
			r.soon(firstBackoff)
		}
	}
}

// take reads a request and queues what it owes. One that cannot be read must not hold up the rest.
func (r *Runner) take(ctx context.Context, n Number, now time.Time) bool {
	req, err := r.o.Engine.Load(ctx, n)
	if err != nil {
		r.o.Logger.Error("a request that owes an effect could not be read", "request", uint64(n), "error", err)
		return false
	}
	r.queue(req, now)
	return true
}

// Owed takes up the effects of a request that has just been committed: those that are due at once, the others when
// they fall due.
func (r *Runner) Owed(req Request) {
	if r.queue(req, r.o.Engine.Now()) {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// scan queues everything that is due, and sets alarms for what falls due before the next full scan. Unless it is full, it
// reads no request whose due effects are all known.
func (r *Runner) scan(ctx context.Context, now time.Time, full bool) error {
	r.mu.Lock()
	r.look = time.Time{}
	maps.DeleteFunc(r.loud, func(_ Number, until time.Duration) bool { return until <= r.o.Engine.leases.elapsed() })
	r.mu.Unlock()
	var after DueItem
	for ctx.Err() == nil {
		items, err := r.o.Engine.o.Store.Due(ctx, now.Add(scanEvery), after, scanPage)
		if err != nil {
			return fmt.Errorf("list what is due: %w", err)
		}
		for _, it := range items {
			after = it
			switch {
			case it.Due.After(now):
				r.mu.Lock()
				r.alarms.set(alarm{at: it.Due, number: it.Number})
				r.mu.Unlock()
			case full || !r.waits(it):
				r.take(ctx, it.Number, now)
			}
		}
		if len(items) < scanPage {
			break
		}
	}
	return nil
}

// waits reports whether all that a request owes now is known.
func (r *Runner) waits(it DueItem) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, ok := r.seen[it.Number]
	return ok && due.Equal(it.Due)
}

// queue puts the due effects of a request into their lanes, and reports whether another one falls due earlier than
// anything known so far.
func (r *Runner) queue(req Request, now time.Time) (sooner bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live == nil || r.closed || r.live.Err() != nil {
		return false // what is stored is found by the scan of the next start
	}
	var next alarm
	for _, e := range req.Effects {
		t := task{req.Number, e.ID}
		if e.Due.After(now) {
			if next.at.IsZero() || e.Due.Before(next.at) {
				next = alarm{at: e.Due, number: req.Number, effect: e.ID}
			}
			continue
		}
		if _, ok := r.known[t]; ok {
			r.known[t] = true // it may be under way on what was stored before: it is looked at once more
			continue
		}
		r.known[t] = false
		r.enqueue(req, e)
	}
	if due := req.Due(); !due.IsZero() && !due.After(now) {
		r.seen[req.Number] = due
	}
	r.alarms.settle(req)
	if next.at.IsZero() || next.at.After(now.Add(scanEvery)) {
		return false // a full scan comes first
	}
	earliest := r.alarms.next()
	r.alarms.set(next)
	return earliest.IsZero() || next.at.Before(earliest)
}

// soon has the store looked through when d has passed, for what was left undone and is still due.
func (r *Runner) soon(d time.Duration) {
	at := r.o.Engine.Now().Add(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.look.IsZero() || at.Before(r.look) {
		r.look = at
	}
}

// enqueue appends an effect to its lane, which is made and started if there is none.
func (r *Runner) enqueue(req Request, e Effect) {
	name := laneOf(req, e)
	l := r.lanes[name]
	if l == nil {
		l = &lane{slots: r.slotsOf(req, e), polite: e.Kind == PlanEffect}
		r.lanes[name] = l
		work := r.work
		r.wg.Go(func() { r.drain(work, name, l) })
	}
	l.tasks = append(l.tasks, task{req.Number, e.ID})
}

// slotsOf bounds how many effects of a kind are carried out at a time: calls by system, so that one that hangs holds up no
// other.
func (r *Runner) slotsOf(req Request, e Effect) chan struct{} {
	var slots chan struct{}
	switch e.Kind {
	case CallEffect:
		slots = r.calls[req.Change.System]
	case PlanEffect:
		slots = r.plans[req.Change.System]
	case CardEffect, ThreadEffect, DirectEffect:
	case ExpireEffect, RemindEffect, FadeEffect:
		return nil
	}
	if slots == nil {
		return r.posts // also for a system that is no longer configured: nothing will be called
	}
	return slots
}

// laneOf names the queue that an effect waits in.
func laneOf(req Request, e Effect) string {
	switch e.Kind {
	case CallEffect:
		return "call " + req.Change.Key()
	case PlanEffect:
		return "plan " + req.Change.Key()
	case DirectEffect:
		return "direct " + e.To.User
	case ExpireEffect, RemindEffect, FadeEffect:
		return "timer"
	case CardEffect:
		// Slack limits edits and posts apart; posts of one channel keep their order.
		if req.Card.TS != "" {
			return "edit " + req.Card.Channel
		}
		return "post " + req.Rule.Channel
	case ThreadEffect:
		return "post " + req.Rule.Channel
	default:
		return string(e.Kind)
	}
}

// drain runs a lane until it is empty or nothing more is to be begun, then ends it.
func (r *Runner) drain(work context.Context, name string, l *lane) {
	for {
		r.mu.Lock()
		if len(l.tasks) == 0 || r.live.Err() != nil {
			delete(r.lanes, name)
			delete(r.paces, name)
			for _, t := range l.tasks {
				r.end(t)
			}
			r.mu.Unlock()
			return
		}
		t := l.tasks[0]
		l.tasks = l.tasks[1:]
		r.mu.Unlock()

		wait := r.bounded(work, l, func() time.Duration { return r.run(work, t) })
		r.mu.Lock()
		switch {
		case wait > 0: // the lane waits, with this task still at its head
			l.tasks = append([]task{t}, l.tasks...)
		case r.known[t]:
			r.known[t] = false
			l.tasks = append(l.tasks, t)
		default:
			r.end(t)
		}
		if wait == 0 && len(l.tasks) > 0 {
			wait = r.space(name)
		}
		r.mu.Unlock()
		if wait > 0 {
			sleep(r.live, wait)
		}
	}
}

// end forgets a task, and with it what was seen of its request: should it still be owed, the next scan finds it.
func (r *Runner) end(t task) {
	delete(r.known, t)
	delete(r.seen, t.number)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// run carries out one effect, if it is still owed and due, and returns how long its lane must wait before trying it
// again; zero if it is finished with for now.
func (r *Runner) run(ctx context.Context, t task) (wait time.Duration) {
	defer func() {
		if v := recover(); v != nil {
			r.o.Logger.Error("an effect panicked", "request", uint64(t.number), "panic", fmt.Sprint(v))
			wait = r.setAside(ctx, t)
		}
	}()
	req, err := r.o.Engine.Load(ctx, t.number)
	if err != nil {
		r.o.Logger.Error("a request that owes an effect could not be read", "request", uint64(t.number), "error", err)
		r.soon(firstBackoff)
		return 0
	}
	e, ok := req.Effect(t.effect)
	if !ok || e.Due.After(r.o.Engine.Now()) {
		r.forget(t)
		if r.o.Engine.leases.replica != "" {
			r.queue(req, r.o.Engine.Now()) // another replica's commit may have left what took its place to this one
		}
		return 0
	}
	log := r.o.Logger.With("request", uint64(t.number))
	switch e.Kind {
	case PlanEffect:
		return r.holding(ctx, log, req, e, r.plan)
	case CallEffect:
		return r.holding(ctx, log, req, e, r.call)
	case CardEffect, ThreadEffect, DirectEffect:
		return r.holding(ctx, log, req, e, r.post)
	case ExpireEffect:
		return r.do(ctx, log, t, Command{Verb: Expire, Via: "timer"})
	case FadeEffect:
		return r.do(ctx, log, t, Command{Verb: Fade, Via: "timer", Effect: e.ID})
	case RemindEffect:
		return r.do(ctx, log, t, Command{Verb: Remind, Via: "timer", Effect: e.ID})
	default:
		log.Error("an effect of an unknown kind is left alone", "kind", string(e.Kind))
		return maxBackoff
	}
}

// setAside puts off an effect that panicked, so that its lane goes on without it. Should that panic too, the lane waits.
func (r *Runner) setAside(ctx context.Context, t task) (wait time.Duration) {
	defer func() {
		if recover() != nil {
			wait = maxBackoff
		}
	}()
	until := r.o.Engine.Now().Add(maxBackoff)
	wait = r.do(ctx, r.o.Logger, t, Command{Verb: PutOff, Effect: t.effect, Until: until})
	if wait == 0 {
		r.forget(t)
	}
	return wait
}

// bounded runs f when a slot of the lane's kind is free, unless nothing more is to be begun by then.
func (r *Runner) bounded(ctx context.Context, l *lane, f func() time.Duration) time.Duration {
	if l.slots == nil {
		return f()
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-r.live.Done():
		return 0
	case <-ctx.Done():
		return 0
	}
	if l.polite {
		r.giveWay()
	}
	if r.live.Err() != nil {
		return 0
	}
	return f()
}

// giveWay lets people who wait for an answer go first.
func (r *Runner) giveWay() {
	const look = 20 * time.Millisecond
	for waited := time.Duration(0); waited < courtesy && r.o.Engine.asking.Load() > crowd; waited += look {
		sleep(r.live, look)
	}
}

// do commits what the runner has learned. A refusal means that somebody else was first, which is fine: the request has
// moved on and its own effects say what is owed now. The commit is not cut off with the effect: what is known must be
// recorded.
func (r *Runner) do(ctx context.Context, log *slog.Logger, t task, c Command) time.Duration {
	c.Hold = r.holdOf(t)
	_, err := r.o.Engine.Do(context.WithoutCancel(ctx), t.number, c)
	if err == nil {
		return 0
	}
	if ref, ok := errors.AsType[*Refusal](err); ok {
		log.Debug("an effect was overtaken", "verb", string(c.Verb), "kind", string(ref.Kind))
		return 0
	}
	log.Error("an effect's outcome could not be stored", "verb", string(c.Verb), "error", err)
	return firstBackoff
}

func (r *Runner) forget(t task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tried, t)
}

// backoff is how long to wait after so many tries.
func backoff(tries int) time.Duration {
	d := firstBackoff << min(tries, 10)
	return min(d, maxBackoff)
}
