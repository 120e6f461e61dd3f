// examples/redis/lookup.js FOREIGN_ID...: what became of these sends
const Redis = require('ioredis')

async function main (foreignIds) {
  const redis = new Redis(process.env.REDIS_URL || 'redis://127.0.0.1:6379/0')
  const found = await redis.mget(foreignIds.map((foreignId) => `dc:result:${foreignId}`))
  foreignIds.forEach((foreignId, i) => {
    if (found[i] === null) return console.log(`${foreignId}: not known`)
    const { outcome, reason, phone, at } = JSON.parse(found[i])
    console.log(`${foreignId}: ${outcome} ${reason}`.trimEnd() + `, ${phone}, ${at}`)
  })
  await redis.quit()
}

main(process.argv.slice(2))
