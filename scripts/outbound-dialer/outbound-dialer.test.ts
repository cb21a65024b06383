// Run it with: piopiyd test
import { test, run, callTo, expect, setEnv, stubFetch } from 'piopiy/test'

setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret', FROM: '14155550100', AGENTS: '14155550101,14155550102' })

test('a customer who answers talks with the first agent who does', async () => {
  await run('dial', '14155550199')
  const customer = await callTo('14155550199').answers({ after: '7s' })
  await customer.dials('14155550101').noAnswer()
  await customer.dials('14155550102').answers({ talk: '5s' })
  await customer.talks()
  await customer.ends()
  expect(customer.dialled[0]).toMatch({ from: '14155550100' })
})

test('no agent is called for a customer who is busy', async () => {
  await run('dial', '14155550199')
  const customer = await callTo('14155550199').busy()
  await customer.ends()
  expect(customer.ended).toMatch({ cause: 'USER_BUSY' })
  expect(customer.dialled).toEqual([])
})

test('a list goes on after a number that cannot be called', async () => {
  const platform = stubFetch(/telecmi\.com/, request => (
    request.json.to === 14155550198 ? { status: 400, json: { error: 'no credit' } } : { json: { request_id: 'r1' } }
  ))
  const results = await run('dialAll', ['nonsense', '14155550198', '14155550199'])
  expect(results[0].error).toMatch('"nonsense" is not a phone number')
  expect(results[1].error).toMatch('400')
  expect(results[2]).toEqual({ customer: '14155550199', request: 'r1' })
  expect(platform.requests.length).toBe(2)
})
