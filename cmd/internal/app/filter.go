package app

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"countersign/store"
	"countersign/workflow"
)

// filter selects requests for an operator.
type filter struct {
	state          workflow.State
	person, system string
	since, until   time.Time
	limit          int
}

func filterOf(r *http.Request) (filter, error) {
	f := filter{limit: 100, person: r.FormValue("person"), system: r.FormValue("system"), state: workflow.State(r.FormValue("state"))}
	if f.state != "" && !slices.Contains(workflow.States(), f.state) {
		return f, fmt.Errorf("there is no state %q; the states are %v", f.state, workflow.States())
	}
	if n, err := strconv.Atoi(r.FormValue("limit")); err == nil && n > 0 {
		f.limit = min(n, maxListed)
	}
	var err error
	if f.since, err = parseSince(r.FormValue("since")); err != nil {
		return f, err
	}
	f.until, err = parseSince(r.FormValue("until"))
	return f, err
}

// list reads newest first until the limit is reached, or requests are older than what is asked for. What no index
// serves costs what is gone through; it is read in pages, so that nobody waits for it.
func (f filter) list(ctx context.Context, s *store.Store) ([]workflow.Request, error) {
	var found []workflow.Request
	q := workflow.Query{Limit: store.MaxScan}
	if f.state != "" {
		q.States = []workflow.State{f.state}
	}
	if f.narrow() {
		q.Limit = f.limit
	}
	for len(found) < f.limit {
		rs, err := s.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			q.Before = r.Number
			if f.fits(r) && len(found) < f.limit {
				found = append(found, r)
			}
		}
		if len(rs) < q.Limit || rs[len(rs)-1].Created.Before(f.since.Add(-day)) {
			break
		}
	}
	return found, nil
}

// narrow reports whether an index serves the filter, so that no more need be read than is asked for.
func (f filter) narrow() bool {
	return f.person == "" && f.system == "" && f.since.IsZero() && f.until.IsZero()
}

func (f filter) fits(r workflow.Request) bool {
	switch {
	case f.system != "" && r.Change.System != f.system,
		!f.since.IsZero() && r.Created.Before(f.since),
		!f.until.IsZero() && !r.Created.Before(f.until):
		return false
	case f.person == "" || r.Requester.User == f.person:
		return true
	default:
		return slices.ContainsFunc(r.Decisions, func(d workflow.Decision) bool { return d.By.User == f.person })
	}
}
