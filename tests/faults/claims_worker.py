"""Redis and messages that make trouble for a worker: nothing half-written, no innocent rejected."""

import dataclasses
import itertools
import json
import time

import checker
import sender
import servers
import stack as stack_module
import traffic
from suite import Claim, every_answer_good, load, unless_taken_away, wait_for_answers

CRASH_WORD = "this-word-crashes-the-worker"
# Not there before the first event that needs it.
PLANTED = ("dc:campaign:winter:counters", "dc:campaign:autumn:reasons", "dc:campaign:summer:optouts")
DELIVERY_LIMIT = 10
LET_GO_SECONDS = 30.0
AGREE_SECONDS = 40.0
LOOK_SECONDS = 0.5
MEBIBYTE = 1 << 20
WORKER_MAX_MIB = 128
HELD_MAX_BYTES = 32 * MEBIBYTE  # LIMIT_HELD_BYTES of common/limits.h
LARGE_POISON = 150  # mebibytes: more than a worker may take
FILL_SECONDS = 40.0


def scripts_flushed(stack, size):
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for _ in range(size.kills * 4):
            stack.redis.client.script_flush()
            wait_for_answers(sending, 10)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def redis_refuses(stack, size):
    """Restarted in order, out of memory, read-only as after a failover."""
    stack.start_bridge()
    stack.start_workers()
    client = stack.redis.client
    with load(stack) as sending:
        wait_for_answers(sending, 50)
        stack.redis.child.stop()
        wait_for_answers(sending, 50)
        stack.redis.start()
        client = stack.redis.client
        for refuse, take_again in (
            (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
            (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        ):
            wait_for_answers(sending, 100)
            client.execute_command(*refuse)
            wait_for_answers(sending, 200)
            client.execute_command(*take_again)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def wrong_typed_keys(stack, size):
    """Each batch that meets one waits, and leaves nothing behind; when all are gone, all is counted."""
    stack.start_bridge()
    for key in PLANTED:
        stack.redis.client.set(key, "planted")
    with load(stack, rate=500) as sending:
        wait_for_answers(sending, 500)
    # One worker after the other meets a whole queue: the first batch has every campaign in it.
    stack.start_workers(wait=False)
    problems = []
    try:
        for _ in PLANTED:
            key = servers.wait_until(lambda: stuck_key(stack), "a worker names the key on /readyz")
            problems += half_written(stack)
            stack.redis.client.delete(key)
    except AssertionError as problem:
        problems.append(str(problem))
        problems += half_written(stack)
    for key in PLANTED:
        if stack.redis.client.type(key) == b"string":
            stack.redis.client.delete(key)
    findings = checker.check_all(stack, sending.log)
    findings.problems += problems
    every_answer_good(findings)
    return findings


def redis_away(away_s):
    """A claim: past REDIS_AWAY_S the workers let go of what they hold; they stay up, and come back by themselves."""

    def run(stack, size):
        stack.worker_settings["REDIS_AWAY_S"] = away_s
        stack.start_bridge()
        stack.start_workers()
        with load(stack, rate=50) as sending:
            wait_for_answers(sending, 50)
            stack.redis.kill()
            servers.wait_until(lambda: held(stack) > 0 or pauses(stack) > 0, "a worker holds messages, or did")
            # What they still hold when Redis comes back shows the time it takes to see that it is away.
            let_go = waits_for(lambda: held(stack) == 0 and all_ready(stack, 503) and nobody_consumes(stack),
                               unless_taken_away(stack, away_s + LET_GO_SECONDS))
            stack.redis.start()
            servers.wait_until(lambda: all_ready(stack, 200), "the workers are ready again")
        findings = checker.check_all(stack, sending.log)
        every_answer_good(findings)
        findings.claim(let_go, "the workers did not give back what they held")
        findings.claim(len(stack.started) == 3, "a worker ended")
        findings.notes["let_go"] = let_go
        return findings

    return run


def redis_stands_still(stack, size):
    """Redis takes connections and answers nothing, for less than REDIS_AWAY_S: to the broker the workers stay alive,
    and nothing comes twice."""
    stack.worker_settings["REDIS_AWAY_S"] = 10 * round(size.stall_seconds + AGREE_SECONDS)
    stack.rabbitmq.heartbeat(size.heartbeat_seconds)
    stack.undo.callback(stack.rabbitmq.heartbeat, stack_module.HEARTBEAT_SECONDS)
    stack.start_bridge()
    stack.start_workers()
    with load(stack, rate=20, threads=4) as sending:
        wait_for_answers(sending, 40)
        stack.redis.pause()
        stalled = time.monotonic()
        lasted = consume_all_the_time(stack, stalled + size.stall_seconds)
    # Nothing comes any more: what the workers say that they hold must be what the broker gave them.
    agreed = waits_for(lambda: held(stack) == stack.broker_says("messages_unacknowledged")[0] > 0,
                       unless_taken_away(stack, AGREE_SECONDS))
    stack.redis.go_on()
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    metrics = [worker.metrics() for worker in stack.workers]
    came_twice = sum(of["dropworker_redelivered_total"] for of in metrics)
    made_again = sum(of["dropworker_reconnects_total"] for of in metrics)
    findings.claim(lasted, "the broker lost a consumer while Redis stood still")
    findings.claim(came_twice == 0, f"{came_twice:g} messages were delivered again")
    findings.claim(made_again == 0, f"the workers connected again {made_again:g} times")
    findings.claim(agreed, "the workers did not say that they hold what the broker gave them")
    findings.claim(len(stack.started) == 3, "a worker ended")
    findings.notes["thrown_out"] = not lasted or came_twice > 0
    return findings


def consume_all_the_time(stack, until):
    """Whether every worker stays a consumer."""
    while time.monotonic() < until:
        with stack.channel() as channel:
            declared = channel.queue_declare(stack.names["AMQP_QUEUE"], passive=True).method
        if declared.consumer_count != len(stack.workers):
            return False
        time.sleep(LOOK_SECONDS)
    return True


def nobody_consumes(stack):
    """By the word of the broker: not even a connection that a worker has forgotten holds messages."""
    return stack.broker_says("messages_unacknowledged", "consumers") == [0, 0]


def waits_for(condition, within=servers.HANG_GUARD_S):
    """Whether it came."""
    try:
        return bool(servers.wait_until(condition, within=within))
    except AssertionError:
        return False


def held(stack):
    return sum(worker.metrics()["dropworker_held"] for worker in stack.workers)


def pauses(stack):
    return sum(worker.metrics()["dropworker_pauses_total"] for worker in stack.workers)


def all_ready(stack, status):
    return all(worker.readyz()[0] == status for worker in stack.workers)


def stuck_key(stack):
    """The planted key that some worker names; None if none does. One that is gone is named until the worker's next try, and
    another worker may have made it anew: with counts in it."""
    said = json.dumps([worker.readyz()[1] for worker in stack.workers])
    return next((key for key in PLANTED if key in said and stack.redis.client.type(key) == b"string"), None)


def half_written(stack):
    """With the planted keys taken for empty, what is there adds up. A worker that has no such key in its batch may write
    between two of our looks: damage is what stays."""
    def broken():
        return checker.broken_invariants(stack.redis.client, PLANTED)

    waits_for(lambda: not broken())
    return [f"while a key had a wrong type: {line}" for line in broken()]


def rejected_queue_full(stack, size):
    """The rejected queue takes no more: what belongs there is kept until it does."""
    stack.start_bridge()
    stack.start_workers()
    events = traffic.Traffic(stack.rng.getrandbits(32), poison=0.1, no_json=0.0)
    with stack.policy('{"max-length":1,"overflow":"reject-publish"}', "AMQP_REJECTED_QUEUE"):
        with load(stack, rate=100, events=events) as sending:
            wait_for_answers(sending, 300)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    findings.claim(findings.notes["poison_kept"] > 3, "the queue was never full")
    return findings


def rejected_queue_deleted(stack, size):
    """Deleted while it is empty: made again by whoever needs it."""
    stack.start_bridge()
    stack.start_workers()
    with load(stack, poison=0) as before:
        wait_for_answers(before, 50)
    with stack.channel() as channel:
        channel.queue_delete(stack.names["AMQP_REJECTED_QUEUE"])
    with load(stack, rate=100, poison=0.1) as sending:
        wait_for_answers(sending, 300)
    findings = checker.check_all(stack, before.log + sending.log)
    every_answer_good(findings)
    return findings


def large_bodies(stack, size):
    """Bodies of a mebibyte: events, what belongs in a rejected queue that is full for a while, and one of tiny values. One
    worker meets them all at once, and is stopped in their midst."""
    events = list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), size.events))
    events += [traffic.Event("poison", traffic.wire.WEBHOOK, "guide", b'{"poison":%d}' % number) for number in range(LARGE_POISON)]
    stack.rng.shuffle(events)
    events = [dataclasses.replace(event, body=event.body.ljust(MEBIBYTE)) for event in events]
    stack.start_bridge()
    # The broker holds them all, and sends hundreds ahead. An alarm of its own would keep from it what is published beside the
    # bridge, and the rejected ones (docs/correctness.md).
    stack.rabbitmq.control("set_vm_memory_high_watermark", "absolute", "4GB")
    try:
        with load(stack, rate=1000, threads=8, events=iter(events)) as sending:
            servers.wait_until(lambda: len(sending.log) == len(events), "all is sent")
        return meet_large_bodies(stack, sending.log + [sender.Sent(tiny_values(stack), 0.0, status=200)])
    finally:
        stack.rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")


def meet_large_bodies(stack, log):
    with stack.policy('{"max-length":1,"overflow":"reject-publish"}', "AMQP_REJECTED_QUEUE"):
        first = stack.start_worker()
        enough = WORKER_MAX_MIB * MEBIBYTE if stack.without else HELD_MAX_BYTES
        full = waits_for(lambda: first.metrics()["dropworker_held_bytes"] >= enough, unless_taken_away(stack, FILL_SECONDS))
        peaks = [stack_module.memory_mib(first)]
        first.stop()
    stack.workers.remove(first)
    stack.start_worker()
    findings = checker.check_all(stack, log)
    peaks.append(stack_module.memory_mib(stack.workers[0]))
    every_answer_good(findings)
    findings.claim(full, "the worker never held as much as it may")
    findings.claim(max(peaks) < WORKER_MAX_MIB, f"a worker took {max(peaks):.0f} MiB")
    findings.notes["worker_mib"] = max(peaks)
    return findings


def tiny_values(stack):
    """A mebibyte of them, published without a bridge, which would refuse it."""
    body = b'{"a":[' + b"{}," * (MEBIBYTE // 3 - 4) + b"{}]}"
    with stack.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish(stack.names["AMQP_EXCHANGE"], stack.names["AMQP_QUEUE"], body, mandatory=True)
    return traffic.Event("poison", "", "", body)


def poison_and_kills(stack, size):
    """1 % poison, workers killed, and one message that crashes whoever parses it."""
    stack.start_bridge()
    stack.worker_settings.update(LD_PRELOAD=stack.lane.preload, FAULTS_CRASH_WORD=CRASH_WORD)
    stack.start_workers(3)
    crasher = crashing_event()
    with load(stack, rate=300, poison=0.01) as sending, load(stack, rate=1, threads=1, events=iter([crasher])) as one:
        for _ in range(size.kills * 2):
            wait_for_answers(sending, 100)
            stack.workers[stack.rng.randrange(len(stack.workers))].kill()
            stack.replace_dead_workers()
    return finish_with_crasher(stack, sending.log + one.log, crasher)


def crashing_event():
    body = json.dumps({"drop_id": "crasher", "status": "success", "pad": CRASH_WORD}).encode()
    return traffic.Event("poison", traffic.wire.callback_path("spring"), "callback", body)


def keep_workers_alive(stack):
    """Restarts what dies until nothing is under way. How many died."""
    deaths = 0
    deadline = time.monotonic() + servers.HANG_GUARD_S
    while time.monotonic() < deadline:
        dead = stack.replace_dead_workers()
        deaths += dead
        if not dead and stack.at_rest():
            return deaths
    return deaths


def finish_with_crasher(stack, log, crasher):
    deaths = keep_workers_alive(stack)
    findings = checker.check_all(stack, log)
    every_answer_good(findings)
    reasons = [checker.reason_of(properties) for properties, body in findings.taken if body == crasher.body]
    named = bool(reasons) and set(reasons) == {"crashed_worker"}
    findings.claim(named, f"the message that crashes workers was rejected as {reasons}")
    findings.notes.update(crashes=deaths, crasher_rejected_as=reasons)
    return findings


def crasher_among_innocents(stack, size):
    """A message crashes every worker that parses it; the broker gives up on messages delivered too often."""
    stack.worker_settings.update(LD_PRELOAD=stack.lane.preload, FAULTS_CRASH_WORD=CRASH_WORD)
    stack.start_bridge()
    crasher = crashing_event()
    innocents = list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), 400))
    events = innocents[:200] + [crasher] + innocents[200:]
    with stack.policy(json.dumps({"delivery-limit": DELIVERY_LIMIT})):
        with load(stack, rate=1000, threads=1, events=iter(events)) as sending:
            servers.wait_until(lambda: len(sending.log) == len(events), "all is sent")
        stack.start_workers(1, wait=False)
        return finish_with_crasher(stack, sending.log, crasher)


CLAIMS = [
    Claim("scripts-flushed", scripts_flushed, 10),
    Claim("redis-restarted-full-read-only", redis_refuses, 20),
    Claim("redis-away-past-the-limit", redis_away(2), 20),
    Claim("redis-away-for-minutes", redis_away(60), 100, quick=False),
    Claim("redis-stands-still", redis_stands_still, 45),
    Claim("redis-keys-of-a-wrong-type", wrong_typed_keys, 15),
    Claim("rejected-queue-full", rejected_queue_full, 15),
    Claim("rejected-queue-deleted", rejected_queue_deleted, 15),
    Claim("large-bodies", large_bodies, 40),
    Claim("poison-and-kills", poison_and_kills, 25),
    Claim("crasher-among-innocents", crasher_among_innocents, 20),
]
