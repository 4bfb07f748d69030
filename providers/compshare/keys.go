package compshare

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/ucloud/ucloud-sdk-go/ucloud/auth"
)

// redacted stands where a secret stood.
const redacted = "[redacted]"

// maxText bounds what is kept of a vendor's text.
const maxText = 500

// signature is what a signature looks like; an error that echoes a request holds one.
var signature = regexp.MustCompile(`\b[0-9a-fA-F]{40}\b`)

// keys hold the key pair out of reach of fmt: a func field prints as an address, at any depth and with any verb.
type keys struct {
	pair  func() (publicKey, privateKey string)
	scrub func(string) string
}

func newKeys(publicKey, privateKey string) *keys {
	r := strings.NewReplacer(
		privateKey, redacted, url.QueryEscape(privateKey), redacted,
		publicKey, redacted, url.QueryEscape(publicKey), redacted,
	)
	return &keys{
		pair:  func() (string, string) { return publicKey, privateKey },
		scrub: func(text string) string { return signature.ReplaceAllString(r.Replace(text), redacted) },
	}
}

// credential is what the SDK signs with. It prints its private key, so it never outlives a call.
func (k *keys) credential() *auth.Credential {
	c := auth.NewCredential()
	c.PublicKey, c.PrivateKey = k.pair()
	return &c
}

// text makes a foreign text fit to keep: without keys, on one line, of bounded length.
func (k *keys) text(foreign string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, k.scrub(strings.ToValidUTF8(foreign, "\uFFFD")))
	runes := []rune(strings.TrimSpace(clean))
	if len(runes) > maxText {
		return string(runes[:maxText]) + "…"
	}
	return string(runes)
}
