package main

import (
	"context"
	"fmt"
	"runtime"

	"countersign/cmd/internal/app"
)

// version prints the commit and the Go that the binary was built with.
func version(_ context.Context, io streams, args []string) error {
	fs := newFlags("version")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "countersign %s %s %s/%s\n", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
