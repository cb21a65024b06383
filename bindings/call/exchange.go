package call

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// exchange is one question of the platform's, and its reply: given once, and given again to whoever asks the same
// question again. On the session's goroutine.
type exchange struct {
	reply call.Reply
	err   error
	done  bool

	promise goja.Value // made when somebody has to wait
	resolve func(any) error
	session *runtime.Session
}

// value is what a callback returns that waits for the reply.
func (x *exchange) value(s *runtime.Session) goja.Value {
	if x.done {
		return goja.Undefined()
	}
	if x.promise == nil {
		p, resolve, _ := s.VM().NewPromise()
		x.promise, x.resolve, x.session = s.VM().ToValue(p), resolve, s
	}
	return x.promise
}

// settle gives the reply, to those who wait in a turn of its own.
func (x *exchange) settle(reply call.Reply, err error) {
	if x.done {
		return
	}
	x.done, x.reply, x.err = true, reply, err
	if x.resolve != nil {
		x.session.Next(func() error { return x.resolve(goja.Undefined()) })
	}
}
