// A call that asks the customer to confirm an order: 1 confirms, everything else cancels.
import { pcmo } from 'piopiy/pcmo'
import { account, phone } from 'piopiy/account'

const audio = {
  question: env.QUESTION ?? 'order_question.wav', // "… press 1 to confirm."
  confirmed: env.CONFIRMED ?? 'order_confirmed.wav',
  cancelled: env.CANCELLED ?? 'order_cancelled.wav',
}

/**
 * Calls the customer: `piopiyd run order-confirmation confirm '"14155550199"'`. The platform rings the phone and, once
 * it is answered, asks this app's answer hook what to do.
 */
export function confirm(customer: string) {
  return account().voice.create(phone(customer), phone(env.FROM ?? '14155550100'), env.require('ANSWER_URL'), 300)
}

export function answer(call: Call) {
  return pcmo().playGetInput(audio.question, decide, { maxDigits: 1, retries: 1, timeout: '5s' })
}

async function decide({ digits }: CallInput, call: Call) {
  const confirmed = digits === '1'
  await report(call.direction === 'outbound' ? call.to : call.from, confirmed)
  return pcmo().play(confirmed ? audio.confirmed : audio.cancelled)
}

/** Tells the shop, if it wants to know. A shop that is slow or down must not spoil the call. */
async function report(customer: string, confirmed: boolean) {
  if (!env.ORDERS_URL) return
  try {
    const reply = await fetch(env.ORDERS_URL, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ customer, confirmed }),
      timeout: '3s',
      keepalive: true, // also when the caller hangs up meanwhile
    })
    if (!reply.ok) console.error(`the shop answered ${reply.status}`)
  } catch (error) {
    console.error('the shop was not told:', error)
  }
}
