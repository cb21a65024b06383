package guard

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

var (
	valueTrue  = goja.New().ToValue(true)
	valueFalse = goja.New().ToValue(false)
)

// writer writes JavaScript values as JSON, as ECMA-262 section 25.5.2 has it.
type writer struct {
	core     *core
	vm       *goja.Runtime
	out      []byte
	stack    []*goja.Object // the objects being written, to find circles
	replacer goja.Callable
	list     []string // the properties to write, where the replacer is an array
	only     bool
	gap      string
	indent   string
	seen     int
	original native // goja's own stringify, for Go values in disguise
}

var outputs = sync.Pool{New: func() any { return new([]byte) }}

func (c *core) stringify(vm *goja.Runtime, call goja.FunctionCall, original native) goja.Value {
	buffer := outputs.Get().(*[]byte)
	w := writer{core: c, vm: vm, out: (*buffer)[:0], original: original}
	defer func() {
		if cap(w.out) <= 64<<10 {
			*buffer = w.out
		}
		outputs.Put(buffer)
	}()
	w.options(call.Argument(1), call.Argument(2))
	v := call.Argument(0)
	var holder *goja.Object
	if w.replacer != nil {
		holder = vm.NewObject()
		put(holder, "", v)
	}
	if !w.value(holder, "", v) {
		return goja.Undefined()
	}
	return vm.ToValue(string(w.out))
}

// options reads the replacer and the space.
func (w *writer) options(replacer, space goja.Value) {
	if o, ok := replacer.(*goja.Object); ok {
		if f, ok := goja.AssertFunction(o); ok {
			w.replacer = f
		} else if isArray(w.vm, o) {
			w.only = true
			known := map[string]bool{}
			for i := range int(w.core.walk(w.vm, "JSON.stringify", o)) {
				name, ok := propertyName(element(o, i))
				if ok && !known[name] {
					known[name] = true
					w.list = append(w.list, name)
				}
			}
		}
	}
	if o, ok := space.(*goja.Object); ok {
		switch o.ClassName() {
		case "Number":
			space = o.ToNumber()
		case "String":
			space = str(w.vm, o)
		}
	}
	if s, ok := space.(goja.String); ok {
		w.gap = s.Substring(0, min(10, s.Length())).String()
	} else if _, ok := space.(*goja.Object); !ok && goja.IsNumber(space) {
		w.gap = strings.Repeat(" ", int(max(0, min(10, space.ToInteger()))))
	}
}

// propertyName is for the elements of a replacer array.
func propertyName(v goja.Value) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case goja.String:
		return v.String(), true
	case *goja.Object:
		if class := v.ClassName(); class != "Number" && class != "String" {
			return "", false
		}
		return v.String(), true
	}
	if goja.IsNumber(v) {
		return v.String(), true
	}
	return "", false
}

// isArray is Array.isArray.
func isArray(vm *goja.Runtime, o *goja.Object) bool {
	for range 1000 {
		if implementation(o).word == seam.array || o.ClassName() == "Array" {
			return true
		}
		if implementation(o).word == seam.plain {
			return false
		}
		p, ok := o.Export().(goja.Proxy)
		if !ok {
			return false
		}
		if o = p.Target(); o == nil {
			panic(vm.NewTypeError("Cannot perform 'IsArray' on a proxy that has been revoked"))
		}
	}
	return false
}

// value writes a value, or reports false where there is nothing to write: undefined, functions, symbols. The
// holder is what the value was found in; it is needed only for a replacer.
func (w *writer) value(holder *goja.Object, key string, v goja.Value) bool {
	if w.seen++; w.seen&63 == 0 {
		w.core.check(w.vm)
		if len(w.out) > w.core.limits.StringLength {
			w.core.checkString(w.vm, "JSON.stringify", int64(len(w.out)))
		}
	}
	o, isObject := v.(*goja.Object)
	if isObject {
		v = w.toJSON(o, key)
	} else if goja.IsBigInt(v) {
		v = w.toJSON(v.ToObject(w.vm), key)
	}
	if w.replacer != nil {
		var err error
		if v, err = w.replacer(holder, w.vm.ToValue(key), v); err != nil {
			panic(err)
		}
	}
	if o, isObject = v.(*goja.Object); isObject {
		if implementation(o).word != seam.plain && implementation(o).word != seam.array {
			var done, wrote bool
			if v, done, wrote = w.exotic(o); done {
				return wrote
			}
			o, isObject = v.(*goja.Object)
		} else if o.ClassName() == "RawJSON" {
			w.out = append(w.out, o.Get("rawJSON").String()...)
			return true
		}
	}
	switch {
	case isObject:
		w.object(o)
	case v == nil || goja.IsUndefined(v):
		return false
	case goja.IsNull(v):
		w.out = append(w.out, "null"...)
	case isBool(v):
		w.out = strconv.AppendBool(w.out, v.ToBoolean())
	case isInt(v):
		w.out = strconv.AppendInt(w.out, v.ToInteger(), 10)
	case goja.IsNumber(v):
		if f := v.ToFloat(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.out = append(w.out, "null"...)
		} else {
			w.out = append(w.out, v.String()...)
		}
	case goja.IsBigInt(v):
		panic(w.vm.NewTypeError("Do not know how to serialize a BigInt"))
	default:
		s, ok := v.(goja.String)
		if !ok {
			return false // a symbol
		}
		if int64(len(w.out))+int64(s.Length()) > int64(w.core.limits.StringLength) {
			w.core.checkString(w.vm, "JSON.stringify", int64(len(w.out)+s.Length()))
		}
		w.string(s)
	}
	return true
}

func (w *writer) toJSON(o *goja.Object, key string) goja.Value {
	if f, ok := o.Get("toJSON").(*goja.Object); ok {
		if call, ok := goja.AssertFunction(f); ok {
			w.core.enter(w.vm)
			defer w.core.leave()
			v, err := call(o, w.vm.ToValue(key))
			if err != nil {
				panic(err)
			}
			return v
		}
	}
	return o
}

// exotic is about objects that are neither plain nor arrays: what they unwrap to, or that they were dealt with.
func (w *writer) exotic(o *goja.Object) (v goja.Value, done, wrote bool) {
	if isReflected(o) {
		s, ok := w.original(goja.FunctionCall{Arguments: []goja.Value{o}}).(goja.String)
		if ok {
			w.out = append(w.out, s.String()...)
		}
		return nil, true, ok
	}
	switch o.ClassName() {
	case "Function":
		return nil, true, false
	case "Number":
		return o.ToNumber(), false, false
	case "String":
		return str(w.vm, o), false, false
	case "Boolean":
		b, _ := o.Export().(bool)
		return w.vm.ToValue(b), false, false
	case "BigInt":
		panic(w.vm.NewTypeError("Do not know how to serialize a BigInt"))
	}
	return o, false, false
}

func (w *writer) object(o *goja.Object) {
	for _, outer := range w.stack {
		if outer == o {
			panic(w.vm.NewTypeError("Converting circular structure to JSON"))
		}
	}
	if len(w.stack) >= w.core.limits.Nesting {
		throw(w.vm, "RangeError", "JSON.stringify: the value is nested more than %d deep", w.core.limits.Nesting)
	}
	w.stack = append(w.stack, o)
	stepback := w.indent
	w.indent += w.gap
	if isArray(w.vm, o) {
		w.array(o, stepback)
	} else {
		w.members(o, stepback)
	}
	w.indent = stepback
	w.stack = w.stack[:len(w.stack)-1]
}

func (w *writer) newline(indent string) {
	if w.gap != "" {
		w.out = append(w.out, '\n')
		w.out = append(w.out, indent...)
	}
}

func (w *writer) array(o *goja.Object, stepback string) {
	n := int(w.core.walk(w.vm, "JSON.stringify", o))
	w.out = append(w.out, '[')
	for i := range n {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.newline(w.indent)
		key := ""
		e := element(o, i)
		if _, isObject := e.(*goja.Object); isObject || w.replacer != nil {
			key = strconv.Itoa(i)
		}
		if !w.value(o, key, e) {
			w.out = append(w.out, "null"...)
		}
	}
	if n > 0 {
		w.newline(stepback)
	}
	w.out = append(w.out, ']')
}

func (w *writer) members(o *goja.Object, stepback string) {
	keys := w.list
	if !w.only {
		keys = o.Keys()
	}
	values, _, fast := properties(o)
	w.out = append(w.out, '{')
	empty := true
	for _, key := range keys {
		var v goja.Value
		if fast && len(key) > 0 && isASCII(key) {
			v = values[unistring.String(key)]
		}
		if v == nil || valueWords(v).word == seam.property {
			v = orUndefined(o.Get(key))
		}
		mark := len(w.out)
		if !empty {
			w.out = append(w.out, ',')
		}
		w.newline(w.indent)
		w.quote(key)
		w.out = append(w.out, ':')
		if w.gap != "" {
			w.out = append(w.out, ' ')
		}
		if w.value(o, key, v) {
			empty = false
		} else {
			w.out = w.out[:mark]
		}
	}
	if !empty {
		w.newline(stepback)
	}
	w.out = append(w.out, '}')
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// string writes a string value. Unpaired surrogates, which UTF-8 cannot hold, are escaped.
func (w *writer) string(s goja.String) {
	text := s.String()
	if len(text) == s.Length() || !strings.ContainsRune(text, utf8.RuneError) {
		w.quote(text)
		return
	}
	w.out = append(w.out, '"')
	for i := 0; i < s.Length(); i++ {
		u := rune(s.CharAt(i))
		if utf16.IsSurrogate(u) {
			pair := utf8.RuneError
			if i+1 < s.Length() {
				pair = utf16.DecodeRune(u, rune(s.CharAt(i+1)))
			}
			if pair == utf8.RuneError {
				w.out = append(w.out, '\\', 'u')
				w.out = strconv.AppendUint(w.out, uint64(u), 16)
				continue
			}
			u = pair
			i++
		}
		if u < utf8.RuneSelf {
			w.escape(byte(u))
		} else {
			w.out = utf8.AppendRune(w.out, u)
		}
	}
	w.out = append(w.out, '"')
}

// quote writes a string that is whole UTF-8.
func (w *writer) quote(s string) {
	w.out = append(w.out, '"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			w.out = append(w.out, s[start:i]...)
			w.escape(c)
			start = i + 1
		}
	}
	w.out = append(w.out, s[start:]...)
	w.out = append(w.out, '"')
}

func (w *writer) escape(c byte) {
	const from, to = "\"\\\b\f\n\r\t", `"\bfnrt`
	if i := strings.IndexByte(from, c); i >= 0 {
		w.out = append(w.out, '\\', to[i])
	} else if c < 0x20 {
		w.out = append(w.out, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
	} else {
		w.out = append(w.out, c)
	}
}

// elementKeys are the keys a reviver visits.
func elementKeys(c *core, vm *goja.Runtime, o *goja.Object) []string {
	if !isArray(vm, o) {
		return o.Keys()
	}
	keys := make([]string, c.walk(vm, "JSON.parse", o))
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	return keys
}
