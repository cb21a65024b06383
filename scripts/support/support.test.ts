// Run it with: piopiyd test
import { test, call, expect, at } from 'piopiy/test'

at('2026-11-23T10:00+05:30') // a Monday, when the line is open

test('the team that was chosen rings together', async () => {
  const c = await call({ to: '14155550100' })
  await c.hears('For sales press 1')
  await c.press('2')
  await c.hears('Connecting you to support')
  await c.dials('14155550103').noAnswer()
  await c.dials('14155550104').answers({ after: '5s', talk: '12m' })
  await c.talks()
  await c.ends()
  expect(c.dialled).toMatch([{ from: '14155550100', outcome: 'missed' }, { outcome: 'answered' }])
})

test('three mistakes lead to voicemail', async () => {
  const c = await call()
  await c.press('9')
  await c.hears('I did not get that')
  await c.staysSilent()
  await c.hears('I did not get that')
  await c.press('#')
  await c.hears('leave a message')
  await c.hangsUp({ after: '30s' })
  expect(c.recordings.length).toBe(1)
})

test('on Sunday nobody is there', async () => {
  at('2026-11-22T10:00+05:30')
  const c = await call()
  await c.hears('We are closed now')
  await c.records()
  await c.hangsUp({ after: '20s' })
})
