// What a test file imports as piopiy/test.
import { test, call, stub, setEnv, at, wait } from 'piopiy/test/native'

export { test, call, setEnv, at, wait }

/** Answers an app's fetches in place of the network. The newest stub that fits a URL answers. */
export function stubFetch(url, reply = {}) {
  if (typeof url !== 'string' && !(url instanceof RegExp)) throw new TypeError('stubFetch: the URL must be a string or a RegExp')
  const requests = []
  stub(url, async request => {
    if (request.body !== '') {
      try { request.json = JSON.parse(request.body) } catch { /* it is no JSON */ }
    }
    requests.push(request)
    const made = typeof reply === 'function' ? await reply(request) : reply
    if (made instanceof Response) {
      const copy = made.clone()
      return { status: copy.status, headers: [...copy.headers], body: await copy.text(), delay: 0 }
    }
    if (typeof made === 'string') return { status: 200, headers: [], body: made, delay: 0 }
    if (typeof made === 'number') return { status: made, headers: [], body: '', delay: 0 }
    const { status = 200, headers = {}, body = '', json, delay = 0, error, ...rest } = made ?? {}
    const [unknown] = Object.keys(rest)
    if (unknown !== undefined) throw new TypeError(`stubFetch: unknown ${JSON.stringify(unknown)} in the reply; there are status, headers, body, json, delay and error`)
    const all = [...new Headers(headers)]
    if (json === undefined) return { status, headers: all, body: String(body), delay, error }
    if (!all.some(([name]) => name === 'content-type')) all.push(['content-type', 'application/json'])
    return { status, headers: all, body: JSON.stringify(json), delay, error }
  })
  return { requests }
}

/** Says what a value must be. A value that is not throws an AssertionError. */
export function expect(actual) {
  return matchers(actual, true)
}

function matchers(actual, wanted) {
  const check = (holds, what, expected) => {
    if (holds === wanted) return
    const error = new Error(`expected ${show(actual)} ${wanted ? '' : 'not '}${what}${expected.length ? ' ' + show(expected[0]) : ''}`)
    error.name = 'AssertionError'
    throw error
  }
  return {
    get not() { return matchers(actual, !wanted) },
    toBe: expected => check(Object.is(actual, expected), 'to be', [expected]),
    toEqual: expected => check(equal(actual, expected), 'to equal', [expected]),
    toMatch: expected => check(matches(actual, expected), 'to match', [expected]),
    toContain: expected => check(contains(actual, expected), 'to contain', [expected]),
    toBeTruthy: () => check(Boolean(actual), 'to be truthy', []),
    toBeUndefined: () => check(actual === undefined, 'to be undefined', []),
    toBeGreaterThan: expected => check(actual > expected, 'to be greater than', [expected]),
    toBeLessThan: expected => check(actual < expected, 'to be less than', [expected]),
    toThrow: expected => {
      if (typeof actual !== 'function') throw new TypeError('expect: toThrow needs a function')
      let thrown
      try { actual() } catch (error) { thrown = { error } }
      const message = thrown && String(thrown.error?.message ?? thrown.error)
      check(thrown !== undefined && (expected === undefined || matches(message, expected)), 'to throw', expected === undefined ? [] : [expected])
    },
  }
}

/** Deep equality: the same own properties, and the same kind of object. */
function equal(a, b, seen = new Map()) {
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
function matches(actual, expected) {
  if (typeof actual === 'string' && typeof expected === 'string') return actual.includes(expected)
  if (expected instanceof RegExp) return typeof actual === 'string' && actual.search(expected) >= 0
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) return Object.is(actual, expected)
  if (Array.isArray(expected)) return Array.isArray(actual) && actual.length === expected.length && expected.every((item, i) => matchesInside(actual[i], item))
  return Object.keys(expected).every(key => matchesInside(actual[key], expected[key]))
}

/** Inside an object a text must be the whole text. */
function matchesInside(actual, expected) {
  return typeof expected === 'string' ? actual === expected : matches(actual, expected)
}

function contains(actual, expected) {
  if (typeof actual === 'string') return typeof expected === 'string' && actual.includes(expected)
  return actual != null && typeof actual[Symbol.iterator] === 'function' && [...actual].some(item => equal(item, expected))
}

function show(value) {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (value instanceof RegExp || value instanceof Date || value instanceof Error) return String(value)
  if (typeof value !== 'object' || value === null) return String(value)
  try {
    const text = JSON.stringify(value)
    return text.length > 500 ? text.slice(0, 500) + '…' : text
  } catch {
    return String(value)
  }
}
