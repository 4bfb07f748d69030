package compshare

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"countersign/workflow"
)

// Kind is the provider's name in a configuration.
const Kind = "compshare"

// DefaultEndpoint is CompShare's own gateway. Its keys are unknown at api.ucloud.cn, the SDK's default, which answers
// as if the secret were wrong (RetCode 171).
const DefaultEndpoint = "https://api.compshare.cn"

// Options are the settings of a [Provider].
type Options struct {
	// System is the configured name, for refusals and logs.
	System string
	// Endpoint is the API's base URL; [DefaultEndpoint] when empty. Plain http is for loopback only.
	Endpoint string
	// Region is sent with every call when set, as in cn-wlcb.
	Region string
	// PublicKey and PrivateKey are the account's key pair, of console.compshare.cn.
	PublicKey, PrivateKey string
	// Transport carries the requests; when nil, one that honours the proxy variables of the environment.
	Transport http.RoundTripper
	// Logger is told of each call at level debug; none when nil.
	Logger *slog.Logger
}

// String is the options without the keys, and without the endpoint: New has not seen yet whether it holds a password.
func (o Options) String() string { return Kind + " system " + o.System }

// Format prints the options without the keys, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(o.String())) }

// LogValue logs the options without the keys.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText encodes the options without the keys.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Provider speaks CompShare's API for one account. Its methods may be called concurrently.
type Provider struct {
	system    string
	endpoint  string
	region    string
	keys      *keys
	transport http.RoundTripper
	log       *slog.Logger
}

var _ workflow.Provider = (*Provider)(nil)

// New checks the options, without any I/O.
func New(o Options) (*Provider, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(checkEndpoint(o.Endpoint), checkKey("public key", o.PublicKey), checkKey("private key", o.PrivateKey)); err != nil {
		return nil, fmt.Errorf("system %s: %w", o.System, err)
	}
	return &Provider{
		system: o.System, endpoint: o.Endpoint, region: o.Region, keys: newKeys(o.PublicKey, o.PrivateKey),
		transport: o.Transport, log: o.Logger.With("system", o.System),
	}, nil
}

// checkEndpoint finds at the start what the SDK would report as a network error of each call. The URL itself is not
// repeated: somebody may have put a password into it.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return errors.New("endpoint: not an http or https URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("endpoint: has a user, a query or a fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("endpoint: https is demanded beyond this machine")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// checkKey refuses an empty key: the SDK would send the request without PublicKey and with a meaningless signature.
func checkKey(name, key string) error {
	switch {
	case key == "":
		return errors.New(name + ": missing")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New(name + ": has blanks or control characters")
	}
	return nil
}

// newTransport connects afresh for each request: on a connection that died while idle, a call would be unclear that
// never left. HTTP/1 only, because the client of HTTP/2 sends again by itself in some cases.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
	}
}
