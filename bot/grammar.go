package bot

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"countersign/workflow"
)

const (
	maxCommand = 6000 // characters of a whole command: 100 WHO and a reason fit
	maxToken   = 300
)

// ask is a typed command that asks for a change, before anything is known of systems and people.
type ask struct {
	action workflow.Action
	who    []string // as typed; a mention as <@U…>
	system string
	group  string
	as     string
	hasAs  bool
	limit  time.Duration
	reason string
}

// token is one word of a command; quoted words are values, never keywords.
type token struct {
	text   string
	quoted bool
	// mention is the Slack user ID, for a token that Slack made of an @name.
	mention string
}

func (t token) is(words ...string) bool {
	return !t.quoted && t.mention == "" && slices.Contains(words, strings.ToLower(t.text))
}

// prepositions join WHO and SYSTEM/GROUP.
var prepositions = []string{"to", "from", "on", "in"}

// scanner reads a command's tokens from left to right.
type scanner struct{ rest string }

// next returns the next token; ok is false at the end.
func (s *scanner) next() (t token, ok bool, ref *workflow.Refusal) {
	s.rest = strings.TrimLeft(s.rest, " \t\r\n\u00a0\u3000")
	if s.rest == "" {
		return token{}, false, nil
	}
	first, size := utf8.DecodeRuneInString(s.rest)
	if strings.ContainsRune("\"“”", first) {
		end := strings.IndexAny(s.rest[size:], "\"“”")
		if end < 0 {
			return token{}, false, workflow.Refuse(workflow.OpenQuote)
		}
		body := s.rest[size : size+end]
		_, closing := utf8.DecodeRuneInString(s.rest[size+end:])
		s.rest = s.rest[size+end+closing:]
		return token{text: plain(body), quoted: true}, true, nil
	}
	end := strings.IndexAny(s.rest, " \t\r\n\u00a0\u3000")
	if end < 0 {
		end = len(s.rest)
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return token{text: word}, true, nil
}

// clean refuses a text with characters that steer how others are shown; typed commands never need them.
func clean(text string) *workflow.Refusal {
	if utf8.RuneCountInString(text) > maxCommand {
		return workflow.Refuse(workflow.TooLong, "6000")
	}
	for _, r := range text {
		if r != '\n' && r != '\t' && r != '\r' && steers(r) || r == utf8.RuneError {
			return workflow.Refuse(workflow.BadCharacter)
		}
	}
	return nil
}

// parser holds what has been read of a command, so that a part that comes twice is noticed.
type parser struct {
	s    scanner
	ask  ask
	prep string
	have map[string]bool
}

// parseAsk reads ACTION [WHO[,WHO...]] [to|from|on|in] SYSTEM/GROUP [as X] [for D] [because free text]. The text is as
// Slack delivers it, escaped.
func parseAsk(text string) (ask, *workflow.Refusal) {
	p := &parser{s: scanner{text}, have: map[string]bool{}}
	first, ok, ref := p.s.next()
	if ref != nil || !ok {
		return ask{}, ref
	}
	p.ask.action = workflow.Action(strings.ToLower(plain(first.text)))
	for {
		t, ok, ref := p.s.next()
		if ref != nil {
			return ask{}, ref
		}
		if !ok {
			break
		}
		if ref := p.part(t); ref != nil {
			return ask{}, ref
		}
	}
	return p.ask, p.complete()
}

// part takes one token, and what belongs to it.
func (p *parser) part(t token) *workflow.Refusal {
	switch {
	case t.is(prepositions...):
		if p.prep != "" || p.have["target"] {
			return workflow.Refuse(workflow.DoubledWord, t.text)
		}
		p.prep = t.text
		return nil
	case t.is("as"):
		return p.once("as", p.as)
	case t.is("for"):
		return p.once("for", p.limit)
	case t.is("because"):
		return p.once("because", p.because)
	case p.have["target"]:
		return workflow.Refuse(workflow.UnexpectedWord, plain(t.text))
	case p.prep != "" || strings.Contains(t.text, "/") && !strings.HasPrefix(t.text, "<"):
		return p.target(t)
	default:
		return p.whoList(t)
	}
}

func (p *parser) once(word string, read func() *workflow.Refusal) *workflow.Refusal {
	if p.have[word] {
		return workflow.Refuse(workflow.DoubledWord, word)
	}
	p.have[word] = true
	return read()
}

func (p *parser) target(t token) *workflow.Refusal {
	p.have["target"] = true
	text := plain(t.text)
	system, group, ok := strings.Cut(text, "/")
	if len(text) <= maxToken {
		p.ask.system, p.ask.group = system, group // half of it is of use to the form
	}
	if !ok || system == "" || group == "" || len(text) > maxToken {
		return workflow.Refuse(workflow.BadTarget, text)
	}
	return nil
}

// whoList takes WHO, a list whose commas may have blanks around them.
func (p *parser) whoList(t token) *workflow.Refusal {
	if len(p.ask.who) > 0 {
		return workflow.Refuse(workflow.UnexpectedWord, plain(t.text))
	}
	list := t.text
	for {
		save := p.s
		next, ok, ref := p.s.next()
		if ref != nil {
			return ref
		}
		joins := ok && (strings.HasSuffix(list, ",") || strings.HasPrefix(next.text, ","))
		if !joins || next.is(prepositions...) || next.is("as", "for", "because") || strings.Contains(next.text, "/") && !strings.HasPrefix(next.text, "<") {
			p.s = save
			break
		}
		list += next.text
	}
	for who := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(who) == "" {
			return workflow.Refuse(workflow.EmptyItem)
		}
		p.ask.who = append(p.ask.who, who)
	}
	return nil
}

// value reads the one token that a keyword takes.
func (p *parser) value() (token, bool, *workflow.Refusal) {
	save := p.s
	t, ok, ref := p.s.next()
	if ref == nil && ok && t.is("as", "for", "because") {
		p.s = save
		return token{}, false, nil
	}
	return t, ok, ref
}

func (p *parser) as() *workflow.Refusal {
	t, ok, ref := p.value()
	if ref != nil {
		return ref
	}
	if !ok {
		return workflow.Refuse(workflow.MissingAs, string(p.ask.action))
	}
	if !t.quoted {
		t.text = plain(t.text)
	}
	p.ask.as, p.ask.hasAs = t.text, true
	return nil
}

func (p *parser) limit() *workflow.Refusal {
	t, ok, ref := p.value()
	if ref != nil {
		return ref
	}
	d, err := workflow.ParseDuration(t.text)
	if !ok || err != nil {
		return workflow.Refuse(workflow.BadDuration, plain(t.text))
	}
	p.ask.limit = d
	return nil
}

func (p *parser) because() *workflow.Refusal {
	p.ask.reason = strings.TrimSpace(plain(p.s.rest))
	p.s.rest = ""
	return nil
}

func (p *parser) complete() *workflow.Refusal {
	if !p.have["target"] {
		return workflow.Refuse(workflow.MissingTarget, string(p.ask.action))
	}
	return nil
}
