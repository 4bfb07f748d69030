package dataartsfake_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"
	iam "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
	iammodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/model"

	fake "countersign/providers/dataarts/dataartsfake"
)

func start(t *testing.T, o fake.Options) *fake.Server {
	t.Helper()
	s, err := fake.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func settings(rt http.RoundTripper) *config.HttpConfig {
	c := config.DefaultHttpConfig().WithUserAgent("test")
	if rt != nil {
		c.WithHttpRoundTripper(rt)
	}
	return c
}

// client is the vendor's, unmodified; rt may be nil.
func client(t *testing.T, s *fake.Server, ak, sk, project string, rt http.RoundTripper) *studio.DataArtsStudioClient {
	t.Helper()
	cred, err := basic.NewCredentialsBuilder().WithAk(ak).WithSk(sk).WithProjectId(project).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	c, err := studio.DataArtsStudioClientBuilder().WithEndpoint(s.URL()).WithCredential(cred).WithHttpConfig(settings(rt)).
		SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return studio.NewDataArtsStudioClient(c)
}

func seeded(t *testing.T, s *fake.Server) *studio.DataArtsStudioClient {
	t.Helper()
	return client(t, s, fake.AccessKey, fake.SecretKey, fake.ProjectID, nil)
}

func addition(id, role string) *model.AddWorkSpaceUsersRequest {
	return &model.AddWorkSpaceUsersRequest{WorkspaceId: fake.WorkspaceAnalytics, Body: &model.ApigWorkspaceUserDto{
		UserIds: &[]model.ApigIamUserDto{{UserId: &id}}, RolesIds: []model.ApigRole{{RoleId: &role}},
	}}
}

func TestServer_SpeaksToTheSDK(t *testing.T) {
	s := start(t, fake.Options{})
	c := seeded(t, s)
	if _, err := c.AddWorkSpaceUsers(addition(fake.UserAlice, fake.RoleDeveloper)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateWorkSpaceUserOrGroup(&model.UpdateWorkSpaceUserOrGroupRequest{
		WorkspaceId: fake.WorkspaceAnalytics, UserId: fake.UserAlice, Body: addition(fake.UserAlice, fake.RoleViewer).Body,
	}); err != nil {
		t.Fatal(err)
	}
	list, err := c.ListWorkspaceusers(&model.ListWorkspaceusersRequest{
		WorkspaceId: fake.WorkspaceAnalytics, Limit: new("100"), Offset: new("0"),
	})
	if err != nil || *list.Count != 2 || len(*list.Data) != 2 {
		t.Fatalf("%v %v", list, err)
	}
	row := (*list.Data)[1]
	if *row.UserId != fake.UserAlice || *row.UserName != "alice" || *row.Type != 0 || *(*row.Roles)[0].RoleId != fake.RoleViewer {
		t.Errorf("row %v", row)
	}
	var ids any = []string{fake.UserAlice}
	if _, err := c.DeleteWorkspaceusers(&model.DeleteWorkspaceusersRequest{
		WorkspaceId: fake.WorkspaceAnalytics, Body: &model.ApigDelUserParams{UserIds: &ids},
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Members(fake.WorkspaceAnalytics)); n != 1 {
		t.Errorf("%d members are left", n)
	}
	for _, call := range s.Mutations() {
		if !call.Applied || call.Status != 200 {
			t.Errorf("call %+v", call)
		}
	}
}

func TestServer_ReadsOfTheSDK(t *testing.T) {
	s := start(t, fake.Options{})
	c := seeded(t, s)
	roles, err := c.ListWorkspaceRoles(&model.ListWorkspaceRolesRequest{WorkspaceId: new(fake.WorkspaceRisk)})
	if err != nil || len(*roles.Body) != 5 {
		t.Errorf("roles %v %v", roles, err)
	}
	spaces, err := c.ListManagerWorkSpaces(&model.ListManagerWorkSpacesRequest{InstanceId: fake.InstanceID})
	if err != nil || *spaces.Count != 2 || *(*spaces.Data)[0].Name != "analytics" {
		t.Errorf("workspaces %v %v", spaces, err)
	}
	one, err := c.ShowWorkSpace(&model.ShowWorkSpaceRequest{InstanceId: fake.InstanceID, WorkspaceId: fake.WorkspaceRisk})
	if err != nil || *one.Name != "risk" || *one.MemberNum != 1 {
		t.Errorf("workspace %v %v", one, err)
	}
	instances, err := c.ListDataArtsStudioInstances(&model.ListDataArtsStudioInstancesRequest{})
	if err != nil || *instances.Count != 1 {
		t.Errorf("instances %v %v", instances, err)
	}
	nowhere := strings.Repeat("0", 32)
	none, err := c.ListWorkspaceusers(&model.ListWorkspaceusersRequest{WorkspaceId: nowhere})
	if err != nil || *none.Count != 0 || len(*none.Data) != 0 {
		t.Errorf("an unknown workspace lists %v, %v", none, err)
	}
	wantError(t, 400, "DLM.4001")(c.ListWorkspaceRoles(&model.ListWorkspaceRolesRequest{WorkspaceId: &nowhere}))
	wantError(t, 400, "DLM.4001")(c.ShowWorkSpace(&model.ShowWorkSpaceRequest{InstanceId: fake.InstanceID, WorkspaceId: nowhere}))
}

func TestServer_IAM(t *testing.T) {
	s := start(t, fake.Options{})
	cred, err := global.NewCredentialsBuilder().WithAk(fake.AccessKey).WithSk(fake.SecretKey).WithDomainId(fake.DomainID).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := iam.IamClientBuilder().WithEndpoint(s.URL()).WithCredential(cred).WithHttpConfig(settings(nil)).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	c := iam.NewIamClient(hc)
	u, err := c.ShowUser(&iammodel.ShowUserRequest{UserId: fake.UserAlice})
	if err != nil || u.User.Name != "alice" || u.User.DomainId != fake.DomainID || u.User.IsDomainOwner {
		t.Errorf("user %v %v", u, err)
	}
	users, err := c.KeystoneListUsers(&iammodel.KeystoneListUsersRequest{Name: new("bob")})
	if err != nil || len(*users.Users) != 1 || (*users.Users)[0].Id != fake.UserBob {
		t.Errorf("users %v %v", users, err)
	}
	wantError(t, 404, "")(c.ShowUser(&iammodel.ShowUserRequest{UserId: strings.Repeat("0", 32)}))
	s.SetBehaviour(fake.Behaviour{IAMRefused: true})
	wantError(t, 403, "")(c.ShowUser(&iammodel.ShowUserRequest{UserId: fake.UserAlice}))
}

func wantError(t *testing.T, status int, code string) func(any, error) {
	t.Helper()
	return func(v any, err error) {
		t.Helper()
		e, ok := errors.AsType[*sdkerr.ServiceResponseError](err)
		if !ok || e.StatusCode != status || e.ErrorCode != code || e.RequestId == "" {
			t.Errorf("%v, %v; want %d %s", v, err, status, code)
		}
	}
}

func TestServer_Authentication(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := start(t, fake.Options{Now: time.Now})
	list := &model.ListWorkspaceusersRequest{WorkspaceId: fake.WorkspaceAnalytics, Limit: new("5")}
	try := func(ak, sk, project string, change func(*http.Request)) (any, error) {
		return client(t, s, ak, sk, project, roundTripper(func(r *http.Request) (*http.Response, error) {
			if change != nil {
				change(r)
			}
			return http.DefaultTransport.RoundTrip(r)
		})).ListWorkspaceusers(list)
	}
	if _, err := try(fake.AccessKey, fake.SecretKey, fake.ProjectID, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, 401, "APIGW.0301")(try("AKUNKNOWN", fake.SecretKey, fake.ProjectID, nil))
	wantError(t, 401, "APIGW.0301")(try(fake.AccessKey, "SKWRONG", fake.ProjectID, nil))
	wantError(t, 403, "APIGW.0302")(try(fake.AccessKey, fake.SecretKey, strings.Repeat("1", 32), nil))
	for name, change := range map[string]func(*http.Request){
		"no signature":  func(r *http.Request) { r.Header.Del("Authorization") },
		"bad signature": func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"0") },
		"other agent":   func(r *http.Request) { r.Header.Set("User-Agent", "proxy") },
		"other query":   func(r *http.Request) { r.URL.RawQuery = "limit=6" },
		"other path": func(r *http.Request) {
			r.URL.Path = strings.ReplaceAll(r.URL.Path, fake.WorkspaceAnalytics, fake.WorkspaceRisk)
		},
		"other date":     func(r *http.Request) { r.Header.Set("X-Sdk-Date", now.Format("20060102T150405Z")) },
		"date as a word": func(r *http.Request) { r.Header.Set("X-Sdk-Date", "today") },
		"date unsigned": func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ";x-sdk-date", ""))
		},
		"another body": func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{}")); r.ContentLength = 2 },
	} {
		t.Log(name)
		wantError(t, 401, "APIGW.0301")(try(fake.AccessKey, fake.SecretKey, fake.ProjectID, change))
	}
	s.AddKey("AKOTHER", "SKOTHER", fake.ProjectID)
	if _, err := try("AKOTHER", "SKOTHER", fake.ProjectID, nil); err != nil {
		t.Error(err)
	}
}

func TestServer_DateMayBeFifteenMinutesOff(t *testing.T) {
	for off, good := range map[time.Duration]bool{
		14 * time.Minute: true, -14 * time.Minute: true, 16 * time.Minute: false, -16 * time.Minute: false,
	} {
		s := start(t, fake.Options{Now: func() time.Time { return time.Now().Add(off) }})
		_, err := seeded(t, s).ListWorkspaceusers(&model.ListWorkspaceusersRequest{WorkspaceId: fake.WorkspaceAnalytics})
		if (err == nil) != good {
			t.Errorf("%v off: %v", off, err)
		}
	}
}

func TestServer_RefusesWrongBodies(t *testing.T) {
	s := start(t, fake.Options{})
	c := seeded(t, s)
	tooMany := make([]model.ApigRole, 101)
	for name, body := range map[string]*model.ApigWorkspaceUserDto{
		"no body":        nil,
		"empty":          {},
		"type 2":         {Type: 2, UserIds: addition(fake.UserAlice, fake.RoleViewer).Body.UserIds, RolesIds: addition("", fake.RoleViewer).Body.RolesIds},
		"no roles":       {UserIds: &[]model.ApigIamUserDto{{UserId: new(fake.UserAlice)}}},
		"no users":       {RolesIds: []model.ApigRole{{RoleId: new(fake.RoleViewer)}}},
		"too many roles": {UserIds: &[]model.ApigIamUserDto{{UserId: new(fake.UserAlice)}}, RolesIds: tooMany},
	} {
		t.Log(name)
		wantError(t, 400, "DAYU.4402")(c.AddWorkSpaceUsers(&model.AddWorkSpaceUsersRequest{WorkspaceId: fake.WorkspaceAnalytics, Body: body}))
	}
	wantError(t, 404, "APIGW.0101")(c.AddWorkSpaceUsers(&model.AddWorkSpaceUsersRequest{WorkspaceId: "../x"}))
	wantError(t, 400, "DAYU.4402")(c.UpdateWorkSpaceUserOrGroup(&model.UpdateWorkSpaceUserOrGroupRequest{
		WorkspaceId: fake.WorkspaceAnalytics, UserId: fake.UserBob, Body: addition(fake.UserOwner, fake.RoleViewer).Body,
	}))
	for _, call := range s.Mutations() {
		if call.Applied {
			t.Errorf("applied: %+v", call)
		}
	}
}

// What the vendor does not publish is switched, and the SDK cannot tell is_success false from true.
func TestServer_Switches(t *testing.T) {
	s := start(t, fake.Options{})
	c := seeded(t, s)
	owner, stranger := addition(fake.UserOwner, fake.RoleViewer), addition(strings.Repeat("9", 32), fake.RoleViewer)
	applied := func(want bool) {
		t.Helper()
		if calls := s.Mutations(); calls[len(calls)-1].Applied != want {
			t.Errorf("applied %t, want %t", !want, want)
		}
	}
	for _, req := range []*model.AddWorkSpaceUsersRequest{owner, stranger, addition(fake.UserBob, "r09999")} {
		if _, err := c.AddWorkSpaceUsers(req); err != nil {
			t.Errorf("is_success false is no error to the SDK: %v", err)
		}
		applied(false)
	}
	s.SetBehaviour(fake.Behaviour{AddExisting: fake.Answer4402, AcceptStrangers: true, NeedUserName: true})
	wantError(t, 400, "DAYU.4402")(c.AddWorkSpaceUsers(stranger))
	(*stranger.Body.UserIds)[0].UserName = new("stranger")
	if _, err := c.AddWorkSpaceUsers(stranger); err != nil {
		t.Error(err)
	}
	applied(true)
	(*owner.Body.UserIds)[0].UserName = new("owner")
	wantError(t, 400, "DAYU.4402")(c.AddWorkSpaceUsers(owner))
	s.SetBehaviour(fake.Behaviour{MaxMembers: 2})
	if _, err := c.AddWorkSpaceUsers(addition(fake.UserBob, fake.RoleViewer)); err != nil {
		t.Error(err)
	}
	applied(false)
	s.SetBehaviour(fake.Behaviour{AddExisting: fake.AnswerAccept})
	if _, err := c.AddWorkSpaceUsers(owner); err != nil {
		t.Error(err)
	}
	applied(false)
}

func TestServer_GroupPathIsASwitch(t *testing.T) {
	s := start(t, fake.Options{Behaviour: fake.Behaviour{GroupPath: fake.GroupPathRecord}})
	s.SetMember(fake.WorkspaceRisk, fake.Member{Type: fake.TypeGroup, UserID: fake.GroupPlatform, Roles: []string{fake.RoleViewer}})
	c := seeded(t, s)
	update := func(path string) error {
		_, err := c.UpdateWorkSpaceUserOrGroup(&model.UpdateWorkSpaceUserOrGroupRequest{
			WorkspaceId: fake.WorkspaceRisk, UserId: path, Body: &model.ApigWorkspaceUserDto{
				Type: 1, Groups: &[]model.Group{{Id: new(fake.GroupPlatform)}}, RolesIds: []model.ApigRole{{RoleId: new(fake.RoleAdmin)}},
			},
		})
		return err
	}
	wantError(t, 400, "DAYU.4402")(nil, update(fake.GroupPlatform))
	if err := update(s.Members(fake.WorkspaceRisk)[1].RecordID); err != nil {
		t.Error(err)
	}
}

func TestServer_SnapshotAndRestore(t *testing.T) {
	s := start(t, fake.Options{})
	s.SetMember(fake.WorkspaceRisk, fake.Member{UserID: fake.UserBob, Roles: []string{fake.RoleViewer}})
	snapshot, want := s.Snapshot(), s.Members(fake.WorkspaceRisk)
	s.Reset()
	if n := len(s.Members(fake.WorkspaceRisk)); n != 1 {
		t.Errorf("%d members after Reset", n)
	}
	if err := s.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Members(fake.WorkspaceRisk)); diff != "" {
		t.Error(diff)
	}
	if err := s.Restore([]byte("{")); err == nil {
		t.Error("a broken snapshot was restored")
	}
}

func TestServer_CallsAreCompleteWithTheAnswer(t *testing.T) {
	s := start(t, fake.Options{})
	c := seeded(t, s)
	var wg sync.WaitGroup
	for i := range 20 {
		id := strings.Repeat("0", 30) + string(rune('a'+i/10)) + string(rune('a'+i%10))
		s.AddIAMUser(fake.IAMUser{ID: id, Name: id})
		wg.Go(func() {
			if _, err := c.AddWorkSpaceUsers(addition(id, fake.RoleViewer)); err != nil {
				t.Error(err)
			}
			if !slices.ContainsFunc(s.Mutations(), func(c fake.Call) bool { return c.Applied && strings.Contains(c.Body, id) }) {
				t.Error("answered, and not yet recorded")
			}
		})
	}
	wg.Wait()
}
