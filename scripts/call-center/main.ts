// An inbound call centre: every agent's phone rings at once, and the first who answers has the call.
import { pcmo } from 'piopiy/pcmo'

const agents = (env.AGENTS ?? '14155550101,14155550102,14155550103').split(',')

export function answer(call: Call) {
  return pcmo().bridge(agents, { from: call.to, strategy: 'group', duration: '10s', timeout: '20s', tries: 1 })
}

export function event(e: CallEvent) {
  if (e.status === 'bridged') console.log(`${e.to} took the call`)
}

export function cdr(record: CDR) {
  if (record.leg === 'a' && record.status === 'missed') console.warn(`nobody took the call of ${record.from}`)
}
