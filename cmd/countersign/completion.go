package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
)

// completion prints a script for a shell, made from the table of subcommands.
func completion(_ context.Context, io streams, args []string) error {
	fs := newFlags("completion")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	scripts := map[string]func() string{"bash": bash, "zsh": zsh, "fish": fish}
	if len(rest) != 1 || scripts[rest[0]] == nil {
		return usageError{errors.New("one shell is needed: bash, zsh or fish")}
	}
	fmt.Fprint(io.out, scripts[rest[0]]())
	return nil
}

// words are what may follow a subcommand: its own words, and its flags.
func words(c command) string {
	all := append([]string{}, c.words...)
	for _, f := range flagsOf(c) {
		all = append(all, "--"+f.Name)
	}
	return strings.Join(all, " ")
}

// flagsOf are the flags of a subcommand. It asks the subcommand for its page, which does nothing else.
func flagsOf(c command) []*flag.Flag {
	var all []*flag.Flag
	err := c.run(context.Background(), streams{env: func(string) string { return "" }}, []string{"--help"})
	if h, ok := errors.AsType[helpError](err); ok {
		h.fs.VisitAll(func(f *flag.Flag) { all = append(all, f) })
	}
	return all
}

func names() string {
	var all []string
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return strings.Join(append(all, "help"), " ")
}

func bash() string {
	var b strings.Builder
	b.WriteString("_countersign() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n  COMPREPLY=()\n" +
		"  case ${COMP_WORDS[COMP_CWORD-1]} in --config) COMPREPLY=($(compgen -f -- \"$cur\")); return ;; esac\n" +
		"  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words='" + names() + "'\n  else\n    case ${COMP_WORDS[1]} in\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "      %s) words='%s' ;;\n", c.name, words(c))
	}
	fmt.Fprintf(&b, "      help) words='%s' ;;\n", names())
	b.WriteString("    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _countersign countersign\n")
	return b.String()
}

func zsh() string {
	var b strings.Builder
	b.WriteString("#compdef countersign\n_countersign() {\n  if (( CURRENT == 2 )); then\n    compadd -- " + names() + "\n    return\n  fi\n  case $words[2] in\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "    %s) compadd -- %s ;;\n", c.name, words(c))
	}
	b.WriteString("  esac\n  _files\n}\ncompdef _countersign countersign\n")
	return b.String()
}

func fish() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c countersign -n __fish_use_subcommand -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.about, "'", `\'`))
		for _, w := range c.words {
			fmt.Fprintf(&b, "complete -c countersign -n '__fish_seen_subcommand_from %s' -a %s\n", c.name, w)
		}
		for _, f := range flagsOf(c) {
			fmt.Fprintf(&b, "complete -c countersign -n '__fish_seen_subcommand_from %s' -l %s\n", c.name, f.Name)
		}
	}
	return b.String()
}
