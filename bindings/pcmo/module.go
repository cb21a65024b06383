// Package pcmo gives scripts the PIOPIY call document: the npm SDK's classes, name for name and byte for byte, and a
// fluent builder of our own.
//
//	import { PiopiyAction, StreamAction, PipelineBuilder, Piopiy } from 'piopiy'
//	import { pcmo, pipeline } from 'piopiy/pcmo'
//
//	export const answer = () => pcmo().speak('Hello').playGetInput('menu.wav', menu, { maxDigits: 1 })
//
// [New] is the [runtime.Module] that provides both imports. [Decode] turns what a callback returned into the
// document that drivers perform and the JSON text that goes over the wire.
//
// # The SDK's quirks
//
// Kept, because people's scripts lean on them: option fields are written only if options are given, a 0 falls back to
// the default, ring_type is written only if it is "group", PCMO() hands out the live array, StreamAction.PCMO()
// empties its queue. Left behind, because nobody can lean on them: two classic clients here do not share one set of
// credentials, and the classic client's hangup(), which the SDK ships broken, works.
//
// Where the SDK wants an action_url a function may stand: digits then come back to it.
package pcmo

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Doer sends a REST request. *http.Client is one.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Options say where the SDK's REST methods go. The zero value is the platform as it is.
type Options struct {
	// Client sends the requests (default: an http.Client that gives up after 10 s).
	Client Doer
	// ClassicURL is the base of the v1 endpoints (default https://piopiy.telecmi.com).
	ClassicURL string
	// ClassicRESTURL is the base of the v2 endpoints (default https://rest.telecmi.com).
	ClassicRESTURL string
	// V3URL is the base of the v3 endpoints (default https://rest.piopiy.com/v3).
	V3URL string
}

// New returns the module that provides the imports piopiy and piopiy/pcmo.
func New(o Options) runtime.Module {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	for _, base := range []struct {
		url       *string
		otherwise string
	}{
		{&o.ClassicURL, "https://piopiy.telecmi.com"},
		{&o.ClassicRESTURL, "https://rest.telecmi.com"},
		{&o.V3URL, "https://rest.piopiy.com/v3"},
	} {
		if *base.url == "" {
			*base.url = base.otherwise
		}
		*base.url = strings.TrimRight(*base.url, "/")
	}
	return &module{o}
}

type module struct{ options Options }

func (*module) Name() string { return "piopiy" }

func (*module) Provides() runtime.Provides {
	return runtime.Provides{
		Imports: []string{"piopiy", "piopiy/pcmo"},
		Exports: map[string][]string{
			"piopiy":      append([]string{"default"}, sdkNames...),
			"piopiy/pcmo": append([]string{"default"}, builderNames...),
		},
	}
}

func (m *module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, vm: s.VM(), options: &m.options}, nil
}

// instance is the module in one session. What it holds is made when a script first touches it.
type instance struct {
	s       *runtime.Session
	vm      *goja.Runtime
	options *Options

	exported     map[string]goja.Value // by name, shared by both imports
	plainObject  goja.Value            // the constructor Object
	chainMethods map[string]goja.Value
	pipeMethods  map[string]goja.Value
}

func (*instance) Global(string) goja.Value { return nil }

func (in *instance) Import(specifier string) goja.Value {
	return in.vm.NewDynamicObject(&exports{in: in, names: exportNames[specifier]})
}

// Export implements runtime.Exporter.
func (in *instance) Export(specifier, name string) goja.Value {
	if name == "default" {
		v, _ := in.s.Import(specifier)
		return v
	}
	return in.export(name)
}

// exports is the exports object of an import: a class is made when it is first touched. As with the SDK, a default
// import is the object itself.
type exports struct {
	in    *instance
	names []string
	own   map[string]goja.Value // what the script put there itself
}

func (e *exports) Get(name string) goja.Value {
	if v, ok := e.own[name]; ok {
		return v
	}
	if slices.Contains(e.names, name) {
		return e.in.export(name)
	}
	return nil
}

func (e *exports) Set(name string, v goja.Value) bool {
	if e.own == nil {
		e.own = map[string]goja.Value{}
	}
	if !e.Has(name) {
		e.names = append(slices.Clip(e.names), name)
	}
	e.own[name] = v
	return true
}

func (e *exports) Has(name string) bool { return slices.Contains(e.names, name) }

func (e *exports) Delete(name string) bool {
	e.names = slices.DeleteFunc(slices.Clone(e.names), func(n string) bool { return n == name })
	delete(e.own, name)
	return true
}

func (e *exports) Keys() []string { return e.names }

var (
	builderNames = []string{"pcmo", "pipeline"}
	sdkNames     = append([]string{"Piopiy", "PiopiyAction", "StreamAction", "PipelineBuilder"}, builderNames...)

	exportNames = map[string][]string{"piopiy": sdkNames, "piopiy/pcmo": builderNames}
)

func (in *instance) export(name string) goja.Value {
	if v, ok := in.exported[name]; ok {
		return v
	}
	var v goja.Value
	switch name {
	case "Piopiy":
		v = in.newClass(name, nil, in.native("init", func(c goja.FunctionCall) goja.Value {
			in.newClient(c.Argument(0).(*goja.Object), c.Argument(1), c.Argument(2))
			return goja.Undefined()
		}))
	case "PiopiyAction":
		v = in.newClass(name, actionMethods)
	case "StreamAction":
		v = in.newClass(name, streamMethods)
	case "PipelineBuilder":
		v = in.newClass(name, builderMethods)
	case "pcmo":
		v = in.native(name, in.newChain)
	case "pipeline":
		v = in.native(name, in.newPipe)
	default:
		v = in.newV3Class(name)
	}
	if in.exported == nil {
		in.exported = map[string]goja.Value{}
	}
	in.exported[name] = v
	return v
}
