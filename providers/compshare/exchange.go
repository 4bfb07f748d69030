package compshare

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// maxAnswer bounds how much of an answer is read; a team of a thousand members takes a quarter of it.
const maxAnswer = 1 << 20

var (
	errRedirect = errors.New("the server redirected to another address, which was not followed")
	errTooLarge = errors.New("the answer is larger than 1 MiB")
	errSecond   = errors.New("a second request of one call was held back")
)

// exchange is the one HTTP exchange of one call, seen from below the SDK: it gives the SDK's request a context, lets
// one request through, follows no redirect, bounds the answer, and remembers what the SDK's errors leave out.
type exchange struct {
	ctx  context.Context // the SDK has none
	base http.RoundTripper

	asked     bool
	traced    atomic.Bool // the transport reports its connections
	connected atomic.Bool
	status    int
	kind      string // Content-Type
	requestID string
	err       error // what kept the answer from being whole
}

// RoundTrip sends the call's request.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	if x.asked {
		return nil, errSecond
	}
	x.asked = true
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { x.traced.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { x.connected.Store(true) },
	}
	resp, err := x.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(x.ctx, trace)))
	if err != nil {
		x.err = err
		return nil, err
	}
	x.status, x.kind = resp.StatusCode, resp.Header.Get("Content-Type")
	x.requestID = resp.Header.Get("X-UCLOUD-REQUEST-UUID")
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		_ = resp.Body.Close()
		x.err = errRedirect
		return nil, errRedirect
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswer, x: x}
	return resp, nil
}

// unsent reports whether it is certain that no byte of the request left this machine. Without such proof the call may
// have been carried out.
func (x *exchange) unsent() bool {
	if !x.asked {
		return true
	}
	if x.err == nil || x.status != 0 {
		return false
	}
	if x.traced.Load() {
		return !x.connected.Load()
	}
	dial, ok := errors.AsType[*net.OpError](x.err)
	if ok && dial.Op == "dial" {
		return true
	}
	_, cert := errors.AsType[*tls.CertificateVerificationError](x.err)
	return cert
}

// boundedBody is an answer's body that ends in an error where it grows too large, and remembers a broken end.
type boundedBody struct {
	io.ReadCloser
	left int
	x    *exchange
}

// Read reads what the bound allows.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	b.left -= n
	if b.left < 0 {
		err = errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.x.err = err
	}
	return n, err
}
