// Records what Node's own Fetch classes answer: node standard.mjs > standard.json
// Each case is the body of an async function; an exception's name is its answer.
const cases = [
  // Headers
  `const h = new Headers({ 'X-B': ' 2 ', 'x-a': '1' }); h.append('X-A', '3'); return [...h]`,
  `const h = new Headers([['a', 'b'], ['A', 'c']]); return [h.get('a'), h.get('A'), h.get('none'), h.has('a'), h.has('b')]`,
  `const h = new Headers(); h.append('Set-Cookie', 'a=1'); h.append('set-cookie', 'b=2'); h.set('x', 'y'); return [h.getSetCookie(), [...h], h.get('set-cookie')]`,
  `const h = new Headers({ a: '1', b: '2' }); h.set('a', '3'); h.delete('b'); return [...h.entries()]`,
  `const h = new Headers({ a: '1', b: '2' }); const out = []; h.forEach((v, k, o) => out.push(v, k, o === h)); return out`,
  `return [[...new Headers({ b: 1, a: null, c: undefined }).keys()], [...new Headers({ b: 1, a: null }).values()]]`,
  `return [...new Headers(new Headers({ a: 'b' }))]`,
  `new Headers({ 'a b': 'c' })`, `new Headers({ '': 'c' })`, `new Headers({ a: 'b\\nc' })`, `new Headers({ a: '\\u20ac' })`,
  `return new Headers({ a: '\\u00fc\\t' }).get('a')`,
  `new Headers(null)`, `new Headers(5)`, `new Headers([['a']])`, `new Headers([['a', 'b', 'c']])`, `Headers()`, `new Headers().get()`, `new Headers().set('a')`,
  `return [Object.prototype.toString.call(new Headers()), typeof Headers, Headers.name, Headers.length, Headers.prototype.append.length]`,
  `class H extends Headers { x = 1 } const h = new H({ a: 'b' }); return [h.get('a'), h.x, h instanceof Headers]`,
  // Request
  `const r = new Request('HTTP://Example.com:80/a/../b?q#f', { method: 'post', headers: { a: 'b' }, body: 'x' }); return [r.method, r.url, [...r.headers], await r.text(), r.bodyUsed, r.redirect]`,
  `const r = new Request('http://a.example/'); return [r.method, r.url, r.body, r.bodyUsed, r.redirect, r.mode, r.credentials, r.cache, await r.text()]`,
  `const a = new Request('http://a.example/', { method: 'PUT', body: 'x' }); const b = new Request(a, { headers: { c: 'd' } }); return [b.method, await b.text(), [...b.headers], a.bodyUsed]`,
  `const a = new Request('http://a.example/', { method: 'POST', body: 'x' }); const b = a.clone(); return [await a.text(), await b.text(), a.bodyUsed]`,
  `const a = new Request('http://a.example/', { method: 'POST', body: 'x' }); await a.text(); a.clone()`,
  `const a = new Request('http://a.example/', { method: 'POST', body: 'x' }); await a.text(); new Request(a)`,
  `new Request('/relative')`, `new Request('http://u:p@a.example/')`, `new Request('http://a.example/', { body: 'x' })`, `new Request('http://a.example/', { method: 'HEAD', body: 'x' })`,
  `new Request('http://a.example/', { method: 'a b' })`, `new Request('http://a.example/', { method: 'TRACE' })`, `new Request('http://a.example/', { method: 'connect' })`,
  `new Request('http://a.example/', { redirect: 'perhaps' })`, `new Request('http://a.example/', { mode: 'x' })`, `new Request('http://a.example/', { signal: {} })`, `new Request()`,
  `return ['get', 'head', 'delete', 'options', 'put', 'chicken'].map(m => new Request('http://a.example/', { method: m }).method)`,
  // Bodies
  `const t = b => new Request('http://a.example/', { method: 'POST', body: b }).headers.get('content-type'); return [t('s'), t(new URLSearchParams({ a: 'b c' })), t(new Uint8Array(2)), t(new Blob(['x'], { type: 'Text/HTML' })), t(new Blob(['x'])), t(5), t(true)]`,
  `const t = b => new Response(b).text(); return [await t('\\u20ac'), await t(new URLSearchParams({ a: 'b c', 'd&': '\\u20ac' })), await t(new Uint8Array([104, 105])), await t(new Uint8Array([0, 104, 105, 0]).subarray(1, 3)), await t(new Uint16Array([26984]).buffer), await t(new DataView(new Uint8Array([1, 104, 105]).buffer, 1)), await t(5), await t(null), await t(undefined)]`,
  `const b = new Uint8Array([104, 105]); const r = new Response(b); b[0] = 120; return await r.text()`,
  `const t = (...b) => new Response(new Uint8Array(b)).text(); return [await t(0xef, 0xbb, 0xbf, 97), await t(0xe2, 0x82, 97), await t(0xff, 0xfe, 97), await t(0xf0, 0x9f, 0x98), await t(0xed, 0xa0, 0x80)]`,
  // Response
  `const r = new Response('x', { status: 201, statusText: 'Made', headers: { a: 'b' } }); return [r.status, r.statusText, r.ok, r.type, r.url, r.redirected, [...r.headers], await r.text()]`,
  `const r = new Response(); return [r.status, r.statusText, r.ok, r.body, await r.text(), r.bodyUsed]`,
  `const r = new Response('{"b":[1,2,{"a":null}],"a":"\\\\u20ac"}'); return await r.json()`,
  `return await new Response('\\ufeff[1]').json()`, `await new Response('nope').json()`, `await new Response('').json()`, `await new Response().json()`,
  `const r = new Response('x'); await r.text(); await r.text()`, `const r = new Response('x'); await r.text(); r.clone()`, `const r = new Response('x'); await r.text(); return r.bodyUsed`,
  `const r = new Response('x'); const c = r.clone(); return [await r.text(), await c.text(), c.bodyUsed]`,
  `const r = new Response('hi'); return [...new Uint8Array(await r.arrayBuffer())]`,
  `const r = new Response('hi', { headers: { 'content-type': 'Text/X' } }); const b = await r.blob(); return [b.size, b.type, await b.text(), b instanceof Blob]`,
  `new Response('x', { status: 204 })`, `new Response(null, { status: 199 })`, `new Response(null, { status: 600 })`, `new Response(null, { statusText: '\\n' })`,
  `const r = Response.json({ a: [1] }, { status: 202 }); return [r.status, r.headers.get('content-type'), await r.text()]`, `Response.json()`, `Response.json(undefined)`,
  `const r = Response.redirect('http://a.example/x', 301); return [r.status, r.headers.get('location')]`, `Response.redirect('http://a.example/', 200)`, `Response.redirect('::')`,
  `const r = Response.error(); return [r.type, r.status, r.ok, r.body]`, `Response.error().headers.set('a', 'b')`, `Response.redirect('http://a.example/').headers.set('a', 'b')`,
  `const r = new Response('hello'); const out = []; for await (const c of r.body) out.push(...c); return [out.length, r.bodyUsed]`,
  `const r = new Response('hello'); const d = r.body.getReader(); const a = await d.read(); const b = await d.read(); return [a.done, a.value.length, b.done, b.value === undefined, r.body.locked, r.body === r.body]`,
  `const r = new Response('hello'); r.body.getReader(); await r.text()`, `const r = new Response('hello'); r.body.getReader(); r.body.getReader()`, `const r = new Response('hello'); r.body.getReader(); r.clone()`,
  `const r = new Response('hello'); const d = r.body.getReader(); d.releaseLock(); return [r.body.locked, await r.text()]`,
  `const r = new Response('hello'); await r.body.cancel(); return [r.bodyUsed, r.body.locked]`,
  `const r = new Response('hello'); for await (const c of r.body) break; return [r.bodyUsed, r.body.locked]`,
  `return [Object.prototype.toString.call(new Response()), Object.prototype.toString.call(new Request('http://a.example/')), Object.prototype.toString.call(new FormData()), Object.prototype.toString.call(new Blob())]`,
  `await Response.prototype.text.call({})`, `Response.prototype.status`,
  // FormData
  `const f = new FormData(); f.append('a', 1); f.append('a', '2'); f.append('b', 'x'); f.set('a', '3'); f.delete('b'); return [[...f], f.has('b'), f.get('a'), f.get('b'), f.getAll('a')]`,
  `const f = new FormData(); f.append('a', new Blob(['hi'], { type: 'text/plain' })); f.append('b', new Blob(['x']), 'n.txt'); const a = f.get('a'), b = f.get('b'); return [a.name, a.type, a.size, await a.text(), b.name, a instanceof File, f.get('a') === a]`,
  `new FormData().append('a', 'b', 'c')`, `new FormData().append('a')`, `new FormData(5)`,
  `const f = new FormData(); f.append('a"\\r', 'x\\ny'); f.append('f', new File(['data'], 'n"a.txt', { type: 'text/css' })); const r = new Response(f); const t = r.headers.get('content-type'); const text = await r.text(); return [t.startsWith('multipart/form-data; boundary='), text.replaceAll(t.split('boundary=')[1], 'B')]`,
  `const f = new FormData(); f.append('a', 'x\\ny'); f.append('f', new File(['data'], 'n.txt', { type: 'text/css' })); const g = await new Response(f).formData(); const h = g.get('f'); return [g.get('a'), h.name, h.type, await h.text()]`,
  `const f = await new Response('a=1&b=%20+%zz&a=2&c', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }).formData(); return [...f]`,
  `await new Response('a=1').formData()`,
  // Blob and File
  `const b = new Blob(['ab', new Uint8Array([99]), new Blob(['d'])], { type: 'A/B' }); return [b.size, b.type, await b.text(), await b.slice(1, 3).text(), await b.slice(-2).text(), b.slice(0, 1, 'x/y').type, b.slice().type]`,
  `return [new Blob().size, new Blob([]).type, new Blob(['x'], { type: '\\u20ac' }).type, new Blob([1, null, {}]).size]`, `new Blob('x')`, `new Blob(5)`,
  `const f = new File(['x'], 'n.txt', { lastModified: 5 }); return [f.name, f.lastModified, f.size, f instanceof Blob, Object.prototype.toString.call(f)]`, `new File(['x'])`,
  `const b = new Blob(['hello']); const out = []; for await (const c of b.stream()) out.push(...c); return out.length`,
]
import { File, Blob } from 'node:buffer'
globalThis.File ??= File
const AsyncFunction = (async () => {}).constructor
const answers = []
for (const code of cases) {
  let answer
  try { answer = { value: (await new AsyncFunction(code)()) ?? null } } catch (e) { answer = { error: e.name } }
  answers.push({ code, ...answer })
}
console.log(JSON.stringify(answers, null, 1))
