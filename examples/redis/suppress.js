// examples/redis/suppress.js PHONE...: those of these numbers that may be sent to
const Redis = require('ioredis')

async function main (phones) {
  const redis = new Redis(process.env.REDIS_URL || 'redis://127.0.0.1:6379/0')
  const optedOut = await redis.zmscore('dc:optouts', ...phones)
  phones.filter((_, i) => optedOut[i] === null).forEach((phone) => console.log(phone))
  await redis.quit()
}

main(process.argv.slice(2))
