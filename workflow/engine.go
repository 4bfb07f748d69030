package workflow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	// MaxWho is how many subjects one command may name.
	MaxWho = 100
	// MaxReason is how many characters a person's free text may have.
	MaxReason = 1000

	maxConflicts = 16
)

// EngineOptions is what an Engine needs; all but Owed and Seen are required.
type EngineOptions struct {
	Store   Store
	Systems []System
	Policy  Policy
	Now     func() time.Time
	// Owed is told of each request that has just been committed, so that its effects need not wait for a poll.
	Owed func(Request)
	// Seen is told of each audit entry that has just been committed.
	Seen func(Entry)
	// Replica names this process among several that share the store; empty where it is alone. No two processes, nor two
	// lives of one, ever have the same name.
	Replica string
	// Elapsed is a clock that nobody can set, by which leases and calls under way are counted; nil counts by Now.
	Elapsed func() time.Duration
}

// Engine takes commands: it loads, applies and commits, at the revision that was read. Its methods may be called
// concurrently.
type Engine struct {
	o      EngineOptions
	policy atomic.Pointer[Policy]
	leases *leases
	asking atomic.Int64 // how many wait for Submit
}

// NewEngine returns an engine over a store.
func NewEngine(o EngineOptions) (*Engine, error) {
	if o.Store == nil || o.Now == nil || len(o.Systems) == 0 {
		return nil, errors.New("workflow: an engine needs a store, a clock and a system")
	}
	if o.Owed == nil {
		o.Owed = func(Request) {}
	}
	if o.Seen == nil {
		o.Seen = func(Entry) {}
	}
	e := &Engine{o: o, leases: newLeases(o.Replica, o.Elapsed, o.Now)}
	e.SetPolicy(o.Policy)
	return e, nil
}

// SetPolicy replaces the policy for every command from now on.
func (e *Engine) SetPolicy(p Policy) { e.policy.Store(&p) }

// Policy is the policy in force.
func (e *Engine) Policy() Policy { return *e.policy.Load() }

// Systems are the configured systems, in the order of the configuration.
func (e *Engine) Systems() []System { return e.o.Systems }

// System returns the system with a name.
func (e *Engine) System(name string) (System, bool) {
	i := slices.IndexFunc(e.o.Systems, func(s System) bool { return s.Name == name })
	if i < 0 {
		return System{}, false
	}
	return e.o.Systems[i], true
}

// Load returns a request as it is stored, or ErrNotFound.
func (e *Engine) Load(ctx context.Context, n Number) (Request, error) {
	r, _, err := e.o.Store.Load(ctx, n)
	return r, err
}

// List returns requests newest first.
func (e *Engine) List(ctx context.Context, q Query) ([]Request, error) { return e.o.Store.List(ctx, q) }

// Now is the time by the engine's clock.
func (e *Engine) Now() time.Time { return e.o.Now() }

// Submission is a command that asks for changes: one request for each draft, all in one commit or none.
type Submission struct {
	// Delivery names the delivery that brought the command; the same one again makes nothing new.
	Delivery string
	Actor    Actor
	Drafts   []Draft
	Reason   string
	Via      string
	// Known, if set, is whose ID on a kind of system an ID is, as a Slack user ID; empty where that is not known.
	Known func(kind, id string) string
}

// Submit makes and stores requests. Its errors are a *Refusal, after which nothing is stored, or the store's. The same
// delivery again returns the requests that it made, as they are now.
func (e *Engine) Submit(ctx context.Context, sub Submission) ([]Request, error) {
	e.asking.Add(1)
	defer e.asking.Add(-1)
	made, err := e.submit(ctx, sub)
	if _, refused := errors.AsType[*Refusal](err); refused && sub.Delivery != "" {
		// What was stored the first time is not undone by a refusal the second time.
		if before, ok := e.delivered(ctx, sub.Delivery); ok {
			return before, nil
		}
	}
	return made, err
}

// delivered returns the requests that a delivery has made. It asks by a commit that cannot succeed: its revision is
// none, which the store finds out behind a repeated delivery.
func (e *Engine) delivered(ctx context.Context, delivery string) ([]Request, bool) {
	never := Write{Request: Request{Number: 1, State: Pending}, Revision: math.MaxUint64}
	_, err := e.o.Store.Commit(ctx, Commit{Delivery: delivery, At: e.o.Now(), Writes: []Write{never}})
	dup, ok := errors.AsType[*DuplicateError](err)
	if !ok {
		return nil, false
	}
	rs, err := e.loadAll(ctx, dup.Numbers)
	return rs, err == nil
}

func (e *Engine) submit(ctx context.Context, sub Submission) ([]Request, error) {
	if ref := e.Policy().Vet(sub.Actor); ref != nil {
		return nil, ref
	}
	if len(sub.Drafts) > MaxWho {
		return nil, Refuse(TooManyWho, fmt.Sprint(len(sub.Drafts)), fmt.Sprint(MaxWho))
	}
	drafts, refs := e.resolve(ctx, e.Policy(), sub)
	changes, ref := e.check(drafts, refs)
	if ref != nil {
		return nil, ref
	}
	return e.store(ctx, sub, changes, 0)
}

// store judges who asks and stores one request for each change, all of them or none.
func (e *Engine) store(ctx context.Context, sub Submission, changes []Change, extends Number) ([]Request, error) {
	if utf8.RuneCountInString(sub.Reason) > MaxReason {
		return nil, Refuse(TooLong, fmt.Sprint(MaxReason))
	}
	p := e.Policy()
	blanks := make([]Request, len(changes))
	for i, c := range changes {
		rule, ref := ruleFor(p, c, sub.Actor)
		if ref != nil {
			return nil, ref
		}
		blanks[i] = Request{
			Change: e.recognized(c, sub.Known), Rule: rule, Requester: sub.Actor.Person, RequesterGroups: sub.Actor.Groups, Extends: extends,
		}
	}
	for range maxConflicts {
		made, err := e.number(ctx, sub, p, blanks)
		if dup, ok := errors.AsType[*DuplicateError](err); ok {
			return e.loadAll(ctx, dup.Numbers)
		}
		if !errors.Is(err, ErrConflict) { // another replica may have taken the numbers
			return made, err
		}
	}
	return nil, fmt.Errorf("store requests: %w", ErrBusy)
}

// recognized is a change with the Slack account of its subject, where only the ID was given.
func (e *Engine) recognized(c Change, known func(kind, id string) string) Change {
	if sys, ok := e.System(c.System); ok && known != nil && c.Subject.Kind == Member && c.Subject.Slack == "" {
		c.Subject.Slack = known(sys.Kind, c.Subject.ID)
	}
	return c
}

// number gives new requests their numbers and stores them in one commit.
func (e *Engine) number(ctx context.Context, sub Submission, p Policy, blanks []Request) ([]Request, error) {
	first, err := e.o.Store.Reserve(ctx, len(blanks))
	if err != nil {
		return nil, fmt.Errorf("reserve numbers: %w", err)
	}
	commit := Commit{Delivery: sub.Delivery, At: e.o.Now(), Writes: make([]Write, len(blanks))}
	made := make([]Request, len(blanks))
	for i, blank := range blanks {
		blank.Number = first + Number(i)
		t, err := Apply(blank, Command{Verb: Submit, Actor: sub.Actor, Via: sub.Via, Reason: sub.Reason}, p, commit.At)
		if err != nil {
			return nil, err
		}
		made[i] = t.Request
		e.leases.stamp(blank, &made[i], Command{}, commit.At)
		commit.Writes[i] = Write{Request: made[i], Entries: []Entry{*t.Entry}}
	}
	if _, err := e.o.Store.Commit(ctx, commit); err != nil {
		return nil, fmt.Errorf("store requests: %w", err)
	}
	e.committed(commit)
	return made, nil
}

func ruleFor(p Policy, c Change, a Actor) (Rule, *Refusal) {
	rule, ok := p.Find(c, a.Person, a.Groups)
	if len(a.Unread) > 0 {
		// A user group that could not be read may be what an earlier rule names, which then decides, not this one.
		if might, found := p.Find(c, a.Person, slices.Concat(a.Groups, a.Unread)); found != ok || might.Hash() != rule.Hash() {
			return Rule{}, Refuse(Unverified)
		}
	}
	if !ok {
		return Rule{}, Refuse(NoRule, string(c.Action), c.System+"/"+c.Group)
	}
	if rule.MaxDuration > 0 && c.Limit > rule.MaxDuration {
		return Rule{}, Refuse(LongDuration, FormatDuration(c.Limit), FormatDuration(rule.MaxDuration))
	}
	return rule, p.private(rule)
}

// check makes changes of drafts, or one refusal that names every draft that is bad; some may have been refused before.
func (e *Engine) check(drafts []Draft, refused []*Refusal) ([]Change, *Refusal) {
	var first *Refusal
	var changes []Change
	seen := map[string]bool{}
	for i, d := range drafts {
		c, ref := Change{}, refused[i]
		if ref == nil {
			c, ref = e.checkOne(d)
		}
		key := c.Key()
		if ref == nil && seen[key] {
			ref = Refuse(RepeatedWho, c.Subject.String())
		}
		seen[key] = true
		switch {
		case ref == nil:
			changes = append(changes, c)
		case first == nil:
			first = ref
		case ref.Kind != first.Kind || !slices.Equal(ref.Args, first.Args):
			first.More = append(first.More, ref)
		}
	}
	return changes, first
}

func (e *Engine) checkOne(d Draft) (Change, *Refusal) {
	sys, ok := e.System(d.System)
	if !ok {
		var names []string
		for _, s := range e.o.Systems {
			names = append(names, s.Name)
		}
		return Change{}, Refuse(BadSystem, append([]string{d.System}, names...)...)
	}
	c, err := sys.Provider.Check(d)
	if err == nil {
		return c, nil
	}
	if ref, ok := errors.AsType[*Refusal](err); ok {
		return Change{}, ref
	}
	return Change{}, Refuse(BadAction, string(d.Action))
}

func (e *Engine) loadAll(ctx context.Context, ns []Number) ([]Request, error) {
	var rs []Request
	for _, n := range ns {
		r, err := e.Load(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("load request %v: %w", n, err)
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// Do carries out one command on a stored request and returns the request as it then is. Its errors are a *Refusal,
// after which nothing has changed and which carries the present request, or the store's.
func (e *Engine) Do(ctx context.Context, n Number, c Command) (Request, error) {
	for range maxConflicts {
		r, err := e.once(ctx, n, &c)
		if !errors.Is(err, ErrConflict) {
			return r, err
		}
	}
	return Request{}, fmt.Errorf("request %v: %s: %w", n, c.Verb, ErrBusy)
}

// Try reports whether a command would be refused now, without carrying it out.
func (e *Engine) Try(ctx context.Context, n Number, c Command) error {
	r, _, err := e.o.Store.Load(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return Refuse(NotFound, n.String())
	}
	if err != nil {
		return fmt.Errorf("load request %v: %w", n, err)
	}
	_, err = Apply(r, c, e.Policy(), e.o.Now())
	return err
}

// once tries a command once. A number that it reserves for a child is kept in c for the next try.
func (e *Engine) once(ctx context.Context, n Number, c *Command) (Request, error) {
	r, rev, err := e.o.Store.Load(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return Request{}, Refuse(NotFound, n.String())
	}
	if err != nil {
		return Request{}, fmt.Errorf("load request %v: %w", n, err)
	}
	if ref := fenced(r, *c); ref != nil {
		return r, ref
	}
	now := e.o.Now()
	if c.Actor.User != "" && r.StateAt(now) != r.State {
		// Nobody's click may find a request pending whose time is over; that it is over is recorded first.
		if r, rev, err = e.apply(ctx, r, rev, Command{Verb: Expire, Via: "timer"}, now); err != nil {
			return r, err
		}
	}
	if c.Spare == 0 && (c.Verb == Undo || (c.Verb == Succeed || c.Verb == MarkDone) && owesChild(r, c.Already)) {
		if c.Spare, err = e.o.Store.Reserve(ctx, 1); err != nil {
			return r, fmt.Errorf("reserve a number: %w", err)
		}
	}
	r, _, err = e.apply(ctx, r, rev, *c, now)
	return r, err
}

func (e *Engine) apply(ctx context.Context, r Request, rev Revision, c Command, now time.Time) (Request, Revision, error) {
	t, err := Apply(r, c, e.Policy(), now)
	if err != nil {
		return r, rev, err
	}
	e.leases.stamp(r, &t.Request, c, now)
	commit := Commit{At: now, Writes: []Write{{Request: t.Request, Revision: rev}}}
	if t.Entry != nil {
		commit.Writes[0].Entries = []Entry{*t.Entry}
	}
	if t.Child != nil {
		e.leases.stamp(Request{}, t.Child, Command{}, now)
		commit.Writes = append(commit.Writes, Write{Request: *t.Child, Entries: []Entry{*t.ChildEntry}})
	}
	undone, err := e.lapsed(ctx, r, t.Request, c.Via, now)
	if err != nil {
		return r, rev, err
	}
	if undone != nil {
		commit.Writes = append(commit.Writes, *undone)
	}
	if t.Request.State == Done && r.State != Done {
		ends, err := e.clocks(ctx, t.Request, now)
		if err != nil {
			return r, rev, err
		}
		commit.Writes = append(commit.Writes, ends...)
	}
	revs, err := e.o.Store.Commit(ctx, commit)
	if err != nil {
		return r, rev, fmt.Errorf("store request %v: %w", r.Number, err)
	}
	e.committed(commit)
	return t.Request, revs[0], nil
}

func (e *Engine) committed(c Commit) {
	for _, w := range c.Writes {
		for _, entry := range w.Entries {
			e.o.Seen(entry)
		}
		e.o.Owed(w.Request)
	}
}
