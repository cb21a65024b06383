package runtime

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// Args reads the arguments of a native function; what does not fit is thrown as a TypeError that names function,
// argument and what was expected.
type Args struct {
	s    *Session
	name string
	call goja.FunctionCall
}

// Args returns a reader for a call of the named function. On the session's goroutine.
func (s *Session) Args(name string, call goja.FunctionCall) Args { return Args{s, name, call} }

// Throw throws a TypeError that begins with the function's name.
func (a Args) Throw(format string, args ...any) {
	panic(a.s.NewError("TypeError", a.name+": "+fmt.Sprintf(format, args...)))
}

// Fail throws what a script sees of an error.
func (a Args) Fail(err error) { panic(a.s.ErrorValue(err)) }

// Has reports whether argument i is given and not undefined.
func (a Args) Has(i int) bool { return !goja.IsUndefined(a.call.Argument(i)) }

// Value returns argument i, or undefined.
func (a Args) Value(i int) goja.Value { return a.call.Argument(i) }

// This returns the receiver of the call.
func (a Args) This() goja.Value { return a.call.This }

// String returns argument i, which must be a string.
func (a Args) String(i int, what string) string {
	v := a.call.Argument(i)
	if text, ok := primitive(v).(string); ok {
		return text
	}
	a.Throw("%s must be a string, not %s", what, Describe(v))
	return ""
}

// Number returns argument i, which must be a finite number.
func (a Args) Number(i int, what string) float64 {
	return number(a, what, a.call.Argument(i))
}

// Function returns argument i, which must be a function.
func (a Args) Function(i int, what string) goja.Callable {
	fn, ok := goja.AssertFunction(a.call.Argument(i))
	if !ok {
		a.Throw("%s must be a function, not %s", what, Describe(a.call.Argument(i)))
	}
	return fn
}

// Duration returns argument i: a number of milliseconds, or text such as "250ms", "5s", "2m", "1h30m".
func (a Args) Duration(i int, what string) time.Duration {
	return duration(a, what, a.call.Argument(i))
}

// Options returns argument i as an options object in which only the known names may stand. An absent argument
// gives empty options.
func (a Args) Options(i int, known ...string) Options {
	v := a.call.Argument(i)
	if goja.IsUndefined(v) || goja.IsNull(v) {
		return Options{args: a}
	}
	object, ok := v.(*goja.Object)
	if !ok {
		a.Throw("options must be an object, not %s", Describe(v))
	}
	for _, key := range object.Keys() {
		found := false
		for _, k := range known {
			found = found || k == key
		}
		if !found {
			a.Throw("unknown option %q; the options are %s", key, strings.Join(known, ", "))
		}
	}
	return Options{args: a, object: object}
}

// Options are the named options of a native function.
type Options struct {
	args   Args
	object *goja.Object
}

// Value returns an option, or nil when it is absent or undefined.
func (o Options) Value(name string) goja.Value {
	if o.object == nil {
		return nil
	}
	v := o.object.Get(name)
	if v == nil || goja.IsUndefined(v) {
		return nil
	}
	return v
}

// Has reports whether an option is given.
func (o Options) Has(name string) bool { return o.Value(name) != nil }

// String returns an option that must be a string, or the default.
func (o Options) String(name, otherwise string) string {
	v := o.Value(name)
	if v == nil {
		return otherwise
	}
	text, ok := primitive(v).(string)
	if !ok {
		o.args.Throw("option %q must be a string, not %s", name, Describe(v))
	}
	return text
}

// Bool returns an option that must be true or false, or the default.
func (o Options) Bool(name string, otherwise bool) bool {
	v := o.Value(name)
	if v == nil {
		return otherwise
	}
	b, ok := primitive(v).(bool)
	if !ok {
		o.args.Throw("option %q must be true or false, not %s", name, Describe(v))
	}
	return b
}

// Number returns an option that must be a finite number, or the default.
func (o Options) Number(name string, otherwise float64) float64 {
	v := o.Value(name)
	if v == nil {
		return otherwise
	}
	return number(o.args, "option "+strconv.Quote(name), v)
}

// Int returns an option that must be a whole number from low to high, or the default.
func (o Options) Int(name string, otherwise, low, high int) int {
	v := o.Value(name)
	if v == nil {
		return otherwise
	}
	n := number(o.args, "option "+strconv.Quote(name), v)
	if n != math.Trunc(n) || n < float64(low) || n > float64(high) {
		o.args.Throw("option %q must be a whole number from %d to %d, not %v", name, low, high, n)
	}
	return int(n)
}

// Duration returns an option that is a number of milliseconds or text such as "5s", or the default.
func (o Options) Duration(name string, otherwise time.Duration) time.Duration {
	v := o.Value(name)
	if v == nil {
		return otherwise
	}
	return duration(o.args, "option "+strconv.Quote(name), v)
}

// Function returns an option that must be a function, or nil.
func (o Options) Function(name string) goja.Callable {
	v := o.Value(name)
	if v == nil {
		return nil
	}
	fn, ok := goja.AssertFunction(v)
	if !ok {
		o.args.Throw("option %q must be a function, not %s", name, Describe(v))
	}
	return fn
}

// primitive is the Go value of a primitive, and nil for an object: exporting an object would copy all it holds, and
// an array may claim to hold billions.
func primitive(v goja.Value) any {
	if _, ok := v.(*goja.Object); ok {
		return nil
	}
	return v.Export()
}

func number(a Args, what string, v goja.Value) float64 {
	switch n := primitive(v).(type) {
	case int64:
		return float64(n)
	case float64:
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			return n
		}
	}
	a.Throw("%s must be a finite number, not %s", what, Describe(v))
	return 0
}

func duration(a Args, what string, v goja.Value) time.Duration {
	var d time.Duration
	switch x := primitive(v).(type) {
	case int64:
		d = time.Duration(x) * time.Millisecond
		if x > math.MaxInt64/int64(time.Millisecond) {
			d = -1
		}
	case float64:
		d = -1
		if x >= 0 && x < float64(math.MaxInt64/int64(time.Millisecond)) {
			d = time.Duration(x * float64(time.Millisecond))
		}
	case string:
		var err error
		if d, err = time.ParseDuration(x); err != nil {
			d = -1
		}
	default:
		d = -1
	}
	if d < 0 {
		a.Throw(`%s must be a time: milliseconds, or text such as "500ms", "5s", "2m"; not %s`, what, Describe(v))
	}
	return d
}

// Describe names a value for an error message: its kind, and a short look at it.
func Describe(v goja.Value) string {
	switch {
	case v == nil || goja.IsUndefined(v):
		return "undefined"
	case goja.IsNull(v):
		return "null"
	}
	if object, ok := v.(*goja.Object); ok {
		switch class := object.ClassName(); class {
		case "Array":
			return "an array"
		case "Function":
			return "a function"
		case "Object":
			return "an object"
		default:
			return "a " + class
		}
	}
	switch x := v.Export().(type) {
	case string:
		return strconv.Quote(truncate(x, 40))
	case bool:
		return strconv.FormatBool(x)
	case int64, float64:
		return fmt.Sprint(x)
	}
	return fmt.Sprintf("a %T", v.Export())
}
