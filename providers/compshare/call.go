package compshare

import (
	"context"
	"io"
	"time"

	"github.com/ucloud/ucloud-sdk-go/services/ucompshare"
	"github.com/ucloud/ucloud-sdk-go/ucloud"
	"github.com/ucloud/ucloud-sdk-go/ucloud/log"
	"github.com/ucloud/ucloud-sdk-go/ucloud/request"

	"countersign/workflow"
)

// call sends one action and judges what came back. The answer is whole only where the outcome is Applied, which for a
// read means that it was answered.
func (p *Provider) call(ctx context.Context, action string, req request.Common) (*answer, workflow.Outcome) {
	if _, ok := ctx.Deadline(); !ok {
		bounded, cancel := context.WithTimeout(ctx, workflow.DefaultCallTimeout)
		defer cancel()
		ctx = bounded
	}
	x := &exchange{ctx: ctx, base: p.transport}
	a := &answer{}
	began := time.Now()
	if ctx.Err() == nil {
		client := p.client(x)
		client.SetupRequest(req)
		req.SetRetryable(false)
		// The error is not read: the exchange and the answer say more, and it may hold the whole body.
		_ = client.InvokeAction(action, req, a)
	} else {
		x.err = ctx.Err()
	}
	out := p.judge(action, x, a)
	p.log.DebugContext(ctx, "compshare call", "action", action, "verdict", string(out.Verdict),
		"request_id", out.RequestID, "took", time.Since(began))
	return a, out
}

// client is the SDK's client for one call. A client of its own costs microseconds, and spares the SDK's data race on
// first use.
func (p *Provider) client(x *exchange) *ucompshare.UCompShareClient {
	cfg := ucloud.NewConfig()
	cfg.BaseUrl = p.endpoint
	cfg.Region = p.region
	cfg.UserAgent = "Countersign"
	cfg.Timeout = 0 // the context's is the one
	cfg.MaxRetries = 0
	cfg.LogLevel = log.PanicLevel
	c := ucompshare.NewClient(&cfg, p.keys.credential())
	c.GetLogger().SetOutput(io.Discard)
	c.SetTransport(x)
	return c
}
