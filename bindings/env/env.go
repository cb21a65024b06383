// Package env gives scripts the values that the configuration hands to their app, and nothing else.
//
//	const url = env.CRM_URL                 // undefined when it is not set
//	const key = env.require('CRM_KEY')      // an error that names apps.NAME.env.CRM_KEY when it is not set
//
// env is a global and, for those who like to see where names come from, `import { env } from 'piopiy/env'`. It is
// frozen: the environment belongs to the app's version, not to one call. The process's own environment is out of
// reach.
package env

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Module provides the global env and the import piopiy/env.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements [runtime.Module].
func (*Module) Name() string { return "env" }

// Provides implements [runtime.Module].
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"env"}, Imports: []string{"piopiy/env"}, Exports: map[string][]string{"piopiy/env": {"default", "env"}}}
}

// Instantiate implements [runtime.Module].
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s}, nil
}

type instance struct {
	s   *runtime.Session
	env *goja.Object
}

// Global implements [runtime.Instance].
func (in *instance) Global(string) goja.Value { return in.object() }

// Export implements [runtime.Exporter].
func (in *instance) Export(_, _ string) goja.Value { return in.object() }

// Import implements [runtime.Instance].
func (in *instance) Import(string) goja.Value {
	exports := in.s.VM().NewObject()
	_ = exports.Set("env", in.object())
	_ = exports.Set("default", in.object())
	_ = exports.DefineDataProperty("__esModule", in.s.VM().ToValue(true), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	return exports
}

// object makes env: the settings are its own properties, sorted; require is inherited, so that Object.keys(env)
// lists the settings alone. Nothing else is inherited: env.constructor is undefined like any other unknown key.
func (in *instance) object() *goja.Object {
	if in.env != nil {
		return in.env
	}
	vm := in.s.VM()
	base := vm.CreateObject(nil)
	webidl.AddMembers(vm, base, webidl.Member{Name: "require", Length: 1, Call: in.require})
	freeze(vm, base)
	env := vm.CreateObject(base)
	settings := in.s.Version().Settings().Env
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		_ = env.DefineDataProperty(key, vm.ToValue(settings[key]), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	freeze(vm, env)
	in.env = env
	return env
}

// require returns a setting that must be there.
func (in *instance) require(c goja.FunctionCall) goja.Value {
	key := in.s.Args("env.require", c).String(0, "the key")
	value, ok := in.s.Version().Settings().Env[key]
	if !ok {
		panic(in.s.NewError("Error", fmt.Sprintf("env.require: %q is not set; add it to the configuration as apps.%s.env.%s", key, in.s.App(), key)))
	}
	return in.s.VM().ToValue(value)
}

func freeze(vm *goja.Runtime, o *goja.Object) {
	object := vm.GlobalObject().Get("Object").ToObject(vm)
	if f, ok := goja.AssertFunction(object.Get("freeze")); ok {
		if _, err := f(object, o); err != nil {
			panic(err)
		}
	}
}
