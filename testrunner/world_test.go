package testrunner_test

import (
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/testrunner"
)

const crm = `
import { kv } from 'piopiy/kv'
export async function answer(call) {
  await call.say('Welcome to ' + env.NAME + ' at ' + new Date().toISOString())
  try {
    const reply = await fetch('https://crm.example.com/customers/' + call.from, { timeout: '3s', headers: { 'X-Key': 'k' } })
    await call.say(reply.ok ? 'Hello ' + (await reply.json()).name : 'Status ' + reply.status)
  } catch (error) {
    await call.say('Error ' + error.name)
  }
  const n = await kv.increment('calls', 1, { ttl: '10m' })
  await call.say('Call ' + n)
}
export async function cdr(record, call) {
  await fetch('https://crm.example.com/cdrs', { method: 'POST', body: JSON.stringify({ leg: record.leg }) })
}`

func TestWorld(t *testing.T) {
	passes(t, crm, `
  at('2026-11-23T09:00+05:30')
  setEnv({ NAME: 'Other' })
  const cdrs = stubFetch('https://crm.example.com/cdrs', 204)
  const customers = stubFetch(/customers\/\d+$/, async request => ({ json: { name: request.headers['x-key'] + request.url.slice(-4) } }))
  const c = await call('app', { from: '14155550100' })
  await c.hears('Welcome to Other at 2026-11-23T03:30:00.')
  await c.hears('Hello k0100')
  await c.hears('Call 1')
  await c.ends()
  expect(customers.requests).toMatch([{ method: 'GET', body: '' }])
  expect(cdrs.requests.map(r => r.json)).toEqual([{ leg: 'a' }])
  stubFetch(/customers/, { status: 503 })
  const d = await call()
  await d.hears('Status 503')
  await d.hears('Call 2')
  await d.ends()
  stubFetch(/customers/, { delay: '4s', body: 'late' })
  await wait('20m')
  const e = await call()
  await e.hears('Error TimeoutError')
  await e.hears('Call 1')
  stubFetch(/customers/, { error: 'ECONNREFUSED' })
  const f = await call()
  await f.hears('Error TypeError')
  stubFetch(/customers/, () => new Response('{"name":"Ann"}'))
  await (await call()).hears('Hello Ann')
  expect(await require('piopiy/kv').kv.get('calls')).toBe(2)`)
}

func TestWorldIsNewForEachTest(t *testing.T) {
	source := `import { test, call, expect, stubFetch, setEnv } from 'piopiy/test'
let seen = 0
setEnv({ NAME: 'Top' })
stubFetch(/crm/, { json: { name: 'Ann' } })
for (const name of ['one', 'two']) test(name, async () => {
  expect(++seen).toBe(1)
  const c = await call()
  await c.hears('Welcome to Top at 2026-01-05T09:00')
  await c.hears('Call 1')
  setEnv({ NAME: undefined })
  await c.ends()
  await (await call()).hears('Welcome to undefined')
})`
	report, err := testrunner.Run(t.Context(), options(t, map[string]string{"app.ts": crm, "app.test.ts": source}))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Status != testrunner.Passed {
			t.Errorf("%s: %s\n%s", r.Name, strings.Join(r.Problems, "\n"), transcripts(r))
		}
	}
	if len(report.Results) != 2 {
		t.Errorf("%d results", len(report.Results))
	}
}

func TestFetchWithoutAStub(t *testing.T) {
	fails(t, crm, `await (await call('app', { from: '14155550100' })).ends()`,
		"app.ts:6:31: the app fetched GET https://crm.example.com/customers/14155550100, which has no stub: add stubFetch(")
	fails(t, crm, `stubFetch(/crm/, () => { throw new Error('broken stub') }); await (await call()).ends()`, "Error: broken stub", "app.test.ts:3:")
	fails(t, crm, `stubFetch(/crm/, { code: 1 }); await (await call()).ends()`, `unknown "code" in the reply`)
}

func TestCallees(t *testing.T) {
	app := `export async function answer(call) { const leg = await call.dial(['14155550101'], { timeout: '10s', machineDetection: call.from === '1' }); await call.say(leg.status + ' ' + leg.cause) }`
	passes(t, app, `
  for (const [becomes, heard] of [['busy', 'USER_BUSY'], ['noAnswer', 'NO_ANSWER'], ['rejects', 'CALL_REJECTED'], ['unreachable', 'missed'], ['answers', 'answered'], ['voicemail', 'answered']]) {
    const c = await call()
    await c.dials('14155550101')[becomes]()
    await c.hears(heard)
    await c.ends()
  }
  const m = await call('app', { from: '1' })
  await m.dials('14155550101').voicemail()
  await m.hears('missed MACHINE_DETECTED')
  await m.ends()
  const d = await call('app', { callees: { '+14155550101': 'busy' } })
  await d.dials()
  await d.hears('USER_BUSY')`)
}

func TestKindsOfCalls(t *testing.T) {
	for name, test := range map[string]struct{ app, body string }{
		"words": {`export async function answer(call) { const { speech } = await call.gather({ say: 'Which city?', speech: true }); await call.say('You said ' + speech) }`, `
  const c = await call()
  await c.hears('Which city')
  await c.says('Chennai')
  await c.hears('You said Chennai')`},
		"outbound": {`export async function answer(call) { await call.say(call.direction + ' ' + call.vars.order) }`, `
  const c = await call({ direction: 'outbound', extraParams: { order: 'A1' } })
  await c.hears('outbound A1')`},
		"conference": {`export async function answer(call) { await call.conference('room') }`, `
  const c = await call()
  await c.joins('room')
  expect((await c.hangsUp({ after: '90m' })).by).toBe('caller')`},
		"stream": {`export async function answer(call) { await call.stream('wss://ai.example.com/x'); await call.pause('20s') }`, `
  const c = await call()
  await c.streams(/ai.example.com/)
  await c.hangsUp()`},
		"refer": {`export async function answer(call) { await call.answer(); await call.refer('14155550109') }`, `
  const c = await call()
  await c.refers('+14155550109')`},
		"fault policy": {`export async function answer(call) { throw new Error('no') }`, `
  const c = await call({ allowFaults: true })
  expect((await c.ends()).error).toMatch('no')`},
		"barge-in": {menu, `
  const c = await call()
  await c.hears('Sales')
  await c.press('2', { after: '1s' })
  await c.hears('Thank you')
  expect(c.transcript.find(e => e.kind === 'pressed').barged_in).toBe(true)`},
		"type-ahead": {`export async function answer(call) { await call.say('Welcome to us'); const { digits } = await call.gather({ say: 'Which number?', maxDigits: 4, timeout: '5s' }); await call.say('Got ' + digits) }`, `
  const c = await call()
  await c.press('12', { after: '100ms' })
  await c.press('34')
  await c.hears('Got 1234')`},
		"two at once": {menu, `
  const [a, b] = await Promise.all([call({ from: '1' }), call({ from: '2' })])
  await Promise.all([a.press('2'), b.press('1')])
  await b.dials('14155550101')
  await a.hears('Thank you')
  await b.talks()
  expect([a.ended.by, b.ended]).toEqual(['app', undefined])`},
		"time": {menu, `
  const began = Date.now()
  await wait('90s')
  expect(Date.now() - began).toBe(90000)
  await new Promise(done => setTimeout(done, 1000))
  expect(() => at('nonsense')).toThrow(/must be a text/)
  const c = await call()
  expect(() => at('2026-11-23T09:00+05:30')).toThrow('under way')
  await c.ends()
  expect(c.ended).not.toMatch({ by: 'caller' })`},
	} {
		t.Run(name, func(t *testing.T) { passes(t, test.app, test.body) })
	}
}
