(() => {
  const proto = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))
  if (Object.prototype.hasOwnProperty.call(proto, 'toArray')) return proto.constructor
  Object.setPrototypeOf(proto, Object.prototype) // takes away what made these helpers on demand

  const object = (value, what) => {
    if (typeof value !== 'object' && typeof value !== 'function' || value === null) throw new TypeError(what + ' is not an object')
    return value
  }
  const close = (it) => { const end = it.return; if (end !== undefined && end !== null) end.call(it) }
  // closeQuietly is for when another error is on its way.
  const closeQuietly = (it) => { try { close(it) } catch {} }
  const direct = (it) => ({ it, next: it.next })
  const step = (source) => {
    const result = object(source.next.call(source.it), 'the iterator result')
    return result.done ? undefined : { value: result.value }
  }
  const callable = (it, f, name) => {
    object(it, 'the receiver of Iterator.prototype.' + name)
    if (typeof f !== 'function') { closeQuietly(it); throw new TypeError('Iterator.prototype.' + name + ': the callback must be a function') }
  }
  const count = (it, limit, name) => {
    object(it, 'the receiver of Iterator.prototype.' + name)
    let n
    try { n = Number(limit) } catch (error) { closeQuietly(it); throw error }
    if (Number.isNaN(n) || Math.trunc(n) < 0) { closeQuietly(it); throw new RangeError('Iterator.prototype.' + name + ': the limit must be a number that is not negative, not ' + String(limit)) }
    return Math.trunc(n)
  }
  const guarded = (it, f) => { try { return f() } catch (error) { closeQuietly(it); throw error } }

  // A helper is an object that makes its values with advance(), which returns undefined at the end.
  const helpers = new WeakMap()
  const helper = (it, advance) => {
    const h = Object.create(helperProto)
    helpers.set(h, { it, advance, done: false, running: false, inner: undefined })
    return h
  }
  const stateOf = (h) => {
    const state = helpers.get(h)
    if (state === undefined) throw new TypeError('the receiver is not an Iterator Helper')
    if (state.running) throw new TypeError('the iterator is running already')
    return state
  }
  const helperProto = Object.create(proto, {
    next: {
      value: { next() {
        const state = stateOf(this)
        if (state.done) return { value: undefined, done: true }
        state.running = true
        try {
          const item = state.advance(state)
          if (item !== undefined) return { value: item.value, done: false }
          state.done = true
          return { value: undefined, done: true }
        } catch (error) {
          state.done = true
          throw error
        } finally {
          state.running = false
        }
      } }.next, writable: true, configurable: true,
    },
    return: {
      value: { return() {
        const state = stateOf(this)
        if (!state.done) {
          state.done = true
          if (state.inner) { try { close(state.inner.it) } catch (error) { closeQuietly(state.it); throw error } }
          close(state.it)
        }
        return { value: undefined, done: true }
      } }.return, writable: true, configurable: true,
    },
    [Symbol.toStringTag]: { value: 'Iterator Helper', configurable: true },
  })

  const flattened = (value) => {
    object(value, 'what the callback returned')
    const method = value[Symbol.iterator]
    if (method === undefined || method === null) return direct(value)
    return direct(object(method.call(value), 'the iterator'))
  }

  const methods = {
    map(f) {
      callable(this, f, 'map')
      const it = this, source = direct(it); let i = 0
      return helper(it, () => { const s = step(source); return s && guarded(it, () => ({ value: f(s.value, i++) })) })
    },
    filter(f) {
      callable(this, f, 'filter')
      const it = this, source = direct(it); let i = 0
      return helper(it, () => { for (;;) { const s = step(source); if (!s || guarded(it, () => f(s.value, i++))) return s } })
    },
    take(limit) {
      let left = count(this, limit, 'take')
      const it = this, source = direct(it)
      return helper(it, () => { if (left-- <= 0) { close(it); return undefined } return step(source) })
    },
    drop(limit) {
      let left = count(this, limit, 'drop')
      const source = direct(this)
      return helper(this, () => { for (; left > 0; left--) if (!step(source)) return undefined; return step(source) })
    },
    flatMap(f) {
      callable(this, f, 'flatMap')
      const it = this, source = direct(it); let i = 0
      return helper(it, (state) => {
        for (;;) {
          if (!state.inner) {
            const s = step(source)
            if (!s) return undefined
            state.inner = guarded(it, () => flattened(f(s.value, i++)))
          }
          const item = guarded(it, () => step(state.inner))
          if (item) return item
          state.inner = undefined
        }
      })
    },
    reduce(f, ...initial) {
      callable(this, f, 'reduce')
      const source = direct(this); let sum, i = 0
      if (initial.length > 0) sum = initial[0]
      else {
        const first = step(source)
        if (!first) throw new TypeError('Reduce of a done iterator with no initial value')
        sum = first.value
        i = 1
      }
      for (let s; (s = step(source));) sum = guarded(this, () => f(sum, s.value, i++))
      return sum
    },
    toArray() {
      object(this, 'the receiver of Iterator.prototype.toArray')
      const source = direct(this), list = []
      for (let s; (s = step(source));) list.push(s.value)
      return list
    },
    forEach(f) {
      callable(this, f, 'forEach')
      const source = direct(this); let i = 0
      for (let s; (s = step(source));) guarded(this, () => f(s.value, i++))
    },
    some(f) {
      callable(this, f, 'some')
      const source = direct(this); let i = 0
      for (let s; (s = step(source));) if (guarded(this, () => f(s.value, i++))) { close(this); return true }
      return false
    },
    every(f) {
      callable(this, f, 'every')
      const source = direct(this); let i = 0
      for (let s; (s = step(source));) if (!guarded(this, () => f(s.value, i++))) { close(this); return false }
      return true
    },
    find(f) {
      callable(this, f, 'find')
      const source = direct(this); let i = 0
      for (let s; (s = step(source));) if (guarded(this, () => f(s.value, i++))) { close(this); return s.value }
    },
  }
  for (const name of Object.keys(methods)) Object.defineProperty(proto, name, { value: methods[name], writable: true, configurable: true })
  Object.defineProperty(methods.reduce, 'length', { value: 1, configurable: true })

  function Iterator() {
    if (new.target === undefined || new.target === Iterator) throw new TypeError('Iterator is an abstract class: extend it')
  }
  Object.defineProperty(Iterator, 'from', { value: { from(source) {
    if (typeof source !== 'string') object(source, 'the argument of Iterator.from')
    const method = source[Symbol.iterator]
    const it = method === undefined || method === null ? source : object(method.call(source), 'the iterator')
    if (proto.isPrototypeOf(it)) return it
    const wrapped = Object.create(wrapProto)
    wraps.set(wrapped, direct(it))
    return wrapped
  } }.from, writable: true, configurable: true })
  const wraps = new WeakMap()
  const wrapOf = (w) => { const s = wraps.get(w); if (s === undefined) throw new TypeError('the receiver is not a wrapped iterator'); return s }
  const wrapProto = Object.create(proto, {
    next: { value: { next() { const s = wrapOf(this); return s.next.call(s.it) } }.next, writable: true, configurable: true },
    return: { value: { return() { const s = wrapOf(this), end = s.it.return; return end === undefined ? { value: undefined, done: true } : end.call(s.it) } }.return, writable: true, configurable: true },
  })
  Object.defineProperty(Iterator, 'prototype', { value: proto, writable: false })
  Object.defineProperty(proto, 'constructor', { value: Iterator, writable: true, configurable: true })
  Object.defineProperty(proto, Symbol.toStringTag, { value: 'Iterator', writable: true, configurable: true })
  return Iterator
})()
