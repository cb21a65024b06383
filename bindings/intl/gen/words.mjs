// Lists and relative times of one locale. A template is literal text with {0} (and {1}) for what is filled in.

import { pluralSamples } from './numbers.mjs'

const styles = ['long', 'short', 'narrow']
const units = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']

export function wordsOf(tag, pool) {
  return { lists: pool.add('words', listsOf(tag)), relative: pool.add('words', relativeOf(tag)) }
}

/** [pair, start, middle, end] of each type and style. */
function listsOf(tag) {
  const out = {}
  for (const type of ['conjunction', 'disjunction', 'unit']) for (const style of styles) {
    const literals = list => new Intl.ListFormat(tag, { type, style }).formatToParts(list).reduce((a, p) => p.type === 'element' ? [...a, ''] : [...a.slice(0, -1), a.at(-1) + p.value], [''])
    const [before, pair, after] = literals(['A', 'B'])
    const [head, start, middle, end, tail] = literals(['A', 'B', 'C', 'D'])
    if (before || after || head || tail) throw new Error(`${tag}: list ${type} ${style} has an affix`)
    out[`${type} ${style}`] = [pair, start, middle, end]
  }
  return out
}

function relativeOf(tag) {
  const samples = Object.entries(pluralSamples(tag)), out = {}
  for (const unit of units) for (const style of styles) {
    const f = new Intl.RelativeTimeFormat(tag, { style }), auto = new Intl.RelativeTimeFormat(tag, { style, numeric: 'auto' })
    const template = parts => {
      let seen = false
      return parts.map(p => p.type === 'literal' ? p.value : seen ? '' : (seen = true, '{0}')).join('')
    }
    const side = sign => Object.fromEntries(samples.map(([category, n]) => [category, template(n === 0 && sign < 0 ? f.formatToParts(-0, unit) : f.formatToParts(sign * n, unit))]))
    const words = {}
    for (const n of [-2, -1, 0, 1, 2]) {
      const parts = auto.formatToParts(n, unit)
      if (parts.length === 1 && parts[0].type === 'literal') words[n] = parts[0].value
    }
    out[`${unit} ${style}`] = { future: side(1), past: side(-1), words }
  }
  return out
}
