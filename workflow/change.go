package workflow

import (
	"strings"
	"time"
)

// Action is what a change does to a membership.
type Action string

// The actions of CompShare, then those of DataArts Studio.
const (
	Invite Action = "invite"
	Resend Action = "resend"
	Cancel Action = "cancel"
	Rename Action = "rename"
	Accept Action = "accept"
	Reject Action = "reject"

	Add       Action = "add"
	SetRole   Action = "role"      // the roles given replace those that were
	AddRole   Action = "add-role"  // besides those that are
	DropRole  Action = "drop-role" // and leaves the others
	RemoveOne Action = "remove"
)

// SubjectKind tells an account from a user group. The zero value is no subject: the configured account itself.
type SubjectKind string

// The kinds of subject.
const (
	Member    SubjectKind = "member" // a CompShare company, an IAM user
	UserGroup SubjectKind = "group"  // an IAM user group
)

// Subject is whose membership changes.
type Subject struct {
	Kind SubjectKind `json:"kind,omitempty"`
	ID   string      `json:"id,omitempty"`
	// Slack is whose ID it is, as a Slack user ID: who was mentioned, or whom people know by the ID; empty if nobody.
	Slack string `json:"slack,omitempty"`
	// From is what said that the ID is theirs, where it was not typed: FromPeople, FromCSV, or FromIAM with the name that
	// was looked up, as in "iam:alice".
	From string `json:"from,omitempty"`
}

// Where the ID of a Subject comes from.
const (
	FromPeople = "people"
	FromCSV    = "people_csv"
	FromIAM    = "iam:"
)

// String is the subject as it is typed in a command: an ID, group:ID, or nothing.
func (s Subject) String() string {
	if s.Kind == UserGroup {
		return "group:" + s.ID
	}
	return s.ID
}

// RoleRef is a role of a provider: its ID, and its name where that is known.
type RoleRef struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Change is one membership change, in canonical form: Provider.Check has seen it.
type Change struct {
	Action  Action    `json:"action"`
	System  string    `json:"system"`
	Group   string    `json:"group"`
	Subject Subject   `json:"subject,omitzero"`
	Roles   []RoleRef `json:"roles,omitempty"`
	Remark  string    `json:"remark,omitempty"`
	// Limit is how long the membership lasts once done; zero is without end.
	Limit time.Duration `json:"limit,omitempty"`
}

// Key names the membership that the change touches. Changes of one key run one after the other.
func (c Change) Key() string {
	return c.System + "/" + c.Group + "/" + c.Subject.String()
}

// RoleIDs are the IDs of the roles, comma-separated, in the order given.
func (c Change) RoleIDs() string {
	ids := make([]string, len(c.Roles))
	for i, r := range c.Roles {
		ids[i] = r.ID
	}
	return strings.Join(ids, ",")
}

// Draft is a change as a person typed it: unchecked words for one provider to make a Change of.
type Draft struct {
	Action  Action
	System  string
	Group   string
	Subject Subject
	// As is the role or the remark; HasAs tells an empty one from none.
	As    string
	HasAs bool
	Limit time.Duration
	// Roles are what a Resolver found out about the roles in As: those that only the cloud knows, with their names.
	Roles []RoleRef
}
