package guard

import (
	"github.com/dop251/goja"
)

// Buffers: ArrayBuffer and the typed arrays over it.

// typedArrays are the constructors, the bytes of their elements, and the bit that says they are guarded.
var typedArrays = []struct {
	name string
	size int
	once uint32
}{
	{"Int8Array", 1, onceInt8Array}, {"Uint8Array", 1, onceUint8Array}, {"Uint8ClampedArray", 1, onceUint8ClampedArray},
	{"Int16Array", 2, onceInt16Array}, {"Uint16Array", 2, onceUint16Array},
	{"Int32Array", 4, onceInt32Array}, {"Uint32Array", 4, onceUint32Array},
	{"Float32Array", 4, onceFloat32Array}, {"Float64Array", 8, onceFloat64Array},
}

func editBuffers(e *editor) {
	e.object("ArrayBuffer", onceArrayBuffer, guardArrayBuffer)
	for _, t := range typedArrays {
		e.object(t.name, t.once, func(c *core, vm *goja.Runtime, o *goja.Object) {
			guardTypedArray(c, vm, o, t.name, t.size)
		})
	}
}

func guardArrayBuffer(c *core, vm *goja.Runtime, o *goja.Object) {
	guardArguments(o, func(args []goja.Value) []goja.Value {
		args = settleFirst(args)
		if len(args) > 0 {
			c.checkBuffer(vm, "new ArrayBuffer", args[0].ToInteger(), 1)
		}
		return args
	})
}

// guardBuffers guards ArrayBuffer where it is reached through a buffer, not by name.
func guardBuffers(c *core, vm *goja.Runtime) {
	if c.done&onceArrayBuffer == 0 {
		c.done |= onceArrayBuffer
		prototype := vm.ToValue(vm.NewArrayBuffer(nil)).ToObject(vm).Prototype()
		guardArrayBuffer(c, vm, prototype.Get("constructor").ToObject(vm))
	}
}

// guardArguments lets check see, and change, what a constructor is given.
func guardArguments(o *goja.Object, check func([]goja.Value) []goja.Value) {
	wrapCall(o, func(f native) native {
		return func(call goja.FunctionCall) goja.Value {
			call.Arguments = check(call.Arguments)
			return f(call)
		}
	})
	wrapConstruct(o, func(f construct) construct {
		return func(args []goja.Value, newTarget *goja.Object) *goja.Object { return f(check(args), newTarget) }
	})
}

// settleFirst turns a first argument that is an object into the number it stands for.
func settleFirst(args []goja.Value) []goja.Value {
	if len(args) > 0 {
		if _, ok := args[0].(*goja.Object); ok {
			args = append([]goja.Value(nil), args...)
			args[0] = args[0].ToNumber()
		}
	}
	return args
}

func guardTypedArray(c *core, vm *goja.Runtime, o *goja.Object, name string, size int) {
	guardBuffers(c, vm)
	guardArguments(o, func(args []goja.Value) []goja.Value {
		c.check(vm)
		if len(args) == 0 {
			return args
		}
		source, ok := args[0].(*goja.Object)
		switch {
		case !ok:
			if _, isSymbol := args[0].(*goja.Symbol); !isSymbol {
				c.checkBuffer(vm, "new "+name, args[0].ToInteger(), size)
			}
		case isBuffer(source):
		default: // another typed array, an array-like, or an iterable, whose length need not be a property
			c.checkBuffer(vm, "new "+name, lengthOf(source), size)
			if v := c.source(vm, "new "+name, source); v != source {
				args = append([]goja.Value(nil), args...)
				args[0] = v
			}
		}
		return args
	})
	if family := o.Prototype(); c.done&onceTypedArray == 0 { // %TypedArray%
		c.done |= onceTypedArray
		inside(c, vm, family, "from", guardFrom("TypedArray.from"))
	}
	if name == "Uint8Array" {
		p := o.Get("prototype").ToObject(vm)
		inside(c, vm, p, "toHex", guardEncode("Uint8Array.prototype.toHex"))
		inside(c, vm, p, "toBase64", guardEncode("Uint8Array.prototype.toBase64"))
		inside(c, vm, o, "fromHex", guardDecode("Uint8Array.fromHex"))
		inside(c, vm, o, "fromBase64", guardDecode("Uint8Array.fromBase64"))
	}
}

func isBuffer(o *goja.Object) bool {
	_, ok := o.Export().(goja.ArrayBuffer)
	return ok
}

func guardEncode(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			if o, ok := call.This.(*goja.Object); ok {
				c.checkString(vm, name, 2*lengthOf(o))
			}
			return f(call)
		}
	}
}

func guardDecode(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			if s, ok := call.Argument(0).(goja.String); ok {
				c.checkBuffer(vm, name, int64(s.Length())/2, 1)
			}
			return f(call)
		}
	}
}

func editTypedArrays(e *editor) {
	e.methods(guardTypedJoin, "join", "toLocaleString")
	e.methods(guardTyped, "sort", "toSorted", "map", "filter", "slice", "with", "toReversed")
	e.method("subarray", guardTyped("subarray"))
	e.object("constructor", onceTypedArray, func(c *core, vm *goja.Runtime, o *goja.Object) {
		inside(c, vm, o, "from", guardFrom("TypedArray.from"))
	})
}

// guardTyped lets methods that make another buffer be stopped.
func guardTyped(string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			return f(call)
		}
	}
}

func guardTypedJoin(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			call = settle(call, toString)
			if o, ok := call.This.(*goja.Object); ok {
				n, between := lengthOf(o), int64(1)
				if s, ok := call.Argument(0).(goja.String); ok {
					between = int64(s.Length())
				}
				if n > 1 {
					c.checkString(vm, name, (n-1)*between+n)
				}
				if n > int64(c.limits.ArrayLength) {
					c.checkArray(vm, name, n)
				}
			}
			return f(call)
		}
	}
}

// editDataViews closes the last place big integers come from.
func editDataViews(e *editor) {
	for _, name := range []string{"getBigInt64", "getBigUint64", "setBigInt64", "setBigUint64"} {
		e.method(name, func(c *core, vm *goja.Runtime, f native) native {
			return func(goja.FunctionCall) goja.Value {
				throw(vm, "TypeError", "DataView.prototype.%s: BigInt is not available; read two 32-bit numbers", name)
				return nil
			}
		})
	}
}
