//go:build failpoint

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"countersign/workflow"
)

// failpoint kills the process, as SIGKILL does, at the n-th passage of a named point:
// COUNTERSIGN_FAILPOINT=after_call:3. Its last words say so.
func failpoint(env func(string) string) func(string, workflow.Number) {
	name, count, _ := strings.Cut(env("COUNTERSIGN_FAILPOINT"), ":")
	left, err := strconv.Atoi(count)
	if name == "" || err != nil {
		return nil
	}
	var passed atomic.Int64
	return func(point string, n workflow.Number) {
		if point == name && passed.Add(1) == int64(left) {
			fmt.Fprintf(os.Stderr, "failpoint %s at request %v\n", point, n)
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
