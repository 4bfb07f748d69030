package bot

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"countersign/workflow"
)

// others are the commands that ask for nothing.
var others = []string{"help", "mine", "pending", "show", "withdraw", "extend", listMembers, listGroups, listRoles}

// examples are one typed command for each action, with the system's name to fill in. The group is the vendor's kind of
// ID, as short as it may be.
var examples = map[workflow.Action]string{
	workflow.Invite:    "invite 50002 to %s/1001 as 张三 because training run",
	workflow.Resend:    "resend 50002 on %s/1001",
	workflow.Cancel:    "cancel 50002 on %s/1001",
	workflow.Rename:    "rename 50002 on %s/1001 as 李四",
	workflow.Accept:    "accept %s/1001",
	workflow.Reject:    "reject %s/1001",
	workflow.Add:       "add @alice to %s/WORKSPACE-ID as developer for 7d because on call",
	workflow.SetRole:   "role @alice on %s/WORKSPACE-ID as operator",
	workflow.AddRole:   "add-role @alice on %s/WORKSPACE-ID as viewer for 7d",
	workflow.DropRole:  "drop-role @alice on %s/WORKSPACE-ID as viewer",
	workflow.RemoveOne: "remove @alice from %s/WORKSPACE-ID",
}

// help shows what this person may ask for, each action once, as it is typed here: with the systems, groups and roles of
// the rule that lets them.
func (b *Bot) help(ctx context.Context, lang Lang, p slashPayload) string {
	actor := b.actor(ctx, p.person(), false)
	policy := b.o.Engine.Policy()
	if ref := policy.Vet(actor); ref != nil {
		return lang.sayRefusal(ref)
	}
	lines := []string{lang.say("help.head")}
	told := map[workflow.Action]bool{}
	var same []string
	for _, sys := range b.o.Engine.Systems() {
		again := false
		for _, a := range sys.Actions {
			rule, ok := policy.Asking(sys.Name, a, actor)
			switch {
			case ok && told[a]:
				again = true
			case ok:
				told[a] = true
				lines = append(lines, "• `"+b.exampleUnder(rule, a, sys.Name)+"`")
			}
		}
		if again {
			same = append(same, "*"+shown(sys.Name, 60)+"*")
		}
	}
	if len(same) > 0 {
		lines = append(lines, lang.say("help.same", strings.Join(same, ", ")))
	}
	if len(told) == 0 {
		lines = append(lines, lang.say("help.nothing"))
	} else {
		lines = append(lines, lang.say("help.parts"))
	}
	return strings.Join(append(lines, lang.say("help.also", b.o.Command)), "\n")
}

// example is one typed command for an action on a system.
func (b *Bot) example(a workflow.Action, system string) string {
	return b.exampleUnder(workflow.Rule{}, a, system)
}

// exampleUnder is an example that a rule lets people type: in a group, with a role and for a time that it allows.
func (b *Bot) exampleUnder(r workflow.Rule, a workflow.Action, system string) string {
	text := examples[a]
	team := strings.Contains(text, "/1001")
	for _, g := range r.Groups {
		if _, err := strconv.ParseUint(g, 10, 32); (err == nil) == team {
			text = strings.NewReplacer("/1001", "/"+g, "/WORKSPACE-ID", "/"+g).Replace(text)
			break
		}
	}
	if before, role, has := strings.Cut(text, " as "); has && !team && len(r.Roles) > 0 {
		_, after, _ := strings.Cut(role+" ", " ")
		text = strings.TrimSpace(before + " as " + quoted(r.Roles[0]) + " " + after)
	}
	if r.MaxDuration > 0 && r.MaxDuration < 7*24*time.Hour {
		text = strings.Replace(text, " for 7d", " for "+workflow.FormatDuration(r.MaxDuration), 1)
	}
	return b.o.Command + " " + strings.ReplaceAll(shown(text, 200), "%s", shown(system, 60))
}

// quoted is a value as it is typed: in quotes where it has blanks.
func quoted(s string) string {
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return `"` + s + `"`
	}
	return s
}

// knownAction refuses a first word that no provider knows, before the rest of the command is looked at.
func knownAction(text string) *workflow.Refusal {
	typed := firstWord(text)
	// Those of providers that are not configured are known too: a provider itself says why it does not offer them.
	if _, ok := examples[workflow.Action(typed)]; ok {
		return nil
	}
	return workflow.Refuse(workflow.BadAction, typed)
}

func firstWord(text string) string {
	for word := range strings.FieldsSeq(plain(text)) {
		return strings.ToLower(word)
	}
	return ""
}

// hint shows the nearest right form of a command that was refused for its words.
func (b *Bot) hint(lang Lang, text string, kind workflow.Kind) string {
	typed := firstWord(text)
	if kind == workflow.BadAction {
		all := slices.Clone(others)
		for _, sys := range b.o.Engine.Systems() {
			for _, a := range sys.Actions {
				all = append(all, string(a))
			}
		}
		near := nearest(typed, all)
		if ex, ok := examples[workflow.Action(near)]; ok && ex != "" {
			return lang.say("help.near", b.example(workflow.Action(near), b.systemFor(workflow.Action(near), text)))
		}
		if near == "" {
			near = "help"
		}
		return lang.say("help.near", b.o.Command+" "+near)
	}
	if !kind.OfWords() {
		return ""
	}
	a := workflow.Action(typed)
	if _, ok := examples[a]; !ok {
		return ""
	}
	if sys := b.systemFor(a, text); sys != "" {
		return lang.say("help.like", b.example(a, sys))
	}
	return ""
}

// systemFor is a system that offers the action: one that the text names, or the first, or none.
func (b *Bot) systemFor(a workflow.Action, text string) string {
	first := ""
	for _, sys := range b.o.Engine.Systems() {
		if !slices.Contains(sys.Actions, a) {
			continue
		}
		if strings.Contains(text, sys.Name+"/") {
			return sys.Name
		}
		if first == "" {
			first = sys.Name
		}
	}
	return first
}

// nearest is the word of a list that is at most two edits away from a typed one; empty if none is.
func nearest(typed string, words []string) string {
	best, at := "", 3
	for _, w := range words {
		if d := distance(typed, w); d < at {
			best, at = w, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements that make one short word of another.
func distance(a, b string) int {
	if len(a) > 20 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
