"""The bridge and a broker that is away, blocked, full, or refuses: never 200 without a confirm, and recovery by itself."""

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
# 200 or a refusal within 4 s of the last byte of the body.
ANSWER_SECONDS = 4


@pytest.fixture
def proxy(rabbitmq):
    between = servers.CuttableProxy(rabbitmq.port)
    yield between
    between.close()


def url_through(proxy):
    return f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2f"


def send(bridge):
    """(answer, seconds)"""
    start = time.monotonic()
    answer = wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY))
    return answer, time.monotonic() - start


def assert_unavailable(bridge):
    answer, took = send(bridge)
    assert (answer.status, answer.code) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert took < ANSWER_SECONDS * servers.PATIENCE
    return took


def taken(bridge):
    answer, _ = send(bridge)
    return answer.status == 200


def test_an_unreachable_broker_is_503_with_retry_after_and_comes_back_by_itself(start_bridge, queues, proxy):
    proxy.cut()
    bridge = start_bridge(wait_ready=False, AMQP_URL=url_through(proxy))
    assert_unavailable(bridge)
    status, ready = bridge.readyz()
    assert status == 503 and ready["ready"] is False
    assert bridge.admin("/healthz")[0] == 200
    assert wire.request(bridge.port, "GET", "/health").status == 200
    proxy.restore()
    servers.wait_until(lambda: taken(bridge), 20, lambda: bridge.stderr[-2000:])
    assert bridge.readyz()[0] == 200
    queues.take("AMQP_QUEUE", 1)


def test_a_connection_that_is_cut_is_opened_again(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=url_through(proxy))
    assert taken(bridge)
    proxy.cut()
    assert_unavailable(bridge)
    servers.wait_until(lambda: bridge.readyz()[0] == 503, 10, "not ready while the broker is away")
    assert_unavailable(bridge)
    answer = wire.post(bridge.port, wire.WEBHOOK, b"not json", wire.guide(b"not json"))
    assert answer.code == "unavailable", "bytes that are no JSON are not answered 400 before they are kept"
    proxy.restore()
    servers.wait_until(lambda: taken(bridge), 20, lambda: bridge.stderr[-2000:])
    queues.take("AMQP_QUEUE", 2)


def test_a_silent_broker_is_given_up_at_the_deadline_of_the_confirm(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=url_through(proxy), CONFIRM_TIMEOUT_MS=700)
    assert taken(bridge)
    proxy.freeze()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for took in pool.map(lambda _: assert_unavailable(bridge), range(8)):
            assert took < 3 * servers.PATIENCE
    proxy.cut()
    proxy.restore()
    servers.wait_until(lambda: taken(bridge), 20, lambda: bridge.stderr[-2000:])


def test_a_stop_is_not_held_up_by_a_silent_broker(start_bridge, proxy):
    bridge = start_bridge(AMQP_URL=url_through(proxy))
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
        # The broker says "blocked" when it is published to.
        assert_unavailable(bridge)
        for _ in range(publishers):
            assert assert_unavailable(bridge) < 1 * servers.PATIENCE
        assert bridge.readyz()[0] == 503
        assert bridge.metrics()["dropbridge_publishers_connected"] == 0
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")
    servers.wait_until(lambda: taken(bridge), 30, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: bridge.metrics()["dropbridge_publishers_connected"] == publishers, 10)


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
        bridge = start_bridge(AMQP_URL=url_through(proxy), CONFIRM_TIMEOUT_MS=500)
        assert taken(bridge)
        proxy.forget = True
        assert_unavailable(bridge)
        assert taken(bridge), "one confirm that is missing does not hold up the others"
        servers.wait_until(lambda: "has not confirmed" in bridge.stderr, 10, lambda: bridge.stderr[-2000:])
        servers.wait_until(lambda: taken(bridge), 10, lambda: bridge.stderr[-2000:])
        assert bridge.metrics()["dropbridge_reconnects_total"] == 1
    finally:
        proxy.close()


def test_a_stuck_rejected_queue_does_not_stop_the_events(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=1000)
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
            events.append(taken(bridge))
            time.sleep(0.01)
    finally:
        done.set()
        rabbitmq.control("eval", f"sys:resume({queue}).")
        rejecting.join()
    assert answers and all(answer.status == 503 for answer in answers[:3])
    assert all(events), f"{sum(events)} of {len(events)}\n{bridge.stderr[-3000:]}"
    assert "rejected queue" in bridge.stderr

    def kept():
        return wire.post(bridge.port, wire.WEBHOOK, b"no json", wire.guide(b"no json")).status == 400

    servers.wait_until(kept, 20, lambda: bridge.stderr[-2000:])


def test_a_lost_connection_hands_its_events_to_another(start_bridge, queues, rabbitmq):
    first, second = servers.CuttableProxy(rabbitmq.port), servers.CuttableProxy(rabbitmq.port)
    try:
        bridge = start_bridge(AMQP_URL=f"{url_through(first)},{url_through(second)}", AMQP_PUBLISHERS=2)
        servers.wait_until(lambda: bridge.metrics()["dropbridge_publishers_connected"] == 2, 10)
        first.freeze()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(taken, bridge) for _ in range(8)]
            servers.wait_until(lambda: sum(one.done() for one in sent) == 4, 10, "half goes to the other connection")
            first.cut()
            assert all(one.result() for one in sent), bridge.stderr[-2000:]
        assert all(taken(bridge) for _ in range(4)), "a publisher that is away is passed over"
    finally:
        first.close()
        second.close()


def test_a_full_queue_is_503(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":3}', "--apply-to", "queues")
    try:
        answers = [send(bridge)[0] for _ in range(10)]
    finally:
        rabbitmq.control("clear_policy", policy)
    held = sum(answer.status == 200 for answer in answers)
    refused = [answer for answer in answers if answer.status != 200]
    assert refused and all((one.status, one.code) == (503, "unavailable") for one in refused)
    assert len(queues.take("AMQP_QUEUE", held)) == held


def test_a_deleted_queue_is_503_and_not_200(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.queue_delete(names["AMQP_QUEUE"])
    assert_unavailable(bridge)
    assert_unavailable(bridge)


def test_a_deleted_exchange_is_503_and_not_200(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.exchange_delete(names["AMQP_EXCHANGE"])
    assert_unavailable(bridge)


def test_bytes_that_no_rejected_queue_holds_are_503_and_not_400(start_bridge, queues, names):
    bridge = start_bridge()
    queues.channel.queue_delete(names["AMQP_REJECTED_QUEUE"])
    answer = wire.post(bridge.port, wire.WEBHOOK, b"not json", wire.guide(b"not json"))
    assert (answer.status, answer.code) == (503, "unavailable")
    servers.wait_until(lambda: taken(bridge), 20, lambda: bridge.stderr[-2000:])


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
    for urls, ready in ((f"{wrong},{away}", 503), (f"{away},{wrong}", 503), (f"{wrong},{rabbitmq.url}", 200)):
        bridge = programs(servers.Bridge, {"AMQP_URL": urls, **names, "AMQP_PUBLISHERS": publishers})
        assert bridge.readyz()[0] == ready, bridge.stderr[-2000:]
        assert "ACCESS_REFUSED" in bridge.stderr and "not-the-password" not in bridge.stderr


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


def test_a_stop_finishes_the_request_in_flight(start_bridge, queues, proxy):
    bridge = start_bridge(AMQP_URL=url_through(proxy))
    body = BODY
    with wire.Raw(bridge.port) as raw:
        raw.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(body).items(), ("Content-Length", len(body))]) + body[:-1])
        time.sleep(0.2)
        bridge.signal(servers.SIGTERM)
        time.sleep(0.2)
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
    bridge = start_bridge(AMQP_URL=url_through(proxy), BODY_TIMEOUT_MS=9000, CONFIRM_TIMEOUT_MS=3500)
    idle = wire.connect(bridge.port)
    assert wire.request(bridge.port, "GET", "/health", connection=idle).status == 200
    with wire.Raw(bridge.port) as raw:
        raw.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(BODY).items(), ("Content-Length", len(BODY))]) + BODY[:-1])
        time.sleep(0.2)
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
