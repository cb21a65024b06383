package testrunner_test

import (
	"testing"

	"github.com/piopiy/piopiyd/testrunner"
)

// tries does what a test asks for and says what came of it.
const tries = `
const doing = {
  get: () => kv.get('agents'), set: () => kv.set('agents', 1), delete: () => kv.delete('agents'), has: () => kv.has('agents'),
  increment: () => kv.increment('agents'), window: () => kv.increment('agents', 1, { ttl: '1m' }), compareAndSet: () => kv.compareAndSet('agents', undefined, 1),
  update: () => kv.update('agents', n => (n ?? 0) + 1), list: () => kv.list({ prefix: 'agents' }), entries: () => kv.entries({ prefix: 'agents' }),
  always: () => kv.get('always'),
}
export async function answer(call) {
  for (const what of call.vars.tries) {
    let came
    try { came = JSON.stringify(await doing[what]()) ?? 'nothing' } catch (error) { came = error.name + ' ' + error.code + ' ' + error.message }
    await call.say(came)
  }
}`

func TestKvFails(t *testing.T) {
	const attempt = `const attempt = async (...tries) => { const c = await call({ extraParams: { tries } }); await c.ends(); return c.heard };`
	for name, body := range map[string]string{
		"every operation": `
  for (const op of ['get', 'set', 'delete', 'has', 'increment', 'compareAndSet', 'update', 'list', 'entries']) {
    const stub = stubKv('agents', { error: 'the disk is full' })
    expect(await attempt(op)).toEqual(['Error ESTORE kv.' + op + ': the store failed: the disk is full'])
    expect(stub.failed).toEqual([{ op, key: 'agents' }])
  }`,
		"a counter of a time window": `
  stubKv('agents')
  expect(await attempt('window')).toEqual(['Error ESTORE kv.increment: the store failed: it is out of reach'])`,
		"so often": `
  const stub = stubKv('agents', { times: 2 })
  const [one, two, three, four] = await attempt('increment', 'get', 'increment', 'get')
  expect(one).toContain('ESTORE')
  expect(two).toContain('ESTORE')
  expect([three, four]).toEqual(['1', '1'])
  expect(stub.failed.length).toBe(2)`,
		"one operation": `
  stubKv('agents', { on: 'set' })
  const heard = await attempt('set', 'increment', 'get')
  expect(heard[0]).toContain('kv.set: the store failed')
  expect(heard.slice(1)).toEqual(['1', '1'])`,
		"some operations": `
  stubKv(/./, { on: ['update', 'list'] })
  const heard = await attempt('update', 'list', 'has')
  expect(heard[0]).toContain('kv.update: the store failed')
  expect(heard[1]).toContain('kv.list: the store failed')
  expect(heard[2]).toBe('false')`,
		"some keys": `
  stubKv('other')
  stubKv(/^others:/g)
  expect(await attempt('increment', 'increment')).toEqual(['1', '2'])
  stubKv(/^ag/g)
  const heard = await attempt('get', 'get')
  expect(heard[0]).toContain('ESTORE')
  expect(heard[1]).toContain('ESTORE')`,
		"the newest decides": `
  stubKv('agents', { error: 'old' })
  stubKv('agents', { error: 'new', times: 1 })
  const heard = await attempt('get', 'get')
  expect(heard[0]).toContain('new')
  expect(heard[1]).toContain('old')`,
		"in the middle of a call": `
  const c = await call({ extraParams: { tries: ['increment', 'increment', 'increment'] } })
  await c.hears('1')
  stubKv('agents', { times: 1 })
  await c.hears('ESTORE')
  await c.hears('2')
  await c.ends()`,
		"not the test's own": `
  stubKv(/./)
  await kv.set('agents', 7)
  expect(await kv.get('agents')).toBe(7)
  expect((await attempt('get'))[0]).toContain('ESTORE')`,
		"what does not fit": `
  expect(() => stubKv()).toThrow('stubKv: the key must be a string or a RegExp, not undefined')
  expect(() => stubKv('')).toThrow('the key')
  expect(() => stubKv('a', { time: 1 })).toThrow('unknown option "time"; the options are error, times, on')
  expect(() => stubKv('a', { times: 0 })).toThrow('times')
  expect(() => stubKv('a', { on: 'read' })).toThrow('option "on" must be of get, set, delete')
  expect(() => stubKv('a', { on: ['get', 'put'] })).toThrow('"put"')`,
	} {
		t.Run(name, func(t *testing.T) { passes(t, tries, attempt+body) })
	}
}

// What fails in one test works in the next; what fails at the top of the file does in all.
func TestKvStubsEndWithTheirTest(t *testing.T) {
	const two = `import { test, call, expect, stubKv } from 'piopiy/test'
stubKv('always')
const heard = async what => { const c = await call({ extraParams: { tries: [what] } }); await c.ends(); return c.heard[0] }
test('fails', async () => { stubKv('agents'); expect(await heard('get')).toContain('ESTORE') })
test('works', async () => { expect(await heard('get')).toBe('nothing'); expect(await heard('always')).toContain('ESTORE') })
`
	report, err := testrunner.Run(t.Context(), options(t, map[string]string{"app.ts": tries, "app.test.ts": two}))
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 2 {
		t.Errorf("%d results", len(report.Results))
	}
	for _, r := range report.Results {
		if r.Status != testrunner.Passed {
			t.Errorf("%s: %s", r.Name, r.Problems)
		}
	}
}

// A caller who hangs up ends what the app fetches for the call, at once.
func TestFetchesEndWithTheHangUp(t *testing.T) {
	for name, test := range map[string]struct{ options, want string }{
		"a fetch":   {`{}`, "HangupError of the caller after 1.3"},
		"keepalive": {`{ keepalive: true }`, "slow after 5"},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, `
export async function answer(call) {
  await call.say('One moment')
  const began = Date.now()
  let came
  try { came = await (await fetch('https://h/slow', `+test.options+`)).text() } catch (error) { came = error.name + ' of the ' + error.by }
  await kv.set('came', came + ' after ' + (Date.now() - began) / 1000)
  await kv.set('then', await (await fetch('https://h/slow')).text())
}`, `
  const slow = stubFetch('https://h/slow', { body: 'slow', delay: '5s' })
  const c = await call()
  await c.hears('One moment')
  await c.hangsUp({ after: '2s' })
  await wait('20s')
  expect(await kv.get('came')).toBe('`+test.want+`')
  expect(await kv.get('then')).toBe('slow')
  expect(slow.requests.length).toBe(2)`)
		})
	}
}

// What event and cdr fetch is not cut.
func TestFetchesOfReportsOutliveTheHangUp(t *testing.T) {
	passes(t, `
export async function answer(call) {
  await call.say('One moment')
  await call.pause('5s')
}
export async function event(e) { if (e.status === 'answered') await kv.set('told', await (await fetch('https://h/slow')).text()) }
export async function cdr(record) { await kv.set('recorded', await (await fetch('https://h/slow')).text()) }`, `
  stubFetch('https://h/slow', { body: 'slow', delay: '5s' })
  const c = await call()
  await c.hears('One moment')
  await c.hangsUp({ after: '1s' })
  await wait('20s')
  expect(await kv.get('told')).toBe('slow')
  expect(await kv.get('recorded')).toBe('slow')`)
}
