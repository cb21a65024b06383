package runtime_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func TestASessionRunsJavaScriptAndTypeScript(t *testing.T) {
	kit := runtimetest.New(t)
	for _, test := range []struct {
		name  string
		files map[string]string
		want  any
	}{
		{"CommonJS", map[string]string{"main.js": `exports.main = () => 1`}, int64(1)},
		{"an ES module", map[string]string{"main.js": `export const main = () => 'two'`}, "two"},
		{"TypeScript", map[string]string{"main.ts": `enum A { X = 3 } export function main(): number { return A.X }`}, int64(3)},
		{"async and await", map[string]string{"main.js": `export async function main() { return await Promise.resolve(4) }`}, int64(4)},
		{"for await", map[string]string{"main.js": `
			async function* three() { yield 1; yield 2; yield 2 }
			export async function main() { let n = 0; for await (const x of three()) n += x; return n }`}, int64(5)},
		{"imports between files", map[string]string{
			"main.ts":      `import { six } from './lib/six'; export const main = () => six`,
			"lib/six.ts":   `import n from './n.json'; export const six = n.n`,
			"lib/n.json":   `{"n": 6}`,
			"lib/other.js": `syntax error, but nobody imports it`,
		}, int64(6)},
		{"require of an ES module", map[string]string{
			"main.js":   `const { seven } = require('./seven'); exports.main = () => seven`,
			"seven.mjs": `export const seven = 7`,
		}, int64(7)},
		{"import()", map[string]string{
			"main.js":  `export const main = async () => (await import('./eight.js')).default`,
			"eight.js": `export default 8`,
		}, int64(8)},
		{"packages", map[string]string{
			"main.js":                           `import nine from 'nine/deep'; import m from '@x/main'; export const main = () => nine + m`,
			"node_modules/nine/package.json":    `{"exports": {"./deep": {"require": "./bad.js", "default": "./esm/deep.mjs"}}}`,
			"node_modules/nine/esm/deep.mjs":    `export default 4`,
			"node_modules/@x/main/package.json": `{"main": "lib"}`,
			"node_modules/@x/main/lib/index.js": `module.exports = 5`,
		}, int64(9)},
		{"packages built for the web", map[string]string{
			"main.js":                       `import ten from 'ten'; export const main = () => ten + require('ten').default`,
			"node_modules/ten/package.json": `{"exports": {".": {"browser": "./web.js", "default": "./node.js"}}}`,
			"node_modules/ten/web.js":       `export default 10`,
			"node_modules/ten/node.js":      `import 'node:crypto'`,
		}, int64(20)},
		{"packages that look for the global object", map[string]string{
			"main.js": `import root from 'root'; export const main = () => root === globalThis`,
			"node_modules/root/index.js": `
				var freeGlobal = typeof global == 'object' && global && global.Object === Object && global
				var freeSelf = typeof self == 'object' && self && self.Object === Object && self
				module.exports = freeGlobal || freeSelf || Function('return this')()`,
		}, true},
		{"packages that make big integers when they are loaded", map[string]string{
			"main.js":                   `import big from 'big'; export const main = () => { try { return big > 1 } catch (e) { return e.name } }`,
			"node_modules/big/index.js": `module.exports = BigInt("-9223372036854775808")`,
		}, "TypeError"},
		{"a class with private fields", map[string]string{"main.ts": `class A { #n = 10; get n() { return this.#n } } export const main = () => new A().n`}, int64(10)},
		{"Unicode properties in regular expressions", map[string]string{"main.js": `export const main = () => 'é1'.replace(/\p{L}/gu, 'x')`}, "x1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := runtimetest.Call(t.Context(), kit.Session(test.files), "main")
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %v (%T), want %v", got, got, test.want)
			}
		})
	}
}

func TestAFaultNamesTheAuthorsLine(t *testing.T) {
	kit := runtimetest.New(t)
	s := kit.Session(map[string]string{
		"main.ts":       "import { broken } from './lib/broken'\n\ninterface Call { from: string }\nexport async function main(call: Call) {\n  return broken(call)\n}\n",
		"lib/broken.ts": "type T = { from: string }\n\nexport function broken(call: T | undefined) {\n  const a = 1\n  return call!.from.length\n}\n",
	})
	_, err := runtimetest.Call(t.Context(), s, "main")
	var f *runtime.Fault
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a fault", err)
	}
	if got := f.Position.String(); got != "lib/broken.ts:5:16" && got != "lib/broken.ts:5:10" && got != "lib/broken.ts:5:15" {
		t.Errorf("position %q, want line 5 of lib/broken.ts\n%s", got, f.Detail())
	}
	if f.Name != "TypeError" || !strings.Contains(f.Position.Source, "call!.from.length") {
		t.Errorf("got name %q, source %q", f.Name, f.Position.Source)
	}
}
