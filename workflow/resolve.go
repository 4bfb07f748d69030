package workflow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// resolveTimeout bounds the look-ups of one submission, which Slack wants answered within three seconds.
	resolveTimeout = 1500 * time.Millisecond
	// resolvers is how many of them are under way at once.
	resolvers = 8
)

// Resolver is a Provider that can ask the cloud what names in a draft mean. What it finds is fixed with the request and
// never looked up again.
type Resolver interface {
	// Resolve returns the draft with IDs in place of names: of its subject, and in Roles of those in As that only the
	// cloud knows. It asks the cloud only where there is such a name. Its error is a *Refusal: no match, several, or a
	// cloud that could not be read.
	Resolve(ctx context.Context, d Draft) (Draft, error)
}

// resolve lets the providers fix the names of a submission. The cloud is asked only for people whom some rule lets ask
// there, so that nobody else learns who is in it. It returns a refusal, or nil, for each draft.
func (e *Engine) resolve(ctx context.Context, p Policy, sub Submission) ([]Draft, []*Refusal) {
	if !slices.ContainsFunc(sub.Drafts, func(d Draft) bool { return e.resolver(d) != nil }) {
		return sub.Drafts, make([]*Refusal, len(sub.Drafts))
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	drafts, refused := make([]Draft, len(sub.Drafts)), make([]*Refusal, len(sub.Drafts))
	one := func(i int) { drafts[i], refused[i] = e.resolveOne(ctx, p, sub.Drafts[i], sub.Actor) }
	slots := make(chan struct{}, resolvers)
	var wg sync.WaitGroup
	for i := range drafts {
		if i == 0 {
			one(i) // what drafts have in common is then remembered
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			one(i)
		})
	}
	wg.Wait()
	return drafts, refused
}

// resolver is who can be asked what the names in a draft mean; nil where nobody can.
func (e *Engine) resolver(d Draft) Resolver {
	sys, _ := e.System(d.System)
	r, _ := sys.Provider.(Resolver)
	return r
}

func (e *Engine) resolveOne(ctx context.Context, p Policy, d Draft, a Actor) (_ Draft, ref *Refusal) {
	defer func() {
		if recover() != nil { // in a goroutine of its own, a panic would end the process
			ref = Refuse(Unresolved, d.Subject.String(), d.System)
		}
	}()
	resolver := e.resolver(d)
	if resolver == nil {
		return d, nil
	}
	if !p.MightAsk(d.System, d.Action, a) {
		known := a
		known.Groups = append(slices.Clone(a.Groups), a.Unread...)
		if p.MightAsk(d.System, d.Action, known) {
			return d, Refuse(Unverified) // only a group that could not be read lets them
		}
		return d, nil
	}
	found, err := resolver.Resolve(ctx, d)
	if err == nil {
		return found, nil
	}
	if ref, ok := errors.AsType[*Refusal](err); ok {
		return d, ref
	}
	return d, Refuse(Unresolved, d.Subject.String(), d.System)
}
