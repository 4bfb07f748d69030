package bot

import (
	"errors"
	"slices"
	"strings"

	"countersign/workflow"
)

// Person is one line of the configuration's people: how a Slack user is called by each provider.
type Person struct {
	Slack string
	// IDs are the user's cloud IDs by provider kind.
	IDs map[string]string
	// From is where this line stands: workflow.FromPeople or workflow.FromCSV.
	From string
}

// drafts makes one draft for each WHO of an ask, or one refusal that names each WHO that is bad.
func (b *Bot) drafts(a ask) ([]workflow.Draft, *workflow.Refusal) {
	base := workflow.Draft{Action: a.action, System: a.system, Group: a.group, As: a.as, HasAs: a.hasAs, Limit: a.limit}
	if len(a.who) > workflow.MaxWho {
		return nil, workflow.Refuse(workflow.TooManyWho, itoa(len(a.who)), itoa(workflow.MaxWho))
	}
	if len(a.who) == 0 {
		return []workflow.Draft{base}, nil
	}
	var bad []*workflow.Refusal
	var ds []workflow.Draft
	for _, who := range a.who {
		d := base
		sub, ref := b.subject(who, a.system)
		if ref != nil {
			bad = append(bad, ref)
			continue
		}
		d.Subject = sub
		ds = append(ds, d)
	}
	if len(bad) == 0 {
		return ds, nil
	}
	first := bad[0]
	first.More = append(bad[1:], b.otherwise(ds)...)
	return nil, first
}

// otherwise is what the provider has against the drafts whose WHO could be resolved, so that one answer names each bad
// one.
func (b *Bot) otherwise(ds []workflow.Draft) []*workflow.Refusal {
	var bad []*workflow.Refusal
	for _, d := range ds {
		sys, ok := b.o.Engine.System(d.System)
		if !ok {
			return nil
		}
		_, err := sys.Provider.Check(d)
		ref, ok := errors.AsType[*workflow.Refusal](err)
		if _, asks := sys.Provider.(workflow.Resolver); asks && ok && (ref.Kind == workflow.BadRole || strings.HasPrefix(d.Subject.ID, "user:")) {
			continue // the cloud may know the name; it is not asked for a command that is refused anyway
		}
		if ok && !slices.ContainsFunc(bad, func(o *workflow.Refusal) bool { return o.Kind == ref.Kind && slices.Equal(o.Args, ref.Args) }) {
			bad = append(bad, ref)
		}
	}
	return bad
}

// subject resolves one WHO: a cloud ID, a mention of somebody in people, or group:ID. What else a provider takes, such as
// user:NAME, it is handed as it is.
func (b *Bot) subject(who, system string) (workflow.Subject, *workflow.Refusal) {
	if m := mention.FindStringSubmatch(who); m != nil {
		return b.mentioned(m[1], system)
	}
	text := plain(who)
	if strings.HasPrefix(text, "@") {
		return workflow.Subject{}, workflow.Refuse(workflow.BadMention, text, system)
	}
	if id, ok := strings.CutPrefix(text, "group:"); ok {
		return workflow.Subject{Kind: workflow.UserGroup, ID: id}, nil
	}
	return workflow.Subject{Kind: workflow.Member, ID: text}, nil
}

// owner is the one person whose ID on a kind of system an ID is; empty where it is nobody's, or several people's.
func (b *Bot) owner(kind, id string) string {
	found := ""
	for _, p := range b.people() {
		switch {
		case p.IDs[kind] != id:
		case found != "":
			return ""
		default:
			found = p.Slack
		}
	}
	return found
}

func (b *Bot) mentioned(user, system string) (workflow.Subject, *workflow.Refusal) {
	sys, ok := b.o.Engine.System(system)
	if !ok {
		// The engine says that the system is unknown; the mention is not the mistake.
		return workflow.Subject{Kind: workflow.Member, ID: user, Slack: user}, nil
	}
	for _, p := range b.people() {
		if id := p.IDs[sys.Kind]; p.Slack == user && id != "" {
			return workflow.Subject{Kind: workflow.Member, ID: id, Slack: user, From: p.From}, nil
		}
	}
	return workflow.Subject{}, workflow.Refuse(workflow.BadMention, "<@"+user+">", system)
}
