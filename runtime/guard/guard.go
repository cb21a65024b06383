package guard

import (
	"fmt"
	"runtime"
	"sync"
	"weak"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// Limits bound what one operation of a built-in may make or walk. Zero means the default.
type Limits struct {
	// StringLength is the longest string a built-in makes, in UTF-16 units (default 16 Mi). The text that
	// JSON.stringify makes is counted in bytes.
	StringLength int
	// ArrayLength is the longest array or array-like a built-in makes or walks, in elements (default 4 Mi).
	ArrayLength int
	// BufferSize is the largest ArrayBuffer, in bytes (default 32 MiB).
	BufferSize int
	// Nesting is how deep built-ins may recurse where goja does not count: arrays in arrays in join and flat,
	// JSON, bound functions (default 2,000).
	Nesting int
}

const (
	// maxName is the longest name of a function that can be bound: each bind prepends "bound ".
	maxName = 4096
	// maxPattern is the longest regular expression made at run time, in UTF-16 units.
	maxPattern = 64 << 10
)

// Guard is the guard of one runtime. Like the runtime it belongs to one goroutine.
type Guard struct {
	vm   *goja.Runtime
	core *core
}

// core is what guarded built-ins work with. It holds nothing of the runtime, which would keep it alive.
type core struct {
	limits  Limits
	stop    *Stop
	nesting int
	joining []*goja.Object // arrays that join is walking, to end circles; empty between calls
	done    uint32         // constructors and namespaces guarded so far
}

// guards finds the core of a runtime.
var guards struct {
	sync.RWMutex
	of map[weak.Pointer[goja.Runtime]]*core
}

func coreOf(vm *goja.Runtime) *core {
	guards.RLock()
	defer guards.RUnlock()
	return guards.of[weak.Make(vm)]
}

// Install guards a runtime. Call it directly after [goja.New], before anything touches the runtime's
// built-ins: what was touched earlier stays unguarded. The stop may be nil.
//
// From then on the runtime compiles no source text: eval, the Function constructors and also the host's own
// [goja.Runtime.RunString] and RunScript throw an EvalError. Use [goja.Compile] and RunProgram. There are no
// BigInt, BigInt64Array and BigUint64Array: arithmetic on big integers cannot be bounded, so a host must refuse
// their literals as well.
//
// It fails only where this version of goja is not the one the package was written for.
func Install(vm *goja.Runtime, l Limits, stop *Stop) (*Guard, error) {
	if errSeam != nil {
		return nil, fmt.Errorf("guard: this version of goja cannot be guarded: %w", errSeam)
	}
	fill(&l.StringLength, 16<<20)
	fill(&l.ArrayLength, 4<<20)
	fill(&l.BufferSize, 32<<20)
	fill(&l.Nesting, 2000)
	c := &core{limits: l, stop: stop}
	key := weak.Make(vm)
	guards.Lock()
	guards.of[key] = c
	guards.Unlock()
	runtime.AddCleanup(vm, forget, key)
	vm.SetParserOptions(refuseSource(vm))
	for _, name := range bigIntegers {
		if err := vm.GlobalObject().Delete(name); err != nil {
			return nil, fmt.Errorf("guard: %w", err)
		}
	}
	return &Guard{vm: vm, core: c}, nil
}

func forget(key weak.Pointer[goja.Runtime]) {
	guards.Lock()
	delete(guards.of, key)
	guards.Unlock()
}

func fill(field *int, value int) {
	if *field <= 0 {
		*field = value
	}
}

// Global returns a guarded global such as "ArrayBuffer", undefined if there is none.
func (g *Guard) Global(name string) goja.Value {
	if v := g.vm.GlobalObject().Get(name); v != nil {
		return v
	}
	return goja.Undefined()
}

// Buffers guards the ArrayBuffer constructor. Bindings call it before they hand out a buffer made with
// [goja.Runtime.NewArrayBuffer], from which scripts reach the constructor without naming it. It costs about a
// microsecond, once. (A typed array made by vm.New(vm.Get("Uint8Array"), ...) is guarded anyway.)
func (g *Guard) Buffers() { guardBuffers(g.core, g.vm) }

// Regexps guards the methods of regular expressions, so that a match that times out throws. A host calls it
// before it runs a program that holds regular expression literals ([HasRegexp] tells); naming RegExp guards
// them too.
func (g *Guard) Regexps() { guardRegexps(g.core, g.vm) }

// refuseSource returns a parser option which throws: goja applies a runtime's parser options whenever source
// text is compiled inside it, and only then.
func refuseSource(vm *goja.Runtime) parser.Option {
	return parser.Option(optionLike(parser.WithDisableSourceMaps, func() {
		throw(vm, "EvalError", "source text cannot be compiled while a script runs: eval and new Function are not available; write the code as a function")
	}))
}

// optionLike makes a value of the parser's option type, whose parameter has no exported name.
func optionLike[T any](_ func(*T), do func()) func(*T) { return func(*T) { do() } }

// throw throws a JavaScript error of a standard type.
func throw(vm *goja.Runtime, name, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if err, e := vm.New(vm.GlobalObject().Get(name), vm.ToValue(message)); e == nil {
		panic(err)
	}
	panic(vm.NewTypeError("%s", message)) // the script has broken the global
}

func (c *core) checkString(vm *goja.Runtime, what string, units int64) {
	if units > int64(c.limits.StringLength) {
		throw(vm, "RangeError", "%s: the string would have %d characters; the limit is %d", what, units, c.limits.StringLength)
	}
}

func (c *core) checkArray(vm *goja.Runtime, what string, elements int64) {
	if elements > int64(c.limits.ArrayLength) {
		throw(vm, "RangeError", "%s: the length is %d; the limit is %d", what, elements, c.limits.ArrayLength)
	}
}

func (c *core) checkBuffer(vm *goja.Runtime, what string, elements int64, size int) {
	if elements > int64(c.limits.BufferSize/size) {
		throw(vm, "RangeError", "%s: %d elements of %d bytes were asked for; the limit is %d bytes", what, elements, size, c.limits.BufferSize)
	}
}

// enter counts a level of recursion inside built-ins; its result undoes it.
func (c *core) enter(vm *goja.Runtime) {
	c.check(vm)
	if c.nesting >= c.limits.Nesting {
		throw(vm, "RangeError", "Maximum call stack size exceeded: built-ins are nested more than %d deep", c.limits.Nesting)
	}
	c.nesting++
}

func (c *core) leave() { c.nesting-- }
