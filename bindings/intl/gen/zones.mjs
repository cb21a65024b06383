// Time zones: which names there are, and how each locale calls them.

import { readFileSync } from 'node:fs'
import { zeros } from './locales.mjs'

const now = Date.UTC(2026, 6, 1)

/**
 * Reads zone identifiers, one a line (zones.txt: unzip -Z1 $(go env GOROOT)/lib/time/zoneinfo.zip), and groups them by what they are called. A zone is
 * {name, group, offsets, since}: within its group, offsets[k] (seconds east) is called by name k, from `since`
 * (milliseconds since 1970) on; earlier names differ.
 */
export function readZones(file, tags) {
  const names = readFileSync(file, 'utf8').split('\n').filter(Boolean).sort().filter(accepted)
  const primaries = new Map()
  for (const name of names) {
    const id = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
    if (!primaries.has(id)) primaries.set(id, measure(id))
  }
  const groups = new Map()
  for (const [id, zone] of primaries) {
    const key = JSON.stringify(tags.map(tag => called(tag, id, zone)))
    if (!groups.has(key)) groups.set(key, { index: groups.size, id, zone })
    zone.group = groups.get(key).index
  }
  return {
    zones: names.map(name => {
      const { group, offsets, since } = primaries.get(new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone)
      return { name, group, offsets: offsets.map(o => o.offset), since }
    }),
    groups: [...groups.values()],
  }
}

function accepted(name) {
  try { new Intl.DateTimeFormat('en', { timeZone: name }); return true } catch { return false }
}

function measure(id) {
  const long = new Intl.DateTimeFormat('en-US', { timeZone: id, timeZoneName: 'long' })
  const short = new Intl.DateTimeFormat('en-US', { timeZone: id, timeZoneName: 'short' })
  const off = new Intl.DateTimeFormat('en-US', { timeZone: id, timeZoneName: 'longOffset' })
  const part = (f, t) => f.formatToParts(t).find(p => p.type === 'timeZoneName').value
  const look = t => ({ offset: seconds(part(off, t)), name: part(long, t) + '|' + part(short, t) })
  const offsets = []
  for (let t = now; t < now + 366 * 864e5; t += 7 * 864e5) {
    const { offset, name } = look(t)
    if (!offsets.some(o => o.offset === offset)) offsets.push({ offset, name, at: t })
  }
  offsets.sort((a, b) => a.offset - b.offset)
  const same = t => { const l = look(t); return offsets.some(o => o.offset === l.offset && o.name === l.name) }
  let good = now
  for (let t = now; ; t -= 5 * 864e5) {
    if (t < Date.UTC(1970, 0, 1)) { good = Date.UTC(1970, 0, 1); break }
    if (same(t)) { good = t; continue }
    let bad = t
    while (good - bad > 1000) { const mid = Math.floor((good + bad) / 2); if (same(mid)) good = mid; else bad = mid }
    good = Math.ceil(good / 1000) * 1000
    break
  }
  return { offsets, since: good }
}

function seconds(text) {
  const m = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text)
  if (!m) throw new Error(`offset ${text}`)
  return m[1] ? (m[1] === '-' ? -1 : 1) * (m[2] * 3600 + m[3] * 60 + (m[4] ?? 0) * 1) : 0
}

function called(tag, id, zone) {
  const ask = style => {
    const f = new Intl.DateTimeFormat(tag, { timeZone: id, timeZoneName: style })
    return zone.offsets.map(o => f.formatToParts(o.at).find(p => p.type === 'timeZoneName').value)
  }
  const plain = { short: ask('shortOffset'), long: ask('longOffset') }
  return Object.fromEntries(['short', 'long'].map(style => [style, ask(style).map((name, k) => name === plain[style][k] ? null : name)]))
}

/** What a locale calls each group: [short names by offset, long names by offset], null where it writes the offset. */
export function zoneNamesOf(tag, groups, pool) {
  const out = groups.map(g => called(tag, g.id, g.zone))
  const flat = style => pool.add('zoneNames', out.map(o => o[style].every(n => n === null) ? null : o[style]))
  return { short: flat('short'), long: flat('long'), gmt: pool.add('zoneNames', gmtOf(tag)) }
}

function gmtOf(tag) {
  const ask = (timeZone, timeZoneName) => {
    const f = new Intl.DateTimeFormat(tag, { timeZone, timeZoneName })
    const zero = zeros[f.resolvedOptions().numberingSystem]
    const value = f.formatToParts(Date.UTC(2026, 0, 15)).find(p => p.type === 'timeZoneName').value
    return [...value].map(c => { const n = c.codePointAt(0) - zero; return n >= 0 && n < 10 ? String(n) : c }).join('')
  }
  const cut = (timeZone, style, h, m) => {
    const value = ask(timeZone, style), at = value.indexOf(h), end = value.lastIndexOf(m)
    return [value.slice(0, at), value.slice(at + h.length, end), value.slice(end + m.length)]
  }
  const plus = cut('Asia/Kolkata', 'longOffset', '05', '30'), minus = cut('America/St_Johns', 'longOffset', '03', '30')
  const shortPlus = cut('Asia/Kolkata', 'shortOffset', '5', '30')
  if (plus.join() !== shortPlus.join() || plus[1] !== minus[1] || plus[2] !== minus[2]) throw new Error(`${tag}: offsets ${plus} ${minus} ${shortPlus}`)
  return { zero: ask('UTC', 'shortOffset'), plus: plus[0], minus: minus[0], separator: plus[1], suffix: plus[2] }
}
