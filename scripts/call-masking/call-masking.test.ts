// Run it with: piopiyd test
import { test, call, run, expect, setEnv, stubFetch } from 'piopiy/test'

setEnv({ AGENT: '14155550101', MASKING_NUMBER: '14155550100' })

test('the agent sees the masking number, and not the customer', async () => {
  const c = await call({ from: '14155550199', to: '14155550100' })
  await c.dials('14155550101').answers()
  await c.talks()
  await c.ends()
  expect(c.dialled).toMatch([{ to: '14155550101', from: '14155550100', outcome: 'answered' }])
})

test('the other way round the platform rings the agent first', async () => {
  setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret' })
  const platform = stubFetch(/telecmi\.com/, { json: { status: 'progress', request_id: 'r1' } })
  await run('connect', '14155550199')
  expect(platform.requests[0].json).toMatch({ to: 14155550101, from: 14155550100 })
})
