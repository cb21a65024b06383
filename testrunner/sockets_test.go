package testrunner_test

import "testing"

// assistant talks with an AI server for the caller.
const assistant = `
export async function answer(call) {
  await call.say('Hello.')
  const ai = new WebSocket('wss://ai.example.com/realtime?model=x', { headers: { Authorization: 'Bearer k' }, protocols: ['realtime', 'v2'], timeout: '3s' })
  try {
    await ai.opened
  } catch (error) {
    return call.say('No AI: ' + error.code + ', ' + error.message)
  }
  ai.send(JSON.stringify({ type: 'session.update', protocol: ai.protocol }))
  ai.send(new Uint8Array([1, 2, 3]))
  try {
    for await (const message of ai) {
      if (typeof message !== 'string') { await call.say('Bytes ' + new Uint8Array(message).join()); continue }
      const { type, text } = JSON.parse(message)
      if (type === 'bye') ai.close(3001, 'bye')
      else await call.say(text)
    }
    await call.say('Closed')
  } catch (error) {
    await call.say('Broken ' + error.code)
  }
}
`

func TestWebSockets(t *testing.T) {
	for name, body := range map[string]string{
		"a conversation": `
  const ai = stubWebSocket('wss://ai.example.com/realtime', {
    protocol: 'realtime',
    open: socket => socket.send({ type: 'say', text: 'I am here.' }),
    async message({ json, data }, socket) {
      if (data) return new Uint8Array([...data, 4])
      expect(json).toEqual({ type: 'session.update', protocol: 'realtime' })
      socket.send('{"type":"say","text":"Updated."}', { after: '9s' })
    },
  })
  const c = await call()
  const socket = await ai.opens()
  expect(socket.headers.authorization).toBe('Bearer k')
  expect(socket.protocols).toEqual(['realtime', 'v2'])
  expect(socket.url).toBe('wss://ai.example.com/realtime?model=x')
  const update = await ai.receives({ type: 'session.update' })
  expect(update.text).toContain('session.update')
  expect((await socket.receives(m => m.data)).toString()).toBe('[object Object]')
  await c.hears('I am here')
  await c.hears('Bytes 1,2,3,4')
  await c.hears('Updated')
  socket.send({ type: 'bye' })
  expect(await socket.closes()).toEqual({ by: 'app', code: 3001, reason: 'bye' })
  await c.hears('Closed')
  await c.ends()
  expect(ai.received.length).toBe(2)
  expect(ai.sockets).toEqual([socket])`,
		"a function answers messages": `
  const ai = stubWebSocket(/ai\.example/, m => m.json && { type: 'say', text: 'Yes.' })
  const c = await call()
  await c.hears('Yes')
  ai.sockets[0].close(1001, 'off', { after: '5s' })
  await c.hears('Closed')
  expect(ai.sockets[0].closed).toEqual({ by: 'stub', code: 1001, reason: 'off' })`,
		"it drops": `
  const ai = stubWebSocket(/ai/)
  const c = await call()
  ;(await ai.opens()).drop()
  await c.hears('Broken ECONNRESET')`,
		"it refuses": `
  stubWebSocket(/ai/, { refuse: 401 })
  await (await call()).hears('No AI: EHANDSHAKE, WebSocket: ai.example.com: the server answered 401 Unauthorized')
  stubWebSocket(/ai/, { refuse: 'ECONNREFUSED' })
  await (await call()).hears('No AI: ECONNREFUSED')
  stubWebSocket(/ai/, { refuse: ({ headers }) => headers.authorization === 'Bearer k' ? undefined : 403 })
  const c = await call()
  await c.hangsUp({ after: '2s' })
  expect(c.heard).toEqual(['Hello.'])`,
		"it is slow": `
  stubWebSocket(/ai/, { delay: '4s' })
  await (await call()).hears('No AI: ETIMEDOUT')`,
		"the call ends first": `
  const ai = stubWebSocket(/ai/)
  const c = await call()
  const socket = await ai.opens()
  await c.hangsUp()
  expect(await socket.closes({ within: '1m' })).toMatch({ by: 'app', code: 1001 })`,
		"a flood": `
  const ai = stubWebSocket(/ai/, { open(socket) { for (let i = 0; i < 400; i++) socket.send({ type: 'say', text: 'Word ' + i }); socket.send({ type: 'bye' }) } })
  const c = await call()
  await c.hears('Word 399')
  await c.hears('Closed')`,
	} {
		t.Run(name, func(t *testing.T) { passes(t, assistant, body) })
	}
}

func TestWebSocketsFail(t *testing.T) {
	for name, test := range map[string]struct{ body, why string }{
		"no stub":         {"await (await call()).ends()", "app.ts:4:14: the app opened a WebSocket to wss://ai.example.com/realtime?model=…, which has no stub: add stubWebSocket('wss://ai.example.com/realtime"},
		"not sent":        {"const ai = stubWebSocket(/ai/)\nconst c = await call()\nawait ai.receives({ type: 'other' })", "app.test.ts:5:"},
		"what was sent":   {"const ai = stubWebSocket(/ai/)\nconst c = await call()\nawait ai.receives({ type: 'other' })", `did not send {"type":"other"} to /ai/ within two hours; it sent {"type":"session.update","protocol":""}, "3 bytes"`},
		"too late":        {"const ai = stubWebSocket(/ai/)\nawait ai.opens({ within: '5s' })", "app.test.ts:4:16: AssertionError: the app did not open a WebSocket to /ai/ within 5s"},
		"forgotten await": {"const ai = stubWebSocket(/ai/, { open: s => s.drop() })\nai.receives('never')\nawait (await call()).ends()", "before the test was over"},
		"the stub throws": {"stubWebSocket(/ai/, { open() { throw new Error('bad stub') } })\nawait (await call()).hangsUp()", "the stub of wss://ai.example.com/realtime?model=… failed: app.test.ts:3:"},
		"it rejects":      {"stubWebSocket(/ai/, async () => { throw new Error('bad stub') })\nawait (await call()).hangsUp()", "Error: bad stub"},
		"a bad refusal":   {"stubWebSocket(/ai/, { refuse: 200 })\nawait (await call()).hangsUp()", `"refuse" must be an HTTP status from 300 to 599`},
		"a bad code":      {"const ai = stubWebSocket(/ai/)\nawait call()\n;(await ai.opens()).close(99)", "app.test.ts:5:27: TypeError: socket.close: the code must be from 1000 to 4999, not 99"},
		"a bad time":      {"await stubWebSocket(/ai/).opens({ within: 'x' })", "within or after: it must be a time: milliseconds, or text such as"},
		"a bad option":    {"stubWebSocket(/ai/, { opened() {} })", `unknown "opened"; there are open, message, close, refuse, protocol and delay`},
		"no JSON":         {"stubWebSocket(/ai/, { open: s => s.send(() => 1) })\nawait (await call()).hangsUp()", "socket.send: a function is neither text, bytes nor"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, assistant, test.body, test.why) })
	}
}
