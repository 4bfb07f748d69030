package main

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// words are the page's catalogue, read strictly: a key, English, Chinese.
func words(t *testing.T) map[string][2]string {
	t.Helper()
	raw, err := fs.ReadFile(pageFiles, "page/words.js")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(raw), "export const words = {\n")
	if !ok {
		t.Fatal("words.js has no words")
	}
	line := regexp.MustCompile(`^  "([^"\\]+)": \["([^"\\]+)", "([^"\\]+)"\],$`)
	all := map[string][2]string{}
	for l := range strings.Lines(strings.TrimSuffix(list, "};\n")) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil {
			t.Errorf("words.js: not a key with two texts: %s", l)
			continue
		}
		if _, twice := all[m[1]]; twice {
			t.Errorf("words.js: %s is there twice", m[1])
		}
		all[m[1]] = [2]string{m[2], m[3]}
	}
	return all
}

// Each key has both languages, with the same blanks to fill in; each is asked for, and each that is asked for is there.
func TestWords_Complete(t *testing.T) {
	all := words(t)
	blank, han := regexp.MustCompile(`\{\d\}`), regexp.MustCompile(`\p{Han}`)
	for key, w := range all {
		in := func(text string) []string {
			return slices.Compact(slices.Sorted(slices.Values(blank.FindAllString(text, -1))))
		}
		if !slices.Equal(in(w[0]), in(w[1])) {
			t.Errorf("%s: %q and %q have different blanks", key, w[0], w[1])
		}
		if key != "language" && key != "language.about" && (han.MatchString(w[0]) || !han.MatchString(w[1])) {
			t.Errorf("%s: %q is not English, or %q not Chinese", key, w[0], w[1])
		}
	}
	asked := map[string]bool{}
	ask := regexp.MustCompile(`(?:\bt|\bboth|cardOf)\(\s*(?:[\w.]+(?: === \d+)? \? )?"([\w.-]+)"(?: : "([\w.-]+)")?|data-t(?:-\w+)?="([\w.-]+)"|"((?:key|bot|grammar|calls|held|say|help|mishaps|console)\.[\w.-]+)"`)
	families := []string{"push.", "role.", "state.", "mishap.", "held.team", "held.workspace", "toast.", "held.joins.label", "held.declines.label", "calls.changes", "calls.reads"}
	err := fs.WalkDir(pageFiles, "page", func(path string, _ fs.DirEntry, err error) error {
		raw, _ := fs.ReadFile(pageFiles, path)
		if path == "page/words.js" {
			return err
		}
		for _, m := range ask.FindAllStringSubmatch(string(raw), -1) {
			for _, key := range m[1:] {
				if key != "" && !strings.HasSuffix(key, ".") {
					asked[key] = true
				}
			}
		}
		for _, m := range regexp.MustCompile(`\n    name: "(\w+)",`).FindAllStringSubmatch(string(raw), -1) {
			for _, part := range []string{".title", ".before", ".does", ".after"} {
				asked[m[1]+part] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles {
		asked["role."+r.role] = true
	}
	for _, m := range mishaps {
		asked["mishap."+m.ID], asked["mishap."+m.ID+".about"] = true, true
	}
	for key := range asked {
		if _, ok := all[key]; !ok {
			t.Errorf("%s is asked for and not in words.js", key)
		}
	}
	for key := range all {
		if !asked[key] && !slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) }) {
			t.Errorf("%s is in words.js and never asked for", key)
		}
	}
}
