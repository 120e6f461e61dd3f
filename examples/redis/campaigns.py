# examples/redis/campaigns.py: all campaigns, the one with the latest event first
import os

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True)
for campaign in client.zrevrange("dc:campaigns", 0, -1):
    state, last = client.hmget(f"dc:campaign:{campaign}", "state", "last_event_at")
    print(f"{last}  {campaign}  {state or '-'}")
