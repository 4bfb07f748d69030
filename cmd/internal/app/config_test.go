package app_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/bot"
	"countersign/cmd/internal/app"
)

// goodConfig is the example of the design.
const goodConfig = `slack:
  mode: socket
  command: /access
  api_url: https://slack.com/api/
  listen: 127.0.0.1:8080
  team_ids: []
store:
  bolt: ./countersign.db
ops:
  listen: 127.0.0.1:9090
  socket: ./countersign.sock
locale: en
systems:
  - name: gpu-lab
    provider: compshare
    region: cn-wlcb
    endpoint: https://api.compshare.cn
    key_env: COMPSHARE_PUBLIC_KEY
    secret_env: COMPSHARE_PRIVATE_KEY
  - name: warehouse
    provider: dataarts
    region: cn-north-4
    endpoint: ""
    iam_endpoint: ""
    project_id: 0833a5736980d53b0f22c0102ffcbfc0
    instance_id: 6b2d9e0f4c1a4d7e8b3f5a6c7d8e9f01
    key_env: CLOUD_SDK_AK
    secret_env: CLOUD_SDK_SK
people:
  - {slack: U0ALICE, compshare: 50002, dataarts: 2d032145d82546b5b83cd7a6fd7d0afc}
policy:
  - name: gpu invitations
    systems: [gpu-lab]
    groups: ["1001"]
    actions: [invite, cancel]
    roles: []
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD, S0GPU], count: 1}
    channel: C0APPROVALS
    expires: 24h
    remind_every: 4h
    max_duration: 30d
`

// A rule without a name is known by its place.
func TestConfig_RuleWithoutAName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "countersign.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(goodConfig, "name: gpu invitations\n    ", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := app.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Rules[0].Name; got != "rule 1" {
		t.Errorf("it is called %q", got)
	}
}

func TestConfig_TheDesignsExample(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "countersign.yaml")
	if err := os.WriteFile(path, []byte(goodConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := app.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Slack.Mode != bot.Socket || c.Slack.Command != "/access" || len(c.Systems) != 2 || len(c.Rules) != 1 || len(c.People) != 1 {
		t.Errorf("config %+v", c)
	}
	if want := filepath.Join(filepath.Dir(path), "countersign.db"); c.Store.Bolt != want {
		t.Errorf("bolt %s, want %s: relative to the file", c.Store.Bolt, want)
	}
	r := c.Rules[0]
	if r.Expires != 24*time.Hour || r.RemindEvery != 4*time.Hour || r.MaxDuration != 30*24*time.Hour || r.Channel != "C0APPROVALS" {
		t.Errorf("rule %+v", r)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v, want none", c.Warnings)
	}
}

// line is the number of the line of the example that holds a text.
func lineOf(t *testing.T, src, part string) int {
	t.Helper()
	for i, line := range strings.Split(src, "\n") {
		if strings.Contains(line, part) {
			return i + 1
		}
	}
	t.Fatalf("no line with %q", part)
	return 0
}

// configMistakes are changes of the example, each of which makes one mistake: old is replaced by with, and the mistake
// is told at the line that holds at (with, where at is empty).
var configMistakes = []struct{ name, old, with, at, want string }{
	{"unknown key", "locale: en", "locale: en\nlocales: en", "locales: en", "locales"},
	{"unknown key in slack", "  mode: socket", "  mode: socket\n  modes: x", "modes: x", "slack.modes"},
	{"unknown key in a system", "    region: cn-wlcb", "    regions: cn-wlcb", "", "regions"},
	{"unknown key in a rule", "    channel: C0APPROVALS", "    channel: C0APPROVALS\n    chanel: x", "chanel: x", "chanel"},
	{"unknown key in approvers", "count: 1}", "counts: 1}", "counts: 1}", "counts"},
	{"unknown key in people", "{slack: U0ALICE, compshare: 50002,", "{slack: U0ALICE, huawei: 50002,", "huawei", "huawei"},
	{"doubled key", "locale: en", "locale: en\nlocale: zh", "locale: zh", "twice"},
	{"doubled key in a rule", "    expires: 24h", "    expires: 24h\n    expires: 25h", "expires: 25h", "twice"},
	{"doubled system names", "  - name: warehouse", "  - name: gpu-lab # again", "again", "two systems of the name"},
	{"unknown mode", "  mode: socket", "  mode: webhook", "", `"webhook" is not known`},
	{"unknown locale", "locale: en", "locale: fr", "", `"fr" is not known`},
	{"unknown provider", "    provider: compshare", "    provider: aws", "", `"aws" is not known`},
	{"unknown system in a rule", "    systems: [gpu-lab]", "    systems: [gpu]", "", `there is no system "gpu"`},
	{"unknown action in a rule", "    actions: [invite, cancel]", "    actions: [invite, promote]", "", `"promote" is not known`},
	{"bad duration", "    expires: 24h", "    expires: tomorrow", "", "no duration"},
	{"negative duration", "    max_duration: 30d", "    max_duration: -1d", "", "no duration"},
	{"duration nought", "    remind_every: 4h", "    remind_every: 0s", "", "no duration"},
	{"command without a slash", "  command: /access", "  command: access", "", "no command name"},
	{"command too long", "  command: /access", "  command: /" + strings.Repeat("a", 40), "command: /aaa", "no command name"},
	{"api_url no URL", "  api_url: https://slack.com/api/", "  api_url: slack", "", "no URL"},
	{"endpoint no URL", "    endpoint: https://api.compshare.cn", "    endpoint: api.compshare.cn", "", "no URL"},
	{"endpoint plain http", "    endpoint: https://api.compshare.cn", "    endpoint: http://api.compshare.cn", "", "must be https"},
	{"endpoint of another scheme", "    endpoint: https://api.compshare.cn", "    endpoint: ftp://api.compshare.cn", "", "no URL"},
	{"rule without a channel", "    channel: C0APPROVALS\n", "", "name: gpu invitations", "no channel"},
	{"rule without approvers", "    approvers:\n      - {any_of: [U0LEAD, S0GPU], count: 1}\n", "", "name: gpu invitations", "no approvers"},
	{"approvers an empty list", "    approvers:\n      - {any_of: [U0LEAD, S0GPU], count: 1}\n", "    approvers: []\n", "name: gpu invitations", "no approvers"},
	{"empty any_of", "{any_of: [U0LEAD, S0GPU], count: 1}", "{any_of: [], count: 1}", "any_of", "empty list"},
	{"no any_of", "{any_of: [U0LEAD, S0GPU], count: 1}", "{count: 1}", "{count: 1}", "empty list"},
	{"count nought", "count: 1}", "count: 0}", "count: 0}", "at least 1"},
	{"count negative", "count: 1}", "count: -1}", "count: -1}", "at least 1"},
	{"count above the people", "{any_of: [U0LEAD, S0GPU], count: 1}", "{any_of: [U0LEAD, U0BOB, U0BOB], count: 3}", "any_of", "3 approvals are needed of 2"},
	{"count no number", "count: 1}", "count: many}", "count: many}", "whole number"},
	{"approver of no known kind", "[U0LEAD, S0GPU]", "[lena]", "[lena]", `"lena" is not`},
	{"a channel as approver", "[U0LEAD, S0GPU]", "[C0LEAD]", "[C0LEAD]", `"C0LEAD" is not`},
	{"requester of no known kind", `    requesters: ["*"]`, `    requesters: ["@all"]`, "", `"@all" is not`},
	{"channel of no known kind", "    channel: C0APPROVALS", `    channel: "#approvals"`, "", `"#approvals" is not`},
	{"team of no known kind", "  team_ids: []", "  team_ids: [acme]", "", `"acme" is not`},
	{"person of no known kind", "{slack: U0ALICE,", "{slack: alice,", "slack: alice", `"alice" is not`},
	{"text instead of a list", "    systems: [gpu-lab]", "    systems: gpu-lab", "", "list is needed"},
	{"list instead of a mapping", "ops:\n  listen: 127.0.0.1:9090\n  socket: ./countersign.sock", "ops: [a]", "ops: [a]", "mapping is needed"},
	{"system with a slash", "  - name: gpu-lab", "  - name: gpu/lab", "", "no system name"},
	{"project_id missing", "    project_id: 0833a5736980d53b0f22c0102ffcbfc0\n", "", "name: warehouse", "project"},
	{"unknown region", "    region: cn-north-4", "    region: mars-1", "name: warehouse", "no region"},
	{"URL with a password", "    endpoint: https://api.compshare.cn", "    endpoint: https://u:p@api.compshare.cn", "", "user or password"},
	{"two rules of one name", "", "  - {name: gpu invitations, requesters: [\"*\"], channel: C0X, approvers: [{any_of: [U0LEAD]}]}\n", "- {name: gpu invitations", "two rules"},
	{"a second document", "", "---\nlocale: zh\n", "locale: zh", "second document"},
}

func TestConfig_EachMistakeAtItsLine(t *testing.T) {
	t.Parallel()
	for _, c := range configMistakes {
		src := strings.Replace(goodConfig, c.old, c.with, 1)
		if c.old == "" {
			src = goodConfig + c.with
		}
		at := c.at
		if at == "" {
			at = strings.TrimSpace(c.with)
		}
		_, err := app.ParseConfig("countersign.yaml", []byte(src))
		bad, ok := errors.AsType[*app.ConfigError](err)
		if !ok {
			t.Errorf("%s: %v, want a ConfigError", c.name, err)
			continue
		}
		line := fmt.Sprintf("countersign.yaml:%d: ", lineOf(t, src, at))
		found := false
		for _, m := range bad.Mistakes {
			found = found || strings.Contains(m, c.want) && strings.HasPrefix(m, line)
		}
		if !found {
			t.Errorf("%s: %q, want %q at %s", c.name, bad.Mistakes, c.want, line)
		}
	}
}

func TestConfig_AllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	src := goodConfig
	want := map[string]string{}
	for _, name := range []string{
		"unknown mode", "unknown locale", "unknown provider", "unknown system in a rule", "unknown action in a rule", "bad duration",
		"command without a slash", "api_url no URL", "count nought", "channel of no known kind", "unknown key in people",
	} {
		for _, c := range configMistakes {
			if c.name == name {
				src = strings.Replace(src, c.old, c.with, 1)
				want[name] = c.want
			}
		}
	}
	_, err := app.ParseConfig("countersign.yaml", []byte(src))
	if err == nil {
		t.Fatal("no error")
	}
	for name, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: not told in one run: %v", name, err)
		}
	}
	if _, err := app.LoadConfig(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v, want it named", err)
	}
}

func TestConfig_LoopbackMayBePlain(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "127.9.9.9": true, "10.0.0.1": false, "127.0.0.1.evil.example": false,
		"localhost.evil.example": false, "127.evil.example": false, "0.0.0.0:1": false,
	} {
		src := strings.Replace(goodConfig, "https://api.compshare.cn", "http://"+host, 1)
		if _, err := app.ParseConfig("f", []byte(src)); (err == nil) != want {
			t.Errorf("http://%s: %v, want taken: %v", host, err, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	for _, c := range configMistakes {
		f.Add([]byte(strings.Replace(goodConfig, c.old, c.with, 1)))
	}
	for _, s := range []string{"", "{", "- a", "a: &a [*a]", "slack: !!binary x", "? x\n: y", "policy:\n  - <<: {name: x}", "\x00", "systems: [[]]", "a: b: c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := app.ParseConfig("f", src)
		if (c == nil) == (err == nil) {
			t.Errorf("config %v and error %v", c, err)
		}
		if err == nil {
			for _, r := range c.Rules {
				if len(r.Approvers) == 0 || r.Channel == "" {
					t.Errorf("a rule without approvers or channel was taken: %+v", r)
				}
			}
		}
	})
}
