package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"countersign/cmd/internal/app"
	"countersign/workflow"
)

// check reads the configuration strictly and prints the effective policy in words.
func check(_ context.Context, io streams, args []string) error {
	fs, config := flags("check")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	cfg, err := app.LoadConfig(*config)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s is fine.\n\nSlack delivers by %s; the command is %s.\nRequests are kept in %s.\n\nSystems:\n",
		cfg.File, cfg.Slack.Mode, cfg.Slack.Command, cfg.Store)
	for _, s := range cfg.Systems {
		fmt.Fprintf(io.out, "  %s: %s, keys from %s and %s\n", s.Name, s.Provider, s.KeyEnv, s.SecretEnv)
	}
	teams := "the bot's own workspace"
	if len(cfg.Slack.TeamIDs) > 0 {
		teams = strings.Join(cfg.Slack.TeamIDs, ", ")
	}
	fmt.Fprintf(io.out, "\nFull members of %s may act; guests, bots, deactivated people and strangers never.\n"+
		"Policy %s, the first rule that matches decides; what no rule matches is refused:\n", teams, cfg.PolicyHash())
	for i, r := range cfg.Rules {
		fmt.Fprintf(io.out, "  %d. %s\n", i+1, inWords(r))
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(io.out, "\nwarning: %s\n", w)
	}
	return nil
}

// inWords says what a rule does.
func inWords(r workflow.Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s may ask for %s on %s", r.Name, everyone(r.Requesters), anything(r.Actions, "any action"), anything(r.Systems, "any system"))
	if len(r.Groups) > 0 {
		fmt.Fprintf(&b, ", groups %s", strings.Join(r.Groups, ", "))
	}
	if len(r.Roles) > 0 {
		fmt.Fprintf(&b, ", roles %s", strings.Join(r.Roles, ", "))
	}
	b.WriteString(".\n     Needed: ")
	for i, a := range r.Approvers {
		if i > 0 {
			b.WriteString(", and ")
		}
		fmt.Fprintf(&b, "%d of %s", a.Count, strings.Join(a.AnyOf, ", "))
	}
	fmt.Fprintf(&b, "; never the requester, and nobody twice.\n     Cards go to %s; a request expires after %s", r.Channel, workflow.FormatDuration(r.Expires))
	if r.RemindEvery > 0 {
		fmt.Fprintf(&b, ", with a reminder every %s", workflow.FormatDuration(r.RemindEvery))
	}
	if r.MaxDuration > 0 {
		fmt.Fprintf(&b, "; a membership lasts at most %s if it is limited", workflow.FormatDuration(r.MaxDuration))
	}
	return b.String() + "."
}

func everyone(list []string) string {
	switch {
	case slices.Contains(list, workflow.Everyone):
		return "every full member"
	case len(list) == 0:
		return "nobody"
	default:
		return strings.Join(list, ", ")
	}
}

func anything[T ~string](list []T, none string) string {
	if len(list) == 0 {
		return none
	}
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}
