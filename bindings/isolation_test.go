package bindings_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings"
	"github.com/piopiy/piopiyd/runtime"
)

// walk visits every object that a script can reach from its globals, its literals and its imports.
const walk = `
	const roots = [globalThis, [], {}, '', 0, true, /x/, () => {}, async () => {}, function* () {}, async function* () {}, class {},
		new Map(), new Set(), new WeakMap(), new Promise(() => {}), new Error(), new Date(), [][Symbol.iterator](), new Map()[Symbol.iterator](),
		new Set()[Symbol.iterator](), ''[Symbol.iterator](), 'x'.matchAll(/x/g), (function* () {})(), Symbol.iterator,
		require('piopiy'), require('piopiy/pcmo'), require('piopiy/crypto'), require('piopiy/kv'), require('piopiy/env'), require('piopiy/audio'),
		globalThis.fetch, globalThis.URL, globalThis.URLSearchParams, globalThis.Headers, globalThis.Request, globalThis.Response, globalThis.console,
		globalThis.TextEncoder, globalThis.TextDecoder, globalThis.AbortController, globalThis.AbortSignal, globalThis.EventTarget, globalThis.Event,
		globalThis.crypto, globalThis.structuredClone, globalThis.setTimeout, globalThis.Intl, globalThis.kv, globalThis.env, globalThis.DOMException,
		globalThis.WebSocket, globalThis.MessageEvent, globalThis.CloseEvent, globalThis.ErrorEvent]
	function walk() {
		const seen = new Set()
		const queue = roots.map(root => Object(root))
		while (queue.length) {
			const o = queue.pop()
			if (o === null || typeof o !== 'object' && typeof o !== 'function' || seen.has(o) || o === roots || o === queue || o === seen || o === exports || o === module) continue
			seen.add(o)
			queue.push(Object.getPrototypeOf(o))
			for (const key of Reflect.ownKeys(o)) {
				let d
				try { d = Object.getOwnPropertyDescriptor(o, key) } catch { continue }
				if (!d) continue
				if ('value' in d) queue.push(d.value)
				else queue.push(d.get, d.set)
			}
		}
		return seen
	}`

// A frozen VM serves one session after the other. Whatever a session writes to whatever it can reach, the next
// one sees nothing of it.
func TestNothingLeaksThroughAFrozenVM(t *testing.T) {
	for _, isolation := range []runtime.Isolation{runtime.Frozen, runtime.Newborn} {
		t.Run(string(isolation), func(t *testing.T) {
			app := load(t, isolation, walk+`
				let ownState = 0
				exports.leak = () => {
					ownState++
					const all = walk()
					function leaked() {}
					for (const o of all) {
						try { o.leak = 'from the call before' } catch {}
						try { Object.defineProperty(o, 'leak2', { value: 'from the call before', configurable: true }) } catch {}
						try { Object.setPrototypeOf(o, { leak3: 1, __proto__: Object.getPrototypeOf(o) }) } catch {}
						for (const key of Reflect.ownKeys(o)) {
							try { const d = Object.getOwnPropertyDescriptor(o, key); if (d && d.writable && typeof d.value === 'function') o[key] = leaked } catch {}
						}
					}
					return all.size + ''
				}
				exports.look = () => {
					const found = []
					if (ownState) found.push('module state ' + ownState)
					const all = walk()
					for (const o of all) {
						if (Object.getOwnPropertyDescriptor(o, 'leak') || Object.getOwnPropertyDescriptor(o, 'leak2') || Object.getOwnPropertyDescriptor(o, 'leak3')) found.push(String(o.name || Object.prototype.toString.call(o)))
						if (typeof o === 'function' && o.name === 'leaked') found.push('a replaced function')
					}
					return all.size + ' ' + found.join(', ')
				}`)
			reached := call(t, app, "leak")
			seen := call(t, app, "look")
			count, leaks, _ := strings.Cut(seen, " ")
			if leaks != "" {
				t.Errorf("the next call sees: %s", leaks)
			}
			t.Logf("%s objects written to, %s looked at", reached, count)
		})
	}
}

// What scripts do with their own objects and classes works in a frozen VM as in any other.
func TestOrdinaryScriptsRunInAFrozenVM(t *testing.T) {
	const script = `
		class CallError extends Error { constructor(m) { super(m); this.name = 'CallError'; this.code = 7 } toString() { return 'call: ' + this.message } }
		const counts = { toString() { return 'mine' }, constructor: 'own', valueOf() { return 3 } }
		function Old() {} Old.prototype.toString = () => 'old'; Old.prototype.constructor = Old
		exports.run = async () => {
			const list = [3, 1, 2].map(String).sort()
			list.at2 = 'own property'
			const e = new CallError('x'); e.message = 'y'
			await new Promise(r => setTimeout(r, 1))
			return [String(e), e.name, e instanceof CallError, String(counts), counts + 1, new Old() + '', list.join(), new URL('https://a.example/b?c=1').searchParams.get('c'),
				JSON.stringify({ d: new Date(0) }), new Intl.NumberFormat('en-IN').format(1234567.5), [...new Map([[1, 2]])].flat().join('')].join('|')
		}`
	want := ""
	for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
		got := call(t, load(t, isolation, script), "run")
		if want == "" {
			want = got
		}
		if got != want || got == "" {
			t.Errorf("%s: got %s, want %s", isolation, got, want)
		}
	}
}

func load(t *testing.T, isolation runtime.Isolation, script string) *runtime.App {
	t.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := runtime.New(runtime.Config{
		Modules: modules, Settings: map[string]runtime.Settings{"app": {Isolation: isolation}}, Logger: slog.New(slog.DiscardHandler),
		Limits: runtime.Limits{Turn: 1e10},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	app, err := rt.Load(t.Context(), "app", runtime.FS(fstest.MapFS{"app.js": {Data: []byte(script)}}), "app.js")
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func call(t *testing.T, app *runtime.App, export string) (got string) {
	t.Helper()
	s, err := app.NewSession(runtime.SessionConfig{ID: "call"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close("over"); <-s.Done() }()
	err = s.Call(t.Context(), export, nil, func(_ *goja.Runtime, v goja.Value) error { got = v.String(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}
