// Package postgres is the engine that several replicas share: store.KV in one table of a PostgreSQL database. It speaks
// plain SQL, so that CockroachDB and YugabyteDB, which speak PostgreSQL's protocol, can take PostgreSQL's place.
//
// # The table
//
//	kv(k bytea primary key, v bytea not null, rev bigint not null)
//
// in the schema that the connection's search_path names first. Keys that begin with a zero byte are the engine's own:
//
//	\x00              the counter: rev is the revision of the last commit, v the random ID of that commit
//	\x0001            what this table is: {"engine": 1}
//	\x0002 handle     for each open handle the ID and the revision of its last commit
//
// # A commit
//
// One transaction, sent as a whole, so that no lock ever waits for a client:
//
//	begin; lock the counter; if all compares hold, count and sign it; put; delete; commit
//
// The lock puts all commits of all replicas in one order, in which revisions increase; puts and deletes do nothing
// unless the counter bears the signature of this very commit. A commit that the server refused because of another one
// is tried again, within a bound. A commit whose answer was lost is settled: a transaction that takes the same lock, and
// so waits for whatever is left of the old one, reads the handle's row, which nobody else writes; it is itself durable,
// and by then so is what it has read. Until that has succeeded, the commit has no result and nobody is told any.
//
// # What it guards against
//
//   - A server that does not write through to the disk (fsync off) or confirms what it has not written
//     (synchronous_commit off) is refused at each connection, not only the first: after a failover it is another server.
//   - A wait for a synchronous standby that somebody cancelled is not taken for a confirmation.
//   - A server that only reads, as a standby does, is not used; of several hosts in the DSN the writable one is.
//   - Reads can use up all connections and not keep a commit from one: those have their own.
//   - The DSN bears a password: no error shows it.
//
// A failover to a standby that is not synchronous loses what it had not received; no client can tell.
package postgres
