package app

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"countersign/bot"
	"countersign/workflow"
)

// patience bounds one question to Slack or a cloud.
const patience = 30 * time.Second

// slackTokens checks the secrets that Slack gave, and what they may do.
func (d *doctor) slackTokens(ctx context.Context) {
	token, okBot := d.token("bot-token", "SLACK_BOT_TOKEN", "xoxb-", "it is the Bot User OAuth Token of the app's page Install App")
	app, okApp := "", true
	if d.cfg.Slack.Mode == bot.Socket {
		app, okApp = d.token("app-token", "SLACK_APP_TOKEN", "xapp-", "it is an App-Level Token with connections:write, of the app's page Basic Information")
	} else {
		d.signingSecret()
	}
	d.slack = bot.NewDoctor(d.cfg.Slack.APIURL, token, app)
	if okBot {
		d.identity(ctx)
	}
	if okApp && app != "" {
		d.socket(ctx)
	}
}

// token reads a secret and checks what it begins with.
func (d *doctor) token(check, name, prefix, what string) (string, bool) {
	v, err := secret(name, d.o.Env)
	switch {
	case err != nil:
		d.fail(check, err.Error(), what)
	case v == "":
		d.fail(check, name+" is not set (nor "+name+"_FILE)", what)
	case !strings.HasPrefix(v, prefix):
		d.fail(check, name+" is of the wrong kind: it begins "+prefix, what)
	default:
		return v, true
	}
	return "", false
}

var signingShape = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (d *doctor) signingSecret() {
	v, err := secret("SLACK_SIGNING_SECRET", d.o.Env)
	const mend = "copy the Signing Secret of the app's page Basic Information"
	switch {
	case err != nil:
		d.fail("signing-secret", err.Error(), mend)
	case v == "":
		d.fail("signing-secret", "SLACK_SIGNING_SECRET is not set (nor SLACK_SIGNING_SECRET_FILE)", mend)
	case !signingShape.MatchString(v):
		d.warn("signing-secret", "SLACK_SIGNING_SECRET is set, but is not 32 hexadecimal digits, as Slack's are", mend)
	default:
		d.ok("signing-secret", "is set; whether it is the right one only shows when Slack delivers")
	}
}

func (d *doctor) identity(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id, err := d.slack.Identity(ctx)
	if err != nil {
		d.fail("bot-token", "Slack does not accept it: "+err.Error(), mendOf(err))
		return
	}
	d.team, d.scopes = id.Team, id.Scopes
	if !id.At.IsZero() {
		d.skews = append(d.skews, skew{"Slack", id.At.Sub(d.o.Now())})
	}
	d.ok("bot-token", "is accepted: @%s (%s) in %s (%s)", id.UserName, id.User, id.TeamName, id.Team)
	if teams := d.teams(); !slices.Contains(teams, id.Team) {
		d.warn("workspace", fmt.Sprintf("the bot's own workspace %s is not in slack.team_ids (%s): its members may not act", id.Team, strings.Join(teams, ", ")),
			"add it, or leave team_ids out")
	} else {
		d.ok("workspace", "members of %s may act", strings.Join(teams, ", "))
	}
	d.rights(id.Scopes)
}

// mendOf says what to do about an error of Slack.
func mendOf(err error) string {
	switch mend := bot.Mend(err); {
	case mend != "":
		return mend
	case bot.Code(err) == "":
		return "check the network, HTTPS_PROXY and slack.api_url"
	default:
		return "see https://docs.slack.dev/reference/methods"
	}
}

// rights compares the token's scopes with those that the bot needs.
func (d *doctor) rights(have []string) {
	if len(have) == 0 {
		d.warn("scopes", "Slack does not say which the token has", "compare the app's page OAuth & Permissions with countersign manifest")
		return
	}
	var lost, poorer, more []string
	for _, s := range bot.Scopes() {
		switch {
		case slices.Contains(have, s.Name):
		case strings.HasSuffix(s.Name, ":history"), strings.HasPrefix(s.Name, "im:"):
			poorer = append(poorer, s.Name+" ("+s.Why+")")
		default:
			lost = append(lost, s.Name+" ("+s.Why+")")
		}
	}
	for _, h := range have {
		if !slices.ContainsFunc(bot.Scopes(), func(s bot.Scope) bool { return s.Name == h }) {
			more = append(more, h)
		}
	}
	const mend = "update the app from countersign manifest, and install it again"
	if len(lost) > 0 {
		d.fail("scopes", "missing: "+strings.Join(append(lost, poorer...), ", "), mend)
		return
	}
	if len(poorer) > 0 {
		d.warn("scopes", "missing: "+strings.Join(poorer, ", "), mend)
	}
	if len(more) > 0 {
		d.warn("scopes", "more than the bot needs: "+strings.Join(more, ", "), mend+", so that a stolen token can do less")
	}
	if len(poorer)+len(more) == 0 {
		d.ok("scopes", "exactly those that the bot needs")
	}
}

// socket opens a connection of Socket Mode, unless a process runs: Slack gives each delivery to any one of an app's
// connections, and one of doctor's would lose it.
func (d *doctor) socket(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	accepted, n, err := d.slack.Socket(ctx, d.running == nil)
	switch {
	case err != nil && bot.Code(err) != "":
		d.fail("app-token", "Slack does not accept it: "+err.Error(), mendOf(err))
		return
	case !accepted:
		d.fail("app-token", "Slack cannot be asked about it: "+err.Error(), mendOf(err))
		return
	case err != nil:
		d.ok("app-token", "is accepted")
		d.fail("socket", "no connection comes about: "+err.Error(), "let this machine connect to wss://*.slack.com, also through a proxy, and see that Socket Mode is on")
		return
	}
	d.ok("app-token", "is accepted")
	switch {
	case d.running != nil && d.running.Ready:
		d.ok("socket", "the running process is connected; no second connection was opened, which would take deliveries from it")
	case d.running != nil:
		d.fail("socket", "the running process is not connected", "see its log")
	case n > 1:
		d.warn("socket", fmt.Sprintf("%d connections are open, though no process of this configuration runs: others take part of the deliveries", n),
			"stop the other process, or give it an app of its own")
	default:
		d.ok("socket", "Slack said hello")
	}
}

// channels checks where cards and audit heads go.
func (d *doctor) channels(ctx context.Context) {
	var ids []string
	for _, r := range d.cfg.Rules {
		ids = append(ids, r.Channel)
	}
	if d.cfg.Audit.Channel != "" {
		ids = append(ids, d.cfg.Audit.Channel)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		d.channel(ctx, id)
	}
}

func (d *doctor) channel(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	name := "channel " + id
	const invite = "invite the bot there: /invite @countersign"
	p, err := d.slack.Place(ctx, id)
	switch {
	case bot.Code(err) == "channel_not_found":
		d.fail(name, "there is none that the bot can see", "correct the ID, or if it is private: "+invite)
	case bot.Code(err) == "missing_scope":
		d.fail(name, "the bot's token may not look at it, so that nobody would learn whether strangers read it", "update the app from countersign manifest, and install it again")
	case err != nil:
		d.fail(name, err.Error(), mendOf(err))
	case p.Archived:
		d.fail(name, "#"+p.Name+" is archived", "unarchive it, or name another")
	case p.Outside && !d.cfg.allowsShared(id):
		d.fail(name, "#"+p.Name+" is shared with another organisation, or about to be: strangers would read requests and see buttons",
			"use a channel of this workspace alone, or name this one in slack.shared_channels")
	case !p.Member:
		d.fail(name, "the bot is not in #"+p.Name, invite)
	case p.Outside:
		d.warn(name, "#"+p.Name+" is shared with another organisation, or about to be, which slack.shared_channels allows: strangers read its cards",
			"use a channel of this workspace alone")
	default:
		d.ok(name, "the bot is in #%s, and nobody from outside", p.Name)
	}
}

type accountResult struct {
	account bot.Account
	err     error
}

type groupResult struct {
	members []string
	err     error
}

// maxAccounts bounds how many people are looked up: users.info may be asked a hundred times a minute.
const maxAccounts = 80

func (d *doctor) account(ctx context.Context, user string) (accountResult, bool) {
	if r, known := d.accounts[user]; known {
		return r, true
	}
	if len(d.accounts) >= maxAccounts {
		return accountResult{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := d.slack.Account(ctx, user)
	r := accountResult{a, err}
	d.accounts[user] = r
	return r, true
}

func (d *doctor) group(ctx context.Context, id string) groupResult {
	if r, known := d.members[id]; known {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := d.slack.UserGroup(ctx, id)
	r := groupResult{m, err}
	d.members[id] = r
	return r
}

// approvers checks everybody whom the policy names, once each, and then whether each rule can be met at all.
func (d *doctor) approvers(ctx context.Context) {
	var ids []string
	for _, r := range d.cfg.Rules {
		for _, a := range r.Approvers {
			ids = append(ids, a.AnyOf...)
		}
		ids = append(ids, r.Requesters...)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		switch {
		case id == workflow.Everyone:
		case workflow.IsUserGroup(id):
			d.userGroup(ctx, id)
		default:
			d.person(ctx, id)
		}
	}
	for _, r := range d.cfg.Rules {
		d.rule(ctx, r)
	}
}

func (d *doctor) userGroup(ctx context.Context, id string) {
	name, g := "user-group "+id, d.group(ctx, id)
	switch code := bot.Code(g.err); {
	case code == "no_such_subteam":
		d.fail(name, "there is no such user group, or it is disabled", "correct the ID in the policy")
	case code == "plan_upgrade_required":
		d.fail(name, "this workspace's plan has no user groups", "name people by their user IDs instead")
	case g.err != nil:
		d.fail(name, g.err.Error(), mendOf(g.err))
	case len(g.members) == 0:
		d.fail(name, "nobody is in it", "add people to it, or take it out of the policy")
	default:
		d.ok(name, "can be read, and has %d members", len(g.members))
	}
}

func (d *doctor) person(ctx context.Context, id string) {
	name := "approver " + id
	if !d.approves(id) {
		name = "requester " + id
	}
	r, looked := d.account(ctx, id)
	switch why := d.unfit(r); {
	case !looked:
		d.warn(name, "was not looked up, so that Slack's limit is kept", "run doctor with a smaller policy")
	case why != "":
		d.fail(name, why, "correct the ID, or take it out of the policy")
	default:
		d.ok(name, "@%s is an active full member", r.account.Name)
	}
}

func (d *doctor) approves(id string) bool {
	return slices.ContainsFunc(d.cfg.Rules, func(r workflow.Rule) bool {
		return slices.ContainsFunc(r.Approvers, func(a workflow.Approvers) bool { return slices.Contains(a.AnyOf, id) })
	})
}

// unfit says why a person may not act; empty if they may.
func (d *doctor) unfit(r accountResult) string {
	switch code := bot.Code(r.err); {
	case code == "user_not_found", code == "user_not_visible":
		return "there is no such person"
	case r.err != nil:
		return "could not be looked up: " + r.err.Error()
	case r.account.Standing == workflow.IsDeactivated:
		return "the account is deactivated"
	case r.account.Standing == workflow.IsBot:
		return "is a bot, which never decides"
	case r.account.Standing == workflow.IsGuest, r.account.Standing == workflow.IsLoneGuest:
		return "is a guest, who never decides"
	case r.account.Standing != workflow.FullMember || !slices.Contains(d.teams(), r.account.Team):
		return "is no member of " + strings.Join(d.teams(), ", ")
	default:
		return ""
	}
}

// rule asks whether enough different people can decide, and whether that still holds when one of them is who asks.
func (d *doctor) rule(ctx context.Context, r workflow.Rule) {
	name := fmt.Sprintf("rule %q", r.Name)
	decisions, whole := d.everyApproval(ctx, r)
	lack := func(requester string) int {
		n := 0
		for _, m := range r.Missing(workflow.Person{User: requester}, decisions) {
			n += m
		}
		return n
	}
	if n := lack(""); n > 0 {
		what := fmt.Sprintf("%d approvals are needed, and of %d people who can give one, %d places stay empty", r.Needed(), len(decisions), n)
		if !whole {
			d.warn(name, what+", as far as people were looked up", "see the lines above")
			return
		}
		d.fail(name, what, "name more people; one person fills one place")
		return
	}
	var stuck []string
	for _, dec := range decisions {
		if mayAsk(r, dec) && lack(dec.By.User) > 0 {
			stuck = append(stuck, dec.By.User)
		}
	}
	if len(stuck) > 0 {
		d.warn(name, "nobody could approve what these ask for themselves: "+strings.Join(stuck, ", "), "name more approvers, or other requesters")
		return
	}
	d.ok(name, "%d people can decide, %d must", len(decisions), r.Needed())
}

func mayAsk(r workflow.Rule, d workflow.Decision) bool {
	return slices.ContainsFunc(r.Requesters, func(id string) bool {
		return id == workflow.Everyone || id == d.By.User || slices.Contains(d.Groups, id)
	})
}

// everyApproval is one approval by everybody who could give one. It is not whole if somebody was not looked up.
func (d *doctor) everyApproval(ctx context.Context, r workflow.Rule) (ds []workflow.Decision, whole bool) {
	whole = true
	groups := map[string][]string{} // of each person
	for _, a := range r.Approvers {
		for _, id := range a.AnyOf {
			if !workflow.IsUserGroup(id) {
				groups[id] = append(groups[id], "")
				continue
			}
			for _, user := range d.group(ctx, id).members {
				groups[user] = append(groups[user], id)
			}
		}
	}
	for user, in := range groups {
		res, looked := d.account(ctx, user)
		if !looked {
			whole = false
		}
		if !looked || d.unfit(res) != "" {
			continue
		}
		ds = append(ds, workflow.Decision{By: workflow.Person{User: user}, Approve: true, Groups: in})
	}
	slices.SortFunc(ds, func(a, b workflow.Decision) int { return strings.Compare(a.By.User, b.By.User) })
	return ds, whole
}
