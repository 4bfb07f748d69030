package dataartsfake

// Behaviour is what the vendor does not publish. The zero value is what the package doc calls its assumptions.
type Behaviour struct {
	Offset    OffsetMode    `json:"offset,omitempty"`
	GroupPath GroupPathMode `json:"group_path,omitempty"`
	// AddExisting is the answer to adding somebody who is in the workspace; Absent to updating or removing somebody
	// who is not.
	AddExisting Answer `json:"add_existing,omitempty"`
	Absent      Answer `json:"absent,omitempty"`
	// NeedUserName refuses to add a user whose user_name was not sent.
	NeedUserName    bool `json:"need_user_name,omitempty"`
	AcceptStrangers bool `json:"accept_strangers,omitempty"`
	OwnerAsString   bool `json:"owner_as_string,omitempty"`
	// IAMRefused lets the IAM routes answer 403, as to a key without IAM rights.
	IAMRefused bool `json:"iam_refused,omitempty"`
	// MaxMembers is how many members a workspace may have; zero is any number.
	MaxMembers int `json:"max_members,omitempty"`
	// PageSize caps the rows of a page; zero is a hundred.
	PageSize int `json:"page_size,omitempty"`
}

// OffsetMode is what offset counts.
type OffsetMode string

// What offset counts.
const (
	OffsetRecords   OffsetMode = ""
	OffsetPages     OffsetMode = "pages"      // the first page is 0
	OffsetPagesFrom OffsetMode = "pages_from" // the first page is 1, and 0 is 1 too
)

// GroupPathMode is what the path of UpdateWorkSpaceUserOrGroup must end with for a user group.
type GroupPathMode string

// What the path of UpdateWorkSpaceUserOrGroup must end with for a user group.
const (
	GroupPathID     GroupPathMode = ""
	GroupPathRecord GroupPathMode = "record" // the ID of the member's row
)

// Answer is how a call is answered that changes nothing.
type Answer string

// How a call is answered that changes nothing.
const (
	AnswerFalse  Answer = ""         // 200 {"is_success":false}
	Answer4402   Answer = "4402"     // 400 DAYU.4402
	AnswerAccept Answer = "accepted" // 200 {"is_success":true}
)
