// The realm is walked from the global object and from the intrinsics that no global name leads to.
(function () {
  const { getPrototypeOf, getOwnPropertyDescriptor, defineProperty, freeze, prototype: objectPrototype } = Object
  const { ownKeys } = Reflect
  const { TypeError: Failure } = globalThis
  const root = globalThis

  const hidden = [
    getPrototypeOf(async () => {}), getPrototypeOf(function* () {}), (function* () {})(),
    [][Symbol.iterator](), ''[Symbol.iterator](), ''.matchAll(/x/g),
    new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), getPrototypeOf(Int8Array),
  ]

  // A frozen prototype refuses `object.toString = f` on objects that inherit from it. Properties which authors
  // and packages do assign become accessors that put an own property in the way.
  const permit = (owner, key) => {
    const { value, writable, configurable, enumerable } = getOwnPropertyDescriptor(owner, key) ?? {}
    if (!writable || !configurable) return
    const name = typeof key === 'symbol' ? key.toString() : key
    defineProperty(owner, key, {
      enumerable, configurable,
      get: () => value,
      set(next) {
        if (this === owner) throw new Failure(`Cannot assign to '${name}': the built-ins are frozen`)
        if (this === null || typeof this !== 'object' && typeof this !== 'function') return
        const own = getOwnPropertyDescriptor(this, key)
        if (own ? !own.writable : !Object.isExtensible(this)) throw new Failure(`Cannot assign to read only property '${name}'`)
        defineProperty(this, key, own ? { value: next } : { value: next, writable: true, enumerable: true, configurable: true })
      },
    })
  }
  const usual = ['constructor', 'toString', 'toLocaleString', 'valueOf', 'toJSON', 'name', 'message']
  for (const key of ownKeys(objectPrototype)) if (key !== '__proto__') permit(objectPrototype, key)
  for (const name of ['Function', 'Array', 'String', 'Number', 'Boolean', 'Symbol', 'Date', 'RegExp', 'Promise', 'Map', 'Set', 'WeakMap', 'WeakSet',
    'ArrayBuffer', 'DataView', 'Uint8Array', 'Error', 'AggregateError', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError']) {
    const owner = root[name]?.prototype
    if (owner) for (const key of usual) if (Object.hasOwn(owner, key)) permit(owner, key)
  }
  permit(getPrototypeOf(getPrototypeOf([][Symbol.iterator]())), Symbol.iterator)

  const seen = new Set()
  const pending = hidden.map(getPrototypeOf)
  pending.push(...hidden.slice(0, 2), hidden[8])
  const visit = v => {
    if (v !== null && (typeof v === 'object' || typeof v === 'function') && !seen.has(v)) {
      seen.add(v)
      pending.push(v)
    }
  }
  const properties = o => {
    for (const key of ownKeys(o)) {
      const d = getOwnPropertyDescriptor(o, key)
      visit(d.value); visit(d.get); visit(d.set)
    }
  }
  properties(root)
  while (pending.length) {
    const o = pending.pop()
    if (o === root) continue
    freeze(o)
    properties(o)
    visit(getPrototypeOf(o))
  }
  freeze(root)
})()
