package guard_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// diff reports lines that only one of two texts has.
func diff(t *testing.T, want, got string) {
	t.Helper()
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, l := range wants {
		if !slices.Contains(gots, l) {
			t.Errorf("missing: %s", l)
		}
	}
	for _, l := range gots {
		if !slices.Contains(wants, l) {
			t.Errorf("added: %s", l)
		}
	}
}

func TestUnguardedRuntimesStayPlain(t *testing.T) {
	vm := goja.New()
	newVM(t)
	for _, source := range []string{"'x'.repeat(20000000).length", "new Uint8Array(40000000).length", "eval('20000000')", "typeof BigInt === 'function' && 20000000"} {
		if v, err := vm.RunString(source); err != nil || v.ToInteger() < 20000000 {
			t.Errorf("%s: %v, %v", source, v, err)
		}
	}
}

func TestLimits(t *testing.T) {
	vm := goja.New()
	if _, err := guard.Install(vm, guard.Limits{StringLength: 10, ArrayLength: 5, BufferSize: 16, Nesting: 3}, nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ source, want string }{
		{"'x'.repeat(10)", "xxxxxxxxxx"},
		{"'x'.repeat(11)", "RangeError: String.prototype.repeat: the string would have 11 characters; the limit is 10"},
		{"[1,2,3,4,5].map(x => x).length", "5"},
		{"[1,2,3,4,5,6].map(x => x)", "RangeError: Array.prototype.map: the length is 6; the limit is 5"},
		{"new Uint16Array(8).length", "8"},
		{"new Uint16Array(9)", "RangeError: new Uint16Array: 9 elements of 2 bytes were asked for; the limit is 16 bytes"},
		{"JSON.parse('[[[1]]]').length", "1"},
		{"JSON.parse('[[[[1]]]]')", "RangeError: JSON.parse: the text is nested more than 3 deep"},
		{"JSON.stringify([[[1]]])", "[[[1]]]"},
		{"JSON.stringify([[[[1]]]])", "RangeError: JSON.stringify: the value is nested more than 3 deep"},
		{"JSON.stringify('xxxxxxxxxxx')", "RangeError: JSON.stringify: the string would have 11 characters; the limit is 10"},
		{"['aaaa','bbbb','cccc'].join('')", "RangeError: Array.prototype.join: the string would have 12 characters; the limit is 10"},
		{"eval('1')", "EvalError: source text cannot be compiled while a script runs: eval and new Function are not available; write the code as a function"},
		{"typeof BigInt + typeof BigUint64Array + ('BigInt' in globalThis) + Object.hasOwn(globalThis, 'BigInt')", "undefinedundefinedfalsefalse"},
	} {
		if got := run(t, vm, tt.source); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.source, got, tt.want)
		}
	}
}

func TestJSONParseErrors(t *testing.T) {
	vm := newVM(t)
	for _, tt := range []struct{ source, want string }{
		{``, `the text ends too early, at position 0`},
		{`{`, `the text ends too early, at position 1`},
		{`[1,`, `the text ends too early, at position 3`},
		{`"abc`, `the text ends too early, at position 4`},
		{`[1,]`, `unexpected ']' at position 3 (line 1 column 4)`},
		{`{"a":1,}`, `unexpected '}' where a property name in double quotes is expected at position 7 (line 1 column 8)`},
		{"{\n  'a': 1}", `unexpected '\'' where a property name in double quotes is expected at position 4 (line 2 column 3)`},
		{`{"a" 1}`, `unexpected '1' where ':' is expected at position 5 (line 1 column 6)`},
		{`{"a":1 "b"}`, `unexpected '"' where ',' or '}' is expected at position 7 (line 1 column 8)`},
		{`[1 2]`, `unexpected '2' where ',' or ']' is expected at position 3 (line 1 column 4)`},
		{`01`, `unexpected '1' after the end of the JSON text at position 1 (line 1 column 2)`},
		{`1 2`, `unexpected '2' after the end of the JSON text at position 2 (line 1 column 3)`},
		{`-`, `the text ends too early, at position 1`},
		{`1.x`, `unexpected 'x' where a digit is expected at position 2 (line 1 column 3)`},
		{`trux`, `unexpected 'x' at position 3 (line 1 column 4)`},
		{`undefined`, `unexpected 'u' at position 0 (line 1 column 1)`},
		{"\"a\nb\"", `unexpected '\n' in a string: control characters must be escaped at position 2 (line 1 column 3)`},
		{`"\x"`, `unexpected 'x' after a backslash in a string at position 2 (line 1 column 3)`},
		{`"\u12g4"`, `unexpected 'g' where a hexadecimal digit is expected at position 5 (line 1 column 6)`},
		{`"é😀" x`, `unexpected 'x' after the end of the JSON text at position 6 (line 1 column 7)`},
	} {
		vm.Set("text", tt.source)
		if got, want := run(t, vm, "JSON.parse(text)"), "SyntaxError: JSON.parse: "+tt.want; got != want {
			t.Errorf("%q\n got %s\nwant %s", tt.source, got, want)
		}
	}
}

// TestJSONIsStandard is where goja's own reader and writer fall short of the standard.
func TestJSONIsStandard(t *testing.T) {
	vm := newVM(t)
	for _, tt := range []struct{ source, want string }{
		{`JSON.parse('"\\ud800"') === '\ud800'`, "true"},
		{`JSON.parse('"\\ud800\\u0041"') === '\ud800A'`, "true"},
		{`JSON.parse('"x\\udc00\\ud83d\\ude00"') === 'x\udc00😀'`, "true"},
		{`JSON.parse('"' + '\ud800' + '"') === '\ud800'`, "true"},
		{`JSON.parse('{"\\ud800":1}')['\ud800']`, "1"},
		{`JSON.stringify('\ud800x\udc00😀')`, `"\ud800x\udc00😀"`},
		{`JSON.parse('1E400')`, "Infinity"},
		{`JSON.stringify([Object(Symbol())])`, "[{}]"},
		{`JSON.stringify('\ufffd')`, "\"\ufffd\""},
	} {
		if got := run(t, vm, tt.source); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.source, got, tt.want)
		}
	}
}

func TestJSONParseIgnoresPrototypes(t *testing.T) {
	vm := newVM(t)
	if got := run(t, vm, `
		Object.defineProperty(Object.prototype, 'x', {set() { throw 1 }, configurable: true})
		Object.freeze(Object.prototype)
		const o = JSON.parse('{"x":1,"toString":2,"__proto__":3}');
		[o.x, o.toString, Object.getOwnPropertyDescriptor(o, '__proto__').value, Object.getPrototypeOf(o) === Object.prototype].join()
	`); got != "1,2,3,true" {
		t.Errorf("got %s", got)
	}
}

func TestWellKnownSymbols(t *testing.T) {
	vm := newVM(t)
	for _, name := range []string{"asyncIterator", "dispose", "asyncDispose"} {
		if got := run(t, vm, "Symbol."+name+" === Symbol.for('Symbol."+name+"')"); got != "true" {
			t.Errorf("Symbol.%s: %s", name, got)
		}
	}
}

// TestBuffersOfBindings hands a script a buffer made in Go, whose constructor it then reaches.
func TestBuffersOfBindings(t *testing.T) {
	vm := goja.New()
	g, err := guard.Install(vm, guard.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.Buffers()
	vm.Set("buffer", vm.NewArrayBuffer([]byte{1, 2}))
	if got := run(t, vm, "new buffer.constructor(2**45)"); !strings.HasPrefix(got, "RangeError") {
		t.Errorf("got %s", got)
	}
	if got := run(t, vm, "buffer instanceof ArrayBuffer && new Uint8Array(buffer)[1]"); got != "2" {
		t.Errorf("got %s", got)
	}
	if v := g.Global("JSON").ToObject(vm).Get("parse"); v == nil {
		t.Error("no JSON")
	}
	if v := g.Global("BigInt"); !goja.IsUndefined(v) {
		t.Errorf("BigInt is %v", v)
	}
	if got := g.ParseJSON(`{"a":[1]}`).ToObject(vm).Get("a").String(); got != "1" {
		t.Errorf("ParseJSON: %s", got)
	}
}

func TestHasRegexp(t *testing.T) {
	for source, want := range map[string]bool{
		"1 + 1": false, "const f = () => { return {a: [x => /x/]} }": true, "class A { static b = /x/g }": true,
		"'/x/'; a / b / c": false, "for (const x of y) { if (z) switch (q) { case 1: w`${/x/}` } }": true,
	} {
		program, err := parser.ParseFile(nil, "", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := guard.HasRegexp(program); got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
}

// TestReplacementsCounted takes the path on which the growth of a replacement is counted, and must not differ.
func TestReplacementsCounted(t *testing.T) {
	counted := goja.New()
	if _, err := guard.Install(counted, guard.Limits{StringLength: 2000}, nil); err != nil {
		t.Fatal(err)
	}
	run(t, counted, "RegExp")
	for _, source := range []string{
		"'a-b c-d e-f g-h'.replace(/(\\w)-(\\w)/g, \"[$2$1$&$$$3$0$10$01$<l>$]\")",
		"'a-b c-d e-f g-h'.replace(/(?<l>\\w)-(?<r>\\w)/g, \"[$<r>$<l>$<x>$1$<]$`$'\")",
		"'a-b c-d e-f g-h'.replace(/(x)?-/g, \"[$1$`|$'$&$&$&$&$&$&$&$&$&$&$&$&$&$&$&$&$&$&$&$&]\")",
		"'😀-😀-'.repeat(5).replace(/-/gu, \"<$&$`$'$`$'$`$'$`$'$`$'$`$'>\")",
	} {
		program := goja.MustCompile("", source, false)
		want, err := goja.New().RunProgram(program)
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, counted, source); got != want.String() {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
	if got := run(t, counted, "'x'.repeat(100).replace(/x/g, \"$'\")"); !strings.HasPrefix(got, "RangeError: String.prototype.replace") {
		t.Errorf("got %s", got)
	}
}
