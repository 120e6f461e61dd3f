"""SIGTERM under load: nothing lost, requests in flight answered, stopped within 10 s; a second SIGTERM ends it at
once, and one that comes when nothing is to be done within a second. A bridge whose socket is kept for the next one refuses nobody."""

import contextlib
import socket
import time

import checker
import crowd
import servers
import traffic
import wire
from suite import Claim, every_answer_good, every_answer_in_time, load, wait_for_answers

STOP_SECONDS = 10.0
IDLE_STOP_SECONDS = 1.0
IDLE_CONNECTIONS = 20
AT_ONCE_SECONDS = 1.5


def timed_exit(findings, program, limit, what):
    """Waits for the end; claims that it came in time and clean. The seconds it took."""
    began = time.monotonic()
    status = program.wait_exit()
    took = time.monotonic() - began
    findings.claim_in_time(took <= limit, f"{what} took {took:.1f} s to stop")
    findings.claim(status == 0, f"{what} exited with {status}")
    return took


def unanswered_in_flight(log, signals):
    """Requests that nobody answered, although the kernel had them before a signal, on a connection that had been served
    before."""

    def in_flight(sent):
        return any(sent.at <= at <= sent.at + sent.seconds for at in signals) and not sent.first_on_connection

    return [sent for sent in log if sent.status is None and in_flight(sent)]


def stop_bridge(stack, size, stops=None):
    """Every second stop meets requests that wait for a silent broker."""
    stopped, signals, slowest = checker.Findings(), [], 0.0
    proxy = stack.through_proxy()
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for number in range(stops or 2 * size.stops):
            wait_for_answers(sending, 30)
            if number % 2 == 0:
                proxy.freeze()
                time.sleep(0.5)
            signals.append(time.monotonic())
            stack.bridge.signal(servers.SIGTERM)
            slowest = max(slowest, timed_exit(stopped, stack.bridge, STOP_SECONDS, "the bridge"))
            proxy.restore()
            stack.start_bridge(wait=False)
        wait_for_answers(sending, 30)
    findings = checker.check_all(stack, sending.log)
    findings.take_over(stopped)
    every_answer_in_time(findings)
    unanswered = unanswered_in_flight(sending.log, signals)
    findings.claim(not unanswered, f"{len(unanswered)} requests in flight were not answered")
    findings.notes.update(slowest_stop_seconds=round(slowest, 2), in_flight_unanswered=len(unanswered))
    return findings


def stop_worker(stack, size):
    """Every second stop meets a worker that waits for Redis."""
    stopped, slowest = checker.Findings(), 0.0
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for number in range(2 * size.stops):
            wait_for_answers(sending, 30)
            stalled = number % 2 == 1
            if stalled:
                stack.redis.pause()
                time.sleep(0.2)
            worker = stack.workers[0]
            worker.signal(servers.SIGTERM)
            slowest = max(slowest, timed_exit(stopped, worker, STOP_SECONDS, "the worker"))
            if stalled:
                stack.redis.go_on()
            stack.replace_dead_workers()
    findings = checker.check_all(stack, sending.log)
    findings.take_over(stopped)
    every_answer_good(findings)
    findings.notes["slowest_stop_seconds"] = round(slowest, 2)
    return findings


def stop_twice(stack, size, stops=None):
    """The bridge waits for a silent broker, the worker for a stopped Redis; the second signal ends the waiting."""
    stopped, slowest = checker.Findings(), 0.0
    proxy = stack.through_proxy()
    stack.start_bridge()
    stack.start_workers()
    with load(stack) as sending:
        for _ in range(stops or size.stops):
            wait_for_answers(sending, 30)
            proxy.freeze()
            stack.redis.pause()
            time.sleep(0.3)
            for program, what in ((stack.bridge, "the bridge"), (stack.workers[0], "the worker")):
                program.signal(servers.SIGTERM)
                time.sleep(0.2)
                program.signal(servers.SIGTERM)
                took = timed_exit(stopped, program, AT_ONCE_SECONDS, f"{what}, told twice,")
                slowest = max(slowest, took)
            stack.redis.go_on()
            proxy.restore()
            stack.replace_dead_workers()
            stack.start_bridge(wait=False)
        wait_for_answers(sending, 30)
    findings = checker.check_all(stack, sending.log)
    findings.take_over(stopped)
    every_answer_in_time(findings)
    findings.notes["slowest_stop_seconds"] = round(slowest, 2)
    return findings


def stop_idle(stack, size, stops=None):
    """Programs with nothing to do: the bridge has clients that keep their connections."""
    findings, slowest = checker.Findings(), 0.0
    for _ in range(stops or 2 * size.stops):
        stack.start_bridge()
        worker = stack.start_worker(wait=True)
        with contextlib.ExitStack() as clients:
            for _ in range(IDLE_CONNECTIONS):
                connection = clients.enter_context(contextlib.closing(wire.connect(stack.port)))
                wire.request(stack.port, "GET", "/health", connection=connection)
            for program, what in ((stack.bridge, "an idle bridge"), (worker, "an idle worker")):
                program.signal(servers.SIGTERM)
                slowest = max(slowest, timed_exit(findings, program, IDLE_STOP_SECONDS, what))
        stack.workers.remove(worker)
    findings.notes["slowest_stop_seconds"] = round(slowest, 2)
    return findings


def replaced(stack, size, keeps=True):
    """One bridge after the other under load, each request on a connection of its own. `keeps`: they are handed one socket, as
    systemd does by dropbridge.socket."""
    stopped = checker.Findings()
    if keeps:
        stack.listener = stack.undo.enter_context(socket.create_server(("127.0.0.1", stack.port), backlog=4096))
    stack.start_bridge()
    stack.start_workers()
    events = traffic.Traffic(stack.rng.getrandbits(32))
    sending = crowd.Honest(stack.port, events, rate=200, threads=24, keeps=False)
    try:
        for _ in range(2 * size.stops):
            wait_for_answers(sending, 50)
            stack.bridge.signal(servers.SIGTERM)
            timed_exit(stopped, stack.bridge, STOP_SECONDS, "the bridge")
            stack.start_bridge(wait=False)
        wait_for_answers(sending, 50)
    finally:
        sending.stop()
    stack.connects_failed += sending.connects_failed
    findings = checker.check_all(stack, sending.log)
    findings.take_over(stopped)
    every_answer_good(findings)
    return findings


CLAIMS = [
    Claim("sigterm-bridge", stop_bridge, 30, smoke=True),
    Claim("sigterm-worker", stop_worker, 30),
    Claim("sigterm-twice", stop_twice, 15),
    Claim("sigterm-idle", stop_idle, 15, smoke=True),
    Claim("socket-kept", replaced, 15),
]
