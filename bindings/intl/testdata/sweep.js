// Walks options, locales and values at random but always the same way. Node runs it to record what is right
// (gen/golden.mjs); the tests run it on piopiyd's Intl and compare. A line is [what, answer].

function dice(seed) {
  let s = seed >>> 0
  const next = n => { s = (Math.imul(s, 1664525) + 1013904223) >>> 0; return Math.floor(s / 4294967296 * n) }
  return { next, pick: list => list[next(list.length)], chance: n => next(n) === 0 }
}

const zoneList = ['UTC', 'Asia/Kolkata', 'Europe/London', 'America/New_York', 'Australia/Sydney', 'Asia/Kathmandu', 'America/St_Johns', 'Asia/Dubai',
  'Asia/Singapore', 'Europe/Paris', 'America/Los_Angeles', 'Asia/Tokyo', 'Africa/Johannesburg', 'America/Sao_Paulo', 'Pacific/Auckland', 'Asia/Colombo', 'Asia/Dhaka']
const nameStyles = [undefined, 'narrow', 'short', 'long'], numberStyles = [undefined, 'numeric', '2-digit']
const monthStyles = [undefined, 'numeric', '2-digit', 'narrow', 'short', 'long'], lengths = [undefined, 'full', 'long', 'medium', 'short']
const hourStyles = [{}, {}, {}, { hour12: true }, { hour12: false }, { hourCycle: 'h11' }, { hourCycle: 'h12' }, { hourCycle: 'h23' }, { hourCycle: 'h24' }]
const zoneStyles = [undefined, undefined, undefined, 'short', 'long', 'shortOffset', 'longOffset']

function clean(o) { for (const k of Object.keys(o)) if (o[k] === undefined) delete o[k]; return o }

// Node's ICU muddles the names of currencies in locales that treat their own currency specially ("TRY 1,234.5
// Turkish Lira0"); piopiyd refuses them, and they are not asked.
function muddled(tag, currency) {
  const bad = n => {
    const parts = new Intl.NumberFormat(tag, { style: 'currency', currency, currencyDisplay: 'name' }).formatToParts(n).map(p => p.type)
    return parts.indexOf('currency') < Math.max(parts.lastIndexOf('integer'), parts.lastIndexOf('fraction')) || parts.filter(t => t === 'currency').length !== 1
  }
  try { return [1, 2, 5, 1234.5].some(bad) } catch { return true }
}

// resolvedOptions without the zone's name: Node writes Asia/Calcutta for Asia/Kolkata. Node 20
// tells of fields that are not there where a pattern has words in it; those combinations are not asked.
function resolved(f) { const o = f.resolvedOptions(); delete o.timeZone; return JSON.stringify(o) }

const sane = f => !f.formatToParts(1.78e12).some(p => p.type === 'literal' && /[a-z]/i.test(p.value))

function show(line, make, use) {
  let answer
  try { answer = use(make()) } catch (e) { answer = e.name }
  return [line, answer]
}

function instant(d) {
  if (d.chance(4)) return Date.UTC(2023 + d.next(4), d.next(12), 1 + d.next(28), d.pick([0, 6, 12, 18, 23]), d.pick([0, 0, 30, 59]), 0)
  return Date.UTC(2022, 0, 1) + d.next(5 * 365 * 24 * 3600) * 1000 + d.next(1000)
}

const sweeps = {
  dates(tag, n, seed) {
    const d = dice(seed), out = []
    for (let i = 0; i < n; i++) {
      let o = { timeZone: d.pick(zoneList) }
      if (d.chance(8)) o = { ...o, dateStyle: d.pick(lengths), timeStyle: d.pick(lengths), ...d.pick(hourStyles) }
      else {
        const kind = d.next(3)
        if (kind !== 1) o = { ...o, weekday: d.pick(nameStyles), year: d.pick(numberStyles), month: d.pick(monthStyles), day: d.pick(numberStyles) }
        if (kind !== 0) {
          if (d.chance(6)) o.weekday = d.pick(nameStyles)
          if (d.chance(8)) o.dayPeriod = d.pick(nameStyles)
          o = { ...o, hour: d.pick(numberStyles), minute: d.pick(numberStyles), second: d.pick(numberStyles) }
          if (o.second && o.minute && d.chance(4)) o.fractionalSecondDigits = 1 + d.next(3)
        }
        o = { ...o, timeZoneName: d.pick(zoneStyles), ...d.pick(hourStyles) }
      }
      clean(o)
      const t = instant(d), how = d.next(6)
      out.push(show(`DateTimeFormat(${tag}, ${JSON.stringify(o)}) ${t} ${how}`, () => new Intl.DateTimeFormat(tag, o),
        f => how === 0 ? JSON.stringify(f.formatToParts(t)) : how === 1 && sane(f) && o.month !== 'narrow' ? resolved(f) : f.format(t)))
    }
    const t = instant(d), date = new Date(t)
    for (const method of ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString'])
      out.push([`${method}(${tag}) ${t}`, date[method](tag, { timeZone: 'Asia/Kolkata' })])
    return out
  },

  numbers(tag, n, seed, currencies) {
    const d = dice(seed), out = []
    const values = [0, -0, 1, -1, 0.5, 1.005, 2.5, -2.5, 999.995, 1234.5, -1234.5, 12345.678, 123456, 1234567.891, 98765432.1, 1e15, 1.5e-7, -0.0001, NaN, Infinity, -Infinity,
      2, 3, 5, 11, 100, 1000000, 9999.5, 0.1 + 0.2, 4.35, 1.255]
    for (let i = 0; i < n; i++) {
      const o = { style: d.pick([undefined, 'decimal', 'percent', 'currency', 'currency', 'currency']) }
      if (o.style === 'currency') {
        o.currency = d.pick(currencies)
        o.currencyDisplay = d.pick([undefined, 'symbol', 'narrowSymbol', 'code', 'name'])
        if (o.currencyDisplay === 'name' && muddled(tag, o.currency)) o.currencyDisplay = 'code'
        o.currencySign = d.pick([undefined, undefined, 'accounting'])
      }
      if (d.chance(3)) o.minimumFractionDigits = d.next(5)
      if (d.chance(3)) o.maximumFractionDigits = d.next(6)
      if (d.chance(8)) o.minimumIntegerDigits = 1 + d.next(8)
      if (d.chance(8)) o.minimumSignificantDigits = 1 + d.next(5)
      if (d.chance(8)) o.maximumSignificantDigits = 1 + d.next(8)
      o.useGrouping = d.pick([undefined, undefined, true, false, 'always', 'min2', 'auto', 'true'])
      o.signDisplay = d.pick([undefined, undefined, 'auto', 'always', 'never', 'exceptZero', 'negative'])
      if (d.chance(6)) o.roundingMode = d.pick(['ceil', 'floor', 'expand', 'trunc', 'halfCeil', 'halfFloor', 'halfExpand', 'halfTrunc', 'halfEven'])
      if (d.chance(8)) o.trailingZeroDisplay = 'stripIfInteger'
      if (d.chance(6)) o.numberingSystem = 'latn'
      clean(o)
      const v = d.chance(3) ? d.pick(values) : (d.next(2000000000) - 1000000000) / d.pick([1, 10, 1000, 1e6]), how = d.next(6)
      out.push(show(`NumberFormat(${tag}, ${JSON.stringify(o)}) ${Object.is(v, -0) ? '-0' : v} ${how}`, () => new Intl.NumberFormat(tag, o),
        f => how === 0 ? JSON.stringify(f.formatToParts(v)) : how === 1 ? JSON.stringify(f.resolvedOptions()) : f.format(v)))
    }
    for (const v of [1234.5, -0.25, 12345678]) out.push([`toLocaleString(${tag}) ${v}`, v.toLocaleString(tag)])
    return out
  },

  // money asks for every nth currency.
  money(tag, currencies, nth) {
    const out = []
    for (const currency of currencies.filter((c, i) => i % nth === 0)) for (const currencyDisplay of ['symbol', 'narrowSymbol', 'code', 'name'])
      if (currencyDisplay !== 'name' || !muddled(tag, currency)) out.push(show(`NumberFormat(${tag}, ${currency}, ${currencyDisplay})`, () => new Intl.NumberFormat(tag, { style: 'currency', currency, currencyDisplay }),
        f => [1, 1234567.891, -21].map(v => f.format(v)).join('; ')))
    return out
  },

  words(tag) {
    const out = []
    for (const type of ['cardinal', 'ordinal']) {
      const rules = new Intl.PluralRules(tag, { type }), fixed = new Intl.PluralRules(tag, { type, minimumFractionDigits: 1 })
      const ns = [...Array(130).keys(), 200, 1000, 1001, 1000000, 2000000, 10000000, 1000001, 0.1, 0.5, 1.5, 1.25, 2.1, 11.1, 100.01, -1, -2.5, NaN, Infinity]
      out.push([`PluralRules(${tag}, ${type})`, ns.map(v => rules.select(v)).join(' ')])
      if (type === 'cardinal') out.push([`PluralRules(${tag}, ${type}, 1 digit)`, ns.map(v => fixed.select(v)).join(' ')])
      out.push([`PluralRules(${tag}, ${type}) categories`, rules.resolvedOptions().pluralCategories.sort().join(' ')])
    }
    const lists = [[], ['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd', 'e'], ['x', 'iglesia'], ['x', 'hierro'], ['x', 'Hilo'], ['x', 'otro'], ['x', 'hola'], ['1', '8'], ['1', '11'], ['1', '110']]
    for (const type of ['conjunction', 'disjunction', 'unit']) for (const style of ['long', 'short', 'narrow']) {
      const f = new Intl.ListFormat(tag, { type, style })
      out.push([`ListFormat(${tag}, ${type}, ${style})`, lists.map(l => f.format(l)).join('; ')])
    }
    for (const style of ['long', 'short', 'narrow']) for (const numeric of ['always', 'auto']) {
      const f = new Intl.RelativeTimeFormat(tag, { style, numeric })
      for (const unit of ['second', 'minute', 'hours', 'day', 'week', 'month', 'quarter', 'years'])
        out.push([`RelativeTimeFormat(${tag}, ${style}, ${numeric}) ${unit}`,
          [-1000000, -12345, -11, -5, -2, -1, -0.5, -0, 0, 0.5, 1, 1.5, 2, 3, 5, 11, 21, 1000, 1e6].map(v => f.format(v, unit)).join('; ') + JSON.stringify(f.formatToParts(-1234.5, unit))])
    }
    return out
  },
}

sweeps.collation = (tag, n, seed) => {
  const d = dice(seed), out = []
  const words = ['apple', 'Apple', 'äpple', 'résumé', 'resume', 'Résumé', 'file2', 'file10', 'a b', 'a-b', 'ab', 'a_b', '', 'Ångström', 'Angstrom', 'ñandú', 'nandu', 'll', 'ch', 'ß', 'ss',
    'İ', 'i', 'I', 'ı', 'co-op', 'coop', 'naïve', 'हिंदी', 'हिन्दी', 'अनिल', 'ஆனந்த்', 'కుమార్', '中文', 'あ', '한국', 'жук', 'عربي', '+91', '€5', '$5', '#1', 'łódź', 'lodz', 'çay', 'cay', 'ğ', 'g', 'ş', 's', 'ö', 'ü']
  const letters = [...'abcxyzABCXYZ0129 -_.,:;!?@#$%&*()+=/<>"\'éèêëàáâäåãçñóòôöõúùûüÿœæßþðøÉÄÖÜÇÑışğŁłżź']
  const word = () => d.chance(3) ? d.pick(words) : Array.from({ length: 1 + d.next(5) }, () => d.pick(letters)).join('')
  for (const o of [{}, { sensitivity: 'base' }, { sensitivity: 'accent' }, { numeric: true }]) {
    const c = new Intl.Collator(tag, o)
    for (let i = 0; i < n; i++) {
      const a = word(), b = word()
      out.push([`Collator(${tag}, ${JSON.stringify(o)}) ${a} ${b}`, String(Math.sign(c.compare(a, b)))])
    }
  }
  return out
}

sweeps.zone = timeZone => {
  const f = new Intl.DateTimeFormat('en-GB', { timeZone, year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })
  return [1999, 2008, 2015, 2019, 2021, 2024].flatMap(y => [0, 3, 6, 9].map(m => [timeZone, f.format(Date.UTC(y, m, 15, 12))]))
}

// hash is FNV-1a, in 32 bits, of the lines.
function hash(lines) {
  let h = 0x811c9dc5
  for (const line of lines) for (const text of line) {
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
    h = Math.imul(h ^ 0x1f, 0x01000193)
  }
  return (h >>> 0).toString(16)
}
