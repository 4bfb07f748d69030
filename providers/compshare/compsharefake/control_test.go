package compsharefake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	fakes "countersign/providers/compshare/compsharefake"
)

func control(t *testing.T, s *fakes.Server, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
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

func TestServer_ControlFromOtherProcess(t *testing.T) {
	t.Parallel()
	s := start(t, fakes.Options{})
	for _, step := range [][2]string{
		{"/_emu/account", `{"public_key":"p","private_key":"q","company":70001}`},
		{"/_emu/team", `{"id":7001,"owner":70001,"name":"seventh"}`},
		{"/_emu/relation", `{"team":7001,"company":50002,"status":"Joined"}`},
		{"/_emu/quirks", `{"lower_status":true}`},
		{"/_emu/fault", `{"action":"GetCompShareTeamInfo","kind":"ret_code","ret_code":110,"message":"API timeout"}`},
	} {
		if code, text := control(t, s, "POST", step[0], step[1]); code != http.StatusNoContent {
			t.Errorf("%s: %d %s", step[0], code, text)
		}
	}
	if a := ask(t, s, 50001, map[string]string{"Action": "GetCompShareTeamInfo", "TeamId": "1001"}); a["RetCode"] != 110.0 {
		t.Errorf("the fault did not strike: %v", a)
	}
	_, text := control(t, s, "GET", "/_emu/calls", "")
	var calls []fakes.Call
	if err := json.Unmarshal([]byte(text), &calls); err != nil || len(calls) != 1 || calls[0].Fault != fakes.RetCode {
		t.Errorf("calls %s, %v", text, err)
	}
	if _, text := control(t, s, "GET", "/_emu/calls?mutating=1", ""); text != "[]" {
		t.Errorf("mutating calls %s", text)
	}
	if _, text := control(t, s, "GET", "/_emu/relations?team=7001", ""); !strings.Contains(text, `"status":"Joined"`) {
		t.Errorf("relations %s", text)
	}
	_, state := control(t, s, "GET", "/_emu/state", "")
	for _, path := range []string{"/_emu/reset", "/_emu/faults", "/_emu/calls"} {
		if code, text := control(t, s, "POST", path, ""); code != http.StatusNoContent {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if s.Status(7001, 50002) != "" || len(s.Calls()) != 0 {
		t.Error("reset kept something")
	}
	if code, text := control(t, s, "POST", "/_emu/state", state); code != http.StatusNoContent || s.Status(7001, 50002) != fakes.Joined {
		t.Errorf("state: %d %s", code, text)
	}
}

func TestServer_ControlRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, fakes.Options{})
	tests := []struct {
		method, path, body string
		headers            []string
		want               int
	}{
		{"GET", "/_emu/state", "", []string{"Host", "evil.example"}, 403},
		{"GET", "/_emu/state", "", []string{"Host", "127.0.0.1.evil.example:80"}, 403},
		{"GET", "/_emu/state", "", []string{"Origin", "https://evil.example"}, 403},
		{"GET", "/_emu/state", "", []string{"Origin", "null"}, 403},
		{"GET", "/_emu/state", "", []string{"Host", "localhost:80", "Origin", "http://[::1]:8080"}, 200},
		{"POST", "/_emu/fault", `{"kind":"cut","surprise":1}`, nil, 400},
		{"POST", "/_emu/fault", `{`, nil, 400},
		{"GET", "/_emu/relations", "", nil, 400},
		{"GET", "/_emu/nothing", "", nil, 404},
	}
	for _, tt := range tests {
		if code, text := control(t, s, tt.method, tt.path, tt.body, tt.headers...); code != tt.want {
			t.Errorf("%s %s %v: %d %s, want %d", tt.method, tt.path, tt.headers, code, text, tt.want)
		}
	}
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls recorded", n)
	}
}

func TestStart_LoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if s, err := fakes.Start(fakes.Options{Addr: addr}); err == nil {
			_ = s.Close()
			t.Errorf("%q: listens", addr)
		}
	}
	s := start(t, fakes.Options{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
}

func TestServer_FaultsCountAndSkip(t *testing.T) {
	t.Parallel()
	s := start(t, fakes.Options{})
	s.Fault(fakes.Fault{Action: "ListCompShareTeam", Kind: fakes.RetCode, RetCode: 153, Skip: 1, Count: 2})
	var codes []any
	for range 5 {
		codes = append(codes, ask(t, s, 50001, map[string]string{"Action": "ListCompShareTeam"})["RetCode"])
	}
	if got, want := codes, []any{0.0, 153.0, 153.0, 0.0, 0.0}; !equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
}

func equal(a, b []any) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
