// Runs the cases of a file in Node and records what they return. Run: node record.mjs FILE...
import { readFileSync, writeFileSync } from 'node:fs'
import { formatWithOptions } from 'node:util'

const AsyncFunction = (async () => {}).constructor
const alive = setInterval(() => {}, 1000) // Node would leave while an unreferenced timer is awaited
for (const file of process.argv.slice(2)) {
  const cases = JSON.parse(readFileSync(file, 'utf8'))
  for (const c of cases) {
    if (c.ours) continue // what Node does otherwise or has not
    const lines = []
    const print = (...args) => { lines.push(formatWithOptions({ depth: 4, breakLength: Infinity, compact: true }, ...args)) }
    try {
      c.node = await new AsyncFunction('print', 'structuredClone', c.body)(print, structuredClone)
    } catch (error) {
      c.node = 'throws ' + error.name
    }
    if (lines.length) c.node = lines
  }
  writeFileSync(file, '[\n' + cases.map((c) => JSON.stringify(c)).join(',\n') + '\n]\n')
}
clearInterval(alive)
