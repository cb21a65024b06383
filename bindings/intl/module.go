package intl

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

var (
	_ runtime.Module    = (*Module)(nil)
	_ runtime.Installer = (*Module)(nil)
)

// Name is "intl".
func (m *Module) Name() string { return "intl" }

// Provides names the global Intl.
func (m *Module) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"Intl"}} }

// Instantiate builds Intl for a session, when the script first touches it.
func (m *Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return instance{m.Build(s.VM(), s.Now)}, nil
}

// Install repairs the locale-aware built-ins of a session, unless its script names none of them. A frozen VM, which
// many scripts share, always gets them.
func (m *Module) Install(s *runtime.Session) error {
	if s.Version().Settings().Isolation != runtime.Frozen && !s.Uses("oLocale") && !s.Uses("localeCompare") {
		return nil
	}
	return m.Repair(s.VM())
}

type instance struct{ intl *goja.Object }

func (i instance) Global(string) goja.Value { return i.intl }

func (i instance) Import(string) goja.Value { return nil }
