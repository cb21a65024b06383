package testrunner_test

import "testing"

// dialer has the platform place its calls, in the words of the npm SDK.
const dialer = `
import { Piopiy, PiopiyAction } from 'piopiy'
const client = new Piopiy(2222222, 's3cret')
export async function connect(to, agent) {
  const reply = await client.voice.call(to, 14155550100, agent, { duration: 60, timeout: 20, loop: 1 })
  return reply.request_id
}
export async function play(to) {
  const action = new PiopiyAction()
  action.playMusic('https://example.com/hello.wav')
  return client.voice.call(to, 14155550100, action.PCMO(), { extra_params: { order: 'A1' } })
}
export const ask = (to, url) => client.voice.create(to, 14155550100, url, 300)
export async function answer(call) { await call.say('You asked for ' + call.direction) }
export async function cdr(record) { await kv.set(record.leg + record.to, record.status) }`

func TestPlatform(t *testing.T) {
	for name, body := range map[string]string{
		"a bridge": `
  expect(await run('connect', 14155550199, 14155550101)).toMatch(/./)
  const c = await callTo('14155550199').answers()
  await c.dials('14155550101').answers({ talk: '2m' })
  await c.talks()
  await c.ends()
  expect(c.ended.after).toBe(63) // the limit of a minute, after the ringing
  expect(await kv.get('a14155550199')).toBe('answered')`,
		"a document": `
  await run('play', 14155550199)
  const c = await callTo().answers()
  await c.hears('hello.wav')`,
		"an answer hook": `
  await run('ask', 14155550199, 'https://calls.example.com/hooks/app/answer')
  await (await callTo().answers()).hears('You asked for outbound')
  await run('ask', 14155550199, 'https://calls.example.com/hooks/its-name-elsewhere/answer?x=1')
  await (await callTo().answers()).hears('You asked for outbound')`,
		"nobody answers": `
  await run('connect', 14155550199, 14155550101)
  const c = await callTo('14155550199').noAnswer()
  await c.ends()
  expect(await kv.get('a14155550199')).toBe('missed')`,
		"a stub comes first": `
  const platform = stubFetch(/telecmi/, { status: 402, json: { error: 'no credit' } })
  const error = await run('connect', 14155550199, 14155550101).catch(error => error)
  expect(error.message).toMatch('402')
  expect(platform.requests.length).toBe(1)`,
	} {
		t.Run(name, func(t *testing.T) { passes(t, dialer, "const { kv } = require('piopiy/kv')\n"+body) })
	}
}
