# examples/redis/suppress.py PHONE...: those of these numbers that may be sent to
import os
import sys

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True)
phones = sys.argv[1:]
for phone, opted_out_ms in zip(phones, client.zmscore("dc:optouts", phones)):
    if opted_out_ms is None:
        print(phone)
