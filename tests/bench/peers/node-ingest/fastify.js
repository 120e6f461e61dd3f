'use strict'
// An afternoon with Fastify.

const fastify = require('fastify')({ bodyLimit: 1048576 })
const { PATH, publisher, verified } = require('./ingest')

async function serve () {
  const publish = await publisher()
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body))
  fastify.post(PATH, async (request, reply) => {
    if (!verified(request.body, request.headers['x-dropcowboy-signature'])) return reply.code(401).send()
    await publish(request.body)
    return reply.code(200).send()
  })
  await fastify.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
  console.log('ready')
}

serve()
