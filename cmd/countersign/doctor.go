package main

import (
	"context"
	"fmt"

	"countersign/cmd/internal/app"
)

// doctor checks the configuration against the world and says how to mend what is wrong.
func doctor(ctx context.Context, io streams, args []string) error {
	fs, config := flags("doctor")
	asJSON := fs.Bool("json", false, "print one JSON array")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	cfg, err := app.LoadConfig(*config)
	if err != nil {
		return err
	}
	all, failed := []app.Finding{}, 0
	app.Doctor(ctx, app.DoctorOptions{Config: cfg, Env: io.env, Tell: func(f app.Finding) {
		all = append(all, f)
		if f.Status == app.Fail {
			failed++
		}
		if !*asJSON {
			fmt.Fprintln(io.out, f)
		}
	}})
	if *asJSON {
		if err := printJSON(io.out, all); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(all))
	}
	return nil
}
