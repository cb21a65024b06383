// Package abort gives scripts AbortController and AbortSignal, and what they stand on: Event, CustomEvent,
// EventTarget and DOMException (DOM Standard, sections 2 and 3).
//
//	const reply = await fetch(url, { signal: AbortSignal.timeout(2000) })
//
// Modules written in Go take a signal through [Signal].
package abort

import (
	"slices"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Module provides the globals AbortController, AbortSignal, Event, CustomEvent, EventTarget and DOMException.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "abort" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"AbortController", "AbortSignal", "Event", "CustomEvent", "EventTarget", "DOMException"}}
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) { return instanceOf(s), nil }

type instanceKey struct{}

// instanceOf returns the session's instance, which other modules may need before the script does.
func instanceOf(s *runtime.Session) *instance {
	m, ok := s.Value(instanceKey{}).(*instance)
	if !ok {
		m = &instance{s: s}
		s.SetValue(instanceKey{}, m)
	}
	return m
}

type instance struct {
	s                                         *runtime.Session
	event, custom, target, signal, controller *goja.Object
}

var noHandler = runtime.Fault{Kind: runtime.FaultException, Name: "TypeError", Message: "an event listener object has no function handleEvent"}

// Import implements runtime.Instance.
func (*instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance.
func (m *instance) Global(name string) goja.Value {
	switch name {
	case "Event":
		return m.eventClass()
	case "CustomEvent":
		return m.customEventClass()
	case "EventTarget":
		return m.targetClass()
	case "AbortSignal":
		return m.signalClass()
	case "DOMException":
		return webidl.DOMException(m.s)
	}
	return m.controllerClass()
}

// State is an AbortSignal as Go sees it. It belongs to its session's goroutine.
type State struct {
	target
	m       *instance
	object  *goja.Object
	aborted bool
	reason  goja.Value
	actions []*action
}

type action struct{ run func() }

// Signal returns the state of an AbortSignal value.
func Signal(v goja.Value) (*State, bool) { return webidl.StateOf[*State](v) }

// Aborted reports whether the signal has fired.
func (s *State) Aborted() bool { return s.aborted }

// Reason returns what the script gave as the reason, or an AbortError; undefined before the signal has fired.
func (s *State) Reason() goja.Value {
	if s.reason == nil {
		return goja.Undefined()
	}
	return s.reason
}

// OnAbort has f called on the session's goroutine when the signal fires, before the script's listeners. A signal
// that has fired already does not call it: ask Aborted first. The returned function takes f back.
func (s *State) OnAbort(f func()) (cancel func()) {
	if s.aborted {
		return func() {}
	}
	a := &action{f}
	s.actions = append(s.actions, a)
	return func() { s.actions = slices.DeleteFunc(s.actions, func(other *action) bool { return other == a }) }
}

// abort fires the signal, once.
func (s *State) abort(reason goja.Value) {
	if s.aborted {
		return
	}
	if reason == nil || goja.IsUndefined(reason) {
		reason = webidl.NewException(s.m.s, "AbortError", "This operation was aborted")
	}
	s.aborted, s.reason = true, reason
	actions := s.actions
	s.actions = nil
	for _, a := range actions {
		a.run()
	}
	e := &event{kind: "abort", trusted: true, at: s.m.elapsed()}
	if len(s.listeners) > 0 {
		s.m.dispatch(&s.target, s.object, webidl.New(s.m.s, s.m.eventClass(), e), e)
	}
}

func (m *instance) newSignal() *State {
	s := &State{m: m}
	s.object = webidl.New(m.s, m.signalClass(), s)
	return s
}

func (m *instance) controllerClass() *goja.Object {
	if m.controller == nil {
		m.controller = webidl.Define(m.s, webidl.Class{
			Name:      "AbortController",
			Construct: func(this *goja.Object, _ goja.FunctionCall) { webidl.Attach(m.s, this, &controller{m.newSignal()}) },
			Members: []webidl.Member{
				{Name: "signal", Get: func(c goja.FunctionCall) goja.Value {
					return webidl.Receiver[*controller](m.s, c, "AbortController.signal").signal.object
				}},
				{Name: "abort", Call: func(c goja.FunctionCall) goja.Value {
					webidl.Receiver[*controller](m.s, c, "AbortController.abort").signal.abort(c.Argument(0))
					return goja.Undefined()
				}},
			},
		})
	}
	return m.controller
}

// controller is the state of an AbortController.
type controller struct{ signal *State }

func (m *instance) signalClass() *goja.Object {
	if m.signal != nil {
		return m.signal
	}
	vm := m.s.VM()
	receiver := func(c goja.FunctionCall, name string) *State {
		return webidl.Receiver[*State](m.s, c, "AbortSignal."+name)
	}
	m.signal = webidl.Define(m.s, webidl.Class{
		Name: "AbortSignal", Parent: m.targetClass(),
		Members: []webidl.Member{
			{Name: "aborted", Get: func(c goja.FunctionCall) goja.Value { return vm.ToValue(receiver(c, "aborted").aborted) }},
			{Name: "reason", Get: func(c goja.FunctionCall) goja.Value { return receiver(c, "reason").Reason() }},
			{Name: "throwIfAborted", Call: func(c goja.FunctionCall) goja.Value {
				if s := receiver(c, "throwIfAborted"); s.aborted {
					panic(s.reason)
				}
				return goja.Undefined()
			}},
			{Name: "onabort", Get: func(c goja.FunctionCall) goja.Value {
				return receiver(c, "onabort").handler("abort")
			}, Set: func(c goja.FunctionCall) goja.Value {
				receiver(c, "onabort").setHandler("abort", c.Argument(0))
				return goja.Undefined()
			}},
		},
		Statics: []webidl.Member{
			{Name: "abort", Call: func(c goja.FunctionCall) goja.Value {
				s := m.newSignal()
				s.abort(c.Argument(0))
				return s.object
			}},
			{Name: "timeout", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				ms := m.s.Args("AbortSignal.timeout", c).Number(0, "the time in milliseconds")
				if ms < 0 || ms > 1<<53 {
					panic(m.s.NewError("RangeError", "AbortSignal.timeout: the time must be between 0 and 2^53 milliseconds"))
				}
				s := m.newSignal()
				m.s.AfterFunc(time.Duration(min(ms, 1<<43))*time.Millisecond, func() error {
					s.abort(webidl.NewException(m.s, "TimeoutError", "The operation was aborted due to timeout"))
					return nil
				})
				return s.object
			}},
			{Name: "any", Length: 1, Call: m.anySignal},
		},
	})
	return m.signal
}

// anySignal makes a signal that fires when the first of several does.
func (m *instance) anySignal(c goja.FunctionCall) goja.Value {
	args := m.s.Args("AbortSignal.any", c)
	if _, ok := c.Argument(0).(*goja.Object); !ok {
		args.Throw("the argument must be a list of AbortSignals, not %s", runtime.Describe(c.Argument(0)))
	}
	var sources []*State
	m.s.VM().ForOf(c.Argument(0), func(v goja.Value) bool {
		source, ok := Signal(v)
		if !ok {
			args.Throw("each element must be an AbortSignal, not %s", runtime.Describe(v))
		}
		sources = append(sources, source)
		return true
	})
	s := m.newSignal()
	for _, source := range sources {
		if source.aborted {
			s.abort(source.reason)
			return s.object
		}
	}
	var cancels []func()
	for _, source := range sources {
		cancels = append(cancels, source.OnAbort(func() {
			for _, cancel := range cancels {
				cancel()
			}
			s.abort(source.reason)
		}))
	}
	return s.object
}
