package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"countersign/bot"
	"countersign/workflow"
)

// The verbs of audit entries that belong to no transition of a request.
const (
	actStart    workflow.Verb = "start"     // the process took up its work
	actReload   workflow.Verb = "reload"    // the policy was changed, or a change of it was refused
	actRefused  workflow.Verb = "refused"   // somebody tried what they have no right to
	actBackup   workflow.Verb = "backup"    // the whole database was read
	actExport   workflow.Verb = "export"    // the whole audit trail was read
	actHead     workflow.Verb = "head"      // the head of the trail, about to be posted
	actHeadTold workflow.Verb = "head_told" // it was posted
)

// recordTime bounds the commit of an entry of its own.
const recordTime = 5 * time.Second

// record appends an entry of no request to the audit trail.
func record(ctx context.Context, s workflow.Store, delivery string, e workflow.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	if _, err := s.Commit(ctx, workflow.Commit{Delivery: delivery, At: e.At, Entries: []workflow.Entry{e}}); err != nil {
		return fmt.Errorf("record %s: %w", e.Verb, err)
	}
	return nil
}

// started records that the process took up its work, and under which policy.
func (a *App) started(ctx context.Context) {
	e := workflow.Entry{
		At: a.o.Now(), Verb: actStart, Via: "process",
		Detail: fmt.Sprintf("version %s, policy %s", Version(), a.cfg.PolicyHash()),
	}
	if err := record(context.WithoutCancel(ctx), a.store, "", e); err != nil {
		a.log.Error("the start could not be recorded", "error", err)
	}
}

const (
	// attemptsKept is how many refused attempts wait to be recorded; more at once are only counted.
	attemptsKept = 128
	// attemptAge is for how long the same attempt of the same person is recorded once only, so that nobody fills the disk
	// by clicking.
	attemptAge = 10 * time.Minute
	// attemptsRemembered bounds the memory of them.
	attemptsRemembered = 1000
)

// attempts records what people tried without the right to it.
type attempts struct {
	queue chan workflow.Entry

	mu   sync.Mutex
	last map[bot.Attempt]time.Time
}

func newAttempts() *attempts {
	return &attempts{queue: make(chan workflow.Entry, attemptsKept), last: map[bot.Attempt]time.Time{}}
}

// take queues an attempt, unless the same was queued a short while ago. It never waits.
func (t *attempts) take(at bot.Attempt, now time.Time) {
	same := at
	same.Via = ""
	t.mu.Lock()
	defer t.mu.Unlock()
	if before, ok := t.last[same]; ok && now.Sub(before).Abs() < attemptAge {
		return
	}
	if len(t.last) >= attemptsRemembered {
		clear(t.last)
	}
	detail := fmt.Sprintf("%s: %s", at.Verb, at.Kind)
	if at.Request != 0 {
		detail = fmt.Sprintf("request %d, %s", at.Request, detail)
	}
	select {
	case t.queue <- workflow.Entry{At: now, Verb: actRefused, By: at.By, Via: at.Via, Detail: detail}:
		t.last[same] = now
	default:
	}
}

// recordAttempts records until ctx ends, and then what is left.
func (a *App) recordAttempts(ctx context.Context) error {
	for {
		select {
		case e := <-a.attempts.queue:
			a.recordAttempt(ctx, e)
		case <-ctx.Done():
			for {
				select {
				case e := <-a.attempts.queue:
					a.recordAttempt(ctx, e)
				default:
					return nil
				}
			}
		}
	}
}

func (a *App) recordAttempt(ctx context.Context, e workflow.Entry) {
	if err := record(context.WithoutCancel(ctx), a.store, "", e); err != nil {
		a.log.Warn("a refused attempt could not be recorded", "error", err)
	}
}

// operator says who asks on the socket.
func operator(r *http.Request) string {
	if uid, ok := r.Context().Value(peerKey{}).(uint32); ok {
		return fmt.Sprintf("operator uid %d", uid)
	}
	return "operator"
}

type peerKey struct{}

// withPeer keeps the user ID of whoever is at the other end of a unix socket.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if uid, ok := peerOf(c); ok {
		return context.WithValue(ctx, peerKey{}, uid)
	}
	return ctx
}

// note records what an operator does. That it cannot be recorded keeps nobody from reading: a full disk is when a
// backup is wanted most.
func (c *control) note(r *http.Request, verb workflow.Verb, detail string) {
	e := workflow.Entry{At: time.Now().UTC(), Verb: verb, Via: operator(r), Detail: detail}
	if err := record(context.WithoutCancel(r.Context()), c.s, "", e); err != nil && c.log != nil {
		c.log.Error("an operator's act could not be recorded", "verb", string(verb), "error", err)
	}
}

// errUnchanged says that there was nothing to reload.
var errUnchanged = errors.New("nothing has changed")
