"""The bridge and a broker that is away, blocked, full, or refuses: the spool takes over, and recovery comes by itself."""

import concurrent.futures
import contextlib
import os
import select
import struct
import time

import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'
# What the bridge promises from the last byte of the body to the answer, and from a signal to its end.
ANSWER_SECONDS = 4
STOP_SECONDS = 10


def send(bridge, body=BODY):
    """An event that some place must keep."""
    answer = wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body))
    assert answer.status == 200, answer


def assert_spooled(bridge):
    before = bridge.accepted("spool")
    send(bridge)
    assert bridge.accepted("spool") == before + 1


def taken(bridge):
    """Whether the broker took it. Nobody else may send meanwhile."""
    before = bridge.accepted("broker")
    send(bridge)
    return bridge.accepted("broker") == before + 1


def wait_taken(bridge):
    """A busy machine may keep the broker from confirming one in time."""
    servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])


def assert_stopped_in_order(bridge):
    """Ends it; it said so at the end, as it does not if it was ended in the midst of it."""
    assert bridge.finish() == 0
    assert bridge.stderr.endswith("stopped\n"), bridge.stderr[-2000:]


def assert_drained(bridge):
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    bridge.assert_identities()


def test_an_unreachable_broker_is_not_missed_and_comes_back_by_itself(start_bridge, queues, proxy):
    proxy.cut()
    bridge = start_bridge(AMQP_URL=proxy.url, broker="away")
    assert_spooled(bridge)
    status, ready = bridge.readyz()
    assert status == 200 and ready["ready"] is True and ready["broker"] == "away"
    assert bridge.admin("/healthz")[0] == 200
    assert wire.request(bridge.port, "GET", "/health").status == 200
    proxy.restore()
    wait_taken(bridge)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", bridge.readyz)
    queues.take("AMQP_QUEUE", 2)
    assert_drained(bridge)


def test_a_connection_that_is_cut_is_opened_again(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url)
    wait_taken(bridge)
    proxy.cut()
    assert_spooled(bridge)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "away", "said while the broker is away")
    assert_spooled(bridge)
    proxy.restore()
    wait_taken(bridge)
    queues.take("AMQP_QUEUE", 4)
    assert_drained(bridge)


@pytest.mark.timing
def test_every_answer_comes_within_4_s_of_the_body_whatever_the_broker_does(start_bridge, queues, proxy):
    """One that stops to answer, to whom nobody writes any more, whose connection is lost; with the usual settings."""
    bridge = start_bridge(AMQP_URL=proxy.url)

    def slowest(count):
        def timed(_):
            began = time.monotonic()
            send(bridge)
            return time.monotonic() - began

        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return max(pool.map(timed, range(count)))

    took = [slowest(8)]
    proxy.freeze()
    took += [slowest(32), slowest(8)]
    proxy.cut()
    took.append(slowest(8))
    assert bridge.accepted("spool") >= 48
    assert max(took) < ANSWER_SECONDS, took


def test_a_second_broker_of_the_list_is_tried(start_bridge, queues, rabbitmq):
    nobody = servers.free_port()
    bridge = start_bridge(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{nobody}/%2f,{rabbitmq.url}")
    wait_taken(bridge)
    queues.take("AMQP_QUEUE", 1)


@pytest.mark.threads
def test_a_broker_under_alarm_is_not_waited_for(start_bridge, queues, rabbitmq):
    publishers = 4
    bridge = start_bridge(AMQP_PUBLISHERS=publishers)
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    try:

        def blocked():
            send(bridge)  # the broker says "blocked" when it is published to
            return bridge.readyz()[1]["broker"] == "blocked"

        servers.wait_until(blocked, bridge.readyz)
        waited = bridge.waited_for()
        for _ in range(100):
            assert_spooled(bridge)
        assert (bridge.readyz()[0], bridge.publishers_connected(), bridge.waited_for()) == (200, 0, waited)
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")
    wait_taken(bridge)
    servers.wait_until(lambda: bridge.publishers_connected() == publishers)
    assert_drained(bridge)


class ForgetfulProxy(servers.CuttableProxy):
    """Swallows the next confirm once forget is set."""

    forget = False

    def _move(self, client, server):
        pending = b""
        with contextlib.suppress(OSError, ValueError):
            while True:
                for one in select.select([client, server], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        client.close()
                        server.close()
                        return
                    if one is client:
                        server.sendall(data)
                        continue
                    pending += data
                    while len(pending) >= 7 and len(pending) >= (end := 8 + struct.unpack(">I", pending[3:7])[0]):
                        frame, pending = pending[:end], pending[end:]
                        # A method frame of basic.ack.
                        if self.forget and frame[0] == 1 and frame[7:11] == struct.pack(">HH", 60, 80):
                            self.forget = False
                        else:
                            client.sendall(frame)


@pytest.fixture
def forgetful(rabbitmq):
    between = ForgetfulProxy(rabbitmq.port)
    try:
        yield between
    finally:
        between.close()


def test_a_confirm_that_never_comes_ends_the_connection_and_not_the_service(start_bridge, queues, forgetful):
    bridge = start_bridge(AMQP_URL=forgetful.url, CONFIRM_TIMEOUT_MS=1000)
    wait_taken(bridge)
    assert_drained(bridge)
    waited = bridge.waited_for()
    forgetful.forget = True
    for _ in range(3):
        assert_spooled(bridge)
    assert bridge.waited_for() == waited + 1, "one confirm that is missing does not hold up the others"
    servers.wait_until(lambda: bridge.metrics()["dropbridge_reconnects_total"] == 1, lambda: bridge.stderr[-2000:])
    assert "connecting again" in bridge.stderr
    wait_taken(bridge)
    assert_drained(bridge)


@pytest.fixture
def stuck_rejected_queue(names, rabbitmq):
    """suspend() lets the rejected queue neither take nor confirm, until the end or resume()."""
    queue = f"whereis('%2F_{names['AMQP_REJECTED_QUEUE']}')"

    class Stuck:
        @staticmethod
        def suspend():
            rabbitmq.control("eval", f"sys:suspend({queue}).")

        @staticmethod
        def resume():
            rabbitmq.control("eval", f"sys:resume({queue}).")

    yield Stuck
    Stuck.resume()


def test_a_stuck_rejected_queue_does_not_stop_the_events(start_bridge, queues, forgetful, stuck_rejected_queue):
    settings = {"CONFIRM_TIMEOUT_MS": 1000}
    bridge = start_bridge(**settings)
    other = start_bridge(AMQP_URL=forgetful.url, **settings)

    def reject():
        assert wire.post(bridge.port, wire.WEBHOOK, b"no json", wire.guide(b"no json")).status == 400
        return 1

    stuck_rejected_queue.suspend()
    rejected = reject()
    servers.wait_until(lambda: "has not confirmed messages to the rejected queue" in bridge.stderr, lambda: bridge.stderr[-2000:])
    waited = bridge.waited_for()
    rejected += sum(reject() for _ in range(20))
    assert bridge.waited_for() == waited, "nobody waits for it again"
    events = []

    def connects_again():
        send(bridge)
        events.append(BODY)
        return other.metrics()["dropbridge_reconnects_total"] > 0

    # Another bridge, which misses the confirm of an event from now on, is the clock.
    wait_taken(other)
    forgetful.forget = True
    send(other)
    servers.wait_until(connects_again, lambda: other.stderr[-2000:])
    assert bridge.metrics()["dropbridge_reconnects_total"] == 0, "that is no reason to interrupt the events"
    # But for a broker that a busy machine keeps from confirming in time.
    assert bridge.accepted("broker") >= len(events) or "has not confirmed events" in bridge.stderr
    stuck_rejected_queue.resume()
    queues.take("AMQP_REJECTED_QUEUE", rejected)
    assert_drained(bridge)
    assert_drained(other)


@pytest.mark.threads
def test_a_lost_connection_hands_its_events_to_another(start_bridge, queues, rabbitmq):
    first, second = servers.CuttableProxy(rabbitmq.port), servers.CuttableProxy(rabbitmq.port)
    try:
        # All eight are to be sent before the first of them is given up.
        bridge = start_bridge(AMQP_URL=f"{first.url},{second.url}", AMQP_PUBLISHERS=2, CONFIRM_TIMEOUT_MS=3000)
        first.freeze()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(send, bridge) for _ in range(8)]
            servers.wait_until(lambda: sum(one.done() for one in sent) == 4, "half goes to the other connection")
            first.cut()
            concurrent.futures.wait(sent)
        assert [one.exception() for one in sent] == [None] * 8
        assert bridge.accepted("broker") == 8, bridge.stderr[-2000:]
        assert all(taken(bridge) for _ in range(4)), "a publisher that is away is passed over"
    finally:
        first.close()
        second.close()


def test_what_a_full_queue_refuses_is_spooled_until_there_is_room(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":3}', "--apply-to", "queues")
    sent = []

    def spooled():
        """The queue hears of its policy a moment later."""
        sent.append(b'{"number":%d}' % len(sent))
        send(bridge, sent[-1])
        return len(sent) >= 10 and bridge.accepted("spool") >= 1

    try:
        servers.wait_until(spooled, lambda: f"{bridge.metrics()}")
        refused = bridge.metrics()["dropbridge_nacked_total"]
        assert refused >= bridge.accepted("spool") or "has not confirmed" in bridge.stderr
        arrived = []

        def all_here():
            """Each once: what was refused was not kept all the same. (A late confirm is the one reason for a copy.)"""
            arrived.extend(body for _, body in queues.take_all("AMQP_QUEUE"))
            return set(arrived) == set(sent)

        servers.wait_until(all_here, lambda: f"{len(set(arrived))} of {len(sent)}")
        assert len(arrived) == len(sent) or "has not confirmed" in bridge.stderr
    finally:
        rabbitmq.control("clear_policy", policy)
    assert_drained(bridge)


def test_a_deleted_queue_is_made_again_and_nothing_is_lost(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.queue_delete(names["AMQP_QUEUE"])
    assert_spooled(bridge)
    send(bridge)
    assert_drained(bridge)
    queues.take("AMQP_QUEUE", 2)


def test_a_deleted_exchange_is_made_again_and_nothing_is_lost(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.exchange_delete(names["AMQP_EXCHANGE"])
    assert_spooled(bridge)
    assert_drained(bridge)
    queues.take("AMQP_QUEUE", 1)


def test_a_deleted_rejected_queue_is_made_again_and_nothing_is_lost(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.queue_delete(names["AMQP_REJECTED_QUEUE"])
    answer = wire.post(bridge.port, wire.WEBHOOK, b"not json", wire.guide(b"not json"))
    assert (answer.status, answer.code) == (400, "invalid_json")
    assert_drained(bridge)
    ((properties, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert body == b"not json" and properties.headers["x-reject-reason"] == "invalid_json"
    wait_taken(bridge)


def test_declares_durable_exchanges_and_quorum_queues(start_bridge, queues, names, rabbitmq):
    start_bridge()
    channel = queues.connection.channel()
    channel.exchange_declare(names["AMQP_REJECTED_QUEUE"], "fanout", durable=True)
    channel.exchange_declare(names["AMQP_EXCHANGE"], "direct", durable=True)
    channel.queue_declare(names["AMQP_REJECTED_QUEUE"], durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_declare(
        names["AMQP_QUEUE"],
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": names["AMQP_REJECTED_QUEUE"],
            "x-dead-letter-strategy": "at-least-once",
            "x-delivery-limit": 1000000,
        },
    )


def wait_in_flight(bridge):
    """Until it has begun to read the one request: a stop waits for those alone."""
    servers.wait_until(lambda: bridge.in_flight() == 1, bridge.metrics)


@pytest.mark.threads
def test_a_stop_finishes_the_request_in_flight(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url, BODY_TIMEOUT_MS=9000)
    body = BODY
    with wire.Raw(bridge.port) as raw:
        raw.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(body).items(), ("Content-Length", len(body))]) + body[:-1])
        wait_in_flight(bridge)
        bridge.signal(servers.SIGTERM)
        servers.wait_until(lambda: "stopping" in bridge.stderr, lambda: bridge.stderr[-2000:])
        answer = raw.send(body[-1:]).answer()
    assert answer.status == 200
    queues.take("AMQP_QUEUE", 1)
    assert bridge.wait_exit() == 0


def test_an_idle_keep_alive_client_does_not_hold_up_a_stop(start_bridge, queues):
    bridge = start_bridge()
    connection = wire.connect(bridge.port)
    assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY), connection).status == 200
    assert_stopped_in_order(bridge)
    connection.close()


@pytest.mark.timing
def test_a_stop_takes_10_s_at_the_most_and_little_processor_time(start_bridge, proxy):
    """A client that drips, one that idles, and a broker that says nothing."""
    bridge = start_bridge(AMQP_URL=proxy.url, BODY_TIMEOUT_MS=9000, CONFIRM_TIMEOUT_MS=3000)
    idle = wire.connect(bridge.port)
    assert wire.request(bridge.port, "GET", "/health", connection=idle).status == 200
    with wire.Raw(bridge.port) as raw:
        raw.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(BODY).items(), ("Content-Length", len(BODY))]) + BODY[:-1])
        wait_in_flight(bridge)
        proxy.freeze()
        start = time.monotonic()
        bridge.signal(servers.SIGTERM)
        time.sleep(4)
        before = processor_seconds(bridge.pid)
        time.sleep(1)
        spent = processor_seconds(bridge.pid) - before
        assert raw.answer().code == "unavailable", "who is cut off at the end is to come again"
        assert bridge.wait_exit() == 0
        assert time.monotonic() - start < STOP_SECONDS
    idle.close()
    assert spent < 0.3


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
