"""The bridge and a broker that is away, blocked, full, or refuses: the spool takes over, and recovery comes by itself."""

import concurrent.futures
import contextlib
import os
import select
import struct
import threading
import time

import pika
import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'
# The answer comes within 4 s of the last byte of the body.
ANSWER_SECONDS = 4


def confirm_ms(usual):
    """CONFIRM_TIMEOUT_MS: shorter than usual, longer than a busy machine takes to confirm, and with as much again for the
    spool before the answer is due."""
    return min(int(usual * servers.PATIENCE), 1900)


def send(bridge):
    """(answer, seconds)"""
    start = time.monotonic()
    answer = wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY))
    return answer, time.monotonic() - start


def answered(bridge):
    """Sends an event that some place must keep. The seconds it took."""
    answer, took = send(bridge)
    assert answer.status == 200, answer
    assert took < ANSWER_SECONDS * servers.PATIENCE
    return took


def assert_spooled(bridge):
    before = bridge.accepted("spool")
    took = answered(bridge)
    assert bridge.accepted("spool") == before + 1
    return took


def taken(bridge):
    """Whether the broker took it. Nobody else may send meanwhile."""
    before = bridge.accepted("broker")
    answered(bridge)
    return bridge.accepted("broker") == before + 1


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
    servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", bridge.readyz)
    queues.take("AMQP_QUEUE", 2)
    assert_drained(bridge)


def test_a_connection_that_is_cut_is_opened_again(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url)
    assert taken(bridge)
    proxy.cut()
    assert_spooled(bridge)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "away", "said while the broker is away")
    assert_spooled(bridge)
    proxy.restore()
    servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])
    queues.take("AMQP_QUEUE", 4)
    assert_drained(bridge)


def test_a_silent_broker_is_given_up_at_the_deadline_of_the_confirm(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url, CONFIRM_TIMEOUT_MS=confirm_ms(700))
    assert taken(bridge)
    proxy.freeze()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for took in pool.map(lambda _: answered(bridge), range(8)):
            assert took < 3 * servers.PATIENCE
    assert bridge.accepted("spool") == 8
    proxy.cut()
    proxy.restore()
    servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])
    assert_drained(bridge)


def test_a_stop_is_not_held_up_by_a_silent_broker(start_bridge, proxy):
    bridge = start_bridge(AMQP_URL=proxy.url)
    proxy.freeze()
    start = time.monotonic()
    assert bridge.finish() == 0
    assert time.monotonic() - start < 10 * servers.PATIENCE


def test_a_second_broker_of_the_list_is_tried(start_bridge, queues, rabbitmq):
    nobody = servers.free_port()
    bridge = start_bridge(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{nobody}/%2f,{rabbitmq.url}")
    assert taken(bridge)
    queues.take("AMQP_QUEUE", 1)


@pytest.mark.parametrize("publishers", [1, 4])
def test_a_broker_under_alarm_is_not_waited_for(start_bridge, queues, rabbitmq, publishers):
    bridge = start_bridge(AMQP_PUBLISHERS=publishers)
    assert taken(bridge)
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    try:

        def blocked():
            answered(bridge)  # the broker says "blocked" when it is published to
            return bridge.readyz()[1]["broker"] == "blocked"

        servers.wait_until(blocked, bridge.readyz)
        for _ in range(publishers):
            assert assert_spooled(bridge) < 1 * servers.PATIENCE
        assert bridge.readyz()[0] == 200
        assert bridge.metrics()["dropbridge_publishers_connected"] == 0
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")
    servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: bridge.metrics()["dropbridge_publishers_connected"] == publishers)


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


def test_a_confirm_that_never_comes_ends_the_connection_and_not_the_service(start_bridge, queues, rabbitmq):
    proxy = ForgetfulProxy(rabbitmq.port)
    try:
        bridge = start_bridge(AMQP_URL=proxy.url, CONFIRM_TIMEOUT_MS=confirm_ms(500))
        assert taken(bridge)
        proxy.forget = True
        assert_spooled(bridge)
        assert answered(bridge) < 1 * servers.PATIENCE, "one confirm that is missing does not hold up the others"
        servers.wait_until(lambda: "has not confirmed" in bridge.stderr, lambda: bridge.stderr[-2000:])
        servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])
        assert bridge.metrics()["dropbridge_reconnects_total"] == 1
        assert_drained(bridge)
    finally:
        proxy.close()


def test_a_stuck_rejected_queue_does_not_stop_the_events(start_bridge, queues, names, rabbitmq):
    timeout_ms = confirm_ms(1000)
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=timeout_ms)
    queue = f"whereis('%2F_{names['AMQP_REJECTED_QUEUE']}')"
    rabbitmq.control("eval", f"sys:suspend({queue}).")
    answers = []
    done = threading.Event()

    def reject():
        while not done.is_set():
            answers.append(wire.post(bridge.port, wire.WEBHOOK, b"no json", wire.guide(b"no json")))

    rejecting = threading.Thread(target=reject)
    rejecting.start()
    try:
        start = time.monotonic()
        events = []
        while time.monotonic() - start < 12:
            events.append(send(bridge))
            time.sleep(0.01)
    finally:
        done.set()
        rabbitmq.control("eval", f"sys:resume({queue}).")
        rejecting.join()
    assert answers and all(answer.status == 400 for answer in answers)
    assert all(answer.status == 200 for answer, _ in events)
    slow = [took for _, took in events if took > 0.5 * timeout_ms / 1000]
    assert len(slow) <= len(events) // 50, f"events do not wait for the rejected queue: {slow} of {len(events)}"
    # What follows a slow one is spooled at once until the broker confirms again.
    assert bridge.accepted("spool") <= len(answers) + len(slow) + len(events) // 10
    assert "rejected queue" in bridge.stderr
    queues.take("AMQP_REJECTED_QUEUE", len(answers), 60)
    assert_drained(bridge)


def test_a_lost_connection_hands_its_events_to_another(start_bridge, queues, rabbitmq):
    first, second = servers.CuttableProxy(rabbitmq.port), servers.CuttableProxy(rabbitmq.port)
    try:
        # All eight are to be sent before the first of them is given up.
        bridge = start_bridge(AMQP_URL=f"{first.url},{second.url}", AMQP_PUBLISHERS=2, CONFIRM_TIMEOUT_MS=3000)
        first.freeze()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(answered, bridge) for _ in range(8)]
            servers.wait_until(lambda: sum(one.done() for one in sent) == 4, "half goes to the other connection")
            first.cut()
            concurrent.futures.wait(sent)
        assert [one.exception() for one in sent] == [None] * 8
        assert bridge.accepted("broker") == 8, bridge.stderr[-2000:]
        assert all(taken(bridge) for _ in range(4)), "a publisher that is away is passed over"
    finally:
        first.close()
        second.close()


def test_a_full_queue_is_spooled_until_there_is_room(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":3}', "--apply-to", "queues")
    sent = 0

    def spooled():
        """The queue hears of its policy a moment later."""
        nonlocal sent
        answered(bridge)
        sent += 1
        return sent >= 10 and bridge.accepted("spool") >= 1

    try:
        servers.wait_until(spooled, lambda: f"{bridge.metrics()}")
        late = bridge.metrics()["dropbridge_confirm_timeouts_total"]
        assert bridge.metrics()["dropbridge_nacked_total"] + late >= bridge.accepted("spool")
        queues.take("AMQP_QUEUE", sent)
    finally:
        rabbitmq.control("clear_policy", policy)
    assert_drained(bridge)


def test_a_deleted_queue_is_made_again_and_nothing_is_lost(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.queue_delete(names["AMQP_QUEUE"])
    assert_spooled(bridge)
    answered(bridge)
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
    servers.wait_until(lambda: taken(bridge), lambda: bridge.stderr[-2000:])


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


def exit_of(programs, rabbitmq, names, **settings):
    bridge = programs(servers.Bridge, {"AMQP_URL": rabbitmq.url, **names, **settings}, clean_exit=(69,))
    return bridge.wait_exit(), bridge.stderr


def test_a_wrong_password_ends_it_with_69(rabbitmq, names, programs):
    url = rabbitmq.url.replace("guest:guest", "guest:not-the-password")
    status, stderr = exit_of(programs, rabbitmq, names, AMQP_URL=url)
    assert status == 69
    assert "not-the-password" not in stderr


@pytest.mark.parametrize("publishers", [1, 3])
def test_it_ends_with_69_only_if_every_broker_of_the_list_refuses(rabbitmq, names, queues, programs, publishers):
    wrong = rabbitmq.url.replace("guest:guest", "guest:not-the-password")
    unknown = rabbitmq.url.replace("%2f", "nowhere")
    away = f"amqp://guest:guest@127.0.0.1:{servers.free_port()}/%2f"
    status, _ = exit_of(programs, rabbitmq, names, AMQP_URL=f"{wrong},{unknown}", AMQP_PUBLISHERS=publishers)
    assert status == 69
    for urls, broker in ((f"{wrong},{away}", "away"), (f"{away},{wrong}", "away"), (f"{wrong},{rabbitmq.url}", "connected")):
        bridge = programs(servers.Bridge, {"AMQP_URL": urls, **names, "AMQP_PUBLISHERS": publishers})
        # It listens before a broker that takes its time has answered.
        servers.wait_until(lambda: "ACCESS_REFUSED" in bridge.stderr, lambda: bridge.stderr[-2000:])  # noqa: B023
        servers.wait_until(lambda: bridge.readyz()[1]["broker"] == broker, lambda: bridge.stderr[-2000:])  # noqa: B023
        assert "not-the-password" not in bridge.stderr


def test_an_unknown_virtual_host_ends_it_with_69(rabbitmq, names, programs):
    status, stderr = exit_of(programs, rabbitmq, names, AMQP_URL=rabbitmq.url.replace("%2f", "nowhere"))
    assert status == 69 and "nowhere" in stderr


def test_a_queue_with_other_arguments_ends_it_with_69_and_is_named(rabbitmq, names, queues, programs):
    queues.channel.queue_declare(names["AMQP_QUEUE"], durable=True)
    status, stderr = exit_of(programs, rabbitmq, names)
    assert status == 69 and names["AMQP_QUEUE"] in stderr


def test_an_exchange_of_another_type_ends_it_with_69_and_is_named(rabbitmq, names, queues, programs):
    queues.channel.exchange_declare(names["AMQP_EXCHANGE"], "topic", durable=True)
    status, stderr = exit_of(programs, rabbitmq, names)
    assert status == 69 and names["AMQP_EXCHANGE"] in stderr


def wait_in_flight(bridge):
    """Until it has begun to read the one request: a stop waits for those alone."""
    servers.wait_until(lambda: bridge.in_flight() == 1, bridge.metrics)


def test_a_refusal_whose_stop_is_forced_ends_with_69_too(start_bridge, proxy):
    proxy.freeze()
    wrong = proxy.url.replace("guest:guest", "guest:not-the-password")
    bridge = start_bridge(AMQP_URL=wrong, BODY_TIMEOUT_MS=9000, broker="away", options={"clean_exit": (69,)})
    with wire.Raw(bridge.port) as raw:
        raw.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(BODY).items(), ("Content-Length", len(BODY))]) + BODY[:-1])
        wait_in_flight(bridge)
        proxy.restore()
        servers.wait_until(lambda: "stopping" in bridge.stderr, lambda: bridge.stderr[-2000:])
        # The request in flight holds the stop up.
        bridge.signal(servers.SIGTERM)
        assert bridge.wait_exit() == 69
    assert "ending at once" in bridge.stderr and "ACCESS_REFUSED" in bridge.stderr


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
    start = time.monotonic()
    assert bridge.finish() == 0
    assert time.monotonic() - start < 10 * servers.PATIENCE
    connection.close()


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
        assert bridge.wait_exit() == 0
        assert time.monotonic() - start < 10 + 2 * (servers.PATIENCE - 1)
    idle.close()
    assert spent < 0.3


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_restarted_publisher_marks_its_messages_persistent(start_bridge, queues, names, rabbitmq):
    start_bridge().finish()
    assert taken(start_bridge())
    ((properties, _),) = queues.take("AMQP_QUEUE", 1)
    assert isinstance(properties, pika.BasicProperties) and properties.delivery_mode == 2
