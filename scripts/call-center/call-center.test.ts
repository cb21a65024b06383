// Run it with: piopiyd test
import { test, call, expect, setEnv } from 'piopiy/test'

setEnv({ AGENTS: '14155550101,14155550102' })

test('whoever answers first has the call', async () => {
  const c = await call({ to: '14155550100' })
  await c.dials('14155550101').answers({ after: '8s' })
  await c.dials('14155550102').answers({ after: '4s', talk: '5s' })
  await c.talks()
  await c.ends()
  expect(c.dialled).toMatch([
    { to: '14155550101', from: '14155550100', outcome: 'missed' },
    { to: '14155550102', from: '14155550100', outcome: 'answered' },
  ])
})

test('nobody is there', async () => {
  const c = await call({ callee: 'no-answer' })
  await c.ends()
  expect(c.ended).toMatch({ by: 'app', after: 20 })
})
