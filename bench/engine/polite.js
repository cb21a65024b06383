module.exports = require('./shared/agent')
