package workflow

import (
	"context"
	"fmt"
	"time"
)

// Notifier brings what is stored to people. Its methods may be called concurrently, for one lane one after the other.
//
// Their errors: a *LaterError if the far end asks to wait, an *UndeliverableError if trying again cannot help; after any
// other error the message may or may not have been posted. Again is set where an earlier try may have been posted
// without having been recorded; the notifier then looks for it before it posts a second one.
type Notifier interface {
	// Show makes the request's card show r, by editing it or, if it has none, posting it, and returns where it is.
	Show(ctx context.Context, r Request, again bool) (Card, error)
	// Tell posts the thread reply or the direct message that e stands for.
	Tell(ctx context.Context, r Request, e Effect, again bool) error
}

// LaterError says that a lane must wait.
type LaterError struct {
	After time.Duration
	Err   error
}

func (e *LaterError) Error() string { return fmt.Sprintf("wait %v: %v", e.After, e.Err) }

// Unwrap returns the cause.
func (e *LaterError) Unwrap() error { return e.Err }

// UndeliverableError says that a message can never be delivered, and why.
type UndeliverableError struct{ Err error }

func (e *UndeliverableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UndeliverableError) Unwrap() error { return e.Err }
