// Reads what Node's Intl (full ICU) knows about the package's locales and writes ../data. Run from anywhere:
//
//	node bindings/intl/gen/generate.mjs [language ...]
//
// The words and patterns are the Unicode CLDR's; see ../data/LICENSE.

import { mkdirSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { languages, localesOf } from './locales.mjs'
import { datesOf } from './dates.mjs'
import { readZones, zoneNamesOf } from './zones.mjs'
import { currencyDigits, numbersOf } from './numbers.mjs'
import { wordsOf } from './words.mjs'

class Pool {
  #index = {}
  lists = {}
  add(kind, value) {
    const index = this.#index[kind] ??= new Map(), list = this.lists[kind] ??= [], key = JSON.stringify(value)
    if (!index.has(key)) { index.set(key, list.length); list.push(value) }
    return index.get(key)
  }
}

const data = new URL('../data/', import.meta.url)
mkdirSync(data, { recursive: true })
const pack = (name, value) => writeFileSync(new URL(name + '.json.gz', data), gzipSync(JSON.stringify(value), { level: 9 }))

const tags = Object.fromEntries(languages.map(l => [l, localesOf(l)]))
import { existsSync, readFileSync } from 'node:fs'
let zg; if (existsSync('/tmp/zg.json')) zg = JSON.parse(readFileSync('/tmp/zg.json')); else { zg = readZones(new URL('zones.txt', import.meta.url), Object.values(tags).flat()); writeFileSync('/tmp/zg.json', JSON.stringify(zg)) }
const { zones, groups } = zg
pack('root', { source: `ICU ${process.versions.icu}, CLDR ${process.versions.cldr}, tz ${process.versions.tz}`, tags, zones, currencyDigits: currencyDigits() })
for (const language of process.argv[2] ? process.argv.slice(2) : languages) {
  const pool = new Pool(), locales = {}
  pool.add('patterns', '')
  for (const tag of tags[language]) {
    try {
      locales[tag] = pool.add('locales', { ...datesOf(tag, pool), zones: zoneNamesOf(tag, groups, pool), numbers: numbersOf(tag, pool), words: wordsOf(tag, pool) })
    } catch (cause) { throw new Error(`locale ${tag}`, { cause }) }
  }
  pack(language, { locales, pool: pool.lists })
  console.log(language, tags[language].length, 'locales,', pool.lists.locales.length, 'distinct')
}
