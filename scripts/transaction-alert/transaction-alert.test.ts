// Run it with: piopiyd test
import { test, run, callTo, expect, setEnv } from 'piopiy/test'

setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret', FROM: '14155550100', ANNOUNCEMENT: 'alert.wav' })

test('the customer hears the announcement', async () => {
  await run('alert', '+1 415 555-0199')
  const customer = await callTo('14155550199').answers()
  expect(customer.from).toBe('14155550100')
  await customer.hears('alert.wav')
  await customer.ends()
})

test('a voicemail hears it, too', async () => {
  await run('alert', '14155550199')
  const machine = await callTo('14155550199').voicemail()
  await machine.hears('alert.wav')
})

test('without an account the command says what is missing', async () => {
  setEnv({ PIOPIY_APPID: undefined })
  const error = await run('alert', '14155550199').catch(error => error)
  expect(error.message).toMatch('PIOPIY_APPID')
})
