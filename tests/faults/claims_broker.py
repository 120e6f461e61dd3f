"""RabbitMQ stopped, silent, cut off, under alarm, gone: every request is answered 200 within 4 s, from the spool, which
drains by itself while live traffic goes on."""

import contextlib
import dataclasses
import json
import time

import checker
import network
import servers
import traffic
from suite import (
    ANSWER_SECONDS,
    Claim,
    every_answer_good,
    load,
    spooled,
    unless_taken_away,
    wait_for_answers,
    wait_for_drain,
)

UNSTUCK_SECONDS = 25.0  # a call is cut after 10 s, then the spool drains: where none is cut, it has not by then
LARGE_BYTES = 900_000


@contextlib.contextmanager
def stopped(stack, _):
    stack.rabbitmq.pause()
    try:
        yield
    finally:
        stack.rabbitmq.go_on()


@contextlib.contextmanager
def silent(stack, proxy):
    proxy.freeze()
    try:
        yield
    finally:
        proxy.restore()


@contextlib.contextmanager
def packets_dropped(stack, proxy):
    proxy.drop()
    try:
        yield
    finally:
        proxy.undrop()


@contextlib.contextmanager
def cut_off(stack, proxy):
    proxy.cut()
    try:
        yield
    finally:
        proxy.restore()


@contextlib.contextmanager
def memory_alarm(stack, _):
    stack.rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        stack.rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")


@contextlib.contextmanager
def disk_alarm(stack, _):
    stack.rabbitmq.control("set_disk_free_limit", "900000GB")
    try:
        yield
    finally:
        stack.rabbitmq.control("set_disk_free_limit", "50MB")


@contextlib.contextmanager
def gone(stack, _):
    stack.rabbitmq.stop()
    try:
        yield
    finally:
        stack.rabbitmq.start()


PROXIES = {silent: servers.CuttableProxy, cut_off: servers.CuttableProxy, packets_dropped: network.DroppingProxy}


def survive(fault, long=False):
    """A claim: the fault comes under load and goes, and nobody who sent anything notices."""

    def run(stack, size):
        proxy = stack.through_proxy(PROXIES[fault]) if fault in PROXIES else None
        stack.start_bridge()
        stack.start_workers()
        with load(stack, rate=200, threads=32) as sending:
            wait_for_answers(sending, 100)
            with fault(stack, proxy):
                time.sleep(size.outage_seconds if long else size.fault_seconds)
                wait_for_answers(sending, 20)
            wait_for_answers(sending, 50)
            wait_for_drain(stack)
            drained_live = sending.answered(200)
            wait_for_answers(sending, 50)
        findings = checker.check_all(stack, sending.log)
        every_answer_good(findings)
        findings.notes.update(spooled=spooled(stack), answered_when_drained=drained_live)
        findings.claim(spooled(stack) > 0, "nothing went to the spool: the fault did not happen")
        return findings

    return run


def mute_from_the_start(stack, size):
    """Something accepts connections where RabbitMQ should be, and never speaks."""
    proxy = stack.through_proxy()
    proxy.freeze()
    stack.start_bridge()
    with load(stack, rate=100, threads=32) as sending:
        wait_for_answers(sending, 50)
        time.sleep(size.fault_seconds)
        proxy.restore()
        stack.start_workers(wait=False)
        wait_for_drain(stack)
        wait_for_answers(sending, 20)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    findings.notes["spooled"] = spooled(stack)
    return findings


def stopped_briefly(stack, size):
    """For the control: as rabbitmq-stopped, but waits for no answer while it lasts."""
    stack.start_bridge()
    stack.start_workers()
    with load(stack, rate=200, threads=32) as sending:
        wait_for_answers(sending, 50)
        with stopped(stack, None):
            time.sleep(ANSWER_SECONDS + 2.5)
        wait_for_answers(sending, 50)
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


def cut_off_briefly(stack, size):
    """For the control: the shortest fault that the spool must cover."""
    proxy = stack.through_proxy()
    stack.start_bridge()
    stack.start_workers()
    with load(stack, rate=200) as sending:
        wait_for_answers(sending, 50)
        proxy.cut()
        time.sleep(1.0)
        proxy.restore()
        servers.wait_until(lambda: stack.bridge.readyz()[0] == 200, "the bridge finds RabbitMQ again")
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


class LargeEvents(traffic.Traffic):
    """A few of them fill all buffers on the way to the broker."""

    def __next__(self):
        event = super().__next__()
        body = json.dumps({**json.loads(event.body), "pad": "x" * LARGE_BYTES}).encode()
        return dataclasses.replace(event, body=body)


def crawling(stack, size):
    """The broker's connection goes on at a crawl: a send neither ends nor fails, no heartbeat is missed, no time-out of
    TCP is reached. The call is cut, and a new connection serves."""
    stack.start_workers()
    proxy = stack.through_proxy(network.CrawlingProxy)
    stack.start_bridge()
    with load(stack, rate=100, threads=16) as small:
        wait_for_answers(small, 30)
    proxy.crawl()
    # Many at once: of those handed over together the last ones wait longest.
    with load(stack, rate=1000, threads=32, events=LargeEvents(stack.rng.getrandbits(32))) as large:
        wait_for_answers(large, 32)
    kept, drained = spooled(stack), True
    try:
        wait_for_drain(stack, unless_taken_away(stack, UNSTUCK_SECONDS))
    except AssertionError:
        drained = False
        proxy.cut()
        proxy.restore()
    findings = checker.check_all(stack, small.log + large.log)
    every_answer_good(findings)
    findings.claim(kept > 0, "nothing went to the spool: the fault did not happen")
    findings.claim(drained, "the spool did not drain")
    findings.notes.update(spooled=kept, stuck=not drained)
    return findings


CLAIMS = [
    Claim("rabbitmq-stopped", survive(stopped), 15),
    Claim("rabbitmq-silent", survive(silent), 15),
    Claim("rabbitmq-packets-dropped", survive(packets_dropped), 25, needs_namespace=True),
    Claim("rabbitmq-cut-off", survive(cut_off), 15, smoke=True),
    Claim("rabbitmq-crawls", crawling, 30),
    Claim("rabbitmq-memory-alarm", survive(memory_alarm), 20),
    Claim("rabbitmq-disk-alarm", survive(disk_alarm), 20),
    Claim("rabbitmq-gone-for-a-while", survive(gone, long=True), 40),
    Claim("rabbitmq-mute-from-the-start", mute_from_the_start, 20),
]
