// The classes of the npm SDK that the measured script uses, written anew in plain JavaScript: they give the same documents.
'use strict'

const isText = v => typeof v === 'string'
const isNumber = v => /^\d+$/.test(String(v))
const isURL = v => typeof v === 'function' || /^https?:\/\//.test(v)

class PiopiyAction {
  constructor() {
    this.action = []
  }

  playMusic(file) {
    if (!isText(file) || !/\.(wav|mp3)$/i.test(file)) throw new Error('playMusic: not an audio file')
    this.action.push(isURL(file) ? { action: 'play', file_url: file } : { action: 'play', file_name: file })
  }

  speak(text) {
    if (!isText(text)) throw new Error('speak: not a text')
    this.action.push({ action: 'speak', text })
  }

  setValue(text) {
    if (!isText(text)) throw new Error('setValue: not a text')
    this.action.push({ action: 'param', text })
  }

  playGetInput(target, file, options) {
    if (!isURL(target) || !isText(file)) throw new Error('playGetInput: not an address and a file')
    const one = isURL(file) ? { action: 'play_get_input', action_url: target, file_url: file } : { action: 'play_get_input', file_name: file, action_url: target }
    if (options) {
      one.max_digit = options.max_digit || 1
      one.max_retry = options.max_retry || 1
      one.timeout = options.timeout || 5
    }
    this.action.push(one)
  }

  call(to, from, options) {
    const list = Array.isArray(to) ? to : [to]
    if (!isNumber(from)) throw new Error('call: not a number')
    const one = { action: 'bridge', from, connect: list.map(number => ({ type: 'pstn', number })) }
    if (options) {
      one.duration = options.duration || 5400
      one.timeout = options.timeout || 40
      one.loop = options.loop || 1
      if (options.ring_type === 'group') one.ring_type = 'group'
    }
    this.action.push(one)
  }

  record() {
    this.action.push({ action: 'record' })
  }

  hangup() {
    this.action.push({ action: 'hangup' })
  }

  PCMO() {
    return this.action
  }
}

module.exports = { PiopiyAction }
