// A support line: opening hours, a menu, agents who are rung together, voicemail.
import { pcmo } from 'piopiy/pcmo'
import { hours } from 'piopiy/hours'

const plan = 'Mon-Fri 09:00-18:00; Sat 10:00-14:00'
const zone = 'Asia/Kolkata'
const teams: Record<string, { name: string, agents: number[] }> = {
  1: { name: 'sales', agents: [14155550101, 14155550102] },
  2: { name: 'support', agents: [14155550103, 14155550104] },
}

let mistakes = 0 // of this caller: every call has its own variables

export function answer(call: Call) {
  if (!hours.open(plan, zone)) {
    return pcmo().speak('Thanks for calling Acme. We are closed now. Please leave a message.').record()
  }
  return pcmo()
    .speak('Thanks for calling Acme. For sales press 1. For support press 2.')
    .input(menu, { maxDigits: 1, timeout: '5s' })
}

function menu({ digits }: CallInput, call: Call) {
  const team = teams[digits]
  if (!team && ++mistakes === 3) {
    return pcmo().speak('Please leave a message, and we will call you back.').record()
  }
  if (!team) {
    return pcmo().speak('Sorry, I did not get that. Press 1 or 2.').input(menu, { maxDigits: 1, timeout: '5s' })
  }
  return pcmo()
    .param({ team: team.name })
    .speak(`Connecting you to ${team.name}.`)
    .bridge(team.agents, { from: call.to, strategy: 'group', timeout: '20s' })
}

export function event(e: CallEvent) {
  console.log(`leg ${e.leg} ${e.status}`)
}

export function cdr(record: CDR) {
  console.log(`${record.status} after ${record.duration} s`)
}
