package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"countersign/workflow"
)

// metrics are the collectors of one app. No label holds personal data.
type metrics struct {
	registry    *prometheus.Registry
	transitions *prometheus.CounterVec
	commits     prometheus.Histogram
	batch       prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "countersign_transitions_total", Help: "Audit entries committed, by verb and new state.",
		}, []string{"verb", "state"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "countersign_commit_seconds", Help: "How long a durable commit took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "countersign_commit_batch", Help: "How many commits shared one durable write.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
	}
	m.registry.MustRegister(m.transitions, m.commits, m.batch, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

func (m *metrics) commit(batch int, d time.Duration) {
	m.commits.Observe(d.Seconds())
	m.batch.Observe(float64(batch))
}

func (m *metrics) seen(e workflow.Entry) {
	m.transitions.WithLabelValues(string(e.Verb), string(e.To)).Inc()
}

// watchReady adds the gauge that says whether commands can be taken.
func (m *metrics) watchReady(ready func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "countersign_ready", Help: "1 if a command can be taken.",
	}, func() float64 {
		if ready() {
			return 1
		}
		return 0
	}))
}
