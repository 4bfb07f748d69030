package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// actionCase is one change, asked for, approved and carried out: what the vendor must receive, what it holds then, and
// what people read.
type actionCase struct {
	name, typed string
	call        string // what the emulator received: see calls
	holds       string // the membership afterwards: see team and workspace
	card        string // what the card says of the change; a direct message has the IDs beside the names too
}

const (
	alice = dataartsfake.UserAlice
	group = dataartsfake.GroupPlatform
	space = rig.Workspace
)

// The cases build on one another: an invitation must be there to be cancelled.
var compshareCases = []actionCase{
	{
		"invite with a remark", "invite 50002 to gpu-lab/1001 as 张三 because training run",
		"CreateCompShareTeamRelation TeamId=1001 UserInfo.0.RemarkName=张三 UserInfo.0.UserCompanyId=50002", "Pending 张三",
		"Invite <@U0ALICE> to team *gpu-research* on *gpu-lab* as 张三",
	},
	{
		"invite without one", "invite 50006 gpu-lab/1001",
		"CreateCompShareTeamRelation TeamId=1001 UserInfo.0.UserCompanyId=50006", "Pending ",
		"Invite *50006* to team *gpu-research* on *gpu-lab*",
	},
	{
		"resend", "resend 50004 on gpu-lab/1001",
		"SetCompShareTeamRelation Status=Send TeamId=1001 UserCompanyId=50004", "Pending 赵磊",
		"Send the invitation of *50004* to team *gpu-research* on *gpu-lab* again",
	},
	{
		"cancel", "cancel 50002 on gpu-lab/1001",
		"SetCompShareTeamRelation Status=Cancel TeamId=1001 UserCompanyId=50002", "Canceled 张三",
		"Cancel the invitation of <@U0ALICE> to team *gpu-research* on *gpu-lab*",
	},
	{
		"rename", `rename 50003 on gpu-lab/1001 as "李 四"`,
		"SetCompShareTeamRelation RemarkName=李 四 Status=UpdateRemarkName TeamId=1001 UserCompanyId=50003", "Joined 李 四",
		"Rename <@U0BOB> in team *gpu-research* on *gpu-lab* to 李 四",
	},
	{
		"accept", "accept gpu-lab/2001", "SetCompShareTeamRelation Status=Agree TeamId=2001", "Joined gpu-research",
		"Accept the invitation to team *llm-platform* for the account of *gpu-lab*",
	},
	{
		"reject", "reject gpu-lab/2002", "SetCompShareTeamRelation Status=Reject TeamId=2002", "Rejected ",
		"Reject the invitation to team *second* for the account of *gpu-lab*",
	},
}

var dataartsCases = []actionCase{
	{
		"add", "add @alice to warehouse/" + space + " as developer because on call",
		"POST /" + space + "/users " + body(userBody(nil, "r00002")), "r00002",
		"Add <@U0ALICE> to workspace *analytics* on *warehouse* as developer (r00002)",
	},
	{
		"role", "role @alice on warehouse/" + space + " as operator",
		"PUT /" + space + "/users/" + alice + " " + body(userBody(row, "r00003")), "r00003",
		"Set the role of <@U0ALICE> in workspace *analytics* on *warehouse* to operator (r00003)",
	},
	{
		"several roles", `role ` + alice + ` on warehouse/` + space + ` as "viewer, developer"`,
		"PUT /" + space + "/users/" + alice + " " + body(userBody(row, "r00002", "r00004")), "r00002,r00004",
		"to developer (r00002), viewer (r00004)",
	},
	{
		"remove", "remove " + alice + " from warehouse/" + space,
		"POST /" + space + `/delete-users {"user_ids":["` + alice + `"]}`, "absent",
		"Remove <@U0ALICE> from workspace *analytics* on *warehouse*",
	},
	{
		"add a user group", "add group:" + group + " in warehouse/" + space + " as viewer",
		"POST /" + space + `/users {"groups":[{"id":"` + group + `"}],"roles_ids":[{"role_id":"r00004"}],"type":1}`, "r00004",
		"Add the user group *platform* to workspace *analytics* on *warehouse* as viewer (r00004)",
	},
	{
		"role of a user group", "role group:" + group + " on warehouse/" + space + " as r00003",
		"PUT /" + space + "/users/" + group + ` {"groups":[{"id":"` + group + `"}],"roles_ids":[{"role_id":"r00003"}],"type":1}`, "r00003",
		"Set the role of the user group *platform*",
	},
	{
		"remove a user group", "remove group:" + group + " from warehouse/" + space,
		"POST /" + space + `/delete-users {"user_ids":["` + group + `"]}`, "absent",
		"Remove the user group *platform*",
	},
}

// row is what the member's row in the workspace's list adds to what IAM's ShowUser knows.
var row = map[string]any{"domain_name": dataartsfake.DomainName}

// userBody is alice as the vendor's user object with roles, as it must be on the wire.
func userBody(more map[string]any, roles ...string) map[string]any {
	rs := []any{}
	for _, r := range roles {
		rs = append(rs, map[string]any{"role_id": r})
	}
	user := map[string]any{
		"user_id": alice, "user_name": "alice", "domain_id": dataartsfake.DomainID, "is_domain_owner": false,
	}
	maps.Copy(user, more)
	return map[string]any{"type": 0, "roles_ids": rs, "user_ids": []any{user}}
}

func body(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// calls are the mutating calls that both clouds have received, in one line each.
func (w *world) calls() []string {
	w.t.Helper()
	var lines []string
	for _, c := range w.CompShare.Mutations() {
		line := c.Action
		for _, k := range slices.Sorted(maps.Keys(c.Params)) {
			if k != "Action" && k != "Region" {
				line += " " + k + "=" + c.Params[k]
			}
		}
		lines = append(lines, line)
	}
	for _, c := range w.DataArts.Mutations() {
		var v any
		if err := json.Unmarshal([]byte(c.Body), &v); err != nil {
			w.t.Fatalf("the body of %s %s: %v", c.Method, c.Path, err)
		}
		path, ok := strings.CutPrefix(c.Path, "/v2/"+dataartsfake.ProjectID)
		if !ok {
			w.t.Errorf("path %s is not under the project", c.Path)
		}
		lines = append(lines, c.Method+" "+path+" "+body(v))
	}
	return lines
}

// member is a workspace's membership of one subject, in the design's words.
func (w *world) member(kind int, id string) string {
	for _, m := range w.DataArts.Members(space) {
		if m.Type == kind && m.UserID == id {
			roles := slices.Clone(m.Roles)
			slices.Sort(roles)
			return strings.Join(roles, ",")
		}
	}
	return "absent"
}

func (w *world) relation(team, company uint32) string {
	for _, r := range w.CompShare.Relations(team) {
		if r.Company == company {
			return r.Status + " " + r.Remark
		}
	}
	return ""
}

func (w *world) holds(c workflow.Change) string {
	if c.System == "warehouse" {
		kind := dataartsfake.TypeUser
		if c.Subject.Kind == workflow.UserGroup {
			kind = dataartsfake.TypeGroup
		}
		return w.member(kind, c.Subject.ID)
	}
	var team, company uint32 = 0, 50001
	fmt.Sscan(c.Group, &team)
	if c.Subject.ID != "" {
		fmt.Sscan(c.Subject.ID, &company)
	}
	return w.relation(team, company)
}

func TestActions_OneCallAndWhatPeopleRead(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.CompShare.AddTeam(2002, 50010, "second")
		w.CompShare.SetRelation(compsharefake.Relation{Team: 2002, Company: 50001, Status: compsharefake.Pending})
		for _, c := range slices.Concat(compshareCases, dataartsCases) {
			t.Run(c.name, func(t *testing.T) { w.carriesOut(t, c) })
		}
	})
}

// carriesOut asks for a change, approves it, and looks at everything that came of it.
func (w *world) carriesOut(t *testing.T, c actionCase) {
	defer func(old *testing.T) { w.t = old }(w.t)
	w.t = t
	before := w.calls()
	r, card := w.planned(c.typed)
	pending := slackfake.Text(card)
	for _, want := range []string{c.card, "#" + r.Number.String(), "pending", "<@U0REQ>"} {
		if !strings.Contains(pending, want) {
			t.Errorf("the pending card reads\n%s\nwant %q in it", pending, want)
		}
	}
	if got := actionIDs(card); !slices.Contains(got, "approve") || !slices.Contains(got, "deny") {
		t.Errorf("buttons %v, want approve and deny among them", got)
	}
	w.clicks("U0LEAD", card, "approve")
	_, card = w.becomes(r.Number, workflow.Done)
	w.settled(r.Number)

	if diff := cmp.Diff([]string{c.call}, w.calls()[len(before):]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got := w.holds(r.Change); got != c.holds {
		t.Errorf("the cloud holds %q, want %q", got, c.holds)
	}
	done := slackfake.Text(card)
	for _, want := range []string{c.card, "*done*", "approved by <@U0LEAD>"} {
		if !strings.Contains(done, want) {
			t.Errorf("the card reads\n%s\nwant %q in it", done, want)
		}
	}
	wantDecided(t, card)
	thread := w.Slack.Thread(card.Channel, card.TS)
	if len(thread) != 1 || !strings.Contains(slackfake.Text(thread[0]), "done: the provider has confirmed") {
		t.Errorf("thread %v, want one reply that says done", thread)
	}
	number := "#" + r.Number.String()
	w.directly("U0REQ", "<@U0LEAD> approved your request "+number)
	dm := w.directly("U0REQ", "Your request "+number+": ")
	for _, id := range []string{r.Change.Group, r.Change.Subject.ID} {
		if !strings.Contains(dm, id) {
			t.Errorf("the direct message reads %q, want %s in it", dm, id)
		}
		dm = strings.ReplaceAll(dm, " ("+id+")", "")
	}
	if !strings.Contains(dm, c.card) || !strings.Contains(dm, "done") {
		t.Errorf("the direct message reads %q without the IDs, want %q and done in it", dm, c.card)
	}
}
