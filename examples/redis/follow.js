// examples/redis/follow.js FILE: each entry of dc:results from the one remembered in FILE on, and on, until it is stopped
const fs = require('fs')
const Redis = require('ioredis')

async function main (file) {
  const redis = new Redis(process.env.REDIS_URL || 'redis://127.0.0.1:6379/0')
  let last = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '0'
  for (;;) {
    const found = await redis.xread('COUNT', 100, 'BLOCK', 5000, 'STREAMS', 'dc:results', last)
    if (found && last !== '0' && (await redis.xrange('dc:results', last, last)).length === 0) {
      console.log('entries are missing: the stream was trimmed past the one remembered')
    }
    for (const [id, [kind, text]] of found ? found[0][1] : []) {
      const result = JSON.parse(text)
      console.log(kind, ...['foreign_id', 'phone', 'outcome', 'reason'].map((name) => result[name] || '-'))
      last = id
      fs.writeFileSync(file, last) // after the work: what a crash interrupts comes again
    }
  }
}

main(process.argv[2])
