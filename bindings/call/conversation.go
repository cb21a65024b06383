package call

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// conversationKey finds the conversation among a session's values.
type conversationKey struct{}

// conversation is a call as a script lives through it: its session and the functions that wait for digits.
type conversation struct {
	handler *Handler
	session *runtime.Session
	call    *call.Call
	late    bool // begun for a report that came after the call's end
	again   bool // run again from its journal, and not live yet

	// told are the events and records in the journal that the conversation was rebuilt from: they may be delivered once
	// more. It is complete before anybody else knows the conversation.
	told map[[sha256.Size]byte]*told

	// Guarded by handler.mu.
	names []key
	grace runtime.Timer

	busy    atomic.Int32 // callbacks under way
	waiting atomic.Int32 // continuations registered
	serving atomic.Int32 // callbacks under way that may outlast the call: answer and stream
	slept   atomic.Bool  // its session hibernates
	over    atomic.Bool  // nothing but stream callbacks is left of the call

	// Owned by the session's goroutine.
	continuations map[string]*continuation
	expected      int             // how many there have been
	unspent       int             // those that have not been asked
	spent         []string        // the others, the oldest first
	hosted        *hosted         // where documents are all that reaches the call
	object        goja.Value      // what the script sees as call, once it has been made
	legs          map[string]bool // legs heard of, true once their CDR came
	gone          bool            // leg a has ended; until then the call goes on, whatever becomes of others
	live          *live           // once a verb was used, or a callback that conducts the call
	life          *life           // once such a callback has begun
	listeners     []listener
	feeds         []*feed
	cleaned       []func() // what waits until nothing outlasts the call any more
}

// holds reports whether the call would suffer if the daemon stopped now. One that waits for the caller, and can be
// rebuilt, would not.
func (conv *conversation) holds() bool {
	return conv.busy.Load() > 0 || conv.waiting.Load() > 0 && !conv.lasts()
}

// lasts reports whether the call outlives its session.
func (conv *conversation) lasts() bool {
	return conv.call.Driver == hostedDriver && conv.handler.opts.Recall != nil
}

// alone reports whether the callback that asks is the only one under way.
func (conv *conversation) alone() bool { return conv.busy.Load() == 1 }

func (conv *conversation) enter() func() {
	conv.busy.Add(1)
	return func() {
		conv.busy.Add(-1)
		h := conv.handler
		h.mu.Lock()
		h.settleDrain()
		h.mu.Unlock()
	}
}

func (conv *conversation) answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	if c.Driver == hostedDriver {
		return conv.answerHosted(ctx, c)
	}
	defer conv.enter()()
	var reply call.Reply
	over := false
	conv.serving.Add(1)
	err := conv.session.RunThen(ctx, "answer", func() (goja.Value, error) {
		conv.brought("answer", c, nil)
		return conv.conducts(func() (goja.Value, error) { return conv.export("answer", conv.callObject(c)) })
	}, func(_ *goja.Runtime, v goja.Value) error {
		var err error
		if ctx.Err() == nil { // somebody waits for it
			reply, err = conv.decode("answer", v, c)
		}
		if over = err == nil && conv.exhausted(); over && conv.alone() {
			conv.session.Close("answered")
		}
		return err
	}, conv.servedOutside)
	if err != nil {
		return call.Reply{}, err // the script may be about to reply all the same, to nobody
	}
	if over {
		conv.handler.forget(conv, "answered")
	}
	return reply, nil
}

// served ends what the session may finish after the call's end. queue takes what is left to do on the session's
// goroutine; nil: the session has ended.
func (conv *conversation) served(queue func(func() error)) {
	if conv.serving.Add(-1) > 0 {
		return
	}
	if conv.over.Load() {
		conv.handler.forget(conv, "call ended")
		return
	}
	if queue == nil {
		return
	}
	queue(func() error {
		for _, next := range conv.cleaned {
			next()
		}
		conv.cleaned = nil
		return nil
	})
}

// servedOutside is served for whoever is not on the session's goroutine.
func (conv *conversation) servedOutside() {
	conv.served(func(clean func() error) { conv.session.Post(clean) })
}

// current is the call as the last callback brought it.
func (conv *conversation) current() *call.Call {
	if conv.hosted != nil {
		return conv.hosted.call
	}
	return conv.call
}

// exhausted reports whether nothing of the script can run any more in this call. On the session's goroutine.
func (conv *conversation) exhausted() bool {
	v := conv.session.Version()
	return len(conv.continuations) == 0 && conv.session.Pending() == 0 &&
		!v.HasExport("event") && !v.HasExport("cdr") && !v.HasExport("stream")
}

func (conv *conversation) event(ctx context.Context, e *call.Event) error {
	if t := conv.toldBefore("event", e.Raw); t != nil {
		return t.outcome(ctx)
	}
	defer conv.enter()()
	err := conv.session.Run(ctx, "event", func() (goja.Value, error) {
		bare := *e
		bare.Raw = nil
		conv.session.RecordWith("event", e.Raw, bare)
		conv.heard(e.LegID)
		if h := conv.hosted; h != nil {
			h.event(e)
		}
		if e.Status == call.StatusHangup && e.Leg != call.LegB {
			conv.left()
		}
		if err := conv.tell(e); err != nil {
			return nil, err
		}
		if !conv.session.HasExport("event") {
			return goja.Undefined(), nil
		}
		return conv.export("event", conv.eventObject(e), conv.callObject(conv.call))
	}, nil)
	if conv.unheard("event", err) {
		err = nil
	}
	switch {
	case conv.late && err == nil:
		conv.ended(true)
	case e.Status == call.StatusHangup && e.Leg != call.LegB:
		conv.ended(!conv.session.HasExport("cdr"))
	}
	return err
}

// cleanupGrace is how long a script may clean up after the end of its call before it is given the CDR of leg a.
const cleanupGrace = 5 * time.Second

func (conv *conversation) cdr(ctx context.Context, r *call.CDR) error {
	if t := conv.toldBefore("cdr", r.Raw); t != nil {
		return t.outcome(ctx)
	}
	defer conv.enter()()
	gone, over := false, false
	err := conv.session.Run(ctx, "cdr", func() (goja.Value, error) {
		bare := *r
		bare.Raw = nil
		conv.session.RecordWith("cdr", r.Raw, bare)
		if h := conv.hosted; h != nil {
			h.record(r)
		}
		if r.Leg != call.LegB {
			conv.left()
		}
		deliver := func() (goja.Value, error) {
			if !conv.session.HasExport("cdr") {
				return goja.Undefined(), nil
			}
			return conv.export("cdr", conv.cdrObject(r), conv.callObject(conv.call))
		}
		if r.Leg == call.LegB || conv.serving.Load() == 0 {
			return deliver()
		}
		return conv.afterCleanup(deliver), nil
	}, func(_ *goja.Runtime, _ goja.Value) error {
		gone = conv.gone
		if over = conv.delivered(r) && gone || conv.late; over && conv.alone() && conv.serving.Load() == 0 {
			conv.session.Close("call ended") // in this turn, so that its end is written with it
		}
		return nil
	})
	if conv.unheard("cdr", err) {
		return nil
	}
	if err == nil && (gone || over) {
		conv.ended(over)
	}
	return err
}

// unheard reports whether a callback failed only because the session ended meanwhile, and the script has no such
// callback that could have missed something. One that only hibernates is told once it has woken.
func (conv *conversation) unheard(callback string, err error) bool {
	var fault *runtime.Fault
	return errors.As(err, &fault) && fault.Kind == runtime.FaultClosed && !conv.session.HasExport(callback) && !conv.slept.Load()
}

// afterCleanup does something once the callbacks that outlast the call have settled, within the grace. On the
// session's goroutine.
func (conv *conversation) afterCleanup(do func() (goja.Value, error)) goja.Value {
	promise, settle := conv.session.Deferred()
	once := sync.OnceFunc(func() { settle(do) })
	stop := conv.session.AfterFunc(cleanupGrace, func() error {
		once()
		return nil
	})
	conv.cleaned = append(conv.cleaned, func() {
		stop()
		once()
	})
	return promise
}

func (conv *conversation) export(name string, args ...goja.Value) (goja.Value, error) {
	fn, ok := conv.session.Export(name)
	if !ok {
		return goja.Undefined(), nil
	}
	return fn(goja.Undefined(), args...)
}

// heard notes a leg. On the session's goroutine.
func (conv *conversation) heard(leg string) {
	if conv.legs == nil {
		conv.legs = map[string]bool{}
	}
	if len(conv.legs) < 100 && !conv.legs[leg] {
		conv.legs[leg] = false
	}
}

// delivered notes that a leg's CDR reached the script, and reports whether those of all legs have.
func (conv *conversation) delivered(r *call.CDR) bool {
	conv.heard(r.LegID)
	conv.legs[r.LegID] = true
	for _, done := range conv.legs {
		if !done {
			return false
		}
	}
	return true
}

// ended follows the end of the call: the session ends now, or when the other legs' records have come or stay out. A
// stream callback that is under way may finish what it does, for as long.
func (conv *conversation) ended(now bool) {
	conv.waiting.Store(0)
	if now {
		conv.over.Store(true)
		if conv.serving.Load() == 0 {
			conv.handler.forget(conv, "call ended")
			return
		}
	}
	conv.forgetLater("call ended")
}

// forgetLater ends the conversation after a grace.
func (conv *conversation) forgetLater(reason string) {
	h := conv.handler
	h.mu.Lock()
	defer h.mu.Unlock()
	if conv.grace == nil {
		conv.grace = conv.session.Clock().AfterFunc(h.opts.LegGrace, func() { h.forget(conv, reason) })
	}
}

func (conv *conversation) stream(ctx context.Context, c *call.Call, stream call.Stream) error {
	defer conv.enter()()
	conv.serving.Add(1)
	defer conv.servedOutside()
	var flush func(context.Context)
	err := conv.session.RunLong(ctx, "stream", func() (goja.Value, error) {
		conv.session.Record("stream", map[string]string{"state": "connected"})
		conv.session.Unrepeatable("the script works on the call's audio, which is not recorded")
		var socket goja.Value
		var scope runtime.Scope = conv.lives()
		if c.Driver == hostedDriver {
			w := &watched{Stream: stream}
			stream, scope = w, leftBehind{conv.lives(), w}
		}
		return conv.session.Within(scope, func() (goja.Value, error) {
			socket, flush = conv.handler.opts.Stream(conv.session, stream)
			return conv.export("stream", socket, conv.callObject(c))
		})
	}, nil)
	if err == nil {
		flush(ctx)
	}
	conv.session.Record("stream", map[string]string{"state": "disconnected"})
	return err
}

// release lets go of what the session made: the conversation may be known for as long as nobody has reported its end.
func (conv *conversation) release() {
	conv.continuations, conv.spent, conv.hosted, conv.object, conv.live = nil, nil, nil, nil, nil
	conv.life = nil
	conv.listeners, conv.feeds, conv.cleaned = nil, nil, nil
}

// fail ends the conversation whose script failed; later callbacks of the call begin anew.
func (conv *conversation) fail(err error) {
	conv.session.Record("policy", map[string]string{"error": err.Error()})
	conv.handler.forget(conv, "fault")
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
