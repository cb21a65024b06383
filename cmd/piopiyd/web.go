package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/webapp"
)

// webApps are the apps that are web servers.
type webApps struct {
	*webapp.Handler
	client *outbound.Client
	names  []string
}

// newWebApps returns the configured apps that are web servers, and who asks the action_urls of all apps. journal may
// be nil.
func newWebApps(cfg config.Config, journal webapp.Journal, log *slog.Logger) (*webApps, error) {
	return newWebAppsThrough(cfg, journal, log, func(network webapp.Doer) webapp.Doer { return network })
}

// newWebAppsThrough is newWebApps with something between them and the network.
func newWebAppsThrough(cfg config.Config, journal webapp.Journal, log *slog.Logger, through func(network webapp.Doer) webapp.Doer) (*webApps, error) {
	w := &webApps{names: webAppNames(cfg)}
	o := webapp.Options{Apps: map[string]webapp.App{}, Secret: []byte(cfg.Webhooks.Secret), Journal: journal, Logger: log}
	allow := slices.Clone(cfg.Fetch.Allow)
	for _, name := range w.names {
		app := cfg.Apps[name]
		policy := cfg.Fault
		if app.Fault != nil {
			policy = *app.Fault
		}
		o.Apps[name] = webapp.App{AnswerURL: app.AnswerURL, EventURL: app.EventURL, CDRURL: app.CDRURL, Fault: faultPolicy(policy)}
		for _, address := range []string{app.AnswerURL, app.EventURL, app.CDRURL} {
			if address == "" {
				continue
			}
			entries, err := hostAndPort(address)
			if err != nil {
				return nil, fmt.Errorf("apps.%s: %w", name, err)
			}
			allow = append(allow, entries...)
		}
	}
	var err error
	// The guard of fetch holds for what a web server names, but a configured address is the operator's own wish.
	// Time is webapp's to keep.
	if w.client, err = outbound.NewClient(outbound.Options{Allow: allow, Timeout: -1}); err != nil {
		return nil, err
	}
	o.Client = through(doer{w.client})
	if w.Handler, err = webapp.New(o); err != nil {
		return nil, err
	}
	return w, nil
}

func webAppNames(cfg config.Config) []string {
	var names []string
	for name, app := range cfg.Apps {
		if app.AnswerURL != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *webApps) has(app string) bool { return slices.Contains(w.names, app) }

// or returns a handler that leaves all apps but the web servers to scripts.
func (w *webApps) or(scripts call.Handler) call.Handler {
	m := &call.Mux{Apps: map[string]call.Handler{}, Otherwise: scripts}
	for _, name := range w.names {
		m.Apps[name] = w.Handler
	}
	return m
}

// hostAndPort returns the entries of the guard's list that let exactly this server be reached. This machine is called
// by several names, of which a server's action_urls may use another.
func hostAndPort(address string) ([]string, error) {
	u, err := outbound.ParseURL(address)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if !slices.Contains(hosts, u.Hostname()) {
		hosts = []string{u.Hostname()}
	}
	var entries []string
	for _, host := range hosts {
		entries = append(entries, net.JoinHostPort(host, port))
	}
	return entries, nil
}

// clash says that an app is a script and a web server at once.
func (a apps) clash(cfg config.Config, entries map[string]string) error {
	if a.dir == "" {
		return nil // an example; the configuration was meant
	}
	for _, name := range webAppNames(cfg) {
		if file, ok := entries[name]; ok {
			return fmt.Errorf("the app %q is both a script, %s, and a web server, by apps.%s.answer_url: rename or remove one of them", name, a.path(file), name)
		}
	}
	return nil
}

// check looks for clashes before anything is served.
func (a apps) check(cfg config.Config) error {
	_, done, entries, _, err := a.list()
	if err != nil {
		return err
	}
	defer done()
	return a.clash(cfg, entries)
}

// withoutSecrets is an address as it may be shown.
func withoutSecrets(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

// doer makes the requests of webapp with the guarded client.
type doer struct{ client *outbound.Client }

// Do implements webapp.Doer. Redirects are returned as they are.
func (d doer) Do(r *http.Request) (*http.Response, error) {
	u, err := outbound.ParseURL(r.URL.String())
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	res, err := d.client.Do(r.Context(), &outbound.Request{Method: r.Method, URL: u, Header: r.Header, Body: body, Redirect: outbound.Manual})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: res.Status, Status: res.StatusText, Header: res.Header, Body: res.Body, Request: r}, nil
}

// webJournal numbers what web servers' calls leave in the journal.
type webJournal struct {
	journal runtime.Journal
	faulted func(app string)
	log     *slog.Logger

	mu   sync.Mutex
	seqs map[[2]string]uint64
}

// maxNumbered is how many calls' numbers are known at a time; a call that is forgotten begins at 1 again, as that
// of a restart.
const maxNumbered = 100_000

// Note implements webapp.Journal.
func (j *webJournal) Note(app, id, kind string, at time.Time, data json.RawMessage) {
	if kind == "fault" && j.faulted != nil {
		j.faulted(app)
	}
	key := [2]string{app, id}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seqs == nil || len(j.seqs) >= maxNumbered {
		j.seqs = map[[2]string]uint64{}
	}
	j.seqs[key]++
	err := j.journal.Append(app, id, []runtime.Entry{{Seq: j.seqs[key], Time: at, Kind: kind, Data: data}})
	if err != nil {
		j.log.Error("journal entries were lost", "app", app, "call", id, "entries", 1, "error", err)
	}
	if kind == "end" {
		delete(j.seqs, key)
	}
}

// draining refuses new calls to web servers too while the daemon stops.
type draining struct {
	call.Handler
	stopping func() bool
}

// Answer implements call.Handler.
func (d draining) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	if d.stopping() {
		return call.Reply{}, call.ErrDraining
	}
	return d.Handler.Answer(ctx, c)
}

// resend returns when a web server gets again what it did not take; scripts keep the configured times.
func resend(cfg config.Config) func(app, kind string) []time.Duration {
	return func(app, kind string) []time.Duration {
		if kind == "cdr" && cfg.Apps[app].AnswerURL != "" {
			return webapp.Resend()
		}
		return nil
	}
}
