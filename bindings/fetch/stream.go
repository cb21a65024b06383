package fetch

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// Streams: what `response.body` is. It has the reading half of ReadableStream; chunks are Uint8Arrays.

// reader is a ReadableStreamDefaultReader.
type reader struct{ p *payload }

// asyncIterator is Symbol.asyncIterator, or what the compiled scripts use in its place.
func (in *instance) asyncIterator() *goja.Symbol {
	vm := in.s.VM()
	symbol := vm.GlobalObject().Get("Symbol").ToObject(vm)
	if sym, ok := symbol.Get("asyncIterator").(*goja.Symbol); ok {
		return sym
	}
	if get, ok := goja.AssertFunction(symbol.Get("for")); ok {
		if v, err := get(symbol, in.value("Symbol.asyncIterator")); err == nil {
			if sym, ok := v.(*goja.Symbol); ok {
				return sym
			}
		}
	}
	return nil
}

func (in *instance) streamClass() *goja.Object {
	s, vm := in.s, in.s.VM()
	free := func(c goja.FunctionCall, where string) *payload {
		p := webidl.Receiver[*payload](s, c, where)
		if p.locked {
			in.throw("TypeError", where+": the stream is locked to a reader")
		}
		return p
	}
	iterate := func(c goja.FunctionCall) goja.Value {
		options := s.Args("ReadableStream.values", c).Options(0, "preventCancel")
		p := free(c, "ReadableStream.values")
		p.locked = true
		return in.iterator(p, options.Bool("preventCancel", false))
	}
	refuse := func(name, instead string) webidl.Member {
		return webidl.Member{Name: name, Call: func(goja.FunctionCall) goja.Value {
			in.throw("TypeError", "ReadableStream."+name+" is not available; "+instead)
			return nil
		}}
	}
	ctor := webidl.Define(s, webidl.Class{
		Name: "ReadableStream",
		Members: []webidl.Member{
			{Name: "locked", Get: func(c goja.FunctionCall) goja.Value {
				return in.value(webidl.Receiver[*payload](s, c, "ReadableStream.locked").locked)
			}},
			{Name: "cancel", Call: func(c goja.FunctionCall) goja.Value {
				return in.promise(func() goja.Value {
					in.cancel(free(c, "ReadableStream.cancel"))
					return goja.Undefined()
				})
			}},
			{Name: "getReader", Call: func(c goja.FunctionCall) goja.Value {
				if s.Args("ReadableStream.getReader", c).Options(0, "mode").String("mode", "") != "" {
					in.throw("TypeError", `ReadableStream.getReader: the mode "byob" is not available; leave it out`)
				}
				p := free(c, "ReadableStream.getReader")
				p.locked = true
				return in.object("ReadableStreamDefaultReader", &reader{p})
			}},
			{Name: "values", Call: iterate},
			refuse("tee", "use response.clone()"),
			refuse("pipeTo", "read the chunks with for await"),
			refuse("pipeThrough", "read the chunks with for await"),
		},
	})
	proto := ctor.Get("prototype").(*goja.Object)
	if sym := in.asyncIterator(); sym != nil {
		_ = proto.DefineDataPropertySymbol(sym, webidl.Function(vm, "values", 0, iterate), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return ctor
}

// iterator makes an async iterator over a body.
func (in *instance) iterator(p *payload, keep bool) *goja.Object {
	vm := in.s.VM()
	o := vm.NewObject()
	over := false
	webidl.AddMembers(vm, o,
		webidl.Member{Name: "next", Call: func(goja.FunctionCall) goja.Value {
			return in.promise(func() goja.Value {
				if over {
					return in.step(nil)
				}
				return in.next(p)
			})
		}},
		webidl.Member{Name: "return", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
			return in.promise(func() goja.Value {
				if !over {
					over, p.locked = true, false
					if !keep {
						in.cancel(p)
					}
				}
				end := in.step(nil).(*goja.Object)
				_ = end.Set("value", c.Argument(0))
				return end
			})
		}},
	)
	if sym := in.asyncIterator(); sym != nil {
		_ = o.DefineDataPropertySymbol(sym, in.value(func(c goja.FunctionCall) goja.Value { return c.This }), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return o
}

func (in *instance) readerClass() *goja.Object {
	s := in.s
	held := func(c goja.FunctionCall, where string) *payload {
		r := webidl.Receiver[*reader](s, c, where)
		if r.p == nil {
			in.throw("TypeError", where+": the reader's lock was released")
		}
		return r.p
	}
	return webidl.Define(s, webidl.Class{
		Name: "ReadableStreamDefaultReader",
		Members: []webidl.Member{
			{Name: "read", Call: func(c goja.FunctionCall) goja.Value {
				return in.promise(func() goja.Value { return in.next(held(c, "ReadableStreamDefaultReader.read")) })
			}},
			{Name: "cancel", Call: func(c goja.FunctionCall) goja.Value {
				return in.promise(func() goja.Value {
					in.cancel(held(c, "ReadableStreamDefaultReader.cancel"))
					return goja.Undefined()
				})
			}},
			{Name: "releaseLock", Call: func(c goja.FunctionCall) goja.Value {
				if r := webidl.Receiver[*reader](s, c, "ReadableStreamDefaultReader.releaseLock"); r.p != nil {
					r.p.locked, r.p = false, nil
				}
				return goja.Undefined()
			}},
		},
	})
}
