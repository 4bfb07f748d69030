package dataartsfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/model"

	fake "countersign/providers/dataarts/dataartsfake"
)

// ask calls the control interface; change may be nil.
func ask(t *testing.T, s *fake.Server, method, path, body string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestControl_FromAnotherProcess(t *testing.T) {
	s := start(t, fake.Options{})
	for path, body := range map[string]string{
		"/_emu/fault":     `{"route":"*","kind":"status","status":503,"delay":"1ms"}`,
		"/_emu/user":      `{"id":"` + strings.Repeat("d", 32) + `","name":"dave"}`,
		"/_emu/workspace": `{"id":"` + strings.Repeat("e", 32) + `","name":"new"}`,
		"/_emu/member":    `{"workspace":"` + fake.WorkspaceRisk + `","member":{"user_id":"` + fake.UserBob + `","roles":["r00004"]}}`,
		"/_emu/behaviour": `{"offset":"pages"}`,
	} {
		if status, text := ask(t, s, "POST", path, body, nil); status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	c := seeded(t, s)
	wantError(t, 503, "APIGW.0201")(c.AddWorkSpaceUsers(addition(fake.UserAlice, fake.RoleViewer)))
	if _, err := c.AddWorkSpaceUsers(addition(fake.UserAlice, fake.RoleViewer)); err != nil {
		t.Error(err)
	}
	var calls []fake.Call
	if _, text := ask(t, s, "GET", "/_emu/calls", "", nil); json.Unmarshal([]byte(text), &calls) != nil || len(calls) != 2 ||
		calls[0].Applied || !calls[1].Applied || calls[0].Route != fake.AddWorkSpaceUsers {
		t.Errorf("calls %s", text)
	}
	status, state := ask(t, s, "GET", "/_emu/state", "", nil)
	if status != 200 || !strings.Contains(state, fake.UserBob) {
		t.Errorf("state %d %s", status, state)
	}
	remove := `{"workspace":"` + fake.WorkspaceRisk + `","member":{"user_id":"` + fake.UserBob + `"},"remove":true}`
	if status, text := ask(t, s, "POST", "/_emu/member", remove, nil); status != 200 || len(s.Members(fake.WorkspaceRisk)) != 1 {
		t.Errorf("remove: %d %s", status, text)
	}
	ask(t, s, "POST", "/_emu/restore", state, nil)
	if n := len(s.Members(fake.WorkspaceRisk)); n != 2 {
		t.Errorf("%d members after restore", n)
	}
	ask(t, s, "POST", "/_emu/reset", "{}", nil)
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls after reset", n)
	}
}

func TestControl_RefusesWhatItDoesNotUnderstand(t *testing.T) {
	s := start(t, fake.Options{})
	for path, body := range map[string]string{
		"/_emu/fault":     `{"kind":"explode"}`,
		"/_emu/member":    `{"workspce":"x"}`,
		"/_emu/behaviour": `[]`,
		"/_emu/restore":   `{`,
	} {
		if status, _ := ask(t, s, "POST", path, body, nil); status != 400 {
			t.Errorf("%s %s: %d", path, body, status)
		}
	}
	if status, _ := ask(t, s, "POST", "/_emu/fault", `{"kind":"delay","delay":"soon"}`, nil); status != 400 {
		t.Errorf("bad delay: %d", status)
	}
}

func TestControl_IsForThisMachine(t *testing.T) {
	s := start(t, fake.Options{})
	for name, change := range map[string]func(*http.Request){
		"rebound name":  func(r *http.Request) { r.Host = "evil.example" },
		"address":       func(r *http.Request) { r.Host = "192.0.2.7:80" },
		"other origin":  func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"opaque origin": func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		if status, _ := ask(t, s, "GET", "/_emu/state", "", change); status != 403 {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, host := range []string{"localhost", "localhost:8080", "[::1]:8080", "127.0.0.1"} {
		if status, _ := ask(t, s, "GET", "/_emu/calls", "", func(r *http.Request) { r.Host = host }); status != 200 {
			t.Errorf("%s: %d", host, status)
		}
	}
}

func TestFault_CountsAndOrder(t *testing.T) {
	s := start(t, fake.Options{})
	s.AddFault(fake.Fault{Route: fake.ListWorkspaceRoles, Kind: fake.Status, Status: 500, Count: 2})
	s.AddFault(fake.Fault{Kind: fake.Status, Status: 403})
	c := seeded(t, s)
	roles := func() (any, error) {
		return c.ListWorkspaceRoles(&model.ListWorkspaceRolesRequest{WorkspaceId: new(fake.WorkspaceRisk)})
	}
	wantError(t, 500, "DAYU.3531")(roles())
	wantError(t, 500, "DAYU.3531")(roles())
	wantError(t, 403, "APIGW.0302")(roles())
	if _, err := roles(); err != nil {
		t.Error(err)
	}
	s.AddFault(fake.Fault{Kind: fake.Status, Count: -1})
	wantError(t, 500, "DAYU.3531")(roles())
	wantError(t, 500, "DAYU.3531")(roles())
	s.ClearFaults()
	if _, err := roles(); err != nil {
		t.Error(err)
	}
}

func TestServer_CloseEndsDelays(t *testing.T) {
	s := start(t, fake.Options{})
	s.AddFault(fake.Fault{Kind: fake.Delay, Delay: time.Hour})
	done := make(chan error, 1)
	c := seeded(t, s)
	go func() {
		_, err := c.AddWorkSpaceUsers(addition(fake.UserAlice, fake.RoleViewer))
		done <- err
	}()
	for len(s.Calls()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-done:
		if err == nil || s.Mutations()[0].Applied {
			t.Errorf("answered %v, %+v", err, s.Mutations())
		}
	case <-time.After(10 * time.Second):
		t.Error("still waiting")
	}
}
