// Stubs of what apps reach by WebSocket.
import { socketStub, broken, later } from 'piopiy/test/native'
import { Seen } from 'piopiy/test/waiting'
import { matches, show } from 'piopiy/test/values'

/** Answers an app's WebSockets in place of the network. The newest stub that fits a URL answers. */
export function stubWebSocket(url, server = {}) {
  if (typeof url !== 'string' && !(url instanceof RegExp)) throw new TypeError('stubWebSocket: the URL must be a string or a RegExp')
  const { open, message, close, refuse, protocol, delay = 0, ...rest } = read(server)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw new TypeError(`stubWebSocket: unknown ${JSON.stringify(unknown)}; there are open, message, close, refuse, protocol and delay`)
  for (const [name, f] of Object.entries({ open, message, close })) {
    if (f !== undefined && typeof f !== 'function') throw new TypeError(`stubWebSocket: ${name} must be a function, not ${show(f)}`)
  }
  const sockets = new Seen(), received = new Seen()

  socketStub(url, async request => {
    const refused = typeof refuse === 'function' ? await refuse(request) : refuse
    if (refused !== undefined && refused !== null && refused !== false) return { refuse: refused, delay }
    let link
    const socket = new StubSocket(request, () => link)
    const tell = (f, ...args) => {
      if (!f) return
      const fail = error => broken(request.url, error)
      const reply = value => { if (value !== undefined) socket.send(value) }
      try {
        const made = f(...args)
        if (made instanceof Promise) made.then(reply).catch(fail)
        else reply(made)
      } catch (error) {
        fail(error)
      }
    }
    return {
      protocol, delay,
      opened: it => {
        link = it
        StubSocket.begins(socket)
        sockets.add(socket)
        tell(open, socket)
      },
      message: data => {
        const got = StubSocket.take(socket, data)
        received.add(got)
        tell(message, got, socket)
      },
      closed: (code, reason) => {
        if (StubSocket.end(socket, { by: 'app', code, reason })) tell(close && ((...args) => { close(...args) }), socket.closed, socket)
      },
    }
  })

  return {
    get sockets() { return [...sockets.items] },
    get received() { return [...received.items] },
    opens: (options) => sockets.wait(() => true, within('opens', options), how => `the app did not open a WebSocket to ${url} ${how}`),
    receives: (what, options) => awaitMessage(received, what, within('receives', options), `to ${url}`),
  }
}

function read(server) {
  if (typeof server === 'function') return { message: server }
  if (typeof server === 'object' && server !== null) return server
  throw new TypeError(`stubWebSocket: the server must be a function that answers messages, or an object, not ${show(server)}`)
}

function within(name, options: any = {}) {
  const { within, ...rest } = options
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw new TypeError(`${name}: unknown option ${JSON.stringify(unknown)}; the options are within`)
  return within
}

/** The stub's end of one WebSocket. */
class StubSocket {
  readonly url
  readonly headers
  readonly protocols
  closed
  #began = 0
  #received = new Seen()
  #ended = new Seen()
  #link

  constructor(request, link) {
    Object.assign(this, request)
    this.#link = link
  }

  get received() { return [...this.#received.items] }

  static begins(socket) { socket.#began = Date.now() }

  static take(socket, data) {
    const message: any = { at: (Date.now() - socket.#began) / 1000 }
    if (typeof data === 'string') {
      message.text = data
      try { message.json = JSON.parse(data) } catch { /* it is no JSON */ }
    } else {
      message.data = new Uint8Array(data)
    }
    socket.#received.add(message)
    return message
  }

  static end(socket, how) {
    if (socket.closed) return false
    socket.closed = how
    socket.#ended.add(how)
    return true
  }

  send(data, options = {}) {
    const raw = typeof data === 'string' || data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data : JSON.stringify(data)
    if (raw === undefined) throw new TypeError(`socket.send: ${show(data)} is neither text, bytes nor anything that JSON can hold`)
    this.#do('send', options, link => link.send(raw))
  }

  close(code = 1000, reason = '', options = {}) {
    if (!Number.isInteger(code) || code < 1000 || code > 4999) throw new TypeError(`socket.close: the code must be from 1000 to 4999, not ${show(code)}`)
    this.#do('close', options, link => { if (StubSocket.end(this, { by: 'stub', code, reason })) link.close(code, reason) })
  }

  drop(options = {}) {
    this.#do('drop', options, link => { if (StubSocket.end(this, { by: 'stub', code: 1006, reason: '' })) link.drop() })
  }

  receives(what, options) { return awaitMessage(this.#received, what, within('receives', options), `to ${this.url}`) }

  closes(options) { return this.#ended.wait(() => true, within('closes', options), how => `the WebSocket to ${this.url} was not closed ${how}`) }

  #do(name, options, act) {
    const { after, ...rest } = options
    const [unknown] = Object.keys(rest)
    if (unknown !== undefined) throw new TypeError(`socket.${name}: unknown option ${JSON.stringify(unknown)}; the options are after`)
    if (after === undefined) act(this.#link())
    else later(after, () => act(this.#link()))
  }
}

/** Waits for a message: any, one that holds a text or fits a RegExp, JSON with certain properties, or what a function picks. */
function awaitMessage(seen, what, limit, where) {
  const fits = typeof what === 'function' ? what
    : message => what === undefined
      || (typeof what === 'string' || what instanceof RegExp ? message.text !== undefined && matches(message.text, what) : matches(message.json, what))
  return seen.wait(fits, limit, how => {
    const got = seen.items.map(m => show(m.json ?? m.text ?? `${m.data.length} bytes`))
    const sent = got.length === 0 ? 'it sent nothing' : 'it sent ' + (got.length > 5 ? `${got.length} messages, at last ` : '') + got.slice(-5).join(', ')
    return `the app did not send ${what === undefined ? 'a message' : typeof what === 'function' ? 'such a message' : show(what)} ${where} ${how}; ${sent}`
  })
}
