// The builder of piopiy/pcmo, as far as the measured script uses it, written in plain JavaScript: it gives the same documents.
const isText = v => typeof v === 'string'
const isURL = v => /^https?:\/\//.test(v)

function number(v) {
  if (!/^\d+$/.test(String(v))) throw new TypeError('not a phone number')
  return Number(v)
}

// "30s" or "1h" as the whole seconds that go over the wire.
function seconds(v) {
  const match = /^(\d+)(s|m|h)$/.exec(v)
  if (!match) throw new TypeError('not a time')
  return Number(match[1]) * { s: 1, m: 60, h: 3600 }[match[2]]
}

function known(options, ...names) {
  for (const name of Object.keys(options)) if (!names.includes(name)) throw new TypeError(`unknown option ${name}`)
  return options
}

class Chain {
  #actions = []

  #add(action) {
    this.#actions.push(action)
    return this
  }

  play(file) {
    if (!isText(file)) throw new TypeError('play: not a file')
    return this.#add(isURL(file) ? { action: 'play', file_url: file } : { action: 'play', file_name: file })
  }

  speak(text) {
    if (!isText(text)) throw new TypeError('speak: not a text')
    return this.#add({ action: 'speak', text })
  }

  param(value) {
    return this.#add({ action: 'param', text: isText(value) ? value : JSON.stringify(value) })
  }

  playGetInput(file, target, options = {}) {
    if (!isText(file) || typeof target !== 'function' && !isURL(target)) throw new TypeError('playGetInput: not a file and an address')
    const { maxDigits, retries, timeout } = known(options, 'maxDigits', 'retries', 'timeout')
    const action = { action: 'play_get_input', file_name: file, action_url: target }
    if (maxDigits !== undefined) action.max_digit = maxDigits
    if (retries !== undefined) action.max_retry = retries
    if (timeout !== undefined) action.timeout = seconds(timeout)
    return this.#add(action)
  }

  bridge(to, options = {}) {
    const { from, duration, timeout, tries, strategy } = known(options, 'from', 'duration', 'timeout', 'tries', 'strategy')
    const list = Array.isArray(to) ? to : [to]
    const action = { action: 'bridge', from: number(from), connect: list.map(n => ({ type: 'pstn', number: number(n) })) }
    if (duration !== undefined) action.duration = seconds(duration)
    if (timeout !== undefined) action.timeout = seconds(timeout)
    if (tries !== undefined) action.loop = tries
    if (strategy === 'group') action.ring_type = 'group'
    return this.#add(action)
  }

  record() {
    return this.#add({ action: 'record' })
  }

  hangup() {
    return this.#add({ action: 'hangup' })
  }

  toJSON() {
    return this.#actions
  }
}

export const pcmo = () => new Chain()
