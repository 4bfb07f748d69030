//go:build !failpoint

package main

import "countersign/workflow"

// failpoint is nothing in the product: the crash harness builds with the tag failpoint.
func failpoint(func(string) string) func(string, workflow.Number) { return nil }
