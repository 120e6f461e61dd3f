'use strict'
// What an afternoon makes with amqplib and ioredis: one small script call an event, a drop counted once, success or failure
// in all and by campaign. It has no rules of classification, no costs, no opt-outs, no revisions, no lookup. It ends at the
// first error; the broker then delivers again what it has not acknowledged.

const amqp = require('amqplib')
const Redis = require('ioredis')

const PREFETCH = 1000
const ACK_EACH = 100
const ACK_AFTER_MS = 10
const REMEMBER_S = 7 * 24 * 3600

const COUNT = `
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then
  return 0
end
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
redis.call('HSET', KEYS[4], 'last_event_at', ARGV[3])
return 1
`

async function main () {
  const redis = new Redis(process.env.REDIS_URL)
  redis.defineCommand('countDrop', { numberOfKeys: 4, lua: COUNT })
  const connection = await amqp.connect(process.env.AMQP_URL)
  const channel = await connection.createChannel()
  await channel.prefetch(PREFETCH)

  // One connection answers in the order of the calls, so the last one counted stands for all before it.
  let counted = null
  let waiting = 0
  let timer = null
  const acknowledge = () => {
    clearTimeout(timer)
    timer = null
    if (waiting > 0) channel.ack(counted, true)
    waiting = 0
  }

  await channel.consume(process.env.AMQP_QUEUE || 'dropcowboy.events', async (message) => {
    const event = JSON.parse(message.content)
    const campaign = message.properties.headers['x-campaign']
    const status = event.status === 'success' ? 'success' : 'failure'
    await redis.countDrop(`drop:${event.drop_id}`, 'totals', `campaign:${campaign}:counters`, `campaign:${campaign}`,
      status, REMEMBER_S, event.attempt_date)
    counted = message
    waiting += 1
    if (waiting === ACK_EACH) acknowledge()
    else if (!timer) timer = setTimeout(acknowledge, ACK_AFTER_MS)
  })

  process.on('SIGTERM', async () => {
    acknowledge()
    await connection.close()
    redis.disconnect()
  })
}

process.on('unhandledRejection', (error) => {
  console.error(error)
  process.exit(1)
})
main()
