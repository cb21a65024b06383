package guard_test

import (
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

func TestFreeze(t *testing.T) {
	vm := newVM(t)
	if err := guard.Freeze(vm); err != nil {
		t.Fatal(err)
	}
	strict := func(source string) string { return run(t, vm, "'use strict'; { "+source+" }") }

	for _, source := range []string{
		"globalThis.x = 1", "Array.prototype.x = 1", "Array.prototype.map = 1", "Object.prototype.x = 1", "Object.prototype.toString = 1",
		"Error.prototype.name = 'x'", "JSON.parse = 1", "Math.PI = 3", "Promise.prototype.then = 1", "RegExp.prototype.exec = 1", "Map.prototype.x = 1",
		"Object.getPrototypeOf(async () => {}).x = 1", "Object.getPrototypeOf(async () => {}).constructor.x = 1",
		"Object.getPrototypeOf(function* () {}).x = 1", "Object.getPrototypeOf(function* () {}).prototype.x = 1", "Object.getPrototypeOf(function* () {}).prototype.next = 1",
		"Object.getPrototypeOf([][Symbol.iterator]()).x = 1", "Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())).x = 1",
		"Object.getPrototypeOf(''[Symbol.iterator]()).x = 1", "Object.getPrototypeOf(new Map().keys()).x = 1", "Object.getPrototypeOf(new Set().keys()).x = 1", "Object.getPrototypeOf(''.matchAll(/x/g)).x = 1",
		"Object.getPrototypeOf(Uint8Array).x = 1", "Uint8Array.prototype.x = 1", "Symbol.x = 1", "''.repeat.x = 1", "Object.defineProperty(Object.prototype, 'y', {value: 1})",
		"Object.getOwnPropertyDescriptor(Map.prototype, 'size').get.x = 1", "delete Array.prototype.map", "Object.setPrototypeOf(Array.prototype, {})", "Object.getPrototypeOf(Object.freeze({})).x = 1",
		"const o = Object.freeze({}); o.toString = 1",
	} {
		if got := strict(source); !strings.HasPrefix(got, "TypeError") {
			t.Errorf("%s: got %s, want a TypeError", source, got)
		}
	}
	for _, tt := range []struct{ source, want string }{
		{"const o = {}; o.toString = () => 'mine'; String(o)", "mine"},
		{"const o = {}; o.constructor = 1; Object.keys(o).join()", "constructor"},
		{"const o = {}; o.valueOf = () => 7; o + 1", "8"},
		{"function F() {} F.prototype.toString = () => 'f'; String(new F())", "f"},
		{"class E extends Error { constructor(m) { super(m); this.name = 'E' } } String(new E('m'))", "E: m"},
		{"const e = new TypeError('a'); e.message = 'b'; e.message", "b"},
		{"function E() {} E.prototype = Object.create(Error.prototype); E.prototype.constructor = E; E.prototype.name = 'X'; new E().name", "X"},
		{"class D extends Date { toJSON() { return 'd' } } JSON.stringify(new D(0))", `"d"`},
		{"const d = new Date(0); d.toJSON = () => 1; JSON.stringify(d)", "1"},
		{"const it = Object.create(Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))); it[Symbol.iterator] = () => 1; it[Symbol.iterator]()", "1"},
		{"[3, 1, 2].sort().map(x => x * 2).join()", "2,4,6"},
		{"/a(b)/.exec('ab')[1] + 'x-y'.replace(/-/g, '+')", "bx+y"},
		{"JSON.stringify(JSON.parse('{\"a\":[1,{\"toString\":2}]}'))", `{"a":[1,{"toString":2}]}`},
		{"class X extends Array {} new X(1, 2).map(x => x) instanceof X", "true"},
		{"new Map([[1, 2]]).get(1) + [...new Set([1, 1])].length", "3"},
		{"const o = {}; o.name = 1; o.toString = 1; o.toString = 2; o.toString", "2"},
	} {
		if got := strict(tt.source); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.source, got, tt.want)
		}
	}
}

func BenchmarkFreeze(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		vm := goja.New()
		if _, err := guard.Install(vm, guard.Limits{}, nil); err != nil {
			b.Fatal(err)
		}
		if err := guard.Freeze(vm); err != nil {
			b.Fatal(err)
		}
	}
}
