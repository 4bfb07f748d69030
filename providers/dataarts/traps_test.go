package dataarts_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1/region"
	iam "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/region"

	"countersign/providers/dataarts"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// The SDK takes every one of these for a success.
func TestApply_AnswersBelow400(t *testing.T) {
	tests := map[string]struct {
		status  int
		body    string
		verdict workflow.Verdict
		text    string
	}{
		"documented":              {200, `{"message":null,"is_success":true}`, workflow.Applied, ""},
		"with more":               {200, `{"is_success":true,"message":"ok","x":[1]}` + "\n", workflow.Applied, ""},
		"false":                   {200, `{"message":"user exists","is_success":false}`, workflow.Refused, "user exists"},
		"false, no message":       {200, `{"message":null,"is_success":false}`, workflow.Refused, "is_success is false, without a message"},
		"false, odd message":      {200, `{"message":{"a":1},"is_success":false}`, workflow.Refused, `{"a":1}`},
		"empty":                   {200, ``, workflow.Unclear, ""},
		"null":                    {200, `null`, workflow.Unclear, "the answer has no is_success"},
		"object":                  {200, `{}`, workflow.Unclear, "the answer has no is_success"},
		"array":                   {200, `[true]`, workflow.Unclear, ""},
		"string":                  {200, `{"is_success":"true"}`, workflow.Unclear, ""},
		"null success":            {200, `{"is_success":null}`, workflow.Unclear, "the answer has no is_success"},
		"two values":              {200, `{"is_success":true}{"is_success":false}`, workflow.Unclear, ""},
		"cut JSON":                {200, `{"is_success":true`, workflow.Unclear, ""},
		"an error with 200":       {200, `{"error_code":"DAYU.1","error_msg":"odd"}`, workflow.Unclear, "odd"},
		"html":                    {200, `<html>`, workflow.Unclear, ""},
		"201":                     {201, `{"is_success":true}`, workflow.Unclear, "HTTP 201 without the documented answer"},
		"202":                     {202, `{"is_success":true}`, workflow.Unclear, "HTTP 202 without the documented answer"},
		"204":                     {204, ``, workflow.Unclear, "HTTP 204 without the documented answer"},
		"302":                     {302, `{"is_success":true}`, workflow.Unclear, "HTTP 302 without the documented answer"},
		"304":                     {304, ``, workflow.Unclear, "HTTP 304 without the documented answer"},
		"307":                     {307, `{"is_success":true}`, workflow.Unclear, "HTTP 307 without the documented answer"},
		"a success that is large": {200, `{"is_success":true,"message":"` + strings.Repeat("x", 1<<20) + `"}`, workflow.Unclear, "no usable answer: the answer is too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			endpoint := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("X-Request-Id", "0f1e2d")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			out := apply(t, open(t, options(endpoint)), change(workflow.RemoveOne, user(alice)), workflow.Membership{})
			if out.Verdict != tt.verdict || out.RequestID != "0f1e2d" {
				t.Errorf("%+v %+v", out, out.Fault)
			}
			if tt.text != "" && out.Fault.Text != tt.text {
				t.Errorf("text %q, want %q", out.Fault.Text, tt.text)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// The SDK splices path parameters unescaped; what a store or a bug hands over is checked again.
func TestProvider_NothingButIDsReachesAURL(t *testing.T) {
	s := cloud(t)
	p := open(t, options(s.URL()))
	bad := []string{"", "../../other/users/x", "{project_id}", strings.ToUpper(alice), alice + "/", alice + "\n", alice[:31]}
	for _, id := range bad {
		for _, c := range []workflow.Change{
			change(workflow.Add, user(id), "r00002"), change(workflow.SetRole, userGroup(id), "r00002"),
			change(workflow.RemoveOne, user(id)),
			{Action: workflow.RemoveOne, Group: id, Subject: user(alice)},
		} {
			if f := readFault(t, p, c); f.Class != workflow.ClassRefused {
				t.Errorf("Read %+v: %+v", c, f)
			}
			if out := apply(t, p, c, workflow.Membership{}); out.Verdict != workflow.Refused {
				t.Errorf("Apply %+v: %+v", c, out)
			}
		}
		if _, err := p.Members(t.Context(), id); err == nil {
			t.Errorf("Members(%q)", id)
		}
		if _, err := p.Roles(t.Context(), id); err == nil {
			t.Errorf("Roles(%q)", id)
		}
	}
	for _, c := range []workflow.Change{
		change(workflow.Invite, user(alice)), change(workflow.Add, user(alice)), change(workflow.SetRole, user(alice)),
		change(workflow.RemoveOne, workflow.Subject{ID: alice}),
	} {
		if out := apply(t, p, c, workflow.Membership{}); out.Verdict != workflow.Refused {
			t.Errorf("Apply %+v: %+v", c, out)
		}
	}
	if calls := s.Calls(); len(calls) > 0 {
		t.Errorf("calls = %+v", calls)
	}
}

func TestNew_Refuses(t *testing.T) {
	ok := options("https://dayu.example.com")
	for name, spoil := range map[string]func(*dataarts.Options){
		"no endpoint and no region": func(o *dataarts.Options) { o.Endpoint = "" },
		"unknown region":            func(o *dataarts.Options) { o.Endpoint, o.Region = "", "cn-north-5" },
		"no project":                func(o *dataarts.Options) { o.ProjectID = "" },
		"project of a wrong shape":  func(o *dataarts.Options) { o.ProjectID = "{project_id}" },
		"instance with a path":      func(o *dataarts.Options) { o.InstanceID = "../x" },
		"no access key":             func(o *dataarts.Options) { o.AccessKey = "" },
		"no secret key":             func(o *dataarts.Options) { o.SecretKey = "" },
		"secret key with line end":  func(o *dataarts.Options) { o.SecretKey += "\n" },
		"endpoint without scheme":   func(o *dataarts.Options) { o.Endpoint = "dayu.example.com" },
		"other scheme":              func(o *dataarts.Options) { o.Endpoint = "ftp://dayu.example.com" },
		"plain http":                func(o *dataarts.Options) { o.Endpoint = "http://dayu.example.com" },
		"path":                      func(o *dataarts.Options) { o.Endpoint = "https://dayu.example.com/prefix" },
		"query":                     func(o *dataarts.Options) { o.Endpoint = "https://dayu.example.com?x=1" },
		"user":                      func(o *dataarts.Options) { o.Endpoint = "https://u:hunter2@dayu.example.com" },
		"no host":                   func(o *dataarts.Options) { o.Endpoint = "https://" },
		"no URL":                    func(o *dataarts.Options) { o.Endpoint = "https://%zz:hunter2" },
		"IAM endpoint too":          func(o *dataarts.Options) { o.IAMEndpoint = "http://iam.example.com" },
	} {
		o := ok
		spoil(&o)
		p, err := dataarts.New(o)
		if err == nil || p != nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, secret := range []string{dataartsfake.AccessKey, dataartsfake.SecretKey, "hunter2"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v shows a secret", name, err)
			}
		}
	}
}

func TestNew_Accepts(t *testing.T) {
	for _, endpoint := range []string{
		"http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:80", "https://dayu.sa-fb-1.hcs.example.com",
	} {
		o := options(endpoint)
		o.Region = "sa-fb-1" // Huawei Cloud Stack names its own
		if _, err := dataarts.New(o); err != nil {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestRegions_AreTheSDKs(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	if n := len(dataarts.Regions()); n != 26 {
		t.Errorf("%d regions", n)
	}
	for _, id := range dataarts.Regions() {
		want, err := studio.SafeValueOf(id)
		if err != nil {
			t.Fatal(err)
		}
		hosts := hostsOf(t, dataarts.Options{Region: id})
		if u, _ := url.Parse(want.Endpoints[0]); !slices.Contains(hosts, u.Host) {
			t.Errorf("%s: asks %q, the SDK %s", id, hosts, u.Host)
		}
		if r, err := iam.SafeValueOf(id); err == nil {
			if u, _ := url.Parse(r.Endpoints[0]); !slices.Contains(hosts, u.Host) {
				t.Errorf("%s: asks %q, the SDK for IAM %s", id, hosts, u.Host)
			}
		}
	}
}

// hostsOf are the hosts that reading for an addition asks, in an otherwise complete configuration.
func hostsOf(t *testing.T, o dataarts.Options) []string {
	t.Helper()
	var mu sync.Mutex
	var hosts []string
	full := options("")
	full.Region, full.Endpoint, full.IAMEndpoint = o.Region, o.Endpoint, o.IAMEndpoint
	full.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(hosts, r.URL.Host) {
			hosts = append(hosts, r.URL.Host)
		}
		rec := httptest.NewRecorder()
		_, _ = rec.WriteString(`{"count":1,"data":[{"user_id":"` + bob + `"}]}`)
		return rec.Result(), nil
	})
	read(t, open(t, full), change(workflow.Add, user(alice), "r00002"))
	return hosts
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestProvider_HostsThatAreAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		o    dataarts.Options
		want []string
	}{
		"region": {
			dataarts.Options{Region: "cn-north-4"},
			[]string{"dayu.cn-north-4.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com"},
		},
		"endpoint":        {dataarts.Options{Region: "cn-north-4", Endpoint: "https://d.example"}, []string{"d.example"}},
		"both":            {dataarts.Options{Endpoint: "https://d.example", IAMEndpoint: "https://i.example"}, []string{"d.example", "i.example"}},
		"region, own IAM": {dataarts.Options{Region: "cn-north-4", IAMEndpoint: "https://i.example"}, []string{"dayu.cn-north-4.myhuaweicloud.com", "i.example"}},
	} {
		if got := hostsOf(t, tt.o); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The SDK lets the environment, and files in the home directory, decide where requests go and who signs them.
func TestProvider_EnvironmentDoesNotRedirect(t *testing.T) {
	var caught atomic.Int32
	trap := answering(t, func(http.ResponseWriter, *http.Request) { caught.Add(1) })
	for name, value := range map[string]string{
		"HUAWEICLOUD_SDK_REGION_DATAARTSSTUDIO_CN_NORTH_4": trap,
		"HUAWEICLOUD_SDK_REGION_IAM_CN_NORTH_4":            trap,
		"HUAWEICLOUD_SDK_IAM_ENDPOINT":                     trap,
		"HUAWEICLOUD_SDK_AK":                               "AKFROMENVIRONMENT",
		"HUAWEICLOUD_SDK_SK":                               "SKFROMENVIRONMENT",
		"HUAWEICLOUD_SDK_PROJECT_ID":                       strings.Repeat("e", 32),
		"HUAWEICLOUD_SDK_DOMAIN_ID":                        strings.Repeat("e", 32),
	} {
		t.Setenv(name, value)
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(home+"/.huaweicloud", 0o700); err != nil {
		t.Fatal(err)
	}
	regions := "DATAARTSSTUDIO:\n  - id: cn-north-4\n    endpoint: " + trap + "\n"
	if err := os.WriteFile(home+"/.huaweicloud/regions.yaml", []byte(regions), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"dayu.cn-north-4.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com"}
	if got := hostsOf(t, dataarts.Options{Region: "cn-north-4"}); !slices.Equal(got, want) {
		t.Errorf("asked %q", got)
	}
	s := cloud(t)
	if out := do(t, open(t, options(s.URL())), change(workflow.Add, user(alice), "r00002")); out.Verdict != workflow.Applied {
		t.Errorf("%+v %v", out, out.Fault)
	}
	if n := caught.Load(); n > 0 {
		t.Errorf("%d requests were redirected", n)
	}
}

// The SDK writes ~/.huaweicloud/application_id, and tells the machine's particulars, unless it is given a user agent.
func TestProvider_LeavesTheHomeDirectoryAlone(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	s := cloud(t)
	p := open(t, options(s.URL()))
	do(t, p, change(workflow.Add, user(alice), "r00002"))
	do(t, p, change(workflow.RemoveOne, user(alice)))
	if _, err := p.Groups(t.Context()); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
		t.Errorf("in HOME: %v %v", entries, err)
	}
	for _, c := range s.Calls() {
		if c.UserAgent != "huaweicloud-usdk-go/3.0; countersign" {
			t.Errorf("User-Agent %q", c.UserAgent)
		}
	}
}

// IAM's APIs are signed for an account, which the owner's row names.
func TestRead_AsksIAMForTheAccount(t *testing.T) {
	s := cloud(t)
	o := options(s.URL())
	var domain, project string
	o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.URL.Path, "OS-USER") {
			domain, project = r.Header.Get("X-Domain-Id"), r.Header.Get("X-Project-Id")
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	read(t, open(t, o), change(workflow.Add, user(alice), "r00002"))
	if domain != dataartsfake.DomainID || project != "" {
		t.Errorf("X-Domain-Id %q, X-Project-Id %q", domain, project)
	}
}
