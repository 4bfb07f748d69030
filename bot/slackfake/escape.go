package slackfake

import (
	"regexp"
	"strings"
)

// Escape does what Slack does to typed text when a command has should_escape: & < > become entities, names become IDs
// (@rita -> <@U0REQ>, #data -> <#C0DATA|data>, @channel -> <!channel>), addresses are wrapped (<https://...>).
func (s *Server) Escape(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.escape(text)
}

// typed matches what a person may type that Slack resolves: a name or a link. A mention starts a word.
var typed = regexp.MustCompile(`https?://[^\s<>|]+|(^|[\s(,])([@#])([\p{L}\p{N}._-]+)`)

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (st *state) escape(text string) string {
	escaped := entities.Replace(text)
	if !strings.ContainsAny(escaped, "@#") && !strings.Contains(escaped, "http") {
		return escaped // nothing that typed matches, and the search for it costs much
	}
	return typed.ReplaceAllStringFunc(escaped, st.resolve)
}

func (st *state) resolve(match string) string {
	if strings.HasPrefix(match, "http") {
		return "<" + match + ">"
	}
	at := strings.IndexAny(match, "@#")
	lead, sign, name := match[:at], match[at], match[at+1:]
	// A full stop or a dash after a name is not part of it: the longest name that exists wins.
	for end := len(name); end > 0; end-- {
		if end < len(name) && !strings.ContainsRune("._-", rune(name[end])) {
			continue
		}
		if ref := st.reference(sign, name[:end]); ref != "" {
			return lead + ref + name[end:]
		}
	}
	return match
}

func (st *state) reference(sign byte, name string) string {
	if sign == '#' {
		return st.channelReference(name)
	}
	switch name {
	case "channel", "here", "everyone":
		return "<!" + name + ">"
	}
	for _, u := range st.users() {
		if u.Name == name {
			return "<@" + u.ID + ">"
		}
	}
	for _, g := range st.groups() {
		if g.Handle == name {
			return "<!subteam^" + g.ID + "|@" + g.Handle + ">"
		}
	}
	return ""
}

func (st *state) channelReference(name string) string {
	for _, c := range st.channels() {
		switch {
		case c.IsIM || c.Name != name:
		case c.IsPrivate:
			return "<#" + c.ID + "|>"
		default:
			return "<#" + c.ID + "|" + c.Name + ">"
		}
	}
	return ""
}
