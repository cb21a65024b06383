package runtime_test

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// stuck offers hang(), a native that no interrupt reaches, until it is closed.
type stuck chan struct{}

func (stuck) Name() string               { return "stuck" }
func (stuck) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"hang"}} }
func (until stuck) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return function{s, func(goja.FunctionCall) goja.Value { <-until; return goja.Undefined() }}, nil
}

// noter offers note(text), which writes to the journal.
type noter struct{}

func (noter) Name() string               { return "noter" }
func (noter) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"note"}} }
func (noter) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return function{s, func(c goja.FunctionCall) goja.Value {
		s.Record("note", s.Args("note", c).String(0, "text"))
		return goja.Undefined()
	}}, nil
}

// function is an instance that is one function, whatever name is asked for.
type function struct {
	s  *runtime.Session
	do func(goja.FunctionCall) goja.Value
}

func (f function) Global(string) goja.Value { return f.s.VM().ToValue(f.do) }
func (f function) Import(string) goja.Value { return f.s.VM().ToValue(f.do) }
