package compshare_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"countersign/providers/compshare"
	"countersign/workflow"
)

func options(endpoint string) compshare.Options {
	return compshare.Options{
		System: "gpu-lab", Endpoint: endpoint, Region: "cn-wlcb", PublicKey: publicKey, PrivateKey: privateKey,
	}
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bend func(*compshare.Options)
		want string
	}{
		"no public key":                    {func(o *compshare.Options) { o.PublicKey = "" }, "public key: missing"},
		"no private key":                   {func(o *compshare.Options) { o.PrivateKey = "" }, "private key: missing"},
		"a line end":                       {func(o *compshare.Options) { o.PrivateKey += "\n" }, "private key: has blanks or control characters"},
		"no scheme":                        {func(o *compshare.Options) { o.Endpoint = "api.compshare.cn" }, "endpoint: not an http or https URL"},
		"another scheme":                   {func(o *compshare.Options) { o.Endpoint = "ftp://api.compshare.cn" }, "endpoint: not an http or https URL"},
		"no host":                          {func(o *compshare.Options) { o.Endpoint = "https:///api" }, "endpoint: not an http or https URL"},
		"not a URL":                        {func(o *compshare.Options) { o.Endpoint = "https://a b" }, "endpoint: not an http or https URL"},
		"plain http":                       {func(o *compshare.Options) { o.Endpoint = "http://api.compshare.cn" }, "endpoint: https is demanded beyond this machine"},
		"a name that starts like loopback": {func(o *compshare.Options) { o.Endpoint = "http://127.0.0.1.evil.example" }, "endpoint: https is demanded beyond this machine"},
		"a password":                       {func(o *compshare.Options) { o.Endpoint = "https://u:MUSTNOTLEAK@h" }, "endpoint: has a user, a query or a fragment"},
		"a query":                          {func(o *compshare.Options) { o.Endpoint = "https://h/?Action=x" }, "endpoint: has a user, a query or a fragment"},
	}
	for name, tt := range tests {
		o := options("")
		tt.bend(&o)
		_, err := compshare.New(o)
		if err == nil || err.Error() != "system gpu-lab: "+tt.want {
			t.Errorf("%s: New = %v, want %q", name, err, tt.want)
		}
		assertNoSecret(t, err, o, &o)
	}
}

func TestNew_TakesLoopback(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"", "http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1", "https://h/prefix", "HTTPS://h"} {
		if _, err := compshare.New(options(endpoint)); err != nil {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func TestProvider_PrintsNoKey(t *testing.T) {
	t.Parallel()
	p := provider(t, "")
	holder := struct{ P *compshare.Provider }{p}
	assertNoSecret(t, p, *p, holder, options("https://u:MUSTNOTLEAK@h"), struct{ O compshare.Options }{options("")})
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "options", options(""), "provider", p)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "options", options(""), "provider", p)
	assertNoSecret(t, log.String())
}

// A vendor that echoes the request, in a message, a header or an ErrorMap, gives nothing away.
func TestProvider_ScrubsEchoes(t *testing.T) {
	t.Parallel()
	answers := map[string]func(http.ResponseWriter, string){
		"message": func(w http.ResponseWriter, body string) {
			_, _ = io.WriteString(w, `{"RetCode":171,"Message":"got `+body+` `+privateKey+`"}`)
		},
		"a message that is an object": func(w http.ResponseWriter, body string) {
			_, _ = io.WriteString(w, `{"RetCode":171,"Message":{"got":"`+body+`"}}`)
		},
		"request ID": func(w http.ResponseWriter, body string) {
			w.Header().Set("X-UCLOUD-REQUEST-UUID", body)
			_, _ = io.WriteString(w, `{"RetCode":171}`)
		},
		"action": func(w http.ResponseWriter, body string) {
			_, _ = io.WriteString(w, `{"RetCode":0,"Action":"`+body+`"}`)
		},
		"content type": func(w http.ResponseWriter, body string) {
			w.Header().Set("Content-Type", body)
			_, _ = io.WriteString(w, body)
		},
		"redirect": func(w http.ResponseWriter, body string) {
			w.Header().Set("Location", "http://127.0.0.1:9/?"+body)
			w.WriteHeader(307)
		},
		"ErrorMap": func(w http.ResponseWriter, body string) {
			_, _ = io.WriteString(w, `{"Action":"CreateCompShareTeamRelationResponse","RetCode":0,"ErrorMap":{"50002":{"Code":1,"Message":"`+body+`"}}}`)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = string(body)
				answer(w, sent)
			}))
			t.Cleanup(s.Close)
			var log bytes.Buffer
			o := options(s.URL)
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			p, err := compshare.New(o)
			if err != nil {
				t.Fatal(err)
			}
			out := mustApply(t, p, change(workflow.Invite, "50002"))
			_, err = p.Read(t.Context(), change(workflow.Invite, "50002"))
			form, _ := url.ParseQuery(sent)
			if form.Get("PublicKey") != publicKey || len(form.Get("Signature")) != 40 {
				t.Fatalf("sent %q", sent)
			}
			if out.Fault == nil || err == nil || !strings.Contains(log.String(), "compshare call") {
				t.Fatalf("Apply = %+v, Read = %v, log %q", out, err, log.String())
			}
			for _, text := range []string{out.Fault.Text, out.RequestID, out.Fault.RequestID, out.Fault.Code, err.Error(), log.String()} {
				for _, secret := range []string{publicKey, privateKey, form.Get("Signature")} {
					if strings.Contains(text, secret) {
						t.Errorf("%q shows %q", text, secret)
					}
				}
			}
		})
	}
}

// What a vendor says stays one line of bounded length, of valid text.
func TestProvider_TamesText(t *testing.T) {
	t.Parallel()
	p := says(t, `{"RetCode":5,"Message":"a\u0000b\r\nc\ud800 `+strings.Repeat("长", 5000)+`"}`)
	out := mustApply(t, p, change(workflow.Invite, "50002"))
	if text := out.Fault.Text; len([]rune(text)) != 501 || strings.ContainsAny(text, "\x00\r\n") || !strings.HasPrefix(text, "a b  c") {
		t.Errorf("text %q", text)
	}
}
