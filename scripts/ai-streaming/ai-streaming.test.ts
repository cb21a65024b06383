// Run it with: piopiyd test
import { test, call, expect } from 'piopiy/test'

test('the parrot says back what it heard', async () => {
  const c = await call()
  await c.streams()
  await c.says('Good morning, what a fine day it is')
  const reply = await (await c.hearsAudio()).ends()
  expect(reply.length).toBeGreaterThan(1)
  expect(reply.cut).toBe(false)
  await c.hangsUp()
})

test('who speaks again is not talked over', async () => {
  const c = await call()
  await c.says('Good morning, what a fine day it is')
  const reply = await c.hearsAudio()
  await c.says('Be quiet', { after: '500ms' })
  await reply.ends()
  expect(reply.cut).toBe(true)
  expect(reply.length).toBeLessThan(0.7)
  await c.hangsUp()
})

test('nobody speaks for half a minute', async () => {
  const c = await call()
  await c.ends()
  expect(c.ended).toMatch({ by: 'app' })
})
