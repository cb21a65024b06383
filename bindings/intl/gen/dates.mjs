// Date patterns of one locale, read out of Intl.DateTimeFormat.formatToParts.
//
// A pattern is literal text with {fields}: y yy, M MM, d dd, H HH h hh K KK k kk (hour cycles h23 h12 h11 h24),
// i ii, s ss, z (zone name), mN wN (month and weekday names in list N), aN or aN/M (day period by hour; M at the
// exact hour). Tables are indexed in the order of the loops below; options.go walks the same order.

import { zeros } from './locales.mjs'

const names = [undefined, 'narrow', 'short', 'long']
const numbers = [undefined, 'numeric', '2-digit']
const months = [undefined, 'numeric', '2-digit', 'narrow', 'short', 'long']
export const hourModes = [{}, { hourCycle: 'h11' }, { hourCycle: 'h12' }, { hourCycle: 'h23' }, { hourCycle: 'h24' }, { hour12: true }, { hour12: false }]
const zoneNames = [undefined, 'short', 'long', 'shortOffset', 'longOffset']
const styles = [undefined, 'full', 'long', 'medium', 'short']

// Twelve days which between them show every month, every weekday and a one-digit day.
const days = [...Array(12).keys()].map(m => {
  for (let d = 1; d < 10; d++) {
    const t = new Date(Date.UTC(2005, m, d, 0, 5, 7))
    if (t.getUTCDay() === m % 7) return t
  }
})
const hours = [...Array(24).keys()].map(h => new Date(Date.UTC(2005, 0, 2, h, 5, 7)))
const exact = [...Array(24).keys()].map(h => new Date(Date.UTC(2005, 0, 2, h)))

const probes = [hours[5], exact[0], exact[12], hours[12], hours[21]]

export function datesOf(tag, pool) {
  // Patterns are read out with many dates. Where the same names are asked for, a few dates tell whether a
  // pattern has been seen before.
  const seen = new Map()
  const read = options => {
    const f = new Intl.DateTimeFormat(tag, { timeZone: 'UTC', ...options })
    const { weekday, year, month, day, dayPeriod, dateStyle, timeStyle } = options
    const key = JSON.stringify([weekday, year, month, day, dayPeriod, dateStyle, timeStyle, probes.map(t => f.formatToParts(t))])
    if (!seen.has(key)) seen.set(key, pool.add('patterns', patternOf(f, pool)))
    return seen.get(key)
  }
  const dates = [], times = [], stamps = []
  for (const weekday of names) for (const year of numbers) for (const month of months) for (const day of numbers)
    for (const timeZoneName of zoneNames) {
      const empty = !(weekday || year || month || day)
      dates.push(empty ? 0 : read({ weekday, year, month, day, timeZoneName }))
    }
  const clock = (hour, mode) => {
    const block = []
    for (const weekday of names) for (const minute of numbers) for (const second of numbers)
      for (const dayPeriod of names) for (const timeZoneName of zoneNames) {
        const empty = !(hour || minute || second || dayPeriod)
        block.push(empty ? 0 : read({ weekday, hour, minute, second, dayPeriod, timeZoneName, ...mode }))
      }
    return pool.add('blocks', block.join(' '))
  }
  times.push(clock(undefined, {}))
  for (const hour of numbers.slice(1)) for (const mode of hourModes) times.push(clock(hour, mode))
  for (const mode of hourModes) for (const dateStyle of styles) for (const timeStyle of styles)
    stamps.push(dateStyle || timeStyle ? read({ dateStyle, timeStyle, ...mode }) : 0)

  const glues = []
  for (const weekday of names) for (const month of months) {
    const date = { weekday, year: 'numeric', month, day: 'numeric' }, time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
    const [d, t, both] = [date, time, { ...date, ...time }].map(o => patternOf(new Intl.DateTimeFormat(tag, { timeZone: 'UTC', ...o }), pool))
    const glue = both.replace(d, '{date}').replace(t, '{time}')
    if (!glue.includes('{date}') || !glue.includes('{time}')) throw new Error(`${tag}: no glue for ${JSON.stringify(date)}: ${d} | ${t} | ${both}`)
    glues.push(glue)
  }
  return {
    numbering: new Intl.DateTimeFormat(tag).resolvedOptions().numberingSystem,
    dates: pool.add('blocks', dates.join(' ')), times, stamps: pool.add('blocks', stamps.join(' ')),
    glues: glues.map(g => pool.add('patterns', g)),
  }
}

function patternOf(f, pool) {
  const o = f.resolvedOptions()
  const zero = zeros[o.numberingSystem]
  const ascii = s => [...s].map(c => { const n = c.codePointAt(0) - zero; return n >= 0 && n < 10 ? String(n) : c }).join('')
  const shapes = f.formatToParts(days[0])
  const has = type => shapes.some(p => p.type === type)
  const byDay = has('month') || has('weekday') ? days.map(t => f.formatToParts(t)) : [shapes]
  const byHour = (has('dayPeriod') ? hours : has('hour') ? [0, 5, 12, 13].map(h => hours[h]) : [hours[0]]).map(t => f.formatToParts(t))
  const sharp = has('dayPeriod') ? exact.map(t => f.formatToParts(t)) : []
  for (const parts of [...byDay, ...byHour, ...sharp]) {
    if (parts.length !== shapes.length) throw new Error(`${o.locale}: unsteady pattern`)
    parts.forEach((p, i) => {
      if (p.type !== shapes[i].type || (p.type === 'literal' && p.value !== shapes[i].value)) throw new Error(`${o.locale}: unsteady literal`)
    })
  }
  const width = (letter, value, one, two) => {
    if (ascii(value) === one) return `{${letter}}`
    if (ascii(value) === two) return `{${letter}${letter}}`
    throw new Error(`${o.locale}: ${letter} shows as ${value}`)
  }
  const named = (letter, i, of) => `{${letter}${pool.add('lists', of.map(parts => parts[i].value))}}`
  return shapes.map((part, i) => {
    switch (part.type) {
      case 'literal': return part.value
      case 'year': return width('y', part.value, '2005', '05')
      case 'day': return width('d', part.value, String(days[0].getUTCDate()), '0' + days[0].getUTCDate())
      // A month's name may be a number in ASCII digits where numbers are written in others.
      case 'month': return /^0?1$/.test(ascii(part.value)) && (o.numberingSystem === 'latn' || part.value !== ascii(part.value)) ? width('M', part.value, '1', '01') : named('m', i, byDay)
      case 'weekday': return named('w', i, byDay.slice(0, 7))
      case 'minute': return width('i', part.value, '5', '05')
      case 'second': return width('s', part.value, '7', '07')
      case 'timeZoneName': return '{z}'
      case 'hour': {
        const at = h => ascii(f.formatToParts(hours[h])[i].value)
        const letter = { '0 0': 'K', '12 12': 'h', '0 12': 'H', '24 12': 'k' }[`${Number(at(0))} ${Number(at(12))}`]
        return width(letter, f.formatToParts(hours[5])[i].value, '5', '05')
      }
      case 'dayPeriod': {
        const [loose, tight] = [byHour, sharp].map(of => named('a', i, of))
        return loose === tight ? loose : `{${loose.slice(1, -1)}/${tight.slice(2, -1)}}`
      }
    }
    throw new Error(`${o.locale}: part ${part.type}`)
  }).join('')
}
