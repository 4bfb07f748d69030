// Package dataarts changes the members of DataArts Studio workspaces on Huawei Cloud, through the vendor's Go SDK. It
// is a workflow.Provider: add is the vendor's AddWorkSpaceUsers, role, add-role and drop-role are
// UpdateWorkSpaceUserOrGroup, remove is DeleteWorkspaceusers ("DataArts Studio API Reference", Management Center APIs,
// Workspace User Management). It is a workflow.Resolver of IAM users' names and of roles that a workspace lists.
//
// # Invariants
//
//   - Apply sends one HTTP request, or none. The SDK can neither repeat it nor follow a redirect nor turn to another
//     host: the exchange refuses a second request.
//   - A call is applied only if the vendor answered 200 with is_success true. The SDK throws that body away and calls
//     every status below 400 a success, so this package reads the body itself.
//   - An answer that says neither yes nor no is unclear, never success. So is every failure after the first byte may
//     have been sent; one before that (no such host, connection refused) is a refusal.
//   - "Absent" is said only of a workspace that is known to exist, from a list whose rows agree with its count. The
//     vendor lists a workspace that does not exist as an empty one.
//   - "No such user" or user group is said only where IAM says it, by the ID. What IAM fails to say fails nothing.
//   - A role that is no preset is looked up when it is asked for, by name or by ID, so that a policy sees the name that
//     the vendor gives it. A name that could pass for another role's is dropped.
//   - add-role and drop-role write the whole set that was read, changed; what somebody else writes between that read and
//     the call is lost, because the vendor has no conditional write. They are applied only if the list then shows the set.
//   - Only IDs of 32 of a-z and 0-9 reach a URL: the SDK splices path parameters unescaped.
//   - Neither environment variables of the SDK nor a file of its own decides where a signed request goes, and nothing
//     is written to the home directory.
//   - No error, outcome or log line contains the access key, the secret key or what was signed.
//
// # What the vendor does not document
//
//   - A user group is type 1, in groups by its ID alone, and its ID ends the path of an update; in the list it is the
//     row of type 1 whose user_id is that ID. See subject.go, the only place that knows.
//   - A user is added with what IAM's ShowUser says of them, where the account may read it, else with the ID alone.
//   - Whether offset counts records or pages: reading copes with either.
//   - What becomes of an update of somebody who is not a member: it is refused here, without a call.
//   - Whether a count that is too low may come with a page shorter than asked for: that much of a list is believed.
//   - Roles of one's own making have IDs that only ListWorkspaceRoles tells. What looks like one passes Check, which asks
//     nobody; Resolve and Read hold it against that list.
//   - That IAM's 404 repeats the ID that is not known: where it does not, the vendor is asked to add the subject.
package dataarts
