// The measured script behind Express, as an application would be. It keeps nothing between callbacks: no
// journal, no state of a call, no second look for duplicates.
//
//   node server.js SCRIPTS PORT [WORKERS]
'use strict'

const cluster = require('node:cluster')
const { register } = require('node:module')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

const [scripts, port, workers] = [path.resolve(process.argv[2]), Number(process.argv[3]), Number(process.argv[4] || 0)]

if (workers > 0 && cluster.isPrimary) {
  let listening = 0
  for (let i = 0; i < workers; i++) cluster.fork()
  cluster.on('listening', () => { if (++listening === workers) console.log('ready') })
  cluster.on('exit', () => process.exit(1))
  process.on('SIGTERM', () => process.exit(0))
} else {
  serve()
}

async function serve() {
  register('./hooks.mjs', pathToFileURL(__filename))
  const express = require('express')
  const app = express()
  app.use(express.json())
  for (const name of ['desk', 'straight']) mount(app, name, await import(pathToFileURL(path.join(scripts, name, 'main.js'))))
  app.listen(port, '127.0.0.1', () => { if (!cluster.isWorker) console.log('ready') })
}

function mount(app, name, script) {
  const base = `/hooks/${name}`
  const continuations = new Map()
  // A function stands where an address belongs: by its name, so that any worker can go on with the call.
  const addressed = (document, host) => {
    const actions = document.toJSON()
    for (const one of actions) {
      if (typeof one.action_url !== 'function') continue
      continuations.set(one.action_url.name, one.action_url)
      one.action_url = `http://${host}${base}/input/${one.action_url.name}`
    }
    return actions
  }
  app.post(`${base}/answer`, (req, res) => {
    const { from, to, time, cmiuuid, action } = req.body
    res.json(addressed(script.answer({ id: cmiuuid, from, to, time, direction: action }), req.headers.host))
  })
  app.post(`${base}/input/:name`, (req, res) => {
    const next = continuations.get(req.params.name)
    if (!next) return res.sendStatus(404)
    res.json(addressed(next(req.body), req.headers.host))
  })
  app.post(`${base}/event`, (req, res) => {
    script.event({ ...req.body, status: req.body.status.replace(/^(in|out)_/, '') })
    res.json({ status: 'accepted' })
  })
  app.post(`${base}/cdr`, (req, res) => {
    script.cdr(req.body)
    res.json({ status: 'accepted' })
  })
}
