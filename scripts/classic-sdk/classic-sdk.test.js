// Run it with: piopiyd test
const { test, call, expect } = require('piopiy/test')

test('sales rings the agents', async () => {
  const c = await call()
  await c.hears('welcome.mp3')
  await c.hears('menu.wav')
  await c.press('1')
  await c.dials('14155550101').busy()
  await c.dials('14155550102').answers()
  await c.talks()
})

test('support takes a message', async () => {
  const c = await call()
  await c.press('2')
  await c.hears('leave a message')
  await c.hangsUp({ after: '20s' })
  expect(c.recordings.length).toBe(1)
})

test('who presses nothing is said goodbye to', async () => {
  const c = await call()
  await c.staysSilent()
  await c.hears('Goodbye')
  await c.ends()
})
