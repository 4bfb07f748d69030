//go:build linux

package crash_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
)

// TestFull_IsNotRecorded takes the room away from the running process, as a full disk does, and gives it back.
func TestFull_IsNotRecorded(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the real binary")
	}
	w := newWorld(t, "")
	p := w.serve("")
	if _, ok := w.ready(p, startLimit); !ok {
		t.Fatal("the process does not become ready")
	}
	slash := func(text string) slackfake.Ack {
		ack, err := w.Slack.Slash(t.Context(), slackfake.SlashInput{
			User: requester(0), Channel: "C0LOAD", Command: "/access", Text: text,
		})
		if err != nil || !ack.OK() {
			t.Fatalf("%q is answered %+v, %v", text, ack, err)
		}
		return ack
	}
	invite := func(i int) string { return fmt.Sprintf("invite %d to gpu-lab/1001", 60000+i) }
	slash(invite(0))
	var card slackfake.Message
	until(t, "the card posted", func() bool {
		cards := w.Slack.Messages("C0APPROVALS")
		if len(cards) > 0 {
			card = cards[0]
		}
		return len(cards) > 0
	})

	info, err := os.Stat(filepath.Join(w.dir, "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	room := func(n uint64) {
		if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	room(uint64(info.Size()))
	acknowledged := []string{"#1"}
	refused := ""
	for i := 1; refused == "" && i < 5000; i++ {
		if ack := slash(invite(i)); strings.Contains(ack.Text, "#") {
			acknowledged = append(acknowledged, numbersIn.FindString(ack.Text))
		} else {
			refused = ack.Text
		}
	}
	if !strings.Contains(refused, "not recorded") {
		t.Fatalf("with a full disk a command is answered %q", refused)
	}
	room(0) // so that not even pages that were let go can be written again
	click, err := w.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"})
	if err != nil || !click.OK() {
		t.Errorf("a click is answered %+v, %v", click, err)
	}
	until(t, "the clicker told", func() bool {
		return slices.ContainsFunc(w.Slack.AllMessages(), func(m slackfake.Message) bool {
			return m.Ephemeral && m.To == "U0LEAD" && strings.Contains(slackfake.Text(m), "not recorded")
		})
	})
	if got := slash("show 1").Text; !strings.Contains(got, "pending") {
		t.Errorf("what is stored is shown as %q", got)
	}
	if n := len(w.CompShare.Mutations()); n != 0 {
		t.Errorf("%d calls were made of what could not be recorded", n)
	}
	if log := w.log.tail(100_000); !strings.Contains(log, "file too large") && !strings.Contains(log, "no room") {
		t.Errorf("the log does not name the cause:\n%s", w.log.tail(2000))
	}

	room(unix.RLIM_INFINITY)
	until(t, "a command taken again", func() bool {
		ack := slash(invite(9999))
		if strings.Contains(ack.Text, "#") {
			acknowledged = append(acknowledged, numbersIn.FindString(ack.Text))
		}
		return strings.Contains(ack.Text, "#")
	})
	if _, err := w.Slack.Click(t.Context(), slackfake.ClickInput{User: "U0LEAD", Channel: card.Channel, TS: card.TS, ActionID: "approve"}); err != nil {
		t.Error(err)
	}
	until(t, "the call made", func() bool { return len(w.CompShare.Mutations()) == 1 })
	var views []app.View
	if err := w.ask("/requests?limit=10000", &views); err != nil {
		t.Fatal(err)
	}
	stored := map[string]bool{}
	for _, v := range views {
		stored[fmt.Sprint("#", v.Number)] = true
	}
	for _, n := range acknowledged {
		if !stored[n] {
			t.Errorf("%s was acknowledged and is not stored", n)
		}
	}
	t.Logf("%d requests acknowledged", len(acknowledged))
	until(t, "all that is owed done", func() bool { return len(w.owed()) == 0 })
	w.stop(p)
	complain(t, w.file())
}
