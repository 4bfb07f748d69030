package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// TestLogs_NoSecretUnderAnyFault breaks every call that the bot makes in every way that the emulators know, with the
// log at debug. That no secret is said, in the log or in Slack, is checked at the end of every world; here the metrics
// and the audit trail are looked through too, and that each line about a request bears its number.
func TestLogs_NoSecretUnderAnyFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rig.Options{CallTimeout: "1s"})
	slackFaults := []slackfake.Fault{
		{Kind: slackfake.Status500HTML},
		{Kind: slackfake.RateLimited, RetryAfter: "1"},
		{Kind: slackfake.RateLimited},
		{Kind: slackfake.RateLimitedOK},
		{Kind: slackfake.ErrorCode, Code: "internal_error"},
		{Kind: slackfake.ErrorCode, Code: "invalid_auth"},
		{Kind: slackfake.Hang, For: 200 * time.Millisecond},
		{Kind: slackfake.Slow, For: 50 * time.Millisecond},
		{Kind: slackfake.CutBefore},
		{Kind: slackfake.ApplyThenCut},
		{Kind: slackfake.ApplyThenHang, For: 50 * time.Millisecond},
		{Kind: slackfake.ApplyThenError, Code: "fatal_error"},
		{Kind: slackfake.Truncated},
	}
	for _, f := range slackFaults {
		for _, method := range []string{
			"chat.postMessage", "chat.update", "chat.postEphemeral", "users.info", "usergroups.users.list", "views.open",
			"views.publish", "response_url", "conversations.history", "conversations.replies",
		} {
			f.Method = method
			w.Slack.Fault(f)
		}
	}
	company := 51000
	ask := func(text string) {
		n := numberIn(w.types("U0REQ", text))
		if n == 0 {
			return // the look-up of the person was broken too: nothing was asked
		}
		for range 15 { // the card may be long in coming, for Slack is broken
			if w.request(n).Card.TS != "" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if m, ok := w.card(n); ok {
			for range 6 { // the look-up of the approver may be broken, which refuses the click
				if w.request(n).State != workflow.Pending {
					break
				}
				w.presses(slackfake.ClickInput{User: "U0LEAD", Channel: m.Channel, TS: m.TS, ActionID: "approve", Stale: true}) // the bot may have just denied it
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	for i := range 8 {
		ask(fmt.Sprintf("invite %d to gpu-lab/1001 because slack is broken", company+i))
	}
	company += 100
	for _, after := range []bool{false, true} {
		for i, kind := range compsharefake.FaultKinds() {
			f := compsharefake.Fault{
				Kind: kind, After: after, DelayMS: 1500, RetCode: 171, Message: "no", URL: w.Slack.URL(), Count: 1, Action: "CreateCompShareTeamRelation",
			}
			w.CompShare.Fault(f)
			f.Action = "GetCompShareTeamInfo"
			w.CompShare.Fault(f)
			ask(fmt.Sprintf("invite %d to gpu-lab/1001 because the cloud is broken", company+i))
		}
		company += 100
	}
	for i, kind := range dataartsfake.Kinds() {
		w.DataArts.AddFault(dataartsfake.Fault{Kind: kind, Delay: 100 * time.Millisecond, Status: http.StatusForbidden, Message: "no"})
		ask(fmt.Sprintf("add %032d to warehouse/%s as viewer because the cloud is broken", i, space))
	}
	time.Sleep(time.Second) // what is under way may still say something

	_, metrics := w.get("/metrics")
	var trail strings.Builder
	es, err := w.app.Store().Audit(t.Context(), 1, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		fmt.Fprintln(&trail, e)
	}
	said := w.log.String()
	for _, secret := range w.Secrets() {
		if strings.Contains(metrics, secret) || strings.Contains(trail.String(), secret) {
			t.Error("a secret is in the metrics or in the audit trail")
		}
	}
	for _, part := range []string{"/response/", "ticket="} { // addresses that are a right by themselves
		if strings.Contains(said, part) || strings.Contains(metrics, part) {
			t.Errorf("%q is in the log", part)
		}
	}
	for line := range strings.SplitSeq(said, "\n") {
		if strings.Contains(line, "component=runner") && !strings.Contains(line, " request=") {
			t.Errorf("a line of the runner without the request's number: %s", line)
		}
	}
	if got := strings.Count(said, "level=WARN") + strings.Count(said, "level=ERROR"); got < 10 {
		t.Errorf("only %d warnings and errors: were the faults taken?", got)
	}
}
