package crash

import (
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/workflow"
)

// History is what was seen of a run from outside.
type History struct {
	Attempts []Attempt
	// Stored are the requests that operators are shown at the end.
	Stored []app.View
	// Trail is the exported audit trail, oldest first.
	Trail []workflow.Entry
	// Applications are the mutating calls that the clouds received.
	Applications []Application
	// Messages are all messages in Slack, ephemeral ones too.
	Messages []slackfake.Message
	// Direct are the direct-message channels, by ID, with whom they are with.
	Direct map[string]string
}

// Attempt is one command that a person typed: delivered once, or again under the same trigger.
type Attempt struct {
	// Reason is its free text, which no other attempt has.
	Reason    string
	Requester string
	Action    workflow.Action
	System    string
	Group     string
	Subjects  []string
	// As is the role or the remark.
	As string
	// Answers are those that arrived, also to a redelivery.
	Answers []Answer
	// Unanswered counts the deliveries for which Slack showed a failure.
	Unanswered int
}

// Answer is what a person was told: the numbers in it, or none.
type Answer struct {
	Numbers []workflow.Number
	Text    string
}

// Application is one mutating call that a cloud received.
type Application struct {
	System  string
	Subject string
	// Applied tells a call that changed something.
	Applied bool
}

// Violation is a promise that was not kept.
type Violation struct {
	// Name is one of Names.
	Name string
	Text string
}

// String is the violation on one line.
func (v Violation) String() string { return v.Name + ": " + v.Text }

// The promises, by name.
const (
	Lost       = "an acknowledged request is stored"
	Changed    = "a stored request says what was asked"
	Doubled    = "a command makes its requests once"
	Reused     = "a number is acknowledged once"
	Invented   = "nothing is stored that nobody asked for"
	Refused    = "what was answered without a number is not stored"
	Unsettled  = "what was approved comes to an end"
	Unapplied  = "a done request was applied"
	AppliedTwo = "an approved request is applied once"
	Unapproved = "nothing is applied that was not approved"
	CardOne    = "a request has one card"
	CardState  = "a card shows its request's state"
	LiveButton = "a decided card has no live button"
	NoButton   = "a pending card can be decided"
	ThreadOne  = "a result is told once in the thread"
	DirectOne  = "a person is told each thing once"
	Table      = "a request moves along the table, once a step"
	Owed       = "nothing stays owed"
	Chain      = "the audit trail is whole"
	Indexes    = "the indexes fit the records"
	Died       = "the process ends only when it is killed"
)

// Names are the names of all promises that Check judges.
func Names() []string {
	return []string{
		Lost, Changed, Doubled, Reused, Invented, Refused, Unsettled, Unapplied, AppliedTwo, Unapproved, CardOne, CardState,
		LiveButton, NoButton, ThreadOne, DirectOne, Table,
	}
}
