package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/bot/slackfake"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// offered is one option of a picker.
type offered struct{ Value, Text string }

// suggests types into one of the form's pickers and returns what it offers.
func (w *world) suggests(in slackfake.SuggestInput) []offered {
	w.t.Helper()
	in.BlockID = in.ActionID
	ack, err := w.Slack.Suggest(w.t.Context(), in)
	if err != nil || !ack.OK() {
		w.t.Fatalf("suggest %s %.20q: %v %s", in.ActionID, in.Value, err, ack.Err)
	}
	var said struct {
		Options []struct {
			Value string
			Text  struct{ Text string }
		}
	}
	text, _ := json.Marshal(ack.Payload)
	if err := json.Unmarshal(text, &said); err != nil {
		w.t.Fatal(err)
	}
	list := []offered{}
	for _, o := range said.Options {
		list = append(list, offered{o.Value, o.Text.Text})
	}
	return list
}

// chooses makes a choice in the form, which follows it.
func (w *world) chooses(user string, pairs ...string) slackfake.View {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		v, _ := w.Slack.View(user)
		w.presses(slackfake.ClickInput{User: user, ViewID: v.ID, ActionID: pairs[i], BlockID: pairs[i], Value: pairs[i+1]})
	}
	v, _ := w.Slack.View(user)
	return v
}

// inForm is what stands in the form's inputs, by name, with what kind of input it is.
func inForm(v slackfake.View) map[string]string {
	in := map[string]string{}
	for _, b := range v.Blocks {
		block := b.(map[string]any)
		name, _ := block["block_id"].(string)
		state := v.State[name][name].(map[string]any)
		element := block["element"].(map[string]any)
		var said []string
		add := func(o any) {
			switch o := o.(type) {
			case string:
				said = append(said, o)
			case map[string]any:
				said = append(said, fmt.Sprint(o["value"]))
			}
		}
		add(state["value"])
		add(state["selected_option"])
		list, _ := state["selected_options"].([]any)
		for _, o := range list {
			add(o)
		}
		if state["type"] != element["type"] {
			said = append(said, fmt.Sprintf("a %v in a %v", state["type"], element["type"]))
		}
		in[name] = strings.Join(said, ",")
	}
	return in
}

func TestPickers_OfferWhatThereIs(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetMember(rig.Workspace, dataartsfake.Member{UserID: dataartsfake.UserAlice, UserName: "alice", Roles: []string{"r00004"}})
		w.DataArts.SetMember(rig.Workspace, dataartsfake.Member{Type: dataartsfake.TypeGroup, UserID: dataartsfake.GroupPlatform, UserName: "platform", Roles: []string{"r00004"}})
		v := w.opens("U0REQ")
		offers := func(name, typed string, want ...string) {
			t.Helper()
			var got []string
			defer func() {
				if t.Failed() {
					t.Logf("%s %q: offered %v, want %v", name, typed, got, want)
				}
			}()
			w.eventually("as it should be", func() bool {
				got = nil
				for _, o := range w.suggests(slackfake.SuggestInput{User: "U0REQ", ViewID: v.ID, ActionID: name, Value: typed}) {
					got = append(got, o.Text)
				}
				return slices.Equal(got, want)
			})
		}
		offers("group", "")
		w.chooses("U0REQ", "system", "gpu-lab")
		offers("group", "research", "research", "gpu-research · 1001")
		offers("group", "1001", "gpu-research · 1001")
		offers("group", "9999", "9999")
		w.chooses("U0REQ", "group", "1001", "action", "invite")
		offers("who", "", "Alice Zhang (alice) · 50002", "Bob Li (bob) · 50003")
		offers("who", "@ali", "Alice Zhang (alice) · 50002")
		offers("who", "50009", "50009")
		w.chooses("U0REQ", "action", "cancel")
		offers("who", "", "赵磊 · 50004")
		stateless := slackfake.SuggestInput{User: "U0REQ", ViewID: v.ID, ActionID: "who", Patch: map[string]any{"view": map[string]any{"state": nil}}}
		if got := w.suggests(stateless); len(got) != 1 || got[0].Value != "50004" {
			t.Errorf("without the form's state: offered %v, want 50004", got)
		}
		w.chooses("U0REQ", "action", "rename")
		offers("who", "bob", "bob", "陈静 · Bob Li (bob) · 50003")

		w.chooses("U0REQ", "system", "warehouse", "group", rig.Workspace, "action", "remove")
		offers("who", "", "owner · "+dataartsfake.UserOwner, "alice · Alice Zhang (alice) · "+dataartsfake.UserAlice, "platform · "+dataartsfake.GroupPlatform)
		w.chooses("U0REQ", "action", "add-role")
		offers("role", "", "admin · r00001", "developer · r00002", "operator · r00003", "viewer · r00004", "Auditor · r10001")
		offers("role", "AUDIT", "AUDIT", "Auditor · r10001")
	})
}

func TestPickers_MakeRequests(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		w.chooses("U0REQ", "system", "warehouse", "group", rig.Workspace, "action", "add")
		values := fill("system", "warehouse", "group", rig.Workspace, "action", "add", "role", "r10001", "because", "on call")
		values["who"] = map[string]any{"who": []string{"<@U0ALICE>", dataartsfake.UserCarol, "group:" + dataartsfake.GroupPlatform + ", " + dataartsfake.UserBob}}
		if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: values}); err != nil {
			t.Fatal(err)
		}
		done, _ := w.Slack.View("U0REQ")
		numbers := numbersIn(strings.Join(slackfake.BlockTexts(done.Blocks), "\n"))
		if len(numbers) != 4 {
			t.Fatalf("requests %v, want four; the form says %v with errors %v", numbers, slackfake.BlockTexts(done.Blocks), done.Errors)
		}
		want := []workflow.Subject{
			{Kind: workflow.Member, ID: dataartsfake.UserAlice, Slack: "U0ALICE", From: workflow.FromPeople},
			{Kind: workflow.Member, ID: dataartsfake.UserCarol},
			{Kind: workflow.UserGroup, ID: dataartsfake.GroupPlatform},
			{Kind: workflow.Member, ID: dataartsfake.UserBob, Slack: "U0BOB"},
		}
		for i, n := range numbers {
			r := w.request(n)
			if r.Change.Subject != want[i] || r.Change.Roles[0].ID != "r10001" {
				t.Errorf("request %v is about %+v with %v, want %+v with r10001", n, r.Change.Subject, r.Change.Roles, want[i])
			}
		}
	})
}

func TestPickers_FollowAChoiceAndKeepWhatFits(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.SetMember(dataartsfake.WorkspaceRisk, dataartsfake.Member{UserID: dataartsfake.UserAlice, UserName: "alice", Roles: []string{"r00004"}})
		follows := func(what string, v slackfake.View, want map[string]string) {
			t.Helper()
			got := inForm(v)
			for name := range got {
				if got[name] != want[name] {
					t.Errorf("%s: %s is %q, want %q", what, name, got[name], want[name])
				}
				delete(want, name)
			}
			for name, lost := range want {
				t.Errorf("%s: %s with %q is not there", what, name, lost)
			}
		}
		w.opens("U0REQ")
		w.puts("U0REQ", "because", "on call")
		v := w.chooses("U0REQ", "system", "warehouse", "group", rig.Workspace, "action", "add")
		follows("add", v, map[string]string{"system": "warehouse", "group": rig.Workspace, "action": "add", "who": "", "role": "", "for": "", "because": "on call"})

		w.puts("U0REQ", "who", "<@U0ALICE>", dataartsfake.UserOwner, dataartsfake.UserCarol)
		w.puts("U0REQ", "role", "r00002")
		w.puts("U0REQ", "for", "7d")
		v = w.chooses("U0REQ", "action", "add-role")
		follows("another action", v, map[string]string{
			"system": "warehouse", "group": rig.Workspace, "action": "add-role",
			"who": "<@U0ALICE>," + dataartsfake.UserOwner + "," + dataartsfake.UserCarol, "role": "r00002", "for": "7d", "because": "on call",
		})
		// Who is in the other group is read before: where a cloud is slow to say it, nothing is taken away.
		chosen := map[string]any{"type": "external_select", "selected_option": map[string]any{"value": dataartsfake.WorkspaceRisk}}
		risk := map[string]any{"view": map[string]any{"state": map[string]any{"values": map[string]any{"group": map[string]any{"group": chosen}}}}}
		w.eventually("the members of the other group", func() bool {
			return slices.ContainsFunc(w.suggests(slackfake.SuggestInput{User: "U0REQ", ViewID: v.ID, ActionID: "who", Patch: risk}), func(o offered) bool {
				return strings.Contains(o.Text, dataartsfake.UserOwner)
			})
		})
		v = w.chooses("U0REQ", "group", dataartsfake.WorkspaceRisk)
		follows("another group", v, map[string]string{
			"system": "warehouse", "group": dataartsfake.WorkspaceRisk, "action": "add-role", "who": "<@U0ALICE>," + dataartsfake.UserOwner,
			"role": "r00002", "for": "7d", "because": "on call",
		})
		v = w.chooses("U0REQ", "action", "remove")
		follows("remove", v, map[string]string{
			"system": "warehouse", "group": dataartsfake.WorkspaceRisk, "action": "remove", "who": "<@U0ALICE>," + dataartsfake.UserOwner, "because": "on call",
		})
		v = w.chooses("U0REQ", "system", "gpu-lab")
		follows("another system", v, map[string]string{
			"system": "gpu-lab", "group": "", "action": "", "who": "<@U0ALICE>", "role": "", "for": "", "because": "on call",
		})
		w.puts("U0REQ", "role", "张三")
		v = w.chooses("U0REQ", "action", "invite")
		follows("invite", v, map[string]string{"system": "gpu-lab", "group": "", "action": "invite", "who": "<@U0ALICE>", "role": "张三", "because": "on call"})
	})
}

// puts is what a person puts into one of the form's inputs.
func (w *world) puts(user, name string, values ...string) {
	w.t.Helper()
	v, _ := w.Slack.View(user)
	in := slackfake.ClickInput{User: user, ViewID: v.ID, ActionID: name, BlockID: name, Value: values[0]}
	if name == "who" {
		in.Values = values
	}
	w.presses(in)
}

func TestPickers_AnswerWithNothing(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		w.chooses("U0REQ", "system", "gpu-lab", "group", "1001", "action", "cancel")
		elsewhere := map[string]any{"view": map[string]any{"state": map[string]any{"values": map[string]any{
			"system": map[string]any{"system": map[string]any{"type": "static_select", "selected_option": map[string]any{"value": "elsewhere"}}},
		}}}}
		for _, c := range []struct {
			what string
			in   slackfake.SuggestInput
		}{
			{"a thousand characters", slackfake.SuggestInput{ActionID: "who", Value: strings.Repeat("x", 1000)}},
			{"more than Slack takes back", slackfake.SuggestInput{ActionID: "group", Value: strings.Repeat("张", 76)}},
			{"control characters", slackfake.SuggestInput{ActionID: "who", Value: "5\u202e0004"}},
			{"a guest", slackfake.SuggestInput{ActionID: "who", Value: "5", Patch: map[string]any{"user": map[string]any{"id": "U0GUEST"}}}},
			{"a stranger", slackfake.SuggestInput{ActionID: "group", Value: "1", Patch: map[string]any{"user": map[string]any{"team_id": "T0OTHER"}}}},
			{"another view", slackfake.SuggestInput{ActionID: "who", Value: "5", Patch: map[string]any{"view": map[string]any{"callback_id": "deny"}}}},
			{"no view", slackfake.SuggestInput{ActionID: "who", Value: "5", Patch: map[string]any{"view": nil}}},
			{"a system that is not there", slackfake.SuggestInput{ActionID: "who", Patch: elsewhere}},
			{"a picker that is none", slackfake.SuggestInput{ActionID: "system"}},
		} {
			c.in.User, c.in.ViewID = "U0REQ", v.ID
			if got := w.suggests(c.in); len(got) > 0 {
				t.Errorf("%s: offered %v, want nothing", c.what, got)
			}
		}
	})
}

// A cloud that hangs never keeps anybody from asking: what was typed is offered in time, and what was read before.
func TestPickers_AnswerInTime(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		v := w.opens("U0REQ")
		w.chooses("U0REQ", "system", "warehouse", "group", rig.Workspace, "action", "remove")
		ask := func(typed string) ([]offered, time.Duration) {
			began := time.Now()
			got := w.suggests(slackfake.SuggestInput{User: "U0REQ", ViewID: v.ID, ActionID: "who", Value: typed})
			return got, time.Since(began)
		}
		w.eventually("the members", func() bool { got, _ := ask(""); return len(got) == 1 && got[0].Value == dataartsfake.UserOwner })
		w.DataArts.AddFault(dataartsfake.Fault{Route: "*", Count: -1, Kind: dataartsfake.Delay, Delay: 4 * time.Second})
		defer w.DataArts.ClearFaults()
		first, took := ask("")
		second, again := ask("") // while the cloud still hangs: the machine may have been slow, and not the bot
		if len(first) != 1 || len(second) != 1 || min(took, again) > time.Second {
			t.Errorf("%v after %v, %v after %v, want what was read before, at once", first, took, second, again)
		}
		w.chooses("U0REQ", "group", dataartsfake.WorkspaceRisk)
		if got, _ := ask("abc"); len(got) == 0 || got[0].Value != "abc" { // in time, else suggests fails
			t.Errorf("%v, want what was typed", got)
		}
	})
}

func TestForm_IsOfferedFilledIn(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for typed, want := range map[string]map[string]string{
			"invite 50002,x to gpu-lab/1001 as 张三 because training": {
				"system": "gpu-lab", "group": "1001", "action": "invite", "who": "50002,x", "role": "张三", "because": "training",
			},
			"add @alice to warehouse/" + rig.Workspace + " as king for 7d because on call": {
				"system": "warehouse", "group": rig.Workspace, "action": "add", "who": "<@U0ALICE>", "role": "king", "for": "7d", "because": "on call",
			},
			"remove from warehouse/" + rig.Workspace: {"system": "warehouse", "group": rig.Workspace, "action": "remove", "who": "", "because": ""},
			"role @alice on warehouse as viewer":     {"system": "warehouse", "group": "", "action": "role", "who": "<@U0ALICE>", "role": "viewer", "for": "", "because": ""},
		} {
			w.types("U0REQ", typed)
			w.eventually("a form for "+typed, func() bool { _, ok := w.Slack.View("U0REQ"); return ok })
			v, _ := w.Slack.View("U0REQ")
			if got := inForm(v); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: the form has %v, want %v", typed, got, want)
			}
			if _, err := w.Slack.CloseView(t.Context(), "U0REQ", v.ID, true); err != nil {
				t.Fatal(err)
			}
		}
		w.eventually("alice is called by her name", func() bool { // which Slack may be slow to say
			w.types("U0REQ", "add @alice to warehouse as viewer")
			w.eventually("a form", func() bool { _, ok := w.Slack.View("U0REQ"); return ok })
			v, _ := w.Slack.View("U0REQ")
			if _, err := w.Slack.CloseView(t.Context(), "U0REQ", v.ID, true); err != nil {
				t.Fatal(err)
			}
			said, err := json.Marshal(v.Blocks)
			return err == nil && strings.Contains(string(said), `"@Alice Zhang`)
		})
	})
}

func TestForm_ShowsAtItsFieldWhatTheCloudSays(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		w.DataArts.AddRole(dataartsfake.Role{ID: "r10002", Code: "auditing", Name: "Auditor"})
		for _, c := range []struct{ field, who, role, want string }{
			{"role", dataartsfake.UserCarol, "viewer,Auditor", "r10002"},
			{"role", dataartsfake.UserCarol, "king", "no role"},
			{"who", "user:nobody", "viewer", "nobody"},
			{"who", "<@U0NOBODY>", "viewer", "cloud ID"},
			{"group", dataartsfake.UserCarol, "Auditor", "could not be read"},
		} {
			group := rig.Workspace
			if c.field == "group" {
				group = strings.Repeat("0", 32)
			}
			v := w.opens("U0REQ")
			w.chooses("U0REQ", "system", "warehouse", "action", "add")
			if _, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: fill(
				"system", "warehouse", "group", group, "action", "add", "who", c.who, "role", c.role)}); err != nil {
				t.Fatal(err)
			}
			now, _ := w.Slack.View("U0REQ")
			if !strings.Contains(now.Errors[c.field], c.want) || len(now.Errors) != 1 {
				t.Errorf("%s as %s: errors %v, want one at %s with %q", c.who, c.role, now.Errors, c.field, c.want)
			}
			if _, err := w.Slack.CloseView(t.Context(), "U0REQ", v.ID, true); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What comes back with a view decides nothing: a form with forged metadata is refitted, or not, and asks for the same.
func TestForm_BelievesNoMetadata(t *testing.T) {
	t.Parallel()
	inBothModes(t, rig.Options{}, func(t *testing.T, w *world) {
		for _, meta := range []string{"", "x", "[]", `["warehouse"]`, `["warehouse","x","add"]`, `{"system":"warehouse"}`, strings.Repeat("[", 3000)} {
			v := w.opens("U0REQ")
			forged := map[string]any{"view": map[string]any{"private_metadata": meta}}
			for _, c := range [][2]string{{"system", "gpu-lab"}, {"group", "1001"}, {"action", "invite"}} {
				w.presses(slackfake.ClickInput{User: "U0REQ", ViewID: v.ID, ActionID: c[0], BlockID: c[0], Value: c[1], Patch: forged})
			}
			v, _ = w.Slack.View("U0REQ")
			if in := inForm(v); in["system"] != "gpu-lab" || in["action"] != "invite" {
				t.Errorf("%.40q: the form has %v", meta, in)
			}
			values := fill("system", "gpu-lab", "group", "1001", "action", "invite", "who", "50002")
			ack, err := w.Slack.Submit(t.Context(), slackfake.SubmitInput{User: "U0REQ", ViewID: v.ID, Values: values, Patch: forged})
			if err != nil || !ack.OK() {
				t.Fatalf("%.40q: %v %s", meta, err, ack.Err)
			}
			done, _ := w.Slack.View("U0REQ")
			n := numberIn(strings.Join(slackfake.BlockTexts(done.Blocks), " "))
			if r := w.request(n); r.Requester.User != "U0REQ" || r.Change.System != "gpu-lab" || r.Change.Group != "1001" || r.Change.Subject.ID != "50002" {
				t.Errorf("%.40q: request %+v", meta, r.Change)
			}
			w.types("U0REQ", "withdraw "+n.String())
			if _, err := w.Slack.CloseView(t.Context(), "U0REQ", "", true); err != nil {
				t.Fatal(err)
			}
		}
	})
}
