package webidl

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// BuiltinIteratorPrototype returns %IteratorPrototype%, which the prototypes of all iterators share.
func BuiltinIteratorPrototype(vm *goja.Runtime) *goja.Object {
	values, _ := goja.AssertFunction(vm.NewArray().GetSymbol(goja.SymIterator))
	it, err := values(vm.NewArray())
	if err != nil {
		panic(err)
	}
	return it.(*goja.Object).Prototype().Prototype()
}

// IteratorPrototype makes the prototype of a class's iterators. next returns the next value, or false at the end.
func IteratorPrototype(s *runtime.Session, tag string, next func(goja.FunctionCall) (goja.Value, bool)) *goja.Object {
	vm := s.VM()
	proto := vm.CreateObject(BuiltinIteratorPrototype(vm))
	AddMembers(vm, proto, Member{Name: "next", Call: func(c goja.FunctionCall) goja.Value {
		v, more := next(c)
		return IteratorResult(vm, v, !more)
	}})
	Tag(vm, proto, tag)
	return proto
}

// IteratorResult makes what an iterator's next returns.
func IteratorResult(vm *goja.Runtime, v goja.Value, done bool) goja.Value {
	if v == nil {
		v = goja.Undefined()
	}
	o := vm.NewObject()
	must(o.Set("value", v))
	must(o.Set("done", done))
	return o
}
