"""Connections that say nothing, or too slowly: while HTTP threads are plenty they are left alone; when threads run short those that
have waited longest without a verified request give way, so that honest senders are answered. The bridge says so while it lasts."""

import contextlib
import socket
import struct

import pytest
import servers
import wire

THREADS = 32
BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'
HEALTH = wire.head("GET", "/health", [])
WEBHOOK = wire.head("POST", wire.WEBHOOK, [*wire.guide(BODY).items(), ("Content-Length", len(BODY))])
LARGE = 1_000_000


def half_a_body(size):
    return wire.head("POST", wire.WEBHOOK, [("X-DropCowboy-Signature", "0" * 64), ("Content-Length", size)]) + b"x" * (size - 1)


IDLERS = {
    "silent": b"",
    "idle after a request": HEALTH,
    "with half a head": WEBHOOK[:-20],
    "with half a body": half_a_body(400),
    "that pipeline and never read": HEALTH * 20_000,
}


@contextlib.contextmanager
def connected(port, count, says):
    """So many connections that send what they can of `says`, and then do nothing more."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", port))
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while says and one.send(says) == len(says) and len(says) > 10_000:
                    pass
        yield


def is_short(bridge):
    return bridge.readyz()[1]["connections"]["short"]


@pytest.mark.parametrize("kind", IDLERS)
def test_honest_requests_are_answered_beside_more_connections_than_threads(start_bridge, queues, kind):
    bridge = start_bridge(HTTP_THREADS=THREADS, BODY_TIMEOUT_MS=9000)
    with connected(bridge.port, 3 * THREADS, IDLERS[kind]):
        servers.wait_until(lambda: is_short(bridge), lambda: bridge.readyz())
        for _ in range(20):
            assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status == 200
        servers.wait_until(lambda: "connections run short" in bridge.stderr, lambda: bridge.stderr[-2000:])
        assert f"of {THREADS} HTTP threads" in bridge.stderr and "HTTP_THREADS" in bridge.stderr
        if kind != "idle after a request":  # of these, enough may be closed with their answers
            servers.wait_until(lambda: bridge.metrics()['dropbridge_connections_closed_total{reason="threads_short"}'] > 0,
                               lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: not is_short(bridge), lambda: bridge.readyz())
    assert "connections suffice again" in bridge.stderr
    queues.take("AMQP_QUEUE", 20)


def test_while_threads_are_short_answers_close_their_connections_and_no_sooner(start_bridge):
    bridge = start_bridge(HTTP_THREADS=THREADS)
    with wire.Raw(bridge.port) as before:
        assert not before.send(HEALTH).answer().closes
    with connected(bridge.port, THREADS - 2, HEALTH):
        servers.wait_until(lambda: is_short(bridge), lambda: bridge.readyz())
        with wire.Raw(bridge.port) as during:
            assert during.send(HEALTH).answer().closes


def test_the_longest_without_a_verified_request_goes_first(start_bridge, queues):
    bridge = start_bridge(HTTP_THREADS=THREADS)
    with wire.Raw(bridge.port) as honest, connected(bridge.port, THREADS // 2, HEALTH):
        servers.wait_until(lambda: bridge.readyz()[1]["connections"]["idle"] == THREADS // 2, lambda: bridge.readyz())
        # It came first, and is the last that has sent an event.
        assert honest.send(WEBHOOK + BODY).answer().status == 200
        with connected(bridge.port, THREADS // 2 - 2, b""):  # they say nothing, so that none of them closes by itself
            servers.wait_until(lambda: bridge.metrics()['dropbridge_connections_closed_total{reason="threads_short"}'] > 0,
                               lambda: bridge.readyz())
            assert honest.send(WEBHOOK + BODY).answer().status == 200
    queues.take("AMQP_QUEUE", 2)


def test_clients_that_reset_their_connection_at_once_hold_no_threads(start_bridge):
    """As the probes of some balancers do. Of one that is gone when it is accepted no socket is known."""
    bridge = start_bridge(HTTP_THREADS=THREADS)
    for _ in range(30 * THREADS):
        with socket.create_connection(("127.0.0.1", bridge.port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    servers.wait_until(lambda: bridge.readyz()[1]["connections"]["held"] == 0, lambda: bridge.readyz())
    with wire.Raw(bridge.port) as honest:
        assert not honest.send(HEALTH).answer().closes
    assert "connections run short" not in bridge.stderr


def test_a_client_that_never_reads_its_answers_is_closed_by_a_deadline(start_bridge):
    bridge = start_bridge()
    with connected(bridge.port, 3, IDLERS["that pipeline and never read"]):
        servers.wait_until(lambda: bridge.metrics()['dropbridge_connections_closed_total{reason="deadline"}'] == 3,
                           lambda: bridge.readyz())
        servers.wait_until(lambda: bridge.readyz()[1]["connections"]["held"] == 0, lambda: bridge.readyz())


def test_each_connection_is_known_by_what_it_does(start_bridge):
    bridge = start_bridge()
    with connected(bridge.port, 2, b""), connected(bridge.port, 3, HEALTH), connected(bridge.port, 4, half_a_body(400)):
        expected = {"head": 2, "idle": 3, "body": 4, "confirm": 0, "writing": 0, "held": 9, "threads": 64, "short": False}
        servers.wait_until(lambda: bridge.readyz()[1]["connections"] == expected, lambda: bridge.readyz())
        assert bridge.metrics()['dropbridge_connections{state="idle"}'] == 3


def test_an_idle_connection_is_kept_for_keep_alive_s(start_bridge):
    bridge = start_bridge(KEEP_ALIVE_S=1)
    with wire.Raw(bridge.port) as one:
        assert not one.send(HEALTH).answer().closes
        assert one.closed_by_peer()
    assert bridge.metrics()['dropbridge_connections_closed_total{reason="threads_short"}'] == 0


def test_small_bodies_never_wait_for_large_ones_and_the_oldest_large_one_gives_way(start_bridge, queues):
    bridge = start_bridge(BODY_MEMORY_BYTES=1 << 20)
    with wire.Raw(bridge.port) as first, wire.Raw(bridge.port) as second:
        first.send(half_a_body(600_000))
        servers.wait_until(lambda: bridge.metrics()["dropbridge_body_bytes"] >= 524_288, lambda: bridge.metrics())
        second.send(half_a_body(500_000))
        answer = first.answer()
        assert (answer.status, answer.code, answer.closes) == (503, "unavailable", True)
        # The second has what the first gave back, and there is still room for what is small.
        assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status == 200
        assert bridge.metrics()['dropbridge_connections_closed_total{reason="memory_short"}'] == 1
    servers.wait_until(lambda: bridge.metrics()["dropbridge_body_bytes"] == 0, lambda: bridge.metrics())
    queues.take("AMQP_QUEUE", 1)


def test_few_descriptors_mean_fewer_connections_and_the_log_names_the_setting(start_bridge, queues):
    limit = 400
    bridge = start_bridge(HTTP_THREADS=2048, options={"within": ["prlimit", f"--nofile={limit}:{limit}"]})
    assert "HTTP_THREADS=2048 needs" in bridge.stderr and "ulimit -n" in bridge.stderr
    threads = bridge.readyz()[1]["connections"]["threads"]
    assert 100 < threads < limit
    with connected(bridge.port, 2 * limit, HEALTH):
        assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status == 200
        assert bridge.readyz()[0] == 200
    queues.take("AMQP_QUEUE", 1)
