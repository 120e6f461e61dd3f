"""A program that has nothing to do ends within a second of SIGTERM, for each second of a restart loses callbacks. A promise in
wall-clock time: it is measured from the signal to the end of the process."""

import contextlib
import os
import select
import socket
import time

import pytest
import servers
import wire

pytestmark = pytest.mark.timing

LIMIT_S = 1.0
HEALTH = wire.head("GET", "/health", [])


def stop_seconds(program):
    """From SIGTERM to the end, which the kernel reports; clean."""
    end = os.pidfd_open(program.pid)
    try:
        begun = time.monotonic()
        program.signal(servers.SIGTERM)
        assert select.select([end], [], [], servers.HANG_GUARD_S)[0], program.stderr[-4000:]
        took = time.monotonic() - begun
    finally:
        os.close(end)
    assert program.wait_exit() == 0, program.stderr[-4000:]
    return took


def stay_connected(stack, port, count, request=b""):
    """Connections that say `request` and read its answer, and then stay open without a word."""
    for _ in range(count):
        one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        one.settimeout(servers.HANG_GUARD_S)
        if request:
            one.sendall(request)
            assert one.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_an_idle_bridge_ends_within_a_second(start_bridge):
    assert stop_seconds(start_bridge()) < LIMIT_S


def test_a_bridge_does_not_wait_for_connections_that_are_open_and_idle(start_bridge):
    bridge = start_bridge()
    with contextlib.ExitStack() as stack:
        stay_connected(stack, bridge.port, 20, HEALTH)
        stay_connected(stack, bridge.port, 20)
        stay_connected(stack, bridge.admin_port, 2)
        assert stop_seconds(bridge) < LIMIT_S


def test_an_idle_worker_ends_within_a_second(start_worker):
    worker = start_worker()
    with contextlib.ExitStack() as stack:
        stay_connected(stack, worker.admin_port, 2)
        assert stop_seconds(worker) < LIMIT_S


def test_a_worker_that_has_no_redis_and_takes_no_messages_ends_within_a_second(start_worker, redis_server):
    redis_server.kill()
    worker = start_worker(wait_ready=False, REDIS_AWAY_S=1)
    servers.wait_until(lambda: "none is taken" in worker.stderr, lambda: worker.stderr[-2000:])
    assert stop_seconds(worker) < LIMIT_S
