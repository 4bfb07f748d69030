package crash_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
)

// TestRestart_LooksOnceForManyCards kills the process while Slack takes no posts, when many cards are owed. The next one
// must not know which of them were posted, and must find out with a few calls, not with one for each.
func TestRestart_LooksOnceForManyCards(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the real binary")
	}
	w := newWorld(t, "")
	newLoad(w, time.Second).groups(1)
	w.Slack.Fault(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.ErrorCode, Code: "internal_error", Count: -1})
	p := w.serve("")
	if _, ok := w.ready(p, startLimit); !ok {
		t.Fatal("the process does not become ready")
	}
	const cards = 40
	var who []string
	for i := range cards {
		who = append(who, fmt.Sprint(7_000_000+i))
	}
	ack, err := w.Slack.Slash(t.Context(), slackfake.SlashInput{
		User: requester(0), Channel: "C0LOAD", Command: "/access", Text: "invite " + strings.Join(who, ",") + " to gpu-lab/5000",
	})
	if err != nil || !ack.OK() {
		t.Fatalf("the command failed: %+v, %v", ack, err)
	}
	until(t, "cards tried", func() bool { return len(w.Slack.Calls("chat.postMessage")) > 0 })
	p.kill()
	w.Slack.ClearFaults()
	before := len(w.Slack.Calls("conversations.history"))
	w.serve("")
	deadline := time.Now().Add(time.Minute)
	for shown := 0; shown < cards; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d cards are posted a minute after the restart", shown, cards)
		}
		time.Sleep(50 * time.Millisecond)
		var views []app.View
		if err := w.ask("/requests?limit=100", &views); err != nil {
			continue
		}
		shown = 0
		for _, v := range views {
			if v.TS != "" {
				shown++
			}
		}
	}
	if n := len(w.Slack.Messages("C0APPROVALS")); n != cards {
		t.Errorf("%d cards for %d requests", n, cards)
	}
	looks := len(w.Slack.Calls("conversations.history")) - before
	t.Logf("%d cards after a restart, %d looks through the channel", cards, looks)
	if looks > 8 {
		t.Errorf("%d looks through the channel for %d cards", looks, cards)
	}
}
