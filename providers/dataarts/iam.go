package dataarts

import (
	"context"
	"net/http"
	"strings"
	"time"

	iamsdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/model"

	"countersign/workflow"
)

// iamPatience is how long IAM may take: what it knows is a courtesy.
const iamPatience = 2 * time.Second

// lookUp is what IAM's ShowUser (GET /v3.0/OS-USER/users/{user_id}) says of a user; nothing if IAM is not to be asked,
// may not be read, or is slow. The fault is that IAM says there is no such user, which it says by name; no other failure
// is one. domain is the account to sign for, empty if unknown.
func (p *Provider) lookUp(ctx context.Context, id, domain string) (account, *workflow.Fault) {
	if p.iam == "" {
		return account{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, iamPatience)
	defer cancel()
	a, b := p.ask(ctx, api{
		name: "ShowUser", def: iamsdk.GenReqDefForShowUser(), limit: otherLimit, iam: true, domain: domain,
		req: &model.ShowUserRequest{UserId: id},
	})
	if b != nil && b.status == http.StatusNotFound && strings.Contains(b.fault.Text, id) {
		b.fault.Class = workflow.ClassSubject
		return account{}, b.fault
	}
	if b != nil {
		p.log.InfoContext(ctx, "IAM tells nothing of the user", "system", p.system, "class", string(b.fault.Class),
			"code", b.fault.Code, "request_id", b.fault.RequestID)
		return account{}, nil
	}
	var got struct {
		User struct {
			ID          string `json:"id"`
			Name        string `json:"name"`
			DomainID    string `json:"domain_id"`
			DomainOwner *bool  `json:"is_domain_owner"`
		} `json:"user"`
	}
	if err := decode(*a.Body, &got); err != nil || got.User.ID != id {
		return account{}, nil
	}
	return account{
		UserID: id, UserName: got.User.Name, DomainID: got.User.DomainID, DomainOwner: got.User.DomainOwner,
	}, nil
}
