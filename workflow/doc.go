// Package workflow is the language and the rules of Countersign: what a request is, how it lives, who may decide it,
// and what each change of its state owes the outside. It imports the standard library only, reads no clock, opens no
// file and no socket: adapters bring those, through the interfaces that this package declares beside the code that
// calls them (Store, Provider, Notifier; and what a provider may be besides: Resolver, Directory).
//
// # The life of a request
//
//	pending --approve (last one needed)--> approved --> executing --> done
//	   |--deny--> denied                                   |--provider refused--> failed --retry--> executing
//	   |--withdraw--> withdrawn                            '--outcome unclear--> unknown --looked up--> done | failed | executing
//	   '--time--> expired
//
// A request that was approved is done without a call where the membership is already as wanted, and failed without one
// where it cannot be read or no call could lead there.
//
// Two edges lead back. From pending to pending the present membership is read, so that approvers sign a difference; a
// group or subject that the cloud does not know ends the request as denied. From approved to pending: the membership is
// no longer what they signed, so their approvals are void. A vendor that is busy is called again, from executing to
// executing, where it has certainly not applied anything.
//
// The edges are one table (transitions). Apply is a pure function over it:
//
//	(request, command, policy, now) -> (request, audit entry, effects)
//
// Engine loads, applies and commits at the revision that was read; Runner carries out what the store says is owed.
//
// # Invariants
//
//   - A state, its audit entry and the effects it owes are one commit. Effects run only from the store.
//   - A cloud call is preceded by a durable executing state with an attempt number and the membership that was read. A
//     call begun and without a recorded outcome is unclear: it is settled by reading, never by repeating blindly.
//   - Authority is judged in the transition, at each click, from facts about the actor that the adapter has just looked
//     up; a fact that could not be looked up refuses.
//   - A refusal changes nothing and carries the present request.
package workflow
