package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

// help prints the page of one subcommand.
func help(w io.Writer, c command, fs *flag.FlagSet) {
	fmt.Fprintf(w, "NAME\n  countersign %s - %s\n\nUSAGE\n  countersign %s\n", c.name, c.about, strings.TrimSpace(c.name+" "+c.args))
	if c.long != "" {
		fmt.Fprintf(w, "\nDESCRIPTION\n%s\n", indent(c.long))
	}
	if fs != nil {
		first := true
		fs.VisitAll(func(f *flag.Flag) {
			if first {
				fmt.Fprint(w, "\nFLAGS\n")
			}
			first = false
			kind, about := flag.UnquoteUsage(f)
			fmt.Fprintf(w, "  --%s\n      %s", strings.TrimSpace(f.Name+" "+kind), about)
			if f.DefValue != "" && f.DefValue != "false" {
				fmt.Fprintf(w, " (default %s)", f.DefValue)
			}
			fmt.Fprintln(w)
		})
	}
	fmt.Fprint(w, "\nEXIT CODE\n  0 fine, 1 failed, 2 usage or configuration\n")
}

func indent(s string) string {
	return strings.ReplaceAll("  "+strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  "), "\n  \n", "\n\n")
}

// helpError says that a subcommand was asked for its page.
type helpError struct{ fs *flag.FlagSet }

func (helpError) Error() string { return flag.ErrHelp.Error() }

// helpFor prints the page of the subcommand that it is given, or the list of them.
func helpFor(ctx context.Context, io streams, args []string) error {
	if len(args) == 0 {
		usage(io.out)
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] && len(args) == 1 {
			return c.run(ctx, io, []string{"--help"})
		}
	}
	return usageError{fmt.Errorf("there is no subcommand %q", strings.Join(args, " "))}
}

// The pages of the subcommands.
const (
	serveLong = `
Connects to Slack and carries out requests until SIGTERM or SIGINT; then it takes nothing more, finishes or records
what is under way, and ends within 15 seconds.

SIGHUP reads the configuration anew and puts its policy and people in force. A file that is wrong, or that changes
anything else, is refused as a whole: the log says why, and what was in force stays. Both are in the audit trail. With
--watch the same happens when the file, or that of people_csv, has changed.

One process owns a database file. A second one on it ends at once and says so.

ops.listen serves /healthz (200 while the process lives), /readyz (200 while a command can be taken) and /metrics;
ops.socket, mode 0600, the operator commands.`
	checkLong = `
Reads the configuration strictly, names every mistake with its line, and prints the policy in words. It needs no
network and no secrets.

It warns of a rule under which nobody could approve, that never decides, or that is wide open.`
	doctorLong = `
Checks the configuration against the world, and prints one line each: ok, warn or FAIL, what was found, and the mend.

  config serve bot-token workspace scopes app-token socket signing-secret channel approver requester user-group rule
  system group rights clock store space chain

It changes nothing: it posts nothing and makes no call of a cloud that changes something. What only a change could show
is said. While serve runs it asks that process what only it knows, and opens no second connection to Slack, which would
take deliveries from it. It needs the same secrets as serve.

It exits 1 if any line says FAIL.`
	manifestLong = `
Prints the manifest of the Slack app as JSON, with exactly the scopes that the bot needs, and on standard error a link
that opens Slack's page with it filled in.`
	requestsLong = `
Lists requests, newest first, or shows one with its history. It asks the running process over ops.socket, or the
database where none runs.

Times are 2026-01-31, 2026-01-31T08:00:00Z, or an age such as 7d.`
	auditLong = `
export writes the audit trail to standard output, oldest first, as one JSON object a line or as CSV.

verify recomputes the hash chain, and names the first entry that is missing, changed or out of place. With --head it
also demands that the trail still holds that entry: take the head from a message that the bot posted in the channel of
audit.channel, and a trail that was rewritten as a whole since shows too.

An export is itself recorded in the trail.`
	backupLong = `
Writes a consistent copy of the database file to FILE, whole or not at all and never over an older file, also while
serve runs.

To restore: stop serve; move the database away; copy the backup to where it was, mode 0600; start serve. What came after
the backup is lost, and its numbers will be given again.`
	pruneLong = `
Removes requests that are closed and were last touched before a time, with their audit entries, and the entries of no
request from before it. A request that is open, owes something, or is linked to one that stays, stays.

The trail stays verifiable: an entry of it names the place from which on it is whole, and another covers what is left
before it. A head that was posted earlier than that can no longer be compared. It works in small steps, also while
serve runs; if it is cut off, run it again. Take a backup first.`
	migrateLong = `
Copies the database to another engine and verifies the copy: requests, indexes and the audit chain, with the same head.
Stop every process first. The old database is left as it is; name the new one in the configuration, and never start
anything on the old one again. A run that was cut off goes on when it is run again.

  countersign migrate --from bolt:/var/lib/countersign/countersign.db --to postgres`
	completionLong = `
Prints a script that completes subcommands and flags.

  bash   source <(countersign completion bash)
  zsh    source <(countersign completion zsh)
  fish   countersign completion fish | source`
	versionLong = `Prints the commit and the Go that the program was built with.`
)
