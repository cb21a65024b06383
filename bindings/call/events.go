package call

import (
	"slices"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

const (
	// maxListeners bounds the functions that listen to one call, and the iterations over its events; maxUnread the events that an iteration has not
	// asked for yet, after which the oldest are forgotten.
	maxListeners = 50
	maxUnread    = 1000
)

// listener is a function that call.on was given.
type listener struct {
	status string
	fn     goja.Callable
}

// on has a function called with the call's live events of a status, or of all ("*").
func (v *verbs) on(a runtime.Args) goja.Value {
	if v.conv == nil {
		a.Throw("events can only be listened to on the script's own call")
	}
	status, fn := a.String(0, "the status"), a.Function(1, "the listener")
	switch call.Status(status) {
	case "*", call.StatusStarted, call.StatusRinging, call.StatusAnswered, call.StatusBridged, call.StatusHangup,
		call.StatusStreamConnected, call.StatusStreamDisconnected, call.StatusStreamError:
	default:
		a.Throw(`there is no event %.30q: there are started, ringing, answered, bridged, hangup, stream_connected, stream_disconnected, stream_error and "*"`, status)
	}
	if len(v.conv.listeners) >= maxListeners {
		a.Throw("at most %d functions can listen to one call", maxListeners)
	}
	v.conv.listeners = append(v.conv.listeners, listener{status, fn})
	return goja.Undefined()
}

// events iterates over the call's live events until its end.
func (v *verbs) events(a runtime.Args) goja.Value {
	if v.conv == nil {
		a.Throw("events can only be listened to on the script's own call")
	}
	if len(v.conv.feeds) >= maxListeners {
		a.Throw("at most %d iterations over the events of one call can be under way; leave their loops", maxListeners)
	}
	s := v.session
	f := &feed{session: s, over: v.conv.gone}
	if !f.over {
		v.conv.feeds = append(v.conv.feeds, f)
	}
	o := s.VM().NewObject()
	set(o, "next", func(goja.FunctionCall) goja.Value { return f.next() })
	set(o, "return", func(goja.FunctionCall) goja.Value {
		f.end()
		v.conv.feeds = slices.DeleteFunc(v.conv.feeds, func(other *feed) bool { return other == f })
		p, resolve, _ := s.VM().NewPromise()
		_ = resolve(f.item(goja.Undefined(), true))
		return s.VM().ToValue(p)
	})
	self := s.VM().ToValue(func(goja.FunctionCall) goja.Value { return o })
	symbols := s.VM().GlobalObject().Get("Symbol").ToObject(s.VM())
	if symbol, ok := symbols.Get("asyncIterator").(*goja.Symbol); ok {
		_ = o.SetSymbol(symbol, self)
	}
	return o
}

// feed is one iteration over events.
type feed struct {
	session *runtime.Session
	unread  []goja.Value
	over    bool
	waiting []func(func() (goja.Value, error))
}

func (f *feed) item(v goja.Value, done bool) goja.Value {
	o := f.session.VM().NewObject()
	set(o, "value", v)
	set(o, "done", done)
	return o
}

func (f *feed) next() goja.Value {
	p, resolve, _ := f.session.VM().NewPromise()
	switch {
	case len(f.unread) > 0:
		v := f.unread[0]
		f.unread = f.unread[1:]
		_ = resolve(f.item(v, false))
	case f.over:
		_ = resolve(f.item(goja.Undefined(), true))
	default:
		f.session.Prolong() // events come as long as the call lasts
		promise, settle := f.session.Deferred()
		f.waiting = append(f.waiting, settle)
		return promise
	}
	return f.session.VM().ToValue(p)
}

func (f *feed) put(v goja.Value) {
	if f.over {
		return
	}
	if len(f.waiting) > 0 {
		settle := f.waiting[0]
		f.waiting = f.waiting[1:]
		settle(func() (goja.Value, error) { return f.item(v, false), nil })
		return
	}
	if len(f.unread) >= maxUnread {
		f.unread = f.unread[1:]
	}
	f.unread = append(f.unread, v)
}

func (f *feed) end() {
	f.over = true
	for _, settle := range f.waiting {
		settle(func() (goja.Value, error) { return f.item(goja.Undefined(), true), nil })
	}
	f.waiting = nil
}

// tell passes an event on to those who listen. On the session's goroutine.
func (conv *conversation) tell(e *call.Event) error {
	if len(conv.listeners) == 0 && len(conv.feeds) == 0 {
		return nil
	}
	object := conv.eventObject(e)
	for _, f := range conv.feeds {
		f.put(object)
	}
	if e.Status == call.StatusHangup && e.Leg != call.LegB {
		for _, f := range conv.feeds {
			f.end()
		}
		conv.feeds = nil
	}
	for _, l := range conv.listeners {
		if l.status != "*" && l.status != string(e.Status) {
			continue
		}
		if _, err := l.fn(goja.Undefined(), object); err != nil {
			return err
		}
	}
	return nil
}
