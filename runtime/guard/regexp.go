package guard

import (
	"reflect"
	"sync/atomic"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
)

// Regular expressions. goja runs most with Go's linear matcher. Those with look-around or back-references, and
// any match that starts inside the text, go to regexp2, which backtracks, without end in bad cases; it has a
// time-out, upon which goja reports "no match". Here that becomes an error.

var regexpTimeout atomic.Int64

// SetRegexpTimeout sets how long one match may take, for regular expressions compiled afterwards. Call it once
// per process, before scripts are compiled. A match that takes longer throws a RangeError that names the
// pattern.
func SetRegexpTimeout(d time.Duration) {
	if time.Duration(regexpTimeout.Swap(int64(d))) != d {
		regexp2.DefaultMatchTimeout = d
	}
}

func isRegexp(o *goja.Object) bool { return o.ClassName() == "RegExp" }

// guardRegexps guards the methods of regular expressions once one is seen.
func guardRegexps(c *core, vm *goja.Runtime) {
	if c.done&onceRegExp == 0 {
		vm.GlobalObject().Get("RegExp")
	}
	if c.done&onceRegExp == 0 { // the script has replaced the global
		c.done |= onceRegExp
		if o, err := vm.RunProgram(someRegexp); err == nil {
			guardRegExpConstructor(c, vm, o.ToObject(vm).Get("constructor").ToObject(vm))
		}
	}
}

var someRegexp = goja.MustCompile("", "/x/", false)

func guardRegExpConstructor(c *core, vm *goja.Runtime, o *goja.Object) {
	guardArguments(o, func(args []goja.Value) []goja.Value { return expandArguments(c, vm, args) })
	p := o.Get("prototype").ToObject(vm)
	inside(c, vm, p, "compile", func(c *core, vm *goja.Runtime, f native) native {
		return func(call goja.FunctionCall) goja.Value {
			call.Arguments = expandArguments(c, vm, call.Arguments)
			return f(call)
		}
	})
	for _, m := range []struct {
		key    any
		missed func(call goja.FunctionCall, result goja.Value) bool
	}{
		{"exec", isNull},
		{"test", func(_ goja.FunctionCall, v goja.Value) bool { return !v.ToBoolean() }},
		{goja.SymMatch, isNull},
		{goja.SymSearch, func(_ goja.FunctionCall, v goja.Value) bool { return v.ToInteger() < 0 }},
		{goja.SymSplit, func(_ goja.FunctionCall, v goja.Value) bool {
			o, ok := v.(*goja.Object)
			return ok && lengthOf(o) == 1
		}},
		{goja.SymReplace, func(call goja.FunctionCall, v goja.Value) bool { return v.SameAs(call.Argument(0)) }},
	} {
		var f goja.Value
		if name, ok := m.key.(string); ok {
			f = p.Get(name)
		} else {
			f = p.GetSymbol(m.key.(*goja.Symbol))
		}
		wrapCall(f, func(f native) native {
			return guardMatch(c, vm, m.key, m.missed, f)
		})
	}
}

func isNull(_ goja.FunctionCall, v goja.Value) bool { return goja.IsNull(v) }

func guardMatch(c *core, vm *goja.Runtime, key any, missed func(goja.FunctionCall, goja.Value) bool, f native) native {
	many := key != "exec" && key != "test"
	return func(call goja.FunctionCall) goja.Value {
		c.check(vm)
		pattern, ok := call.This.(*goja.Object)
		if !ok {
			return f(call)
		}
		if many {
			call = settle(call, toString)
			if s, ok := call.Argument(0).(goja.String); ok {
				// All matches are found before the first is used; each takes a microsecond and a hundred bytes.
				if longest := c.limits.ArrayLength / 8; s.Length() > longest {
					throw(vm, "RangeError", "a regular expression was used on a text of %d characters; the limit is %d", s.Length(), longest)
				}
				if key == goja.SymReplace && !isFunction(call.Argument(1)) {
					call.Arguments = c.boundReplacement(vm, pattern, s, call.Arguments)
				}
			}
		}
		begin := time.Now()
		v := f(call)
		took := time.Since(begin)
		limit := time.Duration(regexpTimeout.Load())
		if limit <= 0 || took < limit || !missed(call, v) || !backtracks(pattern) {
			return v
		}
		if key == goja.SymReplace && isFunction(call.Argument(1)) && !c.timesOut(pattern, call, f, limit) {
			return v // the replacer took the time, and changed nothing
		}
		throw(vm, "RangeError", "the regular expression /%s/ took more than %s on a text of %d characters; write it without nested repetition",
			shorten(pattern.Get("source").String()), limit, textLength(call))
		return nil
	}
}

// timesOut repeats a replacement without the script's replacer.
func (c *core) timesOut(pattern *goja.Object, call goja.FunctionCall, f native, limit time.Duration) bool {
	begin := time.Now()
	f(goja.FunctionCall{This: pattern, Arguments: []goja.Value{call.Argument(0)}})
	return time.Since(begin) >= limit
}

// boundReplacement bounds what replacing with a string can grow to.
func (c *core) boundReplacement(vm *goja.Runtime, pattern *goja.Object, s goja.String, args []goja.Value) []goja.Value {
	if len(args) < 2 {
		return args
	}
	replacement, ok := args[1].(goja.String)
	if !ok {
		args = append([]goja.Value(nil), args...)
		replacement = str(vm, args[1])
		args[1] = replacement
	}
	limit, length := int64(c.limits.StringLength), int64(s.Length())
	matches := int64(1)
	if v := pattern.Get("global"); v != nil && v.ToBoolean() {
		matches = length + 1
	}
	each := int64(replacement.Length())
	inserts := int64(0)
	for i := 0; i+1 < replacement.Length(); i++ {
		if replacement.CharAt(i) == '$' {
			inserts++
		}
	}
	if length+matches*each+inserts*matches*length <= limit {
		return args
	}
	// The cheap bound is too high: let the result be counted as it grows.
	args = append([]goja.Value(nil), args...)
	args[1] = c.countingReplacer(vm, s, replacement)
	return args
}

func textLength(call goja.FunctionCall) int {
	if s, ok := call.Argument(0).(goja.String); ok {
		return s.Length()
	}
	return 0
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// backtracks reports whether an expression is, or has once been, given to regexp2.
func backtracks(o *goja.Object) bool {
	self := selfOf(o)
	if self.Kind() != reflect.Pointer {
		return true
	}
	pattern := self.Elem().FieldByName("pattern")
	if !pattern.IsValid() || pattern.Kind() != reflect.Pointer || pattern.IsNil() {
		return false
	}
	w := pattern.Elem().FieldByName("regexp2Wrapper")
	return !w.IsValid() || !w.IsNil()
}

// checkPattern refuses very long patterns, whose compilation cannot be stopped.
func checkPattern(_ *core, vm *goja.Runtime, pattern goja.String) {
	if pattern.Length() > maxPattern {
		throw(vm, "RangeError", "the regular expression is %d characters long; the limit is %d", pattern.Length(), maxPattern)
	}
}

// expandArguments prepares what RegExp(pattern, flags) is given.
func expandArguments(c *core, vm *goja.Runtime, args []goja.Value) []goja.Value {
	if len(args) == 0 {
		return args
	}
	var flags string
	hasFlags := len(args) > 1 && !goja.IsUndefined(args[1])
	if hasFlags {
		flags = str(vm, args[1]).String()
	}
	for _, f := range flags {
		switch f {
		case 'v':
			throw(vm, "SyntaxError", "the regular expression flag 'v' is not available; use 'u', and write set differences and intersections as look-ahead: (?!b)[a]")
		case 'd':
			throw(vm, "SyntaxError", "the regular expression flag 'd' is not available; use the match's index and the lengths of its groups")
		}
	}
	source, ok := args[0].(goja.String)
	if o, isObject := args[0].(*goja.Object); isObject {
		if !isRegexp(o) {
			if v := o.GetSymbol(goja.SymMatch); v != nil && !goja.IsUndefined(v) {
				return args // acts as a regular expression, by the script's own code
			}
			source, ok = str(vm, o), true
		} else if hasFlags {
			source, ok = str(vm, o.Get("source")), true
		}
	}
	if !ok {
		return args
	}
	checkPattern(c, vm, source)
	unicodeMode := false
	for _, f := range flags {
		unicodeMode = unicodeMode || f == 'u'
	}
	out := append([]goja.Value{source}, args[1:]...)
	if unicodeMode {
		expanded, err := expandProperties(source.String())
		if err != nil {
			throw(vm, "SyntaxError", "Invalid regular expression /%s/: %v", shorten(source.String()), err)
		}
		if expanded != source.String() {
			out[0] = vm.ToValue(expanded)
		}
	}
	return out
}
