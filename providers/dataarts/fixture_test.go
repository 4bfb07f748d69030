package dataarts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"countersign/providers/dataarts"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

const (
	alice     = dataartsfake.UserAlice
	bob       = dataartsfake.UserBob
	owner     = dataartsfake.UserOwner
	platform  = dataartsfake.GroupPlatform
	analytics = dataartsfake.WorkspaceAnalytics
)

// cloud starts an emulator.
func cloud(t *testing.T) *dataartsfake.Server {
	t.Helper()
	s, err := dataartsfake.Start(dataartsfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// options are those of a provider for a server at url, which is asked for IAM too.
func options(url string) dataarts.Options {
	return dataarts.Options{
		System: "warehouse", Endpoint: url, IAMEndpoint: url, ProjectID: dataartsfake.ProjectID,
		InstanceID: dataartsfake.InstanceID, AccessKey: dataartsfake.AccessKey, SecretKey: dataartsfake.SecretKey,
	}
}

func open(t *testing.T, o dataarts.Options) *dataarts.Provider {
	t.Helper()
	p, err := dataarts.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// answering starts a server that answers every request alike.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func user(id string) workflow.Subject { return workflow.Subject{Kind: workflow.Member, ID: id} }

func userGroup(id string) workflow.Subject { return workflow.Subject{Kind: workflow.UserGroup, ID: id} }

func change(a workflow.Action, who workflow.Subject, roles ...string) workflow.Change {
	c := workflow.Change{Action: a, System: "warehouse", Group: analytics, Subject: who}
	for _, r := range roles {
		c.Roles = append(c.Roles, workflow.RoleRef{ID: r})
	}
	return c
}

func member(id string, roles ...string) dataartsfake.Member {
	return dataartsfake.Member{UserID: id, UserName: "name-" + id[:4], Roles: roles}
}

// crowd fills the workspace up to n members, its owner included.
func crowd(s *dataartsfake.Server, n int) {
	for i := 1; i < n; i++ {
		s.SetMember(analytics, member(fmt.Sprintf("%032d", i), dataartsfake.RoleViewer))
	}
}

func read(t *testing.T, p *dataarts.Provider, c workflow.Change) workflow.Membership {
	t.Helper()
	m, err := p.Read(t.Context(), c)
	if err != nil {
		t.Fatalf("Read %s: %v", c.Action, err)
	}
	return m
}

// readFault reads and wants an error.
func readFault(t *testing.T, p *dataarts.Provider, c workflow.Change) *workflow.Fault {
	t.Helper()
	m, err := p.Read(t.Context(), c)
	f, ok := errors.AsType[*workflow.Fault](err)
	if !ok {
		t.Fatalf("Read = %+v, %v; want a *workflow.Fault", m, err)
	}
	return f
}

func apply(t *testing.T, p *dataarts.Provider, c workflow.Change, m workflow.Membership) workflow.Outcome {
	t.Helper()
	return applyIn(t.Context(), p, c, m)
}

func applyIn(ctx context.Context, p *dataarts.Provider, c workflow.Change, m workflow.Membership) workflow.Outcome {
	return p.Apply(ctx, c, m)
}

// do reads and applies, as the runner does.
func do(t *testing.T, p *dataarts.Provider, c workflow.Change) workflow.Outcome {
	t.Helper()
	return apply(t, p, c, read(t, p, c))
}

// rolesOf are the roles of a member of analytics; nil for somebody who is none.
func rolesOf(s *dataartsfake.Server, who workflow.Subject) []string {
	kind := dataartsfake.TypeUser
	if who.Kind == workflow.UserGroup {
		kind = dataartsfake.TypeGroup
	}
	for _, m := range s.Members(analytics) {
		if m.Type == kind && m.UserID == who.ID {
			return m.Roles
		}
	}
	return nil
}

func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}
