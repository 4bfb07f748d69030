// Package compsharefake is a stand-in for CompShare's API (UCloud) that the vendor's own SDK cannot tell apart for the
// part that concerns teams: signatures, RetCodes, and the relations between a team and the companies it invited.
//
// It imitates what the vendor documents: one POST on any path, parameters as a form or as JSON, every answer an HTTP
// 200 with Action and RetCode, an X-UCLOUD-REQUEST-UUID header, ErrorMap as an object. The checks come in this order:
// 160 no Action, 161 unknown Action, 170 no Signature, 172 unknown PublicKey, 171 wrong Signature, 226606 account not
// real-name verified, 230 a parameter that cannot be read, 299 not the team's owner. An unknown parameter is silently
// ignored, as by the vendor.
//
// A [Server] has three faces. Programs see the API on any path. Tests see Go methods: [Server.SetRelation] changes a
// membership behind the bot's back, [Server.Calls] says what the bot did, [Server.Fault] breaks things. Other processes
// see the same under /_emu/.
//
// # Assumed, because the vendor does not say
//
//   - 160 and 161 come before the checks of the signature.
//   - The RetCodes of "no such team", "no such relation", "not in a state that allows this" and "the team still has
//     members" are not published: [Codes] holds them, with numbers of our own in the 160xx range.
//   - A team has one relation per company. Inviting again after Rejected or Canceled reuses the row, as Pending with a
//     new CreateTime. Inviting while Pending or Joined gives that company's entry in ErrorMap, Code 16001, and does not
//     keep the others of the same call from being invited.
//   - Any company number may be invited, except the team's own.
//   - GetCompShareTeamInfo lists relations of all four states; [Quirks.InvitesApart] is the other reading, in which
//     only ListCompShareTeamInvite, asked by the owner with a TeamId, shows a pending one.
//   - ListCompShareTeamInvite gives the caller's own invitations of every state, and with a TeamId of the caller's own
//     team those which that team has sent. ListCompShareTeamJoined gives the Joined ones, or those of the asked Status.
//   - Agree, Reject, Cancel and Send work on a Pending relation only. Send shows in nothing that can be read; it is
//     counted in [Relation.Sent]. [Quirks.CancelRemoves] is the reading in which Cancel on a Joined relation removes
//     the member.
//   - A team holds any number of companies. [Quirks.MaxMembers] bounds it, with the Code 17001, "quota insufficient",
//     that the vendor publishes for a member's money (SetCompShareTeamAmount), as the company's entry in ErrorMap.
//   - UpdateRemarkName works in any state and needs a RemarkName. A team whose relations include a Pending or a Joined
//     one cannot be deleted.
//   - VirtualCompanyId is given when the invitee agrees, counting from 60001; before that it is 0.
//
// The real gateway times out after 60 s and leaves Action out of some of its own errors ([Quirks.BareErrors]).
//
// The server binds loopback only, and its control API answers only to a loopback Host. It is not CompShare, keeps no
// secret, and must not be linked into the product.
package compsharefake
