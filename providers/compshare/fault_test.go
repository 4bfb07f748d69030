package compshare_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fakes "countersign/providers/compshare/compsharefake"
	"countersign/workflow"
)

// struck is what a fault makes of a call.
type struck struct {
	fault   fakes.Fault
	verdict workflow.Verdict
	class   workflow.Class
	code    string
}

// faults are all faults that can strike a mutating call, each before and, where it can, after the action is carried out.
func faults() []struck {
	const unclear, no = workflow.Unclear, workflow.Refused
	list := []struck{
		{fakes.Fault{Kind: fakes.Cut}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.Delay, DelayMS: 1500}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 500}, unclear, workflow.ClassVendor, "HTTP 500"},
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 502}, unclear, workflow.ClassVendor, "HTTP 502"},
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 503}, unclear, workflow.ClassVendor, "HTTP 503"},
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 408}, unclear, workflow.ClassUnclear, "HTTP 408"},
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 204}, unclear, workflow.ClassVendor, "HTTP 204"},
		{fakes.Fault{Kind: fakes.Truncated}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.HTML}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.RetCode, RetCode: 110, Message: "API timeout"}, unclear, workflow.ClassUnclear, "RetCode 110"},
		{fakes.Fault{Kind: fakes.Redirect, Status: 307, URL: "http://127.0.0.1:9/"}, unclear, workflow.ClassVendor, "HTTP 307"},
		{fakes.Fault{Kind: fakes.Redirect, Status: 302, URL: "http://127.0.0.1:9/"}, unclear, workflow.ClassVendor, "HTTP 302"},
		{fakes.Fault{Kind: fakes.EmptyObject}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.Null}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.EmptyBody}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.NoRetCode}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.OtherAction}, unclear, workflow.ClassUnclear, ""},
		{fakes.Fault{Kind: fakes.Huge}, unclear, workflow.ClassUnclear, ""},
	}
	for _, s := range list {
		s.fault.After = true
		list = append(list, s)
	}
	return append(list, []struck{ // these say no, and would lie if the action had been carried out
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 429}, no, workflow.ClassThrottled, "HTTP 429"},
		{fakes.Fault{Kind: fakes.HTTPStatus, Status: 403}, no, workflow.ClassRefused, "HTTP 403"},
		{fakes.Fault{Kind: fakes.RetCode, RetCode: 16003, Message: "no"}, no, workflow.ClassRefused, "RetCode 16003"},
		{fakes.Fault{Kind: fakes.RetCode, RetCode: 153, Message: "slow down"}, no, workflow.ClassThrottled, "RetCode 153"},
	}...)
}

// Every fault with every action: the verdict, the calls that were received, the membership afterwards, and what Read
// says of it.
func TestProvider_ApplyUnderFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		for _, c := range changes() {
			name := fmt.Sprintf("%s %s%d%d after=%v", c.Action, f.fault.Kind, f.fault.Status, f.fault.RetCode, f.fault.After)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				underFault(t, f, c)
			})
		}
	}
	t.Run("error_map", func(t *testing.T) {
		t.Parallel()
		f := fakes.Fault{Kind: fakes.ErrorMap, RetCode: 16001, Message: "user already in team"}
		underFault(t, struck{f, workflow.Refused, workflow.ClassState, "ErrorMap 16001"}, change(workflow.Invite, "50002"))
	})
}

func underFault(t *testing.T, f struck, c workflow.Change) {
	s, p := fake(t, fakes.Quirks{})
	before, was := subject(s, c), mustRead(t, p, c)
	s.ResetCalls()
	s.Fault(f.fault)
	ctx := soon(t, 10*time.Second)
	if f.fault.Kind == fakes.Delay {
		ctx = begun(t, s)
	}
	out := p.Apply(ctx, c, was)

	if out.Verdict != f.verdict || out.Fault == nil || out.Fault.Class != f.class || out.Fault.Code != f.code || out.Fault.Text == "" {
		t.Errorf("Apply = %s %+v, want %s %s %q", out.Verdict, out.Fault, f.verdict, f.class, f.code)
	}
	assertNoSecret(t, out, out.Fault)
	does := f.fault.After || f.fault.Kind == fakes.Delay // a delayed call goes its way without its caller
	calls := settled(t, s, does)
	if len(calls) != 1 || calls[0].Action != applied[c.Action].action || calls[0].Applied != does {
		t.Fatalf("calls %+v, want one", calls)
	}
	answered := f.fault.Kind != fakes.Cut && f.fault.Kind != fakes.Delay
	if answered && (out.RequestID != calls[0].RequestID || out.Fault.RequestID != out.RequestID) {
		t.Errorf("request ID %q, want %q", out.RequestID, calls[0].RequestID)
	}
	now, want := subject(s, c), before
	if does {
		want = wanted(c, before, now)
	}
	if diff := cmp.Diff(want, now); diff != "" {
		t.Errorf("relation (-want +got):\n%s", diff)
	}
	truth(t, c, was, mustRead(t, p, c), does)
}

// settled waits for a call that goes on after its caller has given up.
func settled(t *testing.T, s *fakes.Server, does bool) []fakes.Call {
	t.Helper()
	calls := s.Calls()
	for deadline := time.Now().Add(30 * time.Second); does && !calls[0].Applied && time.Now().Before(deadline); calls = s.Calls() {
		time.Sleep(10 * time.Millisecond)
	}
	return calls
}

// truth checks that a read settles an unclear outcome: as wanted, or as it was; and of resend, that no read can.
func truth(t *testing.T, c workflow.Change, was, is workflow.Membership, applied bool) {
	t.Helper()
	switch {
	case c.Action == workflow.Resend:
		if !is.Blind {
			t.Errorf("reads %+v, want blind", is)
		}
	case applied && is.Fit != workflow.Satisfied:
		t.Errorf("reads %+v, want satisfied", is)
	case !applied && (is.Fit != workflow.Differs || is.State != was.State):
		t.Errorf("reads %+v, want %q as before", is, was.State)
	}
}

// The reads too end in a classed fault, whichever of their calls is struck.
func TestProvider_ReadUnderFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		if f.fault.Kind == fakes.Delay && f.fault.After {
			continue // a read has nothing to apply
		}
		for _, c := range []workflow.Change{change(workflow.Invite, "50002"), change(workflow.Accept, "")} {
			t.Run(fmt.Sprintf("%s %s%d%d", c.Action, f.fault.Kind, f.fault.Status, f.fault.RetCode), func(t *testing.T) {
				t.Parallel()
				s, p := fake(t, fakes.Quirks{})
				s.Fault(f.fault)
				ctx := soon(t, 10*time.Second)
				if f.fault.Kind == fakes.Delay {
					ctx = begun(t, s)
				}
				m, err := p.Read(ctx, c)
				got, ok := err.(*workflow.Fault) //nolint:errorlint // Read promises the type itself
				if !ok || got.Class != f.class || got.Code != f.code {
					t.Errorf("Read = %+v, %#v, want class %s, code %q", m, err, f.class, f.code)
				}
				calls := 1
				if f.code == "RetCode 16003" && c.Action == workflow.Invite {
					calls = 2 // whether the account has such a team at all
				}
				if n := len(s.Calls()); n != calls || m.State != "" {
					t.Errorf("%d calls, membership %+v", n, m)
				}
				assertNoSecret(t, err, got)
			})
		}
	}
}
