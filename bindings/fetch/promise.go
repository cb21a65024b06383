package fetch

import (
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// promise runs a function whose exceptions become rejections, as those of all functions that return promises do.
func (in *instance) promise(f func() goja.Value) goja.Value {
	var v goja.Value
	thrown := in.s.VM().Try(func() { v = f() })
	if thrown == nil {
		if o, ok := v.(*goja.Object); ok {
			if _, ok := o.Export().(*goja.Promise); ok {
				return v
			}
		}
	}
	p, resolve, reject := in.s.VM().NewPromise()
	if thrown != nil {
		_ = reject(thrown.Value())
	} else {
		_ = resolve(v)
	}
	return in.value(p)
}

// attempt runs a function whose exceptions become errors: for outcomes, which run where no script could catch.
func (in *instance) attempt(f func() goja.Value) (v goja.Value, err error) {
	if thrown := in.s.VM().Try(func() { v = f() }); thrown != nil {
		return nil, thrown
	}
	return v, nil
}

// throw throws an error of a built-in class.
func (in *instance) throw(class, message string) {
	panic(in.s.NewError(class, message))
}

// rejection turns what an exchange failed with into an error to return from an outcome.
func (in *instance) rejection(f *flight, from webidl.Origin, err error) error {
	return in.s.VM().Try(func() { panic(in.failure(f, from, err)) })
}

// failure returns the value that the script sees for an error of an exchange.
func (in *instance) failure(f *flight, from webidl.Origin, err error) goja.Value {
	if f != nil && f.reason != nil {
		return f.reason
	}
	var known *outbound.Error
	if !errors.As(err, &known) {
		object := in.s.NewError("TypeError", "fetch failed: "+err.Error()).(*goja.Object)
		from.Mark(in.s, object)
		return object
	}
	if known.Timeout() {
		object := webidl.NewException(in.s, "TimeoutError", "fetch: "+known.Message)
		from.Mark(in.s, object)
		return object
	}
	cause := in.s.NewError("Error", known.Message).(*goja.Object)
	_ = cause.Set("code", known.Code)
	object := in.s.NewError("TypeError", "fetch failed: "+known.Message).(*goja.Object)
	_ = object.Set("code", known.Code)
	_ = object.DefineDataProperty("cause", cause, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	from.Mark(in.s, object)
	return object
}
