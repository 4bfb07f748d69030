package dataartsfake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "SDK-HMAC-SHA256"
	dateHeader = "X-Sdk-Date"
	dateFormat = "20060102T150405Z"
	maxSkew    = 15 * time.Minute
)

var authorization = regexp.MustCompile(
	`^SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// authenticate verifies the signature and the project; nil is "go on".
func (s *Server) authenticate(c *call) *reply {
	m := authorization.FindStringSubmatch(c.Header.Get("Authorization"))
	if m == nil {
		return unauthorized("decrypt token fail")
	}
	access, signed, signature := m[1], strings.Split(m[2], ";"), m[3]
	s.mu.Lock()
	key, known := s.st.key(access)
	s.mu.Unlock()
	if !known {
		return unauthorized(fmt.Sprintf("ak %s not exist", access))
	}
	date, err := time.Parse(dateFormat, c.Header.Get(dateHeader))
	if err != nil || !slices.Contains(signed, "x-sdk-date") {
		return unauthorized("x-sdk-date is missing or not signed")
	}
	if skew := s.now().Sub(date).Abs(); skew > maxSkew {
		return unauthorized("x-sdk-date expired")
	}
	canonical := canonicalRequest(c.Request, c.body, signed)
	if !hmac.Equal([]byte(sign(key.Secret, c.Header.Get(dateHeader), canonical)), []byte(signature)) {
		// The real gateway shows its canonical request, with | for the line ends.
		return unauthorized("verify aksk signature fail, canonicalRequest:" + strings.ReplaceAll(canonical, "\n", "|"))
	}
	if c.route.project && c.params[0] != key.ProjectID {
		r := refuse(http.StatusForbidden, "APIGW.0302", "The project does not belong to the user")
		return &r
	}
	c.key = key
	return nil
}

func unauthorized(why string) *reply {
	r := refuse(http.StatusUnauthorized, "APIGW.0301", "Incorrect IAM authentication information: "+why)
	return &r
}

func sign(secret, date, canonical string) string {
	hash := sha256.Sum256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(algorithm + "\n" + date + "\n" + hex.EncodeToString(hash[:])))
	return hex.EncodeToString(mac.Sum(nil))
}

func canonicalRequest(r *http.Request, body []byte, signed []string) string {
	return strings.Join([]string{
		r.Method, canonicalURI(r), canonicalQuery(r), canonicalHeaders(r, signed), strings.Join(signed, ";"),
		bodyHash(r, body),
	}, "\n")
}

func canonicalURI(r *http.Request) string {
	segments := strings.Split(r.URL.Path, "/")
	for i, s := range segments {
		segments[i] = escape(s)
	}
	uri := strings.Join(segments, "/")
	if !strings.HasSuffix(uri, "/") {
		uri += "/"
	}
	return uri
}

func canonicalQuery(r *http.Request) string {
	query := r.URL.Query()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range slices.Sorted(slices.Values(query[name])) {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	return strings.Join(pairs, "&")
}

func canonicalHeaders(r *http.Request, signed []string) string {
	var b strings.Builder
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		for _, v := range slices.Sorted(slices.Values(values)) {
			b.WriteString(name + ":" + strings.TrimSpace(v) + "\n")
		}
	}
	return b.String()
}

func bodyHash(r *http.Request, body []byte) string {
	if given := r.Header.Get("X-Sdk-Content-Sha256"); given != "" {
		return given
	}
	hash := sha256.Sum256(body)
	return hex.EncodeToString(hash[:])
}

// escape percent-encodes all but the unreserved characters of RFC 3986.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
