package store

import (
	"bytes"
	"cmp"
	"testing"
	"time"

	"countersign/workflow"
)

// Canonical is canonical, for tests.
var Canonical = canonical

// KeysOf is indexKeys, for tests.
var KeysOf = indexKeys

// MaxTries is maxTries, for tests.
const MaxTries = maxTries

// Unseal is unseal, for tests.
var Unseal = unseal

// CheckKeyOrder demands that due keys order as times and numbers do, and that they are read back.
func CheckKeyOrder(t *testing.T, n1, n2 uint64, t1, t2 int64) {
	t.Helper()
	a := workflow.DueItem{Due: time.Unix(0, t1).UTC(), Number: workflow.Number(n1)}
	b := workflow.DueItem{Due: time.Unix(0, t2).UTC(), Number: workflow.Number(n2)}
	want := cmp.Or(a.Due.Compare(b.Due), cmp.Compare(n1, n2))
	if got := bytes.Compare(dueKey(a.Due, a.Number), dueKey(b.Due, b.Number)); got != want {
		t.Errorf("keys of %v and %v compare %d, want %d", a, b, got, want)
	}
	if got, err := dueIn(dueKey(a.Due, a.Number)); err != nil || got != a {
		t.Errorf("%v is read back as %v, %v", a, got, err)
	}
}
