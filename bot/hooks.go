package bot

import (
	"time"

	"countersign/workflow"
)

// Attempt is what somebody tried and had no right to.
type Attempt struct {
	By workflow.Person
	// Verb is the button, or submit.
	Verb string
	// Request is what it was about; zero where nothing says so, or where it was a new one.
	Request workflow.Number
	Kind    workflow.Kind
	// Via is where it came from.
	Via string
}

// refused tells of a refusal for want of authority; what was mistyped, or came too late, is nobody's business.
func (b *Bot) refused(a Attempt, ref *workflow.Refusal) {
	if b.o.Refused == nil {
		return
	}
	switch ref.Kind {
	case workflow.NoRule, workflow.NoReadRule, workflow.SharedChannel, workflow.Uncovered,
		workflow.NotApprover, workflow.NoLonger, workflow.OwnRequest, workflow.NotRequester, workflow.NotHere,
		workflow.Deactivated, workflow.Bot, workflow.Guest, workflow.LoneGuest, workflow.Elsewhere, workflow.Stranger, workflow.Unverified:
	default:
		return
	}
	a.Kind = ref.Kind
	if ref.Request != nil {
		a.Request = ref.Request.Number
	}
	b.o.Refused(a)
}

// acked tells how long a delivery took from its receipt to its acknowledgement.
func (b *Bot) acked(kind string, since time.Time) {
	if b.o.Acked != nil {
		b.o.Acked(kind, time.Since(since))
	}
}
