package websocket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// maxSockets bounds how many sockets of a session may be open at once.
const maxSockets = 16

// socket is the state of a WebSocket. It belongs to its session's goroutine.
type socket struct {
	abort.Target
	in       *instance
	object   *goja.Object
	n        int // of the session's sockets
	url      string
	shown    string // for the journal: without values
	host     string
	origin   string
	from     webidl.Origin
	state    int
	protocol string
	unsent   int // octets that were sent when nothing could be sent any more
	began    int64
	wire     *wire
	cancel   context.CancelFunc // gives up the handshake, or the connection
	release  func(func() (goja.Value, error))

	iterations int
	waiters    []func(func() (goja.Value, error))
	ready      goja.Value // the promise of opened
	settle     func(error)
	failure    *goja.Object // why it broke off
}

// entry is what the journal holds of a socket: neither messages, nor headers, nor reasons.
type entry struct {
	N        int    `json:"n"`
	State    string `json:"state"`
	URL      string `json:"url,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	Milli    int64  `json:"ms"`
	Code     int    `json:"code,omitempty"`
	Error    string `json:"error,omitempty"`
	Received *count `json:"received,omitempty"`
	Sent     *count `json:"sent,omitempty"`
	Dropped  int    `json:"dropped,omitempty"`
}

type count struct {
	Messages int `json:"messages"`
	Bytes    int `json:"bytes"`
}

// construct implements new WebSocket(url, protocols or options).
func (in *instance) construct(this *goja.Object, c goja.FunctionCall) {
	t := in.parse(c)
	if in.open >= maxSockets {
		panic(in.s.NewError("RangeError", fmt.Sprintf("WebSocket: %d sockets are open; close one first", maxSockets)))
	}
	k := &socket{
		in: in, object: this, n: in.opened + 1, url: shown(t.url.String()), shown: shown(outbound.Redact(t.url)), host: t.url.Host,
		origin: strings.Replace(t.url.Scheme, "http", "ws", 1) + "://" + t.url.Host, from: webidl.Here(in.s),
		began: in.s.Now().UnixMilli(), cancel: func() {},
	}
	k.wire = newWire(in.m.options, in.m.client.MaxBody(), func() { in.s.Post(k.deliver) })
	k.OnListener(k.look)
	webidl.Attach(in.s, this, k)
	if in.s.DryRun() {
		return
	}
	// Pending as long as the socket is not closed: whoever waits for a message does not wait for nothing.
	_, k.release = in.s.Promise()
	in.opened++
	in.open++
	if in.s.Unrepeatable("the script speaks over a WebSocket, which is not recorded"); in.s.Replaying() {
		return
	}
	ctx, cancel := context.WithCancel(in.s.Context())
	k.cancel = cancel
	if in.m.server != nil {
		go k.meet(ctx, t, positions(k.from), in.s.Work())
		return
	}
	go k.connect(ctx, t, in.s.Work())
}

// connect serves the socket from the handshake to its end. On a goroutine of its own; done ends the work that lets
// simulated time stand still.
func (k *socket) connect(ctx context.Context, t *target, done func()) {
	defer k.cancel()
	conn, err := k.in.m.dial(ctx, t)
	s := k.in.s
	if err != nil {
		s.Post(func() error { return k.end(ending{code: websocket.CloseAbnormalClosure, err: err}) })
		done()
		return
	}
	k.wire.conn = conn
	over := make(chan struct{})
	pace(s, over)
	s.Post(func() error { return k.isOpen(conn.Subprotocol()) })
	done()
	end := k.wire.run(ctx)
	close(over)
	s.Post(func() error { return k.end(end) })
}

// isOpen is the turn in which the socket opens.
func (k *socket) isOpen(protocol string) error {
	if k.state != connecting {
		return nil
	}
	k.state, k.protocol = isOpen, protocol
	k.record(entry{State: "open", URL: k.shown, Protocol: protocol})
	if k.settle != nil {
		k.settle(nil)
	}
	k.fireOpen()
	k.look()
	return nil
}

func (k *socket) record(e entry) {
	e.N, e.Milli = k.n, k.in.s.Now().UnixMilli()-k.began
	k.in.s.Record("websocket", e)
}

// look says who takes messages, and has those delivered that wait. Called whenever that may have changed.
func (k *socket) look() {
	k.wire.keep(k.iterations > 0 || k.Listens("message"))
	if k.wire.noticed() {
		k.in.s.Post(k.deliver)
	}
}

// deliver is a turn in which a message is delivered, if somebody wants it.
func (k *socket) deliver() error {
	if !k.wire.noticed() || k.iterations > 0 && len(k.waiters) == 0 || k.iterations == 0 && !k.Listens("message") {
		return nil
	}
	m, ok, more := k.wire.take()
	if !ok {
		return nil
	}
	v := k.hand(m)
	if len(k.waiters) > 0 {
		settle := k.waiters[0]
		k.waiters = k.waiters[1:]
		settle(func() (goja.Value, error) { return webidl.IteratorResult(k.in.s.VM(), v, false), nil })
	}
	if more {
		k.in.s.Post(k.deliver)
	}
	return nil
}

// hand makes a value of a message and tells the listeners.
func (k *socket) hand(m message) goja.Value {
	var v goja.Value
	if m.text {
		v = k.in.s.VM().ToValue(string(m.data))
	} else {
		v = webidl.ArrayBuffer(k.in.s, m.data)
	}
	if k.state != closing {
		k.fire("message", messageClass, v, k.origin, "")
	}
	return v
}

// send implements send(data).
func (k *socket) send(c goja.FunctionCall) {
	const name = "WebSocket.send"
	webidl.Need(k.in.s, c, 1, name)
	if k.state == connecting {
		panic(webidl.NewException(k.in.s, "InvalidStateError", name+": the socket is still connecting; await socket.opened first, or send when the event open comes"))
	}
	m := message{}
	v := c.Argument(0)
	if data, ok := webidl.Bytes(v); ok {
		m.data = data
	} else {
		if isForeign(v) {
			k.in.s.Args(name, c).Throw("the data must be text, an ArrayBuffer or a view of one, not %s; a Blob has arrayBuffer(), objects go through JSON.stringify", runtime.Describe(v))
		}
		m.text, m.data = true, []byte(webidl.Text(v))
	}
	switch {
	case k.state != isOpen:
		k.unsent += len(m.data) // as the standard has it: it is lost
		return
	case len(m.data) > maxUnsent:
		panic(webidl.NewException(k.in.s, "QuotaExceededError", fmt.Sprintf("%s: a message of %d bytes; the limit is %d: send it in pieces", name, len(m.data), maxUnsent)))
	}
	if !m.text {
		m.data = slices.Clone(m.data) // the script may change it before it is sent
	}
	if !k.wire.put(m) {
		panic(webidl.NewException(k.in.s, "QuotaExceededError", fmt.Sprintf("%s: the server is too slow: %d bytes wait for it and the limit is %d; look at bufferedAmount before you send", name, k.wire.unsent(), maxUnsent)))
	}
}

// isForeign reports whether a value is an object that nobody wants to send as "[object Object]".
func isForeign(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok {
		return goja.IsUndefined(v)
	}
	return webidl.KindOf(o) != webidl.BoxKind
}

// close implements close(code, reason).
func (k *socket) close(c goja.FunctionCall) {
	code, reason := 0, ""
	a := k.in.s.Args("WebSocket.close", c)
	if a.Has(0) {
		n := a.Number(0, "the code")
		if code = int(n); n != 1000 && (n < 3000 || n > 4999 || n != float64(code)) {
			panic(webidl.NewException(k.in.s, "InvalidAccessError", fmt.Sprintf("WebSocket.close: the code must be 1000, or 3000 to 4999, not %v", n)))
		}
	}
	if a.Has(1) {
		if reason = webidl.Text(a.Value(1)); len(reason) > 123 {
			panic(webidl.NewException(k.in.s, "SyntaxError", fmt.Sprintf("WebSocket.close: the reason may have 123 bytes, not %d", len(reason))))
		}
		if code == 0 {
			code = 1000 // a reason needs a code
		}
	}
	was := k.state
	switch was {
	case connecting:
		k.state = closing
		k.cancel()
	case isOpen:
		k.state = closing
		if k.wire.far != nil {
			k.wire.far.bye(code, reason)
			return
		}
		frame := []byte{}
		if code != 0 {
			frame = websocket.FormatCloseMessage(code, reason)
		}
		k.wire.bye(frame)
	}
}

// end is the turn in which the socket is closed.
func (k *socket) end(e ending) error {
	s := k.in.s
	k.state = closed
	k.in.open--
	k.cancel()
	k.release(func() (goja.Value, error) { return goja.Undefined(), nil })
	received, sent, dropped := k.wire.counts()
	note := entry{State: "closed", Code: e.code, Dropped: dropped}
	if e.err != nil {
		known := k.in.m.client.Explain(e.err)
		note.Error = known.Code
		k.failure = s.NewError("Error", "WebSocket: "+k.host+": "+known.Message).(*goja.Object)
		_ = k.failure.Set("code", known.Code)
		k.from.Mark(s, k.failure)
	}
	if k.wire.conn == nil && k.wire.far == nil {
		note.URL = k.shown
	} else {
		note.Received, note.Sent = &count{received.messages, received.octets}, &count{sent.messages, sent.octets}
	}
	k.record(note)
	if k.iterations == 0 && k.Listens("message") {
		for m, ok, _ := k.wire.take(); ok; m, ok, _ = k.wire.take() {
			k.hand(m)
		}
	}
	for _, settle := range k.waiters {
		settle(k.last)
	}
	k.waiters = nil
	if k.settle != nil {
		k.settle(errors.New("closed"))
	}
	if k.failure != nil {
		k.fire("error", errorClass, k.failure.Get("message"), k.failure)
	}
	k.fire("close", closeClass, e.clean, e.code, e.reason)
	return nil
}

// last is the outcome for who awaits a message that does not come.
func (k *socket) last() (goja.Value, error) {
	if k.failure != nil {
		return nil, k.in.thrown(k.failure)
	}
	return webidl.IteratorResult(k.in.s.VM(), nil, true), nil
}

// openedPromise returns the promise of opened: the socket itself, or why it did not open. It is made when it is first
// asked for, so that who does not ask has no rejection to handle.
func (k *socket) openedPromise() goja.Value {
	switch {
	case k.ready != nil:
	case k.state == isOpen:
		k.ready = k.in.settled(k.object, false)
	case k.state == closed:
		k.ready = k.in.settled(k.notOpen(), true)
	default:
		promise, settle := k.in.s.Promise()
		k.ready = promise
		k.settle = func(err error) {
			k.settle = nil
			settle(func() (goja.Value, error) {
				if err != nil {
					return nil, k.in.thrown(k.notOpen())
				}
				return k.object, nil
			})
		}
	}
	return k.ready
}

// notOpen is why a socket is not open.
func (k *socket) notOpen() *goja.Object {
	if k.failure != nil {
		return k.failure
	}
	o := k.in.s.NewError("Error", "WebSocket: "+k.host+": the socket is closed").(*goja.Object)
	k.from.Mark(k.in.s, o)
	return o
}
