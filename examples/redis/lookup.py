# examples/redis/lookup.py FOREIGN_ID...: what became of these sends
import json
import os
import sys

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True)
foreign_ids = sys.argv[1:]
found = client.mget([f"dc:result:{foreign_id}" for foreign_id in foreign_ids])
for foreign_id, text in zip(foreign_ids, found):
    if text is None:
        print(f"{foreign_id}: not known")
        continue
    result = json.loads(text)
    print(f"{foreign_id}: {result['outcome']} {result['reason']}".rstrip() + f", {result['phone']}, {result['at']}")
