package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"countersign/providers/compshare"
	"countersign/providers/dataarts"
	"countersign/workflow"
)

// named is a group of a cloud.
type named struct{ id, name string }

// cloud is what doctor reads of a system.
type cloud struct {
	groups func(context.Context) ([]named, error)
	// read tries the reads that a request needs.
	read func(ctx context.Context, group string) (members int, err error)
}

// system checks one account: the way to it, its keys, and what it may read.
func (d *doctor) system(ctx context.Context, s SystemConfig) {
	name := "system " + s.Name
	keys, ok := d.keys(s)
	if !ok {
		return
	}
	dates := &dates{next: http.DefaultTransport, now: d.o.Now}
	c, err := open(s, keys, dates)
	if err != nil {
		d.fail(name, err.Error(), "correct the file or the keys")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	groups, err := c.groups(ctx)
	if seen, at := dates.get(); at {
		d.skews = append(d.skews, skew{s.Name, seen})
	}
	switch {
	case err == nil && len(groups) == 0:
		d.warn(name, "the key is accepted, but the account has no groups", "make a team or workspace, or check whose key it is")
	case err == nil:
		d.ok(name, "the endpoint answers, the key is accepted, and %d groups are listed", len(groups))
	case s.Provider == DataArts && s.InstanceID == "":
		d.warn(name, "no instance_id is configured, so that workspaces cannot be listed", "add the instance's ID, so that the form can offer them")
	default:
		d.fail(name, "its groups cannot be listed: "+err.Error(), cloudMend(err, s))
		return
	}
	d.reads(ctx, s, c, groups)
}

// maxGroups bounds how many groups that no rule names are tried.
const maxGroups = 3

func (d *doctor) reads(ctx context.Context, s SystemConfig, c cloud, groups []named) {
	ids := d.groupsOf(s.Name)
	if len(ids) == 0 {
		for _, g := range groups[:min(len(groups), maxGroups)] {
			ids = append(ids, g.id)
		}
	}
	good := 0
	for _, id := range ids {
		name := "group " + s.Name + "/" + id
		n, err := c.read(ctx, id)
		if err != nil {
			d.fail(name, "its members cannot be read: "+err.Error(), cloudMend(err, s))
			continue
		}
		good++
		i := slices.IndexFunc(groups, func(g named) bool { return g.id == id })
		if i < 0 {
			d.ok(name, "has %d members", n)
		} else {
			d.ok(name, "%q has %d members", groups[i].name, n)
		}
	}
	switch {
	case len(ids) == 0:
		d.warn("rights "+s.Name, "no group is named or listed, so that no read was tried", "name groups in the policy")
	case good == len(ids):
		d.ok("rights "+s.Name, "the account may read; whether it may change a membership cannot be tested without changing one")
	}
}

func (d *doctor) keys(s SystemConfig) (keyPair, bool) {
	var pair keyPair
	for _, k := range []struct {
		env string
		to  *string
	}{{s.KeyEnv, &pair.key}, {s.SecretEnv, &pair.secret}} {
		v, err := secret(k.env, d.o.Env)
		if err == nil && v == "" {
			err = fmt.Errorf("%s is not set (nor %s_FILE)", k.env, k.env)
		}
		if err != nil {
			d.fail("system "+s.Name, err.Error(), "set the account's key pair")
			return pair, false
		}
		*k.to = v
	}
	return pair, true
}

// open makes a provider for doctor's reads.
func open(s SystemConfig, keys keyPair, transport http.RoundTripper) (cloud, error) {
	if s.Provider == CompShare {
		p, err := newCompShare(s, keys, quiet, transport)
		if err != nil {
			return cloud{}, err
		}
		return cloud{
			groups: func(ctx context.Context) ([]named, error) {
				gs, err := p.Groups(ctx)
				list := make([]named, len(gs))
				for i, g := range gs {
					list[i] = named{fmt.Sprint(g.ID), g.Name}
				}
				return list, err
			},
			read: func(ctx context.Context, group string) (int, error) {
				ms, err := p.Members(ctx, group)
				return len(ms), err
			},
		}, nil
	}
	p, err := newDataArts(s, keys, quiet, transport)
	if err != nil {
		return cloud{}, err
	}
	return cloud{
		groups: func(ctx context.Context) ([]named, error) {
			ws, err := p.Groups(ctx)
			list := make([]named, len(ws))
			for i, w := range ws {
				list[i] = named{w.ID, w.Name}
			}
			return list, err
		},
		read: func(ctx context.Context, group string) (int, error) {
			if _, err := p.Roles(ctx, group); err != nil {
				return 0, err
			}
			ms, err := p.Members(ctx, group)
			return len(ms), err
		},
	}, nil
}

func newCompShare(s SystemConfig, keys keyPair, o *slog.Logger, transport http.RoundTripper) (*compshare.Provider, error) {
	return compshare.New(compshare.Options{
		System: s.Name, Endpoint: s.Endpoint, Region: s.Region,
		PublicKey: keys.key, PrivateKey: keys.secret, Logger: o, Transport: transport,
	})
}

func newDataArts(s SystemConfig, keys keyPair, o *slog.Logger, transport http.RoundTripper) (*dataarts.Provider, error) {
	return dataarts.New(dataarts.Options{
		System: s.Name, Region: s.Region, Endpoint: s.Endpoint, IAMEndpoint: s.IAMEndpoint,
		ProjectID: s.ProjectID, InstanceID: s.InstanceID,
		AccessKey: keys.key, SecretKey: keys.secret, Logger: o, Transport: transport,
	})
}

// cloudMend says what to do about a fault of a read.
func cloudMend(err error, s SystemConfig) string {
	f, ok := errors.AsType[*workflow.Fault](err)
	if !ok {
		return ""
	}
	switch f.Class {
	case workflow.ClassKey:
		where := "the key pair of console.compshare.cn (those of ucloud.cn are unknown at compshare.cn)"
		if s.Provider == DataArts {
			where = "an access key of the account that owns the project"
		}
		return fmt.Sprintf("set %s and %s anew: %s; see the clock too", s.KeyEnv, s.SecretEnv, where)
	case workflow.ClassPermission:
		if s.Provider == DataArts {
			return "give the account DAYU Administrator, or DAYU User and the workspace's admin role"
		}
		return "use the key of the company that owns the team"
	case workflow.ClassUnverified:
		return "verify the account's real name in the vendor's console"
	case workflow.ClassGroup:
		return "correct the group's ID in the policy, or use the key of its owner"
	case workflow.ClassThrottled:
		return "run doctor again in a minute"
	case workflow.ClassUnclear, workflow.ClassVendor:
		return "check endpoint and region, the network and HTTPS_PROXY"
	default:
		return "look the code up in the vendor's documents"
	}
}

// dates keeps how far the clock of an HTTP server is from ours.
type dates struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	skew time.Duration
	seen bool
}

// RoundTrip carries out a request and looks at the answer's Date.
func (d *dates) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.skew, d.seen = at.Sub(d.now()), true
	}
	return resp, nil
}

func (d *dates) get() (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.skew, d.seen
}
