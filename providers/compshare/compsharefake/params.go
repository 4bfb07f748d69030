package compsharefake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
)

// maxBody is how much of a request is read.
const maxBody = 1 << 20

var errBody = errors.New("the body cannot be read")

// params are a request's parameters: as a tree for the signature, and flat (UserInfo.0.UserCompanyId) for the actions.
type params struct {
	tree map[string]any
	flat map[string]string
}

// readParams takes the parameters of a POST from its body, a form or JSON, and those of a GET from its query. The
// query of a POST repeats Action; it is not read.
func readParams(r *http.Request) (params, error) {
	if r.Method == http.MethodGet {
		return formParams(r.URL.Query()), nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return params{}, fmt.Errorf("%w: %w", errBody, err)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		return jsonParams(body)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return params{}, fmt.Errorf("%w: %w", errBody, err)
	}
	return formParams(values), nil
}

func formParams(values url.Values) params {
	p := params{tree: map[string]any{}, flat: map[string]string{}}
	for name := range values {
		p.tree[name], p.flat[name] = values.Get(name), values.Get(name)
	}
	return p
}

func jsonParams(body []byte) (params, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	p := params{tree: map[string]any{}, flat: map[string]string{}}
	if err := dec.Decode(&p.tree); err != nil {
		return params{}, fmt.Errorf("%w: %w", errBody, err)
	}
	for name, v := range p.tree {
		flatten(p.flat, name, v)
	}
	return p, nil
}

// flatten names the leaves of v as the form encoding would.
func flatten(flat map[string]string, name string, v any) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			flatten(flat, name+"."+strconv.Itoa(i), item)
		}
	case map[string]any:
		for key, item := range v {
			flatten(flat, name+"."+key, item)
		}
	case nil:
	default:
		flat[name] = signText(v)
	}
}

// number is a parameter that must be a number of 32 bits above nought.
func (p params) number(name string) (uint32, *refusal) {
	n, err := strconv.ParseUint(p.flat[name], 10, 32)
	if err != nil || n == 0 {
		return 0, badParam(name)
	}
	return uint32(n), nil
}

// count is an optional parameter that is a number; def where it is missing.
func (p params) count(name string, def int64) (int64, *refusal) {
	text, ok := p.flat[name]
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, badParam(name)
	}
	return n, nil
}

// list are the values of Name.0, Name.1 and so on, up to the first that is missing.
func (p params) list(name string) []string {
	var values []string
	for i := 0; ; i++ {
		v, ok := p.flat[name+"."+strconv.Itoa(i)]
		if !ok {
			return values
		}
		values = append(values, v)
	}
}

// shown are the parameters for a record of the call: without key and signature.
func (p params) shown() map[string]string {
	shown := make(map[string]string, len(p.flat))
	for name, v := range p.flat {
		if name != "PublicKey" && name != "Signature" {
			shown[name] = v
		}
	}
	return shown
}
