package es

import (
	"slices"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

var helperNames = []string{"map", "filter", "take", "drop", "flatMap", "reduce", "toArray", "forEach", "some", "every", "find", "constructor"}

// lazyHelpers stands between %IteratorPrototype% and Object.prototype until an iterator helper is first looked
// up, and then makes them all: most scripts iterate without ever naming one.
type lazyHelpers struct {
	vm     *goja.Runtime
	proto  *goja.Object // %IteratorPrototype%
	parent *goja.Object // Object.prototype
}

func addLazyHelpers(vm *goja.Runtime) error {
	proto := webidl.BuiltinIteratorPrototype(vm)
	lazy := lazyHelpers{vm, proto, proto.Prototype()}
	return proto.SetPrototype(vm.NewDynamicObject(lazy)) // whose own prototype is Object.prototype
}

// Get implements goja.DynamicObject.
func (l lazyHelpers) Get(name string) goja.Value {
	if !slices.Contains(helperNames, name) {
		return nil
	}
	if err := l.proto.SetPrototype(l.parent); err != nil { // frozen before a helper was touched
		return nil
	}
	if _, err := iterators(l.vm); err != nil {
		panic(err)
	}
	return l.proto.Get(name)
}

// Has implements goja.DynamicObject.
func (lazyHelpers) Has(name string) bool { return slices.Contains(helperNames, name) }

// Set implements goja.DynamicObject.
func (lazyHelpers) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (lazyHelpers) Delete(string) bool { return true }

// Keys implements goja.DynamicObject.
func (lazyHelpers) Keys() []string { return nil }
