// Numbers of one locale, read out of Intl.NumberFormat.formatToParts.
//
// An affix is literal text with {-} {+} {%} {$} for the parts which have names of their own. A form is
// [prefix, suffix]; forms come in threes: plain, with minus, with plus.

import { currencies, numberingSystemsOf, zeros } from './locales.mjs'

const marks = { minusSign: '{-}', plusSign: '{+}', percentSign: '{%}', currency: '{$}' }
const digits = new Set(['integer', 'group', 'decimal', 'fraction', 'nan', 'infinity'])

export function numbersOf(tag, pool) {
  const samples = pluralSamples(tag)
  const systems = {}
  for (const numbering of numberingSystemsOf(tag)) systems[numbering] = pool.add('numbers', systemOf(tag, numbering))
  return { numbering: numberingSystemsOf(tag)[0], systems, currencies: pool.add('currencies', currenciesOf(tag, samples)) }
}

/** A number for each plural category, whole where it can be. */
export function pluralSamples(tag) {
  const rules = new Intl.PluralRules(tag), samples = {}
  for (const n of [...Array(200).keys()].map(n => n + 1).concat(0, 1e6, 1.5)) samples[rules.select(n)] ??= n
  if (samples.other === undefined) throw new Error(`${tag}: no number is "other"`)
  return samples
}

function systemOf(tag, numberingSystem) {
  const nf = o => new Intl.NumberFormat(tag, { numberingSystem, ...o })
  const symbol = (o, n, type) => nf(o).formatToParts(n).find(p => p.type === type)?.value
  const forms = o => [[5, 'auto'], [-5, 'auto'], [5, 'always']].map(([n, signDisplay]) => formOf(nf({ ...o, signDisplay }).formatToParts(n)))
  const shape = o => shapeOf(nf, o)
  // A locale may write single currencies its own way. The usual way is the way of most, seen with a symbol that is
  // nothing but a sign, for CLDR sets letters off from the digits.
  const money = currency => ({ style: 'currency', currency })
  const manner = currency => {
    const o = { ...money(currency), currencyDisplay: 'code' }
    return JSON.stringify([shape(o), forms(o), forms({ ...o, currencySign: 'accounting' })])
  }
  const manners = new Map(currencies.map(c => [c, manner(c)])), counts = new Map()
  for (const m of manners.values()) counts.set(m, (counts.get(m) ?? 0) + 1)
  const usual = [...counts].sort((a, b) => b[1] - a[1])[0][0]
  const currency = ['INR', 'PHP', 'KRW', 'GBP', 'USD', 'EUR'].find(c => manners.get(c) === usual && /^\p{S}$/u.test(symbol({ ...money(c), currencyDisplay: 'narrowSymbol' }, 5, 'currency')))
  if (!currency) throw new Error(`${tag}: no currency is written with a sign`)
  const moneyStyle = currency => ({
    ...Object.fromEntries(['standard', 'accounting'].map(currencySign => {
      const sign = { ...money(currency), currencySign, currencyDisplay: 'narrowSymbol' }, letter = { ...sign, currencyDisplay: 'code' }
      return [currencySign, { ...shape(sign), sign: forms(sign), letter: forms(letter) }]
    })),
    named: { forms: forms({}), ...shape({ ...money(currency), currencyDisplay: 'name' }) },
  })
  // Where a locale treats its own currency specially, ICU 78 muddles names: "MNT 1,234.5 tugriks0". Those are refused.
  const muddled = currencies.filter(c => [1, 2, 5, 1234.5].some(n => {
    const parts = nf({ ...money(c), currencyDisplay: 'name' }).formatToParts(n)
    return parts.findIndex(p => p.type === 'currency') < parts.findLastIndex(p => digits.has(p.type)) || parts.filter(p => p.type === 'currency').length !== 1
  }))
  const plain = currencies.find(c => !muddled.includes(c))
  const out = {
    zero: zeros[numberingSystem],
    minus: symbol({}, -5, 'minusSign'), plus: symbol({ signDisplay: 'always' }, 5, 'plusSign'), percent: symbol({ style: 'percent' }, 5, 'percentSign'),
    nan: symbol({}, NaN, 'nan'), infinity: symbol({}, Infinity, 'infinity'),
    decimal: { forms: forms({}), ...shape({}) },
    percentStyle: { forms: forms({ style: 'percent' }), ...shape({ style: 'percent' }) },
    currency: moneyStyle(currency),
    special: Object.fromEntries(currencies.filter(c => manners.get(c) !== usual).map(c => [c, moneyStyle(c)])),
    muddled,
    units: Object.fromEntries((plain ? Object.entries(pluralSamples(tag)) : []).map(([category, n]) =>
      [category, formOf(nf({ ...money(plain), currencyDisplay: 'name', minimumFractionDigits: 0, maximumFractionDigits: 1 }).formatToParts(n))])),
  }
  if (symbol({ style: 'percent' }, 0.5, 'percentSign') === undefined) throw new Error(`${tag}: no percent sign`)
  return out
}

export function formOf(parts) {
  const first = parts.findIndex(p => digits.has(p.type)), last = parts.findLastIndex(p => digits.has(p.type))
  const text = of => of.map(p => {
    if (p.type === 'literal') return p.value
    if (marks[p.type]) return marks[p.type]
    throw new Error(`part ${p.type}`)
  }).join('')
  return [text(parts.slice(0, first)), text(parts.slice(last + 1))]
}

function shapeOf(nf, options) {
  const scale = options.style === 'percent' ? 100 : 1
  const parts = (n, o = {}) => nf({ ...options, maximumFractionDigits: 1, minimumFractionDigits: 0, ...o }).formatToParts(n / scale)
  const sizes = parts(1234567890123, { useGrouping: 'always' }).filter(p => p.type === 'integer').map(p => p.value.length)
  const grouped = n => parts(n).some(p => p.type === 'group')
  return {
    point: parts(1.5 , {}).find(p => p.type === 'decimal')?.value ?? nf({ ...options, minimumFractionDigits: 1 }).formatToParts(1 / scale).find(p => p.type === 'decimal').value,
    group: parts(1234567890123, { useGrouping: 'always' }).find(p => p.type === 'group')?.value ?? '',
    primary: sizes.length > 1 ? sizes.at(-1) : 0, secondary: sizes.length > 1 ? sizes.at(-2) : 0,
    least: grouped(1234) ? 1 : grouped(12345) ? 2 : 99,
  }
}

/** What a locale calls each currency: [symbol, narrow symbol, name by plural category]. */
function currenciesOf(tag, samples) {
  return Object.fromEntries(currencies.map(currency => {
    const symbol = display => {
      const parts = new Intl.NumberFormat(tag, { style: 'currency', currency, currencyDisplay: display }).formatToParts(5)
      const at = parts.findIndex(p => p.type === 'currency')
      // A direction mark at a symbol's end is told as a literal after it.
      return parts[at].value + (/^[\u200e\u200f\u061c]*/.exec(parts[at + 1]?.value ?? ''))[0]
    }
    const f = new Intl.NumberFormat(tag, { style: 'currency', currency, currencyDisplay: 'name', minimumFractionDigits: 0, maximumFractionDigits: 1 })
    const names = Object.entries(samples).map(([category, n]) => [category, f.formatToParts(n).findLast(p => p.type === 'currency').value])
    const usual = names.find(([c]) => c === 'other')[1]
    return [currency, [symbol('symbol'), symbol('narrowSymbol'), usual, Object.fromEntries(names.filter(([, name]) => name !== usual))]]
  }))
}

export function currencyDigits() {
  return Object.fromEntries(currencies.map(currency => [currency, new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits]).filter(([, n]) => n !== 2))
}
