package guard_test

import (
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

const matchTimeout = 100 * time.Millisecond

func TestMain(m *testing.M) {
	guard.SetRegexpTimeout(matchTimeout)
	debug.SetMemoryLimit(1 << 30)
	os.Exit(m.Run())
}

// newVM returns a guarded runtime with the default limits.
func newVM(t testing.TB) *goja.Runtime {
	vm, _ := newStoppable(t)
	return vm
}

func newStoppable(t testing.TB) (*goja.Runtime, *guard.Stop) {
	t.Helper()
	vm, stop := goja.New(), new(guard.Stop)
	vm.SetMaxCallStackSize(1000)
	if _, err := guard.Install(vm, guard.Limits{}, stop); err != nil {
		t.Fatal(err)
	}
	return vm, stop
}

// run evaluates an expression and returns its value, or the error it throws, as text.
func run(t testing.TB, vm *goja.Runtime, source string) string {
	t.Helper()
	program, err := goja.Compile("", source, false)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	v, err := vm.RunProgram(program)
	if exception, ok := errors.AsType[*goja.Exception](err); ok {
		return exception.Value().String()
	}
	if _, ok := errors.AsType[*goja.StackOverflowError](err); ok {
		return "StackOverflow"
	}
	if err != nil {
		return err.Error()
	}
	return v.String()
}

// attacks are one-liners that in plain goja kill the process, or hold it for seconds where no interrupt reaches.
// Each must throw an error of the kind named, soon.
var attacks = []struct{ want, source string }{
	// strings
	{"RangeError", `'x'.repeat(2**30)`},
	{"RangeError", `'x'.repeat(2**40)`},
	{"RangeError", `'x'.repeat(Infinity)`},
	{"RangeError", `'xyz'.repeat({valueOf: () => 2**40})`},
	{"RangeError", `let n = 0; 'xyz'.repeat({valueOf: () => n++ ? 2**40 : 2**39})`},
	{"RangeError", `String.prototype.repeat.call(new String('x'), 2**40)`},
	{"RangeError", `''['rep' + 'eat'].call('x', 2**40)`},
	{"RangeError", `Reflect.apply(Object.getOwnPropertyDescriptor(String.prototype, 'repeat').value, 'x', [2**40])`},
	{"RangeError", `'x'.padStart(2**40)`},
	{"RangeError", `'x'.padEnd(2**31, 'ab')`},
	{"RangeError", `const s = 'x'.repeat(2**24); s.concat(s, s)`},
	{"RangeError", `const s = 'x'.repeat(2**20); s.replaceAll('x', s)`},
	{"RangeError", `'x'.repeat(2**20).replaceAll('x', '$' + '\x60')`},
	{"RangeError", `'x'.repeat(2**18).replaceAll('', "$'")`},
	{"RangeError", `const s = 'x'.repeat(2**20); s.replace(/x/g, s)`},
	{"RangeError", `'x'.repeat(2**20).replace(/x/g, "$'")`},
	{"RangeError", `'x'.repeat(2**24).split('')`},
	{"RangeError", `[...'x'.repeat(2**24)]`},
	{"RangeError", `Array.from('x'.repeat(2**24))`},
	{"RangeError", `Object.keys('x'.repeat(2**24))`},
	{"RangeError", `Object.assign({}, 'x'.repeat(2**24))`},
	{"RangeError", `'x'.repeat(2**24).match(/x/g)`},
	{"RangeError", `'x'.repeat(2**24).split(/x/)`},
	{"RangeError", `'\ufdfa'.repeat(2**22).normalize('NFKC')`},
	{"RangeError", `'\u0390'.repeat(2**23).toUpperCase()`},
	{"RangeError", `encodeURIComponent('\u0390'.repeat(2**23))`},
	{"RangeError", `String.raw({raw: {length: 2**40}})`},
	// arrays
	{"RangeError", `new Array(3e7).fill(1).join()`},
	{"RangeError", `Array(2**32-1).fill(0)`},
	{"RangeError", `[].constructor(2**31)`},
	{"RangeError", `new (class extends Array {})(2**31)`},
	{"RangeError", `Array.from({length: 2**32-1})`},
	{"RangeError", `Array.from({length: 2**40}, () => 0)`},
	{"RangeError", `const a = []; a[4e9] = 1; a.forEach(() => {})`},
	{"RangeError", `const a = []; a.length = 4e9; a.indexOf(1)`},
	{"RangeError", `const a = []; a.length = 4e9; a.sort()`},
	{"RangeError", `const a = []; a.length = 4e9; a.reverse()`},
	{"RangeError", `const a = []; a.length = 4e9; [...a]`},
	{"RangeError", `const a = []; a.length = 4e9; [...a.keys()]`},
	{"RangeError", `const a = []; a.length = 4e9; Math.max(...a)`},
	{"RangeError", `const a = []; a.length = 4e9; Math.max.apply(null, a)`},
	{"RangeError", `const a = []; a.length = 4e9; Reflect.construct(Array, a)`},
	{"RangeError", `const a = []; a.length = 4e9; new Set(a)`},
	{"RangeError", `const a = []; a.length = 4e9; const [...b] = a`},
	{"RangeError", `const a = []; a.length = 4e9; a.flat()`},
	{"RangeError", `const a = []; a.length = 4e9; a.copyWithin(0, 1)`},
	{"RangeError", `const a = []; a.length = 4e9; a.concat()`},
	{"RangeError", `const a = []; a.length = 4e9; [].concat(a)`},
	{"RangeError", `const a = []; a.length = 4e9; [].concat(new Proxy(a, {}))`},
	{"RangeError", `const a = []; a.length = 4e9; JSON.stringify(a)`},
	{"RangeError", `const a = []; a.length = 4e9; String(a)`},
	{"RangeError", `const a = []; a.length = 4e9; a.toSorted()`},
	{"RangeError", `const a = []; a.length = 4e9; a.with(0, 1)`},
	{"RangeError", `const a = []; a.length = 4e9; JSON.stringify({}, a)`},
	{"RangeError", `Array.prototype.map.call({length: 2**40}, () => 0)`},
	{"RangeError", `Array.prototype.fill.call({length: 2**40}, 0)`},
	{"RangeError", `Array.prototype.unshift.call({length: 2**40}, 0)`},
	// lengths that change between reads: these are harmless where the length is read once
	{"", `let n = 0; Array.prototype.fill.call({get length() { return n++ ? 2**40 : 1 }}, 0)`},
	{"", `let n = 0; Array.prototype.indexOf.call(new Proxy([], {get: (t, k) => k === 'length' && n++ ? 2**40 : 1}), 7)`},
	{"", `let n = 0; Array.from({get length() { return n++ ? 2**40 : 1 }})`},
	{"", `let n = 0; Math.max.apply(null, {length: {valueOf: () => n++ ? 2**40 : 1}})`},
	{"RangeError", `let n = 0; new Uint8Array({get length() { return n++ ? 2**40 : 1 }})`},
	{"RangeError", `let n = 0; [].concat(new Proxy([], {get: (t, k) => k === 'length' && n++ ? 2**40 : t[k]}))`},
	{"RangeError", `[[new Proxy(Object.assign([], {length: 4e9}), {})]].flat(3)`},
	{"RangeError", `Array(1000).fill('x'.repeat(1e6)).join()`},
	{"RangeError", `Array(4e6).join('xxxxxxxxxxxxxxx')`},
	{"RangeError", `let a = ['xxxxxxxxxx']; for (let i = 0; i < 40; i++) a = [a, a]; String(a)`},
	{"RangeError", `let a = ['xxxxxxxxxx']; for (let i = 0; i < 40; i++) a = [a, a]; a.toLocaleString()`},
	{"RangeError", `let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; a.flat(Infinity)`},
	{"RangeError", `let a = [1]; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)`},
	{"RangeError", `let a = [1]; for (let i = 0; i < 1e5; i++) a = [a]; String(a)`},
	{"RangeError", `Array(1e3).fill(Array(1e3).fill(Array(1e3).fill(1))).flat(3)`},
	// buffers
	{"RangeError", `new ArrayBuffer(2**45)`},
	{"RangeError", `new ArrayBuffer({valueOf: () => 2**45})`},
	{"RangeError", `new Uint8Array(2**40)`},
	{"RangeError", `new Float64Array(2**23)`},
	{"RangeError", `new Uint8Array('1099511627776')`},
	{"RangeError", `new Uint8Array({length: 2**40})`},
	{"RangeError", `Uint8Array.from({length: 2**40})`},
	{"RangeError", `Object.getPrototypeOf(Int8Array).from.call(Int16Array, {length: 2**40})`},
	{"RangeError", `new (new Uint8Array(1).constructor)(2**40)`},
	{"RangeError", `new (new DataView(new ArrayBuffer(1)).buffer.constructor)(2**40)`},
	{"RangeError", `new (new Uint8Array(1).buffer.constructor)(2**40)`},
	{"RangeError", `Reflect.construct(Uint8Array, [2**40], Object)`},
	{"RangeError", `new Uint8Array(2**24).toHex()`},
	{"RangeError", `new Uint8Array(2**24).join()`},
	{"ReferenceError", `new BigInt64Array(2**40)`},
	{"ReferenceError", `BigInt(1)`},
	{"TypeError", `new DataView(new ArrayBuffer(8)).getBigInt64(0)`},
	// source text
	{"EvalError", `eval('1')`},
	{"EvalError", `(0, eval)('1')`},
	{"EvalError", `new Function('return 1')`},
	{"EvalError", `(() => {}).constructor('return 1')`},
	{"EvalError", `(async () => {}).constructor('return 1')`},
	{"EvalError", `(function*(){}).constructor('yield 1')`},
	// JSON
	{"RangeError", `JSON.parse('['.repeat(2.5e6))`},
	{"RangeError", `JSON.parse('{"a":'.repeat(1e5) + '1' + '}'.repeat(1e5))`},
	{"RangeError", `let a = ['xxxxxxxxxx']; for (let i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)`},
	{"RangeError", `let a = {}; for (let i = 0; i < 40; i++) a = {a, b: a}; JSON.stringify(a)`},
	{"RangeError", `let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)`},
	{"RangeError", `const s = 'x'.repeat(2**23); JSON.stringify([s, s, s])`},
	{"StackOverflow", `JSON.parse('[1]', function f(k, v) { return Array.isArray(v) ? v : JSON.parse('[1]', f) })`},
	// recursion through built-ins
	// by SetMaxCallStackSize; a script cannot catch that
	{"StackOverflow", `(function f() { [1].map(f) })()`},
	{"StackOverflow", `const o = {get a() { return o.a }}; o.a`},
	{"StackOverflow", `const p = new Proxy({}, {get: (t, k, r) => r[k]}); p.x`},
	{"StackOverflow", `const o = {toJSON() { return JSON.stringify(o) }}; JSON.stringify(o)`},
	{"StackOverflow", `const o = {toString() { return String(o) }}; String(o)`},
	{"StackOverflow", `(function f() { [2, 1].sort(f) })()`},
	{"StackOverflow", `(function f() { 'x'.replace('x', f) })()`},
	{"StackOverflow", `(function f() { f.apply(null, []) })()`},
	{"StackOverflow", `(function f() { f.call() })()`},
	{"RangeError", `const call = Function.prototype.call; call.apply(call, Array(1e6).fill(call))`},
	{"RangeError", `let f = () => 1; for (let i = 0; i < 1e6; i++) f = f.bind(); f()`},
	// regular expressions
	{"RangeError", `/(?=a)(a+)+$/.test('a'.repeat(40) + 'b')`},
	{"RangeError", `/^(a+)+\1$/.exec('a'.repeat(40) + 'b')`},
	{"RangeError", `'a'.repeat(40).concat('b').replace(/(?=a)(a+)+$/, 'x')`},
	{"RangeError", `'a'.repeat(40).concat('b').replace(/(?=a)(a+)+$/g, () => 'x')`},
	{"RangeError", `'a'.repeat(40).concat('b').match(/(?=a)(a+)+$/)`},
	{"RangeError", `'a'.repeat(40).concat('b').search('(?=a)(a+)+$')`},
	{"RangeError", `new RegExp('(?=a)(a+)+$').test('a'.repeat(40) + 'b')`},
	{"RangeError", `new RegExp('('.repeat(1e6))`},
	{"RangeError", `'x'.match('('.repeat(1e6))`},
}

func attackName(source string) string {
	return strings.ReplaceAll(source[:min(70, len(source))], "/", "|")
}

func TestAttacksThrow(t *testing.T) {
	for _, attack := range attacks {
		t.Run(attackName(attack.source), func(t *testing.T) {
			vm := newVM(t)
			run(t, vm, "RegExp") // as a host does that has seen a literal
			begin := time.Now()
			got := run(t, vm, attack.source)
			if !strings.HasPrefix(got, attack.want) {
				t.Errorf("got %.200s, want a %s", got, attack.want)
			}
			t.Logf("%v %.120s", time.Since(begin), got)
		})
	}
}

// TestAttacksStop interrupts each attack early on: none may hold on much longer.
func TestAttacksStop(t *testing.T) {
	const at, atMost = 30 * time.Millisecond, 10 * time.Second // plain goja: never, or half a minute
	for _, attack := range attacks {
		t.Run(attackName(attack.source), func(t *testing.T) {
			vm, stop := newStoppable(t)
			run(t, vm, "RegExp")
			timer := time.AfterFunc(at, func() {
				stop.Set()
				vm.Interrupt("stopped")
			})
			defer timer.Stop()
			begin := time.Now()
			run(t, vm, attack.source)
			if took := time.Since(begin); took > at+atMost {
				t.Errorf("held on for %v", took)
			} else if took > 200*time.Millisecond {
				t.Logf("%v", took)
			}
		})
	}
}

// TestStopUnwinds checks what an interrupt must do: come out as goja's own error, through natives that call
// natives, past catch and finally, and leave the runtime usable.
func TestStopUnwinds(t *testing.T) {
	vm, stop := newStoppable(t)
	vm.Set("stop", func() {
		stop.Set()
		vm.Interrupt("enough")
	})
	program := goja.MustCompile("", `
		var caught = 0
		const a = {toString() { stop(); return 'x' }} // the last instruction of ours
		try { [[['y', a, 'z']], 'w'].join() } catch { caught++ } finally { caught++ }
	`, false)
	_, err := vm.RunProgram(program)
	interrupt, ok := errors.AsType[*goja.InterruptedError](err)
	if !ok || interrupt.Value() != "enough" {
		t.Fatalf("got %v", err)
	}
	stop.Clear()
	vm.ClearInterrupt()
	if got := run(t, vm, "caught + [1, [2]].join()"); got != "01,2" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestStopBeforeInterrupt raises only the flag, as a host does that is between its two calls.
func TestStopBeforeInterrupt(t *testing.T) {
	vm, stop := newStoppable(t)
	stop.Set()
	defer func() {
		if err, ok := guard.Interrupted(recover()); !ok || err == nil {
			t.Errorf("got %v", err)
		}
	}()
	vm.RunProgram(goja.MustCompile("", "[1].join()", false))
	t.Error("did not stop")
}
