package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"countersign/workflow"
)

// watchEvery is how often the configuration file and the file of people are looked at, where that is asked for.
const watchEvery = 2 * time.Second

// reloads takes the policy and the people anew at each signal and, where that is asked for, when one of the
// files has changed.
func (a *App) reloads(ctx context.Context) error {
	var tick <-chan time.Time
	if a.o.Watch {
		t := time.NewTicker(watchEvery)
		defer t.Stop()
		tick = t.C
	}
	seen := a.stamps()
	for {
		via := "signal"
		select {
		case <-ctx.Done():
			return nil
		case <-a.o.Reload:
		case <-tick:
			now := a.stamps()
			if now == seen {
				continue
			}
			seen, via = now, "file"
		}
		if err := a.Reload(ctx, via); err != nil && !errors.Is(err, errUnchanged) {
			continue // it is logged; the policy in force stays
		}
	}
}

// stamps changes when a file does that the configuration is read from, or when it names another file of people.
func (a *App) stamps() string {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	return strings.Join([]string{stamp(a.cfg.File), a.people, stamp(a.people)}, "\x00")
}

// stamp changes when a file does.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// Reload reads the configuration anew and puts its policy and people in force: checked first, and refused as a whole
// if anything in it is wrong, or if anything else has changed, which needs a restart. Both are logged and audited.
func (a *App) Reload(ctx context.Context, via string) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	old := a.inForce.Load()
	cfg, err := LoadConfig(a.cfg.File)
	if wrong, ok := errors.AsType[*ConfigError](err); ok {
		a.people = cmp.Or(wrong.peopleCSV, a.people)
	}
	if err == nil {
		a.people = cfg.PeopleCSV
		err = fixed(a.cfg, cfg)
	}
	var shared []string
	if err == nil {
		if shared = a.lookAtChannels(ctx, cfg.Rules); len(shared) > 0 && cfg.PolicyHash() != old.PolicyHash() {
			err = errors.New(sharedSentence(shared))
		}
	}
	switch {
	case err != nil:
		a.metrics.reloads.WithLabelValues("refused").Inc()
		a.log.Error("the new configuration is refused; the policy in force stays", "policy", old.PolicyHash(), "via", via, "error", err)
		if e := a.recordReload(ctx, via, "refused, policy "+old.PolicyHash()+" stays: "+err.Error()); e != nil {
			a.log.Warn("the refusal could not be recorded", "error", e)
		}
		return err
	case cfg.PolicyHash() == old.PolicyHash():
		a.closeChannels(shared)
		a.metrics.reloads.WithLabelValues("unchanged").Inc()
		a.log.Info("policy and people are as they were", "policy", old.PolicyHash(), "via", via)
		return errUnchanged
	}
	detail := fmt.Sprintf("policy %s instead of %s: %d rules, %d people", cfg.PolicyHash(), old.PolicyHash(), len(cfg.Rules), len(cfg.People))
	if err := a.recordReload(ctx, via, detail); err != nil {
		a.metrics.reloads.WithLabelValues("refused").Inc()
		a.log.Error("the new policy is refused, since it could not be recorded", "policy", old.PolicyHash(), "error", err)
		return err
	}
	for _, w := range cfg.Warnings {
		a.log.Warn("the configuration allows what is probably not meant", "warning", w)
	}
	a.setPolicy(func(p *workflow.Policy) { p.Rules, p.Shared = cfg.Rules, nil })
	a.bot.SetPeople(cfg.People)
	a.inForce.Store(cfg)
	a.metrics.reloads.WithLabelValues("taken").Inc()
	a.log.Info("a new policy is in force", "policy", cfg.PolicyHash(), "before", old.PolicyHash(), "rules", len(cfg.Rules), "people", len(cfg.People), "via", via)
	return nil
}

const maxDetail = 500

func (a *App) recordReload(ctx context.Context, via, detail string) error {
	detail = strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], "")
	return record(context.WithoutCancel(ctx), a.store, "", workflow.Entry{At: a.o.Now(), Verb: actReload, Via: via, Detail: detail})
}

// setPolicy changes the policy in force; nobody else does meanwhile.
func (a *App) setPolicy(change func(*workflow.Policy)) {
	a.policy.Lock()
	defer a.policy.Unlock()
	p := a.engine.Policy()
	change(&p)
	a.engine.SetPolicy(p)
}

// fixed says what of a configuration has changed that needs a restart.
func fixed(old, now *Config) error {
	var changed []string
	for _, part := range []struct {
		name   string
		before any
		after  any
	}{
		{"slack", old.Slack, now.Slack},
		{"store", old.Store, now.Store},
		{"ops", old.Ops, now.Ops},
		{"audit", old.Audit, now.Audit},
		{"locale", old.Locale, now.Locale},
		{"systems", old.Systems, now.Systems},
	} {
		if !reflect.DeepEqual(part.before, part.after) {
			changed = append(changed, part.name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("%s changed too, which needs a restart: policy and people alone are taken while the process runs", strings.Join(changed, ", "))
	}
	return nil
}
