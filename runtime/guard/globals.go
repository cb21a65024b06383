package guard

import (
	"github.com/dop251/goja"
)

// The global object, Object and functions.

var bigIntegers = []string{"BigInt", "BigInt64Array", "BigUint64Array"}

func editGlobals(e *editor) {
	e.stub(bigIntegers...)
	editBuffers(e)
	e.object("Array", onceArray, guardArrayConstructor)
	e.object("String", onceString, guardStringConstructor)
	e.object("JSON", onceJSON, guardJSON)
	e.object("Reflect", onceReflect, func(c *core, vm *goja.Runtime, o *goja.Object) {
		inside(c, vm, o, "apply", guardList("Reflect.apply", 2))
		inside(c, vm, o, "construct", guardList("Reflect.construct", 1))
	})
	e.object("RegExp", onceRegExp, guardRegExpConstructor)
	e.object("Symbol", onceSymbol, addSymbols)
	e.methods(guardEscape(9), "encodeURI", "encodeURIComponent")
	e.methods(guardEscape(6), "escape")
}

// addSymbols defines the well-known symbols that goja lacks and transpiled code needs. esbuild's code falls back
// to Symbol.for, so both sides agree.
func addSymbols(_ *core, vm *goja.Runtime, o *goja.Object) {
	register, _ := goja.AssertFunction(o.Get("for"))
	for _, name := range []string{"asyncIterator", "dispose", "asyncDispose"} {
		if o.Get(name) != nil {
			continue
		}
		if symbol, err := register(o, vm.ToValue("Symbol."+name)); err == nil {
			_ = o.DefineDataProperty(name, symbol, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
		}
	}
}

// guardEscape is for functions that make at most factor units of one.
func guardEscape(factor int) func(string) guardFunc {
	return func(name string) guardFunc {
		return func(c *core, vm *goja.Runtime, f native) native {
			return func(call goja.FunctionCall) goja.Value {
				call = settle(call, toString)
				if s, ok := call.Argument(0).(goja.String); ok && s.Length() > c.limits.StringLength/factor {
					c.checkString(vm, name[len("this."):], int64(s.Length())*int64(factor))
				}
				return f(call)
			}
		}
	}
}

// editObject is about strings given to Object's functions, which make a property of each unit.
func editObject(e *editor) {
	for _, name := range []string{"keys", "values", "entries", "assign", "getOwnPropertyNames", "getOwnPropertyDescriptors"} {
		e.method(name, func(c *core, vm *goja.Runtime, f native) native {
			return func(call goja.FunctionCall) goja.Value {
				for _, a := range call.Arguments {
					switch a := a.(type) {
					case goja.String:
						c.checkArray(vm, "Object."+name, int64(a.Length()))
					case *goja.Object:
						if a.ClassName() == "String" {
							c.checkArray(vm, "Object."+name, lengthOf(a))
						}
					}
				}
				return f(call)
			}
		})
	}
}

func editFunctions(e *editor) {
	e.method("apply", guardList("Function.prototype.apply", 1))
	e.method("bind", guardBind)
	e.method("call", guardNested)
}

// guardList refuses a list of arguments that is too long.
func guardList(name string, position int) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			if list, ok := call.Argument(position).(*goja.Object); ok {
				if v := c.view(vm, name, list); v != list {
					call.Arguments = append([]goja.Value(nil), call.Arguments...)
					call.Arguments[position] = v
				}
			}
			c.enter(vm)
			defer c.leave()
			return f(call)
		}
	}
}

// guardNested counts calls that pass through no frame goja counts.
func guardNested(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		c.enter(vm)
		defer c.leave()
		return f(call)
	}
}

// guardBind counts calls of bound functions: a function bound a million times over is a million Go frames.
func guardBind(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		if o, ok := call.This.(*goja.Object); ok {
			if name, ok := o.Get("name").(goja.String); ok && name.Length() > maxName {
				throw(vm, "RangeError", "Function.prototype.bind: the function's name is longer than %d characters", maxName)
			}
		}
		bound := f(call)
		wrapCall(bound, func(f native) native { return guardNested(c, vm, f) })
		return bound
	}
}
