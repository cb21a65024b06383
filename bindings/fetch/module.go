// Package fetch gives scripts the Fetch standard: fetch, Headers, Request, Response, FormData, Blob and File
// (https://fetch.spec.whatwg.org, https://w3c.github.io/FileAPI).
//
//	const res = await fetch('https://api.example.com/customers?phone=' + call.from, { timeout: '3s' })
//	if (!res.ok) return voicemail(call)
//	const customer = await res.json()
//
// The work is done by [outbound.Client]: addresses that are not public are refused, bodies and times are bounded.
// A fetch belongs to what began it: to the scope of that, such as a call (see [runtime.Scope]), unless it has keepalive, or
// else to the session. It ends with it. Where the standard would be silent about a mistake, this
// package is not: unknown options, and bodies that are plain objects, throw a TypeError. Options that mean nothing
// outside a browser (mode, credentials, cache, …) are checked and have no effect. There are no cookies.
package fetch

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Module is the module. It holds nothing but its client and is safe for concurrent use.
type Module struct {
	client *outbound.Client
}

// New returns the module. All sessions share the client and its connections.
func New(client *outbound.Client) *Module { return &Module{client: client} }

// Name implements [runtime.Module].
func (m *Module) Name() string { return "fetch" }

// Provides implements [runtime.Module].
func (m *Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"fetch", "Headers", "Request", "Response", "FormData", "Blob", "File"}}
}

// Instantiate implements [runtime.Module].
func (m *Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, client: m.client, classes: map[string]*goja.Object{}}, nil
}

// instance is the module in one session. Classes are made when they are first needed.
type instance struct {
	s       *runtime.Session
	client  *outbound.Client
	classes map[string]*goja.Object
	flights int
}

// Import implements [runtime.Instance]; the module provides globals alone.
func (in *instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements [runtime.Instance].
func (in *instance) Global(name string) goja.Value {
	if name == "fetch" {
		return webidl.Function(in.s.VM(), "fetch", 1, in.fetch)
	}
	return in.class(name)
}

// class returns a class's constructor.
func (in *instance) class(name string) *goja.Object {
	if ctor, ok := in.classes[name]; ok {
		return ctor
	}
	var ctor *goja.Object
	switch name {
	case "Headers":
		ctor = in.headersClass()
	case "Request":
		ctor = in.requestClass()
	case "Response":
		ctor = in.responseClass()
	case "FormData":
		ctor = in.formDataClass()
	case "Blob":
		ctor = in.blobClass()
	case "File":
		ctor = in.fileClass()
	case "ReadableStream":
		ctor = in.streamClass()
	case "ReadableStreamDefaultReader":
		ctor = in.readerClass()
	}
	in.classes[name] = ctor
	return ctor
}

// object makes an instance of a class around Go state.
func (in *instance) object(class string, state any) *goja.Object {
	return webidl.New(in.s, in.class(class), state)
}

// value is vm.ToValue.
func (in *instance) value(v any) goja.Value { return in.s.VM().ToValue(v) }
