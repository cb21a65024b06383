// A caller is asked for a word or a key, over and over; see bench/barge.go.
exports.answer = async call => {
  for (;;) {
    await call.gather({ play: 'long.wav', speech: true, maxDigits: 1, timeout: '10s' })
    await call.pause('500ms')
  }
}
