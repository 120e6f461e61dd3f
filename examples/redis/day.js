// examples/redis/day.js CAMPAIGN [YYYYMMDD]: what was first counted for it on that day (UTC); without one today
const Redis = require('ioredis')

async function main (campaign, day = new Date().toISOString().slice(0, 10).replaceAll('-', '')) {
  const redis = new Redis(process.env.REDIS_URL || 'redis://127.0.0.1:6379/0')
  const counters = await redis.hgetall(`dc:campaign:${campaign}:day:${day}`)
  const count = (field) => Number(counters[field] || 0)
  console.log(`${campaign} on ${day}: ${count('success')} delivered, ${count('failure')} failed, ` +
    `${count('opt_out')} opted out, $${(count('cost_micros') / 1e6).toFixed(4)}`)
  await redis.quit()
}

main(process.argv[2], process.argv[3])
