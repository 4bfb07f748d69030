package app

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"countersign/bot"
	"countersign/store"
	"countersign/workflow"
)

// metrics are the collectors of one app. No label holds personal data: no user, no group, no reason.
type metrics struct {
	registry    *prometheus.Registry
	own         []prometheus.Collector
	transitions *prometheus.CounterVec
	decisions   *prometheus.CounterVec
	undecided   prometheus.Histogram
	refused     *prometheus.CounterVec
	acks        *prometheus.HistogramVec
	commits     prometheus.Histogram
	batch       prometheus.Histogram
	calls       *prometheus.CounterVec
	callTime    *prometheus.HistogramVec
	slack       *prometheus.CounterVec
	slackTime   *prometheus.HistogramVec
	slackWait   *prometheus.CounterVec
	reloads     *prometheus.CounterVec
	witnessed   prometheus.Gauge
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "countersign_" + name, Help: help}, labels)
}

func times(name, help string, from float64, buckets int, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "countersign_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(from, 2, buckets),
	}, labels)
}

func newMetrics() *metrics {
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		transitions: counters("transitions_total", "Audit entries committed, by verb and new state.", "verb", "state"),
		decisions:   counters("decisions_total", "Decisions by people.", "decision"),
		undecided: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "countersign_decision_seconds", Help: "From a request to the decision that ended its waiting.",
			Buckets: prometheus.ExponentialBuckets(15, 2, 15),
		}),
		refused: counters("refused_total", "Attempts refused for want of authority, by kind.", "kind"),
		acks:    times("ack_seconds", "From the receipt of a delivery of Slack to its acknowledgement.", 0.002, 12, "kind"),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "countersign_commit_seconds", Help: "How long a durable commit took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "countersign_commit_batch", Help: "How many commits shared one durable write.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		calls:     counters("provider_calls_total", "Calls of clouds: action is read, or what was changed; class is ok or the class of the fault.", "system", "action", "class"),
		callTime:  times("provider_seconds", "How long a cloud took to answer.", 0.01, 13, "system", "action"),
		slack:     counters("slack_calls_total", "Calls of Slack, by method and outcome: ok, Slack's error, http_STATUS or no_answer.", "method", "outcome"),
		slackTime: times("slack_seconds", "How long Slack took to answer.", 0.01, 11, "method"),
		slackWait: counters("slack_wait_seconds_total", "How long Slack has asked to wait, by method.", "method"),
		reloads:   counters("reloads_total", "Reloads of policy and people, by outcome.", "outcome"),
		witnessed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "countersign_audit_head_posted_timestamp_seconds", Help: "When the head of the audit trail was last posted; 0 if not by this process.",
		}),
	}
	m.own = []prometheus.Collector{
		m.transitions, m.decisions, m.undecided, m.refused, m.acks, m.commits, m.batch, m.calls, m.callTime, m.slack, m.slackTime,
		m.slackWait, m.reloads, m.witnessed,
	}
	m.registry.MustRegister(m.own...)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	for _, d := range []string{"approve", "deny"} {
		m.decisions.WithLabelValues(d)
	}
	for _, o := range []string{"taken", "unchanged", "refused"} {
		m.reloads.WithLabelValues(o)
	}
	return m
}

// buildInfo is 1, with the commit and the Go that the program was built with.
func buildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_build_info", Help: "1, by commit and Go version.",
		ConstLabels: prometheus.Labels{"revision": Version(), "go": runtime.Version()},
	})
	g.Set(1)
	return g
}

func (m *metrics) commit(batch int, d time.Duration) {
	m.commits.Observe(d.Seconds())
	m.batch.Observe(float64(batch))
}

// seen counts an audit entry; load reads the request of a decision.
func (m *metrics) seen(e workflow.Entry, load func(workflow.Number) (workflow.Request, error)) {
	m.transitions.WithLabelValues(string(e.Verb), string(e.To)).Inc()
	switch e.Verb {
	case workflow.Approve, workflow.Deny:
	default:
		return
	}
	m.decisions.WithLabelValues(string(e.Verb)).Inc()
	if e.To == workflow.Pending {
		return
	}
	if r, err := load(e.Request); err == nil {
		m.undecided.Observe(e.At.Sub(r.Created).Seconds())
	}
}

func (m *metrics) tried(a bot.Attempt) { m.refused.WithLabelValues(string(a.Kind)).Inc() }

func (m *metrics) acked(kind string, took time.Duration) {
	m.acks.WithLabelValues(kind).Observe(took.Seconds())
}

// meter counts the calls of a provider.
func (m *metrics) meter(system string, p workflow.Provider) workflow.Provider {
	counted := &metered{p, system, m}
	if r, ok := p.(workflow.Resolver); ok {
		return struct {
			*metered
			workflow.Resolver
		}{counted, r}
	}
	return counted
}

// metered is a provider whose calls are counted.
type metered struct {
	workflow.Provider
	system string
	m      *metrics
}

// Read implements workflow.Provider.
func (p *metered) Read(ctx context.Context, c workflow.Change) (workflow.Membership, error) {
	begun := time.Now()
	got, err := p.Provider.Read(ctx, c)
	class := "ok"
	if f, ok := errors.AsType[*workflow.Fault](err); ok {
		class = string(f.Class)
	} else if err != nil {
		class = string(workflow.ClassUnclear)
	}
	p.count("read", class, begun)
	return got, err
}

// Apply implements workflow.Provider.
func (p *metered) Apply(ctx context.Context, c workflow.Change, before workflow.Membership) workflow.Outcome {
	begun := time.Now()
	out := p.Provider.Apply(ctx, c, before)
	class := "ok"
	switch {
	case out.Fault != nil:
		class = string(out.Fault.Class)
	case out.Verdict != workflow.Applied:
		class = string(workflow.ClassUnclear)
	}
	p.count(string(c.Action), class, begun)
	return out
}

func (p *metered) count(action, class string, begun time.Time) {
	p.m.calls.WithLabelValues(p.system, action, class).Inc()
	p.m.callTime.WithLabelValues(p.system, action).Observe(time.Since(begun).Seconds())
}

const (
	// statsAge is how old the numbers of the store may be, so that scraping often costs nothing.
	statsAge = 5 * time.Second
	// maxDue bounds how many effects are counted.
	maxDue = 1000
)

// state is a collector of what the store and the bot are like at the moment of a scrape.
type state struct {
	a *App

	mu    sync.Mutex
	at    time.Time
	stats store.Stats
	due   []workflow.DueItem
	err   error
}

var (
	descReady  = prometheus.NewDesc("countersign_ready", "1 if a command can be taken.", nil, nil)
	descSocket = prometheus.NewDesc("countersign_slack_connected", "1 if Slack is connected, by mode.", []string{"mode"}, nil)
	descOpen   = prometheus.NewDesc("countersign_requests", "Requests that are open, by state; at most 10000 of each are counted.", []string{"state"}, nil)
	descDue    = prometheus.NewDesc("countersign_effects_due", "Effects that are due and not done; at most 1000 are counted.", nil, nil)
	descOldest = prometheus.NewDesc("countersign_effect_oldest_seconds", "For how long the oldest of them has been due.", nil, nil)
	descHead   = prometheus.NewDesc("countersign_audit_entries", "The number of the last audit entry.", nil, nil)
	descNumber = prometheus.NewDesc("countersign_request_number", "The highest request number.", nil, nil)
	descQueue  = prometheus.NewDesc("countersign_commits_waiting", "Commits that wait for their turn.", nil, nil)
	descPolicy = prometheus.NewDesc("countersign_policy_info", "1, by the hash of the policy and people in force.", []string{"hash"}, nil)
	descFailed = prometheus.NewDesc("countersign_store_failed", "1 if the store cannot be read.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReady, descSocket, descOpen, descDue, descOldest, descHead, descNumber, descQueue, descPolicy, descFailed,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ready := 0.0
	if s.a.Ready() {
		ready = 1
	}
	gauge(descReady, ready)
	gauge(descSocket, ready, string(s.a.cfg.Slack.Mode))
	gauge(descPolicy, 1, s.a.inForce.Load().PolicyHash())
	stats, due, err := s.read()
	if err != nil {
		gauge(descFailed, 1)
		return
	}
	gauge(descFailed, 0)
	for _, st := range workflow.States() {
		if st.Open() {
			gauge(descOpen, float64(stats.Open[st]), string(st))
		}
	}
	oldest := 0.0
	if len(due) > 0 {
		oldest = max(0, s.a.o.Now().Sub(due[0].Due).Seconds())
	}
	gauge(descDue, float64(len(due)))
	gauge(descOldest, oldest)
	gauge(descHead, float64(stats.Head.Seq))
	gauge(descNumber, float64(stats.Number))
	gauge(descQueue, float64(stats.Queued))
}

func (s *state) read() (store.Stats, []workflow.DueItem, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < statsAge {
		return s.stats, s.due, s.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), statsAge)
	defer cancel()
	s.stats, s.err = s.a.store.Stats(ctx)
	if s.err == nil {
		s.due, s.err = s.a.store.Due(ctx, s.a.o.Now(), workflow.DueItem{}, maxDue)
	}
	s.at = time.Now()
	return s.stats, s.due, s.err
}
