// Run it with: piopiyd test
import { test, call, run, callTo, expect, setEnv } from 'piopiy/test'

setEnv({ AGENT: '14155550101', MASKING_NUMBER: '14155550100' })

test('the agent sees the masking number, and not the customer', async () => {
  const c = await call({ from: '14155550199', to: '14155550100' })
  await c.dials('14155550101').answers()
  await c.talks()
  await c.ends()
  expect(c.dialled).toMatch([{ to: '14155550101', from: '14155550100', outcome: 'answered' }])
})

test('the other way round the agent is called first, and then the customer', async () => {
  setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret' })
  await run('connect', '14155550199')
  const agent = await callTo('14155550101').answers()
  await agent.dials('14155550199').answers()
  await agent.talks()
  await agent.ends()
  expect(agent.dialled).toMatch([{ from: '14155550100', outcome: 'answered' }])
})
