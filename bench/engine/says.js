// A document of fifty actions, by verbs.
exports.answer = async call => {
  for (let i = 0; i < 50; i++) await call.say('Hi.')
}
