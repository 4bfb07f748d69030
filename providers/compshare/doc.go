// Package compshare changes who is in a CompShare team (UCloud), through the vendor's Go SDK. [Provider] is a
// workflow.Provider: Check is pure, Read only reads, Apply makes one call.
//
// # What the vendor offers
//
// A team's owner invites a company (CreateCompShareTeamRelation), sends an invitation again, cancels it, and changes
// its remark; the invited company agrees or rejects with its own keys (SetCompShareTeamRelation with Status Send,
// Cancel, UpdateRemarkName, Agree, Reject). No documented call removes a joined member or changes a role: asked for, it
// is refused with workflow.NoRemoval. What Cancel and Reject do to a relation that is already joined is documented
// nowhere and might remove the member, so that neither is sent unless the relation was just read and is not joined.
// The API has no conditional write: a member who joins between that read and the call is the window that remains.
//
// # Invariants
//
//   - Apply sends at most one HTTP request: no retry, no redirect, a fresh connection each time. It says Applied only
//     when the answer is whole, its RetCode is present and 0, its Action is that of the call, and ErrorMap is empty.
//   - Refused means that the vendor said no, or that nothing was sent. All else is Unclear, to be settled by Read.
//   - "No such team" is said only where the account's own list of teams was read and lacks it, "no such company" only
//     where every list of the team's relations was: the vendor publishes no codes for either.
//   - A status that this package does not know is a state of its own, never "absent"; an answer about another team is
//     a fault, never an empty team.
//   - Keys and signatures appear in no error, fault, log line or printed value, not even where the vendor echoes them.
//     A signature is as good as a key: it covers no time, so that a captured request works for ever.
//
// # Why the generated calls are not used
//
// The SDK's requests, signatures and HTTP client are; its generated answers are not. They declare ErrorMap a string
// where the vendor sends an object, so that every invitation "fails"; they hide Message in six actions; and they take
// an answer without RetCode for a success. One client is made per call, because the SDK builds its HTTP client lazily
// without a lock, has no context, logs to standard output, follows redirects with the signed body, and reads answers of
// any size: a RoundTripper of our own (exchange) mends all of these.
package compshare
