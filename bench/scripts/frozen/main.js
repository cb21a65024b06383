exports.answer = require('../desk/main.js').straight // one answer, nothing to wait for
