package call

import (
	"context"
	"encoding/json"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// answerHosted is answer for a hosted call. It returns when a verb rests, or when the callback has settled.
func (conv *conversation) answerHosted(ctx context.Context, c *call.Call) (call.Reply, error) {
	defer conv.retireLater()
	defer conv.enter()()
	var x *exchange
	over := false
	err := conv.session.Run(ctx, "answer", func() (goja.Value, error) {
		h := conv.host()
		if h.first != nil && (h.used || h.root != nil) {
			x = h.first // the platform asks again what it has been told
			return x.value(h.s), nil
		}
		conv.brought("answer", c, nil)
		x = &exchange{}
		h.call, h.open, h.first = c, x, x
		h.run("answer", func() (goja.Value, error) {
			return conv.conducts(func() (goja.Value, error) { return conv.export("answer", conv.callObject(c)) })
		})
		return x.value(h.s), nil
	}, func(*goja.Runtime, goja.Value) error {
		if over = x.err == nil && conv.hosted.root == nil && conv.exhausted(); over && conv.alone() {
			conv.session.Close("answered")
		}
		return x.err
	})
	switch {
	case isEnd(err):
		return goodbye(conv), nil
	case err != nil:
		return call.Reply{}, err
	}
	if over {
		conv.handler.forget(conv, "answered")
	}
	conv.safe(ctx)
	return x.reply, nil
}

// safe makes sure, before the platform hears that the call waits for an answer, that the call is there when it comes.
func (conv *conversation) safe(ctx context.Context) {
	if conv.waiting.Load() > 0 {
		conv.session.Sync(ctx)
	}
}

// input goes on with what the platform brought, and settles x with what follows.
func (h *hosted) input(x *exchange, next *continuation, c *call.Call, in call.Input) {
	switch t := next.turn; {
	case h.over != nil:
		x.settle(goodbye(h.conv), nil)
	case t != nil && h.current == t:
		h.call, h.open = c, x
		t.took(in)
	case t != nil: // its verb has been given up
		x.settle(call.Reply{}, call.ErrNoContinuation)
	case h.root != nil || h.open != nil:
		h.conv.decide(x, next, c, in) // its verbs wait behind those of the callback under way
	default:
		h.call, h.open = c, x
		h.run(next.label, func() (goja.Value, error) { return h.conv.proceed(next, c, in) })
	}
}

// goodbye is the reply to whoever asks about a call that is over.
func goodbye(conv *conversation) call.Reply {
	doc := pcmo.Document{&pcmo.Hangup{}}
	return call.Reply{Document: doc, JSON: doc.AppendJSON(nil), Version: conv.session.Version().ShortID()}
}

// conclude replies with what is left in the queue and what the callback returned.
func (h *hosted) conclude() {
	r := h.final
	h.final = nil
	if r.err != nil {
		h.reply(bindpcmo.Result{}, r.err)
		return
	}
	if h.next != nil {
		last := *h.next
		h.next = nil
		h.reply(last, nil)
		return
	}
	var last bindpcmo.Result
	var err error
	if thrown := h.s.VM().Try(func() { last, err = h.conv.read(r.label, r.value, h.call) }); thrown != nil {
		err = thrown
	}
	if err == nil && last.Nothing && h.used && h.over == nil && !h.streaming {
		err = h.add(&pcmo.Hangup{}) // nothing says what the platform does at the end of an array
	}
	h.reply(last, err)
}

// reply answers the open webhook: the queue, and then a document.
func (h *hosted) reply(last bindpcmo.Result, err error) {
	x, queue := h.open, h.queue
	h.open, h.queue = nil, nil
	if err == nil && last.Pipeline != nil && len(queue) > 0 {
		err = &runtime.Fault{Kind: runtime.FaultResult, Message: "a pipeline cannot follow verbs on the driver " + hostedDriver + ": return an array of classic actions"}
	}
	if err != nil {
		x.settle(call.Reply{}, err)
		return
	}
	reply := call.Reply{Document: last.Document, JSON: last.JSON}
	switch {
	case last.Pipeline != nil:
		reply.Document = last.Pipeline
	case len(queue) > 0 && len(last.Document) > 0:
		written := pcmo.Document(queue).AppendJSON(nil)
		reply.Document = append(queue, last.Document...)
		reply.JSON = append(append(written[:len(written)-1], ','), last.JSON[1:]...)
	case len(queue) > 0:
		reply.Document, reply.JSON = queue, pcmo.Document(queue).AppendJSON(nil)
	}
	x.settle(h.conv.sent(reply), nil)
	h.conv.await()
}

// sent notes a reply.
func (conv *conversation) sent(reply call.Reply) call.Reply {
	reply.Version = conv.session.Version().ShortID()
	if reply.JSON == nil {
		reply.JSON = []byte("[]")
	}
	conv.session.Record("pcmo", json.RawMessage(reply.JSON))
	return reply
}

// event learns what happens to a call that others perform.
func (h *hosted) event(e *call.Event) {
	h.eventful = true
	switch {
	case e.Status == call.StatusHangup && e.Leg != call.LegB:
		h.hungUp(gone())
	case e.Status == call.StatusStreamDisconnected:
		h.streaming = false
	case h.dial != nil:
		h.dial.event(e)
	}
}

// record learns what became of a leg.
func (h *hosted) record(r *call.CDR) {
	switch {
	case r.Leg != call.LegB:
		h.hungUp(gone())
	case h.dial != nil:
		h.dial.record(r)
	}
}

// gone is the end of a call that the app did not end. The platform does not say who did.
func gone() *call.HangupError { return &call.HangupError{By: call.SideCaller, Cause: call.CauseNormal} }

// retireLater looks, once a webhook has been answered, whether the script has anything left to do.
func (conv *conversation) retireLater() {
	conv.session.Post(func() error {
		conv.retire()
		return nil
	})
}

// retire ends a hosted call's session when nothing of the script can run any more and nobody will ask: at once, or, where
// somebody may ask again what has been asked, after a while.
func (conv *conversation) retire() {
	h, v := conv.hosted, conv.session.Version()
	switch {
	case h == nil || h.root != nil || h.open != nil || h.current != nil || conv.unspent > 0 || conv.busy.Load() > 0:
	case conv.session.Pending() > 0 || v.HasExport("event") || v.HasExport("cdr") || v.HasExport("stream"):
	case len(conv.continuations) == 0:
		conv.handler.forget(conv, "answered")
	default:
		conv.forgetLater("answered")
	}
}
