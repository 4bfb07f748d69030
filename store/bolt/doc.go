// Package bolt is the engine of a single process: store.KV in one bbolt file.
//
// # What it guards against
//
// bbolt is durable, but it trusts its file. This package does not:
//
//   - A file that is empty, foreign, of a newer format, damaged or in use is refused, each with an error of its own that
//     says what to do. Only a file that does not exist is created, whole or not at all.
//   - bbolt opens a file whose newest meta page is gone at the commit before, and says nothing. Beside the file lies a
//     second one, PATH.seq, that holds the number of the last commit; a database behind it is refused (ErrRolledBack).
//     A backup has an identity of its own, so what lies beside the database that it replaces does not count.
//   - bbolt panics on a damaged page. The panic, or the fault of reading behind the end of the file, becomes ErrDamaged.
//   - A commit that finds no room is store.ErrFull; the next may succeed. After any other error of the disk, memory and
//     disk may differ in ways that nobody can tell: every later call is ErrPoisoned, until the file is opened again.
//   - A file that is removed or replaced while it is open lives on without a name, and ends with the process. Before each
//     commit, and at the end, the name is compared; then what the file holds is saved beside it, as PATH.saved-NUMBER, and
//     nothing more is stored (ErrVanished).
//
// # The file
//
// Bucket "countersign" holds what the file is: format and id. Bucket "kv" holds the items as of the commit that is its
// sequence; the number of a commit is the revision of what it put. A value begins with its revision in eight bytes and the
// CRC-32C of key and revision in four; the value itself is the store's to check.
//
// The commits since then are the journal: buckets "journal NUMBER", with a record for each commit under its number. What
// they put or deleted is also held in memory, and lies upon bucket "kv" for whoever reads. The journal is folded into "kv"
// while nobody commits, or by a commit that finds no room in it, and on Close; not where nothing was committed since Open.
// While there is one, the format is 2, so that a version of this program which knows none refuses the file, and the
// sequence of bucket "countersign" is the journal's last commit; otherwise, and in a backup, the format is 1. Nothing is
// acknowledged before its commit of bbolt is durable, in either place.
//
// No read transaction outlives a page of a scan, except that of Snapshot, which copies to a local file at disk speed:
// bbolt cannot use pages again that a reader may still see.
package bolt
