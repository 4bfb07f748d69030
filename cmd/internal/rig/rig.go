// Package rig is a whole world on loopback: the three emulators, and a configuration and an environment that point the
// real bot at them. The sandbox, the end-to-end tests and the crash harness run in it; the product never links it.
package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
)

// The IDs of the emulators' seeds that the configuration speaks of.
const (
	Team      = "1001"
	Workspace = dataartsfake.WorkspaceAnalytics
	Channel   = "C0APPROVALS"
	DataRoom  = "C0DATA"
)

// Options are how a world is to be; Dir is required.
type Options struct {
	// Dir holds the configuration, the database and the socket.
	Dir string
	// Mode is how Slack delivers; Socket Mode where empty.
	Mode bot.Mode
	// Policy is the YAML of the policy; DefaultPolicy where empty.
	Policy string
	// Locale is en or zh.
	Locale string
	// CallTimeout is the systems' call_timeout; the default where zero.
	CallTimeout string
	// Now is the emulators' clock; the wall clock where nil.
	Now func() time.Time
	// Listen is where the bot listens in HTTP mode, Ops its ops.listen; a free port where empty.
	Listen, Ops string
	// Database is the connection string of a PostgreSQL database; where empty, requests are kept in a file.
	Database string
}

// DefaultPolicy lets every full member ask, and two people decide.
const DefaultPolicy = `
  - name: gpu team
    systems: [gpu-lab]
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD, U0BOB]}
    channel: C0APPROVALS
    expires: 24h
  - name: workspace admins
    systems: [warehouse]
    roles: [admin]
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD]}
      - {any_of: [U0BOB, S0GPU]}
    channel: C0APPROVALS
    expires: 24h
    max_duration: 7d
  - name: workspace members
    systems: [warehouse]
    requesters: ["*"]
    approvers:
      - {any_of: [U0LEAD, U0BOB]}
    channel: C0APPROVALS
    expires: 24h
    max_duration: 30d
`

// Rig is a running world, without the bot.
type Rig struct {
	Slack     *slackfake.Server
	CompShare *compsharefake.Server
	DataArts  *dataartsfake.Server
	// ConfigFile is the bot's configuration, written to Dir.
	ConfigFile string
	env        map[string]string
}

// Start starts the emulators and writes the configuration.
func Start(o Options) (_ *Rig, err error) {
	r := &Rig{ConfigFile: filepath.Join(o.Dir, "countersign.yaml")}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.Slack, err = slackfake.Start(slackfake.Options{Now: o.Now}); err != nil {
		return nil, fmt.Errorf("start the Slack emulator: %w", err)
	}
	if r.CompShare, err = compsharefake.Start(compsharefake.Options{Now: o.Now}); err != nil {
		return nil, fmt.Errorf("start the CompShare emulator: %w", err)
	}
	if r.DataArts, err = dataartsfake.Start(dataartsfake.Options{}); err != nil {
		return nil, fmt.Errorf("start the DataArts emulator: %w", err)
	}
	r.env = map[string]string{
		"SLACK_BOT_TOKEN": r.Slack.BotToken(), "SLACK_APP_TOKEN": r.Slack.AppToken(),
		"SLACK_SIGNING_SECRET": r.Slack.SigningSecret(),
		"COMPSHARE_PUBLIC_KEY": compsharefake.PublicKey, "COMPSHARE_PRIVATE_KEY": compsharefake.PrivateKey,
		"CLOUD_SDK_AK": dataartsfake.AccessKey, "CLOUD_SDK_SK": dataartsfake.SecretKey,
	}
	if o.Database != "" {
		r.env["COUNTERSIGN_DATABASE_URL"] = o.Database
	}
	if err := os.WriteFile(r.ConfigFile, []byte(r.config(o)), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return r, nil
}

func (r *Rig) config(o Options) string {
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	timeout := ""
	if o.CallTimeout != "" {
		timeout = ", call_timeout: " + o.CallTimeout
	}
	database := "bolt: ./countersign.db"
	if o.Database != "" {
		database = "postgres: {dsn_env: COUNTERSIGN_DATABASE_URL}"
	}
	return fmt.Sprintf(`slack:
  mode: %s
  api_url: %s
  listen: %s
store:
  %s
ops:
  listen: %s
  socket: ./countersign.sock
locale: %s
systems:
  - {name: gpu-lab, provider: compshare, region: cn-wlcb, endpoint: "%s"%s}
  - {name: warehouse, provider: dataarts, region: cn-north-4, endpoint: "%s", iam_endpoint: "%s", project_id: %s, instance_id: %s%s}
people:
  - {slack: U0ALICE, compshare: 50002, dataarts: %s}
  - {slack: U0BOB, compshare: 50003, dataarts: %s}
policy:
%s`, or(string(o.Mode), string(bot.Socket)), r.Slack.APIURL(), or(o.Listen, "127.0.0.1:0"), database, or(o.Ops, "127.0.0.1:0"),
		or(o.Locale, "en"), r.CompShare.URL(), timeout, r.DataArts.URL(), r.DataArts.URL(),
		dataartsfake.ProjectID, dataartsfake.InstanceID, timeout, dataartsfake.UserAlice, dataartsfake.UserBob,
		strings.TrimPrefix(or(o.Policy, DefaultPolicy), "\n"))
}

// Env is the bot's environment.
func (r *Rig) Env(name string) string { return r.env[name] }

// Environ is the bot's environment as a process takes it.
func (r *Rig) Environ() []string {
	env := make([]string, 0, len(r.env))
	for k, v := range r.env {
		env = append(env, k+"="+v)
	}
	return env
}

// Secrets are the values that must appear nowhere.
func (r *Rig) Secrets() []string {
	var s []string
	for _, v := range r.env {
		s = append(s, v)
	}
	return s
}

// Deliver points Slack at the bot's listener, in HTTP mode.
func (r *Rig) Deliver(addr string) {
	base := "http://" + addr + "/slack/"
	r.Slack.SetHTTP(slackfake.HTTPTarget{
		Commands: base + "commands", Interactions: base + "interactions", Options: base + "options", Events: base + "events",
	})
}

// Close stops the emulators.
func (r *Rig) Close() error {
	var errs []error
	if r.Slack != nil {
		errs = append(errs, r.Slack.Close())
	}
	if r.CompShare != nil {
		errs = append(errs, r.CompShare.Close())
	}
	if r.DataArts != nil {
		errs = append(errs, r.DataArts.Close())
	}
	return errors.Join(errs...)
}
