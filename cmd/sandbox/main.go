// Sandbox runs the bot against emulators of Slack and of both clouds, in one process on loopback, with a page in the
// browser to click in. It needs no account, no flag and no network, and nothing in it is real: the messages are not in
// Slack, the memberships in no cloud, and no request leaves the machine.
//
// The bot is the product's own code, wired by the same package as the product (cmd/internal/app); only the endpoints in
// its configuration differ.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit codes, as the product's.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
)

// defaultListen is where the page is served unless -listen names another place.
const defaultListen = "127.0.0.1:7878"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Stdout, os.Stderr, os.Args[1:]))
}

// settings are the command line, understood.
type settings struct {
	data, listen, locale string
	verbose              bool
}

func parseFlags(stderr io.Writer, args []string) (settings, error) {
	var s settings
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&s.data, "data", "", "keep everything in this `directory`, so that it survives a restart (default: forget it)")
	fs.StringVar(&s.listen, "listen", "", "serve the page on this loopback `address` (default "+defaultListen+", or a free port if that is taken)")
	fs.StringVar(&s.locale, "locale", "en", "the language of cards: en or zh; private answers are in each person's own")
	fs.BoolVar(&s.verbose, "v", false, "show the bot's log")
	if err := fs.Parse(args); err != nil {
		return s, err
	}
	switch {
	case fs.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case s.locale != "en" && s.locale != "zh":
		return s, fmt.Errorf("-locale is en or zh, not %q", s.locale)
	case s.listen != "" && !isLoopback(s.listen):
		return s, fmt.Errorf("-listen %s: anybody who reaches the page may act as anybody, so it is served on loopback only", s.listen)
	}
	return s, nil
}

// run runs the sandbox until ctx ends and returns an exit code.
func run(ctx context.Context, stdout, stderr io.Writer, args []string) int {
	s, err := parseFlags(stderr, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitFine
	case err != nil:
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return exitUsage
	}
	if err := sandbox(ctx, stdout, stderr, s); err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return exitFailed
	}
	return exitFine
}

// sandbox holds the world and the page together: it ends when ctx does, and leaves nothing behind that was not asked
// for.
func sandbox(ctx context.Context, stdout, stderr io.Writer, s settings) (err error) {
	l, err := listen(ctx, s.listen)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // the server closes it too
	level := slog.LevelError
	if s.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	w, err := newWorld(ctx, worldOptions{Dir: s.data, Locale: s.locale, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	fmt.Fprintf(stdout, banner, l.Addr(), kept(s.data))
	if err := serve(ctx, l, handler(w)); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "\nstopping …")
	return nil
}

// serve serves until ctx ends. Requests are children of ctx, so that a page which waits for news does not hold up the
// stop.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(closing) != nil {
			_ = srv.Close() // what still runs then has had its time
		}
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the page: %w", err)
	}
	return nil
}

// listen listens where it was asked to, else at the usual place, else on a free port: somebody's second sandbox should
// start too.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	if addr != "" {
		return lc.Listen(ctx, "tcp", addr)
	}
	if l, err := lc.Listen(ctx, "tcp", defaultListen); err == nil {
		return l, nil
	}
	return lc.Listen(ctx, "tcp", "127.0.0.1:0")
}

// isLoopback reports whether an address of host and port can be reached from this machine only.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func kept(dir string) string {
	if dir == "" {
		return "Nothing is kept: the next start begins anew (-data DIR keeps it)."
	}
	return "Kept in " + dir + " for the next start."
}

// banner is what the terminal shows.
const banner = `
  Countersign sandbox

      http://%s

  This is not Slack and not a cloud. The bot is the real one; Slack, CompShare
  and DataArts Studio are emulators in this process. No account is used, nothing
  leaves this machine, and nobody is given anything.

  %s
  Ctrl-C stops it.

`
