# examples/redis/follow.py FILE: each entry of dc:results from the one remembered in FILE on, and on, until it is stopped
import json
import os
import pathlib
import sys

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True)
remembered = pathlib.Path(sys.argv[1])
last = remembered.read_text() if remembered.exists() else "0"
while True:
    found = client.xread({"dc:results": last}, count=100, block=5000)
    if found and last != "0" and not client.xrange("dc:results", last, last):
        print("entries are missing: the stream was trimmed past the one remembered", flush=True)
    for last, entry in found[0][1] if found else []:
        for kind, text in entry.items():
            result = json.loads(text)
            print(kind, *(result.get(name, "-") for name in ("foreign_id", "phone", "outcome", "reason")), flush=True)
        remembered.write_text(last)  # after the work: what a crash interrupts comes again
