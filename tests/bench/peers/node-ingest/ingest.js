'use strict'
// What express.js and fastify.js have in common: the vendor's signature over the raw body, and a publish that the broker
// confirms before the answer. No spool, no bound on what waits, no callbacks, no metrics.

const crypto = require('node:crypto')
const amqp = require('amqplib')

const SECRET = process.env.WEBHOOK_SECRET

exports.PATH = '/webhooks/dropcowboy'

exports.verified = (body, signature) => {
  const mac = crypto.createHmac('sha256', SECRET).update(body).digest()
  const given = Buffer.from(signature || '', 'hex')
  return given.length === mac.length && crypto.timingSafeEqual(given, mac)
}

exports.publisher = async () => {
  const connection = await amqp.connect(process.env.AMQP_URL)
  const channel = await connection.createConfirmChannel()
  return (body) => new Promise((resolve, reject) => {
    const properties = { persistent: true, messageId: crypto.randomUUID(), headers: { 'x-received-at': Date.now() } }
    channel.publish('dropcowboy', 'dropcowboy.events', body, properties, (error) => error ? reject(error) : resolve())
  })
}
