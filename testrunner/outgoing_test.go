package testrunner_test

import "testing"

// reminder places calls: from a call, and from a function.
const reminder = `
import { calls } from 'piopiy/calls'
export async function answer(call) {
  if (call.direction === 'outbound') {
    const { digits } = await call.gather({ say: 'Your table is booked, ' + call.vars.name + '. To cancel, press 9.', timeout: '5s' })
    await call.say(digits === '9' ? 'Cancelled.' : 'See you.')
    return
  }
  const { id } = await calls.make({ to: '14155550177', from: call.to, extraParams: { name: 'Ada' }, timeout: '20s' })
  await call.say('Calling, ' + calls.list().length + ' calls')
  while (calls.get(id)) await call.play('music.wav')
  await call.say('It is over')
}
export async function remind(to, name) {
  const { id } = await calls.make({ to, from: '14155550100', extraParams: { name } })
  return { id, to }
}
export async function quick(to) {
  await calls.make({ to, pcmo: [{ action: 'speak', text: 'Hello from a document.' }] })
}
export const nothing = () => undefined
export const none = () => null
export async function fail() { throw new Error('no luck') }
export async function cdr(record) {
  if (record.status === 'missed') console.log('missed ' + record.to)
  await kv.set('cdr:' + record.to, record.status)
}`

func TestCallsThatAppsPlace(t *testing.T) {
	for name, body := range map[string]string{
		"from a function": `
  const { to } = await run('remind', '+14155550177', 'Bob')
  expect(to).toBe('+14155550177')
  const c = await callTo('+14155550177').answers({ after: '8s' })
  expect(c).toMatch({ from: '14155550100', to: '14155550177', app: 'app' })
  await c.hears('Your table is booked, Bob')
  await c.press('9')
  await c.hears('Cancelled')
  await c.ends()
  expect(c.ended.by).toBe('app')`,
		"expected before it is placed": `
  const coming = callTo(/0177$/).busy()
  await run('remind', '14155550177', 'Bob')
  const c = await coming
  expect(await c.ends()).toMatch({ by: 'caller', cause: 'USER_BUSY' })
  expect(await kv.get('cdr:14155550177')).toBe('missed')`,
		"from a call": `
  const c = await call()
  const other = await callTo('14155550177').noAnswer()
  await c.hears('Calling, 2 calls')
  expect((await other.ends()).cause).toBe('NO_ANSWER')
  expect(other.ended.after).toBe(20)
  await c.hears('It is over')`,
		"all that may become of one": `
  for (const [becomes, cause, status] of [['rejects', 'CALL_REJECTED', 'missed'], ['unreachable', 'NO_ROUTE_DESTINATION', 'missed'], ['voicemail', 'NORMAL_CLEARING', 'answered'], ['answers', 'NORMAL_CLEARING', 'answered']]) {
    await run('remind', '14155550177', 'Bob')
    const c = await callTo()[becomes]()
    expect((await c.ends()).cause).toBe(cause)
    expect(await kv.get('cdr:14155550177')).toBe(status)
  }`,
		"the party hangs up": `
  await run('remind', '14155550177', 'Bob')
  const c = await callTo().answers({ talk: '2s' })
  expect(await c.ends()).toMatch({ by: 'caller', after: 5 })`,
		"two at once": `
  await Promise.all([run('remind', '1415', 'A'), run('remind', '1416', 'B')])
  const [b, a] = await Promise.all([callTo('1416').answers(), callTo('1415').answers()])
  await Promise.all([a.hears('booked, A'), b.hears('booked, B')])`,
		"a document": `
  await run('quick', '14155550177')
  await (await callTo()).hears('Hello from a document')`,
		"nobody has expected it": `
  await run('remind', '14155550177', 'Bob')`,
		"functions": `
  expect(await run('nothing')).toBeUndefined()
  expect(await run('none')).toBe(null)
  expect(await run('app/remind', '1', 'x')).toMatch({ to: '1' })
  const error = await run('fail').catch(error => error)
  expect(error.message).toMatch('no luck')`,
		"placed by the platform": `
  const c = await call({ direction: 'outbound', to: '14155550188', party: 'busy', extraParams: { name: 'Eve' } })
  await c.ends()
  expect(await kv.get('cdr:14155550188')).toBe('missed')
  const d = await call({ direction: 'outbound', party: { after: '4s' }, extraParams: { name: 'Eve' } })
  await d.hears('booked, Eve')
  expect(d.transcript.find(e => e.kind === 'answered').at).toBe(4)`,
	} {
		t.Run(name, func(t *testing.T) { passes(t, reminder, "const { kv } = require('piopiy/kv')\n"+body) })
	}
}

func TestCallsThatAppsPlaceFail(t *testing.T) {
	for name, test := range map[string]struct{ body, why string }{
		"not placed":     {"await callTo('1415').answers()", "app.test.ts:3:14: AssertionError: no app placed a call to “1415” within two hours"},
		"not awaited":    {"callTo('1415').busy()\nawait run('nothing')", "no app placed a call to “1415” before the test was over"},
		"no function":    {"await run('no')", `the app "app" exports no function "no"; there are: answer, cdr, fail, none, nothing, quick, remind`},
		"no app":         {"await run('desk/no')", `there is no app "desk"`},
		"it throws":      {"await run('fail')", "app.ts:23:38: Error: no luck"},
		"a wrong option": {"await callTo('1415').busy({ talk: '3s' })", `callTo.busy: unknown option "talk"`},
		"no outbound":    {"await call({ party: 'busy' })", "add direction: 'outbound'"},
		"nobody asks it": {"await run('remind', '1415', 'x')\nconst c = await callTo().answers()\nawait c.hears('Goodbye')", "the caller did not hear “Goodbye”; the app hung up"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, reminder, test.body, test.why) })
	}
}
