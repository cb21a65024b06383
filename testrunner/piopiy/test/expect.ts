// Expectations.
import { contains, differences, equal, matches, show } from 'piopiy/test/values'

/** Says what a value must be. A value that is not throws an AssertionError. */
export function expect(actual) {
  return matchers(actual, true)
}

function matchers(actual, wanted) {
  const check = (holds, what, expected = [], places = []) => {
    if (holds === wanted) return
    let message = `expected ${show(actual)} ${wanted ? '' : 'not '}${what}${expected.length ? ' ' + show(expected[0]) : ''}`
    if (wanted && places.length > 0 && !places[0].startsWith('it is ')) message += ':\n' + places.map(line => '  ' + line).join('\n')
    const error = new Error(message)
    error.name = 'AssertionError'
    throw error
  }
  const compare = (holds, what, expected, part) => check(holds, what, [expected], holds ? [] : differences(actual, expected, part))
  return {
    get not() { return matchers(actual, !wanted) },
    toBe: expected => check(Object.is(actual, expected), 'to be', [expected]),
    toEqual: expected => compare(equal(actual, expected), 'to equal', expected, false),
    toMatch: expected => compare(matches(actual, expected), 'to match', expected, true),
    toContain: expected => check(contains(actual, expected), 'to contain', [expected]),
    toBeTruthy: () => check(Boolean(actual), 'to be truthy'),
    toBeUndefined: () => check(actual === undefined, 'to be undefined'),
    toBeGreaterThan: expected => check(actual > expected, 'to be greater than', [expected]),
    toBeLessThan: expected => check(actual < expected, 'to be less than', [expected]),
    toThrow: expected => {
      if (typeof actual !== 'function') throw new TypeError('expect: toThrow needs a function; of a promise, await it and expect what it rejects with')
      let thrown
      try { actual() } catch (error) { thrown = { error } }
      const message = thrown && String(thrown.error?.message ?? thrown.error)
      check(thrown !== undefined && (expected === undefined || matches(message, expected)), 'to throw', expected === undefined ? [] : [expected])
    },
  }
}
