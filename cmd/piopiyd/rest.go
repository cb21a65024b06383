package main

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server/rest"
)

// newREST returns the REST API.
func (d *Daemon) newREST() http.Handler {
	platform := &restCalls{Calls: rest.Calls{Live: &d.live, Originator: d}, app: d.callersApp}
	o := rest.Options{
		Platform: platform, Authorize: d.authorize(), FindApp: d.findApp, Records: d.records,
		Recordings: recordings{filepath.Join(d.cfg.Data, "recordings"), d.records},
		Source:     func(r *http.Request) netip.Addr { return d.server.Source(r) }, Logger: d.log,
	}
	if d.endpoints != nil {
		o.Endpoints = d.endpoints
	}
	return rest.New(o)
}

// restApp is the app of calls that programs order without saying whose they are: an app without callbacks.
const restApp = "rest"

// restCalls finds the app of a call whose order names none.
type restCalls struct {
	rest.Calls
	app func(callerID string) string
}

// MakeCall implements rest.Platform.
func (p *restCalls) MakeCall(ctx context.Context, o rest.Order) (rest.Queued, error) {
	if o.App == "" {
		o.App = p.app(o.From)
	}
	return p.Calls.MakeCall(ctx, o)
}

// callersApp is the app that a caller id belongs to, as numbers belong to apps on the platform.
func (d *Daemon) callersApp(callerID string) string {
	if app, ok := d.numbers[strings.TrimPrefix(callerID, "+")]; ok {
		return app
	}
	return restApp
}

// authorize returns who may use the REST API: everybody where nothing is configured, which only a loopback listener
// may leave so; else api.token opens all apps, and an app's own credentials that app.
func (d *Daemon) authorize() rest.Authorize {
	var accounts []rest.Account
	if token := string(d.cfg.API.Token); token != "" {
		accounts = append(accounts, rest.Account{Token: token, Grant: rest.Grant{All: true}})
	}
	for name, app := range d.cfg.Apps {
		if c := app.API; c != nil {
			accounts = append(accounts, rest.Account{AppID: c.AppID, Secret: string(c.Secret), Token: string(c.Token), Grant: rest.Grant{App: name}})
		}
	}
	if len(accounts) == 0 {
		return rest.Everybody
	}
	return rest.NewAccounts(accounts).Authorize
}

// findApp finds an app by its name, by the UUID that follows from it, or by its app id.
func (d *Daemon) findApp(id string) (app string, ok bool) {
	if id == "" {
		return "", false
	}
	for name, app := range d.cfg.Apps {
		if app.API != nil && app.API.AppID == id && d.hasApp(name) {
			return name, true
		}
	}
	if d.hasApp(id) {
		return id, true
	}
	if strings.Count(id, "-") != 4 {
		return "", false
	}
	for _, a := range d.runtime.Apps() {
		if rest.AppID(a.Name()) == id {
			return a.Name(), true
		}
	}
	for _, name := range d.web.names {
		if rest.AppID(name) == id {
			return name, true
		}
	}
	return "", false
}

// byID lets a call be handed to an app by the UUID that v3 knows it by, and tells nobody of calls without an app.
type byID struct {
	call.Handler
	find func(id string) (app string, ok bool)
}

// Answer implements call.Handler.
func (h byID) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	if strings.Count(c.App, "-") == 4 {
		if app, ok := h.find(c.App); ok && app != c.App {
			named := *c
			named.App = app
			c = &named
		}
	}
	return h.Handler.Answer(ctx, c)
}

// Event implements call.Handler.
func (h byID) Event(ctx context.Context, e *call.Event) error {
	return h.unlessNobodys(e.App, h.Handler.Event(ctx, e))
}

// CDR implements call.Handler.
func (h byID) CDR(ctx context.Context, r *call.CDR) error {
	return h.unlessNobodys(r.App, h.Handler.CDR(ctx, r))
}

func (byID) unlessNobodys(app string, err error) error {
	if app == restApp && errors.Is(err, call.ErrNoApp) {
		return call.ErrNoCallback
	}
	return err
}
