package stream

import (
	"fmt"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// keys of what a session keeps for this package.
type (
	prototypeKey struct{}
	symbolKey    struct{}
)

// symbolFor returns the hidden symbol under which a stream object finds its socket.
func symbolFor(s *runtime.Session) *goja.Symbol {
	if symbol, ok := s.Value(symbolKey{}).(*goja.Symbol); ok {
		return symbol
	}
	symbol := goja.NewSymbol("stream")
	s.SetValue(symbolKey{}, symbol)
	return symbol
}

// prototype returns the methods all streams of a session share.
func prototype(s *runtime.Session) *goja.Object {
	if p, ok := s.Value(prototypeKey{}).(*goja.Object); ok {
		return p
	}
	vm := s.VM()
	p := vm.NewObject()
	symbol := symbolFor(s)
	method := func(name string, do func(k *socket, a runtime.Args) goja.Value) goja.Value {
		return vm.ToValue(func(c goja.FunctionCall) goja.Value {
			a := s.Args("stream."+name, c)
			object, ok := c.This.(*goja.Object)
			if !ok {
				a.Throw("this is not a stream")
			}
			hidden := object.GetSymbol(symbol)
			if hidden == nil {
				a.Throw("this is not a stream")
			}
			k, ok := hidden.Export().(*socket)
			if !ok {
				a.Throw("this is not a stream")
			}
			return do(k, a)
		})
	}
	command := func(name, action string) {
		text := []byte(`{"action":"` + action + `"}`)
		_ = p.Set(name, method(name, func(k *socket, a runtime.Args) goja.Value {
			k.put(a, outgoing{text: true, data: text})
			return goja.Undefined()
		}))
	}
	for _, name := range []string{"clear", "interrupt"} {
		_ = p.Set(name, method(name, func(k *socket, a runtime.Args) goja.Value { k.clear(a); return goja.Undefined() }))
	}
	command("pause", "pause")
	command("resume", "resume")
	command("stop", "stop")
	_ = p.Set("giveWay", method("giveWay", func(k *socket, a runtime.Args) goja.Value { k.giveWay(a); return goja.Undefined() }))
	_ = p.Set("play", method("play", func(k *socket, a runtime.Args) goja.Value { k.play(a); return goja.Undefined() }))
	_ = p.Set("mark", method("mark", func(k *socket, a runtime.Args) goja.Value { return k.mark(a) }))
	_ = p.Set("perform", method("perform", func(k *socket, a runtime.Args) goja.Value { k.perform(a); return goja.Undefined() }))
	_ = p.Set("send", method("send", func(k *socket, a runtime.Args) goja.Value {
		text := a.String(0, "text")
		k.put(a, outgoing{text: true, data: []byte(text)})
		return goja.Undefined()
	}))
	_ = p.Set("close", method("close", func(k *socket, a runtime.Args) goja.Value {
		k.put(a, outgoing{})
		return goja.Undefined()
	}))
	_ = p.Set("on", method("on", func(k *socket, a runtime.Args) goja.Value {
		k.listen(a)
		return a.This()
	}))
	next := method("next", func(k *socket, _ runtime.Args) goja.Value { return k.next() })
	_ = p.Set("next", next)
	_ = p.Set("return", method("return", func(k *socket, a runtime.Args) goja.Value {
		promise, resolve, _ := vm.NewPromise()
		result := vm.NewObject()
		_ = result.Set("done", true)
		_ = result.Set("value", a.Value(0))
		_ = resolve(result)
		return vm.ToValue(promise)
	}))
	getter := func(name string, get func(k *socket) goja.Value) {
		_ = p.DefineAccessorProperty(name, method(name, func(k *socket, _ runtime.Args) goja.Value { return get(k) }), nil, goja.FLAG_TRUE, goja.FLAG_TRUE)
	}
	getter("ended", func(k *socket) goja.Value { return k.ended })
	getter("playedMs", func(k *socket) goja.Value { return vm.ToValue(k.played().Milliseconds()) })
	getter("rate", func(k *socket) goja.Value { return vm.ToValue(k.rate.Load()) })
	getter("dropped", func(k *socket) goja.Value {
		k.mu.Lock()
		defer k.mu.Unlock()
		return vm.ToValue(k.dropped)
	})
	if symbols, ok := vm.GlobalObject().Get("Symbol").(*goja.Object); ok {
		if iterator, ok := symbols.Get("asyncIterator").(*goja.Symbol); ok {
			_ = p.SetSymbol(iterator, vm.ToValue(func(c goja.FunctionCall) goja.Value { return c.This }))
		} else {
			panic(fmt.Sprintf("Symbol.asyncIterator is %v", symbols.Get("asyncIterator")))
		}
		if tag, ok := symbols.Get("toStringTag").(*goja.Symbol); ok {
			_ = p.DefineDataPropertySymbol(tag, vm.ToValue("Stream"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		}
	}
	s.SetValue(prototypeKey{}, p)
	return p
}
