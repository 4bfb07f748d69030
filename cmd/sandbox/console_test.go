package main

import (
	"net/http"
	"strings"
	"testing"

	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
)

// directly waits until a person's direct messages with the bot hold a text.
func (s *served) directly(as, want string) {
	s.t.Helper()
	s.eventually(as+" is told "+want, func() bool {
		for _, c := range s.sees(as).Channels {
			for _, m := range c.Messages {
				if c.Direct && strings.Contains(m.Text, want) {
					return true
				}
			}
		}
		return false
	})
}

// inThread waits until a reply to a card holds a text.
func (s *served) inThread(card message, want string) {
	s.t.Helper()
	s.eventually("the thread says "+want, func() bool {
		for _, c := range s.sees("U0LEAD").Channels {
			for _, m := range c.Messages {
				if m.ThreadTS == card.TS && m.TS != card.TS && strings.Contains(m.Text, want) {
					return true
				}
			}
		}
		return false
	})
}

func (s *served) asks(text, word string) message {
	s.t.Helper()
	s.must("slash", slashAct{As: "U0REQ", Channel: "C0GENERAL", Text: text})
	return s.waitCard("U0LEAD", word, "→")
}

func (s *served) presses(as string, card message, action string) {
	s.t.Helper()
	s.must("click", clickAct{As: as, Channel: "C0APPROVALS", TS: card.TS, ActionID: action})
}

// memberOf is a member of a workspace, as the page shows it.
func (s *served) memberOf(name string) (m member, there bool) {
	for _, ws := range s.sees("U0REQ").DataArts {
		for _, m := range ws.Members {
			if ws.ID == rig.Workspace && m.Name == name {
				return m, true
			}
		}
	}
	return m, false
}

func TestConsole(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("console", consoleAct{Team: 1001, Company: 50003, Status: compsharefake.Joined, Remark: "王五"})
	s.must("console", consoleAct{Team: 1001, Company: 50006, Status: compsharefake.Pending})
	s.must("console", consoleAct{Team: 1001, Company: 50004})
	for company, want := range map[uint32]string{50003: "Joined", 50006: "Pending", 50004: ""} {
		if got := s.CompShare.Status(1001, company); got != want {
			t.Errorf("%d is %q, want %q", company, got, want)
		}
	}
	s.must("console", consoleAct{Workspace: rig.Workspace, Member: dataartsfake.UserBob, Roles: []string{"r00004", "r00002"}})
	s.must("console", consoleAct{Workspace: rig.Workspace, Member: dataartsfake.GroupPlatform, Group: true, Roles: []string{"r00004"}})
	s.must("console", consoleAct{Workspace: rig.Workspace, Member: dataartsfake.UserCarol})
	s.must("console", consoleAct{Workspace: rig.Workspace, Member: dataartsfake.UserOwner, Roles: []string{"r00003"}})
	for name, want := range map[string]string{"bob": "viewer,developer", "platform": "viewer", "owner": "operator"} {
		if m, _ := s.memberOf(name); strings.Join(m.Roles, ",") != want || m.Owner != (name == "owner") || m.Group != (name == "platform") {
			t.Errorf("%s is %+v, want %s", name, m, want)
		}
	}
	if m, there := s.memberOf("carol"); there {
		t.Errorf("carol is still there: %+v", m)
	}
	for _, bad := range []consoleAct{
		{Team: 4711, Company: 50003, Status: "Joined"},
		{Team: 1001, Status: "Joined"},
		{Team: 1001, Company: 50001, Status: "Joined"},
		{Team: 1001, Company: 50003, Status: "King"},
		{Workspace: "nowhere", Member: dataartsfake.UserBob, Roles: []string{"r00004"}},
		{Workspace: rig.Workspace, Member: strings.Repeat("9", 32), Roles: []string{"r00004"}},
		{Workspace: rig.Workspace, Member: dataartsfake.UserBob, Group: true, Roles: []string{"r00004"}},
		{Workspace: rig.Workspace, Member: dataartsfake.UserBob, Roles: []string{"r99999"}},
		{},
	} {
		if status, _ := s.post("console", bad); status != http.StatusConflict {
			t.Errorf("%+v was taken: %d", bad, status)
		}
	}
	if got := len(s.CompShare.Calls()) + len(s.DataArts.Calls()); got != 0 {
		t.Errorf("%d calls: the console is not the bot's", got)
	}
}

// The story's steps without a browser: a difference, a drift that needs a new signature, a refusal and its retry.
func TestConsole_DriftNeedsANewSignature(t *testing.T) {
	s, _ := newServed(t, "")
	card := s.asks("role user:carol on warehouse/"+rig.Workspace+" as operator because night batch", "night batch")
	s.waitCard("U0LEAD", "night batch", "*developer (r00002)* → *operator (r00003)*")
	s.must("console", consoleAct{Workspace: rig.Workspace, Member: dataartsfake.UserCarol, Roles: []string{"r00001"}})
	s.presses("U0LEAD", card, "approve")
	s.waitCard("U0LEAD", "night batch", "~:white_check_mark:")
	s.waitCard("U0LEAD", "night batch", "*admin (r00001)* → *operator (r00003)*")
	s.inThread(card, "the membership has changed since it was approved")
	if m, _ := s.memberOf("carol"); len(s.DataArts.Mutations()) != 0 || m.RoleIDs[0] != "r00001" {
		t.Errorf("%d calls on a difference that nobody signed; carol is %+v", len(s.DataArts.Mutations()), m)
	}
	s.presses("U0LEAD", card, "approve")
	s.waitCard("U0LEAD", "night batch", "*done*")
	if m, _ := s.memberOf("carol"); len(s.DataArts.Mutations()) != 1 || m.RoleIDs[0] != "r00003" {
		t.Errorf("%d calls; carol is %+v, want one call and operator", len(s.DataArts.Mutations()), m)
	}
}

func TestMishaps_RefusedAndRetried(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("mishap", mishapAct{ID: "refuse"})
	card := s.asks("cancel 50004 on gpu-lab/1001 because gone", "gone")
	s.presses("U0LEAD", card, "approve")
	s.waitCard("U0LEAD", "gone", "*failed*")
	for _, want := range []string{"RetCode 226606", "account is not real-name verified", "verify it in the provider's console", "fa4e0000-"} {
		s.inThread(card, want)
	}
	if got := s.sees("U0LEAD").Calls; !got[len(got)-1].Failed || got[len(got)-1].Answer != "RetCode 226606" {
		t.Errorf("the page shows the call as %+v", got[len(got)-1])
	}
	s.presses("U0REQ", card, "retry")
	s.eventually("Rita is refused", func() bool {
		return strings.Contains(s.sees("U0REQ").private("C0APPROVALS"), "somebody else must decide")
	})
	s.presses("U0LEAD", card, "retry")
	s.waitCard("U0LEAD", "gone", "*done*")
	if got := s.CompShare.Status(1001, 50004); got != "Canceled" {
		t.Errorf("50004 is %q", got)
	}
}

// A busy cloud is called again by the bot itself, then a person is asked.
func TestMishaps_Busy(t *testing.T) {
	s, _ := newServed(t, "")
	s.must("mishap", mishapAct{ID: "busy"})
	card := s.asks("cancel 50004 on gpu-lab/1001 because gone", "gone")
	s.presses("U0LEAD", card, "approve")
	s.waitCard("U0LEAD", "gone", "called again shortly")
	if got := s.sees("U0LEAD").Armed; len(got) != 1 || got[0] != "busy" {
		t.Errorf("armed: %v", got)
	}
	s.must("mishap", mishapAct{ID: "mend"})
	s.waitCard("U0LEAD", "gone", "*done*")
}

// What time brings can be looked at: reminders, expiry, the word before a membership ends, and its end.
func TestClock_BringsWhatIsDue(t *testing.T) {
	s, _ := newServed(t, "")
	waiting := s.asks("invite 50002 to gpu-lab/1001 because waits", "waits")
	timed := s.asks("add @alice to warehouse/"+rig.Workspace+" as developer for 7d because on call", "on call")
	s.presses("U0LEAD", timed, "approve")
	s.waitCard("U0LEAD", "on call", "*done*")
	hours := func(n int64) { s.must("clock", clockAct{Seconds: n*3600 + 60}) }
	hours(4)
	s.inThread(waiting, "Still waiting")
	hours(20)
	s.waitCard("U0LEAD", "waits", "*expired*")
	s.directly("U0REQ", "expired")
	hours(5 * 24)
	s.directly("U0REQ", "Soon over")
	s.directly("U0ALICE", "即将到期")
	if _, there := s.memberOf("alice"); !there {
		t.Error("alice was taken out too early")
	}
	hours(24)
	s.eventually("alice's time is over", func() bool { _, there := s.memberOf("alice"); return !there })
}
