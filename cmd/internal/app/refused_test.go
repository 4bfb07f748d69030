package app_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

// typed is what the design says is refused as typed, each with words of its own sentence.
var refusedAsTyped = []struct{ name, typed, want string }{
	{"missing WHO, compshare", "invite to gpu-lab/1001", "*invite* needs to know who"},
	{"missing WHO, dataarts", "add warehouse/" + space + " as viewer", "*add* needs to know who"},
	{"missing target", "invite 50002", "Say where, as SYSTEM/GROUP"},
	{"nothing but the action", "remove", "Say where, as SYSTEM/GROUP"},
	{"a preposition and no target", "invite 50002 to", "Say where, as SYSTEM/GROUP"},
	{"empty group", "invite 50002 to gpu-lab/", "*gpu-lab/* is no target"},
	{"empty system", "invite 50002 to /1001", "*/1001* is no target"},
	{"no slash", "invite 50002 to gpu-lab", "*gpu-lab* is no target"},
	{"unknown system", "invite 50002 to nowhere/1001", "I know no system *nowhere*"},
	{"unknown action", "promote 50002 on gpu-lab/1001", "I do not know the action *promote*"},
	{"mistyped action", "invte 50002 to gpu-lab/1001", "Did you mean `/access invite"},
	{"unknown role", "add @alice to warehouse/" + space + " as king", "I know no role *king*"},
	{"one unknown role of two", `add @alice to warehouse/` + space + ` as "viewer,king"`, "I know no role *king*"},
	{"action of the other provider", "add 50002 to gpu-lab/1001 as x", "*add* is no action of *gpu-lab*"},
	{"action of the first provider", "invite @alice to warehouse/" + space, "*invite* is no action of *warehouse*"},
	{"remove on compshare", "remove 50003 from gpu-lab/1001", "no documented call that removes a joined member or changes a role"},
	{"role on compshare", "role 50003 on gpu-lab/1001 as admin", "no documented call that removes a joined member or changes a role"},
	{"company no number", "invite abc to gpu-lab/1001", "*abc* is no company ID"},
	{"company too large", "invite 4294967296 to gpu-lab/1001", "*4294967296* is no company ID"},
	{"company nought", "invite 0 to gpu-lab/1001", "*0* is no company ID"},
	{"company negative", "invite -5 to gpu-lab/1001", "*-5* is no company ID"},
	{"team no number", "invite 50002 to gpu-lab/team", "*team* is no team ID"},
	{"team too large", "invite 50002 to gpu-lab/99999999999", "*99999999999* is no team ID"},
	{"workspace too short", "add " + alice + " to warehouse/abc as viewer", "*abc* is no workspace ID"},
	{"workspace upper case", "add " + alice + " to warehouse/" + strings.ToUpper(space) + " as viewer", "is no workspace ID"},
	{"IAM ID too short", "add abc to warehouse/" + space + " as viewer", "*abc* is no IAM ID"},
	{"user group's ID too short", "add group:abc to warehouse/" + space + " as viewer", "is no IAM ID"},
	{"user group on compshare", "invite group:abc to gpu-lab/1001", "takes no user group"},
	{"rename without as", "rename 50003 on gpu-lab/1001", "*rename* needs a role or remark"},
	{"add without as", "add @alice to warehouse/" + space, "*add* needs a role or remark"},
	{"role without as", "role @alice on warehouse/" + space, "*role* needs a role or remark"},
	{"as without a value", "rename 50003 on gpu-lab/1001 as", "*rename* needs a role or remark"},
	{"as where there is none", "cancel 50004 on gpu-lab/1001 as x", "*cancel* takes no role or remark"},
	{"empty remark", `rename 50003 on gpu-lab/1001 as ""`, "remark cannot be used"},
	{"unclosed quote", `rename 50003 on gpu-lab/1001 as "李`, "A quote is opened and not closed"},
	{"unclosed smart quote", `rename 50003 on gpu-lab/1001 as “李`, "A quote is opened and not closed"},
	{"doubled preposition", "invite 50002 to to gpu-lab/1001", "*to* comes twice"},
	{"two prepositions", "invite 50002 to on gpu-lab/1001", "*on* comes twice"},
	{"doubled as", "rename 50003 on gpu-lab/1001 as x as y", "*as* comes twice"},
	{"doubled for", "add @alice to warehouse/" + space + " as viewer for 1d for 2d", "*for* comes twice"},
	{"unknown mention", "add @lena to warehouse/" + space + " as viewer", "I do not know the cloud ID of <@U0LEAD> on *warehouse*"},
	{"mention of nobody", "add @nobody to warehouse/" + space + " as viewer", "I do not know the cloud ID of *@nobody*"},
	{"empty item", "invite 50002,,50006 to gpu-lab/1001", "There is an empty place in that list"},
	{"empty first item", "invite ,50002 to gpu-lab/1001", "There is an empty place in that list"},
	{"empty last item", "invite 50002, to gpu-lab/1001", "There is an empty place in that list"},
	{"empty role", `add @alice to warehouse/` + space + ` as "viewer,"`, "There is an empty place in that list"},
	{"no duration", "add @alice to warehouse/" + space + " as viewer for ever", "*ever* is no duration"},
	{"duration without a unit", "add @alice to warehouse/" + space + " as viewer for 7", "*7* is no duration"},
	{"duration nought", "add @alice to warehouse/" + space + " as viewer for 0d", "*0d* is no duration"},
	{"duration negative", "add @alice to warehouse/" + space + " as viewer for -7d", "*-7d* is no duration"},
	{"for without a value", "add @alice to warehouse/" + space + " as viewer for", "is no duration"},
	{"duration above the rule's", "add @alice to warehouse/" + space + " as viewer for 31d", "*31d* is longer than the rule allows: at most *30d*"},
	{"for on compshare", "invite 50002 to gpu-lab/1001 for 7d", "*invite* cannot be limited in time"},
	{"WHO for accept", "accept 50001 gpu-lab/2001", "*accept* acts for the configured account itself"},
	{"unexpected word", "invite 50002 to gpu-lab/1001 please", "I did not expect *please*"},
	{"two WHO without a comma", "invite 50002 50006 to gpu-lab/1001", "I did not expect *50006*"},
	{"WHO twice", "invite 50002,050002 to gpu-lab/1001", "*50002* is named twice"},
	{"too long a reason", "invite 50002 to gpu-lab/1001 because " + strings.Repeat("x", 4000), "That is too long: at most *1000*"},
	{"too long a command", "invite 50002 to gpu-lab/1001 because " + strings.Repeat("x", 8000), "That is too long: at most *6000*"},
	{"too long a remark", "invite 50002 to gpu-lab/1001 as " + strings.Repeat("李", 65), "remark cannot be used"},
	{"a control character", "invite 50002 to gpu-lab/1001 because x\x07y", "control, hidden or direction-changing characters"},
	{"nought as a character", "invite 50002\x00 to gpu-lab/1001", "control, hidden or direction-changing characters"},
	{"right-to-left override", "invite 50002 to gpu-lab/1001 because \u202egnp", "control, hidden or direction-changing characters"},
	{"line separator", "invite 50002 to gpu-lab/1001 because x\u2028*Approved*", "control, hidden or direction-changing characters"},
	{"no width", "invite 50002 to gpu-lab/1001 because ap\u200bproved", "control, hidden or direction-changing characters"},
	{"number signs", "invite #42 to gpu-lab/1001", "*42* is no company ID"},
	{"a number sign as the action", "#42", "I do not know the action"},
	{"a role that escapes", "add @alice to warehouse/" + space + " as <!channel>", "I know no role"},
}

var numberSign = regexp.MustCompile(`#[0-9]`)

func TestRefused_AsTyped(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		sentences := map[string]string{}
		for _, c := range refusedAsTyped {
			got := w.types("U0REQ", c.typed)
			if !strings.Contains(got, c.want) {
				t.Errorf("%s: answered %q, want %q in it", c.name, got, c.want)
			}
			if numberSign.MatchString(got) {
				t.Errorf("%s: a refusal names a number: %q", c.name, got)
			}
			first, _, _ := strings.Cut(got, "\n")
			chinese, _, _ := strings.Cut(w.types("U0ALICE", c.typed), "\n")
			if chinese == first || !regexp.MustCompile(`\p{Han}`).MatchString(chinese) {
				t.Errorf("%s: alice reads %q, want Chinese", c.name, chinese)
			}
			sentences[first] = c.name
		}
		if n := w.stored(); n != 0 {
			t.Errorf("%d requests stored, want none", n)
		}
		for _, m := range w.Slack.AllMessages() {
			for _, token := range slackfake.MentionsIn(m) {
				if token != "<@U0LEAD>" { // the one that was asked about, in a private answer
					t.Errorf("a refusal mentions %s: %s", token, slackfake.Text(m))
				}
			}
		}
	})
}

func TestAccepted_AsTyped(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for typed, want := range map[string]string{
			"INVITE 50002 TO gpu-lab/1001":                                     "invite gpu-lab 1001 50002  ",
			"invite   50002\tto   gpu-lab/01001":                               "invite gpu-lab 1001 50002  ",
			"invite 50002 in gpu-lab/1001 because  to be as for ":              "invite gpu-lab 1001 50002  |to be as for",
			`invite 50002 to gpu-lab/1001 as "a b" because "quoted"`:           `invite gpu-lab 1001 50002 a b |"quoted"`,
			"invite 50002 to gpu-lab/1001 as “王 五”":                            "invite gpu-lab 1001 50002 王 五 ",
			"invite 50002 to gpu-lab/1001 because a & b <c> #data @channel":    "invite gpu-lab 1001 50002  |a & b <c> #data !channel",
			"invite 50002 to gpu-lab/1001 as a&amp;b because see &lt;this&gt;": "invite gpu-lab 1001 50002 a&amp;b |see &lt;this&gt;",
			"add " + alice + " warehouse/" + space + " for 1d12h as R00004":    "add warehouse " + space + " " + alice + "  r00004 36h0m0s",
			"role " + alice + " on warehouse/" + space + " as admin":           "role warehouse " + space + " " + alice + "  r00001",
		} {
			r := w.request(numberIn(w.types("U0REQ", typed)))
			c := r.Change
			got := strings.Join([]string{string(c.Action), c.System, c.Group, c.Subject.String(), c.Remark, c.RoleIDs()}, " ")
			if c.Limit > 0 {
				got += " " + c.Limit.String()
			}
			if r.Reason != "" {
				got += "|" + r.Reason
			}
			if got != want {
				t.Errorf("%q is read as\n%q, want\n%q", typed, got, want)
			}
		}
	})
}

// nasty is text that would ping, link or imitate, were it not made inert.
const nasty = "<!channel> <!here> <@U0ALICE> <!subteam^S0GPU> <https://evil.example|click> `code ``` *bold* &lt;!everyone&gt; #1"

func TestInjection_NothingTypedPings(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		ours := []string{"<@U0REQ>", "<@U0LEAD>", "<@U0BOB>", "<#C0APPROVALS>"}
		vendor := nasty + "\n*Request #7* · *done*\n\u202eevil"
		w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.RetCode, RetCode: 299, Message: vendor})
		ack := w.slash(slackfake.SlashInput{User: "U0REQ", Text: `invite 50006 to gpu-lab/1001 as "` + nasty[:50] + `" because ` + nasty})
		r, card := w.carded(numberIn(ack.Text))
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Failed)
		w.settled(r.Number)
		denied, other := w.asks("U0REQ", "invite 50006 to gpu-lab/1001")
		w.clicks("U0LEAD", other, "deny")
		form, _ := w.Slack.View("U0LEAD")
		block, action := theInput(t, form)
		values := map[string]map[string]any{block: {action: nasty + "\nsecond line\u202e\x07"}}
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0LEAD", Values: values}); err != nil {
			t.Fatal(err)
		}
		w.becomes(denied.Number, workflow.Denied)
		w.settled(denied.Number)
		for _, typed := range []string{"mine", "show " + r.Number.String(), "show " + denied.Number.String(), "pending"} {
			w.types("U0REQ", typed)
		}
		for _, m := range w.Slack.AllMessages() {
			for _, token := range slackfake.MentionsIn(m) {
				if !slices.Contains(ours, token) && !strings.HasPrefix(token, "<!date^") {
					t.Errorf("%s is in a message:\n%s", token, slackfake.Text(m))
				}
			}
			text := slackfake.Text(m)
			if strings.ContainsAny(text, "\u202e\x07") {
				t.Errorf("a steering character is in a message:\n%q", text)
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "*Request #7*") || strings.HasPrefix(line, "second line") {
					t.Errorf("the vendor or a person has a line of their own:\n%s", text)
				}
			}
		}
	})
}

func TestInjection_LongestTextsAreShown(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.RetCode, RetCode: 299, Message: strings.Repeat("<&>", 4000)})
		// Raw: a person who types 1000 ampersands, as Slack escapes them.
		ack := w.slash(slackfake.SlashInput{
			User: "U0REQ", Raw: true,
			Text: "invite 50002 to gpu-lab/1001 as " + strings.Repeat("&gt;", 64) + " because " + strings.Repeat("&amp;", 1000),
		})
		r, card := w.carded(numberIn(ack.Text))
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Failed)
		w.settled(r.Number)
		if got := w.threadOf(card, "RetCode 299"); strings.Count(got, "&") != strings.Count(got, ";") {
			t.Errorf("an escape is cut in the thread")
		}
		for _, c := range w.Slack.Calls("") {
			if c.Err() != "" && c.Err() != "no_such_subteam" {
				t.Errorf("%s: %s", c.Method, c.Err())
			}
		}
	})
}
