package webidl

import (
	"fmt"
	"reflect"
	"unicode/utf16"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

var proxyType = reflect.TypeFor[goja.Proxy]()

// IsProxy reports whether an object is a Proxy, whose every property is script code.
func IsProxy(o *goja.Object) bool { return o.ExportType() == proxyType }

// Text converts a value to a USVString: as String(value) does, lone surrogates being replaced.
func Text(v goja.Value) string { return v.ToString().String() }

// String converts a value to a DOMString, as String(value) does.
func String(v goja.Value) goja.String {
	converted := v.ToString() // numbers convert to themselves
	if s, ok := converted.(goja.String); ok {
		return s
	}
	return goja.StringFromUTF16(utf16.Encode([]rune(converted.String())))
}

// Need throws a TypeError when fewer than n arguments were given.
func Need(s *runtime.Session, call goja.FunctionCall, n int, function string) {
	if len(call.Arguments) < n {
		panic(s.NewError("TypeError", fmt.Sprintf("%s: %d of at least %d arguments given", function, len(call.Arguments), n)))
	}
}

// Uint8Array hands bytes to scripts without copying.
func Uint8Array(s *runtime.Session, data []byte) *goja.Object {
	vm := s.VM()
	ctor := vm.GlobalObject().Get("Uint8Array")
	o, err := vm.New(ctor, vm.ToValue(vm.NewArrayBuffer(data)))
	if err != nil {
		panic(err)
	}
	return o
}

// ArrayBuffer hands bytes to scripts without copying.
func ArrayBuffer(s *runtime.Session, data []byte) goja.Value {
	s.Guard().Buffers()
	return s.VM().ToValue(s.VM().NewArrayBuffer(data))
}

// Bytes returns the memory of an ArrayBuffer, typed array or DataView, not a copy: scripts may change it later.
// A detached buffer has none.
func Bytes(v goja.Value) ([]byte, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	switch KindOf(o) {
	case BufferKind:
		if b, ok := o.Export().(goja.ArrayBuffer); ok {
			return b.Bytes(), true
		}
	case TypedArrayKind:
		if !hasMemory(o) {
			return nil, true
		}
		if b, ok := o.Export().([]byte); ok {
			return b, true
		}
		return view(o)
	case DataViewKind:
		return view(o)
	}
	return nil, false
}

// view reads a view's extent from its properties, which a script may have shadowed: nothing outside the buffer
// is ever returned.
func view(o *goja.Object) ([]byte, bool) {
	inner, ok := o.Get("buffer").(*goja.Object)
	if !ok {
		return nil, false
	}
	b, ok := inner.Export().(goja.ArrayBuffer)
	if !ok {
		return nil, false
	}
	if b.Detached() {
		return nil, true
	}
	offset, length, all := o.Get("byteOffset").ToInteger(), o.Get("byteLength").ToInteger(), b.Bytes()
	if offset < 0 || length < 0 || offset > int64(len(all)) || length > int64(len(all))-offset {
		return nil, false
	}
	return all[offset : offset+length], true
}

// Field is a property of a plain object.
type Field struct {
	Name  string
	Value any
}

// AddFields defines ordinary properties in order. Unlike Object.Set it is safe where prototypes are frozen.
func AddFields(vm *goja.Runtime, o *goja.Object, fields ...Field) {
	for _, f := range fields {
		must(o.DefineDataProperty(f.Name, vm.ToValue(f.Value), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE))
	}
}
