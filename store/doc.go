// Package store keeps requests and the audit trail durably: workflow.Store over a small ordered key-value engine (KV).
// One key schema serves every engine. Package bolt is the engine of a single process; an engine that several replicas
// share needs nothing more than what KV asks for.
//
// # Invariants
//
//   - A commit is stored whole (records, indexes, audit entries, delivery claim) or not at all, in one KV.Commit.
//   - Commit returns nil only after the engine has stored it durably. Once it is taken from the queue, its caller gets
//     the true result, whatever becomes of the caller's context.
//   - Every KV.Commit compares the head of the audit chain and replaces it. So whatever a batch read after it read the
//     head is still true when the batch is stored, also with several replicas on one database: the chain stays one chain,
//     a delivery is claimed once and a number is used once.
//   - An index holds exactly the keys that the stored records call for; see indexKeys, the only place that names them.
//   - Every value is checked against its key when it is read. A value that fails is an error that names the key
//     (DamageError); it is never served.
//   - No read costs more than what it returns times a constant, whatever is stored. No delete is a bulk delete.
//
// # Keys
//
// A key is one letter, then big-endian numbers, so keys of one family increase with time. A string is preceded by its
// length in two bytes; a time is seconds since 1970 in eight bytes, the sign bit flipped, then nanoseconds in four.
//
//	m format                      {format, id, created}: what this database is
//	m head                        {seq, hash, number}: the last audit entry, the highest number ever stored
//	m pruned                      {seq, hash, ...}: where the trail begins since something was pruned; see Prune
//	m move                        {id}: the database that is being moved here; there is no format then
//	r number                      {audit, request}: a request, and the places of its entries in the audit trail
//	a seq                         an audit entry
//	p team user number            index: requests by requester
//	s state number                index: requests by state
//	d due number                  index: requests by when their earliest effect is due; none for one that owes nothing
//	b id                          the number of the one request that may have a call under way on a membership; id is the
//	                              first 16 bytes of SHA-256 of system/group/subject. The other indexes are empty
//	c id                          {at, numbers}: a delivery claim; id is the number that the delivery begins with, or 0, in
//	                              eight bytes, and the first 16 bytes of SHA-256 of the delivery
//	t at id                       index: claims by time
//
// A value is one byte of version (1), four bytes of CRC-32C over key, version and payload, and the payload: JSON, empty in
// an index.
//
// # The audit chain
//
// Entries are numbered from 1 without a gap. The hash of an entry is, in lower-case hex,
//
//	SHA-256( prev || canonical )
//
// where prev is the hash of the entry before as 64 hex digits (64 zeros before the first), and canonical is the entry's
// JSON without its "hash" member in the form of RFC 8785: members sorted by name, no white space, only what JSON demands
// escaped, UTF-8. In Python, for a line of an export:
//
//	e = json.loads(line); h = e.pop("hash")
//	c = json.dumps(e, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
//	assert h == hashlib.sha256((e["prev"] + c).encode()).hexdigest()
package store
