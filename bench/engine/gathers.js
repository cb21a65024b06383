// A caller presses one key after the other; the script awaits each.
exports.answer = async call => {
  for (;;) await call.gather({ maxDigits: 1, timeout: '10m' })
}
