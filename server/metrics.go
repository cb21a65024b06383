package server

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what piopiyd tells Prometheus. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	hooks    *prometheus.HistogramVec
	sessions *prometheus.GaugeVec
	turns    *prometheus.HistogramVec
	reloads  *prometheus.CounterVec
	reload   prometheus.Histogram
	faults   *prometheus.CounterVec
	rebuilt  *prometheus.CounterVec

	mu    sync.RWMutex
	cache map[hookKey]prometheus.Observer
	turn  map[string]prometheus.Observer
}

type hookKey struct{ app, kind string }

// latencyBuckets span 100 µs to 10 s.
var latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics returns Metrics with the process's own beside them.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		hooks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "piopiyd_hook_duration_seconds", Help: "Time to serve a hook, by app and callback.", Buckets: latencyBuckets}, []string{"app", "callback"}),
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "piopiyd_sessions", Help: "Sessions alive, by app."}, []string{"app"}),
		turns: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "piopiyd_turn_duration_seconds", Help: "Time of one turn of a script's event loop, by app.", Buckets: latencyBuckets}, []string{"app"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "piopiyd_reloads_total", Help: "Edits, by app and outcome (live or refused)."}, []string{"app", "outcome"}),
		reload: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "piopiyd_reload_duration_seconds", Help: "Time to build, check and take an edit live.", Buckets: latencyBuckets}),
		rebuilt: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "piopiyd_sessions_rebuilt_total", Help: "Sessions rebuilt from their journals, by app and result."}, []string{"app", "result"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "piopiyd_faults_total", Help: "Faults of scripts, by app and kind."}, []string{"app", "kind"}),
		cache: map[hookKey]prometheus.Observer{},
		turn:  map[string]prometheus.Observer{},
	}
	m.registry.MustRegister(m.hooks, m.sessions, m.turns, m.reloads, m.reload, m.faults, m.rebuilt,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gauge adds a value that is read when Prometheus asks.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Gauges adds values by one label, which are read when Prometheus asks.
func (m *Metrics) Gauges(name, help, label string, read func() map[string]float64) {
	m.registry.MustRegister(gauges{prometheus.NewDesc(name, help, []string{label}, nil), read})
}

type gauges struct {
	desc *prometheus.Desc
	read func() map[string]float64
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	for value, n := range g.read() {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, n, value)
	}
}

// Counter adds a counter with labels, and returns what adds to it.
func (m *Metrics) Counter(name, help string, labels ...string) (add func(n float64, values ...string)) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return func(n float64, values ...string) { c.WithLabelValues(values...).Add(n) }
}

// maxApps bounds the label values that requests for unknown apps could make.
const maxApps = 10_000

// hook starts a measurement that the returned function ends.
func (m *Metrics) hook(app, kind string) func() {
	k := hookKey{app, kind}
	m.mu.RLock()
	o := m.cache[k]
	m.mu.RUnlock()
	if o == nil {
		m.mu.Lock()
		if len(m.cache) > maxApps {
			k.app = "other"
		}
		o = m.hooks.WithLabelValues(k.app, kind)
		m.cache[k] = o
		m.mu.Unlock()
	}
	began := time.Now()
	return func() { o.Observe(time.Since(began).Seconds()) }
}

// SessionStarted counts a session in.
func (m *Metrics) SessionStarted(app string) { m.sessions.WithLabelValues(app).Inc() }

// SessionEnded counts a session out.
func (m *Metrics) SessionEnded(app string) { m.sessions.WithLabelValues(app).Dec() }

// TurnEnded measures one turn.
func (m *Metrics) TurnEnded(app string, d time.Duration) {
	m.mu.RLock()
	o := m.turn[app]
	m.mu.RUnlock()
	if o == nil {
		o = m.turns.WithLabelValues(app)
		m.mu.Lock()
		m.turn[app] = o
		m.mu.Unlock()
	}
	o.Observe(d.Seconds())
}

// Faulted counts a fault.
func (m *Metrics) Faulted(app, kind string) { m.faults.WithLabelValues(app, kind).Inc() }

// Rebuilt counts a session that was rebuilt from its journal, or could not be.
func (m *Metrics) Rebuilt(app string, failed bool) {
	result := "live"
	if failed {
		result = "failed"
	}
	m.rebuilt.WithLabelValues(app, result).Inc()
}

// Reloaded counts an edit and, when it went live, how long that took.
func (m *Metrics) Reloaded(app string, took time.Duration, refused bool) {
	if refused {
		m.reloads.WithLabelValues(app, "refused").Inc()
		return
	}
	m.reloads.WithLabelValues(app, "live").Inc()
	m.reload.Observe(took.Seconds())
}
