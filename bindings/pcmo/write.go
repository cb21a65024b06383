package pcmo

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"

	call "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// Bounds of what a script may hand over as JSON. A call document has some ten actions of some hundred bytes.
const (
	maxBytes = 256 << 10
	maxNodes = 20_000
	maxDepth = 64
)

// writer writes JavaScript values as JSON.stringify does, in bounds: shared structure that would unfold without end,
// circles and depth end in a fault that says where.
type writer struct {
	vm    *goja.Runtime
	out   []byte
	nodes int
	path  []step
	stack []*goja.Object
	// function is asked about functions. It writes something in the function's place and reports true, or reports
	// false for what JSON.stringify does, which is to leave them out.
	function func(w *writer, f goja.Callable, o *goja.Object) bool
}

// step is one part of the path to where the writer stands: a member's name, or an index if the name is "".
type step struct {
	name  string
	index int
}

// where returns the path as in $[1].file_url.
func (w *writer) where() string {
	b := []byte{'$'}
	for _, s := range w.path {
		switch {
		case s.index >= 0:
			b = append(strconv.AppendInt(append(b, '['), int64(s.index), 10), ']')
		case isIdentifier(s.name):
			b = append(append(b, '.'), s.name...)
		default:
			b = append(call.AppendString(append(b, '['), shorten(s.name)), ']')
		}
	}
	return string(b)
}

func isIdentifier(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == "" && !isDigit(s[0])
}

func shorten(s string) string {
	if utf8.RuneCountInString(s) <= 40 {
		return s
	}
	return string([]rune(s)[:39]) + "…"
}

// fail ends the writing with a fault.
func (w *writer) fail(format string, args ...any) {
	panic(refusal{&runtime.Fault{Kind: runtime.FaultResult, Message: w.where() + ": " + fmt.Sprintf(format, args...)}})
}

// refusal carries a fault up to write.
type refusal struct{ fault *runtime.Fault }

// write writes v and reports whether there was anything to write. The error is a *runtime.Fault of kind FaultResult,
// or what the value's own code (a getter, a toJSON) threw.
func (w *writer) write(v goja.Value) (wrote bool, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case refusal:
			err = r.fault
		default:
			panic(r)
		}
	}()
	if ex := w.vm.Try(func() { wrote = w.value(v, "") }); ex != nil {
		return false, ex
	}
	return wrote, nil
}

func (w *writer) count() {
	if w.nodes++; w.nodes > maxNodes {
		w.fail("has more than %d values", maxNodes)
	}
	if len(w.out) > maxBytes {
		w.fail("is longer than %d KiB", maxBytes>>10)
	}
}

var proxyType = reflect.TypeFor[goja.Proxy]()

func (w *writer) value(v goja.Value, key string) bool {
	w.count()
	if o, ok := v.(*goja.Object); ok {
		return w.object(o, key)
	}
	return w.primitive(v)
}

func (w *writer) primitive(v goja.Value) bool {
	if s, ok := v.(goja.String); ok {
		w.string(s)
		return true
	}
	switch {
	case v == nil || goja.IsUndefined(v):
		return false
	case goja.IsNull(v):
		w.out = append(w.out, "null"...)
		return true
	}
	switch x := v.Export().(type) {
	case bool:
		w.out = strconv.AppendBool(w.out, x)
	case int64:
		w.out = strconv.AppendInt(w.out, x, 10)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			w.out = append(w.out, "null"...)
		} else {
			w.out = append(w.out, v.String()...)
		}
	default:
		if goja.IsBigInt(v) {
			w.fail("is a BigInt, which JSON cannot hold; write a string")
		}
		return false // a symbol
	}
	return true
}

func (w *writer) object(o *goja.Object, key string) bool {
	f, callable := goja.AssertFunction(o)
	if toJSON, ok := goja.AssertFunction(orUndefined(o.Get("toJSON"))); ok && !callable {
		v, err := toJSON(o, w.vm.ToValue(key))
		if err != nil {
			panic(err)
		}
		var isObject bool
		if o, isObject = v.(*goja.Object); !isObject {
			return w.primitive(v)
		}
		f, callable = goja.AssertFunction(o)
	}
	if callable {
		return w.function != nil && w.function(w, f, o)
	}
	array := false
	switch o.ClassName() {
	case "Array":
		array = true
	case "String":
		w.string(o.ToString().(goja.String))
		return true
	case "Number":
		return w.primitive(o.ToNumber())
	case "Boolean":
		return w.primitive(w.vm.ToValue(o.Export()))
	case "BigInt":
		w.fail("is a BigInt, which JSON cannot hold; write a string")
	case "Object":
		if o.ExportType() == proxyType {
			array = isArrayProxy(o)
		}
	}
	for _, outer := range w.stack {
		if outer == o {
			w.fail("leads back to what it is part of")
		}
	}
	if len(w.stack) == maxDepth {
		w.fail("is nested more than %d deep", maxDepth)
	}
	w.stack = append(w.stack, o)
	if array {
		w.array(o)
	} else {
		w.members(o)
	}
	w.stack = w.stack[:len(w.stack)-1]
	return true
}

func isArrayProxy(o *goja.Object) bool {
	for range 100 {
		proxy, ok := o.Export().(goja.Proxy)
		if !ok || proxy.Target() == nil {
			return false
		}
		if o = proxy.Target(); o.ExportType() != proxyType {
			return o.ClassName() == "Array"
		}
	}
	return false
}

func (w *writer) array(o *goja.Object) {
	w.out = append(w.out, '[')
	n := int(min(orUndefined(o.Get("length")).ToInteger(), math.MaxInt32))
	w.path = append(w.path, step{index: 0})
	for i := range n {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.path[len(w.path)-1].index = i
		index := strconv.Itoa(i)
		if !w.value(o.Get(index), index) {
			w.out = append(w.out, "null"...)
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.out = append(w.out, ']')
}

func (w *writer) members(o *goja.Object) {
	w.out = append(w.out, '{')
	start := len(w.out)
	w.path = append(w.path, step{index: -1})
	for _, key := range o.Keys() {
		w.path[len(w.path)-1].name = key
		before := len(w.out)
		if before > start {
			w.out = append(w.out, ',')
		}
		w.out = append(call.AppendString(w.out, key), ':')
		if !w.value(o.Get(key), key) {
			w.out = w.out[:before]
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.out = append(w.out, '}')
}

// string writes a string; unpaired surrogates are escaped, as JSON.stringify has it.
func (w *writer) string(s goja.String) {
	if s.Length() > maxBytes {
		w.fail("is a text of %d characters; the whole may have %d KiB", s.Length(), maxBytes>>10)
	}
	text := s.String()
	if len(text) == s.Length() || !strings.ContainsRune(text, utf8.RuneError) {
		w.out = call.AppendString(w.out, text)
		return
	}
	w.out = append(w.out, '"')
	var run []byte
	for i := 0; i < s.Length(); i++ {
		c := rune(s.CharAt(i))
		if utf16.IsSurrogate(c) {
			pair := utf8.RuneError
			if i+1 < s.Length() {
				pair = utf16.DecodeRune(c, rune(s.CharAt(i+1)))
			}
			if pair == utf8.RuneError {
				w.quoted(run)
				run = run[:0]
				w.out = strconv.AppendUint(append(w.out, '\\', 'u'), uint64(c), 16)
				continue
			}
			c = pair
			i++
		}
		run = utf8.AppendRune(run, c)
	}
	w.quoted(run)
	w.out = append(w.out, '"')
}

// quoted writes the inside of a JSON string.
func (w *writer) quoted(text []byte) {
	mark := len(w.out)
	w.out = call.AppendString(w.out, string(text))
	copy(w.out[mark:], w.out[mark+1:len(w.out)-1])
	w.out = w.out[:len(w.out)-2]
}

func orUndefined(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}
	return v
}

// stringify is JSON.stringify, as a JavaScript value. It throws what the writer refuses.
func (in *instance) stringify(v goja.Value) goja.Value {
	w := writer{vm: in.vm, out: make([]byte, 0, 512)}
	wrote, err := w.write(v)
	if err != nil {
		panic(in.thrown(err))
	}
	if !wrote {
		return goja.Undefined()
	}
	return in.vm.ToValue(string(w.out))
}

// thrown returns what to panic with for an error of a writer.
func (in *instance) thrown(err error) any {
	if f, ok := err.(*runtime.Fault); ok {
		return in.s.NewError("TypeError", f.Message)
	}
	return err
}
