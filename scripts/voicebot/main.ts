// A voice bot: an AI server that speaks OpenAI's Realtime protocol talks with the caller, who may interrupt it and may ask
// for a person. Change the texts and the voice; the rest is the conversation itself.
import { pcmo } from 'piopiy/pcmo'
import { Resampler, toBase64 } from 'piopiy/audio'

const greeting = 'Welcome to Acme. Ask me anything.'
const sorry = 'Sorry, I cannot help you right now.'
const instructions = `You answer the phone of Acme and have said: ${greeting} Be brief. When the caller wants a person, call transfer_to_human.`
const voice = 'marin'

const line = 8000 // Hz, of the call
const ai = 24000 // Hz, of the AI server
const patience = 8000 // ms that the AI server may take for an answer

/** How a conversation with the AI server ends: the caller wants a person, the server failed, or the call is over. */
type Outcome = 'human' | 'failed' | 'over'

export async function answer(call: Call) {
  await call.say(greeting)
  let socket: Stream
  try {
    socket = await call.stream({ sampleRate: line })
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'UnsupportedError') throw error
    return call.stream(call.streamUrl, { sampleRate: line }) // PIOPIY's cloud streams to `stream` below
  }
  const outcome = await converse(socket, call)
  socket.close()
  if (outcome === 'over') return
  if (outcome === 'failed') await call.say(sorry)
  if (!env.HUMAN) return call.say('Please call again later.')
  const leg = await call.dial(env.HUMAN, { callerId: call.to, timeout: '30s' })
  if (leg.status !== 'answered') await call.say('Nobody can talk to you now. Please call again later.')
}

/** The same on PIOPIY's cloud: a document is what reaches the call from inside a stream. */
export async function stream(socket: Stream, call: Call) {
  const outcome = await converse(socket, call)
  if (outcome === 'over') return
  const next = pcmo()
  if (outcome === 'failed') next.speak(sorry)
  if (!env.HUMAN) next.speak('Please call again later.').hangup()
  else if (/^\+?\d+$/.test(env.HUMAN)) next.bridge(env.HUMAN, { from: call.to, timeout: '30s' })
  else next.connect(env.HUMAN, { timeout: '30s' })
  socket.perform(next)
  socket.close()
  await socket.ended // what was sent has arrived
}

/** Tells your web server what became of each leg. Throw, and the record comes again later. */
export async function cdr(record: CDR) {
  if (!env.CDR_URL) return
  const reply = await fetch(env.CDR_URL, { method: 'POST', body: JSON.stringify(record), headers: { 'Content-Type': 'application/json' } })
  if (!reply.ok) throw new Error(`the CDR server answered ${reply.status}`)
}

/** Lets the AI server and the caller talk with each other until one of the outcomes. */
async function converse(socket: Stream, call: Call): Promise<Outcome> {
  const late = new Deadline(patience)
  let server: WebSocket | undefined
  try {
    const url = env.OPENAI_URL ?? 'wss://api.openai.com/v1/realtime?model=gpt-realtime'
    server = new WebSocket(url, { headers: { Authorization: `Bearer ${env.OPENAI_API_KEY ?? ''}` }, timeout: '5s' })
    await Promise.race([server.opened, socket.ended])
    return await Promise.race([hear(socket, server), talk(socket, server, late), late.missed])
  } catch (error) {
    console.error('the AI server:', error)
    return 'failed'
  } finally {
    late.end()
    server?.close()
    if (socket.dropped) console.warn(`${socket.dropped} frames were lost`)
  }
}

/** Sends what the caller says, until the stream ends. */
async function hear(socket: Stream, server: WebSocket): Promise<Outcome> {
  const up = new Resampler(line, ai)
  for await (const frame of socket) {
    if (server.readyState === WebSocket.OPEN) send(server, { type: 'input_audio_buffer.append', audio: toBase64(up.push(frame)) })
  }
  return 'over'
}

/** Plays what the AI server says, and does what it asks for. */
async function talk(socket: Stream, server: WebSocket, late: Deadline): Promise<Outcome> {
  const said = new Said(socket)
  late.begin('it does not begin')
  send(server, { type: 'session.update', session })
  for await (const message of server) {
    const event = JSON.parse(message as string)
    switch (event.type) {
      case 'session.updated':
        late.end()
        break
      case 'input_audio_buffer.speech_started': { // the caller speaks: be silent at once
        late.end()
        const cut = said.interrupt()
        if (cut) send(server, { type: 'conversation.item.truncate', content_index: 0, ...cut })
        break
      }
      case 'input_audio_buffer.speech_stopped':
        late.begin('it does not answer')
        break
      case 'response.output_audio.delta':
      case 'response.audio.delta': // as older servers call it
        late.end()
        said.play(event.item_id, event.delta)
        break
      case 'response.function_call_arguments.done':
        if ((event.name ?? transferToHuman.name) !== transferToHuman.name) break
        late.end()
        await socket.mark('the last words') // such as "I will connect you"
        return 'human'
      case 'response.done':
        late.end()
        if (event.response?.status === 'failed') throw new Error(event.response.status_details?.error?.message ?? 'a response failed')
        break
      case 'error': // a truncation that comes too late is no matter
        if (event.error?.type !== 'invalid_request_error') throw new Error(event.error?.message ?? 'an error')
        console.warn('the AI server:', event.error.message)
    }
  }
  throw new Error('it closed the connection')
}

/** What the AI server says, by its items: how much of one was heard is what it must know when it is interrupted. */
class Said {
  private item = ''
  private cut = '' // the item whose sound comes in vain
  private begun = 0 // ms of all that was played, where the item begins
  private total = 0 // ms of all that was played or waits to be

  constructor(private socket: Stream) {}

  play(item: string, sound: string) {
    if (item === this.cut) return
    if (item !== this.item) {
      this.item = item
      this.begun = this.total = Math.max(this.total, this.socket.playedMs)
    }
    this.socket.play(sound, { rate: ai })
    this.total += sound.length / 4 * 3 / 2 / ai * 1000 // base64 of samples of two bytes
  }

  /** Throws away what was not heard; where that is something, tells what was. */
  interrupt(): { item_id: string, audio_end_ms: number } | undefined {
    const heard = this.socket.playedMs
    this.socket.clear()
    if (this.total <= heard) return
    this.total = heard
    this.cut = this.item
    return { item_id: this.item, audio_end_ms: Math.max(0, Math.floor(heard - this.begun)) }
  }
}

/** A time limit for what the AI server owes. */
class Deadline {
  private timer = 0
  private miss: (error: Error) => void = () => {}
  readonly missed = new Promise<never>((_, reject) => { this.miss = reject })

  constructor(private time: number) {}

  begin(what: string) {
    this.end()
    this.timer = setTimeout(() => this.miss(new Error(`${what} within ${this.time} ms`)), this.time)
  }

  end() { clearTimeout(this.timer) }
}

const transferToHuman = {
  type: 'function',
  name: 'transfer_to_human',
  description: 'Connects the caller with a person.',
  parameters: { type: 'object', properties: {} },
}

const session = {
  type: 'realtime',
  instructions,
  output_modalities: ['audio'],
  audio: {
    input: { format: { type: 'audio/pcm', rate: ai }, turn_detection: { type: 'server_vad' } },
    output: { format: { type: 'audio/pcm', rate: ai }, voice },
  },
  tools: [transferToHuman],
  tool_choice: 'auto',
}

function send(server: WebSocket, event: object) {
  server.send(JSON.stringify(event))
}
