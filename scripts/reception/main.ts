// A receptionist, in verbs: opening hours, a menu, agents who are rung together, and messages for your CRM.
// One line after the other, from the first ring to the end.
import { hours } from 'piopiy/hours'

const plan = 'Mon-Fri 09:00-18:00; Sat 10:00-14:00'
const zone = 'Asia/Kolkata'

interface Team { name: string, agents: string[] }

const teams: Record<string, Team> = {
  1: { name: 'sales', agents: ['14155550101', '14155550102'] },
  2: { name: 'support', agents: ['14155550103', '14155550104'] },
}

let message: 'none' | 'begun' | 'sent' = 'none' // of this caller: every call has its own variables

export async function answer(call: Call) {
  const name = await nameOf(call.from)
  await call.say(name ? `Welcome back, ${name}.` : 'Thanks for calling Acme.')
  if (!hours.open(plan, zone)) return voicemail(call, 'We are closed now.')

  const team = await choose(call)
  if (!team) return voicemail(call, 'We could not tell whom you want to reach.')

  await call.say(`Connecting you to ${team.name}.`)
  const leg = await call.dial(team.agents, { strategy: 'group', timeout: '20s', callerId: call.to })
  if (leg.status !== 'answered') await voicemail(call, 'Everybody is talking to somebody else.')
}

/** Asks up to three times. */
async function choose(call: Call): Promise<Team | undefined> {
  const { digits } = await call.gather({
    say: 'For sales press 1. For support press 2.',
    timeout: '5s',
    retries: 2,
    invalid: 'Sorry, I did not get that. Press 1 or 2.',
    validate: digits => digits in teams,
  })
  return teams[digits]
}

async function voicemail(call: Call, why: string) {
  message = 'begun'
  const { file, url } = await call.record({
    say: `${why} Please leave a message after the tone, and press the hash key.`,
    maxLength: '2m',
  })
  if (url || file) await send(call.from, url || file)
  await call.say('Thank you. We will call you back.')
}

// Most callers just hang up at the end of their message: its recording stands in the record of their leg. On PIOPIY's
// cloud it stands only there.
export async function cdr(record: CDR) {
  const file: string | undefined = record.raw.filename
  if (record.leg === 'a' && message === 'begun' && file && !await send(record.from, file)) {
    throw new Error('the message is not at the CRM yet') // the record comes again later
  }
}

/** Hands a message to the CRM, and tells whether it is there now. */
async function send(from: string, recording: string): Promise<boolean> {
  if (!env.CRM_URL) {
    console.log(`${from} left a message: ${recording}`)
    message = 'sent'
    return true
  }
  try {
    const reply = await fetch(`${env.CRM_URL}/messages`, { method: 'POST', body: JSON.stringify({ from, recording }), timeout: '3s', keepalive: true })
    if (reply.ok) message = 'sent'
    else console.error(`the CRM answered ${reply.status}`)
  } catch (error) {
    console.error('the CRM was not reached:', error)
  }
  return message === 'sent'
}

async function nameOf(from: string): Promise<string | undefined> {
  if (!env.CRM_URL) return
  try {
    const reply = await fetch(`${env.CRM_URL}/customers/${from}`, { timeout: '2s' }) // nobody waits longer for a greeting
    if (reply.ok) return (await reply.json()).name
  } catch (error) {
    console.error('the CRM was not reached:', error)
  }
}
