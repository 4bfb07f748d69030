package compsharefake

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Sign is the vendor's signature of parameters: every name and value in the order of the names, without separators,
// then the private key, as SHA-1 in lower-case hexadecimal. Signature itself is left out. Values are those of a form
// (strings) or of a JSON document (arrays without their index, objects as name and value).
func Sign(params map[string]any, privateKey string) string {
	top := maps.Clone(params)
	delete(top, "Signature")
	sum := sha1.Sum([]byte(signText(top) + privateKey))
	return hex.EncodeToString(sum[:])
}

// signText is one value as the signature spells it.
func signText(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return numberText(v)
	case []any:
		for _, item := range v {
			b.WriteString(signText(item))
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(name)
			b.WriteString(signText(v[name]))
		}
	}
	return b.String()
}

// numberText is a JSON number without exponent, and without a fraction that is nought.
func numberText(n json.Number) string {
	if i, err := n.Int64(); err == nil {
		return strconv.FormatInt(i, 10)
	}
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
