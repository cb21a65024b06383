package testrunner

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// later does something once time has passed, and returns what prevents it.
func (b *bench) later(a runtime.Args) goja.Value {
	d, f := a.Duration(0, "it"), a.Function(1, "what is done")
	cancel := b.session.AfterFunc(d, func() error {
		_, err := f(goja.Undefined())
		return err
	})
	return b.session.VM().ToValue(func(goja.FunctionCall) goja.Value { cancel(); return goja.Undefined() })
}

// atEnd has something done when the test and its calls are over.
func (b *bench) atEnd(a runtime.Args) goja.Value {
	f := a.Function(0, "what is done")
	b.atLast = append(b.atLast, func() { _, _ = f(goja.Undefined()) })
	return goja.Undefined()
}
