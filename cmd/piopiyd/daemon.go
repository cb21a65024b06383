package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/intl"
	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/drivers/cloud"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
	"github.com/piopiy/piopiyd/stdlib"
)

// Daemon is a whole piopiyd: journal, scripts, call engine, hooks and HTTP.
//
// Its life: startDaemon opens the journal, brings the stored versions back, loads the scripts and follows their
// folder; Serve takes calls until its context ends and then drains; Close lets go of everything.
type Daemon struct {
	cfg     config.Config
	log     *slog.Logger
	journal *journal.Journal
	runtime *runtime.Runtime
	handler *bindcall.Handler
	web     *webApps
	calls   call.Handler // scripts and web servers
	hooks   *cloud.Hooks
	server  *server.Server
	metrics *server.Metrics
	numbers map[string]string // apps by number
	sip     *sip.Driver       // nil where SIP is not served
	noSIP   string            // why not
	live    call.Live         // its calls
	records *records          // of ended calls
	reports call.Inbox        // takes the engine's events and CDRs

	endpoints *endpoints // nil where SIP is not served
	sipDone   bool       // Serve has closed it

	stop       context.CancelFunc
	background sync.WaitGroup // what stop ends
}

// startDaemon returns a daemon that has loaded its scripts and is ready to serve. Scripts that cannot be loaded
// are no error: the log and the API say what is wrong with them.
func startDaemon(ctx context.Context, cfg config.Config, scripts func(context.Context, *runtime.Runtime) error, log *slog.Logger) (*Daemon, error) {
	d := &Daemon{cfg: cfg, log: log, metrics: server.NewMetrics(), numbers: numbersOf(cfg)}
	var err error
	if d.journal, err = openJournal(ctx, cfg, log); err != nil {
		return nil, err
	}
	if d.runtime, err = newRuntime(cfg, d.journal, bindcall.CallsOptions{Live: &d.live, Originator: d}, observer{d.metrics, cfg, log}, log); err != nil {
		_ = d.journal.Close(ctx)
		return nil, err
	}
	d.records = newRecords(d.journal.KV(), cfg.Journal.MaxAge, log)
	inbox := recordedInbox{d.journal.Inbox(), d.records}
	d.reports = inbox
	decides := handlerOptions(cfg, d.runtime, &d.live, log)
	if decides.Recall, decides.Names = d.journal.Recall, d.journal; d.journal.Began() {
		decides.RecallAnswers = askedAgain
	}
	d.handler = bindcall.NewHandler(decides)
	faulted := func(app string) { d.metrics.Faulted(app, "web") }
	if d.web, err = newWebApps(cfg, &webJournal{journal: d.journal, faulted: faulted, log: log}, log); err != nil {
		d.runtime.Close()
		_ = d.journal.Close(ctx)
		return nil, err
	}
	d.calls = byID{draining{d.web.or(d.handler), d.handler.Draining}, d.findApp}
	d.hooks = cloud.NewHooks(cloud.Options{
		Handler: d.calls, Inbox: inbox, PublicURL: cfg.PublicURL, MaxBody: int64(cfg.Hooks.MaxBody), Logger: log,
		Secret: func(app string) string { return string(cfg.Apps[app].Token) },
	})
	if err = d.openSIP(inbox); err != nil {
		_ = d.Close(ctx)
		return nil, err
	}
	if d.sip != nil {
		if d.endpoints, err = openEndpoints(ctx, d.journal.KV(), d.sip, cfg.SIP.Users, log); err != nil {
			_ = d.Close(ctx)
			return nil, err
		}
	}
	if d.server, err = d.newServer(); err != nil {
		_ = d.Close(ctx)
		return nil, err
	}
	d.gauges()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	if err := scripts(background, d.runtime); err != nil && len(d.runtime.Apps()) == 0 {
		_ = d.Close(ctx)
		return nil, err
	}
	lost := lostCalls{d.journal, d.reports, log}
	if cfg.Journal.NATSURL == "" {
		lost.end(ctx)
	} else { // another process of this node may still be about to end
		d.background.Go(func() { lost.end(background) })
	}
	d.background.Go(func() {
		if err := d.journal.Inbox().Deliver(background, d.calls); err != nil {
			log.Error("delivery of events and CDRs stopped", "error", err)
		}
	})
	d.background.Go(func() { d.records.run(background) })
	return d, nil
}

func openJournal(ctx context.Context, cfg config.Config, log *slog.Logger) (*journal.Journal, error) {
	var connect []nats.Option
	if cfg.Journal.NATSCredentials != "" {
		connect = append(connect, nats.UserCredentials(cfg.Journal.NATSCredentials))
	}
	return journal.Open(ctx, journal.Options{
		Dir: cfg.Data, URL: cfg.Journal.NATSURL, ConnectOptions: connect, Node: cfg.Journal.Node, Replicas: cfg.Journal.Replicas,
		Logger: log, MaxAge: cfg.Journal.MaxAge, MaxBytes: int64(cfg.Journal.MaxBytes),
		Inbox: call.InboxOptions{
			Backoff: cfg.Delivery.Retry, BackoffFor: resend(cfg), EventMaxAge: cfg.Delivery.EventMaxAge, CDRMaxAge: cfg.Delivery.CDRMaxAge,
		},
	})
}

// newRuntime returns the runtime that a configuration describes.
func newRuntime(cfg config.Config, j *journal.Journal, calls bindcall.CallsOptions, watch runtime.Observer, log *slog.Logger) (*runtime.Runtime, error) {
	rc, err := runtimeConfig(cfg, j, calls, watch, log)
	if err != nil {
		return nil, err
	}
	return runtime.New(rc)
}

// runtimeConfig translates a configuration. j may be nil, for commands that leave no trace.
func runtimeConfig(cfg config.Config, j *journal.Journal, calls bindcall.CallsOptions, watch runtime.Observer, log *slog.Logger) (runtime.Config, error) {
	zone := time.Local.String()
	if zone == "Local" { // not set by main
		zone = "UTC"
	}
	options := bindings.Options{
		Intl:  intl.Options{TimeZone: zone},
		Fetch: outbound.Options{Allow: cfg.Fetch.Allow, Timeout: cfg.Fetch.Timeout, MaxBody: int64(cfg.Fetch.MaxBody)},
		PIOPIY: bindpcmo.Options{
			ClassicURL:     strings.TrimSuffix(strings.TrimRight(cfg.Piopiy.URLV1, "/"), "/v1"),
			ClassicRESTURL: strings.TrimSuffix(strings.TrimRight(cfg.Piopiy.URLV2, "/"), "/v2"),
			V3URL:          cfg.Piopiy.URLV3,
		},
	}
	rc := runtime.Config{
		Callbacks: bindcall.Callbacks, Stdlib: stdlib.Files(), Settings: appSettings(cfg), Limits: runtimeLimits(cfg.Limits),
		KeepVersions: cfg.Versions.Keep, MemoryLimit: int64(cfg.Limits.Memory), MaxSessions: cfg.Limits.Sessions,
		Logger: log, Observer: watch,
	}
	if j != nil {
		options.KV = j.KV()
		rc.Journal, rc.Versions = j, j.Versions()
	}
	var err error
	if rc.Modules, err = bindings.Standard(options); err != nil {
		return rc, err
	}
	rc.Modules = append(rc.Modules, bindcall.NewCalls(calls))
	return rc, nil
}

// newHandler returns what decides about calls by scripts. live knows the calls that they can control; may be nil.
func newHandler(cfg config.Config, rt *runtime.Runtime, live *call.Live, log *slog.Logger) *bindcall.Handler {
	return bindcall.NewHandler(handlerOptions(cfg, rt, live, log))
}

func handlerOptions(cfg config.Config, rt *runtime.Runtime, live *call.Live, log *slog.Logger) bindcall.Options {
	return bindcall.Options{
		Runtime: rt, Fault: faultPolicy(cfg.Fault), Faults: faultPolicies(cfg), Stream: stream.New, Live: live, Logger: log,
	}
}

// askedAgain is for how long after a restart the platform may still ask what it asked before.
const askedAgain = 2 * time.Minute

// Originate implements call.Originator with whoever carries calls here.
func (d *Daemon) Originate(ctx context.Context, o call.Order) (*call.Call, error) {
	if d.sip == nil {
		return nil, fmt.Errorf("no call can be made, since SIP is not served: %s", d.noSIP)
	}
	return d.sip.Originate(ctx, o)
}

// faultPolicies returns the policies of apps that have their own.
func faultPolicies(cfg config.Config) map[string]call.FaultPolicy {
	policies := map[string]call.FaultPolicy{}
	for name, app := range cfg.Apps {
		if app.Fault != nil {
			policies[name] = faultPolicy(*app.Fault)
		}
	}
	return policies
}

func appSettings(cfg config.Config) map[string]runtime.Settings {
	settings := map[string]runtime.Settings{}
	for name, app := range cfg.Apps {
		s := runtime.Settings{Env: app.Env}
		if app.Isolation == string(runtime.Frozen) {
			s.Isolation = runtime.Frozen
		}
		settings[name] = s
	}
	return settings
}

func runtimeLimits(l config.Limits) runtime.Limits {
	return runtime.Limits{
		Turn: l.Turn, Grace: l.Grace, Callback: l.Callback, Lifetime: l.Lifetime, Timers: l.Timers, Pending: l.Pending,
		Stack: l.Stack, StringLength: l.StringLength, ArrayLength: l.ArrayLength, BufferSize: int(l.BufferSize), JournalSize: int(l.JournalSize),
	}
}

func faultPolicy(f config.Fault) call.FaultPolicy {
	return call.FaultPolicy{LastGood: f.LastGood, Say: f.Say, Play: f.Play, Forward: f.Forward, Hangup: f.Hangup}
}

func (d *Daemon) newServer() (*server.Server, error) {
	access := map[string]*server.Access{}
	for name, app := range d.cfg.Apps {
		sources, err := server.ParseSources(app.Sources)
		if err != nil {
			return nil, fmt.Errorf("apps.%s.sources: %w", name, err)
		}
		if app.Token == "" && app.User == "" && app.Password == "" && len(sources) == 0 {
			continue
		}
		access[name] = &server.Access{Token: string(app.Token), User: app.User, Password: string(app.Password), Sources: sources}
	}
	proxies, err := server.ParseSources(d.cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("trusted_proxies: %w", err)
	}
	return server.New(server.Options{
		Hooks: d.hooks, Access: access, Apps: appsView{d.runtime, d.cfg}, Calls: callsView{d.journal, &d.live}, Token: string(d.cfg.API.Token),
		REST: d.newREST(), TrustedProxies: proxies, Metrics: d.metrics, Ready: d.ready, Logger: d.log,
	}), nil
}

func (d *Daemon) gauges() {
	j := d.journal
	d.metrics.Gauge("piopiyd_journal_queued", "Turns whose journal entries are not yet known to be stored.", func() float64 { return float64(j.Lag().Queued) })
	d.metrics.Gauge("piopiyd_journal_dropped", "Journal entries that could not be stored since the start.", func() float64 { return float64(j.Lag().Dropped) })
	d.metrics.Gauge("piopiyd_deliveries_waiting", "Events and CDRs that wait for their script.", func() float64 { return float64(j.Lag().Deliveries) })
	d.metrics.Gauge("piopiyd_deliveries_oldest_seconds", "How long the oldest waiting event or CDR has waited.", func() float64 { return j.Lag().OldestDelivery.Seconds() })
	d.metrics.Gauge("piopiyd_streams", "Media WebSockets open.", func() float64 { return float64(d.hooks.Streams()) })
	if d.sip != nil {
		d.measureSIP()
	}
}

// ready reports why no call can be taken, or nil.
func (d *Daemon) ready() error {
	if d.handler.Draining() {
		return call.ErrDraining
	}
	if err := d.journal.Ready(); err != nil {
		return err
	}
	if d.sip != nil && !d.sip.Serving() {
		return errors.New("SIP is not served yet")
	}
	for _, a := range d.runtime.Apps() {
		if a.Current() != nil {
			return nil
		}
	}
	if len(d.web.names) > 0 {
		return nil
	}
	return errors.New("no app has a good version")
}

// Serve takes calls from l until ctx ends. Then it refuses new ones, waits for those under way until the drain
// deadline, and stops; what still held is in the error.
func (d *Daemon) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served, carried := make(chan error, 1), make(chan error, 1)
	go func() { served <- d.server.Serve(l) }()
	go func() { carried <- d.carry(ctx) }()
	select {
	case err := <-served:
		stop()
		return errors.Join(err, <-carried)
	case <-ctx.Done():
	}
	d.log.Info("draining: new calls are refused", "deadline", d.cfg.Drain.Timeout, "holding", len(d.handler.Holding()))
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.Drain.Timeout)
	defer cancel()
	held := errors.Join(d.handler.Drain(drain), <-carried)
	d.hooks.Close()
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := d.server.Shutdown(finish)
	err = errors.Join(err, <-served)
	return errors.Join(held, err)
}

// carry lets the call engine take calls until ctx ends, and then waits for those under way until the drain deadline.
func (d *Daemon) carry(ctx context.Context) error {
	if d.sip == nil {
		return nil
	}
	d.sipDone = true
	err := d.sip.Serve(ctx, carried{d.calls, d.journal.Underway()})
	if errors.Is(err, context.Canceled) {
		return errors.New("SIP calls under way were ended because drain.timeout was over")
	}
	return err
}

// Close stops deliveries, ends all sessions and closes the journal.
func (d *Daemon) Close(ctx context.Context) error {
	if d.stop != nil {
		d.stop()
	}
	d.background.Wait()
	if d.sip != nil && !d.sipDone {
		_ = d.sip.Close()
	}
	d.hooks.Close()
	d.web.client.Close()
	d.runtime.Close()
	return d.journal.Close(ctx)
}
