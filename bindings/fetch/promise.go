package fetch

import (
	"bytes"
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

// origin is where in the script an operation was begun. Its failure comes later, when that stack is gone.
type origin []goja.StackFrame

func (in *instance) here() origin { return in.s.VM().CaptureCallStack(10, nil) }

// mark gives an error object the stack of the place where its operation was begun.
func (o origin) mark(in *instance, object *goja.Object) {
	var b bytes.Buffer
	if name, message := object.Get("name"), object.Get("message"); name != nil && message != nil {
		b.WriteString(name.String() + ": " + message.String())
	}
	for i := range o {
		if p := o[i].Position(); p.Filename == "" || p.Line == 0 {
			continue
		}
		b.WriteString("\n\tat ")
		o[i].Write(&b)
	}
	b.WriteByte('\n')
	_ = object.DefineDataProperty("stack", in.value(b.String()), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// rejection turns what an exchange failed with into an error to return from an outcome.
func (in *instance) rejection(f *flight, from origin, err error) error {
	return in.s.VM().Try(func() { panic(in.failure(f, from, err)) })
}

// failure returns the value that the script sees for an error of an exchange.
func (in *instance) failure(f *flight, from origin, err error) goja.Value {
	if f != nil && f.reason != nil {
		return f.reason
	}
	var known *outbound.Error
	if !errors.As(err, &known) {
		object := in.s.NewError("TypeError", "fetch failed: "+err.Error()).(*goja.Object)
		from.mark(in, object)
		return object
	}
	if known.Timeout() {
		object := webidl.NewException(in.s, "TimeoutError", "fetch: "+known.Message)
		from.mark(in, object)
		return object
	}
	cause := in.s.NewError("Error", known.Message).(*goja.Object)
	_ = cause.Set("code", known.Code)
	object := in.s.NewError("TypeError", "fetch failed: "+known.Message).(*goja.Object)
	_ = object.Set("code", known.Code)
	_ = object.DefineDataProperty("cause", cause, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	from.mark(in, object)
	return object
}
