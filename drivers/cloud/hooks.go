// Package cloud is the driver for calls on the PIOPIY platform: the platform's webhooks come in, and what the
// app decides goes back as PCMO (protocol page, sections 1 and 4).
//
//	hooks := cloud.NewHooks(cloud.Options{Handler: handler, Inbox: inbox})
//	http.HandleFunc("POST /hooks/{app}/answer", func(w http.ResponseWriter, r *http.Request) {
//		hooks.Answer(w, r, r.PathValue("app"))
//	})
package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Name is the driver's name.
const Name = "cloud"

// Options say how Hooks work.
type Options struct {
	// Handler decides about the calls.
	Handler call.Handler
	// Inbox keeps events and CDRs until the handler has taken them.
	Inbox call.Inbox
	// PublicURL is the address under which the platform reaches this server, such as "https://calls.example.com".
	// Empty takes the address that each request was sent to.
	PublicURL string
	// Prefix is the path below which the hooks are served (default "/hooks").
	Prefix string
	// Secret returns the path token that guards an app's hooks, or "". It becomes part of generated addresses.
	Secret func(app string) string
	// MaxBody is the largest accepted body in bytes (default 256 KiB).
	MaxBody int64
	// MaxStreams is how many media WebSockets may be open at once (default 10,000).
	MaxStreams int
	Logger     *slog.Logger
	// Now tells the time (default time.Now).
	Now func() time.Time
}

// Hooks serves the platform's callbacks. Its methods are safe for concurrent use.
type Hooks struct {
	opts    Options
	streams chan struct{}
	mu      sync.Mutex
	open    map[*socket]struct{}
	closing bool
	active  sync.WaitGroup
}

// NewHooks returns Hooks.
func NewHooks(o Options) *Hooks {
	if o.Prefix == "" {
		o.Prefix = "/hooks"
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 256 << 10
	}
	if o.MaxStreams <= 0 {
		o.MaxStreams = 10_000
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Secret == nil {
		o.Secret = func(string) string { return "" }
	}
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	return &Hooks{opts: o, streams: make(chan struct{}, o.MaxStreams), open: map[*socket]struct{}{}}
}

// Answer serves an answer_url: the reply is the PCMO array.
func (h *Hooks) Answer(w http.ResponseWriter, r *http.Request, app string) {
	data, ok := h.body(w, r)
	if !ok {
		return
	}
	c, err := DecodeAnswer(app, data, h.opts.Now())
	if err != nil {
		h.refuse(w, r, app, err)
		return
	}
	h.address(c, r)
	reply, err := h.opts.Handler.Answer(r.Context(), c)
	h.reply(w, r, app, reply, err)
}

// Input serves the action_url of a continuation: the reply is the PCMO array that goes on.
func (h *Hooks) Input(w http.ResponseWriter, r *http.Request, app, token string) {
	data, ok := h.body(w, r)
	if !ok {
		return
	}
	c, in, err := DecodeInput(app, token, data, h.opts.Now())
	if err != nil {
		h.refuse(w, r, app, err)
		return
	}
	h.address(c, r)
	reply, err := h.opts.Handler.Input(r.Context(), c, in)
	h.reply(w, r, app, reply, err)
}

// Event serves an event URL. The reply is sent once the event is stored, before the script has seen it.
func (h *Hooks) Event(w http.ResponseWriter, r *http.Request, app string) {
	data, ok := h.body(w, r)
	if !ok {
		return
	}
	e, err := DecodeEvent(app, data)
	if err != nil {
		h.refuse(w, r, app, err)
		return
	}
	fresh, err := h.opts.Inbox.AcceptEvent(r.Context(), e)
	h.accepted(w, r, app, fresh, err)
}

// CDR serves a CDR URL. The reply is sent once the record is stored, before the script has seen it.
func (h *Hooks) CDR(w http.ResponseWriter, r *http.Request, app string) {
	data, ok := h.body(w, r)
	if !ok {
		return
	}
	record, err := DecodeCDR(app, data)
	if err != nil {
		h.refuse(w, r, app, err)
		return
	}
	fresh, err := h.opts.Inbox.AcceptCDR(r.Context(), record)
	h.accepted(w, r, app, fresh, err)
}

// address gives a call the addresses that lead back to it.
func (h *Hooks) address(c *call.Call, r *http.Request) {
	base := h.opts.PublicURL
	if base == "" {
		base = requestBase(r)
	}
	app, secret := c.App, h.opts.Secret(c.App)
	prefix := base + h.opts.Prefix + "/" + url.PathEscape(app)
	c.InputURL = func(token string) string { return prefix + "/input/" + token }
	socket := "ws" + strings.TrimPrefix(prefix, "http") + "/stream"
	if secret != "" {
		socket += "/" + url.PathEscape(secret)
	}
	c.StreamURL = socket + "?call=" + url.QueryEscape(c.ID)
}

// requestBase returns the address a request was sent to.
func requestBase(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if forwarded := r.Header.Get("X-Forwarded-Proto"); forwarded == "https" || forwarded == "http" {
		scheme = forwarded
	}
	return scheme + "://" + r.Host
}

// body reads a request's body, whole and within its cap.
func (h *Hooks) body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if r.ContentLength > h.opts.MaxBody {
		fail(w, http.StatusRequestEntityTooLarge, "body_too_large", "the body is larger than the limit", "")
		return nil, false
	}
	var data []byte
	var err error
	if r.ContentLength >= 0 {
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, data)
	} else {
		data, err = io.ReadAll(io.LimitReader(r.Body, h.opts.MaxBody+1))
	}
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "body_incomplete", "the body could not be read whole", "")
		return nil, false
	case int64(len(data)) > h.opts.MaxBody:
		fail(w, http.StatusRequestEntityTooLarge, "body_too_large", "the body is larger than the limit", "")
		return nil, false
	}
	return data, true
}

func (h *Hooks) reply(w http.ResponseWriter, r *http.Request, app string, reply call.Reply, err error) {
	if err != nil {
		h.refuse(w, r, app, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = contentTypeJSON
	if reply.Version != "" {
		header["X-Piopiyd-Version"] = []string{reply.Version}
	}
	if reply.Fault != nil {
		header["X-Piopiyd-Fault"] = []string{"policy"}
	}
	_, _ = w.Write(reply.JSON)
}

var contentTypeJSON = []string{"application/json"}

func (h *Hooks) accepted(w http.ResponseWriter, r *http.Request, app string, fresh bool, err error) {
	if err != nil {
		h.refuse(w, r, app, err)
		return
	}
	w.Header()["Content-Type"] = contentTypeJSON
	if fresh {
		_, _ = io.WriteString(w, `{"status":"accepted"}`)
	} else {
		_, _ = io.WriteString(w, `{"status":"duplicate"}`)
	}
}

// refuse answers a request that cannot be served: what is wrong, in which field, as JSON.
func (h *Hooks) refuse(w http.ResponseWriter, r *http.Request, app string, err error) {
	var field *FieldError
	switch {
	case errors.As(err, &field):
		fail(w, http.StatusBadRequest, "bad_request", field.Rule, field.Field)
	case errors.Is(err, call.ErrNoApp):
		fail(w, http.StatusNotFound, "no_such_app", err.Error(), "")
	case errors.Is(err, call.ErrNoCallback):
		fail(w, http.StatusNotFound, "no_such_callback", err.Error(), "")
	case errors.Is(err, call.ErrNoContinuation):
		fail(w, http.StatusNotFound, "no_such_continuation", err.Error(), "")
	case errors.Is(err, call.ErrDraining), errors.Is(err, call.ErrBusy), errors.Is(err, call.ErrInboxFull):
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "unavailable", err.Error(), "")
	case r.Context().Err() != nil:
		// The caller has gone; nobody reads a reply.
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, "timeout", err.Error(), "")
	default:
		h.opts.Logger.Error("a hook failed", "app", app, "path", r.URL.Path, "error", err)
		fail(w, http.StatusInternalServerError, "internal", "the request could not be handled; the log says why", "")
	}
}

func fail(w http.ResponseWriter, status int, code, message, field string) {
	w.Header()["Content-Type"] = contentTypeJSON
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Field   string `json:"field,omitempty"`
	}{code, message, field}})
}
