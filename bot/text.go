package bot

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Slack's limits, in characters. See https://docs.slack.dev/reference/block-kit.
const (
	maxSection = 3000
	maxField   = 2000
	maxText    = 4000

	maxMetadata = 3000 // of a view
)

var (
	escaper   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// escape makes a text from outside inert in mrkdwn: nothing in it can ping, link or format.
// See https://docs.slack.dev/messaging/formatting-message-text.
func escape(s string) string { return escaper.Replace(calm(s)) }

// calm takes away what would let a text pass for the bot's own words: line breaks, which become blanks, and steering
// characters. Markup that only formats is left: the vendor's texts must stay as they are to be searched for.
func calm(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case steers(r) || r == utf8.RuneError:
			return -1
		default:
			return r
		}
	}, s)
}

// steers reports whether a character is not shown but changes how others are or hides that they are apart: control
// characters, the separators of lines and paragraphs, the marks that turn the direction of writing, and those of no width.
// The joiners U+200C and U+200D are none: scripts and emoji need them.
func steers(r rune) bool {
	return unicode.IsControl(r) || r == '\u061c' || r == '\u200b' || r == '\u200e' || r == '\u200f' ||
		r >= '\u2028' && r <= '\u202e' || r >= '\u2060' && r <= '\u206f' || r == '\ufeff' || r >= '\ufff9' && r <= '\ufffb'
}

// unescape undoes, once, what should_escape does to a typed text.
func unescape(s string) string { return unescaper.Replace(s) }

// cut shortens a text to at most n characters, the last of them an ellipsis if anything is lost.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}

// trim shortens a text in mrkdwn to at most n characters. It splits neither a mention nor an escape: what is escaped has
// no other angle bracket.
func trim(s string, n int) string {
	short := cut(s, n)
	if short == s {
		return s
	}
	short = strings.TrimSuffix(short, "…")
	if i := strings.LastIndexByte(short, '<'); i > strings.LastIndexByte(short, '>') {
		short = short[:i]
	}
	if i := strings.LastIndexByte(short, '&'); i > strings.LastIndexByte(short, ';') {
		short = short[:i]
	}
	return short + "…"
}

// shown escapes a text and shortens it so that no more than n characters remain after escaping, never splitting an
// escape.
func shown(s string, n int) string {
	full := escape(s)
	if utf8.RuneCountInString(full) <= n {
		return full
	}
	var b strings.Builder
	used := 0
	for _, r := range calm(s) {
		e := escaper.Replace(string(r))
		if used += utf8.RuneCountInString(e); used > n-1 {
			break
		}
		b.WriteString(e)
	}
	return b.String() + "…"
}

// references in a typed text, as should_escape writes them: <@U1|name>, <#C1|name>, <https://x|label>.
var (
	mention   = regexp.MustCompile(`^<@([UW][A-Z0-9]*)(?:\|[^>]*)?>$`)
	reference = regexp.MustCompile(`<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>`)
)

// plain turns Slack's references in a typed text into what the person saw when typing, then unescapes it.
func plain(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	s = reference.ReplaceAllStringFunc(s, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		switch {
		case m[1] == "":
			return m[2]
		case m[3] != "":
			return strings.TrimPrefix(m[1], "!") + m[3]
		default:
			return m[1] + m[2]
		}
	})
	return unescape(s)
}
