// Package clone gives scripts structuredClone (HTML, section 2.7): deep copies of everything that is data.
//
// Copied are primitives and their wrappers, Date, RegExp, Map, Set, ArrayBuffer, typed arrays, DataView, errors,
// plain objects and arrays, with all their references to each other. Functions, symbols, promises, proxies and
// the objects of host classes throw a DataCloneError.
package clone

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Bounds of one clone.
const (
	maxDepth   = 1000
	maxObjects = 1_000_000
)

// Module provides the global structuredClone.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "clone" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"structuredClone"}}
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) { return instance{s}, nil }

type instance struct{ s *runtime.Session }

// Import implements runtime.Instance.
func (instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance.
func (m instance) Global(name string) goja.Value {
	return webidl.Function(m.s.VM(), name, 1, func(call goja.FunctionCall) goja.Value {
		webidl.Need(m.s, call, 1, name)
		c := cloner{s: m.s, vm: m.s.VM(), seen: map[*goja.Object]*goja.Object{}, budget: m.s.Limits().BufferSize}
		var moved []goja.ArrayBuffer
		if list := m.s.Args(name, call).Options(1, "transfer").Value("transfer"); list != nil {
			m.s.VM().ForOf(list, func(v goja.Value) bool {
				o, ok := v.(*goja.Object)
				if !ok || webidl.KindOf(o) != webidl.BufferKind {
					c.fail("only an ArrayBuffer can be transferred, not " + runtime.Describe(v))
				}
				b := o.Export().(goja.ArrayBuffer)
				if b.Detached() {
					c.fail("an ArrayBuffer to transfer was transferred before")
				}
				moved = append(moved, b)
				return true
			})
		}
		v := c.value(call.Argument(0), 0)
		for _, b := range moved {
			b.Detach()
		}
		return v
	})
}

// cloner makes one clone.
type cloner struct {
	s      *runtime.Session
	vm     *goja.Runtime
	seen   map[*goja.Object]*goja.Object
	budget int // bytes of buffers that may still be copied
}

func (c *cloner) fail(message string) {
	panic(webidl.NewException(c.s, "DataCloneError", "structuredClone: "+message))
}

func (c *cloner) value(v goja.Value, depth int) goja.Value {
	o, ok := v.(*goja.Object)
	if !ok {
		if symbol, ok := v.(*goja.Symbol); ok {
			c.fail("a symbol (" + symbol.String() + ") cannot be cloned")
		}
		return v
	}
	if copied, ok := c.seen[o]; ok {
		return copied
	}
	if depth > maxDepth {
		c.fail("the value is nested too deeply (limit 1000)")
	}
	if len(c.seen) >= maxObjects {
		c.fail("the value has too many objects (limit 1000000)")
	}
	if len(c.seen)%1024 == 1023 {
		if f := c.s.Fault(); f != nil { // the turn was stopped, which native code does not notice by itself
			panic(f)
		}
	}
	return c.object(o, depth)
}

// made notes the copy of an object before its contents are copied, so that circles close.
func (c *cloner) made(o, copied *goja.Object) *goja.Object {
	c.seen[o] = copied
	return copied
}

func (c *cloner) object(o *goja.Object, depth int) goja.Value {
	if webidl.IsProxy(o) {
		c.fail("a Proxy cannot be cloned")
	}
	if webidl.HasState(o) {
		if _, isError := o.Get("message").(goja.String); isError && webidl.IsException(o, o.Get("name").String()) {
			return c.made(o, webidl.NewException(c.s, o.Get("name").String(), o.Get("message").String()))
		}
		c.fail("a " + webidl.TagOf(o) + " object cannot be cloned")
	}
	switch kind := webidl.KindOf(o); kind {
	case webidl.FunctionKind:
		c.fail("a function cannot be cloned")
	case webidl.PromiseKind:
		c.fail("a Promise cannot be cloned")
	case webidl.BoxKind:
		return c.box(o)
	case webidl.DateKind:
		return c.made(o, c.construct("Date", c.intrinsic("Date", "getTime", o)))
	case webidl.RegExpKind:
		return c.made(o, c.construct("RegExp", o.Get("source"), o.Get("flags")))
	case webidl.ErrorKind:
		return c.failure(o, depth)
	case webidl.BufferKind, webidl.TypedArrayKind, webidl.DataViewKind:
		return c.bytes(o, kind, depth)
	case webidl.MapKind, webidl.SetKind:
		return c.collection(o, kind, depth)
	case webidl.ArrayKind:
		copied := c.made(o, c.construct("Array", o.Get("length")))
		c.properties(o, copied, depth)
		return copied
	default:
		switch tag := webidl.TagOf(o); tag {
		case "WeakMap", "WeakSet", "WeakRef", "Generator", "Array Iterator", "Map Iterator", "Set Iterator", "String Iterator", "RegExp String Iterator":
			c.fail("a " + tag + " cannot be cloned")
		}
	}
	copied := c.made(o, c.vm.NewObject())
	c.properties(o, copied, depth)
	return copied
}

func (c *cloner) properties(from, to *goja.Object, depth int) {
	for _, key := range from.Keys() {
		if err := to.DefineDataProperty(key, c.value(from.Get(key), depth+1), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
			panic(err)
		}
	}
}

func (c *cloner) construct(class string, args ...goja.Value) *goja.Object {
	o, err := c.vm.New(c.vm.GlobalObject().Get(class), args...)
	if err != nil {
		panic(err)
	}
	return o
}

// intrinsic calls a built-in method on an object that may have its own of that name.
func (c *cloner) intrinsic(class, method string, this goja.Value, args ...goja.Value) goja.Value {
	proto := c.vm.GlobalObject().Get(class).ToObject(c.vm).Get("prototype").ToObject(c.vm)
	f, ok := goja.AssertFunction(proto.Get(method))
	if !ok {
		panic(c.s.NewError("TypeError", class+".prototype."+method+" is not a function"))
	}
	v, err := f(this, args...)
	if err != nil {
		panic(err)
	}
	return v
}

func (c *cloner) box(o *goja.Object) goja.Value {
	class := o.ClassName()
	if class == "Object" {
		c.fail("a Symbol object cannot be cloned")
	}
	return c.made(o, c.construct("Object", c.intrinsic(class, "valueOf", o)))
}

// failure copies an error: its class where that is a built-in one, message, stack and cause.
func (c *cloner) failure(o *goja.Object, depth int) goja.Value {
	class := "Error"
	if name := o.Get("name"); name != nil {
		switch text := name.String(); text {
		case "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError":
			class = text
		}
	}
	copied := c.made(o, c.construct(class))
	for _, name := range []string{"stack", "message", "cause"} {
		if !hasOwn(o, name) {
			continue
		}
		v := o.Get(name)
		if name != "cause" {
			v = c.vm.ToValue(v.String())
		}
		if err := copied.DefineDataProperty(name, c.value(v, depth+1), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
			panic(err)
		}
	}
	return copied
}

func hasOwn(o *goja.Object, name string) bool {
	for _, key := range o.GetOwnPropertyNames() {
		if key == name {
			return true
		}
	}
	return false
}

func (c *cloner) bytes(o *goja.Object, kind webidl.Kind, depth int) goja.Value {
	if kind == webidl.BufferKind {
		b := o.Export().(goja.ArrayBuffer)
		if b.Detached() {
			c.fail("an ArrayBuffer that was transferred cannot be cloned")
		}
		data := b.Bytes()
		if c.budget -= len(data); c.budget < 0 {
			c.fail("the buffers are larger than the limit")
		}
		return c.made(o, webidl.ArrayBuffer(c.s, append([]byte(nil), data...)).(*goja.Object))
	}
	class := "DataView"
	if kind == webidl.TypedArrayKind {
		class = webidl.TagOf(o)
	}
	buffer := c.value(o.Get("buffer"), depth+1)
	args := []goja.Value{buffer, o.Get("byteOffset"), o.Get("byteLength")}
	if kind == webidl.TypedArrayKind {
		args[2] = o.Get("length")
	}
	return c.made(o, c.construct(class, args...))
}

func (c *cloner) collection(o *goja.Object, kind webidl.Kind, depth int) goja.Value {
	class, add := "Map", "set"
	if kind == webidl.SetKind {
		class, add = "Set", "add"
	}
	copied := c.made(o, c.construct(class))
	var list []goja.Value // first all, then clone: cloning may run getters that change the collection
	c.intrinsic(class, "forEach", o, c.vm.ToValue(func(f goja.FunctionCall) goja.Value {
		if kind == webidl.MapKind {
			list = append(list, f.Argument(1))
		}
		list = append(list, f.Argument(0))
		return goja.Undefined()
	}))
	step := 1
	if kind == webidl.MapKind {
		step = 2
	}
	for i := 0; i < len(list); i += step {
		args := make([]goja.Value, step)
		for j := range args {
			args[j] = c.value(list[i+j], depth+1)
		}
		c.intrinsic(class, add, copied, args...)
	}
	return copied
}
