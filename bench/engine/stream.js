// A caller is heard by somebody's WebSocket server.
exports.answer = () => [{ action: 'stream', ws_url: env.URL, listen_mode: 'caller', voice_quality: '8000' }]
