package testrunner

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// link is the test's end of a WebSocket: its functions are called in the session of the test.
type link struct {
	test                    *runtime.Session
	protocol                string
	opened, message, closed goja.Callable
}

var _ websocket.Peer = (*link)(nil)

// Protocol implements websocket.Peer.
func (l *link) Protocol() string { return l.protocol }

// conn is what a stub does to a connection.
type conn interface {
	Send(text bool, data []byte)
	Close(code int, reason string)
	Drop()
}

// Opened implements websocket.Peer.
func (l *link) Opened(c *websocket.Conn) { l.open(c) }

func (l *link) open(c conn) {
	l.test.Post(func() error {
		vm := l.test.VM()
		o := vm.NewObject()
		_ = o.Set("send", func(call goja.FunctionCall) goja.Value {
			if data, ok := webidl.Bytes(call.Argument(0)); ok {
				c.Send(false, append([]byte(nil), data...))
			} else {
				c.Send(true, []byte(call.Argument(0).String()))
			}
			return goja.Undefined()
		})
		_ = o.Set("close", func(call goja.FunctionCall) goja.Value {
			c.Close(int(call.Argument(0).ToInteger()), call.Argument(1).String())
			return goja.Undefined()
		})
		_ = o.Set("drop", func(goja.FunctionCall) goja.Value { c.Drop(); return goja.Undefined() })
		_, err := l.opened(goja.Undefined(), o)
		return err
	})
}

// Message implements websocket.Peer.
func (l *link) Message(text bool, data []byte) {
	l.test.Post(func() error {
		v := l.test.VM().ToValue(string(data))
		if !text {
			v = webidl.ArrayBuffer(l.test, append([]byte(nil), data...))
		}
		_, err := l.message(goja.Undefined(), v)
		return err
	})
}

// Closed implements websocket.Peer.
func (l *link) Closed(code int, reason string) {
	l.test.Post(func() error {
		_, err := l.closed(goja.Undefined(), l.test.VM().ToValue(code), l.test.VM().ToValue(reason))
		return err
	})
}

// connect is the server of a media WebSocket that the app does not serve itself: a stub, where there is one. The caller
// is at work.
func (w *world) connect(ctx context.Context, address string) (func(context.Context, call.Stream) error, error) {
	if err := w.clock.Sleep(ctx, 0); err != nil || !w.hasSocketStub(address) {
		return nil, err
	}
	peer, err := w.Accept(ctx, websocket.Request{URL: address})
	if err != nil {
		return nil, fmt.Errorf("%s opened no WebSocket: %w", shownURL(address), err)
	}
	return func(ctx context.Context, s call.Stream) error {
		l, c := peer.(*link), &platform{ctx: ctx, stream: s}
		l.open(c)
		for {
			text, data, err := s.Read(ctx)
			if err != nil {
				if c.over.CompareAndSwap(false, true) {
					l.Closed(1000, "")
				}
				return nil
			}
			l.Message(text, data)
		}
	}, nil
}

// platform is the platform's end of a media WebSocket in the hands of a stub.
type platform struct {
	ctx    context.Context
	stream call.Stream
	over   atomic.Bool
}

func (p *platform) Send(text bool, data []byte) {
	if !p.over.Load() {
		_ = p.stream.Write(p.ctx, text, data) // which fails once it is closed
	}
}

func (p *platform) Close(code int, reason string) {
	if p.over.CompareAndSwap(false, true) {
		_ = p.stream.Close(code, reason)
	}
}

func (p *platform) Drop() { p.Close(1006, "the connection broke off") }
