// A call that is told what to do and how often, over and over; see bench/verb.go.
const steps = {
  nothing: () => null,
  timer: () => new Promise(next => setTimeout(next, 0)),
  answer: call => call.answer(), // of a call that has answered: a verb in its turn, with nothing to do
  unmute: call => call.unmute(), // a verb beside the others
}

exports.answer = async call => {
  await call.answer()
  for (;;) {
    const order = await (await fetch(env.ORDERS, { timeout: '60s' })).json()
    const step = steps[order.step]
    for (let i = 0; i < order.times; i++) await step(call)
  }
}
