// Live audio in and out. The stream callback below is a parrot: it waits until the caller pauses and says it back.
// Put your speech recognition and your voice in its place.
import { pcmo } from 'piopiy/pcmo'
import { account, phone } from 'piopiy/account'

const rate = 8000
const loud = 500 // mean amplitude above which a frame counts as speech
const pause = 25 // quiet frames (20 ms each) that end what the caller says
const patience = 1500 // quiet frames after which we hang up
const longest = 500 // frames of one utterance that we keep

/** Inbound: the call's audio goes to this app's own stream callback, or to the server that env.STREAM_URL names. */
export function answer(call: Call) {
  return pcmo().stream(env.STREAM_URL ?? call.streamUrl, { listen: 'both', rate, onAnswer: true })
}

/** Outbound: `piopiyd run ai-streaming dial '"14155550199"'` calls a customer and streams the call. */
export function dial(customer: string) {
  const document = pcmo().stream(env.require('STREAM_URL'), { listen: 'both', rate, onAnswer: true })
  return account().voice.call(phone(customer), phone(env.FROM ?? '14155550100'), document)
}

export async function stream(socket: Stream, call: Call) {
  let said: Int16Array[] = []
  let quiet = 0
  for await (const frame of socket) {
    if (energy(frame) > loud) {
      if (said.length === 0) socket.clear() // the caller speaks: stop what we are playing
      if (said.length < longest) said.push(frame)
      quiet = 0
      continue
    }
    quiet++
    if (said.length > 0 && quiet === pause) {
      socket.play(joined(said), { rate })
      said = []
    }
    if (quiet === patience) {
      socket.perform(pcmo().hangup())
      socket.stop()
    }
  }
  console.log(`the stream of call ${call.id} is over; ${socket.dropped} frames came too fast`)
}

/** The mean amplitude of a frame, 0 to 32767. */
function energy(frame: Int16Array): number {
  let sum = 0
  for (const sample of frame) sum += Math.abs(sample)
  return frame.length === 0 ? 0 : sum / frame.length
}

function joined(frames: Int16Array[]): Int16Array {
  const all = new Int16Array(frames.reduce((n, f) => n + f.length, 0))
  let at = 0
  for (const frame of frames) {
    all.set(frame, at)
    at += frame.length
  }
  return all
}
