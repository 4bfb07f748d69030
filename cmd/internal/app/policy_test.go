package app_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/workflow"
)

// alonePolicy has rules under which one person alone could approve, by name, by user group and by both.
const alonePolicy = `
  - {name: by name, groups: ["1003"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD]}]}
  - {name: by user group, groups: ["1004"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [S0SOLO]}]}
  - {name: two places, groups: ["1005"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0BOB]}, {any_of: [S0SOLO, U0BOB]}]}
  - {name: enough, groups: ["1001"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [S0GPU]}]}
`

func TestPolicy_TellsWhoAloneCouldApprove(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: alonePolicy}, func(t *testing.T, w *world) {
		w.Slack.SetUserGroup(slackfake.UserGroup{ID: "S0SOLO", Handle: "solo", Name: "Solo", Users: []string{"U0LEAD"}})
		const told = "Nobody but you could approve this"
		for _, c := range []struct {
			user, group string
			want        bool
		}{
			{"U0LEAD", "1003", true},
			{"U0LEAD", "1004", true},
			{"U0LEAD", "1005", true}, // U0BOB would have to fill both places
			{"U0LEAD", "1001", false},
			{"U0REQ", "1003", false},
			{"U0REQ", "1004", false},
			{"U0REQ", "1005", false},
		} {
			answer := w.types(c.user, "invite 50002 to gpu-lab/"+c.group)
			if n := numberIn(answer); n == 0 || strings.Contains(answer, told) != c.want {
				t.Errorf("%s asks in %s: answered %q, told so: want %t", c.user, c.group, answer, c.want)
			}
		}
		v := w.opens("U0LEAD")
		ack, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", ViewID: v.ID, Values: fill(
			"system", "gpu-lab", "group", "1004", "action", "invite", "who", "50006")})
		if err != nil || !ack.OK() {
			t.Fatalf("submit: %v %s", err, ack.Err)
		}
		done, _ := w.Slack.View("U0LEAD")
		if said := strings.Join(slackfake.BlockTexts(done.Blocks), " "); !strings.Contains(said, told) {
			t.Errorf("the form says %q, want %q in it", said, told)
		}
	})
}

// reload writes another policy and takes it as SIGHUP does.
func (w *world) reload(from, to string) {
	w.t.Helper()
	w.edits(from, to)
	if err := w.app.Reload(w.t.Context(), "signal"); err != nil {
		w.t.Fatalf("reload: %v", err)
	}
}

// A request is judged by the rule that it was made under and by the one that is now, whichever is stricter.
func TestPolicy_ChangedPolicyIsTheStricterOfTwo(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: `
  - {name: teams, systems: [gpu-lab], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, U0BOB]}]}
`}, func(t *testing.T, w *world) {
		old, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		if old.Rule.Name != "teams" || len(old.Rule.Hash()) < 16 {
			t.Errorf("the rule is kept as %q %q", old.Rule.Name, old.Rule.Hash())
		}
		w.reload("any_of: [U0LEAD, U0BOB]", "any_of: [U0LEAD, U0ALICE], count: 2")
		fresh, freshCard := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		if fresh.Rule.Hash() == old.Rule.Hash() {
			t.Error("the changed rule has the hash of the old one")
		}
		// Bob was an approver and is none; Alice is one and was none.
		for user, want := range map[string]string{"U0BOB": "您不再是此申请的审批人", "U0ALICE": "您不是此申请的审批人"} {
			w.refused(slackfake.ClickInput{User: user, Channel: card.Channel, TS: card.TS, ActionID: "approve"}, old.Number, want)
		}
		// Lena was and is one; alone she was enough, and is not.
		w.clicks("U0LEAD", card, "approve")
		w.eventually("her approval counts", func() bool { return len(w.request(old.Number).Decisions) == 1 })
		if got := w.request(old.Number).State; got != workflow.Pending {
			t.Errorf("state %s after one of the two approvals that are needed now, want pending", got)
		}
		// Alice may not, since the request was made under a rule without her: the card names nobody who would be refused.
		w.shows(old.Number, "1 of 2 approvals · nobody is left who could give the rest: ask anew (rule “teams”)")
		w.directly("U0REQ", "1 of 2 approvals are in")
		w.clicks("U0LEAD", freshCard, "approve")
		w.clicks("U0ALICE", freshCard, "approve")
		w.becomes(fresh.Number, workflow.Done)

		// Once more lenient: the two that the request was made under are still needed.
		two, twoCard := w.asks("U0REQ", "invite 50007 to gpu-lab/1001")
		w.reload("any_of: [U0LEAD, U0ALICE], count: 2", "any_of: [U0LEAD, U0ALICE, U0BOB]")
		w.clicks("U0LEAD", twoCard, "approve")
		w.eventually("her approval counts", func() bool { return len(w.request(two.Number).Decisions) == 1 })
		if got := w.request(two.Number).State; got != workflow.Pending {
			t.Errorf("state %s after one of the two approvals that it was made under, want pending", got)
		}
		w.refused(slackfake.ClickInput{User: "U0BOB", Channel: twoCard.Channel, TS: twoCard.TS, ActionID: "approve"}, two.Number, "您不是此申请的审批人")
		w.shows(two.Number, "1 of 2 approvals · <@U0ALICE> still needed (rule “teams”)")
		w.clicks("U0ALICE", twoCard, "approve")
		w.becomes(two.Number, workflow.Done)

		// No rule at all any more: nobody decides, and the requester can still withdraw.
		w.reload("systems: [gpu-lab], requesters", "systems: [warehouse], requesters")
		w.refused(slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "deny"}, old.Number, "no rule of it covers the request")
		w.types("U0REQ", "withdraw "+old.Number.String())
		w.becomes(old.Number, workflow.Withdrawn)
	})
}

// Whoever was an approver as a member of a user group that the policy no longer names is looked up in it all the same.
func TestPolicy_GroupThatTheRuleOfNowLeavesOut(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		w.reload("any_of: [U0LEAD, S0LOST]", "any_of: [U0LEAD]")
		w.reload("requesters: [S0GPU]", `requesters: ["*"]`)
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1005")
		w.reload("any_of: [S0GPU]", "any_of: [U0BOB, U0ALICE]")
		w.refused(slackfake.ClickInput{User: "U0ALICE", Channel: card.Channel, TS: card.TS, ActionID: "approve"}, r.Number, "您不是此申请的审批人")
		w.clicks("U0BOB", card, "approve")
		w.becomes(r.Number, workflow.Done)
	})
}

func TestConfig_WarnsOfRules(t *testing.T) {
	const systems = "systems: [{name: gpu-lab, provider: compshare, region: r}, {name: warehouse, provider: dataarts, region: cn-north-4, project_id: 0833a5736980d53b0f22c0102ffcbfc0}]\npolicy:\n"
	const tail = ", channel: C0A, approvers: [{any_of: [U0LEAD, U0BOB]}]}"
	for name, c := range map[string]struct {
		rules string
		want  []string
	}{
		"Fine": {`  - {name: a, systems: [gpu-lab], requesters: ["*"]` + tail, nil},
		"TwoEntriesOnePerson": {
			`  - {name: a, systems: [gpu-lab], requesters: ["*"], channel: C0A, approvers: [{any_of: [U0LEAD]}, {any_of: [U0LEAD]}]}`,
			[]string{`rule "a": nobody could ever approve`},
		},
		"ThreePlacesTwoPeople": {
			`  - {name: a, systems: [gpu-lab], requesters: ["*"], channel: C0A, approvers: [{any_of: [U0LEAD, U0BOB]}, {any_of: [U0BOB, U0LEAD], count: 2}]}`,
			[]string{"it needs 3 different people"},
		},
		"UserGroupMayHoldEnough": {
			`  - {name: a, systems: [gpu-lab], requesters: ["*"], channel: C0A, approvers: [{any_of: [U0LEAD]}, {any_of: [U0LEAD, S0GPU], count: 3}]}`, nil,
		},
		"RequesterAlone": {
			`  - {name: a, systems: [gpu-lab], requesters: [U0LEAD, U0REQ], channel: C0A, approvers: [{any_of: [U0LEAD]}]}`,
			[]string{`rule "a": nobody could approve what U0LEAD would ask for`},
		},
		"ShadowedByOne": {
			`  - {name: all, systems: [gpu-lab], requesters: ["*"]` + tail + "\n" +
				`  - {name: late, systems: [gpu-lab], groups: ["1001"], actions: [invite], requesters: [U0REQ]` + tail,
			[]string{`rule "late": it never decides anything, since "all", which come first`},
		},
		"ShadowedByTwo": {
			`  - {name: invites, actions: [invite, resend, cancel], requesters: ["*"]` + tail + "\n" +
				`  - {name: others, actions: [rename, accept, reject], requesters: ["*"]` + tail + "\n" +
				`  - {name: late, systems: [gpu-lab], requesters: ["*"]` + tail,
			[]string{`rule "late": it never decides anything, since "invites", "others"`},
		},
		"ShadowedByRoleOfAnotherName": {
			`  - {name: admins, systems: [warehouse], roles: [r00001], requesters: [U0REQ]` + tail + "\n" +
				`  - {name: late, systems: [warehouse], roles: [Admin], requesters: [U0REQ]` + tail,
			[]string{`rule "late": it never decides anything`},
		},
		"NotShadowed": {
			`  - {name: one, systems: [gpu-lab], groups: ["1001"], requesters: ["*"]` + tail + "\n" +
				`  - {name: two, systems: [gpu-lab], requesters: [U0REQ, S0GPU]` + tail + "\n" +
				`  - {name: three, systems: [gpu-lab], requesters: [U0REQ, U0ALICE]` + tail + "\n" +
				`  - {name: four, systems: [warehouse], roles: [viewer], requesters: ["*"]` + tail + "\n" +
				`  - {name: five, systems: [warehouse], actions: [drop-role, remove], requesters: ["*"]` + tail,
			nil,
		},
		"NobodyIsNoShadow": {
			`  - {name: nobody, systems: [gpu-lab], requesters: []` + tail + "\n" + `  - {name: all, systems: [gpu-lab], requesters: ["*"]` + tail,
			[]string{`rule "nobody": it names no requesters`},
		},
		"NoSuchAction":                   {`  - {name: a, systems: [gpu-lab], actions: [add], requesters: ["*"]` + tail, []string{"no system that it is for has such an action"}},
		"NoRolesThere":                   {`  - {name: a, systems: [gpu-lab], roles: [admin], requesters: ["*"]` + tail, []string{"no system that it is for has such an action"}},
		"WideOpen":                       {`  - {name: a, requesters: ["*"]` + tail, []string{`rule "a": it is wide open: every full member may ask for any action`}},
		"NamedRequestersAreNotEverybody": {`  - {name: a, requesters: [U0REQ, S0GPU]` + tail, nil},
		"AdminForEverybody": {
			`  - {name: a, systems: [warehouse], requesters: ["*"]` + tail,
			[]string{`rule "a": it is wide open: every full member may ask for the role admin in any workspace of warehouse`},
		},
		"AdminByTwo": {
			`  - {name: a, systems: [warehouse], requesters: ["*"], channel: C0A, approvers: [{any_of: [U0LEAD, U0BOB], count: 2}]}`, nil,
		},
		"AdminHasItsOwnRule": {
			`  - {name: admins, systems: [warehouse], roles: [admin], requesters: ["*"], channel: C0A, approvers: [{any_of: [U0LEAD, U0BOB], count: 2}]}` + "\n" +
				`  - {name: a, systems: [warehouse], requesters: ["*"]` + tail,
			nil,
		},
		"AdminOnlyTaken": {`  - {name: a, systems: [warehouse], actions: [drop-role, remove], requesters: ["*"]` + tail, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := app.ParseConfig("f.yaml", []byte(systems+c.rules+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if len(cfg.Warnings) != len(c.want) {
				t.Fatalf("warnings %q, want %d", cfg.Warnings, len(c.want))
			}
			for i, want := range c.want {
				if !strings.Contains(cfg.Warnings[i], want) {
					t.Errorf("warned %q, want %q in it", cfg.Warnings[i], want)
				}
			}
		})
	}
}

// share makes an approvals channel one that people of another organisation are in, or will be.
func (w *world) share(edit func(*slackfake.Channel)) {
	ch := slackfake.Channel{ID: rig.Channel, Name: "approvals", Members: []string{"U0BOT", "U0REQ", "U0LEAD", "U0ALICE", "U0BOB"}}
	edit(&ch)
	w.Slack.SetChannel(ch)
}

func TestSharedChannel_RefusesToStart(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*slackfake.Channel){
		"shared":                        func(c *slackfake.Channel) { c.IsExtShared = true },
		"invited":                       func(c *slackfake.Channel) { c.IsPendingExtShared = true },
		"shared in a way not told":      func(c *slackfake.Channel) { c.IsShared = true },
		"private, shared":               func(c *slackfake.Channel) { c.IsPrivate, c.IsExtShared = true, true },
		"allowed is another, not these": func(c *slackfake.Channel) { c.IsExtShared = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rigInBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
				w.share(edit)
				if strings.HasPrefix(name, "allowed") {
					w.edits("slack:\n", "slack:\n  shared_channels: [C0DATA]\n")
				}
				a := w.builds(app.Options{})
				err := a.Run(t.Context())
				if err == nil || !strings.Contains(err.Error(), "C0APPROVALS is shared with another organisation") || !strings.Contains(err.Error(), "slack.shared_channels") {
					t.Errorf("Run: %v, want a refusal with the mend", err)
				}
				if _, ok := errors.AsType[*app.ConfigError](err); !ok {
					t.Errorf("Run: %T, want one that exits 2", err)
				}
			})
		})
	}
	t.Run("allowed by name", func(t *testing.T) {
		t.Parallel()
		inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
			w.stop()
			w.share(func(c *slackfake.Channel) { c.IsExtShared = true })
			w.edits("slack:\n", "slack:\n  shared_channels: [C0APPROVALS]\n")
			w.start()
			r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
			w.refused(slackfake.ClickInput{User: "U0OUT", Channel: card.Channel, TS: card.TS, ActionID: "approve"}, r.Number, "another workspace")
			w.clicks("U0LEAD", card, "approve")
			w.becomes(r.Number, workflow.Done)
		})
	})
}

func TestSharedChannel_SilenceDelaysNoStart(t *testing.T) {
	t.Parallel()
	rigInBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.Slack.Fault(slackfake.Fault{Method: "conversations.info", Kind: slackfake.Hang, For: 14 * time.Second, Count: -1})
		began := time.Now()
		w.start()
		if took := time.Since(began); took > 12*time.Second { // less than one silence lasts
			t.Errorf("ready after %v", took)
		}
	})
}

// Slack that does not answer at the start holds nothing up; it is asked again, and what it then says is in force.
func TestSharedChannel_FoundOutLater(t *testing.T) {
	t.Parallel()
	rigInBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		clock := &pushed{}
		w.Slack.Fault(slackfake.Fault{Method: "conversations.info", Kind: slackfake.ErrorCode, Code: "internal_error", Count: -1})
		w.startWith(app.Options{Now: clock.now})
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.share(func(c *slackfake.Channel) { c.IsExtShared = true })
		w.Slack.ClearFaults()
		clock.push(2 * time.Minute)
		w.eventually("the bot knows that the channel is shared", func() bool { return len(w.app.Engine().Policy().Shared) == 1 })

		click := slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}
		w.refused(click, r.Number, "shared with another organisation")
		if got := w.types("U0REQ", "invite 50006 to gpu-lab/1001"); numberIn(got) != 0 || !strings.Contains(got, "`slack.shared_channels`") {
			t.Errorf("asking is answered %q, want a refusal with the mend", got)
		}
		// What Slack said last holds as long as it says nothing.
		w.Slack.Fault(slackfake.Fault{Method: "conversations.info", Kind: slackfake.Status500HTML, Count: -1})
		if err := w.app.Reload(t.Context(), "signal"); err == nil {
			t.Error("the policy is taken anew, though it has not changed")
		}
		w.refused(click, r.Number, "shared with another organisation")
		w.Slack.ClearFaults()

		w.share(func(*slackfake.Channel) {})
		clock.push(5 * time.Minute)
		w.eventually("the channel is private again", func() bool { return len(w.app.Engine().Policy().Shared) == 0 })
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
	})
}

func TestSharedChannel_RefusesTheReload(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.edits("channel: C0APPROVALS", "channel: C0SHARED")
		err := w.app.Reload(t.Context(), "signal")
		if err == nil || !strings.Contains(err.Error(), "C0SHARED is shared with another organisation") {
			t.Errorf("Reload: %v, want a refusal", err)
		}
		r, _ := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		if r.Rule.Channel != rig.Channel {
			t.Errorf("the rule in force posts to %s", r.Rule.Channel)
		}
	})
}

func TestConfig_SharedChannels(t *testing.T) {
	const rest = "systems: [{name: gpu-lab, provider: compshare}]\npolicy: [{name: a, requesters: [\"*\"], groups: [\"1\"], channel: C0A, approvers: [{any_of: [U0LEAD, U0BOB]}]}]\n"
	cfg, err := app.ParseConfig("f.yaml", []byte("slack: {shared_channels: [C0A, G0B]}\n"+rest))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 2 || !strings.Contains(cfg.Warnings[0], "slack.shared_channels: C0A may be shared") {
		t.Errorf("warnings %q, want one for each", cfg.Warnings)
	}
	for bad, want := range map[string]string{
		"C0A": "a list is needed", "[U0LEAD]": `"U0LEAD" is not a channel ID`, "[general]": "is not a channel ID", "[{a: b}]": "a text is needed",
	} {
		if _, err := app.ParseConfig("f.yaml", []byte("slack: {shared_channels: "+bad+"}\n"+rest)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", bad, err, want)
		}
	}
}

// Help shows what this person may ask for, as it is typed under the live configuration, and nothing else.
func TestHelp_ShowsWhatThisPersonMayAskFor(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: `
  - {name: invites, systems: [gpu-lab], groups: ["2001"], actions: [invite], requesters: [U0REQ], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD]}]}
  - {name: auditors, systems: [warehouse], groups: ["` + space + `"], actions: [add], roles: [data auditor], requesters: [S0GPU], channel: C0APPROVALS, max_duration: 36h, approvers: [{any_of: [U0LEAD]}]}
`}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			user      string
			want, not []string
		}{
			{"U0REQ", []string{"`/access invite 50002 to gpu-lab/2001 as 张三 because training run`", "WHO is an ID"}, []string{"resend", "warehouse", "add @alice", "No rule"}},
			{"U0BOB", []string{"`/access add @alice to warehouse/" + space + " as \"data auditor\" for 1d12h because on call`"}, []string{"gpu-lab", "role @alice", "remove @alice"}},
			{"U0ALICE", []string{"策略不允许您申请任何变更", "pending"}, []string{"gpu-lab", "warehouse", "@alice"}},
			{"U0GUEST", []string{"Guests cannot ask or decide"}, []string{"gpu-lab", "mine"}},
		} {
			got := w.types(c.user, "help")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s reads %q, want %q in it", c.user, got, want)
				}
			}
			for _, not := range c.not {
				if strings.Contains(got, not) {
					t.Errorf("%s reads %q, want no %q in it", c.user, got, not)
				}
			}
			if lines := strings.Count(got, "\n"); lines > 12 {
				t.Errorf("%s reads %d lines", c.user, lines)
			}
		}
		// What help shows can be typed as it stands.
		w.asks("U0REQ", "invite 50002 to gpu-lab/2001 as 张三 because training run")
	})
	t.Run("every action once", func(t *testing.T) {
		t.Parallel()
		w := newRig(t, rig.Options{})
		for _, name := range []string{"gpu-two", "gpu-three"} {
			w.edits("  - {name: warehouse", "  - {name: "+name+", provider: compshare, region: cn-wlcb}\n  - {name: warehouse")
		}
		w.edits("systems: [gpu-lab]", "systems: [gpu-lab, gpu-two, gpu-three]")
		w.start()
		got := w.types("U0REQ", "help")
		if strings.Count(got, "/access invite") != 2 || !strings.Contains(got, "The same on *gpu-two*, *gpu-three*.") { // the fake shows text and blocks
			t.Errorf("help reads %q, want each action once and the other systems named", got)
		}
	})
}
