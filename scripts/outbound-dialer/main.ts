// An outbound dialer: a customer is called, and when they answer all agents' phones ring at once.
import { account, phone } from 'piopiy/account'

const agents = (env.AGENTS ?? '14155550101,14155550102').split(',')

/** Calls one customer: `piopiyd run outbound-dialer dial '"14155550199"'`. */
export function dial(customer: string) {
  return account().voice.call(phone(customer), phone(env.FROM ?? '14155550100'), agents.map(phone), {
    duration: 10, timeout: 20, loop: 1, ring_type: 'group',
  })
}

/** Calls a list, one after the other, and says how each went: `piopiyd run outbound-dialer dialAll '["14155550199"]'`. */
export async function dialAll(customers: string[]) {
  const results: { customer: string, request?: string, error?: string }[] = []
  for (const customer of customers) {
    try {
      const reply = await dial(customer)
      results.push({ customer, request: reply.request_id })
    } catch (error) {
      results.push({ customer, error: (error as Error).message })
    }
  }
  return results
}

export function cdr(record: CDR) {
  console.log(`leg ${record.leg} to ${record.to}: ${record.status}, ${record.duration} s`)
}
