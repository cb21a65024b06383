package url

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

func (m *instance) paramsClass() *goja.Object {
	if m.params != nil {
		return m.params
	}
	vm := m.s.VM()
	method := func(name string, length int, call func(p *params, c goja.FunctionCall) goja.Value) webidl.Member {
		return m.method("URLSearchParams."+name, length, func(c goja.FunctionCall) goja.Value {
			return call(webidl.Receiver[*params](m.s, c, "URLSearchParams."+name), c)
		})
	}
	second := func(c goja.FunctionCall) *string {
		if goja.IsUndefined(c.Argument(1)) {
			return nil
		}
		value := text(c.Argument(1))
		return &value
	}
	m.params = webidl.Define(m.s, webidl.Class{
		Name: "URLSearchParams",
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			p := &params{}
			if v := c.Argument(0); !goja.IsUndefined(v) {
				p.list = m.fromValue(v)
			}
			webidl.Attach(m.s, this, p)
		},
		Members: []webidl.Member{
			{Name: "size", Get: func(c goja.FunctionCall) goja.Value {
				return vm.ToValue(len(webidl.Receiver[*params](m.s, c, "URLSearchParams.size").list))
			}},
			method("append", 2, func(p *params, c goja.FunctionCall) goja.Value {
				p.list = append(p.list, pair{text(c.Argument(0)), text(c.Argument(1))})
				p.changed()
				return goja.Undefined()
			}),
			method("delete", 1, func(p *params, c goja.FunctionCall) goja.Value {
				p.remove(text(c.Argument(0)), second(c))
				return goja.Undefined()
			}),
			method("get", 1, func(p *params, c goja.FunctionCall) goja.Value {
				if v, ok := p.get(text(c.Argument(0))); ok {
					return vm.ToValue(v)
				}
				return goja.Null()
			}),
			method("getAll", 1, func(p *params, c goja.FunctionCall) goja.Value {
				name := text(c.Argument(0))
				var all []any
				for _, e := range p.list {
					if e.name == name {
						all = append(all, e.value)
					}
				}
				return vm.NewArray(all...)
			}),
			method("has", 1, func(p *params, c goja.FunctionCall) goja.Value {
				name, value := text(c.Argument(0)), second(c)
				for _, e := range p.list {
					if e.name == name && (value == nil || e.value == *value) {
						return vm.ToValue(true)
					}
				}
				return vm.ToValue(false)
			}),
			method("set", 2, func(p *params, c goja.FunctionCall) goja.Value {
				p.set(text(c.Argument(0)), text(c.Argument(1)))
				return goja.Undefined()
			}),
			method("sort", 0, func(p *params, _ goja.FunctionCall) goja.Value {
				p.sort()
				return goja.Undefined()
			}),
			method("forEach", 1, func(p *params, c goja.FunctionCall) goja.Value {
				fn := m.s.Args("URLSearchParams.forEach", c).Function(0, "the callback")
				for i := 0; i < len(p.list); i++ {
					if _, err := fn(c.Argument(1), vm.ToValue(p.list[i].value), vm.ToValue(p.list[i].name), c.This); err != nil {
						panic(err)
					}
				}
				return goja.Undefined()
			}),
			method("keys", 0, func(p *params, _ goja.FunctionCall) goja.Value { return m.iterate(p, 'k') }),
			method("values", 0, func(p *params, _ goja.FunctionCall) goja.Value { return m.iterate(p, 'v') }),
			method("entries", 0, func(p *params, _ goja.FunctionCall) goja.Value { return m.iterate(p, 'e') }),
			method("toString", 0, func(p *params, _ goja.FunctionCall) goja.Value { return vm.ToValue(encodeQuery(p.list)) }),
		},
	})
	proto := m.params.Get("prototype").(*goja.Object)
	_ = proto.DefineDataPropertySymbol(goja.SymIterator, proto.Get("entries"), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return m.params
}

// walk is the state of an iterator over entries. It looks at the list anew in each step, so that changes made
// while iterating show, as the standard wants.
type walk struct {
	p    *params
	at   int
	kind byte
}

func (m *instance) iterate(p *params, kind byte) goja.Value {
	vm := m.s.VM()
	if m.iteratorProtocol == nil {
		m.iteratorProtocol = webidl.IteratorPrototype(m.s, "URLSearchParams Iterator", func(c goja.FunctionCall) (goja.Value, bool) {
			w := webidl.Receiver[*walk](m.s, c, "URLSearchParams Iterator.next")
			if w.at >= len(w.p.list) {
				return nil, false
			}
			e := w.p.list[w.at]
			w.at++
			switch w.kind {
			case 'k':
				return vm.ToValue(e.name), true
			case 'v':
				return vm.ToValue(e.value), true
			}
			return vm.NewArray(e.name, e.value), true
		})
	}
	o := vm.CreateObject(m.iteratorProtocol)
	webidl.Attach(m.s, o, &walk{p: p, kind: kind})
	return o
}
