// Run it with: piopiyd test
import { test, run, expect, setEnv, stubFetch } from 'piopiy/test'

test('the customer is to hear the announcement', async () => {
  setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret', FROM: '14155550100', ANNOUNCEMENT: 'alert.wav' })
  const platform = stubFetch(/telecmi\.com/, { json: { status: 'progress', request_id: 'r1' } })
  await run('alert', '+1 415 555-0199')
  expect(platform.requests[0].json).toMatch({ to: 14155550199, from: 14155550100, pcmo: [{ action: 'play', file_name: 'alert.wav' }] })
  expect(platform.requests[0].json.extra_params.alert).toMatch(/^[0-9a-f-]{36}$/)
})

test('without an account the command says what is missing', async () => {
  const error = await run('alert', '14155550199').catch(error => error)
  expect(error.message).toMatch('PIOPIY_APPID')
})
