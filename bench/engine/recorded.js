// The same, recorded.
exports.answer = () => [{ action: 'record' }, { action: 'play', file_name: 'long.wav' }]
