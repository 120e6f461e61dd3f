"""A program that has nothing to do ends within a second of SIGTERM, for each second of a restart loses callbacks. That promise
is measured from the signal to the end of the process. What is under way is finished all the same."""

import contextlib
import socket

import pytest
import servers
import wire
from waits import stop_seconds

LIMIT_S = 1.0
HEALTH = wire.head("GET", "/health", [])
BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'


def stay_connected(stack, port, count, request=b""):
    """Connections that say `request` and read its answer, and then stay open without a word."""
    for _ in range(count):
        one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        one.settimeout(servers.HANG_GUARD_S)
        if request:
            one.sendall(request)
            assert one.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.timing
def test_an_idle_bridge_ends_within_a_second(start_bridge):
    assert stop_seconds(start_bridge()) < LIMIT_S


@pytest.mark.timing
def test_a_bridge_does_not_wait_for_connections_that_are_open_and_idle(start_bridge):
    bridge = start_bridge()
    with contextlib.ExitStack() as stack:
        stay_connected(stack, bridge.port, 20, HEALTH)
        stay_connected(stack, bridge.port, 20)
        stay_connected(stack, bridge.admin_port, 2)
        assert stop_seconds(bridge) < LIMIT_S


@pytest.mark.timing
def test_an_idle_worker_ends_within_a_second(start_worker):
    worker = start_worker()
    with contextlib.ExitStack() as stack:
        stay_connected(stack, worker.admin_port, 2)
        assert stop_seconds(worker) < LIMIT_S


@pytest.mark.timing
def test_a_worker_that_has_no_redis_and_takes_no_messages_ends_within_a_second(start_worker, redis_server):
    redis_server.kill()
    worker = start_worker(wait_ready=False, REDIS_AWAY_S=1)
    servers.wait_until(lambda: "none is taken" in worker.stderr, lambda: worker.stderr[-2000:])
    assert stop_seconds(worker) < LIMIT_S


@pytest.mark.threads
def test_a_stop_waits_for_a_body_and_tells_those_it_cuts_off_to_come_again(start_bridge, queues):
    """Two requests come only by half: a body that has begun has its time, a head that has begun is cut off once nothing else is
    under way."""
    bridge = start_bridge()
    head = wire.head("POST", wire.WEBHOOK, [*wire.guide(BODY).items(), ("Content-Length", len(BODY))])
    with contextlib.ExitStack() as stack:
        half_a_body, half_a_head = (stack.enter_context(wire.Raw(bridge.port)).send(half) for half in (head + BODY[:-20], head[:-20]))
        servers.wait_until(lambda: bridge.readyz()[1]["connections"]["body"] == bridge.readyz()[1]["connections"]["head"] == 1,
                           lambda: bridge.readyz())
        bridge.signal(servers.SIGTERM)
        answer = half_a_body.answer()
        assert (answer.status, answer.code, answer.closes) == (408, "body_timeout", True)
        answer = half_a_head.answer()
        assert (answer.status, answer.code, answer.closes) == (503, "unavailable", True)
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert half_a_body.closed_by_peer() and half_a_head.closed_by_peer()
    assert bridge.wait_exit() == 0
    again = start_bridge(SPOOL_PATH=bridge.settings["SPOOL_PATH"])
    assert wire.post(again.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status == 200
    queues.take("AMQP_QUEUE", 1)
    assert again.metrics()["dropbridge_spool_found_at_start"] == 0
    again.assert_identities()
