// The npm SDK's own style, for what you have already: the classes and their methods are the same, byte for byte.
// Three things change when an Express app moves in. app.post('/inbound', …) becomes exports.answer, res.send(x) becomes
// return x, and where the SDK wants an action_url you may give the function itself.
const { PiopiyAction } = require('piopiy')

const agents = [14155550101, 14155550102]

exports.answer = () => {
  const action = new PiopiyAction()
  action.playMusic('https://example.com/audio/welcome.mp3')
  action.playGetInput(menu, 'menu.wav', { max_digit: 1, max_retry: 2, timeout: 5 })
  return action.PCMO()
}

function menu({ dtmf }, call) {
  const action = new PiopiyAction()
  if (dtmf == 1) {
    action.call(agents, Number(call.to), { duration: 3600, timeout: 20, loop: 1, ring_type: 'group' })
  } else if (dtmf == 2) {
    action.speak('Please leave a message.')
    action.record()
  } else {
    action.speak('Goodbye.')
    action.hangup()
  }
  return action.PCMO()
}

exports.cdr = (record) => {
  console.log(record.raw) // exactly what the platform sent
}
