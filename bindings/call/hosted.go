package call

import (
	"context"
	"fmt"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// hostedDriver is the driver whose calls are performed elsewhere, from documents.
const hostedDriver = "cloud"

// hosted carries verbs out where only documents reach the call. Verbs write actions into a queue. One that needs to
// know something of the caller closes the queue with an action that asks back: the queue is the reply to the webhook,
// the script rests, and its promise settles when the platform calls the address of that action.
//
// One reply ends each webhook: that of a verb that rests, or that of the callback once it has settled.
// Owned by the session's goroutine.
type hosted struct {
	conv *conversation
	s    *runtime.Session
	call *call.Call // as the last webhook brought it: its addresses are good

	first *exchange // that of the answer
	open  *exchange // the webhook that waits for its reply; nil while the platform performs
	used  bool      // a verb was used
	root  *callback // the callback under way whose verbs these are
	final *callback // it, once it has settled, until its outcome is the reply

	queue   []pcmo.Action
	line    []*turn          // what waits for its turn
	current *turn            // what has it
	next    *bindpcmo.Result // takes the place of what the callback returns

	typed     string // digits pressed while nobody had asked for them
	streaming bool   // a stream was opened
	eventful  bool   // live events reach this server
	dial      *dialling
	warned    map[string]bool // of wishes that documents cannot carry
	over      *call.HangupError
}

// callback is an answer, or a continuation, of a hosted call.
type callback struct {
	label  string
	value  goja.Value
	err    error
	served func() // where it did not settle at once
}

// turn is a verb's, or one attempt's of a gather.
type turn struct {
	verb string
	do   hostedVerb
	// took is told what the platform brought back. It ends the turn, or asks again.
	took func(in call.Input)
	// end tells whoever used the verb that it is over, and calls then, unless it is nil, when that has been seen.
	end  func(err error, then func())
	over bool
	// made and got are what came of it.
	made outcome
	got  call.Gathered
}

// hostedVerb does a verb with documents when its turn has come: it ends with finish, or rests.
type hostedVerb func(h *hosted, t *turn)

// maxQueued bounds the actions that wait for one reply.
const maxQueued = 1000

func (conv *conversation) host() *hosted {
	if conv.hosted == nil {
		conv.hosted = &hosted{conv: conv, s: conv.session, call: conv.call}
	}
	return conv.hosted
}

// carry implements carrier.
func (h *hosted) carry(t task) goja.Value {
	switch {
	case h.over != nil:
		panic(h.s.ErrorValue(scriptError(h.over)))
	case t.hosted == nil:
		panic(h.s.ErrorValue(scriptError(unsupported(t.verb, ""))))
	}
	h.s.Record("verb", t.entry())
	var settle func(func() (goja.Value, error))
	var at struct { // how it ended, where that was at once
		once bool
		err  error
	}
	mine := &turn{verb: t.verb, do: t.hosted, made: undefined}
	came := func() (goja.Value, error) {
		if at.err != nil {
			h.s.Record("verb_end", t.entry().ended(at.err))
			return nil, scriptError(at.err)
		}
		h.s.Record("verb_end", t.entry().ended(nil))
		return mine.made(), nil
	}
	mine.end = func(err error, then func()) {
		if at.err = err; settle == nil {
			at.once = true
		} else {
			settle(came)
		}
		if then != nil {
			h.after(then)
		}
	}
	h.join(mine, t.turn.beside(), false)
	if !at.once {
		var promise goja.Value
		promise, settle = h.s.Deferred()
		return promise
	}
	p, resolve, _ := h.s.VM().NewPromise()
	v, err := came()
	if err != nil {
		panic(h.s.ErrorValue(err))
	}
	_ = resolve(v) // within the script's own turn
	return h.s.VM().ToValue(p)
}

// ask implements carrier.
func (h *hosted) ask(of task, g call.Gather, took func(call.Gathered, error)) {
	h.s.Record("verb", of.entry())
	t, scope := &turn{verb: "gather", do: gathers(g)}, h.s.Scope()
	t.end = func(err error, then func()) {
		h.s.Next(func() error {
			h.s.Record("verb_end", of.entry().gathered(t.got, err))
			_, _ = h.s.Within(scope, func() (goja.Value, error) { // a validator asks on behalf of whoever gathers
				took(t.got, err)
				return nil, nil
			})
			if then != nil {
				h.after(then)
			}
			return nil
		})
	}
	h.join(t, false, g.Attempt > 1)
}

// after does something in a turn of the event loop after those that were posted before.
func (h *hosted) after(do func()) {
	h.s.Next(func() error {
		do()
		return nil
	})
}

// join lets a verb wait for its turn, ahead of the others when it has begun before. Beside it need not wait.
func (h *hosted) join(t *turn, beside, ahead bool) {
	if err := h.refusal(t.verb, beside); err != nil {
		t.end(err, nil)
		return
	}
	h.used = true
	switch {
	case beside:
		t.do(h, t)
		return
	case ahead:
		h.line = append([]*turn{t}, h.line...)
	default:
		h.line = append(h.line, t)
	}
	h.progress()
}

// refusal says why a verb cannot be carried out any more, or nil.
func (h *hosted) refusal(verb string, beside bool) error {
	switch {
	case h.over != nil:
		return h.over
	case !beside && h.open == nil && h.current == nil && h.root == nil:
		return unsupported(verb, "the platform performs what it was told and asks nothing any more")
	}
	return nil
}

// unsupported is the error of what documents cannot carry. what, if any, is the part that they cannot.
func unsupported(verb, what string) error {
	err := &call.UnsupportedError{Verb: verb, Driver: hostedDriver}
	if what == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, what)
}

// progress lets verbs have their turns, and gives the callback's own reply after the last.
func (h *hosted) progress() {
	for h.current == nil && len(h.line) > 0 && h.open != nil {
		t := h.line[0]
		h.line = h.line[1:]
		h.current = t
		t.do(h, t)
	}
	if h.open != nil && h.current == nil && len(h.line) == 0 && h.final != nil {
		h.conclude()
	}
}

// finish ends a turn. When there is something to be seen the next one comes when it has been seen: by the script, or by
// the gather that asked.
func (h *hosted) finish(t *turn, err error) {
	if t.over {
		return
	}
	t.over = true
	if t.took == nil && err == nil && t.verb != "gather" {
		h.leave(t)
		t.end(nil, nil)
		return
	}
	t.end(err, func() {
		h.leave(t)
		h.progress()
	})
}

func (h *hosted) leave(t *turn) {
	if h.current == t {
		h.current = nil
	}
}

// add puts actions into the queue.
func (h *hosted) add(actions ...pcmo.Action) error {
	if err := (pcmo.Document(actions)).Validate(); err != nil {
		return &runtime.ScriptError{Name: "TypeError", Message: "the platform cannot be told so: " + err.Error()}
	}
	if len(h.queue)+len(actions) > maxQueued {
		return &runtime.ScriptError{Name: "RangeError", Message: fmt.Sprintf("too many actions wait for the platform (limit %d)", maxQueued)}
	}
	h.queue = append(h.queue, actions...)
	return nil
}

// rest closes the queue with actions that ask back, and lets the script rest until took.
func (h *hosted) rest(t *turn, ask func(url string) []pcmo.Action, took func(in call.Input)) {
	if h.call.InputURL == nil {
		h.finish(t, unsupported(t.verb, "nothing brings an answer back to this call"))
		return
	}
	token, err := h.conv.expect(&continuation{turn: t, label: t.verb})
	if err == nil {
		err = h.add(ask(h.call.InputURL(token))...)
	}
	if err != nil {
		h.conv.forgo(token)
		h.finish(t, err)
		return
	}
	t.took = took
	h.reply(bindpcmo.Result{}, nil)
}

// hungUp ends every verb: the call is over, or will be as soon as the platform asks again.
func (h *hosted) hungUp(end *call.HangupError) {
	if h.over != nil {
		return
	}
	h.over = end
	h.conv.hungUp(end)
	pending := h.line
	if h.current != nil {
		pending = append([]*turn{h.current}, pending...)
	}
	h.current, h.line, h.queue, h.dial = nil, nil, nil, nil
	for _, t := range pending {
		h.finish(t, end)
	}
	if h.final != nil && h.final.err != nil && h.open == nil {
		h.blame(h.final)
	}
}

// run begins a callback whose verbs are the call's.
func (h *hosted) run(label string, start func() (goja.Value, error)) {
	r := &callback{label: label}
	h.root = r
	v, err := start()
	if err != nil {
		h.settled(r, nil, err)
		return
	}
	h.s.Await(v, func(v goja.Value) { h.settled(r, v, nil) }, func(reason goja.Value) { h.settled(r, nil, runtime.Thrown(reason)) })
	if h.root != r {
		return
	}
	h.conv.serving.Add(1)
	stop := context.AfterFunc(h.s.Context(), func() { h.conv.served(nil) })
	r.served = func() {
		h.s.Next(func() error {
			if stop() {
				h.conv.served(h.s.Next)
			}
			return nil
		})
	}
}

// settled notes a callback's outcome: it is the reply once the verbs that it did not wait for are done.
func (h *hosted) settled(r *callback, v goja.Value, err error) {
	h.root = nil
	r.value, r.err = v, err
	h.final = r
	if h.open == nil && (h.over != nil || h.current == nil) && err != nil {
		h.blame(r) // nobody will ask for it
	}
	if r.served != nil {
		r.served()
	}
	h.progress()
	if h.open == nil {
		h.after(h.conv.retire)
	}
}

// blame has the runtime note a callback's failure that no webhook is there to be told of.
func (h *hosted) blame(r *callback) {
	h.final = nil
	h.s.Next(func() error { return h.s.Blame(r.label, r.err) })
}
