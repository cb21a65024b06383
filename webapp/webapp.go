// Package webapp lets web servers decide about calls: it is the call.Handler of apps that are a set of URLs, and asks
// and tells them as PIOPIY does (protocol page section 1).
//
//	handler, err := webapp.New(webapp.Options{
//		Apps:   map[string]webapp.App{"crm": {AnswerURL: "https://crm.example.com/answer"}},
//		Secret: []byte("a long secret"),
//	})
//
// A server that answers PIOPIY today answers piopiyd unchanged. Every request carries a signature that [Verify] checks.
package webapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// App is an app that is a web server.
type App struct {
	// AnswerURL is asked what happens to a call. Required.
	AnswerURL string
	// EventURL and CDRURL are told what happened; empty tells nobody.
	EventURL, CDRURL string
	// Fault is what a caller meets when AnswerURL gives no usable answer.
	Fault call.FaultPolicy
}

// Doer makes HTTP requests: an *http.Client, or a client with rules of its own. It must honour the request's
// context, and should bound connecting (3 s in piopiyd) and leave redirects to the caller: one is no answer.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Options set up a Handler.
type Options struct {
	// Apps are the apps by name.
	Apps map[string]App
	// Client makes the requests; nil is one that connects within 3 s and follows no redirects. It reaches
	// action_urls too, which a web server chooses: give it rules where that server is not trusted.
	Client Doer
	// Secret is what requests are signed with; empty sends them unsigned.
	Secret []byte
	// Timeout is the longest that one question or message may take, its retry included (default 10 s).
	Timeout time.Duration
	// RetryPause is how long to wait before the one retry of a question (default 250 ms).
	RetryPause time.Duration
	// MaxReply is the largest reply that is read, in bytes (default 1 MiB).
	MaxReply int64
	// Clock stamps signatures and journal entries; nil is call.SystemClock. Receivers compare the signature's
	// time with their own, so that a virtual clock does not suit them.
	Clock call.Clock
	// Journal takes what entered and left the web server in each call; nil keeps nothing.
	Journal Journal
	// Logger hears of failures, without the contents of replies; nil is slog.Default.
	Logger *slog.Logger
}

// Handler implements call.Handler for the apps of its Options, and call.Asker for every app. All its methods are
// safe for concurrent use.
type Handler struct {
	opts Options
	log  *slog.Logger
}

var (
	_ call.Handler = (*Handler)(nil)
	_ call.Asker   = (*Handler)(nil)
)

// New returns a Handler. The error names the URL that cannot be used.
func New(o Options) (*Handler, error) {
	for name, app := range o.Apps {
		for _, u := range []struct{ key, text string }{{"answer_url", app.AnswerURL}, {"event_url", app.EventURL}, {"cdr_url", app.CDRURL}} {
			if u.text == "" && u.key != "answer_url" {
				continue
			}
			if _, err := parseURL(u.text); err != nil {
				return nil, fmt.Errorf("webapp: app %q: %s: %w", name, u.key, err)
			}
		}
	}
	if o.Client == nil {
		o.Client = newClient()
	}
	if o.Clock == nil {
		o.Clock = call.SystemClock
	}
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.RetryPause = cmp.Or(o.RetryPause, 250*time.Millisecond)
	o.MaxReply = cmp.Or(o.MaxReply, 1<<20)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return &Handler{opts: o, log: o.Logger}, nil
}

func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 3 * time.Second}).DialContext
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("must be an address such as https://crm.example.com/answer") // the text may hold a secret
	}
	return u, nil
}

func (h *Handler) app(name string) (App, error) {
	app, ok := h.opts.Apps[name]
	if !ok {
		return App{}, fmt.Errorf("%w: %q", call.ErrNoApp, name)
	}
	return app, nil
}

// Answer implements call.Handler: it asks the app's answer_url (protocol page section 1.2). When no usable answer
// comes the reply is the app's fault policy, and Reply.Fault is an [*Error].
func (h *Handler) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	app, err := h.app(c.App)
	if err != nil {
		return call.Reply{}, err
	}
	h.note(c.App, c.ID, "answer", answerNote(c))
	reply, err := h.ask(ctx, c, "answer", app.AnswerURL, answerBody(c))
	switch {
	case err == nil:
		return reply, nil
	case ctx.Err() != nil:
		return call.Reply{}, context.Cause(ctx)
	}
	doc := app.Fault.Document(c)
	return call.Reply{Document: doc, JSON: doc.AppendJSON(nil), Fault: err}, nil
}

// Ask implements call.Asker: it posts the digits to an action_url (protocol page section 1.3). The error is an
// [*Error] or the cause of ctx's end.
func (h *Handler) Ask(ctx context.Context, c *call.Call, actionURL string, in call.Input) ([]pcmo.Action, error) {
	h.note(c.App, c.ID, "input", inputNote{shown(actionURL), in.Digits, in.Speech})
	reply, err := h.ask(ctx, c, "input", actionURL, inputBody(c, in))
	return reply.Document, err
}

// AskAnswer implements call.Asker: it posts the call to an answer_url that is not the app's own. The error is an
// [*Error] or the cause of ctx's end.
func (h *Handler) AskAnswer(ctx context.Context, c *call.Call, answerURL string) ([]pcmo.Action, error) {
	h.note(c.App, c.ID, "answer", answerNote(c))
	reply, err := h.ask(ctx, c, "answer", answerURL, answerBody(c))
	return reply.Document, err
}

// ask posts a question and reads the document that answers it.
func (h *Handler) ask(ctx context.Context, c *call.Call, callback, target string, body []byte) (call.Reply, error) {
	got, err := h.question(ctx, target, body)
	if ctx.Err() != nil {
		return call.Reply{}, context.Cause(ctx) // the call is over; nobody is to blame
	}
	var reply call.Reply
	var warnings []string
	if err == nil {
		reply, warnings, err = readReply(got)
	}
	var failed *Error
	if errors.As(err, &failed) {
		failed.URL = shown(target)
		h.note(c.App, c.ID, "fault", faultNote{"web", failed.Error(), failed.Status, string(failed.Reply)})
		h.log.Warn("a web server gave no usable answer", "app", c.App, "call", c.ID, "callback", callback, "error", failed)
	}
	if err != nil {
		return call.Reply{}, err
	}
	for _, w := range warnings {
		h.note(c.App, c.ID, "warning", warningNote{callback, w})
	}
	h.note(c.App, c.ID, "pcmo", reply.JSON)
	return reply, nil
}

// Input implements call.Handler. A web server's action_urls are its own and asked by Ask, so that no token leads here.
func (h *Handler) Input(_ context.Context, c *call.Call, _ call.Input) (call.Reply, error) {
	return call.Reply{}, fmt.Errorf("call %q of app %q, which is a web server: %w", c.ID, c.App, call.ErrNoContinuation)
}

// Event implements call.Handler: it posts the event to the app's event_url (protocol page section 1.5). Any answer
// from 200 to 299 is a success. Without an event_url the error is call.ErrNoCallback.
func (h *Handler) Event(ctx context.Context, e *call.Event) error {
	app, err := h.app(e.App)
	if err != nil {
		return err
	}
	body := eventBody(e)
	if app.EventURL == "" {
		h.note(e.App, e.CallID, "event", body)
		return fmt.Errorf("app %q, event_url: %w", e.App, call.ErrNoCallback)
	}
	return h.tell(ctx, e.App, e.CallID, "event", app.EventURL, body)
}

// CDR implements call.Handler: it posts the record to the app's cdr_url (protocol page section 1.6). Any answer from
// 200 to 299 is a success; for when to try again see [Resend]. Without a cdr_url the error is call.ErrNoCallback.
func (h *Handler) CDR(ctx context.Context, r *call.CDR) error {
	app, err := h.app(r.App)
	if err != nil {
		return err
	}
	body := cdrBody(r)
	if app.CDRURL == "" {
		h.note(r.App, r.CallID, "cdr", body)
		err = fmt.Errorf("app %q, cdr_url: %w", r.App, call.ErrNoCallback)
	} else {
		err = h.tell(ctx, r.App, r.CallID, "cdr", app.CDRURL, body)
	}
	if r.Leg != call.LegB && (err == nil || call.IsPermanent(err)) {
		h.note(r.App, r.CallID, "end", endNote{"the call ended"})
	}
	return err
}

// Resend is when a CDR is posted again that a web server did not take: after 5, 10 and 15 minutes, and every 15
// minutes from then on.
func Resend() []time.Duration {
	return []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute}
}

// tell posts a message and wants no more than a 2xx.
func (h *Handler) tell(ctx context.Context, app, id, callback, target string, body []byte) error {
	limited, cancel := context.WithTimeoutCause(ctx, h.opts.Timeout, errTimeout)
	defer cancel()
	got, err := h.post(limited, target, body)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil && got.status/100 != 2 {
		err = got.fail("answered %s; any status from 200 to 299 would have told that it was taken", got.statusText())
	}
	if err == nil {
		h.note(app, id, callback, body)
		return nil
	}
	var failed *Error
	if errors.As(err, &failed) {
		failed.URL = shown(target)
		h.note(app, id, "undelivered", undeliveredNote{callback, failed.Error()})
	}
	return err
}

// Stream implements call.Handler. A web server's streams are at the ws_url of its own choice.
func (h *Handler) Stream(_ context.Context, c *call.Call, _ call.Stream) error {
	return fmt.Errorf("app %q, stream: %w", c.App, call.ErrNoCallback)
}

// shown is a URL as logs and journals may show it: without user, query and fragment, where secrets live.
func shown(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
