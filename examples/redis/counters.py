# examples/redis/counters.py CAMPAIGN: its counters and failure rate, and why messages failed
import os
import sys

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True)
campaign = sys.argv[1]
with client.pipeline(transaction=True) as both:  # no batch is counted between the two
    both.hgetall(f"dc:campaign:{campaign}:counters")
    both.hgetall(f"dc:campaign:{campaign}:reasons")
    counters, reasons = both.execute()


def count(field):
    return int(counters.get(field, 0))  # a field that is 0 is not there


rate = 100 * count("failure") / max(count("messages"), 1)
print(f"{campaign}: {count('messages')} messages, {count('failure')} failed ({rate:.1f} %), {count('opt_out')} opted out")
print(f"product cost: ${count('product_cost_micros') / 1_000_000:.4f}")
for reason, failures in sorted(reasons.items()):
    print(f"  {reason}: {failures}")
