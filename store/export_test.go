package store

// Canonical is canonical, for tests.
var Canonical = canonical

// KeysOf is indexKeys, for tests.
var KeysOf = indexKeys

// MaxTries is maxTries, for tests.
const MaxTries = maxTries
