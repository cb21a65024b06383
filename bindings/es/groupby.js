(() => {
  const group = (items, callback, add) => {
    if (items === undefined || items === null) throw new TypeError('groupBy: the items must be iterable, not ' + items)
    if (typeof callback !== 'function') throw new TypeError('groupBy: the callback must be a function')
    let index = 0
    for (const item of items) add(callback(item, index++), item)
  }
  const define = (on, value) => {
    if (!('groupBy' in on)) Object.defineProperty(on, 'groupBy', { value, writable: true, configurable: true })
  }
  define(Object, {
    groupBy(items, callback) {
      const groups = Object.create(null)
      group(items, callback, (key, item) => {
        if (typeof key !== 'symbol') key = String(key)
        const list = groups[key]
        if (list === undefined) groups[key] = [item]
        else list.push(item)
      })
      return groups
    },
  }.groupBy)
  define(Map, {
    groupBy(items, callback) {
      const groups = new Map()
      group(items, callback, (key, item) => {
        const list = groups.get(key)
        if (list === undefined) groups.set(key, [item])
        else list.push(item)
      })
      return groups
    },
  }.groupBy)
})()
