package app

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"countersign/bot"
	"countersign/providers/compshare"
	"countersign/providers/dataarts"
	"countersign/workflow"
)

// The providers, by the names that the configuration knows them by.
const (
	CompShare = "compshare"
	DataArts  = "dataarts"
)

// Config is a configuration file, checked, with its defaults filled in. It holds no secrets: only the names of the
// environment variables that do.
type Config struct {
	// File is where it was read from; relative paths in it are relative to its directory.
	File   string
	Slack  SlackConfig
	Store  StoreConfig
	Ops    OpsConfig
	Audit  AuditConfig
	Locale string
	// PeopleCSV is the file of further people; empty: there is none.
	PeopleCSV string
	// Systems, People and Rules are in the order of the file.
	Systems []SystemConfig
	People  []bot.Person
	Rules   []workflow.Rule
	// Warnings are what is allowed and probably not meant.
	Warnings []string
}

// SlackConfig is how Slack is reached and reaches us.
type SlackConfig struct {
	Mode    bot.Mode
	Command string
	APIURL  string
	Listen  string
	TeamIDs []string
	// SharedChannels are the rules' channels that may be shared with other organisations.
	SharedChannels []string
}

// OpsConfig is where operators look.
type OpsConfig struct {
	Listen string
	Socket string
}

// AuditConfig is where and when the head of the audit trail is posted, so that Slack is a witness of it.
type AuditConfig struct {
	// Channel gets the head; empty: it is not posted.
	Channel string
	// At is the time of day, UTC.
	At time.Duration
}

// SystemConfig is one account of a provider.
type SystemConfig struct {
	Name, Provider, Region, Endpoint, IAMEndpoint string
	ProjectID, InstanceID                         string
	KeyEnv, SecretEnv                             string
	CallTimeout                                   time.Duration
}

// ConfigError is a configuration that cannot be used, with every mistake in it.
type ConfigError struct {
	Mistakes []string

	peopleCSV string // the file of people that it names, which may be what is wrong
}

func (e *ConfigError) Error() string { return strings.Join(e.Mistakes, "\n") }

func misconfigured(format string, args ...any) error {
	return &ConfigError{Mistakes: []string{fmt.Sprintf(format, args...)}}
}

// LoadConfig reads and checks a configuration file. Its error is a *ConfigError.
func LoadConfig(path string) (*Config, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, misconfigured("%s: there is no such file; name one with --config", path)
	}
	if err != nil {
		return nil, misconfigured("%v", err)
	}
	return ParseConfig(path, src)
}

// ParseConfig checks the text of a configuration file that was read from path.
func ParseConfig(path string, src []byte) (*Config, error) {
	c := &Config{
		File: path, Locale: "en",
		Slack: SlackConfig{Mode: bot.Socket, Command: "/access", APIURL: "https://slack.com/api/", Listen: "127.0.0.1:8080"},
		Store: StoreConfig{Bolt: "./countersign.db"},
		Ops:   OpsConfig{Listen: "127.0.0.1:9090", Socket: "./countersign.sock"},
		Audit: AuditConfig{At: 9 * time.Hour},
	}
	r := &reader{file: path}
	if root := r.tree(src); root != nil {
		c.read(r, root)
	}
	if len(r.wrong) > 0 {
		return nil, &ConfigError{Mistakes: r.wrong, peopleCSV: c.PeopleCSV}
	}
	dir := filepath.Dir(path)
	c.Ops.Socket = under(dir, c.Ops.Socket)
	if c.Store.Bolt != "" {
		c.Store.Bolt = under(dir, c.Store.Bolt)
	}
	return c, nil
}

func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (c *Config) read(r *reader, root ast.Node) {
	var policy, csv ast.Node
	r.mapping(root, "", fields{
		"slack":  func(n ast.Node) { c.readSlack(r, n) },
		"store":  func(n ast.Node) { c.readStore(r, n) },
		"ops":    func(n ast.Node) { c.readOps(r, n) },
		"audit":  func(n ast.Node) { c.readAudit(r, n) },
		"locale": func(n ast.Node) { c.Locale = oneOf(r, n, "locale", "en", "zh") },
		"systems": func(n ast.Node) {
			r.list(n, "systems", func(n ast.Node) { c.Systems = append(c.Systems, c.readSystem(r, n)) })
		},
		"people": func(n ast.Node) { r.list(n, "people", func(n ast.Node) { c.readPerson(r, n) }) },
		// What the file of people may hold depends on the people here.
		"people_csv": func(n ast.Node) { csv = n },
		"policy":     func(n ast.Node) { policy = n },
	})
	if len(c.Systems) == 0 {
		r.fail(root, "systems", "at least one system is needed")
	}
	if csv != nil {
		c.readPeopleCSV(r, csv)
	}
	if policy == nil {
		c.warn("there is no policy: nobody may ask for anything")
		return
	}
	r.list(policy, "policy", func(n ast.Node) { c.readRule(r, n) })
	c.warnOfRules()
}

func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

func oneOf(r *reader, n ast.Node, path string, known ...string) string {
	v := r.text(n, path)
	if !slices.Contains(known, v) {
		r.fail(n, path, "%q is not known; known: %s", v, strings.Join(known, ", "))
	}
	return v
}

var commandName = regexp.MustCompile(`^/[a-z0-9_-]{1,31}$`)

// IsCommandName reports whether Slack takes s for the name of a slash command.
func IsCommandName(s string) bool { return commandName.MatchString(s) }

func (c *Config) readSlack(r *reader, n ast.Node) {
	s := &c.Slack
	r.mapping(n, "slack", fields{
		"mode": func(n ast.Node) { s.Mode = bot.Mode(oneOf(r, n, "slack.mode", string(bot.Socket), string(bot.HTTP))) },
		"command": func(n ast.Node) {
			if s.Command = r.text(n, "slack.command"); !IsCommandName(s.Command) {
				r.fail(n, "slack.command", "%q is no command name: a slash and up to 31 of a-z, 0-9, _ and -", s.Command)
			}
		},
		"api_url": func(n ast.Node) {
			s.APIURL = readURL(r, n, "slack.api_url")
			if !strings.HasSuffix(s.APIURL, "/") {
				s.APIURL += "/"
			}
		},
		"listen": r.string(&s.Listen, "slack.listen"),
		"team_ids": func(n ast.Node) {
			r.list(n, "slack.team_ids", func(n ast.Node) {
				s.TeamIDs = append(s.TeamIDs, readID(r, n, "slack.team_ids", "TE", "a workspace ID, as in T0ACME"))
			})
		},
		"shared_channels": func(n ast.Node) {
			r.list(n, "slack.shared_channels", func(n ast.Node) {
				s.SharedChannels = append(s.SharedChannels, readID(r, n, "slack.shared_channels", "CG", "a channel ID, as in C0APPROVALS"))
			})
		},
	})
}

func (c *Config) readOps(r *reader, n ast.Node) {
	r.mapping(n, "ops", fields{
		"listen": r.string(&c.Ops.Listen, "ops.listen"),
		"socket": r.string(&c.Ops.Socket, "ops.socket"),
	})
}

func (c *Config) readAudit(r *reader, n ast.Node) {
	r.mapping(n, "audit", fields{
		"channel": func(n ast.Node) {
			c.Audit.Channel = readID(r, n, "audit.channel", "CGD", "a channel ID, as in C0AUDIT")
		},
		"at": func(n ast.Node) {
			at, err := time.Parse("15:04", r.text(n, "audit.at"))
			if err != nil {
				r.fail(n, "audit.at", "%q is no time of day: write \"09:00\"; it is UTC", r.text(n, "audit.at"))
				return
			}
			c.Audit.At = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
		},
	})
	if c.Audit.Channel == "" {
		r.fail(n, "audit.channel", "a channel is needed for the head of the audit trail")
	}
}

func (c *Config) readSystem(r *reader, n ast.Node) SystemConfig {
	var s SystemConfig
	const p = "systems"
	r.mapping(n, p, fields{
		"name":         r.string(&s.Name, p+".name"),
		"provider":     func(n ast.Node) { s.Provider = oneOf(r, n, p+".provider", CompShare, DataArts) },
		"region":       r.string(&s.Region, p+".region"),
		"endpoint":     func(n ast.Node) { s.Endpoint = readURL(r, n, p+".endpoint") },
		"iam_endpoint": func(n ast.Node) { s.IAMEndpoint = readURL(r, n, p+".iam_endpoint") },
		"project_id":   r.string(&s.ProjectID, p+".project_id"),
		"instance_id":  r.string(&s.InstanceID, p+".instance_id"),
		"key_env":      r.string(&s.KeyEnv, p+".key_env"),
		"secret_env":   r.string(&s.SecretEnv, p+".secret_env"),
		"call_timeout": r.duration(&s.CallTimeout, p+".call_timeout"),
	})
	c.checkSystem(r, n, s)
	return s.withDefaults()
}

var (
	systemName = regexp.MustCompile(`^[\p{L}\p{N}._-]{1,60}$`)
	cloudID    = regexp.MustCompile(`^[a-z0-9]{32}$`)
)

func (c *Config) checkSystem(r *reader, n ast.Node, s SystemConfig) {
	if !systemName.MatchString(s.Name) {
		r.fail(n, "systems.name", "%q is no system name: letters, digits, dots, dashes and underscores, without a slash", s.Name)
	}
	if slices.ContainsFunc(c.Systems, func(o SystemConfig) bool { return o.Name == s.Name }) {
		r.fail(n, "systems.name", "there are two systems of the name %q", s.Name)
	}
	if s.Provider == "" {
		r.fail(n, "systems.provider", "a provider is needed: %s or %s", CompShare, DataArts)
	}
	if s.Provider != DataArts {
		return
	}
	if !cloudID.MatchString(s.ProjectID) {
		r.fail(n, "systems.project_id", "DataArts needs the project's ID, 32 of a-z and 0-9")
	}
	if s.Endpoint == "" && !slices.Contains(dataarts.Regions(), s.Region) {
		r.fail(n, "systems.region", "%q is no region of DataArts Studio; give one, or an endpoint", s.Region)
	}
}

func (s SystemConfig) withDefaults() SystemConfig {
	key, secret := "COMPSHARE_PUBLIC_KEY", "COMPSHARE_PRIVATE_KEY"
	if s.Provider == DataArts {
		key, secret = "CLOUD_SDK_AK", "CLOUD_SDK_SK"
	}
	if s.KeyEnv == "" {
		s.KeyEnv = key
	}
	if s.SecretEnv == "" {
		s.SecretEnv = secret
	}
	return s
}

func (c *Config) readPerson(r *reader, n ast.Node) {
	p := bot.Person{IDs: map[string]string{}, From: workflow.FromPeople}
	id := func(kind string) func(ast.Node) {
		return func(n ast.Node) { p.IDs[kind] = r.text(n, "people."+kind) }
	}
	r.mapping(n, "people", fields{
		"slack":   func(n ast.Node) { p.Slack = readID(r, n, "people.slack", "UW", "a user ID, as in U0ALICE") },
		CompShare: id(CompShare), DataArts: id(DataArts),
	})
	if p.Slack == "" {
		r.fail(n, "people.slack", "a user ID is needed")
	}
	if slices.ContainsFunc(c.People, func(o bot.Person) bool { return o.Slack == p.Slack }) {
		r.fail(n, "people.slack", "%s is there twice", p.Slack)
	}
	c.People = append(c.People, p)
}

// readURL reads a base URL. Plain http is for loopback only: the keys of a cloud and Slack's tokens go over it.
func readURL(r *reader, n ast.Node, path string) string {
	s := r.text(n, path)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.fail(n, path, "%q is no URL: write https://host", s)
	case u.Scheme == "http" && !bot.Loopback(u.Hostname()):
		r.fail(n, path, "%q must be https: plain http is for loopback hosts only", s)
	case u.User != nil:
		r.fail(n, path, "a URL with a user or password in it is not taken")
	}
	return s
}

func readID(r *reader, n ast.Node, path, kinds, want string) string {
	id := r.text(n, path)
	if !slackID.MatchString(id) || !strings.ContainsRune(kinds, rune(id[0])) {
		r.fail(n, path, "%q is not %s", id, want)
	}
	return id
}

var slackID = regexp.MustCompile(`^[A-Z][A-Z0-9]+$`)

// knownActions are all actions of all providers.
func knownActions() []string {
	var known []string
	for _, a := range slices.Concat(compshare.Actions(), dataarts.Actions()) {
		known = append(known, string(a))
	}
	return known
}
