package guard

import (
	"fmt"
	"weak"

	"github.com/dop251/goja"
)

// guardFunc puts a guard inside the built-in function f of a runtime.
type guardFunc func(c *core, vm *goja.Runtime, f native) native

// init edits goja's tables before any runtime can be using them.
func init() {
	guards.of = map[weak.Pointer[goja.Runtime]]*core{}
	vm := goja.New()
	if errSeam = findSeam(vm); errSeam != nil {
		return
	}
	for _, e := range []struct {
		path  string
		edits func(*editor)
	}{
		{"String.prototype", editStrings},
		{"Array.prototype", editArrays},
		{"Int8Array.prototype.__proto__", editTypedArrays},
		{"DataView.prototype", editDataViews},
		{"Function.prototype", editFunctions},
		{"Object", editObject},
		{"this", editGlobals},
	} {
		v, err := vm.RunString(e.path)
		if err != nil {
			errSeam = err
			return
		}
		ed := &editor{path: e.path}
		if ed.table, errSeam = tableOf(v.ToObject(vm)); errSeam != nil {
			return
		}
		if e.edits(ed); ed.err != nil {
			errSeam = fmt.Errorf("%s: %w", e.path, ed.err)
			return
		}
	}
}

// editor edits one of goja's tables.
type editor struct {
	path  string
	table table
	err   error
}

// replace sees to it that in guarded runtimes a member is what make makes of it.
func (e *editor) replace(key any, make func(c *core, vm *goja.Runtime, member goja.Value) goja.Value) {
	if e.err != nil {
		return
	}
	e.err = e.table.edit(key, func(original factory) factory {
		if seam.property == nil {
			e.err = findProperty(original(goja.New()))
		}
		return func(vm *goja.Runtime) goja.Value {
			member := original(vm)
			if c := coreOf(vm); c != nil {
				return make(c, vm, member)
			}
			return member
		}
	})
}

// method puts a guard inside a method.
func (e *editor) method(key any, guard guardFunc) {
	e.replace(key, func(c *core, vm *goja.Runtime, member goja.Value) goja.Value {
		if o := memberObject(member); o != nil {
			wrapCall(o, func(f native) native { return guard(c, vm, f) })
		}
		return member
	})
}

// methods puts a guard that needs the method's name inside several methods.
func (e *editor) methods(guard func(name string) guardFunc, names ...string) {
	for _, name := range names {
		e.method(name, guard(e.path+"."+name))
	}
}

// object runs once per runtime when a constructor or namespace is first reached, by whatever path.
func (e *editor) object(key any, once uint32, guard func(c *core, vm *goja.Runtime, o *goja.Object)) {
	e.replace(key, func(c *core, vm *goja.Runtime, member goja.Value) goja.Value {
		if o := memberObject(member); o != nil && c.done&once == 0 {
			c.done |= once
			guard(c, vm, o)
		}
		return member
	})
}

// stub makes a member cheap to make: Install is about to delete it.
func (e *editor) stub(names ...string) {
	for _, name := range names {
		if e.err != nil {
			return
		}
		e.err = e.table.edit(name, func(original factory) factory {
			return func(vm *goja.Runtime) goja.Value {
				if coreOf(vm) != nil {
					return goja.Undefined()
				}
				return original(vm)
			}
		})
	}
}

// inside puts a guard inside a method of an object that goja makes without a table.
func inside(c *core, vm *goja.Runtime, o *goja.Object, name string, guard guardFunc) {
	wrapCall(o.Get(name), func(f native) native { return guard(c, vm, f) })
}

// Constructors and namespaces that are guarded as a whole.
const (
	onceString uint32 = 1 << iota
	onceArray
	onceArrayBuffer
	onceTypedArray
	onceUint8Array
	onceInt8Array
	onceUint8ClampedArray
	onceInt16Array
	onceUint16Array
	onceInt32Array
	onceUint32Array
	onceFloat32Array
	onceFloat64Array
	onceJSON
	onceReflect
	onceRegExp
	onceSymbol
)
