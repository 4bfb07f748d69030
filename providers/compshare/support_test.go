package compshare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign/providers/compshare"
	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

const (
	publicKey  = compsharefake.PublicKey
	privateKey = compsharefake.PrivateKey
)

// fake starts an emulator and a provider that is its company 50001.
func fake(t *testing.T, q compsharefake.Quirks) (*compsharefake.Server, *compshare.Provider) {
	t.Helper()
	s, err := compsharefake.Start(compsharefake.Options{Quirks: q})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, provider(t, s.URL())
}

// provider is one for a base URL, with the seed's keys.
func provider(t *testing.T, endpoint string) *compshare.Provider {
	t.Helper()
	return providerWith(t, compshare.Options{Endpoint: endpoint})
}

func providerWith(t *testing.T, o compshare.Options) *compshare.Provider {
	t.Helper()
	o.System, o.Region, o.PublicKey, o.PrivateKey = "gpu-lab", "cn-wlcb", publicKey, privateKey
	p, err := compshare.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// raw is a provider that talks to a handler.
func raw(t *testing.T, h http.HandlerFunc) *compshare.Provider {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return provider(t, s.URL)
}

// says is a provider whose every call is answered by one text.
func says(t *testing.T, body string) *compshare.Provider {
	t.Helper()
	return raw(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

// change is one that Check would make.
func change(a workflow.Action, company string) workflow.Change {
	c := workflow.Change{Action: a, System: "gpu-lab", Group: "1001"}
	if company != "" {
		c.Subject = workflow.Subject{Kind: workflow.Member, ID: company}
	}
	switch a {
	case workflow.Rename:
		c.Remark = "李四"
	case workflow.Accept, workflow.Reject:
		c.Group = "2001"
	default:
	}
	return c
}

// changes are one change of each action that the seed allows, and what it makes of the relation.
func changes() []workflow.Change {
	return []workflow.Change{
		change(workflow.Invite, "50002"), change(workflow.Resend, "50004"), change(workflow.Cancel, "50004"),
		change(workflow.Rename, "50003"), change(workflow.Accept, ""), change(workflow.Reject, ""),
	}
}

func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// begun is a context that ends once the server has got a call, however long that takes to get there.
func begun(t *testing.T, s *compsharefake.Server) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		defer cancel()
		for len(s.Calls()) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	return ctx
}

func mustRead(t *testing.T, p *compshare.Provider, c workflow.Change) workflow.Membership {
	t.Helper()
	m, err := p.Read(soon(t, 10*time.Second), c)
	if err != nil {
		t.Fatalf("Read(%s) = %v", c.Action, err)
	}
	return m
}

func mustApply(t *testing.T, p *compshare.Provider, c workflow.Change) workflow.Outcome {
	t.Helper()
	return p.Apply(soon(t, 10*time.Second), c, workflow.Membership{Fit: workflow.Differs})
}

// assertNoSecret fails if a key or a signature shows in any of the values, printed in any usual way.
func assertNoSecret(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v)
		if encoded, err := json.Marshal(v); err == nil {
			text += string(encoded)
		}
		for _, secret := range []string{"MUSTNOTLEAK", "Signature="} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret shows (%s) in %s", secret, text)
			}
		}
	}
}

// find is the relation of a company in a team of the emulator.
func find(s *compsharefake.Server, team, company uint32) compsharefake.Relation {
	var found compsharefake.Relation
	for _, r := range s.Relations(team) {
		if r.Company == company {
			found = r
		}
	}
	return found
}

// subject is the relation that a change is about.
func subject(s *compsharefake.Server, c workflow.Change) compsharefake.Relation {
	var team, company uint32
	_, _ = fmt.Sscan(c.Group, &team)
	company = 50001
	if c.Subject.ID != "" {
		_, _ = fmt.Sscan(c.Subject.ID, &company)
	}
	return find(s, team, company)
}
