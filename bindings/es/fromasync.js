(() => {
  if ('fromAsync' in Array) return
  const value = {
    async fromAsync(source, mapper, self) {
      if (mapper !== undefined && typeof mapper !== 'function') throw new TypeError('Array.fromAsync: the mapper must be a function')
      if (source === undefined || source === null) throw new TypeError('Array.fromAsync: the source must be iterable or array-like, not ' + source)
      const make = typeof this === 'function' && this.prototype !== undefined ? this : Array
      let index = 0
      const asynchronous = source[Symbol.asyncIterator]
      const synchronous = source[Symbol.iterator]
      const put = (list, item) => Object.defineProperty(list, index++, { value: item, writable: true, enumerable: true, configurable: true })
      if (asynchronous === undefined && synchronous === undefined) {
        const length = Math.min(Math.max(Math.trunc(Number(source.length)) || 0, 0), Number.MAX_SAFE_INTEGER)
        const list = new make(length)
        while (index < length) {
          let item = await source[index]
          if (mapper) item = await mapper.call(self, item, index)
          put(list, item)
        }
        list.length = length
        return list
      }
      const list = new make()
      const it = asynchronous !== undefined && asynchronous !== null ? asynchronous.call(source) : synchronous.call(source)
      for (;;) {
        const step = await it.next()
        if (typeof step !== 'object' || step === null) throw new TypeError('Array.fromAsync: the iterator returned ' + String(step))
        if (step.done) break
        try {
          let item = asynchronous ? step.value : await step.value
          if (mapper) item = await mapper.call(self, item, index)
          put(list, item)
        } catch (error) {
          try { await it.return?.() } catch {}
          throw error
        }
      }
      list.length = index
      return list
    },
  }.fromAsync
  Object.defineProperty(value, 'length', { value: 1, configurable: true })
  Object.defineProperty(Array, 'fromAsync', { value, writable: true, configurable: true })
})()
