(() => {
  if ('captureStackTrace' in Error) return
  Object.defineProperty(Error, 'captureStackTrace', {
    value: {
      captureStackTrace(target) {
        if (typeof target !== 'object' && typeof target !== 'function' || target === null) throw new TypeError('Invalid argument: captureStackTrace needs an object')
        const trace = new Error().stack
        const head = target instanceof Error ? Error.prototype.toString.call(target) : 'Error'
        const at = trace.indexOf('\n')
        Object.defineProperty(target, 'stack', { value: at < 0 ? head : head + trace.slice(at), writable: true, configurable: true })
      },
    }.captureStackTrace,
    writable: true, configurable: true,
  })
})()
