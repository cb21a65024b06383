// A caller is connected to another phone.
exports.answer = () => [{ action: 'connect', timeout: 10, connect: [{ type: 'sip', user: env.PHONE }] }]
