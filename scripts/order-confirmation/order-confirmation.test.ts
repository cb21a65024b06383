// Run it with: piopiyd test
import { test, call, run, callTo, expect, setEnv, stubFetch } from 'piopiy/test'

setEnv({ FROM: '14155550100', ORDERS_URL: 'https://shop.example.com/confirmations' })

/** A call that the platform has placed to the customer. */
const customer = { direction: 'outbound', from: '14155550100', to: '14155550199' } as const

for (const { press, hears, confirmed } of [
  { press: '1', hears: 'order_confirmed.wav', confirmed: true },
  { press: '2', hears: 'order_cancelled.wav', confirmed: false },
]) {
  test(`the customer presses ${press}`, async () => {
    const shop = stubFetch('https://shop.example.com/confirmations', 204)
    const c = await call(customer)
    await c.hears('order_question.wav')
    await c.press(press)
    await c.hears(hears)
    await c.ends()
    expect(shop.requests[0].json).toEqual({ customer: '14155550199', confirmed })
  })
}

test('the shop is down, and the customer does not notice', async () => {
  stubFetch('https://shop.example.com/confirmations', { error: 'ECONNREFUSED' })
  const c = await call(customer)
  await c.press('1')
  await c.hears('order_confirmed.wav')
  await c.ends()
})

test('the command calls the customer, and the app answers', async () => {
  setEnv({ PIOPIY_APPID: '2222222', PIOPIY_SECRET: 's3cret', ANSWER_URL: 'https://calls.example.com/hooks/order-confirmation/answer' })
  const shop = stubFetch('https://shop.example.com/confirmations', 204)
  await run('confirm', '14155550199')
  const c = await callTo('14155550199').answers({ after: '6s' })
  await c.hears('order_question.wav')
  await c.press('1')
  await c.hears('order_confirmed.wav')
  await c.ends()
  expect(shop.requests[0].json).toEqual({ customer: '14155550199', confirmed: true })
})
