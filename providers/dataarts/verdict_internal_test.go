package dataarts

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"countersign/workflow"
)

// Nothing is applied but what one JSON object says is.
func FuzzVerdict(f *testing.F) {
	for _, seed := range []string{
		`{"message":null,"is_success":true}`, `{"is_success":false,"message":"no"}`, ``, `null`, `{}`, `[]`, `{"is_success":1}`,
		`{"is_success":true}x`, `{"Is_Success":true}`, `{"is_success":true,"is_success":false}`, "\xff",
	} {
		f.Add(seed)
	}
	p, err := New(Options{
		Endpoint: "http://127.0.0.1:1", ProjectID: "0833a5736980d53b0f22c0102ffcbfc0", AccessKey: "AKFUZZ", SecretKey: "SKFUZZ",
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		b := p.verdict(answer{Body: &body, HttpStatusCode: http.StatusOK})
		var said struct {
			Success *bool `json:"is_success"`
		}
		valid := json.Unmarshal([]byte(body), &said) == nil && said.Success != nil
		switch {
		case b == nil && (!valid || !*said.Success):
			t.Fatalf("%q passes for applied", body)
		case b != nil && !b.unclear && (!valid || *said.Success):
			t.Fatalf("%q passes for refused", body)
		case b != nil && b.fault.Text == "":
			t.Fatalf("%q is a fault without a text", body)
		case b != nil && b.unclear != (b.fault.Class == workflow.ClassUnclear):
			t.Fatalf("%q: %+v", body, b.fault)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("ak AKFUZZ0 not exist", "AKFUZZ0", "SKFUZZ0")
	f.Add("x", "a", "b")
	f.Add("0", "0", "\xa3")
	f.Add("AKEX\u200bAMPLE00 A\nB", "AKEXAMPLE00", "AB")
	f.Fuzz(func(t *testing.T, text, access, secret string) {
		if usable("", access) != nil || usable("", secret) != nil {
			return
		}
		p := &Provider{redact: secrets(access, secret)}
		got := p.clean(text)
		if len([]rune(got)) > maxText+1 {
			t.Fatalf("%d runes", len([]rune(got)))
		}
		for _, key := range []string{access, secret} {
			// The words put in the place of a key may contain one that is shorter than any real one.
			if len(key) >= 10 && strings.Contains(strings.ToLower(got), strings.ToLower(key)) {
				t.Fatalf("%q is shown in %q", key, got)
			}
		}
	})
}
