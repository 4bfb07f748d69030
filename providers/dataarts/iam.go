package dataarts

import (
	"context"
	"time"

	iamsdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/model"
)

// iamPatience is how long IAM may take: what it knows is a courtesy.
const iamPatience = 2 * time.Second

// lookUp is what IAM's ShowUser (GET /v3.0/OS-USER/users/{user_id}) says of a user; nothing if IAM is not to be asked,
// may not be read, does not know them, or is slow. domain is the account to sign for, empty if unknown.
func (p *Provider) lookUp(ctx context.Context, id, domain string) account {
	if p.iam == "" {
		return account{}
	}
	ctx, cancel := context.WithTimeout(ctx, iamPatience)
	defer cancel()
	got, f := fetch[struct {
		User struct {
			ID          string `json:"id"`
			Name        string `json:"name"`
			DomainID    string `json:"domain_id"`
			DomainOwner *bool  `json:"is_domain_owner"`
		} `json:"user"`
	}](ctx, p, api{
		name: "ShowUser", def: iamsdk.GenReqDefForShowUser(), limit: otherLimit, iam: true, domain: domain,
		req: &model.ShowUserRequest{UserId: id},
	})
	if f != nil {
		p.log.InfoContext(ctx, "IAM tells nothing of the user", "system", p.system, "class", string(f.Class),
			"code", f.Code, "request_id", f.RequestID)
		return account{}
	}
	if got.User.ID != id {
		return account{}
	}
	return account{
		UserID: id, UserName: got.User.Name, DomainID: got.User.DomainID, DomainOwner: got.User.DomainOwner,
	}
}
