// Package websocket gives scripts the WebSocket client of the web platform (https://websockets.spec.whatwg.org), with
// the extensions that a server needs: headers, and iteration.
//
//	const ai = await new WebSocket('wss://ai.example/realtime', { headers: { Authorization: 'Bearer ' + env.AI_KEY } }).opened
//	ai.send(JSON.stringify({ type: 'session.update' }))
//	for await (const text of ai) {
//		const event = JSON.parse(text)
//		…
//	}
//
// Connections are made by [outbound.Client]: addresses that are not public are refused, redirects are not followed,
// times and sizes are bounded. A socket belongs to its session and ends with it.
//
// Where this differs from a browser: binary messages are an ArrayBuffer unless nothing else is said, and Blob is not
// known. Messages that come before anybody listens are kept for a while. A script that is slower than its server is not
// flooded: the connection is read at the script's pace. send throws when too much waits to be sent, rather than to close
// the connection.
//
// In simulated time a connecting socket lets time stand still, as a fetch does; while one is open, time passes no faster
// than the server's own, so that neither a time limit runs out before an answer could come, nor a silent server holds a
// simulation up for ever. A [Server] of the simulation's own lets time pass as fast as it likes.
package websocket

import (
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Options configure the module. The zero value of a field means its default.
type Options struct {
	// Handshake is how long a server may take to open a connection (default 10 s).
	Handshake time.Duration
	// Closing is how long it may take to close one (default 5 s).
	Closing time.Duration
	// Ping is how often a server is asked whether it is still there (default 20 s); two answers may be late.
	Ping time.Duration
	// Stuck is how long a message may take to be written (default 30 s).
	Stuck time.Duration
}

// Module provides the globals WebSocket, MessageEvent, CloseEvent and ErrorEvent. It is safe for concurrent use.
type Module struct {
	client  *outbound.Client
	options Options
	server  Server // in place of the network
}

// New returns the module. The client says what may be reached, and its limit for bodies is that for messages.
func New(client *outbound.Client, o Options) *Module {
	for _, f := range []struct {
		field *time.Duration
		other time.Duration
	}{{&o.Handshake, 10 * time.Second}, {&o.Closing, 5 * time.Second}, {&o.Ping, 20 * time.Second}, {&o.Stuck, 30 * time.Second}} {
		if *f.field <= 0 {
			*f.field = f.other
		}
	}
	return &Module{client: client, options: o}
}

// Name implements [runtime.Module].
func (*Module) Name() string { return "websocket" }

// Provides implements [runtime.Module].
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"WebSocket", "MessageEvent", "CloseEvent", "ErrorEvent"}}
}

// Instantiate implements [runtime.Module].
func (m *Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, m: m}, nil
}

// instance is the module in one session. Classes are made when they are first needed.
type instance struct {
	s        *runtime.Session
	m        *Module
	class    *goja.Object
	iterator *goja.Object
	events   [len(eventClasses)]*goja.Object
	opened   int // sockets, ever
	open     int // sockets that are not closed
}

// Import implements [runtime.Instance]; the module provides globals alone.
func (*instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements [runtime.Instance].
func (in *instance) Global(name string) goja.Value {
	for i := range eventClasses {
		if eventClasses[i].name == name {
			return in.eventClass(i)
		}
	}
	return in.socketClass()
}

// readyState are the states of a socket (section 3.1 of the standard).
const (
	connecting = iota
	isOpen
	closing
	closed
)

func (in *instance) socketClass() *goja.Object {
	if in.class != nil {
		return in.class
	}
	vm := in.s.VM()
	state := func(c goja.FunctionCall, member string) *socket {
		return webidl.Receiver[*socket](in.s, c, "WebSocket."+member)
	}
	attribute := func(name string, get func(k *socket) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value { return vm.ToValue(get(state(c, name))) }}
	}
	handler := func(kind string) webidl.Member {
		return abort.Handler(kind, func(c goja.FunctionCall, member string) *abort.Target { return &state(c, member).Target })
	}
	states := []webidl.Member{
		{Name: "CONNECTING", Constant: connecting}, {Name: "OPEN", Constant: isOpen},
		{Name: "CLOSING", Constant: closing}, {Name: "CLOSED", Constant: closed},
	}
	in.class = webidl.Define(in.s, webidl.Class{
		Name: "WebSocket", Length: 1, Parent: abort.TargetClass(in.s), Construct: in.construct, Statics: states,
		Members: append([]webidl.Member{
			attribute("url", func(k *socket) any { return k.url }),
			attribute("protocol", func(k *socket) any { return k.protocol }),
			attribute("extensions", func(*socket) any { return "" }),
			attribute("readyState", func(k *socket) any { return k.state }),
			attribute("bufferedAmount", func(k *socket) any { return k.unsent + k.wire.unsent() }),
			attribute("opened", func(k *socket) any { return k.openedPromise() }),
			{
				Name: "binaryType",
				Get:  func(c goja.FunctionCall) goja.Value { state(c, "binaryType"); return vm.ToValue("arraybuffer") },
				Set: func(c goja.FunctionCall) goja.Value {
					state(c, "binaryType")
					if webidl.Text(c.Argument(0)) == "blob" {
						panic(webidl.NewException(in.s, "NotSupportedError", `WebSocket.binaryType: "blob" is not available; messages come as an ArrayBuffer, make a Blob of it with new Blob([message])`))
					}
					return goja.Undefined()
				},
			},
			handler("open"), handler("message"), handler("error"), handler("close"),
			{Name: "send", Length: 1, Call: func(c goja.FunctionCall) goja.Value { state(c, "send").send(c); return goja.Undefined() }},
			{Name: "close", Call: func(c goja.FunctionCall) goja.Value { state(c, "close").close(c); return goja.Undefined() }},
		}, states...),
	})
	iterate := webidl.Function(vm, "[Symbol.asyncIterator]", 0, func(c goja.FunctionCall) goja.Value {
		return in.newIterator(state(c, "[Symbol.asyncIterator]"))
	})
	in.defineAsyncIterator(in.class.Get("prototype").(*goja.Object), iterate)
	return in.class
}
