package testrunner_test

import "testing"

// parrot says back what the caller says, and talks of itself when a key is pressed.
const parrot = `
import { pcmo } from 'piopiy/pcmo'
export function answer(call) {
  return pcmo().stream(call.streamUrl, { listen: 'caller', rate: 8000 })
}
export async function stream(socket, call) {
  let said = []
  socket.on('dtmf', async digit => {
    socket.play(new Int16Array(8000 * 10))
    console.log(digit + ' ' + await socket.mark('end'))
  })
  let quiet = 0
  for await (const frame of socket) {
    if (frame.some(sample => Math.abs(sample) > 1000)) {
      if (said.length === 0) socket.clear()
      said.push(frame)
      quiet = 0
    } else if (said.length > 0 && ++quiet === 20) {
      for (const one of said) socket.play(one)
      said = []
    }
  }
}`

func TestStreamsOfATest(t *testing.T) {
	for name, body := range map[string]string{
		"the caller is heard, and hears": `
  const c = await call()
  await c.streams()
  await c.says('Good morning, parrot')
  const reply = await c.hearsAudio()
  expect(reply.over).toBe(false)
  await reply.ends()
  expect(reply).toMatch({ over: true, cut: false })
  expect(reply.length).toBeGreaterThan(0.5)
  expect(reply.length).toBeLessThan(2)
  await c.hangsUp()`,
		"the app is faster than the caller": `
  const c = await call()
  await c.press('5')
  await c.hearsAudio()
  await c.says('This takes a while to say, and the sound is cut off at its beginning', { after: '1s' })
  const next = await c.hearsAudio()
  expect(next.began).toBeGreaterThan(5)
  await c.hangsUp()`,
		"the caller interrupts": `
  const c = await call()
  await c.press('5', { after: '1s' })
  const long = await c.hearsAudio()
  await c.says('Stop it', { after: '3s' })
  await long.ends()
  expect(long.cut).toBe(true)
  expect(long.length).toBeGreaterThan(2.9)
  expect(long.length).toBeLessThan(3.2)
  await c.hangsUp({ after: '10s' })`,
		"nobody interrupts": `
  const c = await call()
  await c.press('5')
  expect(await (await c.hearsAudio()).ends()).toMatch({ cut: false, length: 10 })
  await c.hangsUp({ after: '1m' })`,
		"the stream ends first": `
  const c = await call()
  await c.press('5')
  const long = await c.hearsAudio()
  await c.hangsUp({ after: '2s' })
  expect(long).toMatch({ over: true, cut: true, length: 2 })`,
	} {
		t.Run(name, func(t *testing.T) { passes(t, parrot, body) })
	}
	fails(t, parrot, "const c = await call()\nc.hangsUp({ after: '4s' })\nawait c.hearsAudio()", "app.test.ts:5:20: AssertionError: the caller heard no audio of a stream; the caller hung up after 4s")
}

// The stub of a WebSocket is the server of a stream, too.
func TestStreamsToAServer(t *testing.T) {
	app := `
import { pcmo } from 'piopiy/pcmo'
export function answer(call) {
  return pcmo().stream('wss://ai.example.com/call?key=s3cret', { listen: 'caller', rate: 16000 })
}
export function event(e) { console.log(e.status) }`
	passes(t, app, `
  let loud = 0
  const ai = stubWebSocket('wss://ai.example.com/call', {
    open: socket => ({ type: 'streamAudio', data: { audioDataType: 'raw', sampleRate: 8000, audioData: toBase64(tone(440, '2s', 8000)) } }),
    message({ data }) { if (data && new Int16Array(data.buffer).some(sample => Math.abs(sample) > 1000)) loud++ },
  })
  const c = await call()
  const { json } = await ai.receives({ event: 'start' })
  expect(json).toMatch({ call: c.id, from: c.from, rate: 16000 })
  expect((await ai.receives(m => m.data)).data.length).toBe(640)
  expect(await (await c.hearsAudio()).ends()).toMatch({ length: 2, cut: false })
  await c.says('Is anybody there?')
  expect(loud).toBeGreaterThan(20)
  ai.sockets[0].close(1000, 'done')
  expect(await c.ends()).toMatch({ by: 'app', after: 4 })
  const d = await call()
  await ai.opens()
  const second = await ai.opens()
  second.send([{ action: 'hangup' }], { after: '5s' })
  await d.ends()
  expect(second.closed).toMatch({ by: 'app' })`)
	fails(t, app, "stubWebSocket(/ai/, { refuse: 503 })\nconst c = await call()\nawait c.ends()", "wss://ai.example.com/call?key=… opened no WebSocket: the server answered 503")
}

func TestWhatATestSees(t *testing.T) {
	passes(t, `export async function answer(call) {
  await call.dial(['14155550101', '14155550102', '14155550103'], { timeout: '10s', callerId: '14155550100' })
  const m = await call.record({ say: 'Speak', maxLength: '20s' })
  await call.say('Thanks for ' + m.duration)
  await call.record({ maxLength: '1h' })
}`, `
  const c = await call('app', { callees: { '14155550101': 'busy', '14155550102': { talk: '5s' } } })
  await c.hears('Thanks for 20')
  expect(c.recordings).toMatch([{ duration: 20 }])
  await c.hangsUp({ after: '30m' })
  expect(c.recordings).toMatch([{ duration: 20 }, { duration: 1798.7 }])
  expect(c.dialled).toEqual([
    { to: '14155550101', from: '14155550100', outcome: 'missed', cause: 'USER_BUSY' },
    { to: '14155550102', from: '14155550100', outcome: 'answered' },
  ])
  expect(c.heard).toEqual(['Speak', 'tone:1000/400', 'Thanks for 20', 'tone:1000/400'])`)
	fails(t, menu, "const c = await call()\nawait c.press('2')\nawait c.hears('Goodbye')", "did not hear “Goodbye”; the app hung up after 4s\nheard instead: “Thank you.”")
}
