// Package call lets scripts decide about calls: it is the call.Handler that runs an app's callbacks in the
// session of the call.
//
//	handler := call.NewHandler(call.Options{Runtime: rt})
//	reply, err := handler.Answer(ctx, c)
//
// A session is born with a call's first callback and ends with the call: after its CDR, or at once when the
// script has nothing left to do or to wait for.
//
// A script asks things of its call with verbs. Where the call's line is at hand they act on it (live). On the driver
// cloud only documents reach the call (hosted): a verb that has to know something ends the reply to the webhook under
// way with an action that asks back, and the script goes on when the platform calls the address of that action.
package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// Callbacks are the exports that make a script an app.
var Callbacks = []string{"answer", "event", "cdr", "stream"}

// Options say how a Handler works.
type Options struct {
	Runtime *runtime.Runtime
	// Fault is the fault policy of apps without one of their own in Faults.
	Fault  call.FaultPolicy
	Faults map[string]call.FaultPolicy
	// Stream makes the script's view of a media WebSocket, and what waits until all that the script has sent was sent; nil
	// means that stream callbacks are not served.
	Stream func(s *runtime.Session, stream call.Stream) (socket goja.Value, flush func(ctx context.Context))
	// Live knows the calls under way; nil means that scripts can only answer with documents.
	Live *call.Live
	// Recall returns the journal of a call, as it was recorded before this process began or while the call's session
	// hibernated; nothing when there is none. An error that is runtime.ErrNoRecording says that it is damaged and the call
	// lost; after others it is asked again. nil: calls of the driver cloud do not survive a restart.
	Recall func(ctx context.Context, app, id string) ([]runtime.Entry, error)
	// Names keeps the further ids of calls that Recall may be asked about; nil: after a restart they are known by their own.
	Names Names
	// RecallAnswers is for how long after a restart the platform may ask again what to do with a call that had begun
	// before: until then Recall is asked about every call. 0: it never is about calls that seem new.
	RecallAnswers time.Duration
	// LegGrace is how long a session waits, after the CDR of leg a, for those of other legs that it has heard of
	// (default 30 s).
	LegGrace time.Duration
	Logger   *slog.Logger
}

// Handler implements call.Handler with scripts. All its methods are safe for concurrent use.
type Handler struct {
	opts Options
	rt   *runtime.Runtime
	log  *slog.Logger

	born time.Time

	mu       sync.Mutex
	calls    map[key]*conversation
	asleep   map[key]*sleeper
	recalled map[key]*recall // under way
	ended    recentCalls
	draining bool
	idle     chan struct{} // closed when draining and nothing is left
}

// key names a call within an app.
type key struct{ app, id string }

// recentCalls remembers which calls ended last: what is still reported of them needs a session only for itself.
type recentCalls struct {
	known map[key]struct{}
	ring  []key
	next  int
}

const maxRecentCalls = 10_000

func (r *recentCalls) add(k key) {
	if r.known == nil {
		r.known = map[key]struct{}{}
	}
	if _, known := r.known[k]; known {
		return
	}
	r.known[k] = struct{}{}
	if len(r.ring) < maxRecentCalls {
		r.ring = append(r.ring, k)
		return
	}
	delete(r.known, r.ring[r.next])
	r.ring[r.next] = k
	r.next = (r.next + 1) % maxRecentCalls
}

func (r *recentCalls) has(k key) bool {
	_, known := r.known[k]
	return known
}

// NewHandler returns a Handler.
func NewHandler(o Options) *Handler {
	if o.LegGrace == 0 {
		o.LegGrace = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Handler{
		opts: o, rt: o.Runtime, log: o.Logger,
		calls: map[key]*conversation{}, born: time.Now(), asleep: map[key]*sleeper{}, recalled: map[key]*recall{},
	}
}

var _ call.Handler = (*Handler)(nil)

// Answer implements call.Handler.
func (h *Handler) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	app, ok := h.rt.App(c.App)
	if !ok {
		return call.Reply{}, fmt.Errorf("%w: %q", call.ErrNoApp, c.App)
	}
	if cur := app.Current(); cur != nil && !cur.HasExport("answer") {
		return call.Reply{}, fmt.Errorf("app %q, answer: %w", c.App, call.ErrNoCallback)
	}
	conv, err := h.open(ctx, c, true)
	if err != nil {
		if errors.Is(err, call.ErrDraining) || errors.Is(err, runtime.ErrBusy) {
			return call.Reply{}, busy(err)
		}
		return h.policy(ctx, c, nil, err), nil
	}
	reply, err := conv.answer(ctx, c)
	if fellAsleep(conv, err) {
		return h.Answer(ctx, c)
	}
	if err != nil {
		if ctx.Err() != nil {
			return call.Reply{}, context.Cause(ctx) // the session goes on: it may have to clean up, and has its CDRs to come
		}
		if isEnd(err) {
			return call.Reply{}, call.ErrOver
		}
		version := conv.session.Version()
		conv.fail(err)
		return h.policy(ctx, c, version, err), nil
	}
	return reply, nil
}

// isEnd reports whether a callback ended because its call did.
func isEnd(err error) bool {
	var fault *runtime.Fault
	return errors.As(err, &fault) && fault.Kind == runtime.FaultEnded
}

func busy(err error) error {
	if errors.Is(err, runtime.ErrBusy) {
		return call.ErrBusy
	}
	return err
}

// Input implements call.Handler.
func (h *Handler) Input(ctx context.Context, c *call.Call, in call.Input) (call.Reply, error) {
	if _, ok := h.rt.App(c.App); !ok {
		return call.Reply{}, fmt.Errorf("%w: %q", call.ErrNoApp, c.App)
	}
	conv, err := h.known(ctx, c.App, c.ID)
	switch {
	case errors.Is(err, runtime.ErrBusy):
		return call.Reply{}, call.ErrBusy
	case err != nil:
		return h.policy(ctx, c, nil, err), nil
	case conv == nil:
		return call.Reply{}, fmt.Errorf("call %q of app %q: %w", c.ID, c.App, call.ErrNoContinuation)
	}
	reply, err := conv.input(ctx, c, in)
	switch {
	case fellAsleep(conv, err):
		return h.Input(ctx, c, in)
	case err == nil:
		return reply, nil
	case errors.Is(err, call.ErrNoContinuation):
		return call.Reply{}, err
	case isEnd(err):
		return call.Reply{}, call.ErrOver
	case ctx.Err() != nil:
		return call.Reply{}, context.Cause(ctx)
	}
	version := conv.session.Version()
	conv.fail(err)
	return h.policy(ctx, c, version, err), nil
}

// Event implements call.Handler.
func (h *Handler) Event(ctx context.Context, e *call.Event) error {
	conv, err := h.forReport(ctx, e.App, "event", callOf(e.App, e.Driver, e.CallID, e.Direction, e.From, e.To, e.ExtraParams, e.Time), e.CallID, e.LegID, e.RequestID)
	if err != nil || conv == nil {
		return err
	}
	if err := conv.event(ctx, e); !h.elsewhere(conv, err) {
		return err
	}
	return h.Event(ctx, e)
}

// elsewhere reports whether a report has to be told to another session: that of its conversation hibernates, or had failed
// before.
func (h *Handler) elsewhere(conv *conversation, err error) bool {
	switch {
	case fellAsleep(conv, err):
		return true
	case err != nil && isClosed(err) && conv.session.Fault() != nil && !conv.late:
		h.forget(conv, "fault")
		return true
	}
	return false
}

// CDR implements call.Handler.
func (h *Handler) CDR(ctx context.Context, r *call.CDR) error {
	conv, err := h.forReport(ctx, r.App, "cdr", callOf(r.App, r.Driver, r.CallID, r.Direction, r.From, r.To, r.ExtraParams, r.Start), r.CallID, r.LegID, r.RequestID)
	if err != nil || conv == nil {
		return err
	}
	if err := conv.cdr(ctx, r); !h.elsewhere(conv, err) {
		return err
	}
	return h.CDR(ctx, r)
}

// Stream implements call.Handler.
func (h *Handler) Stream(ctx context.Context, c *call.Call, stream call.Stream) error {
	app, ok := h.rt.App(c.App)
	if !ok {
		return fmt.Errorf("%w: %q", call.ErrNoApp, c.App)
	}
	if cur := app.Current(); h.opts.Stream == nil || cur == nil || !cur.HasExport("stream") {
		return fmt.Errorf("app %q, stream: %w", c.App, call.ErrNoCallback)
	}
	conv, err := h.open(ctx, c, false)
	if err != nil {
		return busy(err)
	}
	if err := conv.stream(ctx, c, stream); !fellAsleep(conv, err) {
		return err
	}
	return h.Stream(ctx, c, stream)
}

func callOf(app, driver, id string, d call.Direction, from, to, extra string, at time.Time) *call.Call {
	return &call.Call{ID: id, App: app, Driver: cmp.Or(driver, "cloud"), Direction: d, From: from, To: to, Time: at, ExtraParams: extra}
}

// forReport returns the conversation that an event or a CDR belongs to. It is nil, without an error, when there
// is nobody to tell: no such callback, and no session to end.
func (h *Handler) forReport(ctx context.Context, appName, callback string, c *call.Call, ids ...string) (*conversation, error) {
	app, ok := h.rt.App(appName)
	if !ok {
		return nil, fmt.Errorf("%w: %q", call.ErrNoApp, appName)
	}
	if conv, err := h.known(ctx, appName, ids...); errors.Is(err, errNotNow) {
		return nil, busy(err) // whoever reports will do so again
	} else if err == nil && conv != nil {
		return conv, nil
	}
	if cur := app.Current(); cur == nil {
		return nil, app.Problem()
	} else if !cur.HasExport(callback) {
		return nil, nil
	}
	conv, err := h.begin(c, nil, false)
	if err != nil {
		return nil, busy(err)
	}
	return conv, nil
}

// find returns the living conversation known by the first of the ids that is known at all. The later ids become
// further names for it: the platform calls one call by different ids in different callbacks.
func (h *Handler) find(app string, ids ...string) *conversation {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		conv, ok := h.calls[key{app, id}]
		if id == "" || !ok {
			continue
		}
		for _, alias := range ids {
			k := key{app, alias}
			if _, known := h.calls[k]; alias != "" && !known {
				h.calls[k] = conv
				conv.names = append(conv.names, k)
				h.alias(conv, alias)
			}
		}
		return conv
	}
	return nil
}

// open returns the call's conversation, begun on the current version if there is none yet. fresh says that it may be a
// new call.
func (h *Handler) open(ctx context.Context, c *call.Call, fresh bool) (*conversation, error) {
	if conv := h.find(c.App, c.ID); conv != nil {
		return conv, nil
	}
	if !fresh || h.maybeAsked(c) {
		if conv, err := h.known(ctx, c.App, c.ID); err != nil || conv != nil {
			return conv, err
		}
	}
	return h.begin(c, nil, fresh)
}

// begin is open for a call that is not known yet. version is nil for the current one.
func (h *Handler) begin(c *call.Call, version *runtime.Version, fresh bool) (*conversation, error) {
	app, ok := h.rt.App(c.App)
	if !ok {
		return nil, call.ErrNoApp
	}
	k := key{c.App, c.ID}
	h.mu.Lock() // throughout: a second session, even one that ends at once, would hide the first in the call's journal
	defer h.mu.Unlock()
	if conv, ok := h.calls[k]; ok {
		return conv, nil
	}
	if h.draining && fresh {
		return nil, call.ErrDraining
	}
	conv := &conversation{handler: h, call: c, names: []key{k}}
	cfg := conv.config()
	cfg.Version = version
	var err error
	if conv.session, err = app.NewSession(cfg); err != nil {
		return nil, err
	}
	h.calls[k] = conv
	conv.late = !fresh && version == nil && h.ended.has(k)
	return conv, nil
}

// forget ends a conversation.
func (h *Handler) forget(conv *conversation, reason string) {
	h.mu.Lock()
	for _, k := range conv.names {
		if h.calls[k] == conv {
			delete(h.calls, k)
			h.ended.add(k)
		}
	}
	if conv.grace != nil {
		conv.grace.Stop()
	}
	h.settleDrain()
	h.mu.Unlock()
	conv.session.Close(reason)
}

// read understands what a callback returned. On the session's goroutine.
func (conv *conversation) read(label string, v goja.Value, c *call.Call) (bindpcmo.Result, error) {
	result, err := bindpcmo.Decode(conv.session, v, continuations{conv, c})
	if err != nil {
		var f *runtime.Fault
		if errors.As(err, &f) && f.Kind == runtime.FaultResult {
			located := *f
			located.Message = label + " returned what cannot be performed: " + f.Message
			return bindpcmo.Result{}, &located
		}
		return bindpcmo.Result{}, err
	}
	for _, w := range result.Warnings {
		conv.session.Record("warning", map[string]string{"callback": label, "warning": w})
	}
	return result, nil
}

// decode turns what a callback returned into a reply.
func (conv *conversation) decode(label string, v goja.Value, c *call.Call) (call.Reply, error) {
	result, err := conv.read(label, v, c)
	if err != nil {
		return call.Reply{}, err
	}
	reply := call.Reply{Document: result.Document, JSON: result.JSON}
	if result.Pipeline != nil {
		reply.Document = result.Pipeline
	}
	return conv.sent(reply), nil
}
