package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/bot/slackfake"
	"countersign/providers/compshare/compsharefake"
	"countersign/providers/dataarts/dataartsfake"
)

// acked is what a delivery to the bot came to, for the page.
func acked(a slackfake.Ack, err error) (answer, error) {
	return answer{Err: a.Err, Text: a.Text, Payload: a.Payload}, err
}

type slashAct struct {
	As      string `json:"as"`
	Channel string `json:"channel"`
	Text    string `json:"text"`
}

func (w *world) slash(ctx context.Context, in slashAct) (answer, error) {
	if err := w.mayAct(in.As, in.Channel); err != nil {
		return answer{}, err
	}
	w.waitReady(ctx)
	return acked(w.Slack.Slash(ctx, slackfake.SlashInput{User: in.As, Channel: in.Channel, Command: "/access", Text: in.Text}))
}

// mayAct refuses what the person could not do in Slack: act in a channel that is not shown to them.
func (w *world) mayAct(as, channel string) error {
	if _, err := w.viewer(as); err != nil {
		return err
	}
	in := func(c slackfake.Channel) bool { return c.ID == channel && slices.Contains(c.Members, as) }
	if !slices.ContainsFunc(w.Slack.Channels(), in) {
		return fmt.Errorf("%s is not in %s", as, channel)
	}
	return nil
}

type clickAct struct {
	As       string `json:"as"`
	Channel  string `json:"channel"`
	TS       string `json:"ts"`
	ViewID   string `json:"view_id"`
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
	// Chosen is what is chosen in a menu of several.
	Chosen []string `json:"chosen"`
	// Values are what stands in the other fields of a view, which Slack sends along.
	Values map[string]map[string]any `json:"values"`
}

func (w *world) click(ctx context.Context, in clickAct) (answer, error) {
	if in.ViewID == "" {
		if err := w.mayAct(in.As, in.Channel); err != nil {
			return answer{}, err
		}
	}
	w.waitReady(ctx)
	click := slackfake.ClickInput{
		User: in.As, Channel: in.Channel, TS: in.TS, ViewID: in.ViewID, ActionID: in.ActionID, BlockID: in.BlockID, Value: in.Value,
		Values: in.Chosen,
	}
	if len(in.Values) > 0 {
		click.Patch = map[string]any{"view": map[string]any{"state": map[string]any{"values": in.Values}}}
	}
	return acked(w.Slack.Click(ctx, click))
}

type viewAct struct {
	As     string                    `json:"as"`
	ViewID string                    `json:"view_id"`
	Values map[string]map[string]any `json:"values"`
	All    bool                      `json:"all"`
}

func (w *world) submit(ctx context.Context, in viewAct) (answer, error) {
	w.waitReady(ctx)
	return acked(w.Slack.Submit(ctx, slackfake.SubmitInput{User: in.As, ViewID: in.ViewID, Values: in.Values}))
}

func (w *world) closeModal(ctx context.Context, in viewAct) (answer, error) {
	return acked(w.Slack.CloseView(ctx, in.As, in.ViewID, in.All))
}

type suggestAct struct {
	As       string `json:"as"`
	ViewID   string `json:"view_id"`
	Channel  string `json:"channel"`
	TS       string `json:"ts"`
	ActionID string `json:"action_id"`
	BlockID  string `json:"block_id"`
	Value    string `json:"value"`
}

func (w *world) suggest(ctx context.Context, in suggestAct) (answer, error) {
	return acked(w.Slack.Suggest(ctx, slackfake.SuggestInput{
		User: in.As, ViewID: in.ViewID, Channel: in.Channel, TS: in.TS, ActionID: in.ActionID, BlockID: in.BlockID, Value: in.Value,
	}))
}

type homeAct struct {
	As string `json:"as"`
}

// home opens the app's Home tab; that no app answers is shown by there being none.
func (w *world) home(ctx context.Context, in homeAct) (answer, error) {
	if _, err := w.viewer(in.As); err != nil {
		return answer{}, err
	}
	return acked(w.Slack.OpenHome(ctx, in.As))
}

type clockAct struct {
	Seconds int64 `json:"seconds"`
}

func (w *world) pushClock(_ context.Context, in clockAct) (answer, error) {
	const most = 400 * 24 * 60 * 60
	if in.Seconds <= 0 || in.Seconds > most {
		return answer{}, errors.New("time goes forward, by at most 400 days at once")
	}
	w.clock.push(time.Duration(in.Seconds) * time.Second)
	w.news.tell()
	return answer{}, nil
}

type mishapAct struct {
	// ID is one of mishaps, or mend, or start-over.
	ID string `json:"id"`
}

func (w *world) makeMishap(ctx context.Context, in mishapAct) (answer, error) {
	defer w.news.tell()
	switch in.ID {
	case "mend":
		w.heal()
		return answer{}, nil
	case "start-over":
		err := w.startOver()
		w.waitReady(ctx)
		return answer{}, err
	}
	for _, m := range mishaps {
		if m.ID == in.ID {
			err := w.arm(m)
			w.waitReady(ctx)
			return answer{}, err
		}
	}
	return answer{}, fmt.Errorf("nothing is called %q", in.ID)
}

type relateAct struct {
	Team    uint32 `json:"team"`
	Company uint32 `json:"company"`
	Status  string `json:"status"`
}

// relate is what the invited company does in the vendor's console, behind the bot's back.
func (w *world) relate(_ context.Context, in relateAct) (answer, error) {
	if in.Status != compsharefake.Joined && in.Status != compsharefake.Rejected {
		return answer{}, fmt.Errorf("a company joins or declines; it cannot become %q", in.Status)
	}
	for _, r := range w.CompShare.Relations(in.Team) {
		if r.Company == in.Company && r.Status == compsharefake.Pending {
			r.Status = in.Status
			w.CompShare.SetRelation(r)
			w.news.tell()
			return answer{}, nil
		}
	}
	return answer{}, errors.New("that company has no open invitation")
}

// consoleAct is what somebody changes in a vendor's own console: a relation of a team, or a member of a workspace.
type consoleAct struct {
	Team    uint32 `json:"team"`
	Company uint32 `json:"company"`
	// Status is the relation's new one; empty takes the company out.
	Status string `json:"status"`
	Remark string `json:"remark"`

	Workspace string `json:"workspace"`
	Member    string `json:"member"`
	// Group says that the member is a user group.
	Group bool `json:"group"`
	// Roles are the member's new ones; none takes the member out.
	Roles []string `json:"roles"`
}

// console changes a membership in the cloud, behind the bot's back.
func (w *world) console(_ context.Context, in consoleAct) (answer, error) {
	defer w.news.tell()
	if in.Workspace != "" {
		return answer{}, w.consoleMember(in)
	}
	known := []string{"", compsharefake.Pending, compsharefake.Joined, compsharefake.Rejected, compsharefake.Canceled}
	i := slices.IndexFunc(w.teams(), func(t team) bool { return t.ID == in.Team })
	switch {
	case i < 0:
		return answer{}, fmt.Errorf("there is no team %d", in.Team)
	case in.Company == 0 || in.Company == w.teams()[i].Owner:
		return answer{}, fmt.Errorf("company %d cannot be in that team", in.Company)
	case !slices.Contains(known, in.Status):
		return answer{}, fmt.Errorf("a company cannot be %q", in.Status)
	}
	w.CompShare.SetRelation(compsharefake.Relation{Team: in.Team, Company: in.Company, Status: in.Status, Remark: in.Remark})
	return answer{}, nil
}

func (w *world) consoleMember(in consoleAct) error {
	st := w.dataarts()
	all := st.iam()
	at := slices.IndexFunc(st.Workspaces, func(ws dataartsfake.Workspace) bool { return ws.ID == in.Workspace })
	who := slices.IndexFunc(all.Subjects, func(s subject) bool { return s.ID == in.Member && s.Group == in.Group })
	switch {
	case at < 0:
		return fmt.Errorf("there is no workspace %q", in.Workspace)
	case who < 0:
		return fmt.Errorf("IAM knows nobody %q", in.Member)
	}
	for _, id := range in.Roles {
		if !slices.ContainsFunc(all.Roles, func(r subject) bool { return r.ID == id }) {
			return fmt.Errorf("there is no role %q", id)
		}
	}
	m := dataartsfake.Member{UserID: in.Member, UserName: all.Subjects[who].Name}
	if in.Group {
		m.Type = dataartsfake.TypeGroup
	}
	for _, old := range st.Workspaces[at].Members {
		if old.Type == m.Type && old.UserID == m.UserID {
			m = old
		}
	}
	if m.Roles = in.Roles; len(m.Roles) == 0 {
		w.DataArts.RemoveMember(in.Workspace, m.Type, m.UserID)
		return nil
	}
	w.DataArts.SetMember(in.Workspace, m)
	return nil
}
