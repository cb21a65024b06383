// The same by documents: each key is brought to a function.
const ask = () => [{ action: 'input', action_url: ask, max_digit: 1, timeout: 600 }]
exports.answer = ask
