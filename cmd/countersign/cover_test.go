package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// scripts is what all scripts together run and expect.
type scripts struct {
	// run has the words that each subcommand was given; flags are without their dashes.
	run map[string]map[string]bool
	// expected is every line that demands a text, without the marks of quoting and of regular expressions.
	expected string
}

func readScripts(t *testing.T) scripts {
	t.Helper()
	s := scripts{run: map[string]map[string]bool{}}
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	expects := regexp.MustCompile(`^(says|stdout|stderr|until) `)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			s.runs(strings.Fields(line))
			if expects.MatchString(line) {
				s.expected += strings.NewReplacer(`\`, "", "''", "'").Replace(line)
			}
		}
	}
	return s
}

// runs takes in a line, if it runs the program.
func (s *scripts) runs(words []string) {
	i := slices.Index(words, "countersign")
	if i < 0 || i+1 == len(words) || words[0] == "#" {
		return
	}
	sub := words[i+1]
	if s.run[sub] == nil {
		s.run[sub] = map[string]bool{}
	}
	for _, w := range words[i+2:] {
		name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		s.run[sub][name] = true
	}
}

// TestScripts_RunEverything: the scripts run each subcommand with each word and flag that it knows, and ask for its page.
func TestScripts_RunEverything(t *testing.T) {
	s := readScripts(t)
	for _, c := range commands() {
		known := slices.Clone(c.words)
		for _, f := range flagsOf(c) {
			known = append(known, f.Name)
		}
		for _, word := range known {
			if !s.run[c.name][word] {
				t.Errorf("no script runs countersign %s with %s", c.name, word)
			}
		}
		if s.run[c.name] == nil {
			t.Errorf("no script runs countersign %s", c.name)
		}
		if !s.run[c.name]["help"] && !s.run["help"][c.name] {
			t.Errorf("no script asks for the page of %s", c.name)
		}
	}
}

// elsewhere are error texts that no command line brings about, with the reason.
var elsewhere = map[string]string{
	"%w: %q is no number":      "the command line lets numbers through only",
	"before: a time is needed": "the command line demands it first",
	"entry of the head: %w":    "only if the trail is damaged where the head was noted",
	"mark of the move: %w":     "a text is always encoded",
	"the database was written to while it was copied; stop whoever uses it, and run this again": "TestMove_WhileSomebodyWrites",
	"somebody else is moving a database to the same place":                                      "TestMove_TwoAtOnce",
}

// TestScripts_ExpectEveryError: each error text of the command line, and of what stands behind it, is demanded by a script:
// the longest piece of it that is the same every time.
func TestScripts_ExpectEveryError(t *testing.T) {
	s := readScripts(t)
	used := map[string]bool{}
	for _, file := range sources(t) {
		for _, text := range texts(t, file) {
			piece := constant(text)
			if why := elsewhere[text]; why != "" {
				used[text] = true
				continue
			}
			if !strings.Contains(s.expected, piece) {
				t.Errorf("%s: no script demands %q of %q", file, piece, text)
			}
		}
	}
	for text := range elsewhere {
		if !used[text] {
			t.Errorf("there is no error %q", text)
		}
	}
}

// sources are the files whose errors an operator may read.
func sources(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"client", "config", "config_rules", "filter", "migrate", "ops", "people_csv", "reload", "secrets", "stores", "witness", "yaml",
	} {
		files = append(files, filepath.Join("../internal/app", name+".go"))
	}
	files = append(files, "../../store/move.go")
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

// makers are the functions that make an error or a warning, and which of their arguments is the text.
var makers = map[string]int{
	"errors.New": 0, "fmt.Errorf": 0, "http.Error": 1, "misconfigured": 0, "c.warn": 0, "r.fail": 2,
}

// texts are the error texts in a file: what makes an error is given, and what is appended to a list of them.
func texts(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		at, ok := makers[nameOf(call.Fun)]
		if nameOf(call.Fun) == "append" && len(call.Args) > 1 {
			if call, ok = call.Args[1].(*ast.CallExpr); ok {
				ok = nameOf(call.Fun) == "fmt.Sprintf"
			}
		}
		if !ok || at >= len(call.Args) {
			return true
		}
		if lit, ok := call.Args[at].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		return true
	})
	return all
}

func nameOf(e ast.Expr) string {
	switch f := e.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return nameOf(f.X) + "." + f.Sel.Name
	default:
		return ""
	}
}

var verb = regexp.MustCompile(`%[+#0-9.]*[a-zA-Z]`)

// constant is the longest piece of a format that no argument changes.
func constant(format string) string {
	longest := ""
	for _, piece := range verb.Split(format, -1) {
		if piece = strings.TrimSpace(piece); len(piece) > len(longest) {
			longest = piece
		}
	}
	return longest
}
