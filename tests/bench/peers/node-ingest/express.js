'use strict'
// An afternoon with Express; PROCESSES of them share the port.

const cluster = require('node:cluster')
const express = require('express')
const { PATH, publisher, verified } = require('./ingest')

const processes = Number(process.env.PROCESSES || 1)

async function serve () {
  const publish = await publisher()
  const app = express()
  app.post(PATH, express.raw({ type: () => true, limit: '1mb' }), async (request, response) => {
    if (!verified(request.body, request.get('X-DropCowboy-Signature'))) return response.sendStatus(401)
    await publish(request.body)
    response.sendStatus(200)
  })
  app.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'))
}

if (processes > 1 && cluster.isPrimary) {
  for (let i = 0; i < processes; i++) cluster.fork()
  process.on('SIGTERM', () => process.exit(0))
} else {
  serve()
}
