package webidl

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// stateKey is the property under which an object keeps its Go state. Symbols may be shared between VMs. A script
// that digs it out with Object.getOwnPropertySymbols finds an empty object.
var stateKey = goja.NewSymbol("state")

// held is the empty object that carries a state.
type held struct{ state any }

func (held) Get(string) goja.Value       { return nil }
func (held) Set(string, goja.Value) bool { return false }
func (held) Has(string) bool             { return false }
func (held) Delete(string) bool          { return false }
func (held) Keys() []string              { return nil }

// Attach gives an object its Go state, once.
func Attach(s *runtime.Session, o *goja.Object, state any) {
	must(o.DefineDataPropertySymbol(stateKey, s.VM().NewDynamicObject(held{state}), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE))
}

// StateOf returns the Go state of a value, if it is an object with a state of that type. T may be an interface
// that the states of several classes implement.
func StateOf[T any](v goja.Value) (T, bool) {
	if h, ok := stateOf(v); ok {
		state, ok := h.state.(T)
		return state, ok
	}
	var none T
	return none, false
}

// HasState reports whether a value is an object with Go state.
func HasState(v goja.Value) bool {
	_, ok := stateOf(v)
	return ok
}

func stateOf(v goja.Value) (held, bool) {
	o, ok := v.(*goja.Object)
	if !ok || IsProxy(o) {
		return held{}, false
	}
	inner, ok := o.GetSymbol(stateKey).(*goja.Object)
	if !ok {
		return held{}, false
	}
	h, ok := inner.Export().(held)
	return h, ok
}

// Receiver returns the Go state of a method's receiver; without it the method throws a TypeError.
func Receiver[T any](s *runtime.Session, call goja.FunctionCall, method string) T {
	state, ok := StateOf[T](call.This)
	if !ok {
		panic(s.NewError("TypeError", method+": Illegal invocation: the receiver is "+runtime.Describe(call.This)))
	}
	return state
}
