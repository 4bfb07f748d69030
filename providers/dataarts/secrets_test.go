package dataarts_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"countersign/providers/dataarts"
	"countersign/providers/dataarts/dataartsfake"
	"countersign/workflow"
)

// diary gathers everything that a provider says.
type diary struct{ bytes.Buffer }

func (d *diary) add(t *testing.T, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d.Write(b)
}

func (d *diary) mustNotShow(t *testing.T, secrets ...string) {
	t.Helper()
	text := strings.ToLower(d.String())
	for _, s := range append(secrets, "user-agent;", "x-sdk-date:", "Signature=") {
		if strings.Contains(text, strings.ToLower(s)) {
			t.Errorf("%q is shown", s)
		}
	}
}

// exercise does everything that a provider can do, and writes down all that it says.
func exercise(t *testing.T, d *diary, o dataarts.Options) {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p := open(t, o)
	for _, c := range []workflow.Change{
		change(workflow.Add, user(alice), "r00002"), change(workflow.SetRole, user(alice), "r00003"),
		change(workflow.RemoveOne, user(alice)), change(workflow.Add, user(alice), "r77777"),
	} {
		m, err := p.Read(t.Context(), c)
		d.add(t, m)
		d.add(t, fmt.Sprint(err))
		d.add(t, err)
		d.add(t, p.Apply(t.Context(), c, m))
	}
	_, err := p.Groups(t.Context())
	_, err2 := p.Roles(t.Context(), analytics)
	_, err3 := p.Members(t.Context(), analytics)
	d.add(t, []any{err, err2, err3})
	d.add(t, fmt.Sprintf("%v %+v %#v %s %v %+v %#v", p, p, p, p, o, o, o))
}

func TestProvider_ShowsNoSecret(t *testing.T) {
	const ak, sk = dataartsfake.AccessKey, dataartsfake.SecretKey
	echo := fmt.Sprintf("%s %s %s canonicalRequest:PUT|/v2/|user-agent;x-sdk-date|abc SDK-HMAC-SHA256 Access=%s, Signature=00ff",
		ak, sk, strings.ToLower(sk), ak)
	for _, kind := range dataartsfake.Kinds() {
		for _, status := range []int{400, 401, 403, 500} {
			if kind != dataartsfake.Status && status != 400 {
				continue
			}
			if kind == dataartsfake.Delay {
				continue // nothing is said
			}
			t.Run(fmt.Sprintf("%s%d", kind, status), func(t *testing.T) {
				s, d := cloud(t), &diary{}
				s.AddFault(dataartsfake.Fault{Kind: kind, Count: -1, Status: status, Code: "X." + ak, Message: echo})
				exercise(t, d, options(s.URL()))
				d.mustNotShow(t, ak, sk)
			})
		}
	}
}

// A real gateway repeats the key that it does not know, and what it would have signed.
func TestProvider_ShowsNoSecretOfARefusedKey(t *testing.T) {
	s, d := cloud(t), &diary{}
	wrong := options(s.URL())
	wrong.SecretKey = "WRONG0SECRET0WRONG"
	exercise(t, d, wrong)
	d.mustNotShow(t, wrong.AccessKey, wrong.SecretKey)
	unknown := options(s.URL())
	unknown.AccessKey = "UNKNOWN0ACCESS0KEY"
	exercise(t, d, unknown)
	d.mustNotShow(t, unknown.AccessKey, unknown.SecretKey)
	if !strings.Contains(d.String(), "APIGW.0301") || !strings.Contains(d.String(), `"class":"key"`) {
		t.Errorf("not told what is wrong: %s", d)
	}
}

func TestProvider_ShowsNoSecretOfOddAnswers(t *testing.T) {
	const ak, sk = dataartsfake.AccessKey, dataartsfake.SecretKey
	for _, body := range []string{
		ak + sk, `{"message":"` + sk + `","is_success":false}`, `"` + ak + `"`, `{"` + ak + `":`,
		`{"count":"` + sk + `"}`, `[{"role_id":"r00002","role_name":"` + sk + `"}]`,
		`{"count":1,"data":[{"domain_owner":"` + sk + `"}]}`, strings.Repeat("x", 490) + sk,
	} {
		for _, status := range []int{200, 204, 302, 404, 500} {
			d := &diary{}
			url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Request-Id", "id-"+ak)
				w.Header().Set("Location", "https://"+ak+".invalid/")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
			exercise(t, d, options(url))
			d.mustNotShow(t, ak, sk, sk[:20])
		}
	}
}

func TestFault_TextIsOneShortLine(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		msg, _ := json.Marshal("a\nb\x00c\u202Ed\xff" + strings.Repeat("长", 9000))
		_, _ = fmt.Fprintf(w, `{"is_success":false,"message":%s}`, msg)
	})
	out := apply(t, open(t, options(url)), change(workflow.RemoveOne, user(alice)), workflow.Membership{})
	text := out.Fault.Text
	if strings.ContainsAny(text, "\n\x00\u202E") || len([]rune(text)) > 501 || !strings.HasPrefix(text, "a bcd") {
		t.Errorf("%q", text)
	}
}
