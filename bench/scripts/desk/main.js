// A support desk: opening hours, the caller's language, a menu, agents to connect to, and what the call cost.
import { pcmo } from 'piopiy/pcmo'

const NUMBER = 914446316000
const ZONE_MINUTES = 330 // Asia/Kolkata
const HOURS = { open: 9 * 60, close: 21 * 60, closedOn: [0] }
const MENU = { 1: 'sales', 2: 'support', 3: 'billing' }

const LANGUAGES = {
  91: { code: 'ta', welcome: 'welcome_ta.wav', menu: 'menu_ta.wav', closed: 'closed_ta.wav' },
  44: { code: 'en', welcome: 'welcome_en.wav', menu: 'menu_en.wav', closed: 'closed_en.wav' },
}

const AGENTS = [
  { number: 914446316101, languages: ['ta', 'en'], queues: ['sales', 'support'], shift: [8, 16] },
  { number: 914446316102, languages: ['ta'], queues: ['support'], shift: [8, 20] },
  { number: 914446316103, languages: ['en'], queues: ['sales'], shift: [10, 22] },
  { number: 914446316104, languages: ['en', 'ta'], queues: ['billing', 'support'], shift: [9, 21] },
]

function localTime(ms) {
  const d = new Date(ms + ZONE_MINUTES * 60000)
  return { day: d.getUTCDay(), hour: d.getUTCHours(), minute: d.getUTCHours() * 60 + d.getUTCMinutes() }
}

function isOpen({ day, minute }) {
  return !HOURS.closedOn.includes(day) && minute >= HOURS.open && minute < HOURS.close
}

const languageOf = from => LANGUAGES[String(from).slice(0, 2)] || LANGUAGES[44]

function agentsFor(queue, language, hour) {
  return AGENTS.filter(a => a.queues.includes(queue) && a.languages.includes(language.code))
    .filter(a => hour >= a.shift[0] && hour < a.shift[1])
    .map(a => a.number)
}

function connect(action, queue, language, at) {
  const agents = agentsFor(queue, language, localTime(at).hour)
  action.speak(`Connecting you to ${queue}.`)
  if (agents.length) action.bridge(agents, { from: NUMBER, duration: '1h', timeout: '30s', tries: 2, strategy: 'group' })
  return action.record().hangup()
}

function greeted(call, next) {
  const action = pcmo()
  const language = languageOf(call.from)
  action.play(isOpen(localTime(call.time)) ? language.welcome : language.closed)
  return next(action, language)
}

export const answer = call => greeted(call, (action, language) => {
  action.speak(`Your number ends in ${String(call.from).slice(-4)}.`)
  return action.param({ language: language.code, at: call.time })
    .playGetInput(language.menu, menu, { maxDigits: 1, retries: 2, timeout: '8s' })
})

export const straight = call => greeted(call, (action, language) => connect(action, 'support', language, call.time))

function menu({ dtmf, from, extra_params }) {
  return connect(pcmo(), MENU[dtmf] || 'support', languageOf(from), JSON.parse(extra_params).at)
}

export const event = e => {
  if (e.status === 'hangup') return JSON.stringify({ from: e.from, language: languageOf(e.from).code, at: localTime(e.time) })
}

export const cdr = record => {
  const minutes = Math.ceil(record.duration / 60)
  return JSON.stringify({ from: record.from, status: record.status, cost: (minutes * 0.65).toFixed(2) })
}
