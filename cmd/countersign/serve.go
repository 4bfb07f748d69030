package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"countersign/cmd/internal/app"
)

// serve runs the bot until a signal.
func serve(ctx context.Context, io streams, args []string) error {
	fs, config := flags("serve")
	format := fs.String("log-format", "text", "text or json")
	level := fs.String("log-level", "info", "debug, info, warn or error")
	watch := fs.Bool("watch", false, "take policy and people anew when the file, or that of people_csv, has changed, as SIGHUP does")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	var lv slog.Level
	if err := lv.UnmarshalText([]byte(*level)); err != nil {
		return usageError{fmt.Errorf("--log-level: %w", err)}
	}
	opts := &slog.HandlerOptions{Level: lv}
	var handler slog.Handler
	switch *format {
	case "text":
		handler = slog.NewTextHandler(io.err, opts)
	case "json":
		handler = slog.NewJSONHandler(io.err, opts)
	default:
		return usageError{fmt.Errorf("--log-format: %q is neither text nor json", *format)}
	}
	log := slog.New(handler)
	cfg, err := app.LoadConfig(*config)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		log.Warn("the configuration allows what is probably not meant", "warning", w)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	a, err := app.New(ctx, app.Options{Config: cfg, Env: io.env, Logger: log, Step: failpoint(io.env), Reload: hup, Watch: *watch})
	if err != nil {
		return err
	}
	log.Info("countersign runs", "pid", os.Getpid(), "version", app.Version(), "database", cfg.Store.String(), "ops", a.OpsAddr())
	if err := a.Run(ctx); err != nil {
		return err
	}
	log.Info("countersign has stopped")
	return nil
}
