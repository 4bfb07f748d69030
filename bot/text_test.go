package bot

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText_EscapesOnce(t *testing.T) {
	for in, want := range map[string]string{
		"<!channel> & <@U1>": "&lt;!channel&gt; &amp; &lt;@U1&gt;", "&lt;": "&amp;lt;", "a\nb\r\tc": "a b  c", "\u202ea\u2066b\ufeff\x00\x1b": "ab",
		"a\u2028b\u2029c": "a b c", "a\u200bp\u2060p\u2063\ufff9r\ufffaove": "approve", "می\u200cخواهم": "می\u200cخواهم",
		"a\xffb": "ab", "`*_~": "`*_~", "": "", "张三": "张三", "👩‍💻": "👩‍💻",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) is %q, want %q", in, got, want)
		}
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		calmed, refused := calm(string(r)), clean(string(r)) != nil
		if (calmed == "") != refused && r != '\u2028' && r != '\u2029' {
			t.Errorf("%U is shown as %q, and refused in a command: %t", r, calmed, refused)
		}
		if unicode.In(r, unicode.Zl, unicode.Zp) && (calmed != " " || !refused) {
			t.Errorf("the line break %U is shown as %q, and refused in a command: %t", r, calmed, refused)
		}
	}
	for in, want := range map[string]string{
		"&lt;!channel&gt;": "<!channel>", "&amp;lt;": "&lt;", "&amp;amp;": "&amp;", "a & b": "a & b", "<@U1|ann>": "@ann", "<@U1>": "@U1",
		"<#C1|data>": "#data", "<#C1|>": "#C1", "<!here|@here>": "@here", "<!here>": "!here", "<!subteam^S1|@gpu>": "@gpu",
		"<https://a.example|b>": "https://a.example", "<mailto:a@b.example|a@b.example>": "mailto:a@b.example",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestText_ShorteningKeepsTokensWhole(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdef", 5, "abcd…"},
		{"张三李四王五", 4, "张三李…"},
		{"ab <@U0ALICE> cd", 8, "ab …"},
		{"ab <@U0ALICE> cd", 14, "ab <@U0ALICE>…"},
		{"a&amp;b", 4, "a…"},
		{"a&amp;bcd", 7, "a&amp;…"},
		{"<@U1> & x", 3, "…"},
	} {
		if got := trim(c.in, c.n); got != c.want {
			t.Errorf("trim(%q, %d) is %q, want %q", c.in, c.n, got, c.want)
		}
	}
	if got, want := shown("a<b>c", 7), "a&lt;b…"; got != want {
		t.Errorf("shown is %q, want %q", got, want)
	}
}

// entity is what an escaped text may hold behind an ampersand.
var entity = regexp.MustCompile(`&(?:amp|lt|gt);`)

func FuzzText(f *testing.F) {
	f.Add("<!channel>\n&amp; \u202e", 5)
	f.Add("<@U1|x> <https://a|b> \xff", 1)
	f.Add("&&&&&&&&&&", 9)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 5000 {
			return
		}
		_ = plain(s)
		inert(t, escape(s))
		got := shown(s, n)
		inert(t, got)
		if c := utf8.RuneCountInString(got); c > n {
			t.Errorf("shown(%q, %d) has %d characters", s, n, c)
		}
		if strings.Contains(entity.ReplaceAllString(got, ""), "&") {
			t.Errorf("shown(%q, %d) splits an escape: %q", s, n, got)
		}
		cutting := trim("<@U0ALICE> "+escape(s)+" <@U0BOB>", n)
		if utf8.RuneCountInString(cutting) > n || strings.Count(cutting, "<") != strings.Count(cutting, ">") {
			t.Errorf("trim to %d is %q", n, cutting)
		}
		for _, b := range paragraphs(s) {
			_ = b
		}
	})
}
