package compshare_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"countersign/providers/compshare"
	"countersign/workflow"
)

func member(id string) workflow.Subject { return workflow.Subject{Kind: workflow.Member, ID: id} }

func TestProvider_CheckRefuses(t *testing.T) {
	t.Parallel()
	p := provider(t, "")
	const all = "invite, resend, cancel, rename, accept, reject"
	group := workflow.Subject{Kind: workflow.UserGroup, ID: "50002"}
	tests := []struct {
		name  string
		draft workflow.Draft
		kind  workflow.Kind
		args  []string
	}{
		{"an action of DataArts", workflow.Draft{Action: workflow.Add}, workflow.ActionNotHere, []string{"add", "gpu-lab", all}},
		{"removal", workflow.Draft{Action: workflow.RemoveOne}, workflow.NoRemoval, []string{"remove"}},
		{"a role", workflow.Draft{Action: workflow.SetRole}, workflow.NoRemoval, []string{"role"}},
		{"no action", workflow.Draft{Action: "kick"}, workflow.BadAction, []string{"kick", all}},
		{"team is a name", workflow.Draft{Action: workflow.Invite, Group: "gpu", Subject: member("50002")}, workflow.BadTeam, []string{"gpu"}},
		{"team is nought", workflow.Draft{Action: workflow.Invite, Group: "0", Subject: member("50002")}, workflow.BadTeam, []string{"0"}},
		{"team is missing", workflow.Draft{Action: workflow.Accept}, workflow.BadTeam, []string{""}},
		{"team above 32 bits", workflow.Draft{Action: workflow.Accept, Group: "4294967296"}, workflow.BadTeam, []string{"4294967296"}},
		{"no company", workflow.Draft{Action: workflow.Cancel, Group: "1"}, workflow.MissingWho, []string{"cancel"}},
		{"company is a name", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("alice")}, workflow.BadCompany, []string{"alice"}},
		{"company has a sign", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("+50002")}, workflow.BadCompany, []string{"+50002"}},
		{"company is negative", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("-1")}, workflow.BadCompany, []string{"-1"}},
		{"company is nought", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("00")}, workflow.BadCompany, []string{"00"}},
		{"company above 32 bits", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("4294967296")}, workflow.BadCompany, []string{"4294967296"}},
		{"company in hexadecimal", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("0x10")}, workflow.BadCompany, []string{"0x10"}},
		{"company with an underscore", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("5_0")}, workflow.BadCompany, []string{"5_0"}},
		{"company in other digits", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("٥")}, workflow.BadCompany, []string{"٥"}},
		{"company with a blank", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member(" 5")}, workflow.BadCompany, []string{" 5"}},
		{"a user group", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: group}, workflow.GroupNoSupport, []string{"invite", "gpu-lab"}},
		{"accept for somebody", workflow.Draft{Action: workflow.Accept, Group: "1", Subject: member("50002")}, workflow.WhoNotAllowed, []string{"accept"}},
		{"reject for a group", workflow.Draft{Action: workflow.Reject, Group: "1", Subject: group}, workflow.WhoNotAllowed, []string{"reject"}},
		{"accept for a mention", workflow.Draft{Action: workflow.Accept, Group: "1", Subject: workflow.Subject{Slack: "U0A"}}, workflow.WhoNotAllowed, []string{"accept"}},
		{"rename to nothing", workflow.Draft{Action: workflow.Rename, Group: "1", Subject: member("5")}, workflow.MissingAs, []string{"rename"}},
		{"rename to an empty remark", workflow.Draft{Action: workflow.Rename, Group: "1", Subject: member("5"), HasAs: true}, workflow.BadRemark, []string{"", "64"}},
		{"a remark of blanks", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("5"), As: " \u3000", HasAs: true}, workflow.BadRemark, []string{" \u3000", "64"}},
		{"a remark of two lines", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("5"), As: "a\nb", HasAs: true}, workflow.BadRemark, []string{"a\nb", "64"}},
		{"a remark that turns around", workflow.Draft{Action: workflow.Rename, Group: "1", Subject: member("5"), As: "a\u202eb", HasAs: true}, workflow.BadRemark, []string{"a\u202eb", "64"}},
		{"a remark of broken UTF-8", workflow.Draft{Action: workflow.Rename, Group: "1", Subject: member("5"), As: "a\xff", HasAs: true}, workflow.BadRemark, []string{"a\xff", "64"}},
		{"a long remark", workflow.Draft{Action: workflow.Rename, Group: "1", Subject: member("5"), As: strings.Repeat("张", 65), HasAs: true}, workflow.BadRemark, []string{strings.Repeat("张", 65), "64"}},
		{"a remark with cancel", workflow.Draft{Action: workflow.Cancel, Group: "1", Subject: member("5"), As: "x", HasAs: true}, workflow.AsNotAllowed, []string{"cancel"}},
		{"an empty remark with resend", workflow.Draft{Action: workflow.Resend, Group: "1", Subject: member("5"), HasAs: true}, workflow.AsNotAllowed, []string{"resend"}},
		{"a remark with accept", workflow.Draft{Action: workflow.Accept, Group: "1", As: "x"}, workflow.AsNotAllowed, []string{"accept"}},
		{"a remark with reject", workflow.Draft{Action: workflow.Reject, Group: "1", As: "x"}, workflow.AsNotAllowed, []string{"reject"}},
		{"a time limit", workflow.Draft{Action: workflow.Invite, Group: "1", Subject: member("5"), Limit: time.Hour}, workflow.NoTimeLimit, []string{"invite", "compshare"}},
		{"a time limit on reject", workflow.Draft{Action: workflow.Reject, Group: "1", Limit: time.Hour}, workflow.NoTimeLimit, []string{"reject", "compshare"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := p.Check(tt.draft)
			got, ok := errors.AsType[*workflow.Refusal](err)
			if !ok {
				t.Fatalf("Check = %+v, %v, want a refusal", c, err)
			}
			if diff := cmp.Diff(workflow.Refuse(tt.kind, tt.args...), got); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProvider_CheckMakesCanonicalChange(t *testing.T) {
	t.Parallel()
	p := provider(t, "")
	who := workflow.Subject{ID: "0050002", Slack: "U0ALICE"}
	tests := []struct {
		draft workflow.Draft
		want  workflow.Change
	}{
		{
			workflow.Draft{Action: workflow.Invite, System: "gpu-lab", Group: "01001", Subject: who},
			workflow.Change{
				Action: workflow.Invite, System: "gpu-lab", Group: "1001",
				Subject: workflow.Subject{Kind: workflow.Member, ID: "50002", Slack: "U0ALICE"},
			},
		},
		{
			workflow.Draft{Action: workflow.Rename, Group: "4294967295", Subject: member("4294967295"), As: " 张三 & co ", HasAs: true},
			workflow.Change{Action: workflow.Rename, Group: "4294967295", Subject: member("4294967295"), Remark: "张三 & co"},
		},
		{
			workflow.Draft{Action: workflow.Rename, Group: "1", Subject: member("5"), As: strings.Repeat("张", 64), HasAs: true},
			workflow.Change{Action: workflow.Rename, Group: "1", Subject: member("5"), Remark: strings.Repeat("张", 64)},
		},
		{workflow.Draft{Action: workflow.Resend, Group: "1", Subject: member("5")}, workflow.Change{Action: workflow.Resend, Group: "1", Subject: member("5")}},
		{workflow.Draft{Action: workflow.Cancel, Group: "1", Subject: member("5")}, workflow.Change{Action: workflow.Cancel, Group: "1", Subject: member("5")}},
		{workflow.Draft{Action: workflow.Accept, Group: "2001"}, workflow.Change{Action: workflow.Accept, Group: "2001"}},
		{workflow.Draft{Action: workflow.Reject, Group: "2001"}, workflow.Change{Action: workflow.Reject, Group: "2001"}},
	}
	for _, tt := range tests {
		got, err := p.Check(tt.draft)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("Check(%+v) = %v (-want +got):\n%s", tt.draft, err, diff)
		}
	}
}

// FuzzProvider_Check asks that each draft becomes a change that can be sent, or a refusal.
func FuzzProvider_Check(f *testing.F) {
	for _, a := range append(compshare.Actions(), workflow.Add, workflow.RemoveOne) {
		f.Add(string(a), "1001", "member", "50002", "张三", true, int64(0))
		f.Add(string(a), "01", "group", "", "", false, int64(1))
	}
	p, err := compshare.New(compshare.Options{PublicKey: publicKey, PrivateKey: privateKey})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, action, team, kind, who, as string, hasAs bool, limit int64) {
		c, err := p.Check(workflow.Draft{
			Action: workflow.Action(action), Group: team, As: as, HasAs: hasAs, Limit: time.Duration(limit),
			Subject: workflow.Subject{Kind: workflow.SubjectKind(kind), ID: who},
		})
		if err != nil {
			if _, ok := errors.AsType[*workflow.Refusal](err); !ok {
				t.Fatalf("Check gave %T", err)
			}
			return
		}
		alone := c.Action == workflow.Accept || c.Action == workflow.Reject
		if !canonical(c.Group) || canonical(c.Subject.ID) == alone || c.Limit != 0 || len(c.Roles) != 0 {
			t.Errorf("Check let %+v through", c)
		}
		if (c.Action == workflow.Rename) && c.Remark == "" || utf8.RuneCountInString(c.Remark) > compshare.MaxRemark || !utf8.ValidString(c.Remark) {
			t.Errorf("Check let the remark %q through", c.Remark)
		}
	})
}

func canonical(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == text
}
