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
// may not be read, or is slow. The fault is that IAM says there is no such user. domain is the account to sign for, empty
// if unknown.
func (p *Provider) lookUp(ctx context.Context, id, domain string) (account, *workflow.Fault) {
	got, nobody := courtesy[struct {
		User struct {
			ID          string `json:"id"`
			Name        string `json:"name"`
			DomainID    string `json:"domain_id"`
			DomainOwner *bool  `json:"is_domain_owner"`
		} `json:"user"`
	}](ctx, p, id, api{
		name: "ShowUser", def: iamsdk.GenReqDefForShowUser(), limit: otherLimit, iam: true, domain: domain,
		req: &model.ShowUserRequest{UserId: id},
	})
	if nobody != nil || got.User.ID != id {
		return account{}, nobody
	}
	return account{
		UserID: id, UserName: got.User.Name, DomainID: got.User.DomainID, DomainOwner: got.User.DomainOwner,
	}, nil
}

// lookUpGroup is the name that IAM's KeystoneShowGroup (GET /v3/groups/{group_id}) says a user group has; otherwise as
// lookUp.
func (p *Provider) lookUpGroup(ctx context.Context, id, domain string) (name string, nobody *workflow.Fault) {
	got, nobody := courtesy[struct {
		Group struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"group"`
	}](ctx, p, id, api{
		name: "KeystoneShowGroup", def: iamsdk.GenReqDefForKeystoneShowGroup(), limit: otherLimit, iam: true, domain: domain,
		req: &model.KeystoneShowGroupRequest{GroupId: id},
	})
	if got.Group.ID != id {
		return "", nobody
	}
	return got.Group.Name, nil
}

// courtesy asks IAM about the owner of an ID. Whatever goes wrong is the zero answer; only that IAM itself says that it
// knows nobody of the ID, by a 404 that names it, is a fault.
func courtesy[T any](ctx context.Context, p *Provider, id string, a api) (T, *workflow.Fault) {
	var none T
	if p.iam == "" {
		return none, nil
	}
	ctx, cancel := context.WithTimeout(ctx, iamPatience)
	defer cancel()
	got, b := p.ask(ctx, a)
	if b != nil && b.status == http.StatusNotFound && strings.Contains(b.fault.Text, id) {
		b.fault.Class = workflow.ClassSubject
		return none, b.fault
	}
	if b != nil {
		p.log.InfoContext(ctx, "IAM tells nothing of the subject", "system", p.system, "api", a.name,
			"class", string(b.fault.Class), "code", b.fault.Code, "request_id", b.fault.RequestID)
		return none, nil
	}
	var v T
	if err := decode(*got.Body, &v); err != nil {
		return none, nil //nolint:nilerr // an answer that is none says nothing
	}
	return v, nil
}
