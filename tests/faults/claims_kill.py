"""kill -9 of each process, at random points under load. What was acknowledged is counted once.

A kill ends a process, not the machine: what it had written is in the system's memory, synced or not. So these claims
show what a process may leave behind, not that RabbitMQ and Redis sync; of the spool spool-sync-fails shows that."""

import functools
import time

import checker
import servers
from suite import Claim, every_answer_good, every_answer_in_time, load, wait_for_answers, wait_for_drain

STALL_SECONDS = 0.3


def pause_somewhere(stack, longest=0.5):
    """The random point."""
    time.sleep(stack.rng.uniform(0.02, longest))


def wait_until_published(stack, count=20):
    """RabbitMQ is back in use: so many messages more have gone there."""

    def published():
        return stack.bridge.metrics()["dropbridge_published_total"]

    goal = published() + count
    servers.wait_until(lambda: published() >= goal, lambda: f"RabbitMQ in use again: {stack.bridge.stderr[-500:]}")


def kill_bridge(stack, size, kills=None):
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for _ in range(kills or size.kills):
            pause_somewhere(stack)
            stack.bridge.kill()
            stack.start_bridge(wait=False)
            wait_for_answers(sending, 5)
    findings = checker.check_all(stack, sending.log)
    every_answer_in_time(findings)
    return findings


def kill_bridge_spooling(stack, size, kills=None):
    """RabbitMQ is away and every sync takes long: the bridge dies with transactions open."""
    proxy = stack.through_proxy()
    stack.start_bridge()
    stack.start_workers()
    proxy.cut()
    stack.disk.is_now("sync-slow 150")
    with load(stack, rate=150) as sending:
        for _ in range(kills or size.kills // 2):
            wait_for_answers(sending, 10)
            pause_somewhere(stack)
            stack.bridge.kill()
            stack.start_bridge(wait=False)
        wait_for_answers(sending, 5)
        stack.disk.well()
        proxy.restore()
        wait_for_drain(stack)
    findings = checker.check_all(stack, sending.log)
    found = stack.bridge.metrics()["dropbridge_spool_found_at_start"]
    every_answer_in_time(findings)
    findings.claim(found > 0, "the last bridge found nothing in the spool: this was no test")
    return findings


def kill_worker(stack, size, kills=None):
    """Every second kill meets a worker that waits for Redis with a batch in hand; Redis dies with it, for what was sent
    to a Redis that only stands still is done when it goes on."""
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for number in range(kills or size.kills):
            pause_somewhere(stack)
            stalled = number % 2 == 1
            if stalled:
                stack.redis.pause()
                time.sleep(STALL_SECONDS)
            stack.workers[stack.rng.randrange(len(stack.workers))].kill()
            if stalled:
                stack.redis.kill()
                stack.redis.start()
            stack.replace_dead_workers()
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def kill_broker(stack, size, kills=None):
    """Every second kill meets a broker that has stalled with messages in its buffers. Whether it had synced what it
    confirmed cannot be seen this way: the system's memory outlives it."""
    stack.start_bridge()
    stack.start_workers()
    stack.wait_until_recorded()
    with load(stack, rate=150) as sending:
        for number in range(kills or size.broker_kills):
            wait_until_published(stack)
            pause_somewhere(stack)
            if number % 2 == 1:
                stack.rabbitmq.pause()
                time.sleep(STALL_SECONDS)
            stack.rabbitmq.restart()
        wait_until_published(stack)
        wait_for_drain(stack)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def kill_redis(stack, size, kills=None):
    """Redis comes back with what it had written; whether it had synced it cannot be seen this way."""
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for _ in range(kills or size.kills):
            wait_for_answers(sending, 30)
            pause_somewhere(stack)
            stack.redis.kill()
            stack.redis.start()
            counted = stack.redis.client.hget("dc:totals", "messages")
            servers.wait_until(lambda: stack.redis.client.hget("dc:totals", "messages") != counted)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


CLAIMS = [
    Claim("kill-bridge", kill_bridge, 15, smoke=True),
    Claim("kill-bridge-while-spooling", kill_bridge_spooling, 15),
    Claim("kill-worker", kill_worker, 15, smoke=True),
    Claim("kill-rabbitmq", kill_broker, 35, smoke=True),
    Claim("kill-redis", kill_redis, 20, smoke=True),
]
kill_broker_stalled = functools.partial(kill_broker, kills=2)
