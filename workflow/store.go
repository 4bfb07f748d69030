package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Revision names one stored version of a request; zero is "not stored yet".
type Revision uint64

// Store keeps requests and the audit trail. Its methods may be called concurrently. It never calls back.
type Store interface {
	// Load returns a request and the revision it is stored at, or ErrNotFound.
	Load(ctx context.Context, n Number) (Request, Revision, error)

	// List returns requests newest first. It reads what it returns, not what is stored.
	List(ctx context.Context, q Query) ([]Request, error)

	// Due returns the requests that owe an effect at or before until, earliest first, at most limit of them, beginning
	// behind the item after (its zero value: from the start).
	Due(ctx context.Context, until time.Time, after DueItem, limit int) ([]DueItem, error)

	// Reserve hands out n consecutive numbers that no request has or will have; the first is returned. Numbers that are
	// not used afterwards stay unused.
	Reserve(ctx context.Context, n int) (Number, error)

	// Commit stores all of c durably, or nothing. It returns the new revisions, one for each write in order. Its
	// errors: ErrConflict if a revision is no longer the stored one, *DuplicateError if the delivery was committed
	// before, which comes first, ErrOccupied if a request would be Alone that is not, ErrBusy if it was not even tried. After
	// any other error what was asked is not stored.
	Commit(ctx context.Context, c Commit) ([]Revision, error)
}

// Commit is one atomic change of the store.
type Commit struct {
	// Delivery, if not empty, is claimed by this commit: a second commit with the same one is a *DuplicateError. A
	// claim is remembered for at least an hour.
	Delivery string
	At       time.Time
	Writes   []Write
	// Entries are audit entries that belong to no request.
	Entries []Entry
}

// Write stores one request. Revision is the one that was read; zero for a new request, whose number was reserved.
type Write struct {
	Request  Request
	Revision Revision
	// Entries are appended to the audit trail; the store gives them their place in the chain.
	Entries []Entry
}

// Query selects requests. Exactly one of Requester and States may be set; none of them selects all.
type Query struct {
	Requester Person
	States    []State
	Before    Number // only numbers below it; zero: from the newest
	Limit     int
}

// DueItem is a request that owes an effect, and when the earliest one is due.
type DueItem struct {
	Due    time.Time
	Number Number
}

// Errors of a Store.
var (
	ErrNotFound = errors.New("no such request")
	ErrConflict = errors.New("changed since it was read")
	// ErrOccupied says that the call of another request on the same membership is not settled.
	ErrOccupied = errors.New("a call of another request on the same membership is not settled")
	ErrBusy     = errors.New("the store is busy, nothing was recorded")
)

// DuplicateError says that a delivery was committed before, and which requests it made.
type DuplicateError struct {
	Delivery string
	Numbers  []Number
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("delivery %q was recorded before, as %v", e.Delivery, e.Numbers)
}
