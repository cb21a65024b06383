// How values are compared and shown.

/** Deep equality: the same own properties, and the same kind of object. */
export function equal(a, b, seen = new Map()) {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (seen.get(a) === b) return true
  seen.set(a, b)
  if (a instanceof Date) return Object.is(a.getTime(), b.getTime())
  if (a instanceof RegExp) return String(a) === String(b)
  if (a instanceof Map || a instanceof Set) return a.size === b.size && equal([...a], [...b], seen)
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && equal(a[key], b[key], seen))
}

/** A text holds a part or fits a RegExp; an object has at least the properties of another. */
export function matches(actual, expected) {
  if (typeof actual === 'string' && typeof expected === 'string') return actual.includes(expected)
  if (expected instanceof RegExp) return typeof actual === 'string' && actual.search(expected) >= 0
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) return Object.is(actual, expected)
  if (Array.isArray(expected)) return Array.isArray(actual) && actual.length === expected.length && expected.every((item, i) => matchesInside(actual[i], item))
  return Object.keys(expected).every(key => matchesInside(actual[key], expected[key]))
}

/** Inside an object a text must be the whole text. */
export function matchesInside(actual, expected) {
  return typeof expected === 'string' ? actual === expected : matches(actual, expected)
}

const most = 8 // differences that are told

/** Says where a value differs from what it should be, a line for each place: equal() or, with part, matches(). */
export function differences(actual, expected, part) {
  const lines = []
  const walk = (a, b, path, seen) => {
    if (path === '' ? (part ? matches(a, b) : equal(a, b)) : (part ? matchesInside(a, b) : equal(a, b))) return
    if (lines.length > most || seen.includes(a)) return
    const both = isPlain(a) && isPlain(b) && Array.isArray(a) === Array.isArray(b)
    if (!both) {
      lines.push(`${path || 'it'} is ${show(a)}, expected ${show(b)}${textHint(a, b)}`)
      return
    }
    for (const key of Object.keys(b)) {
      const at = step(path, key, Array.isArray(b))
      if (Object.hasOwn(a, key) || part && key in a) walk(a[key], b[key], at, [...seen, a])
      else lines.push(`${at} is missing, expected ${show(b[key])}`)
    }
    if (part && !Array.isArray(b)) return
    for (const key of Object.keys(a)) {
      if (!Object.hasOwn(b, key)) lines.push(`${step(path, key, Array.isArray(a))} is ${show(a[key])}, expected nothing there`)
    }
  }
  walk(actual, expected, '', [])
  return lines.length > most ? [...lines.slice(0, most), 'and more'] : lines
}

function isPlain(value) {
  return typeof value === 'object' && value !== null && (Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value)))
}

function step(path, key, isList) {
  if (isList) return `${path}[${key}]`
  if (!/^[\w$]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}

/** Where two long texts part. */
function textHint(a, b) {
  if (typeof a !== 'string' || typeof b !== 'string' || Math.min(a.length, b.length) < 40) return ''
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at < 10 ? '' : `; they part after ${JSON.stringify(a.slice(Math.max(0, at - 20), at))}`
}

export function contains(actual, expected) {
  if (typeof actual === 'string') return typeof expected === 'string' && actual.includes(expected)
  return actual != null && typeof actual[Symbol.iterator] === 'function' && [...actual].some(item => equal(item, expected))
}

export function show(value) {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (value instanceof Promise) return 'a promise, which nobody has awaited'
  if (value instanceof RegExp || value instanceof Date || value instanceof Error) return String(value)
  if (value instanceof Map || value instanceof Set) return `${value instanceof Map ? 'Map' : 'Set'} ${show([...value])}`
  if (typeof value !== 'object' || value === null) return String(value)
  try {
    const text = JSON.stringify(value)
    return text.length > 500 ? text.slice(0, 500) + '…' : text
  } catch {
    return String(value)
  }
}
