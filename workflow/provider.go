package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Provider speaks one vendor's API for one configured system. Its methods may be called concurrently.
type Provider interface {
	// Check turns a draft into a change without any I/O. It returns a *Refusal that says what is wrong with the words:
	// an action of the other provider, an ID of the wrong shape, a role that does not exist.
	Check(d Draft) (Change, error)

	// Read reads the present membership of the change's subject. It never writes. Its error is a *Fault.
	Read(ctx context.Context, c Change) (Membership, error)

	// Apply makes the one mutating call of the change, once, without a retry, given what Read has just returned. It
	// gives up when ctx ends; what the vendor then did is unclear.
	Apply(ctx context.Context, c Change, m Membership) Outcome
}

// System is one configured account of a provider.
type System struct {
	Name     string
	Kind     string // the provider: compshare, dataarts
	Provider Provider
	// Actions are those that the provider offers, in the order in which people should read them.
	Actions []Action
	// CallTimeout bounds one mutating call; zero is DefaultCallTimeout.
	CallTimeout time.Duration
	// Directory reads the system's lists for people; nil where there are none.
	Directory Directory
}

// limit is how long one mutating call may take.
func (s System) limit() time.Duration {
	if s.CallTimeout == 0 {
		return DefaultCallTimeout
	}
	return s.CallTimeout
}

// DefaultCallTimeout is how long a mutating call may take before its outcome is unclear.
const DefaultCallTimeout = 20 * time.Second

// Membership is what a provider read about the subject of a change.
type Membership struct {
	// State is the canonical text of the present membership ("absent", "pending", "joined", "r00001,r00002"). Two equal
	// texts are the same membership; it is what a before-image compares.
	State string `json:"state"`
	// Fit says how the present state stands to the wanted one.
	Fit Fit `json:"fit"`
	// Why refuses the change without a call; set when Fit is Impossible.
	Why *Fault `json:"why,omitempty"`
	// Blind is set where no read can tell whether the call was applied, so that an unclear outcome needs a person.
	Blind bool `json:"blind,omitempty"`
	// Roles are the IDs of the roles that the subject has, where the provider has roles.
	Roles []string `json:"roles,omitempty"`
	// Now and Then are where the subject stands and would stand, for people; Wanted is the State that the change leads to.
	Now    Position `json:"now,omitzero"`
	Then   Position `json:"then,omitzero"`
	Wanted string   `json:"wanted,omitempty"`
	// GroupName and SubjectName are the vendor's names, where it tells them. They are untrusted.
	GroupName   string    `json:"group_name,omitempty"`
	SubjectName string    `json:"subject_name,omitempty"`
	Warnings    []Warning `json:"warnings,omitempty"`
	// Row is the provider's own record of what it read, handed back to Apply.
	Row json.RawMessage `json:"row,omitempty"`
}

// Fit says how a present membership stands to the wanted one.
type Fit string

// How a present membership stands to the wanted one.
const (
	Differs    Fit = "differs"    // a call is needed
	Satisfied  Fit = "satisfied"  // already as wanted: no call
	Impossible Fit = "impossible" // a call would do harm or cannot succeed: Why says why
)

// Verdict is what became of a mutating call.
type Verdict string

// What became of a mutating call.
const (
	Applied Verdict = "applied"
	Refused Verdict = "refused"
	Unclear Verdict = "unclear"
)

// Outcome is what became of a mutating call. Fault is set unless it was applied.
type Outcome struct {
	Verdict   Verdict `json:"verdict"`
	Fault     *Fault  `json:"fault,omitempty"`
	RequestID string  `json:"request_id,omitempty"`
}

// Class sorts faults by what a person can do about them.
type Class string

// The classes of fault.
const (
	ClassKey        Class = "key"        // wrong key or signature
	ClassPermission Class = "permission" // the account may not do this
	ClassThrottled  Class = "throttled"
	ClassUnverified Class = "unverified" // the account is not real-name verified
	ClassGroup      Class = "group"      // no such team or workspace
	ClassSubject    Class = "subject"    // no such company, user or user group
	ClassRole       Class = "role"       // the group has no such role
	ClassState      Class = "state"      // the membership is not in a state that allows the change
	ClassQuota      Class = "quota"
	ClassVendor     Class = "vendor"  // the vendor's own fault
	ClassRefused    Class = "refused" // refused for a reason that only the vendor's text tells
	ClassUnclear    Class = "unclear" // no answer, or one that says neither yes nor no
)

// Fault is what a cloud answered, or failed to answer, instead of success. It carries no secret.
type Fault struct {
	Class Class `json:"class"`
	// Code is the vendor's own code with its name, as in "RetCode 226606" or "DAYU.4402"; empty if there was none.
	Code string `json:"code,omitempty"`
	// Text is the vendor's own text, or what was seen instead of an answer. It is untrusted.
	Text      string `json:"text,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// Error is the fault in the operator's words.
func (f *Fault) Error() string {
	if f.Code == "" {
		return f.Text
	}
	return fmt.Sprintf("%s: %s", f.Code, f.Text)
}
