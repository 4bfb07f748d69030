package compsharefake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ucloud/ucloud-sdk-go/services/ucompshare"
	"github.com/ucloud/ucloud-sdk-go/ucloud"
	"github.com/ucloud/ucloud-sdk-go/ucloud/auth"

	fakes "countersign/providers/compshare/compsharefake"
)

func start(t *testing.T, o fakes.Options) *fakes.Server {
	t.Helper()
	s, err := fakes.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sdk is the vendor's own client of a company of the seed, unmodified but for its log.
func sdk(s *fakes.Server, company uint32) *ucompshare.UCompShareClient {
	cfg := ucloud.NewConfig()
	cfg.BaseUrl, cfg.Region = s.URL(), "cn-wlcb"
	cred := auth.NewCredential()
	cred.PublicKey, cred.PrivateKey = fakes.KeyPair(company)
	c := ucompshare.NewClient(&cfg, &cred)
	c.GetLogger().SetOutput(io.Discard)
	return c
}

// ask posts a form, signed by a company of the seed unless it has a Signature of its own.
func ask(t *testing.T, s *fakes.Server, company uint32, form map[string]string) map[string]any {
	t.Helper()
	params, values := map[string]any{}, url.Values{}
	if _, ok := form["PublicKey"]; !ok {
		form["PublicKey"], _ = fakes.KeyPair(company)
	}
	for k, v := range form {
		params[k] = v
		values.Set(k, v)
	}
	if !values.Has("Signature") {
		_, private := fakes.KeyPair(company)
		values.Set("Signature", fakes.Sign(params, private))
	}
	return post(t, s.URL()+"/?Action="+form["Action"], "application/x-www-form-urlencoded", values.Encode())
}

func post(t *testing.T, to, kind, body string) map[string]any {
	t.Helper()
	resp, err := http.Post(to, kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-UCLOUD-REQUEST-UUID") == "" {
		t.Errorf("HTTP %d with request ID %q", resp.StatusCode, resp.Header.Get("X-UCLOUD-REQUEST-UUID"))
	}
	var a map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}
