"""RabbitMQ stopped, silent, cut off, under alarm, gone: every request is answered 200 within 4 s, from the spool, which
drains by itself while live traffic goes on."""

import contextlib
import time

import checker
import network
import servers
from suite import ANSWER_SECONDS, Claim, every_answer_good, load, spooled, wait_for_answers, wait_for_drain

DRAIN_SECONDS = 90.0


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
            wait_for_drain(stack, DRAIN_SECONDS)
            drained_live = sending.answered(200)
            wait_for_answers(sending, 50)
        findings = checker.check_all(stack, sending.log, DRAIN_SECONDS)
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
        wait_for_drain(stack, DRAIN_SECONDS)
        wait_for_answers(sending, 20)
    findings = checker.check_all(stack, sending.log, DRAIN_SECONDS)
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
        servers.wait_until(lambda: stack.bridge.readyz()[0] == 200, 20, "the bridge finds RabbitMQ again")
    findings = checker.check_all(stack, sending.log)
    every_answer_good(findings)
    return findings


CLAIMS = [
    Claim("rabbitmq-stopped", survive(stopped), 15),
    Claim("rabbitmq-silent", survive(silent), 15),
    Claim("rabbitmq-packets-dropped", survive(packets_dropped), 25, needs_root=True),
    Claim("rabbitmq-cut-off", survive(cut_off), 15),
    Claim("rabbitmq-memory-alarm", survive(memory_alarm), 20),
    Claim("rabbitmq-disk-alarm", survive(disk_alarm), 20),
    Claim("rabbitmq-gone-for-a-while", survive(gone, long=True), 40),
    Claim("rabbitmq-mute-from-the-start", mute_from_the_start, 20),
]
