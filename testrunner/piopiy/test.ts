// What a test file imports as piopiy/test.
export { test, call, callTo, run, stubKv, setEnv, at, wait } from 'piopiy/test/native'
export { stubFetch } from 'piopiy/test/fetch'
export { stubWebSocket } from 'piopiy/test/websocket'
export { expect } from 'piopiy/test/expect'
