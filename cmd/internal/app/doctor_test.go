package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
)

// patient is a rig without a bot, with something broken in it.
type patient struct {
	*rig.Rig
	t    *testing.T
	dir  string
	env  map[string]string // overrides the rig's
	edit func(config string) string
}

func newPatient(t *testing.T, o rig.Options) *patient {
	t.Helper()
	o.Dir = t.TempDir()
	r, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return &patient{Rig: r, t: t, dir: o.Dir, env: map[string]string{}}
}

// examine returns doctor's report, by name of the check.
func (p *patient) examine(ctx context.Context) []app.Finding {
	p.t.Helper()
	text, err := os.ReadFile(p.ConfigFile)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.edit != nil {
		text = []byte(p.edit(string(text)))
	}
	cfg, err := app.ParseConfig(p.ConfigFile, text)
	if err != nil {
		p.t.Fatal(err)
	}
	env := func(name string) string {
		if v, ok := p.env[name]; ok {
			return v
		}
		return p.Env(name)
	}
	var all []app.Finding
	app.Doctor(ctx, app.DoctorOptions{Config: cfg, Env: env, Tell: func(f app.Finding) { all = append(all, f) }})
	for _, s := range p.Secrets() {
		for _, f := range all {
			if strings.Contains(f.String(), s) {
				p.t.Errorf("a secret is in %q", f)
			}
		}
	}
	return all
}

func report(all []app.Finding) string {
	var lines []string
	for _, f := range all {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// demand wants exactly one failing line of a check, or a warning, with a mend.
func demand(t *testing.T, all []app.Finding, status app.Severity, name, what string) {
	t.Helper()
	for _, f := range all {
		if f.Status == status && f.Name == name && strings.Contains(f.What, what) {
			if f.Mend == "" && status != app.OK {
				t.Errorf("%q says no mend", f)
			}
			return
		}
	}
	t.Errorf("no line %s %s with %q in\n%s", status, name, what, report(all))
}

func TestDoctor_Healthy(t *testing.T) {
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			p := newPatient(t, rig.Options{Mode: mode})
			p.Slack.SetScopes(scopeNames()...)
			all := p.examine(t.Context())
			for _, f := range all {
				if f.Status == app.Fail {
					t.Errorf("%s", f)
				}
			}
			for _, name := range []string{
				"config", "serve", "bot-token", "workspace", "scopes", "channel C0APPROVALS", "approver U0LEAD", "user-group S0GPU",
				`rule "gpu team"`, `rule "workspace members"`, "system gpu-lab", "system warehouse", "group gpu-lab/1001",
				"rights gpu-lab", "rights warehouse", "clock", "store", "space",
			} {
				demand(t, all, app.OK, name, "")
			}
			if mode == bot.Socket {
				demand(t, all, app.OK, "socket", "hello")
			} else {
				demand(t, all, app.Warn, "signing-secret", "32 hexadecimal")
			}
			if n := len(p.CompShare.Mutations()) + len(p.Slack.AllMessages()); n != 0 {
				t.Errorf("%d things were changed", n)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "countersign.db")); err == nil {
				t.Error("a database was made")
			}
		})
	}
}

func scopeNames() []string {
	var names []string
	for _, s := range bot.Scopes() {
		names = append(names, s.Name)
	}
	return names
}

// TestDoctor_BreaksEachLine breaks one thing at a time, and wants the line that says so.
func TestDoctor_BreaksEachLine(t *testing.T) {
	replace := func(old, with string) func(*patient) {
		return func(p *patient) {
			p.edit = func(s string) string {
				if !strings.Contains(s, old) {
					p.t.Fatalf("%q is not in the configuration", old)
				}
				return strings.ReplaceAll(s, old, with)
			}
		}
	}
	env := func(name, value string) func(*patient) { return func(p *patient) { p.env[name] = value } }
	lead := func(change func(*slackfake.User)) func(*patient) {
		return func(p *patient) {
			u := p.Slack.User("U0LEAD")
			change(&u)
			p.Slack.SetUser(u)
		}
	}
	for _, c := range []struct {
		broken string
		mode   bot.Mode
		do     func(*patient)
		status app.Severity
		name   string
		what   string
	}{
		{"bot token missing", "", env("SLACK_BOT_TOKEN", ""), app.Fail, "bot-token", "is not set"},
		{"bot token in two places", "", env("SLACK_BOT_TOKEN_FILE", "/nowhere"), app.Fail, "bot-token", "both"},
		{"bot token of the wrong kind", "", env("SLACK_BOT_TOKEN", slackfake.AppToken), app.Fail, "bot-token", "begins xoxb-"},
		{"bot token unknown", "", env("SLACK_BOT_TOKEN", "xoxb-nobody"), app.Fail, "bot-token", "invalid_auth"},
		{"bot token revoked", "", func(p *patient) { p.Slack.RevokeToken("bot", "token_revoked") }, app.Fail, "bot-token", "token_revoked"},
		{"app deactivated", "", func(p *patient) { p.Slack.RevokeToken("bot", "account_inactive") }, app.Fail, "bot-token", "account_inactive"},
		{"slack out of reach", "", func(p *patient) { _ = p.Slack.Close() }, app.Fail, "bot-token", "refused"},
		{"slack out of reach of the app token", "", func(p *patient) { _ = p.Slack.Close() }, app.Fail, "app-token", "cannot be asked"},
		{"slack answers rubbish", "", func(p *patient) {
			p.Slack.Fault(slackfake.Fault{Method: "auth.test", Kind: slackfake.Status500HTML, Count: -1})
		}, app.Fail, "bot-token", "500"},
		{"nothing looked at", "", env("SLACK_BOT_TOKEN", ""), app.Warn, "channel", "no channel"},
		{"app token missing", "", env("SLACK_APP_TOKEN", ""), app.Fail, "app-token", "is not set"},
		{"app token of the wrong kind", "", env("SLACK_APP_TOKEN", slackfake.BotToken), app.Fail, "app-token", "begins xapp-"},
		{"app token revoked", "", func(p *patient) { p.Slack.RevokeToken("app", "token_revoked") }, app.Fail, "app-token", "token_revoked"},
		{"socket mode off", "", func(p *patient) { p.Slack.RefuseSockets("link_disabled") }, app.Fail, "socket", "link_disabled"},
		{"signing secret missing", bot.HTTP, env("SLACK_SIGNING_SECRET", ""), app.Fail, "signing-secret", "is not set"},
		{"scope missing", "", func(p *patient) { p.Slack.SetScopes(scopeNames()[1:]...) }, app.Fail, "scopes", "commands"},
		{"history scope missing", "", func(p *patient) { p.Slack.SetScopes(scopeNames()[:6]...) }, app.Warn, "scopes", "channels:history"},
		{"scope too many", "", func(p *patient) { p.Slack.SetScopes(append(scopeNames(), "users:read.email")...) }, app.Warn, "scopes", "users:read.email"},
		{"channel scope missing", "", func(p *patient) { p.Slack.SetScopes("commands", "chat:write", "users:read", "usergroups:read") }, app.Fail, "channel C0APPROVALS", "may not look"},
		{"channel kept from the app", "", func(p *patient) {
			p.Slack.Fault(slackfake.Fault{Method: "conversations.info", Kind: slackfake.ErrorCode, Code: "access_denied", Count: -1})
		}, app.Fail, "channel C0APPROVALS", "access_denied"},
		{"foreign workspace", "", replace("slack:\n", "slack:\n  team_ids: [T0OTHER]\n"), app.Warn, "workspace", "T0HOME"},
		{"no such channel", "", replace("C0APPROVALS", "C0NOWHERE"), app.Fail, "channel C0NOWHERE", "none that the bot can see"},
		{"private channel without the bot", "", replace("C0APPROVALS", "C0PRIVATE"), app.Fail, "channel C0PRIVATE", "none that the bot can see"},
		{"bot not in the channel", "", replace("C0APPROVALS", "C0GENERAL"), app.Fail, "channel C0GENERAL", "not in #general"},
		{"channel archived", "", replace("C0APPROVALS", "C0ARCHIVED"), app.Fail, "channel C0ARCHIVED", "archived"},
		{"channel shared outside", "", replace("C0APPROVALS", "C0SHARED"), app.Fail, "channel C0SHARED", "another organisation"},
		{"channel shared outside, allowed", "", func(p *patient) {
			p.edit = strings.NewReplacer("C0APPROVALS", "C0SHARED", "slack:\n", "slack:\n  shared_channels: [C0SHARED]\n").Replace
		}, app.Warn, "channel C0SHARED", "which slack.shared_channels allows"},
		{"audit channel", "", replace("locale:", "audit: {channel: C0GENERAL}\nlocale:"), app.Fail, "channel C0GENERAL", "not in #general"},
		{"no such approver", "", replace("U0LEAD", "U0NOBODY"), app.Fail, "approver U0NOBODY", "no such person"},
		{"approver deactivated", "", lead(func(u *slackfake.User) { u.Deleted = true }), app.Fail, "approver U0LEAD", "deactivated"},
		{"approver a guest", "", lead(func(u *slackfake.User) { u.IsRestricted = true }), app.Fail, "approver U0LEAD", "guest"},
		{"approver a bot", "", lead(func(u *slackfake.User) { u.IsBot = true }), app.Fail, "approver U0LEAD", "bot"},
		{"approver from elsewhere", "", lead(func(u *slackfake.User) { u.Team = "T0OTHER" }), app.Fail, "approver U0LEAD", "no member"},
		{"requester gone", "", replace(`requesters: ["*"]`, "requesters: [U0GONE]"), app.Fail, "requester U0GONE", "deactivated"},
		{"no such user group", "", replace("S0GPU", "S0NONE"), app.Fail, "user-group S0NONE", "no such user group"},
		{"user group empty", "", func(p *patient) { p.Slack.SetUserGroup(slackfake.UserGroup{ID: "S0GPU", Handle: "gpu"}) }, app.Fail, "user-group S0GPU", "nobody"},
		{"free plan", "", func(p *patient) { p.Slack.SetFreePlan(true) }, app.Fail, "user-group S0GPU", "plan"},
		{"too few approvers", "", lead(func(u *slackfake.User) { u.Deleted = true }), app.Fail, `rule "workspace admins"`, "places stay empty"},
		{"one approver asks", "", func(*patient) {}, app.Warn, `rule "workspace admins"`, "for themselves"},
		{"cloud key missing", "", env("COMPSHARE_PUBLIC_KEY", ""), app.Fail, "system gpu-lab", "is not set"},
		{"cloud key malformed", "", env("CLOUD_SDK_AK", "a b"), app.Fail, "system warehouse", "blank"},
		{"cloud key unknown", "", env("COMPSHARE_PUBLIC_KEY", "nobody"), app.Fail, "system gpu-lab", "172"},
		{"cloud secret wrong", "", env("CLOUD_SDK_SK", "wrong"), app.Fail, "system warehouse", "APIGW"},
		{"cloud out of reach", "", func(p *patient) { _ = p.CompShare.Close() }, app.Fail, "system gpu-lab", "cannot be listed"},
		{"cloud answers a page", "", func(p *patient) {
			p.DataArts.AddFault(dataartsfake.Fault{Kind: dataartsfake.HTML200, Count: -1})
		}, app.Fail, "system warehouse", "cannot be listed"},
		{"cloud throttles", "", func(p *patient) {
			p.DataArts.AddFault(dataartsfake.Fault{Kind: dataartsfake.Status, Status: http.StatusTooManyRequests, Count: -1})
		}, app.Fail, "system warehouse", "0308"},
		{"account not verified", "", func(p *patient) {
			p.CompShare.Fault(compsharefake.Fault{Kind: compsharefake.RetCode, RetCode: 226606, Message: "verify", Count: -1})
		}, app.Fail, "system gpu-lab", "226606"},
		{"no instance", "", func(p *patient) {
			p.edit = func(s string) string {
				return strings.Replace(s, "instance_id: "+dataartsfake.InstanceID, `instance_id: ""`, 1)
			}
		}, app.Warn, "system warehouse", "instance_id"},
		{"no such team", "", replace("systems: [gpu-lab]", "systems: [gpu-lab]\n    groups: [\"4711\"]"), app.Fail, "group gpu-lab/4711", "cannot be read"},
		{"database readable by all", "", func(p *patient) { p.makeDatabase(0o644) }, app.Warn, "store", "0644"},
		{"database foreign", "", func(p *patient) { p.write("countersign.db", strings.Repeat("no database ", 2000), 0o600) }, app.Fail, "store", "not a database"},
		{"database empty", "", func(p *patient) { p.write("countersign.db", "", 0o600) }, app.Fail, "store", "empty"},
		{"configuration warns", "", replace(`requesters: ["*"]`, "requesters: []"), app.Warn, "config", "names no requesters"},
	} {
		t.Run(c.broken, func(t *testing.T) {
			p := newPatient(t, rig.Options{Mode: c.mode})
			c.do(p)
			demand(t, p.examine(t.Context()), c.status, c.name, c.what)
		})
	}
}

func (p *patient) write(name, text string, mode os.FileMode) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
}

// makeDatabase has the bot make its database.
func (p *patient) makeDatabase(mode os.FileMode) {
	p.t.Helper()
	w := &world{Rig: p.Rig, t: p.t, log: &logbook{t: p.t}}
	w.start()
	w.stop()
	if err := os.Chmod(filepath.Join(p.dir, "countersign.db"), mode); err != nil {
		p.t.Fatal(err)
	}
}

// TestDoctor_Clock puts a proxy before a cloud, whose clock is wrong.
func TestDoctor_Clock(t *testing.T) {
	for off, want := range map[time.Duration]app.Severity{2 * time.Minute: app.Warn, -20 * time.Minute: app.Fail} {
		p := newPatient(t, rig.Options{})
		cloud, err := url.Parse(p.CompShare.URL())
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(cloud)
		proxy.ModifyResponse = func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			return nil
		}
		s := httptest.NewServer(proxy)
		defer s.Close()
		p.edit = func(text string) string { return strings.Replace(text, p.CompShare.URL(), s.URL, 1) }
		demand(t, p.examine(t.Context()), want, "clock", "gpu-lab differ by")
	}
}

// TestDoctor_WhileServeRuns: it asks the process, opens no second connection, and leaves the process working.
func TestDoctor_WhileServeRuns(t *testing.T) {
	w := newWorld(t, rig.Options{})
	p := &patient{Rig: w.Rig, t: t, dir: filepath.Dir(w.ConfigFile), env: map[string]string{}}
	all := p.examine(t.Context())
	demand(t, all, app.OK, "serve", "takes commands")
	demand(t, all, app.OK, "socket", "the running process is connected")
	demand(t, all, app.OK, "chain", "whole")
	if !w.app.Ready() {
		t.Error("the process lost its connection")
	}
	p.edit = func(s string) string { return strings.Replace(s, "max_duration: 7d", "max_duration: 8d", 1) }
	demand(t, p.examine(t.Context()), app.Warn, "serve", "another policy")
	p.edit = nil
	w.Slack.RevokeToken("app", "internal_error")
	w.Slack.DropSockets()
	w.eventually("the connection is lost", func() bool { return !w.app.Ready() })
	all = p.examine(t.Context())
	demand(t, all, app.Fail, "serve", "not connected")
	w.Slack.RevokeToken("app", "")
}

// TestDoctor_OtherConnections: a process elsewhere takes part of the clicks.
func TestDoctor_OtherConnections(t *testing.T) {
	w := newWorld(t, rig.Options{})
	p := newPatient(t, rig.Options{})
	p.env["SLACK_APP_TOKEN"] = slackfake.AppToken
	p.edit = func(s string) string { return strings.Replace(s, p.Slack.APIURL(), w.Slack.APIURL(), 1) }
	demand(t, p.examine(t.Context()), app.Warn, "socket", "2 connections")
}

// TestDoctor_EveryLineHasItsAnchor: what --json calls help is a place in the README.
func TestDoctor_EveryLineHasItsAnchor(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := newPatient(t, rig.Options{}).examine(t.Context())
	all = append(all, newPatient(t, rig.Options{Mode: bot.HTTP}).examine(t.Context())...)
	for _, f := range append(all, app.Finding{Help: "#doctor-chain"}, app.Finding{Help: "#doctor-requester"}) {
		if anchor := strings.TrimPrefix(f.Help, "#"); !strings.Contains(string(readme), `id="`+anchor+`"`) {
			t.Errorf("the README has no anchor %s, for %q", anchor, f)
		}
	}
}
