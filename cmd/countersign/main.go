// Countersign is a Slack bot that runs membership changes on cloud systems after a second person signs them off.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"countersign/cmd/internal/app"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
)

// command is one subcommand.
type command struct {
	name, args, about string
	// long is its page; words are what may follow it besides flags.
	long  string
	words []string
	run   func(ctx context.Context, io streams, args []string) error
}

// streams are what a command reads and writes besides files.
type streams struct {
	out, err io.Writer
	env      func(string) string
}

func commands() []command {
	return []command{
		{"serve", "[--config F] [--log-format text|json] [--log-level L] [--watch]", "run the bot", serveLong, nil, serve},
		{"check", "[--config F]", "check the configuration offline and print the policy in words", checkLong, nil, check},
		{"doctor", "[--config F] [--json]", "check tokens, channels, people, clouds and the database, and say how to mend them", doctorLong, nil, doctor},
		{"manifest", "--mode socket|http [--url https://host] [--command /access]", "print the Slack app manifest", manifestLong, nil, manifest},
		{
			"requests", "[list|show ID] [--json] [--state S] [--person U] [--system S] [--since T] [--until T] [--limit N]",
			"look at requests", requestsLong,
			[]string{"list", "show"},
			requests,
		},
		{
			"audit", "export [--format csv|jsonl] [--since T] | verify [--head SEQ:HASH]", "export or verify the audit trail",
			auditLong,
			[]string{"export", "verify"},
			audit,
		},
		{"backup", "FILE", "write a consistent copy of the database, also while the bot runs", backupLong, nil, backup},
		{"prune", "--before T [--dry-run]", "remove closed requests that are old, keeping the audit trail verifiable", pruneLong, nil, prune},
		{"migrate", "--from bolt:FILE --to postgres", "move the database to another engine, or back; what was cut off goes on when run again", migrateLong, nil, migrate},
		{"completion", "bash|zsh|fish", "print a script that completes commands in a shell", completionLong, []string{"bash", "zsh", "fish"}, completion},
		{"version", "", "print the version", versionLong, nil, version},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, streams{os.Stdout, os.Stderr, os.Getenv}, os.Args[1:]))
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func run(ctx context.Context, io streams, args []string) int {
	if len(args) == 0 {
		usage(io.err)
		return exitUsage
	}
	switch args[0] {
	case "help":
		return report(io, command{name: "help", args: "[SUBCOMMAND]"}, helpFor(ctx, io, args[1:]))
	case "-h", "--help":
		usage(io.out)
		return exitFine
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return report(io, c, c.run(ctx, io, args[1:]))
		}
	}
	fmt.Fprintf(io.err, "countersign: there is no subcommand %q\n\n", args[0])
	usage(io.err)
	return exitUsage
}

func report(io streams, c command, err error) int {
	if err == nil {
		return exitFine
	}
	if h, ok := errors.AsType[helpError](err); ok {
		help(io.out, page(h.fs, c), h.fs)
		return exitFine
	}
	fmt.Fprintf(io.err, "countersign %s: %v\n", c.name, err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(io.err, "usage: countersign %s %s\n", c.name, c.args)
		return exitUsage
	}
	if _, ok := errors.AsType[*app.ConfigError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*app.QuestionError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// page is the subcommand that a flag set belongs to: that of help is another's.
func page(fs *flag.FlagSet, c command) command {
	for _, other := range commands() {
		if fs.Name() == "countersign "+other.name {
			return other
		}
	}
	return c
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Countersign runs membership changes on cloud systems after a second person signs them off.\n\nusage:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  countersign %s\n      %s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	fmt.Fprint(w, "\ncountersign help SUBCOMMAND says more of each. All read ./countersign.yaml unless --config names another. Secrets come from the environment.\n"+
		"Exit codes: 0 fine, 1 failed, 2 usage or configuration.\n")
}

// flags makes a subcommand's flag set, with --config.
func flags(c string) (*flag.FlagSet, *string) {
	fs := newFlags(c)
	return fs, fs.String("config", "countersign.yaml", "the configuration `file`")
}

// newFlags makes a flag set that says nothing by itself: report does.
func newFlags(c string) *flag.FlagSet {
	fs := flag.NewFlagSet("countersign "+c, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads flags, which may stand before and behind the other arguments, and returns those.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, helpError{fs}
			}
			return nil, usageError{err}
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// parseNone is parse for a subcommand that takes flags only.
func parseNone(fs *flag.FlagSet, args []string) error {
	rest, err := parse(fs, args)
	if err == nil && len(rest) > 0 {
		return usageError{fmt.Errorf("%q was not expected", rest[0])}
	}
	return err
}
