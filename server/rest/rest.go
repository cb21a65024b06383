// Package rest is the PIOPIY-compatible REST API: v1 and v2 with an app id and secret in each body, v3 with a bearer
// token. Programs that use the npm and Python SDKs of PIOPIY run against it unchanged.
//
// The paths, fields, replies and errors are those of the protocol page, section 3; docs/rest-api.md shows them. Where
// the page is silent the comments of the handlers say what was decided. The API knows no calls itself: it reads and
// checks requests, and hands them to a [Platform].
//
// # Errors
//
// v1 and v2 answer HTTP 200 and a code, under the names code and cmi_code, since programs were written against either.
// Only a request that cannot be read, has no handler, comes too soon after wrong credentials, or fails by our fault
// has another HTTP status. v3 answers with the HTTP status and {"error": word}.
package rest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// Options say what an API serves. Platform and Authorize are required.
type Options struct {
	Platform  Platform
	Authorize Authorize
	// Records, Endpoints and Recordings may be nil: their paths then answer that they are not served here.
	Records    Records
	Endpoints  Endpoints
	Recordings Recordings
	// FindApp finds the app that appid, app_id, flow_id or agent_id names: by name, by [AppID], or by what else is
	// configured. With nil nobody is found.
	FindApp func(id string) (app string, ok bool)
	// Source is the address that a request came from; nil takes the connection's other end.
	Source func(*http.Request) netip.Addr
	// Logger hears of failures of the interfaces; nil is slog.Default().
	Logger *slog.Logger
}

// API serves the REST API. It is an http.Handler for all paths that begin with /v1/, /v2/ and /v3/.
type API struct {
	opts      Options
	router    *httprouter.Router
	origin    *http.CrossOriginProtection
	slow      *slowdown
	transfers *transfers
}

// New returns an API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.FindApp == nil {
		o.FindApp = func(string) (string, bool) { return "", false }
	}
	if o.Source == nil {
		o.Source = peer
	}
	a := &API{opts: o, router: httprouter.New(), origin: http.NewCrossOriginProtection(), slow: newSlowdown(), transfers: newTransfers()}
	a.routes()
	return a
}

func (a *API) routes() {
	r := a.router
	r.HandleOPTIONS = false
	r.NotFound = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, &refusal{status: http.StatusNotFound, word: "not_found", message: "nothing is served at " + shown(r.URL.Path)})
	})
	r.MethodNotAllowed = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, &refusal{status: http.StatusMethodNotAllowed, word: "method_not_allowed", message: shown(r.URL.Path) + " takes " + w.Header().Get("Allow")})
	})
	r.PanicHandler = func(w http.ResponseWriter, r *http.Request, v any) {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		a.opts.Logger.ErrorContext(r.Context(), "a REST handler panicked", "path", r.URL.Path, "panic", v)
		answer(w, r, &refusal{status: http.StatusInternalServerError, word: "internal", message: "the request could not be done; the log says why"})
	}
	a.classicRoutes()
	a.v3Routes()
	for _, path := range []string{"/v1/play", "/v2/piopiy/play", "/v3/piopiy/play"} {
		r.GET(path, a.play)
		r.HEAD(path, a.play)
	}
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A web page that somebody on this machine has open must not make calls where nobody is asked for credentials.
	if err := a.origin.Check(r); err != nil {
		answer(w, r, &refusal{status: http.StatusForbidden, word: "cross_origin", message: "web pages of other origins may not call this API"})
		return
	}
	a.router.ServeHTTP(w, r)
}

// answer refuses in the words of the path's generation.
func answer(w http.ResponseWriter, r *http.Request, f *refusal) {
	if strings.HasPrefix(r.URL.Path, "/v3/") {
		f.writeV3(w)
		return
	}
	f.writeClassic(w, strings.HasPrefix(r.URL.Path, endpointPrefix))
}

// request is one request whose credentials were accepted.
type request struct {
	ctx     context.Context
	body    object
	params  httprouter.Params
	grant   Grant
	account string // the appid of v1 and v2
}

func (q *request) param(name string) string { return q.params.ByName(name) }

// admit asks whether credentials are right, and makes their source wait that showed too many wrong ones. Either the
// refusal is set, or the error is nil or ErrCredentials.
func (a *API) admit(r *http.Request, c Credentials) (Grant, *refusal, error) {
	source := a.opts.Source(r)
	if wait := a.slow.wait(source, c); wait > 0 {
		return Grant{}, &refusal{
			status: http.StatusTooManyRequests, word: "too_many_requests", retry: wait,
			message: "too many wrong credentials came from this address; wait before the next try",
		}, nil
	}
	grant, err := a.opts.Authorize(r.Context(), c)
	if errors.Is(err, ErrCredentials) {
		if c.Secret != "" || c.Token != "" { // who shows nothing guesses nothing
			a.slow.wrong(source, c)
		}
		return Grant{}, nil, ErrCredentials
	}
	if err != nil {
		return Grant{}, a.refuse(r.Context(), err), nil
	}
	return grant, nil, nil
}

// call finds a call under way that the request may touch.
func (a *API) call(q *request, id string) (Call, *refusal) {
	c, err := a.opts.Platform.Call(q.ctx, id)
	if err == nil && !q.grant.allows(c.App) {
		err = ErrNoCall // whose calls there are is nobody else's business
	}
	if err != nil {
		return Call{}, a.refuse(q.ctx, err)
	}
	return c, nil
}

// peer returns the address of the connection's other end.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}
