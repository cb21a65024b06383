package abort

import (
	"slices"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// event is the state of an Event.
type event struct {
	kind                                 string
	bubbles, cancelable, composed        bool
	prevented, stopped, running, passive bool
	trusted                              bool
	target, current                      goja.Value
	at                                   float64
	detail                               goja.Value // of a CustomEvent
}

// eventState is implemented by the states of all classes that extend Event.
type eventState interface{ base() *event }

func (e *event) base() *event { return e }

// target is the state of an EventTarget.
type target struct {
	listeners []*listener
	added     func() // called after a listener was added, if set
}

// listener is one registration.
type listener struct {
	kind                         string
	callback                     *goja.Object
	capture, once, passive, gone bool
	handler                      bool // set through an on… attribute
	release                      func()
}

// eventTarget is implemented by the states of all classes that extend EventTarget.
type eventTarget interface{ events() *target }

func (t *target) events() *target { return t }

func (m *instance) eventClass() *goja.Object {
	if m.event != nil {
		return m.event
	}
	vm := m.s.VM()
	attribute := func(name string, get func(*event) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return vm.ToValue(get(webidl.Receiver[eventState](m.s, c, "Event."+name).base()))
		}}
	}
	method := func(name string, call func(*event)) webidl.Member {
		return webidl.Member{Name: name, Call: func(c goja.FunctionCall) goja.Value {
			call(webidl.Receiver[eventState](m.s, c, "Event."+name).base())
			return goja.Undefined()
		}}
	}
	orNull := func(v goja.Value) any {
		if v == nil {
			return goja.Null()
		}
		return v
	}
	phases := []webidl.Member{{Name: "NONE", Constant: 0}, {Name: "CAPTURING_PHASE", Constant: 1}, {Name: "AT_TARGET", Constant: 2}, {Name: "BUBBLING_PHASE", Constant: 3}}
	m.event = webidl.Define(m.s, webidl.Class{
		Name: "Event", Length: 1,
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			e, _ := m.newEvent("Event", c)
			webidl.Attach(m.s, this, e)
		},
		Members: append([]webidl.Member{
			attribute("type", func(e *event) any { return e.kind }),
			attribute("target", func(e *event) any { return orNull(e.target) }),
			attribute("srcElement", func(e *event) any { return orNull(e.target) }),
			attribute("currentTarget", func(e *event) any { return orNull(e.current) }),
			attribute("bubbles", func(e *event) any { return e.bubbles }),
			attribute("cancelable", func(e *event) any { return e.cancelable }),
			attribute("composed", func(e *event) any { return e.composed }),
			attribute("defaultPrevented", func(e *event) any { return e.prevented }),
			attribute("isTrusted", func(e *event) any { return e.trusted }),
			attribute("timeStamp", func(e *event) any { return e.at }),
			attribute("eventPhase", func(e *event) any {
				if e.running {
					return 2
				}
				return 0
			}),
			method("preventDefault", func(e *event) { e.prevented = e.prevented || e.cancelable && !e.passive }),
			method("stopPropagation", func(*event) {}),
			method("stopImmediatePropagation", func(e *event) { e.stopped = true }),
			{Name: "composedPath", Call: func(c goja.FunctionCall) goja.Value {
				e := webidl.Receiver[eventState](m.s, c, "Event.composedPath").base()
				if !e.running {
					return vm.NewArray()
				}
				return vm.NewArray(e.target)
			}},
		}, phases...),
		Statics: phases,
	})
	return m.event
}

func (m *instance) customEventClass() *goja.Object {
	if m.custom == nil {
		m.custom = webidl.Define(m.s, webidl.Class{
			Name: "CustomEvent", Length: 1, Parent: m.eventClass(),
			Construct: func(this *goja.Object, c goja.FunctionCall) {
				e, o := m.newEvent("CustomEvent", c, "detail")
				e.detail = o.Value("detail")
				webidl.Attach(m.s, this, e)
			},
			Members: []webidl.Member{{Name: "detail", Get: func(c goja.FunctionCall) goja.Value {
				if e := webidl.Receiver[*event](m.s, c, "CustomEvent.detail"); e.detail != nil {
					return e.detail
				}
				return goja.Null()
			}}},
		})
	}
	return m.custom
}

// newEvent reads the arguments of a constructor; members are options that Event does not know.
func (m *instance) newEvent(class string, c goja.FunctionCall, members ...string) (*event, runtime.Options) {
	webidl.Need(m.s, c, 1, class)
	o := m.s.Args(class, c).Options(1, append([]string{"bubbles", "cancelable", "composed"}, members...)...)
	return &event{
		kind: webidl.Text(c.Argument(0)), bubbles: truthy(o.Value("bubbles")), cancelable: truthy(o.Value("cancelable")),
		composed: truthy(o.Value("composed")), at: m.elapsed(),
	}, o
}

func (m *instance) elapsed() float64 { return float64(m.s.Elapsed().Microseconds()) / 1000 }

func truthy(v goja.Value) bool { return v != nil && v.ToBoolean() }

func (m *instance) targetClass() *goja.Object {
	if m.target != nil {
		return m.target
	}
	m.target = webidl.Define(m.s, webidl.Class{
		Name:      "EventTarget",
		Construct: func(this *goja.Object, _ goja.FunctionCall) { webidl.Attach(m.s, this, &target{}) },
		Members: []webidl.Member{
			{Name: "addEventListener", Length: 2, Call: m.addListener},
			{Name: "removeEventListener", Length: 2, Call: m.removeListener},
			{Name: "dispatchEvent", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				t := webidl.Receiver[eventTarget](m.s, c, "EventTarget.dispatchEvent").events()
				state, ok := webidl.StateOf[eventState](c.Argument(0))
				if !ok {
					m.s.Args("EventTarget.dispatchEvent", c).Throw("the argument must be an Event")
				}
				e := state.base()
				if e.running {
					panic(webidl.NewException(m.s, "InvalidStateError", "dispatchEvent: the event is being dispatched already"))
				}
				e.trusted = false
				m.dispatch(t, c.This, c.Argument(0), e)
				return m.s.VM().ToValue(!e.prevented)
			}},
		},
	})
	return m.target
}

// maxListeners bounds the listeners of one target.
const maxListeners = 1000

func (m *instance) addListener(c goja.FunctionCall) goja.Value {
	const name = "EventTarget.addEventListener"
	t := webidl.Receiver[eventTarget](m.s, c, name).events()
	webidl.Need(m.s, c, 2, name)
	args := m.s.Args(name, c)
	l := &listener{kind: webidl.Text(c.Argument(0))}
	if _, isObject := c.Argument(2).(*goja.Object); isObject {
		o := args.Options(2, "capture", "once", "passive", "signal")
		l.capture, l.once, l.passive = truthy(o.Value("capture")), truthy(o.Value("once")), truthy(o.Value("passive"))
		if v := o.Value("signal"); v != nil {
			state, ok := Signal(v)
			if !ok {
				args.Throw(`option "signal" must be an AbortSignal`)
			}
			if state.Aborted() {
				return goja.Undefined()
			}
			l.release = state.OnAbort(func() { t.drop(l) })
		}
	} else {
		l.capture = truthy(c.Argument(2))
	}
	switch v := c.Argument(1).(type) {
	case *goja.Object:
		l.callback = v
	default:
		if goja.IsNull(v) || goja.IsUndefined(v) {
			return goja.Undefined()
		}
		args.Throw("the listener must be a function or an object with handleEvent")
	}
	if t.find(l.kind, l.callback, l.capture) == nil {
		if len(t.listeners) >= maxListeners {
			panic(m.s.NewError("RangeError", "addEventListener: too many listeners (limit 1000)"))
		}
		t.add(l)
	}
	return goja.Undefined()
}

func (t *target) add(l *listener) {
	t.listeners = append(t.listeners, l)
	if t.added != nil {
		t.added()
	}
}

func (m *instance) removeListener(c goja.FunctionCall) goja.Value {
	const name = "EventTarget.removeEventListener"
	t := webidl.Receiver[eventTarget](m.s, c, name).events()
	webidl.Need(m.s, c, 2, name)
	capture := truthy(c.Argument(2))
	if _, isObject := c.Argument(2).(*goja.Object); isObject {
		capture = truthy(m.s.Args(name, c).Options(2, "capture").Value("capture"))
	}
	if callback, ok := c.Argument(1).(*goja.Object); ok {
		t.drop(t.find(webidl.Text(c.Argument(0)), callback, capture))
	}
	return goja.Undefined()
}

func (t *target) find(kind string, callback *goja.Object, capture bool) *listener {
	for _, l := range t.listeners {
		if l.kind == kind && l.callback == callback && l.capture == capture && !l.handler {
			return l
		}
	}
	return nil
}

func (t *target) drop(l *listener) {
	if l == nil {
		return
	}
	l.gone = true
	if l.release != nil {
		l.release()
	}
	t.listeners = slices.DeleteFunc(slices.Clone(t.listeners), func(other *listener) bool { return other == l })
}

// dispatch calls the listeners of an event. What they throw is fatal to the session, since nobody waits for it,
// but does not keep the other listeners from being called.
func (m *instance) dispatch(t *target, this, object goja.Value, e *event) {
	e.target, e.current, e.running, e.stopped = this, this, true, false
	for _, l := range t.listeners {
		if l.gone || l.kind != e.kind {
			continue
		}
		if l.once {
			t.drop(l)
		}
		e.passive = l.passive
		m.call(l, this, object)
		if e.stopped {
			break
		}
	}
	e.running, e.current, e.passive = false, nil, false
}

func (m *instance) call(l *listener, this, object goja.Value) {
	fn, callable := goja.AssertFunction(l.callback)
	if !callable {
		this = l.callback
		var missing bool
		err := m.s.VM().Try(func() {
			if fn, callable = goja.AssertFunction(l.callback.Get("handleEvent")); !callable {
				missing = true
			}
		})
		if err != nil {
			webidl.Uncaught(m.s, err)
			return
		}
		if missing {
			m.s.Post(func() error {
				return &noHandler
			})
			return
		}
	}
	if _, err := fn(this, object); err != nil {
		webidl.Uncaught(m.s, err)
	}
}
