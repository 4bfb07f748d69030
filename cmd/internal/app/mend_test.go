package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// Every class of refusal that a cloud's answer to a call can have is told in a sentence with what to do, beside the
// vendor's own code, text and request ID; a person who may approve then retries.
func TestFailure_EachClassSaysTheMend(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		compshare := func(code int, text string) func() {
			return func() {
				w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.RetCode, RetCode: code, Message: text})
			}
		}
		dataarts := func(status int, code, text string) func() {
			return func() {
				w.DataArts.AddFault(dataartsfake.Fault{Route: dataartsfake.AddWorkSpaceUsers, Kind: dataartsfake.Status, Status: status, Code: code, Message: text})
			}
		}
		for i, c := range []struct {
			spoil func()
			class workflow.Class
			want  []string
		}{
			{compshare(171, "Signature VerifyAC Error"), workflow.ClassKey, []string{"RetCode 171", "Signature VerifyAC Error", "key was not accepted: an operator must check it"}},
			{dataarts(401, "APIGW.0301", "verify aksk signature fail"), workflow.ClassKey, []string{"APIGW.0301", "verify aksk signature fail", "key was not accepted"}},
			{compshare(299, "IAM permission error"), workflow.ClassPermission, []string{"RetCode 299", "IAM permission error", "may not do this: grant it the right"}},
			{dataarts(403, "APIGW.0302", "The IAM user is forbidden in the currently selected region"), workflow.ClassPermission, []string{"APIGW.0302", "IAM user is forbidden", "may not do this: grant it the right"}},
			{compshare(226606, "not verified"), workflow.ClassUnverified, []string{"RetCode 226606", "real-name verified: verify it in the provider's console"}},
			{func() { w.CompShare.SetQuirks(compsharefake.Quirks{MaxMembers: 1}) }, workflow.ClassQuota, []string{"ErrorMap 17001", "quota insufficient", "A quota is used up: free some or have it raised"}},
			{func() { w.DataArts.SetBehaviour(dataartsfake.Behaviour{MaxMembers: 1}) }, workflow.ClassQuota, []string{"quota of workspace members", "A quota is used up: free some or have it raised"}},
			{dataarts(400, "DLM.4001", "The instance or workspace does not exist."), workflow.ClassGroup, []string{"DLM.4001", "no such team or workspace: check the ID and ask anew"}},
			{func() {
				w.CompShare.Fault(compsharefake.Fault{Action: "CreateCompShareTeamRelation", Kind: compsharefake.ErrorMap, RetCode: 16001, Message: "user already in team"})
			}, workflow.ClassState, []string{"ErrorMap 16001", "user already in team", "not in a state that allows this"}},
			{compshare(4711, "the moon is full"), workflow.ClassRefused, []string{"RetCode 4711", "the moon is full", "mend what its text says"}},
			{dataarts(400, "DAYU.4402", "The operation failed, detail msg {0}."), workflow.ClassRefused, []string{"DAYU.4402", "detail msg {0}", "mend what its text says"}},
		} {
			typed := fmt.Sprintf("invite %d to gpu-lab/1001", 70000+i)
			if !strings.HasPrefix(c.want[0], "RetCode") && !strings.HasPrefix(c.want[0], "ErrorMap") {
				typed = "add @alice to warehouse/" + space + " as viewer"
				w.DataArts.RemoveMember(space, dataartsfake.TypeUser, alice)
			}
			r, card := w.planned(typed)
			c.spoil()
			w.clicks("U0LEAD", card, "approve")
			r, card = w.becomes(r.Number, workflow.Failed)
			if f := r.Result.Fault; f == nil || f.Class != c.class || f.RequestID == "" {
				t.Errorf("%s: %+v, want class %s and a request ID", c.want[0], f, c.class)
				continue
			}
			text := w.threadOf(card, c.want[0])
			for _, want := range append(c.want, r.Result.Fault.RequestID) {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the thread reads %q, want %q in it", c.want[0], text, want)
				}
			}
			w.CompShare.SetQuirks(compsharefake.Quirks{})
			w.DataArts.SetBehaviour(dataartsfake.Behaviour{})
			w.settled(r.Number)
			w.clicks("U0BOB", card, "retry")
			w.becomes(r.Number, workflow.Done)
		}
	})
}

// Where the account may not read IAM, a name is refused with what to do, and an ID is added all the same.
func TestFailure_NoRightToReadIAM(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetBehaviour(dataartsfake.Behaviour{IAMRefused: true})
		got := w.types("U0REQ", "add user:carol to warehouse/"+space+" as viewer")
		if !strings.Contains(got, "*user:carol* cannot be looked up") || !strings.Contains(got, "its account may not list users: give the ID") || numberIn(got) != 0 {
			t.Errorf("a name: %q", got)
		}
		r, card := w.planned("add " + dataartsfake.UserCarol + " to warehouse/" + space + " as viewer")
		w.clicks("U0LEAD", card, "approve")
		w.becomes(r.Number, workflow.Done)
	})
}

// What a person should know before they sign is on the card, also where one role of several goes, and where the
// account itself was invited.
func TestPlan_WarningsOfRarerActions(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetMember(space, dataartsfake.Member{UserID: dataartsfake.UserOwner, UserName: "owner", Roles: []string{"r00001", "r00004"}})
		for _, c := range []struct {
			typed string
			want  []string
		}{
			{"drop-role " + dataartsfake.UserOwner + " on warehouse/" + space + " as admin", []string{"*admin (r00001), viewer (r00004)* → *viewer (r00004)*", "Nobody with the admin role would be left"}},
			{"add-role " + dataartsfake.UserOwner + " on warehouse/" + space + " as developer", []string{"→ *admin (r00001), developer (r00002), viewer (r00004)*"}},
			{"add @alice to warehouse/" + space + " as admin", []string{"*not a member* → *admin (r00001)*", "may change everything"}},
			{"add @alice to warehouse/" + space + " as viewer", []string{"*not a member* → *viewer (r00004)*"}},
			{"remove @alice from warehouse/" + space, []string{"Nothing to do: already *not a member*"}},
			{"add-role " + dataartsfake.UserOwner + " on warehouse/" + space + " as viewer", []string{"Nothing to do: already *admin (r00001), viewer (r00004)*"}},
			{"rename 50003 on gpu-lab/1001 as 陈静", []string{"Nothing to do: already *joined as 陈静*"}},
			{"accept gpu-lab/2001", []string{"*invited as gpu-research* → *joined as gpu-research*"}},
		} {
			r, card := w.planned(c.typed)
			text := slackfake.Text(card)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the card reads\n%s\nwant %q in it", c.typed, text, want)
				}
			}
			if !strings.HasPrefix(c.typed, "accept") {
				continue
			}
			w.clicks("U0LEAD", card, "approve")
			w.becomes(r.Number, workflow.Done)
			_, card = w.planned("reject gpu-lab/2001")
			if text := slackfake.Text(card); !strings.Contains(text, "Now *joined as gpu-research*, so this cannot be done") || !strings.Contains(text, "already answered") {
				t.Errorf("reject after accept: the card reads\n%s", text)
			}
		}
	})
}

// What is read for one person is shown to that person alone, and a long team is paged as a long workspace is.
func TestPlan_ListsArePrivateAndPaged(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{Policy: listPolicy}, func(t *testing.T, w *world) {
		for i := range uint32(45) {
			w.CompShare.SetRelation(compsharefake.Relation{Team: 1001, Company: 61000 + i, Status: compsharefake.Joined})
		}
		for _, c := range []struct{ user, typed, want, not string }{
			{"U0REQ", "members gpu-lab/1001", "48 · page 1 of 3", "61044"},
			{"U0REQ", "members gpu-lab/1001 page 3", "61044", "61001"},
			{"U0OUT", "members gpu-lab/1001", "", "61001"},
			{"U0OUT", "roles warehouse/" + space, "", "developer"},
			{"U0BOB", "roles warehouse/" + space, "策略不允许您", "developer"},
		} {
			got := w.types(c.user, c.typed)
			if !strings.Contains(got, c.want) || strings.Contains(got, c.not) || got == "" {
				t.Errorf("%s types %s: %q, want %q in it and no %q", c.user, c.typed, got, c.want, c.not)
			}
		}
		if all := w.Slack.AllMessages(); len(all) == 0 || slices.ContainsFunc(all, func(m slackfake.Message) bool { return !m.Ephemeral }) {
			t.Errorf("%d messages, want some, each for one person alone", len(all))
		}
	})
}
