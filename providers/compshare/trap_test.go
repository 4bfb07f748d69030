package compshare_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/providers/compshare"
	"countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

// The SDK follows redirects: 307 takes key and signature to another host, 302 becomes a GET whose answer it believes.
func TestProvider_FollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var strayed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		strayed.Add(1)
		_, _ = io.WriteString(w, `{"Action":"SetCompShareTeamRelationResponse","RetCode":0}`)
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, p := fake(t, compsharefake.Quirks{})
		s.Fault(compsharefake.Fault{Kind: compsharefake.Redirect, Status: status, URL: elsewhere.URL, Count: -1})
		if out := mustApply(t, p, change(workflow.Cancel, "50004")); out.Verdict != workflow.Unclear {
			t.Errorf("%d: Apply = %+v", status, out)
		}
		if m, err := p.Read(t.Context(), change(workflow.Cancel, "50004")); err == nil {
			t.Errorf("%d: Read = %+v", status, m)
		}
	}
	if n := strayed.Load(); n != 0 {
		t.Errorf("%d requests went to another host", n)
	}
}

// With two retries the SDK would make three calls of a business error or a lost connection.
func TestProvider_RetriesNothing(t *testing.T) {
	t.Parallel()
	for _, f := range []compsharefake.Fault{
		{Kind: compsharefake.RetCode, RetCode: 16003},
		{Kind: compsharefake.Cut},
		{Kind: compsharefake.Cut, After: true},
		{Kind: compsharefake.HTTPStatus, Status: 503},
		{Kind: compsharefake.HTTPStatus, Status: 429},
	} {
		s, p := fake(t, compsharefake.Quirks{})
		f.Count = -1
		s.Fault(f)
		began := time.Now()
		mustApply(t, p, change(workflow.Cancel, "50004"))
		if n, took := len(s.Calls()), time.Since(began); n != 1 || took > 5*time.Second {
			t.Errorf("%+v: %d calls in %v, want 1", f, n, took)
		}
	}
}

// What is certain not to have left is refused, so that nobody has to look it up.
func TestProvider_ApplyNotSent(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request reached a server whose certificate is not trusted")
	}))
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	dial := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.compshare.cn", IsNotFound: true}}
	}
	tests := map[string]*compshare.Provider{
		"connection refused": provider(t, "http://127.0.0.1:1"),
		"unknown authority":  provider(t, untrusted.URL),
		"not TLS":            provider(t, strings.Replace(plain.URL, "http", "https", 1)),
		"no such host":       providerWith(t, compshare.Options{Transport: &http.Transport{DialContext: dial}}),
		"no such host, untraced": providerWith(t, compshare.Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			_, err := dial(t.Context(), "", "")
			return nil, err
		})}),
	}
	for name, p := range tests {
		out := mustApply(t, p, change(workflow.Invite, "50002"))
		if out.Verdict != workflow.Refused || out.Fault.Class != workflow.ClassVendor || !strings.HasPrefix(out.Fault.Text, "not sent: ") {
			t.Errorf("%s: Apply = %s %+v", name, out.Verdict, out.Fault)
		}
		assertNoSecret(t, out, out.Fault)
		t.Log(name, "-", out.Fault)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A transport that does not report its connections proves nothing by failing.
func TestProvider_ApplyUnclearWithoutProof(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("lost"), io.EOF, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, context.DeadlineExceeded,
	} {
		p := providerWith(t, compshare.Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })})
		if out := mustApply(t, p, change(workflow.Invite, "50002")); out.Verdict != workflow.Unclear {
			t.Errorf("%v: Apply = %s %+v", err, out.Verdict, out.Fault)
		}
	}
}

func TestProvider_GivesUpWithContext(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	s.Fault(compsharefake.Fault{Kind: compsharefake.Delay, DelayMS: 60_000, Count: -1})

	ctx := begun(t, s)
	began := time.Now()
	if out := p.Apply(ctx, change(workflow.Cancel, "50004"), workflow.Membership{}); out.Verdict != workflow.Unclear || out.Fault.Text != "the call was given up" {
		t.Errorf("cancelled: %s %+v", out.Verdict, out.Fault)
	}
	if out := p.Apply(soon(t, time.Second), change(workflow.Cancel, "50004"), workflow.Membership{}); out.Verdict != workflow.Unclear || out.Fault.Text != "time ran out" {
		t.Errorf("timed out: %s %+v", out.Verdict, out.Fault)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("gave up after %v", took)
	}
	sent := len(s.Calls())
	if out := p.Apply(ctx, change(workflow.Cancel, "50004"), workflow.Membership{}); out.Verdict != workflow.Refused || len(s.Calls()) != sent {
		t.Errorf("cancelled before: %s %+v", out.Verdict, out.Fault)
	}
}

// A body that dribbles in is given up by the context too.
func TestProvider_GivesUpSlowBody(t *testing.T) {
	t.Parallel()
	p := raw(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
		_, _ = io.WriteString(w, `{"Action":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	out := p.Apply(soon(t, time.Second), change(workflow.Cancel, "50004"), workflow.Membership{})
	if out.Verdict != workflow.Unclear || out.Fault.Text != "time ran out" {
		t.Errorf("Apply = %s %+v", out.Verdict, out.Fault)
	}
}

// The bound is on what is read, and an answer just within it is taken.
func TestProvider_BoundsAnswer(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	for size, want := range map[int]workflow.Verdict{
		1 << 19: workflow.Applied, 1 << 20: workflow.Unclear, 4 << 20: workflow.Unclear,
	} {
		s.SetRelation(compsharefake.Relation{Team: 1001, Company: 50004, Status: compsharefake.Pending})
		s.Fault(compsharefake.Fault{Kind: compsharefake.Huge, Bytes: size, After: true})
		if out := mustApply(t, p, change(workflow.Cancel, "50004")); out.Verdict != want {
			t.Errorf("%d bytes: %s %+v", size, out.Verdict, out.Fault)
		}
	}
}

// The SDK races on the first use of a client shared by goroutines; run with -race.
func TestProvider_ConcurrentFirstUse(t *testing.T) {
	t.Parallel()
	s, p := fake(t, compsharefake.Quirks{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			c := change(workflow.Rename, "50003")
			if i%2 == 0 {
				c = change(workflow.Invite, "50002")
				if _, err := p.Read(t.Context(), c); err != nil {
					t.Error(err)
				}
				return
			}
			if out := p.Apply(t.Context(), c, workflow.Membership{}); out.Verdict != workflow.Applied {
				t.Errorf("Apply = %+v", out)
			}
		})
	}
	wg.Wait()
	if n := len(s.Mutations()); n != 25 {
		t.Errorf("%d mutating calls, want 25", n)
	}
}

// The SDK logs failed calls, whole bodies too, to standard output. Not parallel: it exchanges the process's own.
func TestProvider_PrintsNothing(t *testing.T) {
	out, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	oldOut, oldErr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = out, out
	defer func() { os.Stdout, os.Stderr = oldOut, oldErr }()

	s, p := fake(t, compsharefake.Quirks{})
	for _, f := range faults() {
		if f.fault.Kind == compsharefake.Delay {
			continue
		}
		s.Fault(f.fault)
		mustApply(t, p, change(workflow.Cancel, "50004"))
		s.Fault(f.fault)
		_, _ = p.Read(t.Context(), change(workflow.Cancel, "50004"))
	}
	if text, err := os.ReadFile(out.Name()); err != nil || len(text) != 0 {
		t.Errorf("printed %q, %v", text, err)
	}
}

// An address of its own, and only the documented body: no other header carries the key.
func TestProvider_KeepsBasePath(t *testing.T) {
	t.Parallel()
	var path, agent string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		path, agent = r.URL.Path, r.UserAgent()
	}))
	t.Cleanup(s.Close)
	mustApply(t, provider(t, s.URL+"/ucloud/api"), change(workflow.Cancel, "50004"))
	if path != "/ucloud/api" || !strings.HasSuffix(agent, "Product/UCompShare Countersign") {
		t.Errorf("path %q, agent %q", path, agent)
	}
}
