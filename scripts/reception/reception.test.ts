// Run it with: piopiyd test
import { test, call, expect, at, setEnv, stubFetch } from 'piopiy/test'

at('2026-11-23T10:00+05:30') // a Monday, for every test

test('sales is connected', async () => {
  const c = await call()
  await c.hears('For sales press 1')
  await c.press('1')
  await c.hears('Connecting you to sales')
  await c.dials('14155550101').busy()
  await c.dials('14155550102').answers({ talk: '30s' })
  await c.talks()
  await c.ends()
})

test('who does not choose can leave a message', async () => {
  setEnv({ CRM_URL: 'https://crm.example.com' })
  stubFetch(/\/customers\//, { json: { name: 'Asha' } })
  const messages = stubFetch('https://crm.example.com/messages', 204)
  const c = await call()
  await c.hears('Welcome back, Asha')
  await c.staysSilent()
  await c.press('9')
  await c.hears('Sorry, I did not get that')
  await c.staysSilent()
  await c.hears('leave a message')
  await c.records()
  await c.press('#', { after: '20s' })
  await c.hears('We will call you back')
  await c.ends()
  expect(messages.requests.length).toBe(1)
})

test('at night there is the machine', async () => {
  at('2026-11-23T23:00+05:30')
  const c = await call()
  await c.hears('We are closed now')
  await c.hangsUp({ after: '15s' })
  expect(c.ended).toMatch({ by: 'caller' })
})
