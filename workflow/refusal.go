package workflow

import "strings"

// Kind is why something was refused. Each kind has a sentence of its own in each language, made by the adapter.
type Kind string

// Refusals of words: a command that cannot become a request.
const (
	BadAction      Kind = "bad_action"       // Args: what was typed, known actions
	ActionNotHere  Kind = "action_not_here"  // the other provider's; Args: action, system, this system's actions
	NoRemoval      Kind = "no_removal"       // CompShare cannot remove a member or change a role; Args: action
	MissingWho     Kind = "missing_who"      // Args: action
	WhoNotAllowed  Kind = "who_not_allowed"  // accept and reject act for the account itself; Args: action
	MissingTarget  Kind = "missing_target"   // no SYSTEM/GROUP
	BadTarget      Kind = "bad_target"       // an empty half of SYSTEM/GROUP; Args: what was typed
	BadSystem      Kind = "bad_system"       // Args: what was typed, known systems
	BadCompany     Kind = "bad_company"      // Args: what was typed
	BadTeam        Kind = "bad_team"         // Args: what was typed
	BadWorkspace   Kind = "bad_workspace"    // Args: what was typed
	BadIAM         Kind = "bad_iam"          // Args: what was typed
	BadRole        Kind = "bad_role"         // Args: what was typed, known roles
	MissingAs      Kind = "missing_as"       // Args: action
	AsNotAllowed   Kind = "as_not_allowed"   // Args: action
	BadRemark      Kind = "bad_remark"       // Args: what was typed, the most characters
	NoTimeLimit    Kind = "no_time_limit"    // `for` on an action that cannot be ended; Args: action, provider
	BadDuration    Kind = "bad_duration"     // Args: what was typed
	LongDuration   Kind = "long_duration"    // above the rule's max_duration; Args: what was typed, the maximum
	BadMention     Kind = "bad_mention"      // people does not know the person for this provider; Args: mention, system
	EmptyItem      Kind = "empty_item"       // an empty item in a list
	RepeatedWho    Kind = "repeated_who"     // Args: the repeated one
	TooManyWho     Kind = "too_many_who"     // Args: count, maximum
	OpenQuote      Kind = "open_quote"       // a quote that is not closed
	DoubledWord    Kind = "doubled_word"     // a preposition or part twice; Args: the word
	UnexpectedWord Kind = "unexpected_word"  // Args: the word
	TooLong        Kind = "too_long"         // Args: the maximum
	BadCharacter   Kind = "bad_character"    // control, hidden or direction-changing characters
	BadNumber      Kind = "bad_number"       // Args: what was typed
	GroupNoSupport Kind = "group_no_support" // a user group where the provider has none; Args: action, system
	NothingToEnd   Kind = "nothing_to_end"   // `for` on an action that takes something away; Args: action
	UnknownName    Kind = "unknown_name"     // the cloud knows nobody of that name; Args: name, system
	Ambiguous      Kind = "ambiguous"        // a name that means several; Args: name, the IDs it may mean
	NoLookUp       Kind = "no_look_up"       // names are not looked up on the system; Args: name, system
	Unresolved     Kind = "unresolved"       // the cloud could not be asked what a name means; Args: name, system
	NoList         Kind = "no_list"          // the system has no such list; Args: list, system
	Unreadable     Kind = "unreadable"       // a list could not be read; Args: system, the fault
	NoReadRule     Kind = "no_read_rule"     // no rule lets this person ask for anything there; Args: target
)

// Refusals of authority and of time.
const (
	NoRule       Kind = "no_rule"       // no rule lets this person ask for this; Args: action, target
	NotApprover  Kind = "not_approver"  // not among the rule's approvers
	NoLonger     Kind = "no_longer"     // among them when the request was made, but not under the policy of now
	Uncovered    Kind = "uncovered"     // the policy of now has no rule for the request
	OwnRequest   Kind = "own_request"   // the requester never decides
	NotRequester Kind = "not_requester" // only the requester withdraws
	AlreadySaid  Kind = "already_said"  // this person has decided already
	NoPlaceLeft  Kind = "no_place_left" // every place that this person could fill is filled
	WrongState   Kind = "wrong_state"   // the request is in a state where this cannot be done
	NotFound     Kind = "not_found"     // Args: number
	NotHere      Kind = "not_here"      // the click did not come from the request's card
	Deactivated  Kind = "deactivated"
	Bot          Kind = "bot"
	Guest        Kind = "guest"
	LoneGuest    Kind = "lone_guest" // a guest of a single channel
	Elsewhere    Kind = "elsewhere"  // a member of a workspace whose members may not act
	Stranger     Kind = "stranger"   // whom the workspace only knows through a channel shared with another organisation
	Unverified   Kind = "unverified" // the look-up of the person failed: refused, nothing changed
	// SharedChannel is that people of another organisation read the rule's channel; Args: channel.
	SharedChannel Kind = "shared_channel"
	NotTimed      Kind = "not_timed" // the request gave no membership that ends by itself
	NoForm        Kind = "no_form"   // the form could not be opened
	NotRecorded   Kind = "not_recorded"
	Mishap        Kind = "mishap" // the bot itself failed, and may have done what was asked
	Busy          Kind = "busy"
)

// Refusal says that something was not done and why. It changed nothing.
type Refusal struct {
	Kind Kind
	Args []string
	// Request is the present state, where the refusal is about a request.
	Request *Request
	// More are further refusals of the same command, as when several WHO are bad.
	More []*Refusal
}

// Refuse makes a refusal of a kind, with the arguments that its sentence takes.
func Refuse(k Kind, args ...string) *Refusal { return &Refusal{Kind: k, Args: args} }

// Error is the refusal in the operator's words.
func (r *Refusal) Error() string {
	return "refused: " + string(r.Kind) + " " + strings.Join(r.Args, ", ")
}

// OfWords reports whether the kind is about what was typed, so that a right example helps.
func (k Kind) OfWords() bool {
	switch k {
	case BadAction, ActionNotHere, MissingWho, WhoNotAllowed, MissingTarget, BadTarget, BadSystem, BadCompany, BadTeam,
		BadWorkspace, BadIAM, BadRole, MissingAs, AsNotAllowed, NoTimeLimit, BadDuration, EmptyItem, OpenQuote, DoubledWord,
		UnexpectedWord, GroupNoSupport, NothingToEnd, UnknownName, Ambiguous, NoLookUp:
		return true
	default:
		return false
	}
}
