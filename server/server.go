// Package server is piopiyd's HTTP face: the platform's hooks, the API that people and tools use, metrics and
// health. It knows nothing of scripts; what it serves comes through the small interfaces below.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/julienschmidt/httprouter"
)

// Hooks are the platform's callbacks, served for one app each.
type Hooks interface {
	Answer(w http.ResponseWriter, r *http.Request, app string)
	Input(w http.ResponseWriter, r *http.Request, app, token string)
	Event(w http.ResponseWriter, r *http.Request, app string)
	CDR(w http.ResponseWriter, r *http.Request, app string)
	Stream(w http.ResponseWriter, r *http.Request, app string)
}

// Options say what a Server serves. Hooks and Apps are required.
type Options struct {
	Hooks Hooks
	// Access guards an app's hooks; nil lets everybody in.
	Access map[string]*Access
	Apps   Apps
	Calls  Calls
	// REST serves the paths of the REST API, /v1/, /v2/ and /v3/; nil serves nothing there.
	REST http.Handler
	// Token is the bearer token of the API. Empty is only accepted on a loopback listener.
	Token string
	// TrustedProxies are the addresses whose X-Forwarded-For is believed.
	TrustedProxies Sources
	Metrics        *Metrics
	// Ready reports why the daemon cannot take calls, or nil.
	Ready  func() error
	Logger *slog.Logger
}

// Server serves HTTP.
type Server struct {
	opts   Options
	router *httprouter.Router
	http   *http.Server
}

// New returns a Server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	s := &Server{opts: o, router: httprouter.New()}
	s.routes()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

func (s *Server) routes() {
	r := s.router
	r.HandleMethodNotAllowed = true
	r.NotFound = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "not_found", "nothing is served at "+r.URL.Path)
	})
	r.MethodNotAllowed = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusMethodNotAllowed, "method_not_allowed", r.URL.Path+" takes "+w.Header().Get("Allow"))
	})
	r.PanicHandler = func(w http.ResponseWriter, r *http.Request, v any) {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		s.opts.Logger.Error("a request handler panicked", "path", r.URL.Path, "panic", v)
		writeError(w, http.StatusInternalServerError, "internal", "the request could not be handled; the log says why")
	}

	h := s.opts.Hooks
	s.hook(http.MethodPost, "answer", h.Answer)
	s.hook(http.MethodPost, "event", h.Event)
	s.hook(http.MethodPost, "cdr", h.CDR)
	s.hook(http.MethodGet, "stream", h.Stream)
	r.POST("/hooks/:app/input/:token", func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		app := p.ByName("app")
		// The token is itself a secret, so only sources and basic auth are asked for.
		if err := s.opts.Access[app].admit(s.source(r), r, ""); err != nil {
			refuseAccess(w, err)
			return
		}
		s.prepare(r)
		done := s.opts.Metrics.hook(app, "input")
		h.Input(w, r, app, p.ByName("token"))
		done()
	})

	r.GET("/api/apps", s.private(s.listApps))
	r.GET("/api/apps/:app/versions", s.private(s.listVersions))
	r.POST("/api/apps/:app/rollback", s.private(s.rollback))
	r.GET("/api/calls", s.private(s.listCalls))
	r.GET("/api/calls/:call", s.private(s.showCall))
	r.GET("/api/calls/:call/timeline", s.private(s.timeline))
	r.GET("/api/deliveries", s.private(s.listDeliveries))

	r.Handler(http.MethodGet, "/metrics", s.opts.Metrics.handler())
	r.GET("/healthz", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.GET("/readyz", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		if err := s.opts.Ready(); err != nil {
			writeError(w, http.StatusServiceUnavailable, "not_ready", err.Error())
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
}

// prepare drops what a client that is no trusted proxy claims about how its request came here.
func (s *Server) prepare(r *http.Request) {
	if len(r.Header["X-Forwarded-Proto"]) > 0 && !s.opts.TrustedProxies.contains(peer(r)) {
		r.Header.Del("X-Forwarded-Proto")
	}
}

// hook serves one kind of callback, without and with a path token.
func (s *Server) hook(method, kind string, serve func(http.ResponseWriter, *http.Request, string)) {
	handle := func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		app := p.ByName("app")
		if access := s.opts.Access[app]; access != nil {
			if err := access.admit(s.source(r), r, p.ByName("secret")); err != nil {
				refuseAccess(w, err)
				return
			}
		} else if p.ByName("secret") != "" {
			writeError(w, http.StatusNotFound, "not_found", "nothing is served at this path")
			return
		}
		s.prepare(r)
		done := s.opts.Metrics.hook(app, kind)
		serve(w, r, app)
		done()
	}
	s.router.Handle(method, "/hooks/:app/"+kind, handle)
	s.router.Handle(method, "/hooks/:app/"+kind+"/:secret", handle)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opts.REST != nil && isREST(r.URL.Path) {
		s.opts.REST.ServeHTTP(w, r)
		return
	}
	s.router.ServeHTTP(w, r)
}

func isREST(path string) bool {
	return len(path) > 3 && path[0] == '/' && path[1] == 'v' && path[2] >= '1' && path[2] <= '3' && path[3] == '/'
}

// Source is the address that a request came from, beyond trusted proxies.
func (s *Server) Source(r *http.Request) netip.Addr { return s.source(r) }

// Serve serves connections from l until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops taking connections and waits for the requests under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	return err
}
