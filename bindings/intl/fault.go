package intl

import (
	"fmt"

	"github.com/dop251/goja"
)

// fault is an error on its way to a script.
type fault struct {
	kind    string // the JavaScript constructor: TypeError or RangeError
	message string
}

func (f *fault) Error() string { return f.message }

func rangeError(format string, args ...any) error {
	return &fault{"RangeError", fmt.Sprintf(format, args...)}
}

func typeError(format string, args ...any) error {
	return &fault{"TypeError", fmt.Sprintf(format, args...)}
}

// check throws err, if there is one, into the VM whose native function is running.
func check(vm *goja.Runtime, err error) {
	if err == nil {
		return
	}
	if f, ok := err.(*fault); ok && f.kind == "RangeError" {
		if ctor := vm.Get("RangeError"); ctor != nil {
			if obj, err := vm.New(ctor, vm.ToValue(f.message)); err == nil {
				panic(obj)
			}
		}
	}
	panic(vm.NewTypeError("%s", err.Error()))
}
