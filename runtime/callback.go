package runtime

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// Call calls an exported callback and waits until what it returns is settled.
//
// args makes the arguments and result takes the settled value; both run on the session's goroutine and may be
// nil. The error is a *Fault when the script failed, ctx's error when the caller went away first (the callback
// then runs on, result may yet be called, and what it writes must not be read), or what result returned.
func (s *Session) Call(ctx context.Context, export string, args func(vm *goja.Runtime) []goja.Value, result func(vm *goja.Runtime, v goja.Value) error) error {
	return s.Run(ctx, export, func() (goja.Value, error) {
		fn, ok := goja.AssertFunction(s.exports.Get(export))
		if !ok {
			return nil, &Fault{Kind: FaultResult, Message: fmt.Sprintf("the script does not export a function %q", export)}
		}
		var values []goja.Value
		if args != nil {
			values = args(s.vm)
		}
		return fn(goja.Undefined(), values...)
	}, result)
}

// Run is Call for any function: start runs on the session's goroutine and returns a value or a promise; label
// names it in faults.
func (s *Session) Run(ctx context.Context, label string, start func() (goja.Value, error), result func(vm *goja.Runtime, v goja.Value) error) error {
	return s.wait(ctx, &callback{session: s, label: label, result: result, done: make(chan struct{})}, start)
}

// RunLong is Run for functions that may take as long as the conversation, such as one that serves a socket: the limit
// on callbacks does not hold for them. The limit on turns does.
func (s *Session) RunLong(ctx context.Context, label string, start func() (goja.Value, error), result func(vm *goja.Runtime, v goja.Value) error) error {
	return s.wait(ctx, &callback{session: s, label: label, result: result, long: true, done: make(chan struct{})}, start)
}

// RunThen is Run for functions that go on after the caller has lost interest: settled is called once when the
// callback has ended, also after ctx's end, and also when the session's end cuts it short; from any goroutine.
func (s *Session) RunThen(ctx context.Context, label string, start func() (goja.Value, error), result func(vm *goja.Runtime, v goja.Value) error, settled func()) error {
	return s.wait(ctx, &callback{session: s, label: label, result: result, then: settled, done: make(chan struct{})}, start)
}

// Prolong lifts the limit on the time of the callbacks under way: the script waits for what takes as long as the
// conversation. On the session's goroutine.
func (s *Session) Prolong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cb := range s.waiting {
		cb.long = true
		if cb.timer != nil {
			cb.timer.Stop()
		}
	}
}

func (s *Session) wait(ctx context.Context, cb *callback, start func() (goja.Value, error)) error {
	if !s.post(func() error { return cb.begin(start) }, cb) {
		if cb.then != nil {
			cb.then()
		}
		return &Fault{Kind: FaultClosed, Message: "the session has ended"}
	}
	if clock, ok := s.clock.(cancelWatcher); ok {
		defer clock.AfterCancel(ctx, cb.wake)()
	}
	s.endWork() // the caller's, until wake
	select {
	case <-cb.done:
		return cb.err
	case <-ctx.Done():
		s.mu.Lock()
		cb.left = true
		s.mu.Unlock()
		cb.wake()
		return context.Cause(ctx)
	}
}

// wake gives the waiting caller his share of work back, before he runs: time must not pass in between.
func (cb *callback) wake() {
	cb.awake.Do(cb.session.beginWork)
}

// HasExport reports whether the session's version exports a function of that name.
func (s *Session) HasExport(name string) bool { return s.version.HasExport(name) }

// callback is one call into the script that somebody waits for.
type callback struct {
	session *Session
	label   string
	result  func(vm *goja.Runtime, v goja.Value) error
	long    bool // no limit on the time to settle
	then    func()
	timer   Timer
	err     error
	isDone  bool
	left    bool // nobody waits for it any more
	awake   sync.Once
	done    chan struct{}
}

func (cb *callback) begin(start func() (goja.Value, error)) error {
	s := cb.session
	v, err := start()
	if err != nil {
		return cb.fail(err)
	}
	promise, ok := promiseOf(v)
	if !ok {
		return cb.fulfil(v)
	}
	switch promise.State() {
	case goja.PromiseStateFulfilled:
		return cb.fulfil(promise.Result())
	case goja.PromiseStateRejected:
		s.handled(promise)
		return cb.fail(thrown{promise.Result()})
	}
	object := v.ToObject(s.vm)
	then, ok := goja.AssertFunction(object.Get("then"))
	if !ok {
		return cb.fail(&Fault{Kind: FaultResult, Message: cb.label + " returned a promise without then()"})
	}
	if !cb.long && s.replay == nil {
		cb.limit()
	}
	_, err = then(object,
		s.vm.ToValue(func(c goja.FunctionCall) goja.Value { check(cb.fulfil(c.Argument(0))); return goja.Undefined() }),
		s.vm.ToValue(func(c goja.FunctionCall) goja.Value { check(cb.fail(thrown{c.Argument(0)})); return goja.Undefined() }))
	return err
}

// limit fails the callback when it has not settled within the session's limit.
func (cb *callback) limit() {
	s := cb.session
	cb.timer = s.clock.AfterFunc(s.rt.limits.Callback, func() {
		s.Post(func() error {
			if cb.isDone || cb.long {
				return nil
			}
			return cb.fail(&Fault{Kind: FaultTimeout, Message: cb.tooSlow() + s.rt.limits.Callback.String()})
		})
	})
}

// tooSlow is how the fault of a callback that did not settle in time begins.
func (cb *callback) tooSlow() string { return cb.label + " did not finish within " }

// check is for the two natives above: what they return can only be fatal, and no script may catch it.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

var promiseType = reflect.TypeFor[*goja.Promise]()

func promiseOf(v goja.Value) (*goja.Promise, bool) {
	object, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	// Asking for the type first matters: exporting an array would copy it, and it may claim to hold billions.
	if object.ExportType() != promiseType {
		return nil, false
	}
	p, ok := object.Export().(*goja.Promise)
	return p, ok
}

// Await calls one of the functions with what v settles to: at once when v is no promise that is pending. On the
// session's goroutine.
func (s *Session) Await(v goja.Value, fulfilled, rejected func(goja.Value)) {
	promise, ok := promiseOf(v)
	if !ok {
		fulfilled(v)
		return
	}
	switch promise.State() {
	case goja.PromiseStateFulfilled:
		fulfilled(promise.Result())
		return
	case goja.PromiseStateRejected:
		s.handled(promise)
		rejected(promise.Result())
		return
	}
	then, ok := goja.AssertFunction(v.ToObject(s.vm).Get("then"))
	if !ok {
		rejected(s.NewError("TypeError", "a promise without then()"))
		return
	}
	call := func(f func(goja.Value)) goja.Value {
		return s.vm.ToValue(func(c goja.FunctionCall) goja.Value { f(c.Argument(0)); return goja.Undefined() })
	}
	if _, err := then(v, call(fulfilled), call(rejected)); err != nil {
		rejected(s.ErrorValue(err))
	}
}

func (cb *callback) fulfil(v goja.Value) error {
	if cb.isDone {
		return nil
	}
	if cb.result == nil {
		cb.finish(nil)
		return nil
	}
	err := cb.session.protect(func() error { return cb.result(cb.session.vm, v) })
	if err == nil {
		cb.finish(nil)
		return nil
	}
	return cb.fail(err)
}

// fail settles the callback with an error. What breaks the whole session is returned as well.
func (cb *callback) fail(err error) error {
	if cb.isDone {
		return nil
	}
	s := cb.session
	fault := s.explain(err)
	if fault.fatal() {
		return fault
	}
	cb.finish(fault)
	s.note(cb.label, fault)
	return nil
}

// Blame notes the failure of something that nobody waits for, as that of a callback is noted. What it returns is fatal to
// the session. On the session's goroutine.
func (s *Session) Blame(label string, err error) error {
	fault := s.explain(err)
	if fault.fatal() {
		return fault
	}
	s.note(label, fault)
	return nil
}

func (s *Session) note(label string, fault *Fault) {
	if s.dry || fault.Kind == FaultEnded {
		return
	}
	if s.replay == nil {
		s.rt.cfg.Observer.Faulted(s.app, fault.Kind)
		s.Logger().Error("script fault", "callback", label, "kind", fault.Kind, "at", fault.Position.String(), "error", fault.Error(), "source", fault.Position.Source)
	}
	s.Record("fault", fault)
}

// finish notes the outcome; the waiter is told at the end of the turn, after the journal was written.
func (cb *callback) finish(f *Fault) {
	cb.session.mu.Lock()
	cb.isDone = true
	if f != nil {
		cb.err = f
	}
	cb.session.mu.Unlock()
	if cb.timer != nil {
		cb.timer.Stop()
	}
	cb.session.settled = append(cb.session.settled, cb)
}

// deliver tells the waiters of the callbacks that settled during the turn.
func (s *Session) deliver() {
	for _, cb := range s.settled {
		s.mu.Lock()
		delete(s.waiting, cb)
		s.mu.Unlock()
		cb.wake()
		close(cb.done)
		if cb.then != nil {
			cb.then()
		}
	}
	s.settled = s.settled[:0]
}

// settle ends a callback of a session that is gone.
func (cb *callback) settle(f *Fault) {
	cb.session.mu.Lock()
	if !cb.isDone {
		cb.err = f
	}
	cb.session.mu.Unlock()
	cb.wake()
	close(cb.done)
	if cb.then != nil {
		cb.then()
	}
}

// stuck reports whether callbacks wait for promises that nothing can settle any more. It needs s.mu.
func (s *Session) stuck() bool {
	return len(s.waiting) > 0 && s.ops == 0 && s.timers.len() == 0
}

func (s *Session) failStuck() error {
	s.mu.Lock()
	list := make([]*callback, 0, len(s.waiting))
	for cb := range s.waiting {
		list = append(list, cb)
	}
	s.mu.Unlock()
	for _, cb := range list {
		if err := cb.fail(&Fault{Kind: FaultUnsettled, Message: cb.label + " returned a promise that never settles: nothing is pending that could settle it"}); err != nil {
			return err
		}
	}
	return nil
}

// Elapsed is a convenience for modules: the time since the session was born.
func (s *Session) Elapsed() time.Duration { return s.Now().Sub(s.born) }

// Export returns an exported function. On the session's goroutine.
func (s *Session) Export(name string) (goja.Callable, bool) {
	return goja.AssertFunction(s.exports.Get(name))
}

// Clock returns the session's clock.
func (s *Session) Clock() Clock { return s.clock }
