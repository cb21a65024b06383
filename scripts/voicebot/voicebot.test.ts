// Run it with: piopiyd test
import { test, call, expect, setEnv, stubFetch, stubWebSocket } from 'piopiy/test'
import { energy, samplesFromBase64, toBase64, tone } from 'piopiy/audio'

const url = 'wss://ai.example.com/v1/realtime'
setEnv({ OPENAI_URL: url, OPENAI_API_KEY: 'sk-test', HUMAN: '14155550100', CDR_URL: 'https://crm.example.com/cdr' })

/** An AI server that hears speech by its energy. It answers with 10 s of a tone, and the second time with a function call. */
function aiServer(functionCall = { type: 'response.function_call_arguments.done', name: 'transfer_to_human', arguments: '{}' }) {
  let quiet = 0, speaking = false, answers = 0
  return stubWebSocket(url, ({ json }, socket) => {
    if (json.type === 'session.update') return { type: 'session.updated' }
    if (json.type !== 'input_audio_buffer.append') return
    const loud = energy(samplesFromBase64(json.audio)) > -40
    quiet = loud ? 0 : quiet + 1
    if (loud && !speaking) {
      speaking = true
      return { type: 'input_audio_buffer.speech_started' }
    }
    if (!speaking || quiet < 25) return
    speaking = false
    socket.send({ type: 'input_audio_buffer.speech_stopped' })
    if (++answers === 2) return functionCall
    socket.send({ type: 'response.output_audio.delta', item_id: 'answer', delta: toBase64(tone(440, '10s', 24000)) }, { after: '300ms' })
    socket.send({ type: 'response.done', response: { status: 'completed' } }, { after: '300ms' })
  })
}

test('the caller interrupts the bot and asks for a person', async () => {
  const ai = aiServer()
  const cdrs = stubFetch('https://crm.example.com/cdr', 204)
  const c = await call()
  await c.hears('Welcome to Acme')
  await c.streams()
  await c.says('What are your opening hours, please?')
  const answer = await c.hearsAudio()
  await c.says('I want to talk to a person!', { after: '5s' })
  expect(answer.cut).toBe(true) // silent at once, not after 10 s
  expect(answer.length).toBeLessThan(5.1)
  const { json } = await ai.receives({ type: 'conversation.item.truncate' })
  expect(json).toMatch({ item_id: 'answer', content_index: 0 })
  expect(Math.abs(json.audio_end_ms - answer.length * 1000)).toBeLessThan(50)
  await c.dials('14155550100').answers({ talk: '5m' })
  await c.talks()
  await c.ends()
  expect(ai.sockets.length).toBe(1)
  expect(ai.sockets[0].headers.authorization).toBe('Bearer sk-test')
  expect(ai.sockets[0].closed).toMatch({ by: 'app' })
  expect(cdrs.requests.map(r => r.json.leg + ' ' + r.json.status).sort()).toEqual(['a answered', 'b answered'])
})

test('another function is no transfer', async () => {
  stubFetch('https://crm.example.com/cdr', 204)
  aiServer({ type: 'response.function_call_arguments.done', name: 'something_else', arguments: '{}' })
  const c = await call()
  await c.streams()
  await c.says('One')
  await c.says('Two', { after: '5s' })
  await c.hears('Sorry, I cannot help you') // for the server owes an answer
  await c.dials('14155550100').busy()
  await c.hears('Nobody can talk to you now')
  await c.ends()
})

test('without the AI server there is a person', async () => {
  stubFetch('https://crm.example.com/cdr', 204)
  stubWebSocket(url, { refuse: 401 })
  const c = await call()
  await c.hears('Sorry, I cannot help you')
  await c.dials('14155550100').answers()
  await c.ends()
})

test('with neither there is an apology', async () => {
  setEnv({ HUMAN: undefined })
  stubFetch('https://crm.example.com/cdr', 204)
  stubWebSocket(url) // it takes everything and says nothing
  const c = await call()
  await c.hears('Sorry, I cannot help you')
  await c.hears('call again later')
  await c.ends()
})

test('a person takes over when the AI server breaks off', async () => {
  stubFetch('https://crm.example.com/cdr', 204)
  const ai = aiServer()
  const c = await call()
  await c.says('Hello?', { after: '5s' })
  await c.hearsAudio()
  ai.sockets[0].drop({ after: '1s' })
  await c.hears('Sorry, I cannot help you')
  await c.dials('14155550100').answers()
  await c.ends()
})

test('a person takes over when the AI server has an error', async () => {
  stubFetch('https://crm.example.com/cdr', 204)
  const events = [
    { type: 'error', error: { type: 'server_error', message: 'overloaded' } },
    { type: 'response.done', response: { status: 'failed', status_details: { error: { message: 'out of money' } } } },
  ]
  for (const event of events) {
    stubWebSocket(url, ({ json }) => json.type === 'session.update' ? event : undefined)
    const c = await call()
    await c.hears('Sorry, I cannot help you')
    await c.dials('14155550100').answers()
    const { after } = await c.ends()
    expect(after).toBeLessThan(40)
  }
})

test('the caller hangs up while the bot talks', async () => {
  const ai = aiServer()
  const cdrs = stubFetch('https://crm.example.com/cdr', 204)
  const c = await call()
  await c.streams()
  await c.says('Hello?')
  await c.hangsUp({ after: '4s' })
  expect(ai.sockets[0].closed).toMatch({ by: 'app' })
  expect(cdrs.requests.length).toBe(1)
})
