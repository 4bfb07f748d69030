package dataarts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"countersign/workflow"
)

// problem is an exchange that did not bring the documented answer.
type problem struct {
	fault *workflow.Fault
	// unclear: the request may have been carried out.
	unclear bool
	status  int
}

// failed sorts the error of an exchange.
func (p *Provider) failed(x *exchange, err error) *problem {
	if said, ok := errors.AsType[*sdkerr.ServiceResponseError](err); ok && x.status >= http.StatusBadRequest {
		return p.said(x, said)
	}
	f := &workflow.Fault{Class: workflow.ClassUnclear, RequestID: p.clean(x.requestID)}
	b := &problem{fault: f, unclear: true, status: x.status}
	switch {
	case !x.used: // the SDK could not make a request
		f.Class, b.unclear = workflow.ClassRefused, false
		f.Text = p.clean("nothing was sent: " + err.Error())
	case x.ctx.Err() != nil:
		f.Text = "given up before an answer came: " + whyEnded(x.ctx)
	case unsent(err):
		f.Class, b.unclear = workflow.ClassVendor, false
		f.Text = p.clean("nothing was sent: " + inner(err).Error())
	default:
		f.Text = p.clean("no usable answer: " + inner(err).Error())
	}
	return b
}

func whyEnded(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "the time was up"
	}
	return "the call was cancelled"
}

// inner is err without the URL that net/http puts around it.
func inner(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// unsent reports whether err shows that no byte of the request left: that there was no connection to send it on.
func unsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	return errors.Is(err, http.ErrSchemeMismatch)
}

// said sorts an answer of status 400 and above. A gateway's 5xx and 408 tell nothing of what stands behind it.
func (p *Provider) said(x *exchange, e *sdkerr.ServiceResponseError) *problem {
	f := &workflow.Fault{
		Class: classOf(x.status, e.ErrorCode), Code: p.clean(e.ErrorCode), Text: p.clean(e.ErrorMessage),
		RequestID: p.clean(x.requestID),
	}
	if f.Code == "" {
		f.Code = fmt.Sprintf("HTTP %d", x.status)
	}
	if f.Text == "" {
		f.Text = http.StatusText(x.status)
	}
	unclear := x.status >= http.StatusInternalServerError || x.status == http.StatusRequestTimeout
	return &problem{fault: f, unclear: unclear, status: x.status}
}

// classOf goes by status: the vendor publishes no list of codes for these APIs.
func classOf(status int, code string) workflow.Class {
	switch {
	case code == noWorkspaceCode:
		return workflow.ClassGroup
	case status == http.StatusUnauthorized:
		return workflow.ClassKey
	case status == http.StatusForbidden:
		return workflow.ClassPermission
	case status == http.StatusTooManyRequests:
		return workflow.ClassThrottled
	case status >= http.StatusInternalServerError:
		return workflow.ClassVendor
	default:
		return workflow.ClassRefused
	}
}

// quota is how the vendor's texts call what may be used up. It publishes no code for it, so that the text of a refused
// call which neither status nor code explains decides which advice is given, and nothing else.
var quota = regexp.MustCompile(`(?i)\bquota\b|配额`)

// noWorkspaceCode is "the instance or workspace does not exist", as seen by the vendor's Terraform provider.
const noWorkspaceCode = "DLM.4001"

// neither is an answer below 400 that says neither yes nor no.
func (p *Provider) neither(a answer, text string) *problem {
	return &problem{unclear: true, status: a.HttpStatusCode, fault: &workflow.Fault{
		Class: workflow.ClassUnclear, Text: p.clean(text), RequestID: a.requestID,
	}}
}

// maxText is how much of a vendor's text is kept, in runes.
const maxText = 500

var (
	canonical = regexp.MustCompile(`(?is)canonical[ _-]?request.*`)
	signature = regexp.MustCompile(`(?is)SDK-HMAC-SHA256.*?Signature=[0-9a-f]*`)
)

// secrets matches the keys, in any case of letters: a gateway that refuses a key repeats it.
func secrets(keys ...string) *regexp.Regexp {
	for i, k := range keys {
		keys[i] = regexp.QuoteMeta(k)
	}
	return regexp.MustCompile("(?i)" + strings.Join(keys, "|"))
}

// clean makes a vendor's text fit to be stored and shown: without keys and without what was signed, on one line, short.
func (p *Provider) clean(text string) string {
	// First what is invisible: a key must not hide behind it.
	text = strings.Map(printable, strings.ToValidUTF8(text, "\uFFFD"))
	text = p.redact.ReplaceAllLiteralString(text, "[redacted]")
	text = canonical.ReplaceAllLiteralString(text, "[canonical request redacted]")
	text = signature.ReplaceAllLiteralString(text, "[signature redacted]")
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText]) + "…"
	}
	return strings.TrimSpace(text)
}

// printable drops what could break a line or turn its direction.
func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return -1
	default:
		return r
	}
}
