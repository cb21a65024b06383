(() => {
  const define = (on, methods) => {
    for (const name of Object.keys(methods)) {
      if (!(name in on)) Object.defineProperty(on, name, { value: methods[name], writable: true, configurable: true })
    }
  }
  define(Promise, {
    withResolvers() {
      let resolve, reject
      const promise = new this((a, b) => { resolve = a; reject = b })
      return { promise, resolve, reject }
    },
    try(callback, ...args) {
      return new this((resolve) => resolve(callback(...args)))
    },
  })
})()
