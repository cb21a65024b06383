package guard

import (
	"strconv"

	"github.com/dop251/goja"
)

// Arrays: what walks a length looks at the length first, since `a.length = 4e9` costs a script nothing.

func editArrays(e *editor) {
	e.methods(guardWalk, "copyWithin", "every", "fill", "filter", "find", "findIndex", "findLast",
		"findLastIndex", "flatMap", "forEach", "includes", "indexOf", "lastIndexOf", "map", "reduce", "reduceRight",
		"reverse", "shift", "slice", "some", "splice", "unshift", "with", "toReversed", "toSpliced",
		"entries", "keys", "values")
	e.method(goja.SymIterator, guardWalk("iteration over an array"))
	e.methods(guardSort, "sort", "toSorted")
	e.method("join", guardJoin)
	e.method("toLocaleString", guardLocaleJoin)
	e.method("concat", guardArrayConcat)
	e.method("flat", guardFlat)
	e.object("constructor", onceArray, guardArrayConstructor)
}

// lengthOf returns the length a built-in would walk. For an ordinary array it costs nothing; elsewhere it is a
// property that may be the script's own code.
func lengthOf(o *goja.Object) int64 {
	if n, ok := denseLength(o); ok {
		return int64(n)
	}
	if v := o.Get("length"); v != nil {
		return v.ToInteger()
	}
	return 0
}

// walk refuses an array or array-like that is too long, and returns its length.
func (c *core) walk(vm *goja.Runtime, what string, v goja.Value) int64 {
	var n int64
	switch v := v.(type) {
	case *goja.Object:
		n = lengthOf(v)
	case goja.String:
		n = int64(v.Length())
	}
	if n > int64(c.limits.ArrayLength) {
		c.checkArray(vm, what, n)
	}
	return n
}

// view returns what a built-in may safely walk in an object's place: an array as it is, once its length is
// checked; for others, whose length may be the script's code and differ each time it is read, a proxy that checks
// the length whenever the built-in reads it.
func (c *core) view(vm *goja.Runtime, what string, v goja.Value) goja.Value {
	o, ok := v.(*goja.Object)
	if !ok || isTyped(o) {
		c.walk(vm, what, v)
		return v
	}
	if _, ok := denseLength(o); ok {
		c.walk(vm, what, v)
		return v
	}
	if implementation(o).word != seam.plain && o.ClassName() == "Array" { // sparse, so with a length of its own
		c.walk(vm, what, v)
		return v
	}
	if o.ClassName() == "Function" {
		c.walk(vm, what, v)
		return v
	}
	return vm.ToValue(vm.NewProxy(o, &goja.ProxyTrapConfig{
		Get: func(target *goja.Object, property string, receiver goja.Value) goja.Value {
			value := orUndefined(target.Get(property))
			if property == "length" {
				n := value.ToInteger()
				c.check(vm)
				c.checkArray(vm, what, n)
				if _, isObject := value.(*goja.Object); isObject {
					return vm.ToValue(n)
				}
			}
			return value
		},
	}))
}

func guardWalk(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			original := call.This
			call.This = c.view(vm, name, original)
			if result := f(call); result != call.This {
				return result
			}
			return original // fill, sort and others return the array they were called on
		}
	}
}

// guardSort lets a long sort without a comparator be stopped, by giving it one that does what goja would.
func guardSort(name string) guardFunc {
	const long = 4096
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			original := call.This
			call.This = c.view(vm, name, original)
			if c.walk(vm, name, call.This) > long && goja.IsUndefined(call.Argument(0)) {
				compare := vm.ToValue(func(pair goja.FunctionCall) goja.Value {
					c.check(vm)
					return vm.ToValue(str(vm, pair.Argument(0)).CompareTo(str(vm, pair.Argument(1))))
				})
				call.Arguments = []goja.Value{compare}
			}
			if result := f(call); result != call.This {
				return result
			}
			return original
		}
	}
}

// guardJoin replaces join: the length of the result is known only as it grows, and elements that are arrays
// join in turn.
func guardJoin(c *core, vm *goja.Runtime, _ native) native {
	return func(call goja.FunctionCall) goja.Value {
		return c.join(vm, "Array.prototype.join", call.This.ToObject(vm), call.Argument(0), str)
	}
}

// guardLocaleJoin replaces toLocaleString, of which the same is true.
func guardLocaleJoin(c *core, vm *goja.Runtime, _ native) native {
	return func(call goja.FunctionCall) goja.Value {
		return c.join(vm, "Array.prototype.toLocaleString", call.This.ToObject(vm), goja.Undefined(), localeText)
	}
}

// localeText calls an element's toLocaleString. Most elements are strings, which are their own.
func localeText(vm *goja.Runtime, v goja.Value) goja.String {
	f, ok := goja.AssertFunction(v.ToObject(vm).Get("toLocaleString"))
	if !ok {
		panic(vm.NewTypeError("Property 'toLocaleString' of object %s is not a function", v.String()))
	}
	result, err := f(v)
	if err != nil {
		panic(err)
	}
	return str(vm, result)
}

// join appends elements and separators until the limit is reached.
func (c *core) join(vm *goja.Runtime, name string, o *goja.Object, separator goja.Value, convert func(*goja.Runtime, goja.Value) goja.String) goja.Value {
	for _, outer := range c.joining {
		if outer == o {
			return vm.ToValue("") // as V8 and goja end circles
		}
	}
	c.enter(vm)
	c.joining = append(c.joining, o)
	defer func() {
		c.leave()
		last := len(c.joining) - 1
		c.joining[last] = nil
		c.joining = c.joining[:last]
	}()
	n := c.walk(vm, name, o)
	var between goja.String // nil is a comma
	units, width := 0, 1
	if !goja.IsUndefined(separator) {
		between = str(vm, separator)
		width = between.Length()
	}
	if n > 1 {
		c.checkString(vm, name, (n-1)*int64(width))
	}
	var b goja.StringBuilder
	for i := range int(n) {
		if i > 0 {
			if between == nil {
				b.WriteRune(',')
			} else if width > 0 {
				b.WriteString(between)
			}
			units += width
		}
		e := element(o, i)
		if e == nil || goja.IsUndefined(e) || goja.IsNull(e) {
			continue
		}
		if s, ok := e.(goja.String); ok || !isInt(e) {
			if !ok {
				s = convert(vm, e)
			}
			if units += s.Length(); units <= c.limits.StringLength {
				b.WriteString(s)
			}
		} else { // no need to make a JavaScript string of it
			digits := e.String()
			units += len(digits)
			b.WriteUTF8String(digits)
		}
		if units > c.limits.StringLength {
			c.checkString(vm, name, int64(units))
		}
		if i&1023 == 1023 {
			c.check(vm)
		}
	}
	return b.String()
}

// element reads o[i], nil where there is none.
func element(o *goja.Object, i int) goja.Value {
	if values, ok := dense(o); ok && i < len(values) {
		if v := values[i]; v != nil && valueWords(v).word != seam.property {
			return v
		}
	}
	return o.Get(strconv.Itoa(i))
}

func guardArrayConcat(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		c.check(vm)
		var total int64
		count := func(v goja.Value) goja.Value {
			o, ok := v.(*goja.Object)
			if !ok {
				total++
				return v
			}
			if n, ok := denseLength(o); ok {
				total += int64(n)
			} else if spread := o.GetSymbol(goja.SymIsConcatSpreadable); spread != nil && spread.ToBoolean() || isArray(vm, o) {
				v = c.view(vm, "Array.prototype.concat", v)
				total += lengthOf(v.(*goja.Object))
			} else {
				total++
			}
			c.checkArray(vm, "Array.prototype.concat", total)
			return v
		}
		call.This = count(call.This)
		args := make([]goja.Value, len(call.Arguments))
		for i, a := range call.Arguments {
			args[i] = count(a)
		}
		call.Arguments = args
		return f(call)
	}
}

// guardFlat replaces flat: shared nested arrays double at each level, which only counting shows.
func guardFlat(c *core, vm *goja.Runtime, _ native) native {
	const name = "Array.prototype.flat"
	var flatten func(out []goja.Value, o *goja.Object, depth int64) []goja.Value
	flatten = func(out []goja.Value, o *goja.Object, depth int64) []goja.Value {
		c.enter(vm)
		defer c.leave()
		for i := range int(c.walk(vm, name, o)) {
			e := element(o, i)
			if e == nil {
				continue // a hole
			}
			if inner, ok := e.(*goja.Object); ok && depth > 0 && isArray(vm, inner) {
				out = flatten(out, inner, depth-1)
				continue
			}
			if out = append(out, e); len(out) > c.limits.ArrayLength {
				c.checkArray(vm, name, int64(len(out)))
			}
		}
		return out
	}
	return func(call goja.FunctionCall) goja.Value {
		o := call.This.ToObject(vm)
		depth := int64(1)
		if d := call.Argument(0); !goja.IsUndefined(d) {
			depth = d.ToNumber().ToInteger()
		}
		var into *goja.Object
		if isArray(vm, o) {
			into = species(vm, o)
		}
		elements := flatten(nil, o, depth)
		if into == nil {
			return newArray(vm, elements)
		}
		for i, e := range elements {
			if err := into.DefineDataProperty(strconv.Itoa(i), e, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
				panic(err)
			}
		}
		return into
	}
}

// species makes the empty array that an array's constructor wants results in; nil is an ordinary one.
func species(vm *goja.Runtime, o *goja.Object) *goja.Object {
	constructor := o.Get("constructor")
	if ordinary := vm.NewArray().Prototype().Get("constructor"); constructor == ordinary {
		return nil
	}
	if of, ok := constructor.(*goja.Object); ok {
		if constructor = of.GetSymbol(goja.SymSpecies); constructor == nil || goja.IsNull(constructor) {
			return nil
		}
	}
	if constructor == nil || goja.IsUndefined(constructor) {
		return nil
	}
	into, err := vm.New(constructor, vm.ToValue(0))
	if err != nil {
		panic(err)
	}
	return into
}

func guardArrayConstructor(c *core, vm *goja.Runtime, o *goja.Object) {
	check := func(args []goja.Value) {
		if len(args) == 1 && goja.IsNumber(args[0]) {
			if _, isObject := args[0].(*goja.Object); !isObject && args[0].ToFloat() <= 1<<32-1 {
				c.checkArray(vm, "new Array", args[0].ToInteger())
			}
		}
	}
	wrapCall(o, func(f native) native {
		return func(call goja.FunctionCall) goja.Value {
			check(call.Arguments)
			return f(call)
		}
	})
	wrapConstruct(o, func(f construct) construct {
		return func(args []goja.Value, newTarget *goja.Object) *goja.Object {
			check(args)
			return f(args, newTarget)
		}
	})
	inside(c, vm, o, "from", guardFrom("Array.from"))
}

// guardFrom refuses a long array-like. An iterable ends by itself or is the script's own code.
func guardFrom(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			c.check(vm)
			if len(call.Arguments) > 0 {
				args := append([]goja.Value(nil), call.Arguments...)
				args[0] = c.source(vm, name, args[0])
				call.Arguments = args
			}
			return f(call)
		}
	}
}

// source is for functions that make an array of an iterable, which checks itself, or of an array-like.
func (c *core) source(vm *goja.Runtime, name string, v goja.Value) goja.Value {
	if o, ok := v.(*goja.Object); ok && !isIterable(o) {
		return c.view(vm, name, v)
	}
	return v
}

func isIterable(o *goja.Object) bool {
	v := o.GetSymbol(goja.SymIterator)
	return v != nil && !goja.IsUndefined(v) && !goja.IsNull(v)
}
