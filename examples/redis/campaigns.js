// examples/redis/campaigns.js: all campaigns, the one with the latest event first
const Redis = require('ioredis')

async function main () {
  const redis = new Redis(process.env.REDIS_URL || 'redis://127.0.0.1:6379/0')
  for (const campaign of await redis.zrevrange('dc:campaigns', 0, -1)) {
    const [state, last] = await redis.hmget(`dc:campaign:${campaign}`, 'state', 'last_event_at')
    console.log(`${last}  ${campaign}  ${state || '-'}`)
  }
  await redis.quit()
}

main()
