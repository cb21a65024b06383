// Two people talk, and neither sees the other's number: both see the masking number.
import { pcmo } from 'piopiy/pcmo'
import { account, phone } from 'piopiy/account'

const agent = () => phone(env.AGENT ?? '14155550101')
const masking = () => phone(env.MASKING_NUMBER ?? '14155550100')

/** Customer to agent: the customer dials the masking number, the agent's phone rings and shows it. */
export function answer(call: Call) {
  return pcmo().bridge(agent(), { from: call.to, duration: '10s', timeout: '20s', tries: 1 })
}

/** Agent to customer: `piopiyd run call-masking connect '"14155550199"'` rings the agent, then the customer. */
export function connect(customer: string) {
  return account().voice.call(agent(), masking(), phone(customer), { duration: 10, timeout: 20, loop: 1 })
}

export function cdr(record: CDR) {
  console.log(`leg ${record.leg}: ${record.status}, ${record.duration} s`)
}
