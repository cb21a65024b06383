package websocket

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// iterator is one iteration over a socket's messages. Several share them: each message goes to one.
type iterator struct {
	socket *socket
	over   bool
}

// maxWaiting bounds how many messages may be asked for ahead of their coming.
const maxWaiting = 64

// newIterator begins an iteration.
func (in *instance) newIterator(k *socket) goja.Value {
	if in.iterator == nil {
		vm := in.s.VM()
		receiver := func(c goja.FunctionCall, name string) *iterator {
			return webidl.Receiver[*iterator](in.s, c, "WebSocket iterator."+name)
		}
		in.iterator = vm.NewObject()
		webidl.AddMembers(vm, in.iterator,
			webidl.Member{Name: "next", Call: func(c goja.FunctionCall) goja.Value { return receiver(c, "next").next() }},
			webidl.Member{Name: "return", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				receiver(c, "return").end()
				return in.settled(webidl.IteratorResult(vm, c.Argument(0), true), false)
			}})
		self := webidl.Function(vm, "[Symbol.asyncIterator]", 0, func(c goja.FunctionCall) goja.Value { return c.This })
		in.defineAsyncIterator(in.iterator, self)
		webidl.Tag(vm, in.iterator, "WebSocket Iterator")
	}
	k.iterations++
	k.look()
	o := in.s.VM().CreateObject(in.iterator)
	webidl.Attach(in.s, o, &iterator{socket: k})
	return o
}

// end ends the iteration. The socket goes on.
func (it *iterator) end() {
	if !it.over {
		it.over = true
		it.socket.iterations--
		it.socket.look()
	}
}

// next returns a promise of the next message.
func (it *iterator) next() goja.Value {
	k := it.socket
	in := k.in
	if it.over {
		return in.settled(webidl.IteratorResult(in.s.VM(), nil, true), false)
	}
	if len(k.waiters) == 0 {
		if m, ok, more := k.wire.take(); ok {
			v := k.hand(m)
			if more {
				in.s.Post(k.deliver)
			}
			return in.settled(webidl.IteratorResult(in.s.VM(), v, false), false)
		}
		if k.state == closed {
			it.end()
			if k.failure != nil {
				return in.settled(k.failure, true)
			}
			return in.settled(webidl.IteratorResult(in.s.VM(), nil, true), false)
		}
	}
	if len(k.waiters) >= maxWaiting {
		panic(in.s.NewError("RangeError", "WebSocket: more than 64 messages are awaited at once; await one before the next"))
	}
	promise, settle := in.s.Promise()
	k.waiters = append(k.waiters, settle)
	return promise
}

// settled returns a promise that is fulfilled, or rejected, already.
func (in *instance) settled(v goja.Value, rejected bool) goja.Value {
	p, resolve, reject := in.s.VM().NewPromise()
	if rejected {
		_ = reject(v)
	} else {
		_ = resolve(v)
	}
	return in.s.VM().ToValue(p)
}

// thrown makes an error of a value that an outcome rejects with.
func (in *instance) thrown(v goja.Value) error {
	return in.s.VM().Try(func() { panic(v) })
}

// defineAsyncIterator gives an object its Symbol.asyncIterator.
func (in *instance) defineAsyncIterator(o, method *goja.Object) {
	symbols, ok := in.s.VM().GlobalObject().Get("Symbol").(*goja.Object)
	if !ok {
		return // a script has taken it away
	}
	if symbol, ok := symbols.Get("asyncIterator").(*goja.Symbol); ok {
		_ = o.DefineDataPropertySymbol(symbol, method, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}
