package app_test

import (
	"testing"
	"time"

	"github.com/slack-go/slack"

	"countersign/bot"
	"countersign/cmd/internal/rig"
	"countersign/store/postgres/pgtest"
	"countersign/workflow"
)

// A Home that one replica keeps up to date follows what another one commits, and is left to the other once it is opened
// there.
func TestReplicas_AHomeFollowsWhatIsCommittedElsewhere(t *testing.T) {
	t.Parallel()
	for _, mode := range []bot.Mode{bot.Socket, bot.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rig.Options{Mode: mode, Database: pgtest.New(t).DSN(t)})
			w.homeOf("U0LEAD")
			w.lists("U0LEAD", "waiting", nil)
			w.edits("socket: ./countersign.sock", "socket: ./other.sock")
			w.start() // from here on w.app is the other replica, which in HTTP mode takes every delivery
			engine, rita := w.app.Engine(), workflow.Actor{
				Person: workflow.Person{User: "U0REQ", Team: "T0HOME"}, Standing: workflow.FullMember,
			}
			var made []workflow.Request
			for _, company := range []string{"60001", "60002", "60003", "60004", "60005", "60006"} {
				rs, err := engine.Submit(t.Context(), workflow.Submission{Actor: rita, Via: "test", Drafts: []workflow.Draft{{
					Action: workflow.Invite, System: "gpu-lab", Group: "1001", Subject: workflow.Subject{Kind: workflow.Member, ID: company},
				}}})
				if err != nil {
					t.Fatal(err)
				}
				made = append(made, rs...)
			}
			w.lists("U0LEAD", "waiting", []string{"6", "5", "4", "3", "2"}, "older")
			withdraw := func(n workflow.Number) {
				t.Helper()
				if _, err := engine.Do(t.Context(), n, workflow.Command{Verb: workflow.Withdraw, Actor: rita, Via: "test"}); err != nil {
					t.Fatal(err)
				}
			}
			withdraw(made[5].Number)
			w.lists("U0LEAD", "waiting", []string{"5", "4", "3", "2", "1"})
			// Slack tells another replica that they open it: that one keeps it from now on.
			v, _ := w.Slack.Home("U0LEAD")
			if _, err := slack.New(w.Slack.BotToken(), slack.OptionAPIURL(w.Slack.APIURL())).PublishViewContext(t.Context(), slack.PublishViewContextRequest{
				UserID: "U0LEAD", View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}}},
			}); err != nil {
				t.Fatal(err)
			}
			before := len(w.Slack.Calls("views.publish"))
			withdraw(made[4].Number)
			w.eventually("the first one finds out", func() bool { return len(w.Slack.Calls("views.publish")) > before })
			withdraw(made[3].Number)
			time.Sleep(time.Second)
			if now, _ := w.Slack.Home("U0LEAD"); now.ID != v.ID || len(now.Blocks) != 1 || len(w.Slack.Calls("views.publish")) != before+1 {
				t.Errorf("the Home has %d blocks after %d publishes, want the other replica's one and no more than one try", len(now.Blocks), len(w.Slack.Calls("views.publish"))-before)
			}
		})
	}
}
