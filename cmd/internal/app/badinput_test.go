package app_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// anything is what people, and programs that are not Slack's client, may put into a field.
var anything = map[string]string{
	"nothing": "", "blanks": " \t ", "long": strings.Repeat("x", 4000), "long and wide": strings.Repeat("李", 4000),
	"as long as may be": strings.Repeat("𠮷", 1000), "families": strings.Repeat("👩‍👩‍👧‍👦", 300), "one letter, many marks": "e" + strings.Repeat("\u0301", 900),
	"right to left": "مرحبا שלום", "turned round": "\u202egnp.exe", "invisible": "\u200b\u200d\ufeff\u00ad", "nought": "a\x00b", "half a character": "\xff\xfe",
	"lines": "one\n*Request #7* · *done*\ntwo", "mentions": "<!channel> <@U0ALICE> <!subteam^S0GPU> <https://evil.example|click>", "escaped": "&lt;!everyone&gt; &amp;amp;",
	"markup": "```` `code` *bold* _it_ ~no~ >quote", "format": "%s %d %[9]s %!v(MISSING)", "json": `{"callback_id":"deny","private_metadata":"1"}`,
	"a command": "50002 to gpu-lab/1001 because x", "number": "#1", "commas": strings.Repeat(",", 500), "many": strings.Repeat("a,", 300),
}

// forged is a form whose fields hold what they hold, whatever kinds of input they are.
func forged(fields map[string]string) map[string]any {
	values := map[string]any{}
	for name, text := range fields {
		values[name] = map[string]any{name: map[string]any{
			"type": "plain_text_input", "value": text, "selected_option": map[string]any{"value": text},
		}}
	}
	return map[string]any{"view": map[string]any{"state": map[string]any{"values": values}}}
}

// sent is a form as it is after it was sent: its errors, or what it says.
func (w *world) sent(in slackfake.SubmitInput) (errs map[string]string, said string) {
	w.t.Helper()
	in.Force = true
	ack, err := w.Slack.Submit(w.t.Context(), in)
	if err != nil || !ack.OK() {
		w.t.Fatalf("%s submits: %v %s %s", in.User, err, ack.Err, ack.Text)
	}
	for _, v := range w.Slack.Views(in.User) {
		if v.ID == in.ViewID {
			return v.Errors, strings.Join(slackfake.BlockTexts(v.Blocks), " ")
		}
	}
	return nil, ""
}

// keptClean fails the test if something that was typed pings, or if Slack refused something that the bot sent.
func (w *world) keptClean() {
	w.t.Helper()
	ours := []string{"<@U0REQ>", "<@U0LEAD>", "<@U0BOB>", "<#C0APPROVALS>"}
	for _, m := range w.Slack.AllMessages() {
		for _, token := range slackfake.MentionsIn(m) {
			if !slices.Contains(ours, token) && !strings.HasPrefix(token, "<!date^") {
				w.t.Errorf("%s is in a message:\n%s", token, slackfake.Text(m))
			}
		}
		if strings.ContainsAny(slackfake.Text(m), "\u202e\x00") || !utf8.ValidString(slackfake.Text(m)) {
			w.t.Errorf("a steering character is in a message:\n%q", slackfake.Text(m))
		}
	}
	for _, c := range w.Slack.Calls("") {
		if c.Err() != "" {
			w.t.Errorf("%s: %s", c.Method, c.Err())
		}
	}
}

func TestBadInput_AnythingInAnyFieldOfTheForm(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.crowds()
		good := map[string]string{
			"system": "warehouse", "group": space, "action": "add", "who": dataartsfake.UserCarol, "role": "viewer", "for": "7d", "because": "on call",
		}
		for _, field := range slices.Sorted(maps.Keys(good)) {
			for name, text := range anything {
				bad := maps.Clone(good)
				bad[field] = text
				v := w.opens("U0REQ")
				before := w.stored()
				errs, said := w.sent(slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Patch: forged(bad)})
				made := w.stored() - before
				switch n := numberIn(said); {
				case n != 0 && made == 1 && len(errs) == 0:
					if r := w.request(n); field == "because" && strings.TrimSpace(text) != "" && r.Reason == "" {
						t.Errorf("because %s: the reason is lost", name)
					}
				case made == 0 && len(errs) == 1:
					for at, why := range errs {
						if why == "" || utf8.RuneCountInString(why) > 1000 {
							t.Errorf("%s %s: the error at %s is %q", field, name, at, why)
						}
					}
				default:
					t.Errorf("%s %s: %d made, errors %v, said %q", field, name, made, errs, said)
				}
			}
		}
		w.eventually("every card", func() bool { return len(w.cards(rig.Channel)) == w.stored() })
		w.keptClean()
	})
}

func TestBadInput_AnythingAsTheReasonOfADenial(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for name, text := range anything {
			r, card := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
			w.clicks("U0LEAD", card, "deny")
			v, _ := w.Slack.View("U0LEAD")
			errs, _ := w.sent(slackfake.SubmitInput{User: "U0LEAD", ViewID: v.ID, Patch: forged(map[string]string{"reason": text})})
			got := w.request(r.Number)
			switch {
			case got.State == workflow.Denied && len(errs) == 0:
				if utf8.RuneCountInString(got.Decisions[0].Reason) > workflow.MaxReason {
					t.Errorf("%s: the reason has %d characters", name, utf8.RuneCountInString(got.Decisions[0].Reason))
				}
				w.becomes(r.Number, workflow.Denied)
				w.settled(r.Number)
			case got.State == workflow.Pending && len(errs) == 1:
				w.types("U0REQ", "withdraw "+r.Number.String())
			default:
				t.Errorf("%s: it is %s, errors %v", name, got.State, errs)
			}
		}
		w.keptClean()
	})
}

func TestBadInput_FormsSentTwice(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		ask := slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Force: true, Patch: forged(map[string]string{
			"system": "gpu-lab", "group": "1001", "action": "invite", "who": "50002", "because": "once",
		})}
		ask.Patch["view"].(map[string]any)["callback_id"] = "request"
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := w.Slack.Submit(t.Context(), ask); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		errs, said := w.sent(ask) // and once more when it is long made
		if n := w.stored(); n != 1 || numberIn(said) != 1 || len(errs) > 0 {
			t.Fatalf("%d requests of one form; it says %q %v", n, said, errs)
		}
		_, card := w.carded(1)
		w.clicks("U0LEAD", card, "deny")
		v, _ = w.Slack.View("U0LEAD")
		no := slackfake.SubmitInput{User: "U0LEAD", ViewID: v.ID, Force: true, Values: fill("reason", "no")}
		for range 3 {
			wg.Go(func() {
				if _, err := w.Slack.Submit(t.Context(), no); err != nil && !strings.Contains(err.Error(), "no modal") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r, _ := w.becomes(1, workflow.Denied)
		w.settled(1)
		if len(r.Decisions) != 1 {
			t.Errorf("decisions %v, want one", r.Decisions)
		}
		told := 0
		for _, m := range w.Slack.DM("U0REQ") {
			if strings.Contains(slackfake.Text(m), "denied your request") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the requester was told %d times", told)
		}
	})
}

func TestBadInput_ForgedForms(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: authorityPolicy}, func(t *testing.T, w *world) {
		other, _ := w.asks("U0REQ", "invite 50006 to gpu-lab/1005") // of the user group, in which Alice is not
		own, _ := w.asks("U0LEAD", "invite 50007 to gpu-lab/1001")
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1002")
		denies := func(user string, patch map[string]any) map[string]string {
			t.Helper()
			w.clicks(user, card, "deny")
			v, _ := w.Slack.View(user)
			if v.CallbackID != "deny" {
				t.Fatalf("%s: the form is %q", user, v.CallbackID)
			}
			errs, _ := w.sent(slackfake.SubmitInput{User: user, ViewID: v.ID, Values: fill("reason", "no"), Patch: patch})
			return errs
		}
		for name, c := range map[string]struct {
			user, metadata, want string
		}{
			"empty":                 {"U0LEAD", "", "is no request number"},
			"a word":                {"U0LEAD", "request", "is no request number"},
			"nought":                {"U0LEAD", "0", "is no request number"},
			"negative":              {"U0LEAD", "-1", "is no request number"},
			"too large":             {"U0LEAD", "99999999999999999999", "is no request number"},
			"another shape":         {"U0LEAD", `{"request":1}`, "is no request number"},
			"a request that is not": {"U0LEAD", "4711", "There is no request"},
			"one they may not":      {"U0ALICE", other.Number.String(), "您不是此申请的审批人"},
			"their own":             {"U0LEAD", own.Number.String(), "somebody else must decide"},
		} {
			errs := denies(c.user, map[string]any{"view": map[string]any{"private_metadata": c.metadata}})
			if got := strings.Join(slices.Collect(maps.Values(errs)), " "); !strings.Contains(got, c.want) {
				t.Errorf("%s: the form says %q, want %q in it", name, got, c.want)
			}
		}
		// Sent by somebody else than opened it: judged as theirs.
		for user, want := range map[string]string{"U0REQ": "somebody else must decide", "U0GUEST": "Guests cannot", "U0OUT": "another workspace"} {
			errs := denies("U0BOB", map[string]any{"user": map[string]any{"id": user}})
			if got := strings.Join(slices.Collect(maps.Values(errs)), " "); !strings.Contains(got, want) {
				t.Errorf("sent by %s: the form says %q, want %q in it", user, got, want)
			}
		}
		for _, n := range []workflow.Number{other.Number, own.Number, r.Number} {
			if got := w.request(n); got.State != workflow.Pending || len(got.Decisions) > 0 {
				t.Errorf("request %v is %s with %d decisions", n, got.State, len(got.Decisions))
			}
		}
		// Decided by somebody else while the form was open.
		w.clicks("U0LEAD", card, "deny")
		v, _ := w.Slack.View("U0LEAD")
		w.types("U0REQ", "withdraw "+r.Number.String())
		errs, _ := w.sent(slackfake.SubmitInput{User: "U0LEAD", ViewID: v.ID, Values: fill("reason", "no")})
		if got := strings.Join(slices.Collect(maps.Values(errs)), " "); !strings.Contains(got, "can no longer be done") || !strings.Contains(got, "withdrawn") {
			t.Errorf("after it was withdrawn the form says %q", got)
		}
	})
}

// A user group that was deleted approves nothing; whoever is named still does, and what nobody can decide any more can
// be withdrawn.
func TestBadInput_DeletedUserGroup(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: `
  - {name: a user group, groups: ["1005"], requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [S0GPU]}]}
  - {name: a person or a group, requesters: ["*"], channel: C0APPROVALS, approvers: [{any_of: [U0LEAD, S0GPU]}]}
`}, func(t *testing.T, w *world, clock *pushed) {
		only, onlyCard := w.asks("U0REQ", "invite 50002 to gpu-lab/1005")
		both, bothCard := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.Slack.SetUserGroup(slackfake.UserGroup{ID: "S0GPU", Handle: "gpu-owners", Name: "GPU owners", Users: []string{"U0LEAD", "U0BOB"}, Disabled: true})
		clock.push(6 * time.Minute) // a group is believed for five
		for _, user := range []string{"U0LEAD", "U0BOB"} {
			want := map[string]string{"U0LEAD": "which groups you are in", "U0BOB": "用户组"}[user]
			w.refused(slackfake.ClickInput{User: user, Channel: onlyCard.Channel, TS: onlyCard.TS, ActionID: "approve"}, only.Number, want)
		}
		w.refused(slackfake.ClickInput{User: "U0BOB", Channel: bothCard.Channel, TS: bothCard.TS, ActionID: "approve"}, both.Number, "用户组")
		w.clicks("U0LEAD", bothCard, "approve")
		w.becomes(both.Number, workflow.Done)
		w.types("U0REQ", "withdraw "+only.Number.String())
		w.becomes(only.Number, workflow.Withdrawn)
	})
}

// A channel that takes no card: the requester is told so once, and the request is decided on the Home.
func TestBadInput_NoCardCanBePosted(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*slackfake.Channel){
		"archived":    func(c *slackfake.Channel) { c.IsArchived = true },
		"bot removed": func(c *slackfake.Channel) { c.Members = []string{"U0REQ", "U0LEAD", "U0BOB"} },
		"private now": func(c *slackfake.Channel) { c.IsPrivate, c.Members = true, []string{"U0LEAD", "U0BOB"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
				w.share(edit)
				n := numberIn(w.types("U0REQ", "invite 50002 to gpu-lab/1001 because training"))
				w.directly("U0REQ", "could not be posted in <#C0APPROVALS>")
				if got := w.request(n); got.State != workflow.Pending || got.Card.TS != "" {
					t.Fatalf("it is %s with the card %+v", got.State, got.Card)
				}
				if said := w.types("U0LEAD", "pending"); numberIn(said) != n {
					t.Errorf("an approver's list says %q", said)
				}
				if _, err := w.Slack.OpenHome(t.Context(), "U0LEAD"); err != nil {
					t.Fatal(err)
				}
				w.eventually("a Home with the request", func() bool {
					v, _ := w.Slack.Home("U0LEAD")
					return strings.Contains(strings.Join(slackfake.BlockTexts(v.Blocks), "\n"), "#"+n.String())
				})
				v, _ := w.Slack.Home("U0LEAD")
				w.presses(slackfake.ClickInput{User: "U0LEAD", ViewID: v.ID, ActionID: "approve"})
				w.eventually("done", func() bool { return w.request(n).State == workflow.Done })
				w.directly("U0REQ", "done")
				w.settled(n)
				told := 0
				for _, m := range w.Slack.DM("U0REQ") {
					if strings.Contains(slackfake.Text(m), "could not be posted") {
						told++
					}
				}
				if got := w.calls(); told != 1 || len(got) != 1 {
					t.Errorf("told %d times, calls %v; want one of each", told, got)
				}
			})
		})
	}
}

// A channel that is archived when the card is in it: the card stays as it was, the request goes on, and so does a click.
func TestBadInput_ChannelArchivedLater(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		r, card := w.asks("U0REQ", "invite 50002 to gpu-lab/1001")
		w.settled(r.Number)
		w.share(func(c *slackfake.Channel) { c.IsArchived = true })
		w.clicks("U0LEAD", card, "approve")
		w.eventually("done", func() bool { return w.request(r.Number).State == workflow.Done })
		w.directly("U0REQ", "done")
		w.settled(r.Number)
		w.refused(slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve", Stale: true}, r.Number, "已不能这样操作")
	})
}

// A card that could not be posted is posted at the next change after its channel takes it; the requester is told of it
// once.
func TestBadInput_CardComesLater(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.share(func(c *slackfake.Channel) { c.IsArchived = true })
		n := numberIn(w.types("U0REQ", "add "+alice+" to warehouse/"+space+" as admin"))
		w.directly("U0REQ", "could not be posted")
		approves := func(user string) {
			t.Helper()
			if _, err := w.Slack.OpenHome(t.Context(), user); err != nil {
				t.Fatal(err)
			}
			w.eventually("a Home with the request", func() bool {
				v, _ := w.Slack.Home(user)
				return strings.Contains(strings.Join(slackfake.BlockTexts(v.Blocks), "\n"), "#"+n.String())
			})
			v, _ := w.Slack.Home(user)
			w.presses(slackfake.ClickInput{User: user, ViewID: v.ID, ActionID: "approve"})
		}
		approves("U0LEAD")
		w.directly("U0REQ", "1 of 2 approvals are in")
		w.settled(n)
		w.once("word to the requester", "could not be posted", w.dms("U0REQ"))
		w.share(func(*slackfake.Channel) {})
		approves("U0BOB")
		w.becomes(n, workflow.Done)
	})
}
