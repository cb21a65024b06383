package es_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/es"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// Every case returns text or JSON; the wanted answers are those of Node 22 or of the standard.
func TestAdditions(t *testing.T) {
	for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
		t.Run(string(isolation), func(t *testing.T) {
			kit := runtimetest.New(t, es.New())
			kit.Config.Settings = map[string]runtime.Settings{"test": {Isolation: isolation}}
			kit.Runtime()
			additions(t, kit)
		})
	}
}

func additions(t *testing.T, kit *runtimetest.Kit) {
	for _, test := range []struct{ name, body, want string }{
		{"withResolvers", `const { promise, resolve } = Promise.withResolvers(); resolve(7); return String(await promise)`, "7"},
		{"withResolvers of a subclass", `class P extends Promise {}; return String(P.withResolvers().promise instanceof P)`, "true"},
		{"try", `return JSON.stringify([await Promise.try((a, b) => a + b, 1, 2), await Promise.try(() => { throw new Error('x') }).catch((e) => e.message)])`, `[3,"x"]`},
		{"Object.groupBy", `const g = Object.groupBy([1, 2, 3], (n) => n % 2 ? 'odd' : 'even'); return JSON.stringify([g, Object.getPrototypeOf(g)])`, `[{"odd":[1,3],"even":[2]},null]`},
		{"Object.groupBy index", `return JSON.stringify(Object.groupBy('abc', (c, i) => i))`, `{"0":["a"],"1":["b"],"2":["c"]}`},
		{"Object.groupBy without callback", `try { Object.groupBy([], 1) } catch (e) { return e.name }`, "TypeError"},
		{"Map.groupBy", `const k = {}; const m = Map.groupBy([1, 2], () => k); return JSON.stringify([m.get(k), m.size])`, "[[1,2],1]"},
		{"fromAsync sync", `return JSON.stringify(await Array.fromAsync([1, Promise.resolve(2)], (n, i) => n * 10 + i))`, "[10,21]"},
		{"fromAsync async", `async function* g() { yield 1; yield 2 }; return JSON.stringify(await Array.fromAsync(g()))`, "[1,2]"},
		{"fromAsync array-like", `return JSON.stringify(await Array.fromAsync({ length: 2, 0: 'a', 1: 'b' }))`, `["a","b"]`},
		{"fromAsync closes", `let closed = false; const it = { [Symbol.iterator]() { return this }, next: () => ({ value: 1 }), return() { closed = true; return {} } };
			try { await Array.fromAsync(it, () => { throw new Error('no') }) } catch (e) { return e.message + closed }`, "notrue"},
		{"isWellFormed", `return JSON.stringify(['a', '\u{1F600}', '\ud800', 'x\udc00', '\udc00\ud800', '\ud83d\ude00\ude00'].map((s) => s.isWellFormed()))`, "[true,true,false,false,false,false]"},
		{"toWellFormed", `return 'a\ud800b\udc00'.toWellFormed() + '\u{1F600}'.toWellFormed()`, "a\uFFFDb\uFFFD\U0001F600"},
		{"RegExp.escape", `return RegExp.escape('1.5 (a-b)/c\n')`, `\x31\.5\x20\(a\x2db\)\/c\n`},
		{"RegExp.escape matches", `const s = 'a+b [x]?'; return String(new RegExp('^' + RegExp.escape(s) + '$').test(s))`, "true"},
		{"captureStackTrace", `class E extends Error { constructor(m) { super(m); this.name = 'E'; Error.captureStackTrace(this, E) } }; return new E('m').stack.split('\n')[0]`, "E: m"},
		{"captureStackTrace on an object", `const o = {}; Error.captureStackTrace(o); return typeof o.stack + Object.keys(o).length`, "string0"},
		{"helpers", `return JSON.stringify([1, 2, 3, 4].values().map((n) => n * 2).filter((n) => n > 2).drop(1).take(1).toArray())`, "[6]"},
		{"helpers on maps", `return JSON.stringify(new Map([['a', 1]]).entries().map(([k, v]) => k + v).toArray())`, `["a1"]`},
		{"helpers on generators", `function* g() { let i = 0; for (;;) yield i++ }; return JSON.stringify(g().flatMap((n) => [n, -n]).take(4).toArray())`, "[0,0,1,-1]"},
		{"helpers close", `let closed = 0; const it = { __proto__: Iterator.prototype, next: () => ({ value: 1, done: false }), return() { closed++; return {} } };
			it.some((n) => n === 1); it.take(1).toArray(); try { it.map(() => { throw 1 }).next() } catch {}; it.map((n) => n).return(); return String(closed)`, "4"},
		{"reduce, some, every, find", `const v = () => [1, 2, 3].values(); return JSON.stringify([v().reduce((a, b) => a + b), v().some((n) => n > 2), v().every((n) => n > 2), v().find((n) => n > 1)])`, "[6,true,false,2]"},
		{"take refuses", `try { [].values().take(-1) } catch (e) { return e.name }`, "RangeError"},
		{"take NaN", `try { [].values().take('x') } catch (e) { return e.name }`, "RangeError"},
		{"Iterator.from", `return JSON.stringify(Iterator.from({ i: 0, next() { return { value: this.i, done: this.i++ > 2 } } }).toArray())`, "[0,1,2]"},
		{"Iterator is abstract", `try { new Iterator() } catch (e) { return e.name }`, "TypeError"},
		{"extends Iterator", `class I extends Iterator { i = 0; next() { return { value: this.i, done: this.i++ > 0 } } }; return JSON.stringify([new I().toArray(), new I() instanceof Iterator, [].values() instanceof Iterator])`, "[[0],true,true]"},
		{"no WeakRef", `return typeof WeakRef + typeof FinalizationRegistry`, "undefinedundefined"},
		{"not enumerable", `return JSON.stringify([Object.keys(Promise), Object.keys(Object), Object.keys(String.prototype), Object.groupBy.name, Object.groupBy.length, Promise.try.name])`, `[[],[],[],"groupBy",2,"try"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			kit.T = t
			if diff := cmp.Diff(any(test.want), kit.Eval(test.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A session gets only what its script names, and pays for nothing else.
func TestOnlyWhatIsNamed(t *testing.T) {
	kit := runtimetest.New(t, es.New())
	got := kit.Eval(`const name = ['with', 'Resolvers'].join(''); return [typeof Promise[name], typeof Object[['group', 'By'].join('')]].join()`)
	if got != "undefined,undefined" {
		t.Error(got)
	}
	if got := kit.Eval(`Promise.withResolvers; return typeof Object[['group', 'By'].join('')]`); got != "undefined" {
		t.Error(got)
	}
}
