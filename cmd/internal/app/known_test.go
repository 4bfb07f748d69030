package app_test

import (
	"strings"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// Whoever the configuration's people know by a cloud ID is shown and told as one who was mentioned, whether the ID was
// typed, chosen in the form or looked up by name.
func TestKnown_TheSubjectOfATypedIDIsTold(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		ends := func(r workflow.Request, card slackfake.Message) {
			t.Helper()
			w.clicks("U0LEAD", card, "approve")
			r, card = w.becomes(r.Number, workflow.Done)
			if text := slackfake.Text(card); r.Change.Subject.Slack != "U0ALICE" || !strings.Contains(text, "<@U0ALICE>") || !strings.Contains(text, r.Change.Subject.ID) {
				t.Errorf("%+v: the card reads\n%s\nwant <@U0ALICE> and the ID in it", r.Change.Subject, text)
			}
			w.once("word to the subject", "#"+r.Number.String(), w.dms("U0ALICE"))
		}
		ends(w.asks("U0REQ", "invite 0050002 to gpu-lab/1001"))
		ends(w.asks("U0REQ", "add "+alice+" to warehouse/"+space+" as viewer"))
		ends(w.asks("U0REQ", "remove user:alice from warehouse/"+space))

		v := w.opens("U0REQ")
		w.chooses("U0REQ", "system", "warehouse", "group", space, "action", "add")
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: fill(
			"system", "warehouse", "group", space, "action", "add", "who", alice, "role", "r00004")}); err != nil {
			t.Fatal(err)
		}
		ends(w.carded(4))
	})
}

// Nobody is taken for somebody else: an ID that is several people's, that is nobody's, that is a user group's, or that is
// somebody's on another kind of system, is nobody's.
func TestKnown_OnlyTheOneWhoseIDItIs(t *testing.T) {
	t.Parallel()
	rigInBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.edits("people:\n", "people:\n  - {slack: U0LEAD, compshare: 50002, dataarts: "+dataartsfake.GroupPlatform+"}\n")
		w.start()
		for typed, want := range map[string]string{
			"invite 50002 to gpu-lab/1001":                                                            "", // of two people
			"invite 50003 to gpu-lab/1001":                                                            "U0BOB",
			"invite 50009 to gpu-lab/1001":                                                            "",
			"invite @alice to gpu-lab/1002":                                                           "U0ALICE",
			"add " + alice + " to warehouse/" + space + " as viewer":                                  "U0ALICE",
			"add group:" + dataartsfake.GroupPlatform + " to warehouse/" + space + " as viewer":       "",
			"add " + dataartsfake.UserCarol + " to warehouse/" + space + " as viewer because mail me": "",
		} {
			if r, _ := w.asks("U0REQ", typed); r.Change.Subject.Slack != want {
				t.Errorf("%q is about %+v, want the Slack user %q", typed, r.Change.Subject, want)
			}
		}
	})
}

// Who decides does not hang on how the subject was typed: nobody but the requester is kept from deciding, and a subject
// who asked for it is the requester.
func TestKnown_DecidesNoMoreAndNoLess(t *testing.T) {
	t.Parallel()
	inBothModesAt(t, rig.Options{Policy: timePolicy}, func(t *testing.T, w *world, _ *pushed) {
		for _, who := range []string{"@bob", dataartsfake.UserBob, "user:bob"} {
			typed := "role " + who + " on warehouse/" + space + " as viewer"
			own, card := w.asks("U0BOB", typed)
			w.refused(slackfake.ClickInput{User: "U0BOB", Channel: card.Channel, TS: card.TS, ActionID: "approve"}, own.Number, "需由他人审批")
			w.types("U0BOB", "withdraw "+own.Number.String())
			r, card := w.asks("U0REQ", typed)
			if r.Change.Subject.Slack != "U0BOB" {
				t.Errorf("%q is about %+v, want U0BOB", typed, r.Change.Subject)
			}
			w.clicks("U0BOB", card, "approve")
			w.eventually("it is approved by its subject", func() bool { return len(w.request(r.Number).Decisions) == 1 })
		}
	})
}
