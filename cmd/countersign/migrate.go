package main

import (
	"context"
	"errors"
	"fmt"

	"countersign/cmd/internal/app"
)

// migrate moves the database from one engine to another.
func migrate(ctx context.Context, io streams, args []string) error {
	fs := newFlags("migrate")
	from := fs.String("from", "", "the `database` that there is: bolt:FILE, or postgres ($"+app.DatabaseEnv+"), or postgres:NAME of another variable")
	to := fs.String("to", "", "the `database` that is to be, which must be empty, or hold what a run that was cut off has left")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	source, err := app.ParseStore(*from)
	if err != nil {
		return usageError{fmt.Errorf("--from: %w", err)}
	}
	target, err := app.ParseStore(*to)
	if err != nil {
		return usageError{fmt.Errorf("--to: %w", err)}
	}
	if source == target {
		return usageError{errors.New("--from and --to are the same")}
	}
	fmt.Fprintf(io.err, "moving %s to %s; nobody may use either meanwhile\n", source, target)
	moved, err := app.Migrate(ctx, source, target, io.env, func(keys int) {
		const every = 50_000
		if keys%every == 0 {
			fmt.Fprintf(io.err, "%d keys\n", keys)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "moved and verified: %d keys (%d written by this run), requests up to #%d, %d audit entries, head %d:%s\n"+
		"%s is unchanged: name %s in the configuration, and do not start anything on the old one again.\n",
		moved.Keys, moved.Written, moved.Number, moved.Head.Seq, moved.Head.Seq, moved.Head.Hash, source, target)
	return nil
}
