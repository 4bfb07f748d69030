package dataarts

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"unicode"

	"countersign/workflow"
)

// Kind is the provider's name in a configuration.
const Kind = "dataarts"

// Options configure one system: an account's project and the DataArts Studio instance in it.
type Options struct {
	// System is the name that people give the system.
	System string
	// Region is the ID of one of Regions. It is not needed, and not checked, where Endpoint is given.
	Region string
	// Endpoint is the base URL of DataArts Studio; empty is the region's.
	Endpoint string
	// IAMEndpoint is the base URL of IAM; empty is the region's. With an Endpoint and without an IAMEndpoint, IAM is
	// not asked.
	IAMEndpoint string
	ProjectID   string
	// InstanceID is the DataArts Studio instance that holds the workspaces. Only Groups needs it.
	InstanceID string
	AccessKey  string `json:"-"`
	SecretKey  string `json:"-"`
	// Transport sends the requests; nil is a transport of the provider's own, which honours HTTPS_PROXY.
	Transport http.RoundTripper
	Logger    *slog.Logger // nil logs nothing
}

// Provider speaks to one system. It is a workflow.Provider, and may be used concurrently.
type Provider struct {
	system   string
	endpoint string
	iam      string // empty: not asked
	project  string
	instance string
	access   string
	secret   string
	base     http.RoundTripper
	own      *http.Transport // base, unless Options brought one
	log      *slog.Logger
	redact   *regexp.Regexp

	groups  *cache[string]             // names of workspaces
	users   *cache[string]             // IDs of IAM users by name
	known   *cache[[]workflow.RoleRef] // roles by workspace
	account atomic.Pointer[string]     // the account that the members belong to
}

var _ workflow.Provider = (*Provider)(nil)

// idShape is the shape of the vendor's IDs of projects, workspaces, users and user groups.
var idShape = regexp.MustCompile(`^[a-z0-9]{32}$`)

// instanceShape is no more than what cannot change a URL's path: the vendor documents no shape.
var instanceShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// New makes a Provider. It makes no request. Its error names every mistake in o.
func New(o Options) (*Provider, error) {
	endpoint, iam, err := endpoints(o)
	if err := errors.Join(err, o.validate()); err != nil {
		return nil, fmt.Errorf("system %q: %w", o.System, err)
	}
	p := &Provider{
		system: o.System, endpoint: endpoint, iam: iam, project: o.ProjectID, instance: o.InstanceID,
		access: o.AccessKey, secret: o.SecretKey, base: o.Transport, log: o.Logger,
		redact: secrets(o.AccessKey, o.SecretKey),
		groups: newCache[string](nameAge, most), users: newCache[string](userAge, most),
		known: newCache[[]workflow.RoleRef](roleAge, most),
	}
	if p.base == nil {
		p.own = transport()
		p.base = p.own
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p, nil
}

func (o Options) validate() error {
	var errs []error
	// The SDK would look a missing project up in IAM, and send the literal {project_id} where it does not.
	if !idShape.MatchString(o.ProjectID) {
		errs = append(errs, fmt.Errorf("project ID %q is not 32 of a-z and 0-9", o.ProjectID))
	}
	if o.InstanceID != "" && !instanceShape.MatchString(o.InstanceID) {
		errs = append(errs, fmt.Errorf("instance ID %q is none", o.InstanceID))
	}
	// Without keys the SDK would ask the machine's metadata service for some.
	return errors.Join(append(errs, usable("access key", o.AccessKey), usable("secret key", o.SecretKey))...)
}

func usable(what, key string) error {
	if key == "" {
		return fmt.Errorf("no %s", what)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII }) {
		return fmt.Errorf("the %s has a blank, a line end or another character in it that no key has", what)
	}
	return nil
}

// Actions are the actions that DataArts Studio has.
func Actions() []workflow.Action {
	return []workflow.Action{workflow.Add, workflow.SetRole, workflow.AddRole, workflow.DropRole, workflow.RemoveOne}
}

// Close gives up idle connections, if the transport is the provider's own. Calls in flight are not disturbed, and later
// ones are still possible.
func (p *Provider) Close() {
	if p.own != nil {
		p.own.CloseIdleConnections()
	}
}

// Format writes the provider without its keys, whatever the verb.
func (p *Provider) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "dataarts "+p.system)
}

// Format writes the options without their keys, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "dataarts %s region=%s endpoint=%s project=%s instance=%s", o.System, o.Region, o.Endpoint,
		o.ProjectID, o.InstanceID)
}
