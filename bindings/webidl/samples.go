package webidl

import (
	"reflect"
	"unsafe"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

var int16Type = reflect.TypeFor[[]int16]()

// Samples returns the memory of an Int16Array, not a copy: scripts may change it later. One whose buffer is detached
// has none.
func Samples(v goja.Value) (samples []int16, ok bool) {
	o, isObject := v.(*goja.Object)
	if !isObject || o.ExportType() != int16Type {
		return nil, false
	}
	if !hasMemory(o) {
		return nil, true
	}
	samples, ok = o.Export().([]int16)
	return samples, ok
}

// Int16Array hands samples to scripts without copying.
func Int16Array(s *runtime.Session, samples []int16) *goja.Object {
	var octets []byte
	if len(samples) > 0 {
		octets = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(samples))), 2*len(samples))
	}
	s.Guard().Buffers()
	vm := s.VM()
	o, err := vm.New(vm.GlobalObject().Get("Int16Array"), vm.ToValue(vm.NewArrayBuffer(octets)))
	if err != nil {
		panic(err)
	}
	return o
}

// hasMemory reports whether there is anything in a typed array. Of one whose buffer is detached, Object.Export returns
// memory that is nobody's; an element is what no script can shadow.
func hasMemory(typed *goja.Object) bool { return typed.Get("0") != nil }
