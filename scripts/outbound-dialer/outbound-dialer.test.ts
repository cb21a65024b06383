// Run it with: piopiyd test
import { test, run, expect, setEnv, stubFetch } from 'piopiy/test'

setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret', FROM: '14155550100', AGENTS: '14155550101,14155550102' })

test('the platform calls the customer and then the agents', async () => {
  const platform = stubFetch(/telecmi\.com/, { json: { status: 'progress', request_id: 'r1' } })
  await run('dial', '14155550199')
  const { to, from, pcmo } = platform.requests[0].json
  expect({ to, from }).toEqual({ to: 14155550199, from: 14155550100 })
  expect(pcmo).toMatch([{
    action: 'bridge', ring_type: 'group', connect: [{ type: 'pstn', number: 14155550101 }, { type: 'pstn', number: 14155550102 }],
  }])
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
