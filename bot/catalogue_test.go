package bot

import (
	"go/ast"
	goparser "go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"countersign/workflow"
)

// sources are the files of a package, without its tests.
func sources(t *testing.T, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", dir, paths, err)
	}
	var files []*ast.File
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		src, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		f, err := goparser.ParseFile(gotoken.NewFileSet(), p, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// constants are the values of the workflow's string constants of a type.
func constants(t *testing.T, kind string) []string {
	t.Helper()
	var values []string
	for _, f := range sources(t, "../workflow") {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != kind {
				return true
			}
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
						values = append(values, s)
					}
				}
			}
			return true
		})
	}
	if len(values) < 2 {
		t.Fatalf("constants of %s: %v", kind, values)
	}
	return values
}

// verbs are the numbered arguments of a phrase, each once.
func verbs(s string) []string {
	found := regexp.MustCompile(`%(\[\d\])?[a-z]`).FindAllString(s, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestCatalogue_BothLanguagesSayTheSame(t *testing.T) {
	check := func(key string, texts [languages]string) {
		for l, s := range texts {
			if strings.TrimSpace(s) == "" {
				t.Errorf("%s: language %d has no words", key, l)
			}
			for _, v := range verbs(s) {
				if !strings.HasPrefix(v, "%[") {
					t.Errorf("%s: the argument %s has no number", key, v)
				}
			}
		}
		en, zh := verbs(texts[English]), verbs(texts[Chinese])
		if !slices.Equal(en, zh) {
			t.Errorf("%s: English takes %v, Chinese %v", key, en, zh)
		}
	}
	for key, texts := range phrases {
		check(key, texts)
	}
	for kind, texts := range refusals {
		check("refusal "+string(kind), texts)
		for _, s := range texts {
			if strings.Contains(s, "#") {
				t.Errorf("refusal %s has a number sign: %q", kind, s)
			}
		}
	}
}

func TestCatalogue_EveryRefusalHasItsOwnSentence(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range constants(t, "Kind") {
		texts, ok := refusals[workflow.Kind(kind)]
		if !ok {
			t.Errorf("the refusal %s has no sentence", kind)
			continue
		}
		for l, s := range texts {
			if said := Lang(l).sayRefusal(workflow.Refuse(workflow.Kind(kind))); strings.Contains(said, "%") {
				t.Errorf("the refusal %s, told nothing, says %q", kind, said)
			}
			if other, twice := seen[s]; twice {
				t.Errorf("%s and %s have one sentence: %q", kind, other, s)
			}
			seen[s] = kind
		}
	}
	if got := English.sayRefusal(workflow.Refuse("brand_new")); got != refusals[workflow.NotRecorded][English] {
		t.Errorf("an unknown refusal says %q", got)
	}
}

func TestCatalogue_EveryKeyThatIsUsedIsThere(t *testing.T) {
	used := map[string]bool{}
	var begins []string // of keys that are put together
	for _, f := range sources(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != "say" {
				return true
			}
			switch arg := call.Args[0].(type) {
			case *ast.BasicLit:
				key, _ := strconv.Unquote(arg.Value)
				used[key] = true
				if _, ok := phrases[key]; !ok {
					t.Errorf("there is no phrase %q", key)
				}
			case *ast.BinaryExpr:
				left := arg.X
				if more, ok := left.(*ast.BinaryExpr); ok {
					left = more.X
				}
				if lit, ok := left.(*ast.BasicLit); ok {
					begin, _ := strconv.Unquote(lit.Value)
					begins = append(begins, begin)
				}
			}
			return true
		})
	}
	for prefix, kind := range map[string]string{"state.": "State", "mend.": "Class", "do.": "Action", "plan.": "Warning", "form.action.": "Action"} {
		for _, v := range constants(t, kind) {
			used[prefix+v] = true
			for l := range languages {
				if texts := phrases[prefix+v]; texts[l] == "" {
					t.Errorf("there is no phrase %q in language %d", prefix+v, l)
				}
			}
		}
	}
	// Every other string of the package counts as a use: keys are passed on in tables and variables.
	for _, f := range sources(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if _, isPhrase := kv.Value.(*ast.CompositeLit); isPhrase {
					return false // the catalogue itself
				}
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					used[s] = true
				}
			}
			return true
		})
	}
	for key := range phrases {
		if !used[key] && !slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(key, b) }) && !strings.HasSuffix(key, ".none") && key != "do.invite.as" {
			t.Errorf("the phrase %q is used nowhere", key)
		}
	}
}

func TestCatalogue_EveryActionHasAnExample(t *testing.T) {
	for _, a := range constants(t, "Action") {
		if a == workflow.Everyone {
			continue
		}
		ex, ok := examples[workflow.Action(a)]
		if !ok {
			t.Errorf("the action %s has no example", a)
			continue
		}
		typed := strings.ReplaceAll(strings.ReplaceAll(ex, "%s", "system"), "@alice", "<@U0ALICE>")
		got, ref := parseAsk(typed)
		if ref != nil || string(got.action) != a || got.system != "system" {
			t.Errorf("the example %q is read as %+v, %v", typed, got, ref)
		}
	}
}

func TestLangOf(t *testing.T) {
	for locale, want := range map[string]Lang{"zh-CN": Chinese, "zh": Chinese, "zh-TW": Chinese, "en-GB": English, "en": English, "fr-FR": Chinese, "": Chinese} {
		if got := LangOf(locale, Chinese); got != want {
			t.Errorf("%q is %v, want %v", locale, got, want)
		}
	}
}
