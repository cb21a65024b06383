// A caller hears a minute of sound.
exports.answer = () => [{ action: 'play', file_name: 'long.wav' }]
