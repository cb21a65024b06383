package guard

import (
	"strings"

	"github.com/dop251/goja"
)

// Strings: what makes a long string says no before it makes it.

func editStrings(e *editor) {
	e.method("repeat", guardRepeat)
	e.methods(guardPad, "padStart", "padEnd")
	e.method("concat", guardConcat)
	e.method("replace", guardReplace(false))
	e.method("replaceAll", guardReplace(true))
	e.method("split", guardSplit)
	e.methods(guardPattern, "match", "matchAll", "search")
	e.method("normalize", guardNormalize)
	e.methods(guardCase, "toUpperCase", "toLocaleUpperCase", "toLowerCase", "toLocaleLowerCase")
	e.method(goja.SymIterator, guardStringIterator)
	e.object("constructor", onceString, guardStringConstructor)
}

// str is the abstract operation ToString.
func str(vm *goja.Runtime, v goja.Value) goja.String {
	if o, ok := v.(*goja.Object); ok {
		v = o.ToString() // a primitive, of any type
	}
	switch v := v.(type) {
	case goja.String:
		return v
	case *goja.Symbol:
		panic(vm.NewTypeError("Cannot convert a Symbol value to a string"))
	case nil:
		s, _ := vm.ToValue("undefined").(goja.String)
		return s
	}
	s, _ := vm.ToValue(v.String()).(goja.String)
	return s
}

// settle converts the receiver and the first arguments of a call once, so that a guard and the method see the
// same values even if a conversion runs code of the script's.
func settle(call goja.FunctionCall, convert ...func(goja.Value) goja.Value) goja.FunctionCall {
	for i, f := range convert {
		if i >= len(call.Arguments) {
			break
		}
		if _, isObject := call.Arguments[i].(*goja.Object); isObject {
			args := append([]goja.Value(nil), call.Arguments...)
			args[i] = f(args[i])
			call.Arguments = args
		}
	}
	return call
}

func toNumber(v goja.Value) goja.Value { return v.ToNumber() }
func toString(v goja.Value) goja.Value { return v.ToString() }

// receiver settles the receiver of a method of strings; the method itself refuses undefined and null.
func receiver(vm *goja.Runtime, call *goja.FunctionCall) (goja.String, bool) {
	if call.This == nil || goja.IsUndefined(call.This) || goja.IsNull(call.This) {
		return nil, false
	}
	s := str(vm, call.This)
	call.This = s
	return s, true
}

func guardRepeat(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		if s, ok := receiver(vm, &call); ok {
			call = settle(call, toNumber)
			if n := call.Argument(0).ToInteger(); n > 0 && s.Length() > 0 {
				if n > int64(c.limits.StringLength) {
					n = int64(c.limits.StringLength) + 1 // keeps the product below from overflowing
				}
				c.checkString(vm, "String.prototype.repeat", n*int64(s.Length()))
			}
		}
		return f(call)
	}
}

func guardPad(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			call = settle(call, toNumber, toString)
			if n := call.Argument(0).ToInteger(); n > int64(c.limits.StringLength) {
				c.checkString(vm, name, n)
			}
			return f(call)
		}
	}
}

func guardConcat(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		s, ok := receiver(vm, &call)
		if !ok {
			return f(call)
		}
		args := make([]goja.Value, len(call.Arguments))
		total := int64(s.Length())
		for i, a := range call.Arguments {
			t := str(vm, a)
			total += int64(t.Length())
			args[i] = t
		}
		call.Arguments = args
		c.checkString(vm, "String.prototype.concat", total)
		return f(call)
	}
}

// guardReplace bounds what the replacement of string patterns can grow to, and of regular expressions with a
// replacement string. A replacer function is the script's and can be stopped.
func guardReplace(all bool) guardFunc {
	name := "String.prototype.replace"
	if all {
		name += "All"
	}
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			if object, ok := call.Argument(0).(*goja.Object); ok {
				if isRegexp(object) {
					guardRegexps(c, vm)
					return f(call) // goes on in RegExp.prototype[Symbol.replace]
				}
				if goja.IsUndefined(orUndefined(object.GetSymbol(goja.SymReplace))) {
					call = settle(call, toString)
				} else {
					return f(call)
				}
			}
			s, ok := receiver(vm, &call)
			if !ok {
				return f(call)
			}
			pattern := str(vm, call.Argument(0))
			if isFunction(call.Argument(1)) {
				return f(call)
			}
			replacement := str(vm, call.Argument(1))
			call.Arguments = []goja.Value{pattern, replacement}
			count := int64(1)
			if all && s.Length() >= 64 {
				count = occurrences(s, pattern)
			} else if all {
				count = int64(s.Length()) + 1
			}
			c.checkString(vm, name, growth(s, int64(pattern.Length()), replacement, count))
			return f(call)
		}
	}
}

// growth is at least the length of s after count replacements.
func growth(s goja.String, match int64, replacement goja.String, count int64) int64 {
	each := int64(replacement.Length())
	if r := replacement.String(); strings.IndexByte(r, '$') >= 0 {
		each += int64(strings.Count(r, "$&")) * match
		each += int64(strings.Count(r, "$`")+strings.Count(r, "$'")) * int64(s.Length())
	}
	if each > 0 && count > (1<<62)/each {
		return 1 << 62
	}
	return int64(s.Length()) + count*each
}

// occurrences counts where a string occurs in another, as replaceAll and split see it.
func occurrences(s, part goja.String) int64 {
	if part.Length() == 0 {
		return int64(s.Length()) + 1
	}
	return int64(strings.Count(s.String(), part.String()))
}

func guardSplit(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		if object, ok := call.Argument(0).(*goja.Object); ok {
			if isRegexp(object) {
				guardRegexps(c, vm)
			}
			return f(call)
		}
		s, ok := receiver(vm, &call)
		if ok && s.Length() >= c.limits.ArrayLength && !goja.IsUndefined(call.Argument(0)) {
			separator := str(vm, call.Argument(0))
			c.checkArray(vm, "String.prototype.split", occurrences(s, separator)+1)
		}
		return f(call)
	}
}

// guardPattern is for methods that make a regular expression of their argument.
func guardPattern(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			switch a := call.Argument(0).(type) {
			case *goja.Object:
				if isRegexp(a) {
					guardRegexps(c, vm)
				}
			case goja.String:
				checkPattern(c, vm, a)
				guardRegexps(c, vm)
			}
			return f(call)
		}
	}
}

func guardNormalize(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		// Unicode's worst case, U+FDFA in the compatibility forms, becomes 18 times as long.
		if s, ok := receiver(vm, &call); ok && s.Length() > c.limits.StringLength/18 {
			c.checkString(vm, "String.prototype.normalize", int64(s.Length())*18)
		}
		return f(call)
	}
}

func guardCase(name string) guardFunc {
	return func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			// A letter becomes at most three: U+0390 in upper case. ASCII keeps its length.
			if s, ok := receiver(vm, &call); ok && s.Length() > c.limits.StringLength/3 && len(s.String()) != s.Length() {
				c.checkString(vm, name, int64(s.Length())*3)
			}
			return f(call)
		}
	}
}

// guardStringIterator keeps [...s] and Array.from(s) from making too long an array.
func guardStringIterator(c *core, vm *goja.Runtime, f native) native {
	return func(call goja.FunctionCall) goja.Value {
		if s, ok := call.This.(goja.String); ok {
			c.checkArray(vm, "iteration over a string", int64(s.Length()))
		}
		return f(call)
	}
}

func guardStringConstructor(c *core, vm *goja.Runtime, o *goja.Object) {
	inside(c, vm, o, "raw", func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			if strings, ok := call.Argument(0).(*goja.Object); ok {
				if raw, ok := strings.Get("raw").(*goja.Object); ok {
					c.walk(vm, "String.raw", raw)
				}
			}
			return f(call)
		}
	})
}

func orUndefined(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}
	return v
}

func isFunction(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	return ok && o.ClassName() == "Function"
}
