package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/dop251/goja/file"
	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// Server answers sockets in place of the network, in the session's own time: what a simulator has in it. Nothing is
// pinged, and only the handshake and closing have time limits.
type Server interface {
	// Accept answers a handshake. It may wait, in the session's time; ctx ends when the script gives up. The error is a
	// [*Refusal], an [*outbound.Error], or anything else that kept the connection from being made.
	Accept(ctx context.Context, r Request) (Peer, error)
}

// Request is a handshake.
type Request struct {
	// URL is what is connected to: ws:// or wss://.
	URL string
	// Protocols are those that the script offers; Header is what it sends.
	Protocols []string
	Header    http.Header
	// From is where in the script the socket was made, the innermost call first.
	From []file.Position
}

// positions are the places of a stack.
func positions(from webidl.Origin) []file.Position {
	list := make([]file.Position, len(from))
	for i := range from {
		list[i] = from[i].Position()
	}
	return list
}

// Peer is the far end of a socket. Its methods are called in order and must not wait.
type Peer interface {
	// Protocol is the one chosen of those offered, or "".
	Protocol() string
	// Opened hands over the connection, once, before all others.
	Opened(c *Conn)
	// Message takes what the script sends.
	Message(text bool, data []byte)
	// Closed tells that the script has closed the socket, with a code (RFC 6455 section 7.4, 1005 for none) and a
	// reason, or with 1001 that its session has ended. It is not called when the peer was first.
	Closed(code int, reason string)
}

// Refusal is an HTTP status in place of a socket.
type Refusal struct{ Status int }

// Error says which.
func (r *Refusal) Error() string { return fmt.Sprintf("the server answered %d", r.Status) }

// Conn is a socket's connection in the hands of its [Peer]. Its methods never wait and may be called from any goroutine.
// Once the socket is closed they do nothing.
type Conn struct {
	socket *socket
	peer   Peer

	mu     sync.Mutex
	closed bool
	undo   func() // looks for the session's end no more
}

// Through returns the module with a server in place of the network.
func (m *Module) Through(s Server) *Module {
	virtual := *m
	virtual.server = s
	return &virtual
}

// Send sends the script a message, which must not be changed afterwards.
func (c *Conn) Send(text bool, data []byte) {
	if limit := c.socket.wire.limit; int64(len(data)) > limit && limit > 0 {
		c.finish(tooBig(limit))
		return
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.socket.wire.push(message{text, data})
	}
}

// Close closes the socket once the script has taken what was sent before.
func (c *Conn) Close(code int, reason string) {
	c.finish(ending{code: code, reason: reason, clean: true})
}

// Drop breaks the connection off without a goodbye.
func (c *Conn) Drop() { c.finish(broken("ECONNRESET", brokeOff)) }

// over marks the connection as closed and reports whether it was open.
func (c *Conn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.closed = true
	if c.undo != nil {
		c.undo()
	}
	return true
}

func (c *Conn) finish(e ending) {
	if c.over() {
		c.socket.wire.last(func() { c.socket.in.s.Post(func() error { return c.socket.end(e) }) })
	}
}

// bye closes the socket from the script's side.
func (c *Conn) bye(code int, reason string) {
	if !c.over() {
		return // the peer was first
	}
	if code == 0 {
		code = websocket.CloseNoStatusReceived
	}
	c.socket.wire.deafen()
	c.peer.Closed(code, reason)
	c.socket.in.s.Post(func() error { return c.socket.end(ending{code: code, clean: true}) }) // the reason is not echoed
}

// watch tells the peer of the session's end.
func (c *Conn) watch() {
	gone := func() {
		if c.over() {
			c.peer.Closed(websocket.CloseGoingAway, "")
		}
	}
	s := c.socket.in.s
	ctx := s.Context()
	var undo func()
	if clock, ok := s.Clock().(interface {
		AfterCancel(ctx context.Context, f func()) (stop func())
	}); ok {
		undo = clock.AfterCancel(ctx, gone)
	} else {
		stop := context.AfterFunc(ctx, gone)
		undo = func() { stop() }
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.undo = undo; c.closed {
		undo()
	}
}

// meet is connect where a server stands in place of the network.
func (k *socket) meet(ctx context.Context, t *target, from []file.Position, done func()) {
	defer done()
	s := k.in.s
	late, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := s.Clock().AfterFunc(t.timeout, func() { cancel(errLate) })
	peer, err := k.in.m.server.Accept(late, Request{URL: shown(t.url.String()), Protocols: t.protocols, Header: t.header, From: from})
	patience.Stop()
	if err == nil && late.Err() != nil {
		peer.Closed(websocket.CloseAbnormalClosure, "")
		err = context.Cause(late)
	}
	if err == nil && peer.Protocol() != "" {
		err = accepted(t, &http.Response{Header: http.Header{"Sec-Websocket-Protocol": {peer.Protocol()}}})
	}
	var refusal *Refusal
	switch {
	case err == nil:
		c := &Conn{socket: k, peer: peer}
		s.Post(func() error {
			if k.state != connecting { // it was closed meanwhile
				peer.Closed(websocket.CloseAbnormalClosure, "")
				return k.end(ending{code: websocket.CloseAbnormalClosure, err: aborted(nil)})
			}
			k.wire.far = c
			c.watch()
			peer.Opened(c)
			return k.isOpen(peer.Protocol())
		})
		return
	case errors.Is(context.Cause(late), errLate):
		err = tooLate(t)
	case ctx.Err() != nil:
		err = aborted(err)
	case errors.As(err, &refusal):
		err = refused(t, &http.Response{StatusCode: refusal.Status, Header: http.Header{}})
	}
	s.Post(func() error { return k.end(ending{code: websocket.CloseAbnormalClosure, err: err}) })
}

// errLate says that the handshake took too long.
var errLate = fmt.Errorf("late: %w", context.DeadlineExceeded)

func tooLate(t *target) error {
	return &outbound.Error{Code: "ETIMEDOUT", Message: fmt.Sprintf("%s did not answer the handshake within %v", t.url.Host, t.timeout), Err: context.DeadlineExceeded}
}

func aborted(err error) error {
	return &outbound.Error{Code: "EABORTED", Message: "it was closed before it was open", Err: err}
}
