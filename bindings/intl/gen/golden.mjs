// Records what Node answers to ../testdata/sweep.js. Run after generate.mjs:
//
//	node bindings/intl/gen/golden.mjs                        writes ../testdata/golden.json: a hash for each locale and sweep
//	node bindings/intl/gen/golden.mjs FILE COUNT TAG...      writes all lines of a larger sweep, to see where answers differ

import { readFileSync, writeFileSync } from 'node:fs'
import vm from 'node:vm'
import { gunzipSync } from 'node:zlib'
import { currencies, languages, localesOf } from './locales.mjs'

vm.runInThisContext(readFileSync(new URL('../testdata/sweep.js', import.meta.url), 'utf8') + '\nObject.assign(globalThis, { sweeps, hash })')

const [file, count, ...tags] = process.argv.slice(2)
if (file) {
  const all = tags.length ? tags : languages.flatMap(localesOf)
  const lines = all.flatMap(tag => [
    ...sweeps.dates(tag, Number(count), 1), ...sweeps.numbers(tag, Number(count), 1, currencies), ...sweeps.money(tag, currencies, 1), ...sweeps.words(tag)])
  writeFileSync(file, JSON.stringify({ count: Number(count), tags: all, currencies }) + '\n' + lines.map(l => JSON.stringify(l)).join('\n') + '\n')
} else {
  const main = new Set(languages), comparing = new Set(['de', 'en', 'es', 'fr', 'id', 'it', 'nl', 'pl', 'pt', 'tr'])
  const locales = Object.fromEntries(languages.flatMap(localesOf).map(tag => {
    const all = main.has(tag) || tag === 'en-US' || tag === 'en-IN', n = all ? 300 : 25, nth = all ? 1 : 16
    return [tag, {
      count: n, nth, dates: hash(sweeps.dates(tag, n, 1)), numbers: hash(sweeps.numbers(tag, n, 1, currencies)), money: hash(sweeps.money(tag, currencies, nth)), words: hash(sweeps.words(tag)),
      ...(comparing.has(tag.split('-')[0]) && { collation: hash(sweeps.collation(tag, n, 1)) }),
    }]
  }))
  const { zones } = JSON.parse(gunzipSync(readFileSync(new URL('../data/root.json.gz', import.meta.url))))
  const golden = { node: process.version, icu: process.versions.icu, tz: process.versions.tz, currencies, locales, zones: Object.fromEntries(zones.map(z => [z.name, hash(sweeps.zone(z.name))])) }
  writeFileSync(new URL('../testdata/golden.json', import.meta.url), JSON.stringify(golden, (key, v) => Array.isArray(v) ? v.join(' ') : v, 1) + '\n')
}
