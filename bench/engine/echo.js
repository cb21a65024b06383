// A caller hears what they say.
exports.answer = call => [{ action: 'stream', ws_url: call.streamUrl, listen_mode: 'caller', voice_quality: '8000' }]
exports.stream = async socket => {
  for await (const frame of socket) socket.play(frame)
}
