package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"countersign/bot"
	"countersign/workflow"
)

// Severity is how a check ended.
type Severity string

// How a check ended. Only Fail makes doctor fail.
const (
	OK   Severity = "ok"
	Warn Severity = "warn"
	Fail Severity = "FAIL"
)

// Finding is one line of doctor's report.
type Finding struct {
	Status Severity `json:"status"`
	// Name is the check, and what was checked where there are several: "channel C0APPROVALS".
	Name string `json:"name"`
	What string `json:"what"`
	Mend string `json:"mend,omitempty"`
	// Help is the anchor of the README that says more.
	Help string `json:"help"`
}

// String is the finding as people read it.
func (f Finding) String() string {
	s := fmt.Sprintf("%-4s %s: %s", f.Status, f.Name, f.What)
	if f.Mend != "" {
		s += " — " + f.Mend
	}
	return s
}

// DoctorOptions is what Doctor needs; all are required but Now.
type DoctorOptions struct {
	Config *Config
	Env    func(name string) string
	// Tell is given each finding as soon as it is there.
	Tell func(Finding)
	Now  func() time.Time
}

// Doctor checks a configuration against the world, without changing anything: it posts nothing, and calls no method of
// a cloud that changes something. It works while serve runs, and then asks that process for what only it can know.
func Doctor(ctx context.Context, o DoctorOptions) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &doctor{o: o, cfg: o.Config, accounts: map[string]accountResult{}, members: map[string]groupResult{}}
	d.config()
	d.process(ctx)
	d.slackTokens(ctx)
	if d.team != "" {
		d.channels(ctx)
		d.approvers(ctx)
	} else {
		d.warn("channel", "no channel, approver or user group was checked, because the bot's token was not accepted", "mend the token first")
	}
	for _, s := range o.Config.Systems {
		d.system(ctx, s)
	}
	d.clock()
	d.database(ctx)
}

// doctor is one examination.
type doctor struct {
	o       DoctorOptions
	cfg     *Config
	slack   *bot.Doctor
	scopes  []string
	team    string // the bot's own workspace; empty if the token was not accepted
	running *Status
	// skews are how far the clocks of others are from ours, by name.
	skews    []skew
	accounts map[string]accountResult
	members  map[string]groupResult
}

type skew struct {
	name string
	by   time.Duration
}

func (d *doctor) tell(s Severity, name, what, mend string) {
	check, _, _ := strings.Cut(name, " ")
	d.o.Tell(Finding{Status: s, Name: name, What: oneLine(what), Mend: oneLine(mend), Help: "#doctor-" + check})
}

// oneLine keeps what others wrote from looking like lines of ours.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

func (d *doctor) ok(name, format string, args ...any) {
	d.tell(OK, name, fmt.Sprintf(format, args...), "")
}

func (d *doctor) warn(name, what, mend string) { d.tell(Warn, name, what, mend) }

func (d *doctor) fail(name, what, mend string) { d.tell(Fail, name, what, mend) }

// config says what check would say in short.
func (d *doctor) config() {
	d.ok("config", "%s is fine: %d systems, %d rules, %d people", d.cfg.File, len(d.cfg.Systems), len(d.cfg.Rules), len(d.cfg.People))
	for _, w := range d.cfg.Warnings {
		d.warn("config", w, "see what countersign check says")
	}
}

// process asks the running process how it is.
func (d *doctor) process(ctx context.Context) {
	c, ok := runningClient(ctx, d.cfg)
	if !ok {
		d.ok("serve", "does not run on %s; what it would use is checked from here", d.cfg.Ops.Socket)
		return
	}
	defer c.Close()
	var s Status
	if err := c.JSON(ctx, "/status", &s); err != nil {
		d.fail("serve", "answers on "+d.cfg.Ops.Socket+", but not what it should: "+err.Error(), "run the same version of countersign for both")
		return
	}
	d.running = &s
	switch {
	case !s.Ready:
		d.fail("serve", fmt.Sprintf("runs as process %d, but Slack is not connected", s.PID), "see its log, and the lines below")
	case s.Policy != d.cfg.PolicyHash():
		d.warn("serve", fmt.Sprintf("runs as process %d with another policy than the file's", s.PID), "send it SIGHUP, and see in its log whether the file was taken")
	default:
		d.ok("serve", "runs as process %d, version %s, and takes commands", s.PID, s.Version)
	}
}

// teams are the workspaces whose members may act.
func (d *doctor) teams() []string {
	if len(d.cfg.Slack.TeamIDs) > 0 {
		return d.cfg.Slack.TeamIDs
	}
	return []string{d.team}
}

const (
	tooSkewed = 5 * time.Minute // beyond it Slack's signatures are refused
	skewed    = 30 * time.Second
)

// clock compares the clock of this machine with those of Slack and the clouds.
func (d *doctor) clock() {
	worst := skew{}
	for _, s := range d.skews {
		if s.by.Abs() >= worst.by.Abs() {
			worst = s
		}
	}
	what := fmt.Sprintf("this machine's clock and that of %s differ by %v", worst.name, worst.by.Abs().Round(time.Second))
	const mend = "set the clock, and keep it set with NTP: signatures are refused by it, and requests expire by it"
	switch {
	case len(d.skews) == 0:
		d.warn("clock", "nobody could be asked for the time", "mend what keeps Slack and the clouds from answering")
	case worst.by.Abs() > tooSkewed:
		d.fail("clock", what, mend)
	case worst.by.Abs() > skewed:
		d.warn("clock", what, mend)
	default:
		d.ok("clock", "this machine's clock agrees with Slack's and the clouds'")
	}
}

// groupsOf are the groups of a system that the policy names for actions that the system's own account carries out.
func (d *doctor) groupsOf(system string) []string {
	var groups []string
	for _, r := range d.cfg.Rules {
		if len(r.Systems) > 0 && !slices.Contains(r.Systems, system) {
			continue
		}
		invited := len(r.Actions) > 0 && !slices.ContainsFunc(r.Actions, func(a workflow.Action) bool {
			return a != workflow.Accept && a != workflow.Reject
		})
		if !invited && (len(r.Systems) > 0 || len(d.cfg.Systems) == 1) {
			groups = append(groups, r.Groups...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// quiet is a logger for what doctor says itself.
var quiet = slog.New(slog.DiscardHandler)
