package abort

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Target makes an object an EventTarget: embed it in the state of a class whose Parent is [TargetClass]. It belongs to
// its session's goroutine.
type Target struct{ target }

// Event makes an object an Event: embed it in the state of a class whose Parent is [EventClass].
type Event struct{ event }

// TargetClass returns the constructor of EventTarget. On the session's goroutine.
func TargetClass(s *runtime.Session) *goja.Object { return instanceOf(s).targetClass() }

// EventClass returns the constructor of Event. On the session's goroutine.
func EventClass(s *runtime.Session) *goja.Object { return instanceOf(s).eventClass() }

// ParseEvent reads what a script gives to the constructor of a class that extends Event: the type, and options, of which
// members are those that Event does not know.
func ParseEvent(s *runtime.Session, class string, c goja.FunctionCall, members ...string) (Event, runtime.Options) {
	m := instanceOf(s)
	e, options := m.newEvent(class, c, members...)
	return Event{*e}, options
}

// NewEvent returns the state of an event of a type that the system fires.
func NewEvent(s *runtime.Session, kind string) Event {
	return Event{event{kind: kind, trusted: true, at: instanceOf(s).elapsed()}}
}

// Listens reports whether there is a listener for events of a type.
func (t *target) Listens(kind string) bool {
	for _, l := range t.listeners {
		if l.kind == kind {
			return true
		}
	}
	return false
}

// OnListener has f called whenever a listener was added.
func (t *target) OnListener(f func()) { t.added = f }

// Dispatch calls the listeners of an event: object is an Event with the state e, this is the target's object. What
// they throw is fatal to the session.
func (t *Target) Dispatch(s *runtime.Session, this, object *goja.Object, e *Event) {
	instanceOf(s).dispatch(&t.target, this, object, &e.event)
}

// Handler returns the member on… of an EventTarget for events of a type. state returns the target of a receiver.
func Handler(kind string, state func(c goja.FunctionCall, member string) *Target) webidl.Member {
	name := "on" + kind
	return webidl.Member{
		Name: name,
		Get:  func(c goja.FunctionCall) goja.Value { return state(c, name).handler(kind) },
		Set: func(c goja.FunctionCall) goja.Value {
			state(c, name).setHandler(kind, c.Argument(0))
			return goja.Undefined()
		},
	}
}

// handler returns what an on… attribute was set to, or null.
func (t *target) handler(kind string) goja.Value {
	if l := t.handlerFor(kind); l != nil {
		return l.callback
	}
	return goja.Null()
}

func (t *target) handlerFor(kind string) *listener {
	for _, l := range t.listeners {
		if l.handler && l.kind == kind {
			return l
		}
	}
	return nil
}

// setHandler sets an on… attribute: what is no object takes the handler away.
func (t *target) setHandler(kind string, v goja.Value) {
	l := t.handlerFor(kind)
	f, ok := v.(*goja.Object)
	switch {
	case !ok:
		t.drop(l)
	case l != nil:
		l.callback = f
	default:
		t.add(&listener{kind: kind, callback: f, handler: true})
	}
}
