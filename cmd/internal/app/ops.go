package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"countersign/store"
	"countersign/workflow"
)

func (a *App) servers() []*server {
	a.metrics.registry.MustRegister(&state{a: a})
	return []*server{
		{name: "ops", l: a.ops, h: a.opsHandler()},
		{name: "control", l: a.control, h: a.controlHandler()},
	}
}

// opsHandler is what probes and Prometheus ask.
func (a *App) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !a.Ready() {
			http.Error(w, "not ready: slack is not connected", http.StatusServiceUnavailable)
			return
		}
		if err := a.away(r); err != nil {
			a.log.Warn("the database does not answer", "error", err)
			http.Error(w, "not ready: the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

// listenUnix listens on a socket that only its owner may use. A socket file that nobody answers on is left from a
// process that was killed, and is taken over.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s is in use by another process", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// View is a request as operators' tools read it.
type View struct {
	Number    workflow.Number `json:"number"`
	State     workflow.State  `json:"state"`
	Action    workflow.Action `json:"action"`
	System    string          `json:"system"`
	Group     string          `json:"group"`
	Subject   string          `json:"subject"`
	Role      string          `json:"role"`
	Remark    string          `json:"remark"`
	Reason    string          `json:"reason"`
	Requester string          `json:"requester"`
	Decisions []DecisionView  `json:"decisions"`
	Channel   string          `json:"channel"`
	TS        string          `json:"ts"`
	Parent    workflow.Number `json:"parent"`
	Created   time.Time       `json:"created"`
	Updated   time.Time       `json:"updated"`
	Expires   *time.Time      `json:"expires"`
}

// DecisionView is a decision as operators' tools read it.
type DecisionView struct {
	User     string    `json:"user"`
	Decision string    `json:"decision"` // approve or deny
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
}

// NewView makes the view of a request.
func NewView(r workflow.Request) View {
	v := View{
		Number: r.Number, State: r.State, Action: r.Change.Action, System: r.Change.System, Group: r.Change.Group,
		Subject: r.Change.Subject.String(), Role: r.Change.RoleIDs(), Remark: r.Change.Remark, Reason: r.Reason,
		Requester: r.Requester.User, Decisions: []DecisionView{}, Channel: r.Card.Channel, TS: r.Card.TS,
		Parent: r.Parent, Created: r.Created, Updated: r.Updated,
	}
	if v.Channel == "" {
		v.Channel = r.Rule.Channel
	}
	if !r.Expires.IsZero() {
		v.Expires = &r.Expires
	}
	for _, d := range r.Decisions {
		word := "deny"
		if d.Approve {
			word = "approve"
		}
		v.Decisions = append(v.Decisions, DecisionView{User: d.By.User, Decision: word, Reason: d.Reason, At: d.At})
	}
	return v
}

// Control answers operators' commands from a store: on the running process's unix socket, or, where no process runs,
// called directly.
func Control(s *store.Store) http.Handler { return controlMux(&control{s, nil}) }

func controlMux(c *control) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests", c.list)
	mux.HandleFunc("GET /requests/{number}", c.show)
	mux.HandleFunc("GET /requests/{number}/history", c.history)
	mux.HandleFunc("GET /audit", c.audit)
	mux.HandleFunc("GET /audit/verify", c.verify)
	mux.HandleFunc("GET /backup", c.backup)
	mux.HandleFunc("POST /prune", c.prune)
	return mux
}

type control struct {
	s   *store.Store
	log *slog.Logger // nil where no process runs
}

// fail answers with an error; internal ones are the operator's to read, who is who asks here.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if errors.Is(err, workflow.ErrNotFound) {
		code = http.StatusNotFound
	}
	http.Error(w, err.Error(), code)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

// maxListed is how many requests one list holds at the most.
const maxListed = 10_000

func (c *control) list(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rs, err := f.list(r.Context(), c.s)
	if err != nil {
		fail(w, err)
		return
	}
	views := []View{}
	for _, req := range rs {
		views = append(views, NewView(req))
	}
	answer(w, views)
}

func number(r *http.Request) (workflow.Number, error) {
	n, err := strconv.ParseUint(r.PathValue("number"), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no number", workflow.ErrNotFound, r.PathValue("number"))
	}
	return workflow.Number(n), nil
}

func (c *control) show(w http.ResponseWriter, r *http.Request) {
	n, err := number(r)
	if err != nil {
		fail(w, err)
		return
	}
	req, _, err := c.s.Load(r.Context(), n)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, NewView(req))
}

func (c *control) history(w http.ResponseWriter, r *http.Request) {
	n, err := number(r)
	if err != nil {
		fail(w, err)
		return
	}
	es, err := c.s.History(r.Context(), n)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, es)
}

const auditPage = 500

// audit streams the trail as one JSON object a line, in pages, so that no read of the store lasts.
func (c *control) audit(w http.ResponseWriter, r *http.Request) {
	since, err := parseSince(r.FormValue("since"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.note(r, actExport, "since "+r.FormValue("since"))
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for from := uint64(1); ; {
		es, err := c.s.Audit(r.Context(), from, auditPage)
		if err != nil {
			panic(http.ErrAbortHandler) // a stream that is cut short must not look whole
		}
		for _, e := range es {
			from = e.Seq + 1
			if !e.At.Before(since) {
				_ = enc.Encode(e)
			}
		}
		if len(es) < auditPage {
			_ = out.Flush()
			return
		}
	}
}

func parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if d, err := workflow.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31, 2026-01-31T08:00:00Z or 7d", s)
}

func (c *control) verify(w http.ResponseWriter, r *http.Request) {
	var head store.Head
	var err error
	if h := r.FormValue("head"); h != "" {
		var want store.Head
		if want, err = ParseHead(h); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		head, err = c.s.VerifyHead(r.Context(), want)
	} else {
		head, err = c.s.Verify(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	answer(w, head)
}

func (c *control) backup(w http.ResponseWriter, r *http.Request) {
	if _, ok := c.s.Engine().(store.Snapshotter); !ok {
		http.Error(w, "this database is backed up by its own means: pg_dump, or the snapshots of whoever runs it", http.StatusNotImplemented)
		return
	}
	c.note(r, actBackup, "")
	w.Header().Set("Trailer", backupDone)
	if err := c.s.Backup(r.Context(), w); err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(backupDone, "yes")
}

// prunePause is kept between two commits of a pruning.
const prunePause = 20 * time.Millisecond

func (c *control) prune(w http.ResponseWriter, r *http.Request) {
	before, err := parseSince(r.FormValue("before"))
	if err == nil && before.IsZero() {
		err = errors.New("before: a time is needed")
	}
	if err == nil && before.After(time.Now()) {
		err = fmt.Errorf("before: %s is still to come", before.Format(time.RFC3339))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	done, err := c.s.Prune(r.Context(), store.PruneOptions{
		Before: before, Via: operator(r), Pause: prunePause, Dry: r.FormValue("dry") != "",
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	answer(w, done)
}

// backupDone is the trailer that tells a whole copy from one that was cut off.
const backupDone = "Countersign-Backup-Complete"
