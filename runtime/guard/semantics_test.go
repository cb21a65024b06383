package guard_test

import (
	"testing"

	"github.com/dop251/goja"
)

// ordinary are expressions that must give in a guarded runtime what they give in a plain one.
var ordinary = []string{
	// strings
	`'ab'.repeat(3)`, `'ab'.repeat(0)`, `'ab'.repeat(2.9)`, `'ab'.repeat('2')`, `''.repeat(2**30)`, `'a'.repeat(-1)`,
	`String.prototype.repeat.call(12, 2)`, `String.prototype.repeat.call(null, 2)`, `'a'.repeat(Infinity - Infinity)`,
	`'5'.padStart(3, '0')`, `'5'.padEnd(3)`, `'5'.padStart(3, '')`, `'5'.padStart(-1)`, `'5'.padStart({valueOf: () => 4}, {toString: () => 'xy'})`,
	`'a'.concat()`, `'a'.concat(1, null, undefined, {}, [1, 2], true, -0)`, `'a'.concat(Symbol())`, `String.prototype.concat.call(1, 2)`,
	`'aXbXc'.replace('X', '-')`, `'aXbXc'.replaceAll('X', '-')`, `'aXbXc'.replaceAll('X', (m, i, s) => m + i + s)`,
	`'aXb'.replace('X', "[$&$$$'$1]")`, `'aXb'.replaceAll('', '_')`, `'aXb'.replace()`, `'undefined'.replace()`, `'a1'.replace(1)`,
	`'aXb'.replace({toString: () => 'X'}, {toString: () => 'Y'})`, `'aXb'.replace({[Symbol.replace]: (s, r) => s + r + '!'}, 'Y')`,
	`'a-b-c'.replace(/-/g, '+')`, `'a-b'.replace(/(?<l>a)-(b)/, '$2$<l>$1$3$0$10')`, `'a-b'.replace(/(a)-/, (...x) => JSON.stringify(x))`,
	`'abc'.replace(/b/, null)`, `'a,b'.split(',')`, `'abc'.split('')`, `'abc'.split()`, `'a,b,c'.split(',', 2)`, `'a1b'.split(/\d/)`, `'a1b'.split(1)`,
	`'a1b2'.match(/\d/g)`, `'a1'.match('\\d').index`, `[...'a1b2'.matchAll(/\d/g)].length`, `'ab1'.search(/\d/)`, `'ab'.match(null)`, `'x'.match()`,
	`'ß'.toUpperCase()`, `'É'.normalize('NFD').length`, `'Éa'.toLowerCase()`, `[...'a😀']`, `String.raw` + "`a\\n${1}`",
	`'\ud800'.concat('\udc00').length`, `'x'.repeat(70).replaceAll('xx', "$'").length`,
	// arrays
	`[1, 2, 3].map(x => x * 2)`, `[3, 1, 2].sort()`, `[3, 1, 10].sort()`, `[3, 1, 2].toSorted((a, b) => b - a)`, `[1, [2, [3, [4]]]].flat()`,
	`[1, [2, [3, [4]]]].flat(Infinity)`, `[1, , 2].flat()`, `[[1, , 2]].flat().length`, `[1, 2].flatMap(x => [x, x])`, `[1, , 3].join()`,
	`[1, null, undefined, 2].join('-')`, `[[1, 2], [3]].toString()`, `const a = [1]; a.push(a); a.join()`, `[1.5, -0, NaN, true, 'x', {}].join('|')`,
	`[1].join(undefined)`, `[1, 2].join(null)`, `[1, 2].join({toString: () => '+'})`, `[Symbol()].join()`, `Array.prototype.join.call({length: 2, 0: 'a', 1: 'b'}, '-')`,
	`Array.prototype.join.call('abc', '-')`, `Array.prototype.join.call(null)`, `Array.prototype.map.call('abc', x => x + x)`,
	`[1, 2].concat(3, [4, [5]])`, `[].concat({length: 1, 0: 'x', [Symbol.isConcatSpreadable]: true})`, `[1].concat('ab')`, `[1234.5, new Date(0), 'x'].toLocaleString()`,
	`[1, 2, 3].fill(0, 1)`, `[1, 2, 3].copyWithin(0, 1)`, `[1, 2, 3].includes(2)`, `[1, NaN].includes(NaN)`, `[1, 2, 1].lastIndexOf(1)`,
	`[1, 2, 3].splice(1, 1)`, `[1, 2].unshift(0)`, `[1, 2].reverse()`, `[1, 2, 3].at(-1)`, `[1, 2].with(0, 9)`, `[..."ab"].entries().next()`,
	`Array.from({length: 2}, (_, i) => i)`, `Array.from('abc')`, `Array.from(new Set([1, 1, 2]))`, `Array.from([1, 2], x => x + 1)`, `Array.of(1, 2)`,
	`Array(3).length`, `new Array(2, 3)`, `Array('3')`, `new Array(-1)`, `new Array(1.5)`, `new Array(2**32)`, `Array.isArray(new Array(1))`, `Array.isArray(new Proxy([], {}))`,
	`Array(5000).fill(0).map((_, i) => (i * 7919) % 5003).sort().slice(0, 20)`, `Array.from({length: 5000}, (_, i) => i % 3 ? undefined : i).sort().slice(0, 5)`,
	`class X extends Array {}; const x = X.from([1, 2]); [x instanceof X, x instanceof Array, x.map(y => y) instanceof X, x.length]`,
	`class X extends Array { static get [Symbol.species]() { return Array } }; new X(1, 2).map(y => y) instanceof X`,
	`class X extends Array { constructor(...a) { super(...a); this.t = new.target === X } }; new X(3).t`,
	`Array[Symbol.species] === Array`, `[].constructor === Array`, `Reflect.construct(Array, [3]).length`, `Object.getPrototypeOf(Reflect.construct(Array, [3], Object)) === Object.prototype`,
	`(function () { return Array.prototype.slice.call(arguments, 1) })(1, 2, 3)`, `Array.prototype.map.call(new Uint8Array([1, 2]), x => x * 2)`, `Array.prototype.push.call({length: 1}, 2)`,
	`const o = {length: 3, 0: 'c', 1: 'a', 2: 'b'}; Array.prototype.sort.call(o) === o && o[0]`, `const p = new Proxy([3, 1, 2], {}); p.sort() === p && p.map(x => x)`, `const p = new Proxy([3, 1], {}); p.reverse(); p`,
	`class L { get length() { return 2 } get 0() { return 'a' } get 1() { return 'b' } }; [Array.from(new L()), Array.prototype.slice.call(new L()), Math.max.apply(null, new L())]`,
	`Array.from(new Map([[1, 2]]))`, `Array.from((function* () { yield 1; yield 2 })())`, `Array.from({})`, `Array.from(5)`, `Array.from(null)`, `Array.from(new Proxy([1, 2], {}))`, `Array.prototype.forEach.call({length: '2', 0: 1}, x => x)`,
	`class X extends Array {}; new X(1, [2], 3).flat() instanceof X`, `class X extends Array { static get [Symbol.species]() { return Array } }; const f = new X(1, [2]).flat(); [f instanceof X, f]`, `[1, [2]].flat(0)`, `[[[1]]].flat(-1)`, `[[1], 2].flat('1')`, `Array.prototype.flat.call({length: 2, 0: [1], 1: 2})`, `[1, [2, , 3]].flat().length`,
	`[new Proxy([1, 2], {})].flat()`, `[].concat(new Proxy([1, 2], {}))`, `Array.prototype.concat.call(1, 2).length`, `(function () { return Math.max.apply(null, arguments) })(4, 9)`, `Math.max.apply(null, new Uint8Array([5, 6]))`, `Math.max.apply(null, 'ab')`, `Math.max.apply(null, {length: 1, 0: 8})`,
	`new Uint8Array(new Proxy([1, 2], {}))`, `new Uint8Array((function* () { yield 7 })())`, `new Uint8Array({length: 2, get 0() { return 5 }})`, `new Uint8Array({})`,
	// functions
	`Math.max.apply(null, [1, 3, 2])`, `((...a) => a).apply(null, {length: 2, 0: 'x'})`, `(function () { return this.x }).bind({x: 1})()`,
	`(function f(a, b) {}).bind(null, 1).name + (function f(a, b) {}).bind(null, 1).length`, `new (function F(a) { this.a = a }.bind(null, 7))().a`,
	`Math.max.apply(null, 1)`, `Reflect.apply(Math.max, null, [1, 2])`, `(function () { return typeof this }).call(1)`, `Function.prototype.call.call(x => x, null, 5)`,
	`class A {}; const B = A.bind(); new B() instanceof A`, `typeof Function`, `(() => {}) instanceof Function`, `(x => x).toString()`,
	`function F() {}; (new F().constructor === F) && F.constructor === Function`,
	// objects
	`Object.keys('abc')`, `Object.entries({a: 1})`, `Object.assign({}, 'ab', null, {c: 1})`, `Object.keys(new String('ab'))`, `Object.getOwnPropertyNames('ab')`,
	// buffers
	`new ArrayBuffer(8).byteLength`, `new ArrayBuffer().byteLength`, `new ArrayBuffer('8').byteLength`, `ArrayBuffer(8)`, `new ArrayBuffer(-1)`, `new ArrayBuffer(8).slice(2).byteLength`,
	`new Uint8Array([1, 2, 300])`, `new Uint8Array(3)`, `new Uint8Array(new ArrayBuffer(8), 2, 3).length`, `new Int16Array(new Set([1, 2]))`, `new Float64Array(new Float32Array([1.5]))`,
	`Uint8Array.from([1, 2], x => x * 2)`, `Uint8Array.of(1, 2)`, `new Uint8Array([3, 1, 2]).sort()`, `new Uint8Array([1, 2]).join('-')`, `new Uint8Array([1, 2]).toString()`, `new Uint8Array(2).join(undefined)`,
	`new Uint8Array([1, 2]).map(x => x * 2) instanceof Uint8Array`, `new Uint8Array(1) instanceof Uint8Array`, `Object.getPrototypeOf(Uint8Array).name`, `Uint8Array(1)`, `new Uint8Array(-1)`,
	`class X extends Uint8Array {}; const x = new X(2); [x instanceof X, x.slice() instanceof X, x.buffer instanceof ArrayBuffer]`, `Uint8Array.BYTES_PER_ELEMENT`,
	`new Uint8Array(2).constructor === Uint8Array`, `Uint8Array.prototype.constructor === Uint8Array`, `new Uint8Array(2).buffer.constructor === ArrayBuffer`,
	`new Uint8Array([255]).toHex()`, `Uint8Array.fromBase64('AQID')`, `new DataView(new ArrayBuffer(4)).getUint8(0)`, `Object.getPrototypeOf(new (Object.getPrototypeOf(Uint8Array))())`,
	`new Uint8Array({length: 2, 0: 7})`, `new Uint8Array(null)`, `new Uint8Array('3')`, `new Uint8Array(Symbol())`, `ArrayBuffer.isView(new Uint8Array(1))`, `Reflect.construct(Uint8Array, [2], Array) instanceof Array`,
	// regular expressions
	`/a/ instanceof RegExp`, `/a/.constructor === RegExp`, `RegExp('a', 'g').flags`, `new RegExp(/a/g).flags`, `new RegExp(/a/g, 'i').flags`, `RegExp(/a/) === RegExp(/a/)`, `const r = /a/; RegExp(r) === r`,
	`class R extends RegExp { exec(s) { return super.exec(s + 'x') } }; new R('x').test('a')`, `RegExp.prototype.toString.call(/a/g)`, `/(?<y>\d{4})/.exec('in 2024').groups.y`, `new RegExp('[')`, `new RegExp('a', 'gg')`,
	`const r = /a/g; r.test('aa'); r.lastIndex`, `/(?<=a)b/.exec('ab').index`, `'abc'.replace(/(?=b)/, '-')`, `new RegExp().source`, `new RegExp('/').source`, `new RegExp(undefined).source`, `RegExp.length`, `Object.getOwnPropertyNames(RegExp).sort()`,
	// the rest
	`encodeURIComponent('a b&ü')`, `escape('ü')`, `encodeURI('http://x/ y')`, `Symbol.iterator.toString()`, `typeof eval`, `Symbol.for('a') === Symbol.for('a')`, `Object.prototype.toString.call(new ArrayBuffer(1))`,
	// JSON
	`JSON.parse('{"a":[1,2,{"b":null}],"c":"x"}')`, `JSON.parse(' [1 , 2 ] ')`, `JSON.parse('"\\u0041\\n\\ud83d\\ude00"')`, `JSON.parse('-0') === 0 && 1 / JSON.parse('-0')`, `JSON.parse('1e3')`, `JSON.parse('123456789012345678')`,
	`JSON.parse('{"__proto__": 1, "b": 2}')`, `Object.keys(JSON.parse('{"b":1,"a":2,"1":3,"0":4,"b":5}'))`, `JSON.parse('{"a":1}', (k, v) => k === 'a' ? v + 1 : v)`, `JSON.parse('[1,2,3]', (k, v) => k === '1' ? undefined : v)`, `JSON.parse(1)`, `JSON.parse(null)`, `JSON.parse({toString: () => '[1]'})`,
	`JSON.parse('{"é":"ü"}')`, `JSON.parse('{"\\u00e9":1}')["é"]`, `Object.getOwnPropertyDescriptor(JSON.parse('{"a":1}'), 'a')`, `JSON.parse('[]').length`, `JSON.parse('{}')`, `JSON.parse('"😀"').length`, `const a = JSON.parse('[1,2]'); a.push(3); a.length`, `JSON.parse('[1,[2,3]]').flat()`,
	`JSON.stringify({a: [1, 'x', null, undefined, () => 1, Symbol()], b: undefined, c: () => 1})`, `JSON.stringify([NaN, Infinity, -0, 1e21, 1e-7, 0.1, 123456789])`, `JSON.stringify('\u2028"\\\b\f\n\r\t\u0001/é😀')`, `JSON.stringify('\ud800a')`, `JSON.stringify({'\n': 1})`,
	`JSON.stringify({a: 1, b: [1, 2], c: {}, d: []}, null, 2)`, `JSON.stringify({a: [1]}, null, '--')`, `JSON.stringify({a: [1]}, null, 'aaaaaaaaaaaaaaa')`, `JSON.stringify([1], null, 99)`, `JSON.stringify([1], null, new Number(1))`, `JSON.stringify([[]], null, 1)`,
	`JSON.stringify({a: 1, b: 2, c: {a: 3, d: 4}}, ['a', 'c'])`, `JSON.stringify({1: 1, a: 2}, [1, new String('a'), 'a', {}])`, `JSON.stringify({a: 1, b: 'x'}, (k, v) => typeof v === 'number' ? v * 2 : v)`, `JSON.stringify({a: 1}, (k, v) => k === 'a' ? undefined : v)`,
	`JSON.stringify(new Date(0))`, `JSON.stringify({toJSON: k => 'k' + k})`, `JSON.stringify({x: {toJSON: k => 'k' + k}})`, `JSON.stringify([{toJSON: k => 'k' + k}])`, `JSON.stringify([new Number(1), new String('x'), new Boolean(false)])`, `JSON.stringify(undefined)`, `JSON.stringify(() => 1)`, `JSON.stringify(null)`, `JSON.stringify()`,
	`const a = {}; a.a = a; JSON.stringify(a)`, `const a = {}; JSON.stringify([a, a])`, `JSON.stringify(new Proxy([1, 2], {}))`, `JSON.stringify(new Proxy({a: 1}, {}))`, `JSON.stringify(Object.create({inherited: 1}, {own: {value: 1, enumerable: true}, hidden: {value: 2}}))`, `JSON.stringify({get a() { return 7 }})`, `JSON.stringify({[Symbol('s')]: 1})`,
	`JSON.stringify(new Map([[1, 2]]))`, `JSON.stringify(/x/)`, `JSON.stringify(new Error('x'))`, `JSON.stringify(new Uint8Array(2))`, `class X { constructor() { this.a = 1 } get b() { return 2 } }; JSON.stringify(new X())`, `JSON.stringify({b: 1, 2: 1, a: 1, 1: 1})`, `JSON.stringify([, 1])`, `JSON.stringify({a: JSON.rawJSON('1.0')})`,
	`JSON.stringify(Object.assign([1], {x: 2}))`, `JSON.stringify({é: 1})`, `JSON.stringify((function () { return arguments })(1, 2))`, `JSON.stringify(Object('x'))`, `JSON.stringify('x'.repeat(100)).length`, `JSON.stringify({a: 'x', toJSON: 5})`,
}

// TestSameAsPlain compares a guarded runtime with a plain one, errors' names included.
func TestSameAsPlain(t *testing.T) {
	for _, source := range ordinary {
		program, err := goja.Compile("", show(source), false)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		plain, err := goja.New().RunProgram(program)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		guarded, err := newVM(t).RunProgram(program)
		if err != nil {
			t.Errorf("%s: %v", source, err)
		} else if plain.String() != guarded.String() {
			t.Errorf("%s\nplain:   %s\nguarded: %s", source, plain, guarded)
		}
	}
}

// show wraps statements, the last of which is an expression, so that the value is shown in full.
func show(source string) string {
	cut := 0
	depth := 0
	for i, c := range source {
		switch c {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		case ';':
			if depth == 0 {
				cut = i + 1
			}
		}
	}
	return `(function () {
		const show = (v, d = 0) => typeof v === 'string' ? "'" + v + "'" : typeof v === 'symbol' ? v.toString()
			: Object.is(v, -0) ? '-0' : v === null || typeof v !== 'object' ? '' + v : d > 4 ? '...'
			: (Array.isArray(v) ? 'Array' : Object.prototype.toString.call(v)) + (v.length ?? '') + '{' +
				Object.getOwnPropertyNames(v).map(k => k + ':' + show(v[k], d + 1)).join(' ') + '}'
		try { return show((() => { ` + source[:cut] + ` return (` + source[cut:] + `) })()) } catch (e) { return 'throws ' + e.name }
	})()`
}

// TestBuiltinsKeepTheirShape compares names, lengths and descriptors of every property of the built-ins.
func TestBuiltinsKeepTheirShape(t *testing.T) {
	program := goja.MustCompile("", `(function () {
		const out = [], seen = new Set()
		const walk = (o, path) => {
			if (o === null || typeof o !== 'object' && typeof o !== 'function' || seen.has(o)) return
			seen.add(o)
			for (const key of Reflect.ownKeys(o)) {
				if (/Big/.test(String(key)) || /dispose|asyncIterator|asyncDispose/i.test(String(key))) continue
				const d = Object.getOwnPropertyDescriptor(o, key), p = path + '.' + String(key)
				out.push([p, d.writable, d.enumerable, d.configurable, typeof d.value, typeof d.get, typeof d.set,
					typeof d.value === 'function' ? d.value.name + '/' + d.value.length : ''].join(' '))
				walk(d.value, p); walk(d.get, p)
			}
			walk(Object.getPrototypeOf(o), path + '.^')
		}
		walk(globalThis, 'this'); walk((async () => {}).constructor, 'async'); walk((function*(){}).constructor, 'generator')
		return out.join('\n')
	})()`, false)
	plain, err := goja.New().RunProgram(program)
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := newVM(t).RunProgram(program)
	if err != nil {
		t.Fatal(err)
	}
	if len(plain.String()) < 10_000 {
		t.Fatalf("walked too little: %d bytes", len(plain.String()))
	}
	diff(t, plain.String(), guarded.String())
}
