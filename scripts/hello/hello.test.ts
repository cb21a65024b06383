// Run it with: piopiyd test
import { test, call, expect } from 'piopiy/test'

test('whoever calls hears a greeting', async () => {
  const c = await call({ from: '14155550100', to: '14155550199' })
  await c.hears('Hello. You called 14155550199 from 14155550100.')
  await c.ends()
  expect(c.ended).toMatch({ by: 'app' })
})
