"""Fills an empty Redis with drops as if workers had counted them: how speed and memory grow with what is remembered."""

import os
import subprocess
import time

# As common/drops/generations.c has it: one that is full ends, and the next is larger.
FIRST, FULL, GROWTH, MOST = 4096, 60, 16, 1048576
WEEK_MS = 7 * 24 * 3600 * 1000
FIELD, RECORD = 13, 36  # bytes of an id that is 24 hex digits, and of a success with costs, phone and campaign
FILL_S = 600
# Each look at a key moves a little of a hash table that grows. Else the measurement would find it in the middle of that.
END_REHASH = "for _ = 1, 2000000 do redis.call('EXISTS', 'dc:schema') end"


def generations(drops):
    """(number, buckets, drops in it) of each, the oldest first."""
    made, buckets = [], FIRST
    while True:
        room = drops if buckets == MOST else min(drops, FULL * buckets)
        made.append((len(made) + 1, buckets, room))
        drops -= room
        if drops == 0:
            return made
        buckets = min(GROWTH * buckets, MOST)


def command(*arguments):
    return b"*%d\r\n%b" % (len(arguments), b"".join(b"$%d\r\n%b\r\n" % (len(one), one) for one in arguments))


def buckets_of(number, buckets, drops, end_ms):
    """The commands that fill them, alike."""
    record = b"$%d\r\n%b\r\n" % (RECORD, b"\x01" * RECORD)
    for bucket in range(buckets):
        key = b"dc:drops:%d:%d" % (number, bucket)
        count = (bucket + 1) * drops // buckets - bucket * drops // buckets
        fields = os.urandom(FIELD * count)
        pairs = b"".join(b"$%d\r\n%b\r\n%b" % (FIELD, fields[at:at + FIELD], record) for at in range(0, len(fields), FIELD))
        if count > 0:
            yield b"*%d\r\n$4\r\nHSET\r\n$%d\r\n%b\r\n%b" % (2 + 2 * count, len(key), key, pairs)
            yield command(b"PEXPIREAT", key, b"%d" % end_ms)


def fill(store, drops):
    """`store` is a servers.Redis that holds nothing."""
    now_ms, made = int(time.time() * 1000), generations(drops)
    listed = " ".join(f"{number}:{now_ms}:{WEEK_MS}:{WEEK_MS}:{buckets}" for number, buckets, _ in reversed(made))
    # A rewritten file would leave each page to be copied, or faulted, at its next write.
    store.client.config_set("auto-aof-rewrite-percentage", 0)
    store.client.config_set("appendfsync", "no")
    with subprocess.Popen(["redis-cli", "-p", str(store.port), "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pipe:
        for number, buckets, count in made:
            for one in buckets_of(number, buckets, count, now_ms + 2 * WEEK_MS):
                pipe.stdin.write(one)
        out, _ = pipe.communicate(timeout=FILL_S)
    if pipe.returncode != 0:
        raise RuntimeError(out.decode())
    store.client.hset("dc:drops:sizes", mapping={str(number): count for number, _, count in made})
    store.client.mset({"dc:schema": 2, "dc:drops:epoch": f"{'ab' * 8}:{len(made)}", "dc:drops:generations": listed})
    store.client.config_set("appendfsync", "always")
    store.client.eval(END_REHASH, 0)
