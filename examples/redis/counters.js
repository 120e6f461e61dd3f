// examples/redis/counters.js CAMPAIGN: its counters and failure rate, and why messages failed
const Redis = require('ioredis')

async function main (campaign) {
  const redis = new Redis(process.env.REDIS_URL || 'redis://127.0.0.1:6379/0')
  const [[, counters], [, reasons]] = await redis.multi() // no batch is counted between the two
    .hgetall(`dc:campaign:${campaign}:counters`)
    .hgetall(`dc:campaign:${campaign}:reasons`)
    .exec()
  const count = (field) => Number(counters[field] || 0) // a field that is 0 is not there
  const rate = 100 * count('failure') / Math.max(count('messages'), 1)
  console.log(`${campaign}: ${count('messages')} messages, ${count('failure')} failed (${rate.toFixed(1)} %), ` +
    `${count('opt_out')} opted out`)
  console.log(`product cost: $${(count('product_cost_micros') / 1e6).toFixed(4)}`)
  for (const reason of Object.keys(reasons).sort()) console.log(`  ${reason}: ${reasons[reason]}`)
  await redis.quit()
}

main(process.argv[2])
