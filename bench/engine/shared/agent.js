// A caller who speaks silences what the script plays; see bench/barge.go. The apps agent and polite are this.
const { VoiceActivity, tone } = require('piopiy/audio')
exports.answer = call => [{ action: 'stream', ws_url: call.streamUrl, listen_mode: 'caller', voice_quality: '8000' }]
exports.stream = async socket => {
  const sentence = tone(440, '20s')
  const caller = new VoiceActivity()
  if (env.GIVE_WAY) socket.giveWay()
  socket.play(sentence)
  for await (const frame of socket) {
    switch (caller.push(frame)) {
      case 'began':
        socket.clear()
        break
      case 'ended':
        socket.play(sentence)
    }
  }
}
