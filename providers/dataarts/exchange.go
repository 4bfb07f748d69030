package dataarts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"
	studio "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dataartsstudio/v1"
	iamsdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
)

const (
	// userAgent keeps the SDK from writing ~/.huaweicloud/application_id, and from telling the machine's particulars.
	userAgent = "countersign"

	listLimit  = 8 << 20
	otherLimit = 1 << 20

	// patience bounds an exchange whose context has no deadline.
	patience = 30 * time.Second
)

var (
	errTooLarge = errors.New("the answer is too large")
	errTwice    = errors.New("a second request of one call was not sent")
)

// answer is what came back with a status below 400. The SDK fills it by reflection: Body is the raw body, because the
// response field of that name is a string (see ask), and HttpStatusCode has to be there.
type answer struct {
	Body           *string
	HttpStatusCode int //nolint:revive // the SDK's name
	requestID      string
}

// api is one API of the vendor: where, how and with what. Its name is the vendor's.
type api struct {
	name  string
	def   *def.HttpRequestDef
	req   any
	limit int64
	// domain is the account for IAM's APIs, which are signed for an account and not for a project; empty if unknown.
	iam    bool
	domain string
}

// ask makes one exchange. Only an answer 200 is returned; everything else is a problem.
func (p *Provider) ask(ctx context.Context, a api) (answer, *problem) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	x := &exchange{ctx: ctx, base: p.base, limit: a.limit}
	client, err := p.client(a, x)
	if err != nil {
		return answer{}, p.failed(x, err)
	}
	// The generated definition decodes into a type that drops the body, or loses some of it. Asking for a field Body
	// that is a string makes the SDK hand over what came.
	var got answer
	a.def.Response = &got
	a.def.ResponseFields = []*def.FieldDef{def.NewFieldDef().WithName("Body").WithLocationType(def.Body)}
	begun := time.Now()
	_, err = client.Sync(a.req, a.def)
	p.log.DebugContext(ctx, "cloud call", "system", p.system, "api", a.name, "status", x.status,
		"request_id", p.clean(x.requestID), "took", time.Since(begun))
	if err != nil {
		return answer{}, p.failed(x, err)
	}
	got.requestID = p.clean(x.requestID)
	if got.HttpStatusCode != http.StatusOK || got.Body == nil {
		return answer{}, p.neither(got, fmt.Sprintf("HTTP %d without the documented answer", got.HttpStatusCode))
	}
	return got, nil
}

// client makes an SDK client for one exchange: only so can a call have a context. It takes microseconds.
func (p *Provider) client(a api, x *exchange) (*core.HcHttpClient, error) {
	conf := config.DefaultHttpConfig().WithUserAgent(userAgent).WithTimeout(0).WithHttpRoundTripper(x)
	if a.iam {
		cred, err := global.NewCredentialsBuilder().WithAk(p.access).WithSk(p.secret).WithDomainId(a.domain).SafeBuild()
		if err != nil {
			return nil, err
		}
		return iamsdk.IamClientBuilder().WithEndpoint(p.iam).WithCredential(cred).WithHttpConfig(conf).SafeBuild()
	}
	cred, err := basic.NewCredentialsBuilder().WithAk(p.access).WithSk(p.secret).WithProjectId(p.project).SafeBuild()
	if err != nil {
		return nil, err
	}
	return studio.DataArtsStudioClientBuilder().WithEndpoint(p.endpoint).WithCredential(cred).WithHttpConfig(conf).
		SafeBuild()
}

// exchange carries one request of the SDK. It lends it the context that the SDK has no place for, reads the answer
// within a limit, and remembers what the SDK forgets of a success.
type exchange struct {
	ctx   context.Context
	base  http.RoundTripper
	limit int64

	used      bool
	status    int
	requestID string
}

// RoundTrip implements http.RoundTripper, once.
func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.used {
		return nil, errTwice
	}
	x.used = true
	resp, err := x.base.RoundTrip(r.WithContext(x.ctx))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	x.status, x.requestID = resp.StatusCode, resp.Header.Get("X-Request-Id")
	body, err := io.ReadAll(io.LimitReader(resp.Body, x.limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > x.limit {
		return nil, errTooLarge
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
