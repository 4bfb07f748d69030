package app

import (
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"countersign/workflow"
)

// defaultExpires is how long a request stays pending where the rule does not say.
const defaultExpires = 24 * time.Hour

const people = "a user ID (U… or W…) or a user-group ID (S…)"

func (c *Config) readRule(r *reader, n ast.Node) {
	const p = "policy"
	rule := workflow.Rule{Expires: defaultExpires}
	r.mapping(n, p, fields{
		"name": r.string(&rule.Name, p+".name"),
		"systems": func(n ast.Node) {
			r.list(n, p+".systems", func(n ast.Node) { rule.Systems = append(rule.Systems, c.systemOf(r, n)) })
		},
		"groups": r.strings(&rule.Groups, p+".groups"),
		"actions": func(n ast.Node) {
			r.list(n, p+".actions", func(n ast.Node) {
				rule.Actions = append(rule.Actions, workflow.Action(oneOf(r, n, p+".actions", knownActions()...)))
			})
		},
		"roles": r.strings(&rule.Roles, p+".roles"),
		"requesters": func(n ast.Node) {
			r.list(n, p+".requesters", func(n ast.Node) {
				if r.text(n, p+".requesters") == workflow.Everyone {
					rule.Requesters = append(rule.Requesters, workflow.Everyone)
					return
				}
				rule.Requesters = append(rule.Requesters, readID(r, n, p+".requesters", "UWS", people+`, or "*"`))
			})
		},
		"approvers": func(n ast.Node) {
			r.list(n, p+".approvers", func(n ast.Node) { rule.Approvers = append(rule.Approvers, readApprovers(r, n)) })
		},
		"channel": func(n ast.Node) { rule.Channel = readID(r, n, p+".channel", "CGD", "a channel ID, as in C0APPROVALS") },
		"expires": r.duration(&rule.Expires, p+".expires"), "remind_every": r.duration(&rule.RemindEvery, p+".remind_every"),
		"max_duration": r.duration(&rule.MaxDuration, p+".max_duration"),
	})
	if rule.Name == "" {
		rule.Name = fmt.Sprintf("rule %d", len(c.Rules)+1)
	}
	c.checkRule(r, n, rule)
	c.Rules = append(c.Rules, rule)
}

func (c *Config) systemOf(r *reader, n ast.Node) string {
	name := r.text(n, "policy.systems")
	if !slices.ContainsFunc(c.Systems, func(s SystemConfig) bool { return s.Name == name }) {
		r.fail(n, "policy.systems", "there is no system %q", name)
	}
	return name
}

func readApprovers(r *reader, n ast.Node) workflow.Approvers {
	const p = "policy.approvers"
	a := workflow.Approvers{Count: 1}
	r.mapping(n, p, fields{
		"any_of": func(n ast.Node) {
			r.list(n, p+".any_of", func(n ast.Node) { a.AnyOf = append(a.AnyOf, readID(r, n, p+".any_of", "UWS", people)) })
		},
		"count": r.int(&a.Count, p+".count"),
	})
	users := slices.Clone(a.AnyOf)
	slices.Sort(users)
	users = slices.Compact(users)
	switch {
	case len(a.AnyOf) == 0:
		r.fail(n, p+".any_of", "somebody must be named: an empty list would let nobody approve")
	case a.Count < 1:
		r.fail(n, p+".count", "%d approvals are none: at least 1 is needed", a.Count)
	case !slices.ContainsFunc(users, workflow.IsUserGroup) && a.Count > len(users):
		r.fail(n, p+".count", "%d approvals are needed of %d people", a.Count, len(users))
	}
	return a
}

func (c *Config) checkRule(r *reader, n ast.Node, rule workflow.Rule) {
	if slices.ContainsFunc(c.Rules, func(o workflow.Rule) bool { return o.Name == rule.Name }) {
		r.fail(n, "policy.name", "there are two rules of the name %q", rule.Name)
	}
	if rule.Channel == "" {
		r.fail(n, "policy.channel", "the rule %q has no channel for its cards", rule.Name)
	}
	if len(rule.Approvers) == 0 {
		r.fail(n, "policy.approvers", "the rule %q has no approvers", rule.Name)
	}
	if len(rule.Requesters) == 0 {
		c.warn("rule %q: it names no requesters, so nobody may ask under it; \"*\" is every full member", rule.Name)
	}
}
