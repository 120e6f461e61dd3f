# examples/redis/day.py CAMPAIGN [YYYYMMDD]: what was first counted for it on that day (UTC); without one today
import datetime
import os
import sys

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True)
campaign = sys.argv[1]
day = sys.argv[2] if len(sys.argv) > 2 else datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d")
counters = client.hgetall(f"dc:campaign:{campaign}:day:{day}")
success, failure, opt_out, micros = (
    int(counters.get(field, 0)) for field in ("success", "failure", "opt_out", "cost_micros")
)
print(f"{campaign} on {day}: {success} delivered, {failure} failed, {opt_out} opted out, ${micros / 1_000_000:.4f}")
