// Stubs of what apps fetch.
import { stub } from 'piopiy/test/native'

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
