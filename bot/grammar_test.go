package bot

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"countersign/workflow"
)

func TestParseAsk_ReadsWhatPeopleType(t *testing.T) {
	whole := ask{action: "add", who: []string{"a"}, system: "s", group: "g", as: "x", hasAs: true, limit: 7 * 24 * time.Hour, reason: "on call"}
	with := func(change func(*ask)) ask {
		a := whole
		change(&a)
		return a
	}
	bare := ask{action: "add", who: []string{"a"}, system: "s", group: "g"}
	for typed, want := range map[string]ask{
		"add a to s/g as x for 7d because on call":                   whole,
		"add a s/g as x for 7d because on call":                      whole,
		"  ADD\ta  IN s/g FOR 7d AS x BECAUSE on call  ":             whole,
		"add a from s/g for 6d24h as x because  on call":             whole,
		"add\u00a0a\u3000on s/g as x for 7d because on call":         whole,
		`add a on s/g as "x" for 7d because on call`:                 whole,
		"add a on s/g as “x” for 7d because on call":                 whole,
		"add a on s/g as „x“ for 7d because on call":                 with(func(a *ask) { a.as = "„x“" }),
		`add a on s/g as “x" for 7d because on call`:                 whole,
		`add "a" on "s/g" as x for 7d because on call`:               whole,
		`add a on s/g as "x y" for 7d because on call`:               with(func(a *ask) { a.as = "x y" }),
		`add a on s/g as "for" for 7d because on call`:               with(func(a *ask) { a.as = "for" }),
		`add a on s/g as "" for 7d because on call`:                  with(func(a *ask) { a.as = "" }),
		"add a on s/g as &lt;b&gt;&amp;amp; for 7d because on call":  with(func(a *ask) { a.as = "<b>&amp;" }),
		"add a on s/g as x for 7d because to s/g as y for ever":      with(func(a *ask) { a.reason = "to s/g as y for ever" }),
		"add a on s/g as x for 7d because &lt;!channel&gt; &amp;lt;": with(func(a *ask) { a.reason = "<!channel> &lt;" }),
		"add a on s/g as x for 7d because <!channel> <#C1|data> <@U1|ann> <@U2> <https://e.example|https://e.example> x": with(func(a *ask) {
			a.reason = "!channel #data @ann @U2 https://e.example x"
		}),
		"add a on s/g as x for 7d because":              with(func(a *ask) { a.reason = "" }),
		"add a on s/g as <https://e.example> because x": {action: "add", who: []string{"a"}, system: "s", group: "g", as: "https://e.example", hasAs: true, reason: "x"},
		"add a to s/g":               bare,
		"add a s/g":                  bare,
		"add a to s/g/h":             {action: "add", who: []string{"a"}, system: "s", group: "g/h"},
		"accept s/g":                 {action: "accept", system: "s", group: "g"},
		"accept to s/g":              {action: "accept", system: "s", group: "g"},
		"add a,b,c to s/g":           {action: "add", who: []string{"a", "b", "c"}, system: "s", group: "g"},
		"add a, b ,c , d to s/g":     {action: "add", who: []string{"a", "b", "c", "d"}, system: "s", group: "g"},
		"add a, b s/g":               {action: "add", who: []string{"a", "b"}, system: "s", group: "g"},
		"add <@U1>,<@U2|bob> to s/g": {action: "add", who: []string{"<@U1>", "<@U2|bob>"}, system: "s", group: "g"},
		"add <@U1>, <@W2|ann/b> s/g": {action: "add", who: []string{"<@U1>", "<@W2|ann/b>"}, system: "s", group: "g"},
		"add group:g1,a to s/g":      {action: "add", who: []string{"group:g1", "a"}, system: "s", group: "g"},
		"add to s/g":                 {action: "add", system: "s", group: "g"},
	} {
		got, ref := parseAsk(typed)
		if ref != nil {
			t.Errorf("%q is refused: %v", typed, ref)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(ask{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", typed, diff)
		}
	}
}

func TestParseAsk_RefusesWhatIsWrong(t *testing.T) {
	for typed, want := range map[string]workflow.Kind{
		"add a":                                  workflow.MissingTarget,
		"add":                                    workflow.MissingTarget,
		"add a to":                               workflow.MissingTarget,
		"add a to as x":                          workflow.MissingTarget,
		"add a to s/":                            workflow.BadTarget,
		"add a to /g":                            workflow.BadTarget,
		"add a to /":                             workflow.BadTarget,
		"add a to s":                             workflow.BadTarget,
		"add a to s/" + strings.Repeat("g", 400): workflow.BadTarget,
		"add a to to s/g":                        workflow.DoubledWord,
		"add a to s/g in":                        workflow.DoubledWord,
		"add a to s/g as x as y":                 workflow.DoubledWord,
		"add a to s/g for 1d for 2d":             workflow.DoubledWord,
		"add a to s/g as":                        workflow.MissingAs,
		"add a to s/g as for 1d":                 workflow.MissingAs,
		"add a to s/g as because x":              workflow.MissingAs,
		"add a to s/g for":                       workflow.BadDuration,
		"add a to s/g for as x":                  workflow.BadDuration,
		"add a to s/g for 0s":                    workflow.BadDuration,
		"add a to s/g for -1d":                   workflow.BadDuration,
		"add a to s/g for 1w":                    workflow.BadDuration,
		"add a to s/g for 99999999999d":          workflow.BadDuration,
		`add a to s/g as "x`:                     workflow.OpenQuote,
		`add "a to s/g`:                          workflow.OpenQuote,
		"add a to s/g as “x":                     workflow.OpenQuote,
		`"add a`:                                 workflow.OpenQuote,
		"add a,,b to s/g":                        workflow.EmptyItem,
		"add ,a to s/g":                          workflow.EmptyItem,
		"add a, to s/g":                          workflow.EmptyItem,
		"add , to s/g":                           workflow.EmptyItem,
		`add "" to s/g`:                          workflow.EmptyItem,
		"add a b to s/g":                         workflow.UnexpectedWord,
		"add a to s/g b":                         workflow.UnexpectedWord,
		`add a to s/g as "x"y`:                   workflow.UnexpectedWord,
	} {
		if got, ref := parseAsk(typed); ref == nil || ref.Kind != want {
			t.Errorf("%q: %+v refused by %v, want %s", typed, got, ref, want)
		}
	}
}

func FuzzParseAsk(f *testing.F) {
	for _, s := range []string{
		"", "add", "invite 50002 to gpu-lab/1001 as 张三 because training run", `add <@U1>, b to s/g as "a b" for 7d`,
		"“", `"`, "a ,", ",", "/", "<@", "a <b|c> /x", "add a to s/g because \x00\u202e", "&lt;&amp;lt;", "\xff\xfe /",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_ = nearForm(text)
		a, ref := parseAsk(text)
		if ref != nil {
			for _, l := range []Lang{English, Chinese} {
				said := l.sayRefusal(ref)
				if said == "" || strings.Contains(said, "#") {
					t.Errorf("%q is refused with %q", text, said)
				}
				inert(t, said)
			}
			return
		}
		if strings.TrimSpace(text) != "" && (a.system == "" || a.group == "") {
			t.Errorf("%q has no target and is taken: %+v", text, a)
		}
		for _, who := range a.who {
			if strings.TrimSpace(who) == "" {
				t.Errorf("%q: an empty WHO is taken: %q", text, a.who)
			}
		}
		if a.limit < 0 || !a.hasAs && a.as != "" {
			t.Errorf("%q is read as %+v", text, a)
		}
	})
}

// inert wants a text without anything that Slack would act on.
func inert(t *testing.T, s string) {
	t.Helper()
	if strings.ContainsAny(s, "<>") {
		t.Errorf("%q has an angle bracket", s)
	}
	if !utf8.ValidString(s) {
		t.Errorf("%q is no UTF-8", s)
	}
	for _, r := range s {
		if steers(r) && r != '\n' {
			t.Errorf("%q has the steering character %U", s, r)
		}
	}
}
