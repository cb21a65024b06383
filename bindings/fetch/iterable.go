package fetch

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// pair is one element of an iterable<name, value> (Web IDL, section 2.5.9).
type pair struct {
	name  string
	value goja.Value
}

// iterable adds entries, keys, values, forEach and iteration to a class. Iteration walks the pairs as they were
// when it began.
func (in *instance) iterable(ctor *goja.Object, class string, pairs func(c goja.FunctionCall, where string) []pair) {
	vm := in.s.VM()
	proto := ctor.Get("prototype").(*goja.Object)
	iterator := func(name string, element func(pair) goja.Value) webidl.Member {
		return webidl.Member{Name: name, Call: func(c goja.FunctionCall) goja.Value {
			var list []any
			for _, p := range pairs(c, class+"."+name) {
				list = append(list, element(p))
			}
			array := vm.NewArray(list...)
			begin, _ := goja.AssertFunction(array.GetSymbol(goja.SymIterator))
			v, err := begin(array)
			if err != nil {
				panic(err)
			}
			return v
		}}
	}
	webidl.AddMembers(vm, proto,
		iterator("entries", func(p pair) goja.Value { return vm.NewArray(p.name, p.value) }),
		iterator("keys", func(p pair) goja.Value { return in.value(p.name) }),
		iterator("values", func(p pair) goja.Value { return p.value }),
		webidl.Member{Name: "forEach", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
			where := class + ".forEach"
			list := pairs(c, where)
			f := in.s.Args(where, c).Function(0, "callback")
			for _, p := range list {
				if _, err := f(c.Argument(1), p.value, in.value(p.name), c.This); err != nil {
					panic(err)
				}
			}
			return goja.Undefined()
		}},
	)
	_ = proto.DefineDataPropertySymbol(goja.SymIterator, proto.Get("entries"), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}
