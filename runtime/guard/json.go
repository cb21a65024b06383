package guard

import (
	"github.com/dop251/goja"
)

// guardJSON puts our own reader and writer behind JSON.parse and JSON.stringify. goja's recurse without limit,
// cannot be stopped, and lose unpaired surrogates.
func guardJSON(c *core, vm *goja.Runtime, o *goja.Object) {
	inside(c, vm, o, "parse", func(c *core, vm *goja.Runtime, _ native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			s := str(vm, call.Argument(0))
			r := reader{core: c, vm: vm, text: s.String()}
			if len(r.text) != s.Length() {
				r.text = wellFormed(s)
			}
			v := r.document()
			if f, ok := goja.AssertFunction(call.Argument(1)); ok {
				root := vm.NewObject()
				put(root, "", v)
				return c.revive(vm, f, root, "")
			}
			return v
		}
	})
	inside(c, vm, o, "stringify", func(c *core, vm *goja.Runtime, original native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			return c.stringify(vm, call, original)
		}
	})
}

// ParseJSON makes JavaScript values of a JSON text, as JSON.parse does, within the runtime's limits: for
// bindings that receive JSON. It throws (panics with) a SyntaxError that tells the position.
func (g *Guard) ParseJSON(text string) goja.Value {
	r := reader{core: g.core, vm: g.vm, text: text}
	return r.document()
}

// revive calls a reviver on every value, innermost first.
func (c *core) revive(vm *goja.Runtime, f goja.Callable, holder *goja.Object, key string) goja.Value {
	c.enter(vm)
	defer c.leave()
	value := orUndefined(holder.Get(key))
	if o, ok := value.(*goja.Object); ok {
		for _, k := range elementKeys(c, vm, o) {
			v := c.revive(vm, f, o, k)
			if goja.IsUndefined(v) {
				_ = o.Delete(k)
			} else {
				_ = o.DefineDataProperty(k, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
			}
		}
	}
	v, err := f(holder, vm.ToValue(key), value)
	if err != nil {
		panic(err)
	}
	return v
}
