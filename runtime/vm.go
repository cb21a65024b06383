package runtime

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// start makes the session's VM and runs the script's top level: the first thing in a session's first turn.
func (s *Session) start() error {
	if s.version.settings.Isolation == Frozen {
		if err := s.rt.realms.lend(s); err != nil {
			return err
		}
	} else {
		stop := &guard.Stop{}
		vm, g, err := newVM(s.rt.limits, stop)
		if err != nil {
			return err
		}
		s.setVM(vm, g, stop)
		if err := s.vm.GlobalObject().SetPrototype(s.vm.NewDynamicObject(lazyGlobals{func() *Session { return s }})); err != nil {
			return err
		}
		if cover := s.rt.cfg.Coverage; cover != nil {
			if err := cover.attach(s.vm); err != nil {
				return err
			}
		}
		for _, i := range s.rt.inst {
			if err := i.Install(s); err != nil {
				return err
			}
		}
	}
	return s.load()
}

func newVM(l Limits, stop *guard.Stop) (*goja.Runtime, *guard.Guard, error) {
	vm := goja.New()
	vm.SetMaxCallStackSize(l.Stack)
	g, err := guard.Install(vm, guard.Limits{StringLength: l.StringLength, ArrayLength: l.ArrayLength, BufferSize: l.BufferSize}, stop)
	return vm, g, err
}

// setVM hands a VM to the session and makes time, chance and rejections the session's own. An interrupt that came
// while there was no VM yet is not lost.
func (s *Session) setVM(vm *goja.Runtime, g *guard.Guard, stop *guard.Stop) {
	vm.SetTimeSource(func() time.Time { return s.now })
	vm.SetRandSource(s.random.float64)
	vm.SetPromiseRejectionTracker(s.trackRejection)
	vm.SetAsyncContextTracker(scopes{s})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vm, s.guard, s.stop = vm, g, stop
	if s.fault != nil {
		stop.Set()
		vm.Interrupt(s.fault)
	}
}

// load runs the version's program and keeps its exports.
func (s *Session) load() error {
	if s.version.regexps {
		s.guard.Regexps()
	}
	wrapper, err := s.vm.RunProgram(s.version.program)
	if err != nil {
		return err
	}
	run, ok := goja.AssertFunction(wrapper)
	if !ok {
		return errors.New("the compiled script is not a function")
	}
	exports := s.vm.NewObject()
	module := s.vm.NewObject()
	if err := module.Set("exports", exports); err != nil {
		return err
	}
	if _, err := run(goja.Undefined(), exports, s.vm.ToValue(s.require), module, s.vm.ToValue(s.native)); err != nil {
		return err
	}
	s.exports, ok = module.Get("exports").(*goja.Object)
	if !ok {
		return &Fault{Kind: FaultException, Message: "module.exports is not an object"}
	}
	return nil
}

// require serves the imports that the bundle leaves open: the modules written in Go.
func (s *Session) require(c goja.FunctionCall) goja.Value {
	specifier := c.Argument(0).String()
	if v, ok := s.Import(specifier); ok {
		return v
	}
	panic(s.NewError("Error", fmt.Sprintf("Cannot find module %q: a specifier must be known when the script is loaded", specifier)))
}

// native serves imports by name, so that a module makes only what is named.
func (s *Session) native(c goja.FunctionCall) goja.Value {
	name := c.Argument(1)
	if goja.IsUndefined(name) {
		return s.require(c)
	}
	if module, ok := s.rt.imports[c.Argument(0).String()]; ok {
		if e, ok := s.instance(module).(Exporter); ok {
			return e.Export(c.Argument(0).String(), name.String())
		}
	}
	exports := s.require(c)
	if v := exports.ToObject(s.vm).Get(name.String()); v != nil {
		return v
	}
	if name.String() == "default" {
		return exports
	}
	return goja.Undefined()
}

// Import returns the exports of a Go module, one object for the whole session. On the session's goroutine.
func (s *Session) Import(specifier string) (goja.Value, bool) {
	if v, ok := s.imported[specifier]; ok {
		return v, true
	}
	module, ok := s.rt.imports[specifier]
	if !ok {
		return nil, false
	}
	v := s.instance(module).Import(specifier)
	if s.imported == nil {
		s.imported = map[string]goja.Value{}
	}
	s.imported[specifier] = v
	return v, true
}

func (s *Session) instance(module Module) Instance {
	if i, ok := s.instances[module]; ok {
		return i
	}
	i, err := module.Instantiate(s)
	if err != nil {
		panic(s.NewError("Error", fmt.Sprintf("%s cannot be used: %v", module.Name(), err)))
	}
	if s.instances == nil {
		s.instances = map[Module]Instance{}
	}
	s.instances[module] = i
	return i
}

// Guard returns the guard of the session's VM, for modules that hand out buffers.
func (s *Session) Guard() *guard.Guard { return s.guard }

// lazyGlobals is the prototype of the global object: it makes a name's value when a script first touches it.
type lazyGlobals struct{ session func() *Session }

func (g lazyGlobals) Get(name string) goja.Value {
	s := g.session()
	if s == nil {
		return nil
	}
	if v, ok := s.globals[name]; ok {
		return v
	}
	var v goja.Value
	if module, ok := s.rt.globals[name]; ok {
		v = s.instance(module).Global(name)
	} else {
		return nil
	}
	if s.realm == nil {
		_ = s.vm.GlobalObject().DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		return v
	}
	if s.globals == nil {
		s.globals = map[string]goja.Value{}
	}
	s.globals[name] = v
	return v
}

func (g lazyGlobals) Has(name string) bool {
	s := g.session()
	if s == nil {
		return false
	}
	_, ok := s.rt.globals[name]
	return ok
}

func (g lazyGlobals) Set(string, goja.Value) bool { return false }
func (g lazyGlobals) Delete(string) bool          { return true }
func (g lazyGlobals) Keys() []string              { return nil }

// sessionRandom is a session's source of chance: strong enough for keys, and repeatable from its seed.
type sessionRandom struct {
	seed   [32]byte
	source *mathrand.ChaCha8
}

func newSessionRandom(seed [32]byte) *sessionRandom {
	r := &sessionRandom{seed: seed}
	if seed == [32]byte{} {
		_, _ = rand.Read(r.seed[:])
	}
	return r
}

func (r *sessionRandom) seedText() string { return base64.RawStdEncoding.EncodeToString(r.seed[:]) }

// Read implements io.Reader.
func (r *sessionRandom) Read(p []byte) (int, error) {
	if r.source == nil {
		r.source = mathrand.NewChaCha8(r.seed)
	}
	return r.source.Read(p)
}

func (r *sessionRandom) float64() float64 {
	var b [8]byte
	_, _ = r.Read(b[:])
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)
}

// Random fills p with random bytes, fit for keys and repeatable in a replay. On the session's goroutine.
func (s *Session) Random(p []byte) { _, _ = s.random.Read(p) }

// cleanName turns the name a source map gives into the path below the scripts root.
func cleanName(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "file://"), "/"), "scripts:")
}
