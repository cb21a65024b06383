package scripts_test

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

type envStub struct{}

func (envStub) Name() string { return "env" }
func (envStub) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"env"}}
}
func (envStub) Instantiate(s *runtime.Session) (runtime.Instance, error) { return envInst{s}, nil }

type envInst struct{ s *runtime.Session }

func (e envInst) Global(string) goja.Value {
	o := e.s.VM().NewObject()
	for k, v := range e.s.Version().Settings().Env {
		_ = o.Set(k, v)
	}
	return o
}
func (envInst) Import(string) goja.Value { return nil }
