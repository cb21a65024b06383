// Package timers gives scripts setTimeout, setInterval, setImmediate, their clear functions, and queueMicrotask,
// all on the session's clock. What a script leaves running ends with its session.
//
//	const id = setTimeout(hurry, 5000, call)
//	clearTimeout(id)
//
// Delays are milliseconds, at least 1 as in Node; handles are numbers. An exception that escapes a callback is
// fatal to the session, since nobody waits for it.
package timers

import (
	"math"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Module provides the timer functions.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "timers" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{
		"setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate", "queueMicrotask",
	}}
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, pending: map[int64]func(){}}, nil
}

type instance struct {
	s       *runtime.Session
	last    int64
	pending map[int64]func() // cancels, by handle
}

// Import implements runtime.Instance.
func (*instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance.
func (t *instance) Global(name string) goja.Value {
	vm := t.s.VM()
	switch name {
	case "setTimeout":
		return webidl.Function(vm, name, 1, func(c goja.FunctionCall) goja.Value { return t.start(name, c, delay(c.Argument(1)), 2, false) })
	case "setInterval":
		return webidl.Function(vm, name, 1, func(c goja.FunctionCall) goja.Value { return t.start(name, c, delay(c.Argument(1)), 2, true) })
	case "setImmediate":
		return webidl.Function(vm, name, 1, func(c goja.FunctionCall) goja.Value { return t.start(name, c, 0, 1, false) })
	case "queueMicrotask":
		return webidl.Function(vm, name, 1, t.queueMicrotask)
	}
	return webidl.Function(vm, name, 1, t.clear)
}

// delay reads a number of milliseconds as Node does: what is not between 1 and 2³¹-1 is 1.
func delay(v goja.Value) time.Duration {
	ms := v.ToNumber().ToFloat()
	if math.IsNaN(ms) || ms < 1 || ms > math.MaxInt32 {
		ms = 1
	}
	return time.Duration(math.Trunc(ms)) * time.Millisecond
}

func (t *instance) start(name string, c goja.FunctionCall, d time.Duration, skip int, repeat bool) goja.Value {
	fn := t.s.Args(name, c).Function(0, "the callback")
	var args []goja.Value
	if len(c.Arguments) > skip {
		args = append(args, c.Arguments[skip:]...)
	}
	t.last++
	id := t.last
	t.arm(id, fn, args, d, repeat)
	return t.s.VM().ToValue(id)
}

func (t *instance) arm(id int64, fn goja.Callable, args []goja.Value, d time.Duration, repeat bool) {
	t.pending[id] = t.s.AfterFunc(d, func() error {
		if !repeat {
			delete(t.pending, id)
		}
		if _, err := fn(goja.Undefined(), args...); err != nil {
			return err
		}
		if _, kept := t.pending[id]; repeat && kept {
			t.arm(id, fn, args, d, true)
		}
		return nil
	})
}

func (t *instance) clear(c goja.FunctionCall) goja.Value {
	var id int64
	switch v := c.Argument(0).Export().(type) {
	case int64:
		id = v
	case float64:
		id = int64(v)
	case string:
		id = c.Argument(0).ToInteger()
	}
	if cancel, ok := t.pending[id]; ok {
		delete(t.pending, id)
		cancel()
	}
	return goja.Undefined()
}

func (t *instance) queueMicrotask(c goja.FunctionCall) goja.Value {
	fn := t.s.Args("queueMicrotask", c).Function(0, "the callback")
	vm := t.s.VM()
	promise, resolve, _ := vm.NewPromise()
	_ = resolve(goja.Undefined())
	object := vm.ToValue(promise).ToObject(vm)
	then, ok := goja.AssertFunction(object.Get("then"))
	if !ok {
		panic(t.s.NewError("TypeError", "queueMicrotask: Promise.prototype.then was removed"))
	}
	_, err := then(object, vm.ToValue(func(goja.FunctionCall) goja.Value {
		if _, err := fn(goja.Undefined()); err != nil {
			webidl.Uncaught(t.s, err)
		}
		return goja.Undefined()
	}))
	if err != nil {
		panic(err)
	}
	return goja.Undefined()
}
