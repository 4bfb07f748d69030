// Package dataartsfake is an emulator of the part of Huawei Cloud that DataArts Studio's workspace memberships need: an
// HTTP server that the vendor's unmodified Go SDK talks to, in raw JSON, with scripted faults. It imports neither the
// SDK, whose mistakes it would share, nor testing, so that a sandbox and a crash harness can run it too.
//
// # What is emulated
//
// The routes that Routes lists, by the vendor's API names: AddWorkSpaceUsers, UpdateWorkSpaceUserOrGroup,
// DeleteWorkspaceusers, ListWorkspaceusers, ListWorkspaceRoles, ListManagerWorkSpaces, ShowWorkSpace and
// ListDataArtsStudioInstances of "DataArts Studio API Reference", ShowUser, KeystoneListUsers and
// KeystoneShowGroup of "Identity and Access Management API Reference". Everything else is the gateway's 404.
//
// # Invariants
//
//   - A request is believed only if its SDK-HMAC-SHA256 signature is right, over at least X-Sdk-Date, which may be off
//     by fifteen minutes.
//   - A mutating call is applied as a whole or not at all, and the record of it says which (Call.Applied), before the
//     client has seen an answer.
//   - A workspace that does not exist lists as empty, without an error; its roles are an error.
//   - Every answer bears an X-Request-Id, except those that a fault cuts off.
//
// # Assumptions
//
// What the vendor does not publish is a switch of Behaviour, and its zero value is the choice made here:
//
//   - offset counts records (Offset): the Chinese document calls it a page number, the SDK and Terraform a record.
//   - The path of UpdateWorkSpaceUserOrGroup ends with a user group's own ID (GroupPath).
//   - Adding who is there (AddExisting), and updating or removing who is not (Absent), answers 200 with is_success
//     false; DAYU.4402 and plain acceptance are the alternatives.
//   - A bare user_id suffices to add a user (NeedUserName).
//   - Users and user groups that IAM does not know are refused, with is_success false (AcceptStrangers).
//   - A user row's type is 0 and a group row's 1, with the group's ID in user_id.
//   - domain_owner is a JSON bool (OwnerAsString).
//   - Without limit, a list has ten rows; limit above a hundred is a hundred (PageSize).
//   - A workspace holds any number of members. MaxMembers bounds it, with is_success false and a message that names the
//     quota.
//   - A role that the workspace does not have is refused with is_success false.
//   - IAM's 404 names the ID that it does not know.
//   - ShowWorkSpace and ListWorkspaceRoles answer for an unknown workspace 400 DLM.4001.
package dataartsfake
