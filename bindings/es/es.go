// Package es completes ECMAScript: what Node 20's successors have and goja has not, most of it in JavaScript
// compiled once.
//
//	Promise.withResolvers, Promise.try, Object.groupBy, Map.groupBy, Array.fromAsync, RegExp.escape,
//	String.prototype.isWellFormed and toWellFormed, Error.captureStackTrace, Iterator and the iterator helpers
//
// They are members of built-ins, so they cannot wait for a touched global as modules do. A session therefore gets
// just the groups whose names stand in its script's text; a frozen realm, which many scripts share, gets them all
// once. WeakRef and FinalizationRegistry stay undefined: what a
// session holds ends with it.
package es

import (
	"embed"
	"fmt"
	"slices"
	"sync"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Module provides the global Iterator and completes built-ins.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "es" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"Iterator"}} }

//go:embed *.js
var sources embed.FS

// group is a set of additions and the words that tell that a script may want them.
type group struct {
	name    string
	words   []string
	install func(*goja.Runtime) error
}

// written returns the installer of a group that is written in JavaScript.
func written(name string) func(*goja.Runtime) (goja.Value, error) {
	program := sync.OnceValue(func() *goja.Program {
		text, err := sources.ReadFile(name + ".js")
		if err != nil {
			panic(err)
		}
		return goja.MustCompile("(native)", string(text), true) // a name that is left out of stacks
	})
	return func(vm *goja.Runtime) (goja.Value, error) { return vm.RunProgram(program()) }
}

func newGroup(name string, words ...string) group {
	run := written(name)
	return group{name, words, func(vm *goja.Runtime) error {
		_, err := run(vm)
		return err
	}}
}

var (
	iterators = written("iterator")
	groups    = []group{
		newGroup("promise", "withResolvers", "Promise.try"),
		newGroup("groupby", "groupBy"),
		newGroup("fromasync", "fromAsync"),
		newGroup("stack", "captureStackTrace"),
		{"iterator", []string{"Iterator", "yield", "values()", "keys()", "entries()", "matchAll"}, addLazyHelpers},
		{"text", []string{"WellFormed", "RegExp.escape"}, addText},
	}
)

func (g group) wanted(s *runtime.Session) bool { return slices.ContainsFunc(g.words, s.Uses) }

// plans remembers which groups a version wants, as bits, by the version's id: reading its text takes longer than
// a session may take to be born.
var plans = struct {
	sync.Mutex
	of map[string]uint
}{of: map[string]uint{}}

const maxPlans = 4096

func planOf(s *runtime.Session) uint {
	const everything = ^uint(0)
	if s.Version().Settings().Isolation == runtime.Frozen {
		return everything
	}
	id := s.Version().ID()
	plans.Lock()
	defer plans.Unlock()
	plan, known := plans.of[id]
	if !known {
		for i, g := range groups {
			if g.wanted(s) {
				plan |= 1 << i
			}
		}
		if len(plans.of) >= maxPlans {
			clear(plans.of)
		}
		plans.of[id] = plan
	}
	return plan
}

// Install implements runtime.Installer.
func (*Module) Install(s *runtime.Session) error {
	plan := planOf(s)
	for i, g := range groups {
		if plan&(1<<i) == 0 {
			continue
		}
		if err := g.install(s.VM()); err != nil {
			return fmt.Errorf("es: %s: %w", g.name, err)
		}
	}
	if s.Version().Settings().Isolation == runtime.Frozen { // nothing can be added later
		if _, err := iterators(s.VM()); err != nil {
			return fmt.Errorf("es: iterator: %w", err)
		}
	}
	return nil
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) { return instance{s}, nil }

type instance struct{ s *runtime.Session }

// Import implements runtime.Instance.
func (instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance. The program finds its own earlier work and does nothing twice.
func (i instance) Global(string) goja.Value {
	v, err := iterators(i.s.VM())
	if err != nil {
		panic(err)
	}
	return v
}
