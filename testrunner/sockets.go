package testrunner

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime"
)

// socketStub answers WebSockets of one URL, or of those that fit.
type socketStub struct {
	target
	connect goja.Callable
}

// socketStub registers a stub: its function gets each handshake and says what becomes of it.
func (b *bench) socketStub(a runtime.Args) goja.Value {
	s := socketStub{target: b.target(a.Value(0)), connect: a.Function(1, "the server")}
	if b.world != nil {
		b.world.sockets = append(b.world.sockets, s)
	}
	return goja.Undefined()
}

var _ websocket.Server = (*world)(nil)

// handshake is what a stub says to a handshake.
type handshake struct {
	delay    time.Duration
	refusal  error
	protocol string
	link     *link
}

// Accept implements websocket.Server: it asks the newest stub that fits. The caller is at work.
func (w *world) Accept(ctx context.Context, r websocket.Request) (websocket.Peer, error) {
	if err := w.clock.Sleep(ctx, 0); err != nil { // so that the test has done what it does in this moment
		return nil, err
	}
	shown := shownURL(r.URL)
	if !w.hasSocketStub(r.URL) {
		w.fail("%sthe app opened a WebSocket to %s, which has no stub: add stubWebSocket('%s', …)", before(authors(r.From)), shown, shown)
		return nil, &outbound.Error{Code: "ECONNREFUSED", Message: "the test has no stub for " + shown}
	}
	said := handshake{}
	err := w.test.RunLong(ctx, "the stub of "+shown, func() (goja.Value, error) {
		for i := len(w.sockets) - 1; i >= 0; i-- {
			fits, err := w.sockets[i].fits(r.URL)
			if err != nil {
				return nil, err
			}
			if fits {
				return w.sockets[i].connect(goja.Undefined(), opening(w.test, r))
			}
		}
		return nil, errors.New("its stub is gone")
	}, func(_ *goja.Runtime, v goja.Value) error { return w.readHandshake(v, &said) })
	switch {
	case err != nil && ctx.Err() == nil:
		w.fail("the stub of %s failed: %s", shown, detail(err))
		return nil, &outbound.Error{Code: "ECONNREFUSED", Message: "its stub failed", Err: err}
	case err != nil:
		return nil, context.Cause(ctx)
	}
	if err := w.clock.Sleep(ctx, said.delay); err != nil {
		return nil, err
	}
	if said.refusal != nil {
		return nil, said.refusal
	}
	said.link.protocol = said.protocol
	return said.link, nil
}

// hasSocketStub reports whether there is a stub for a URL. The caller is at work.
func (w *world) hasSocketStub(address string) (has bool) {
	w.ask(func() {
		for _, s := range w.sockets {
			if fits, err := s.fits(address); err == nil && fits {
				has = true
			}
		}
	})
	return has
}

// opening is what a stub's function gets of a handshake.
func opening(s *runtime.Session, r websocket.Request) goja.Value {
	vm := s.VM()
	headers := vm.NewObject()
	for name, values := range r.Header {
		_ = headers.Set(strings.ToLower(name), strings.Join(values, ", "))
	}
	protocols := make([]any, len(r.Protocols))
	for i, p := range r.Protocols {
		protocols[i] = p
	}
	o := vm.NewObject()
	_ = o.Set("url", r.URL)
	_ = o.Set("headers", headers)
	_ = o.Set("protocols", vm.NewArray(protocols...))
	return o
}

// readHandshake understands what the module's wrapper made of a stub's reply.
func (w *world) readHandshake(v goja.Value, into *handshake) error {
	thrown := w.test.VM().Try(func() {
		a := w.test.Args("stubWebSocket", goja.FunctionCall{Arguments: []goja.Value{v}})
		o := a.Options(0, "refuse", "delay", "protocol", "opened", "message", "closed")
		into.delay, into.protocol = o.Duration("delay", 0), o.String("protocol", "")
		switch refuse := o.Value("refuse"); {
		case refuse == nil:
		case isText(refuse):
			into.refusal = networkError(refuse.String())
			return
		default:
			status := refuse.ToInteger()
			if status < 300 || status > 599 {
				a.Throw(`"refuse" must be an HTTP status from 300 to 599, or the code of a network error such as "ECONNREFUSED", not %s`, runtime.Describe(refuse))
			}
			into.refusal = &websocket.Refusal{Status: int(status)}
			return
		}
		into.link = &link{test: w.test}
		for _, f := range []struct {
			name string
			to   *goja.Callable
		}{{"opened", &into.link.opened}, {"message", &into.link.message}, {"closed", &into.link.closed}} {
			*f.to, _ = goja.AssertFunction(o.Value(f.name))
		}
	})
	if thrown != nil {
		return thrown
	}
	return nil
}

func isText(v goja.Value) bool { _, ok := v.(goja.String); return ok }

// networkError is what the network would fail with.
func networkError(code string) error {
	switch code {
	case "ECONNREFUSED":
		return &outbound.Error{Code: code, Message: "the server refused the connection", Err: syscall.ECONNREFUSED}
	case "ENOTFOUND":
		return &outbound.Error{Code: code, Message: "there is no such host", Err: &net.DNSError{IsNotFound: true}}
	case "ETIMEDOUT":
		return &outbound.Error{Code: code, Message: "the connection could not be made in time", Err: context.DeadlineExceeded}
	}
	return &outbound.Error{Code: code, Message: "the connection failed: " + code, Err: errors.New(code)}
}

// broken notes that a function of a stub has failed.
func (b *bench) broken(a runtime.Args) goja.Value {
	what, thrown, w := shownURL(a.String(0, "the URL")), runtime.Thrown(a.Value(1)), b.world
	done := b.session.Work()
	w.calls.Go(func() {
		defer done()
		err := b.session.Run(w.ctx, "the stub of "+what, func() (goja.Value, error) { return nil, thrown }, nil)
		w.fail("the stub of %s failed: %s", what, detail(err))
	})
	return goja.Undefined()
}

// shownURL leaves out of a URL what may be secret.
func shownURL(address string) string {
	scheme, rest, ok := strings.Cut(address, ":")
	switch {
	case !ok:
		return redacted(address)
	case scheme == "ws":
		return "ws" + strings.TrimPrefix(redacted("http:"+rest), "http")
	case scheme == "wss":
		return "wss" + strings.TrimPrefix(redacted("https:"+rest), "https")
	}
	return redacted(address)
}
