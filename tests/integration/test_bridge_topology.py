"""Queues, bindings and brokers that change under a running bridge: nothing is lost, and it mends what it can."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import threading
import time

import pika
import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'


class Sender:
    """Posts events with an id each and keeps a log: [(id, status)]."""

    def __init__(self, bridge):
        self.bridge = bridge
        self.log = []
        self._arrived = set()
        self._lock = threading.Lock()
        self._next = 0
        self._stop = threading.Event()
        self._thread = None

    def send(self, connection=None):
        with self._lock:
            self._next += 1
            name = f"m-{self._next}"
        body = json.dumps({"type": "message.delivered", "data": {"message_id": name}}).encode()
        port = self.bridge.port
        status = wire.post(port, wire.WEBHOOK, body, wire.guide(body), connection).status
        with self._lock:
            self.log.append((name, status))
        return status

    def send_at_once(self, count):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda _: self.send(), range(count)))

    def __enter__(self):
        """Sends one after another until the end."""

        def run():
            with contextlib.closing(wire.connect(self.bridge.port)) as connection:
                while not self._stop.wait(0.005):  # clock: a pause between two events
                    self.send(connection)

        self._thread = threading.Thread(target=run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def wait_sent(self, count):
        """So many more."""
        goal = len(self.log) + count
        servers.wait_until(lambda: len(self.log) >= goal, f"{count} more are answered")

    @property
    def acknowledged(self):
        return {name for name, status in self.log if status == 200}

    def assert_all_acknowledged(self):
        refused = [one for one in self.log if one[1] != 200]
        assert not refused, f"{len(refused)} of {len(self.log)}: {refused[:3]}\n{self.bridge.stderr[-2000:]}"

    def assert_all_arrive(self, rabbitmq, queue):
        """Takes from the queue until it has given all that was acknowledged, in this call or another."""
        missing = self.acknowledged - self._arrived
        with contextlib.closing(rabbitmq.connect()) as connection:
            channel = connection.channel()
            end = time.monotonic() + servers.HANG_GUARD_S  # clock: a hang guard
            for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.1):
                if method is not None:
                    self._arrived.add(json.loads(body)["data"]["message_id"])
                    missing.discard(json.loads(body)["data"]["message_id"])
                if not missing or time.monotonic() > end:  # clock: a hang guard
                    break
            assert not missing, f"{len(missing)} missing: {sorted(missing)[:5]}"
        servers.wait_until(lambda: self.bridge.spooled() == 0, lambda: self.bridge.stderr[-2000:])
        self.bridge.assert_identities()


def routes(rabbitmq, names, queue="AMQP_QUEUE", exchange="AMQP_EXCHANGE"):
    """Whether a message to the exchange reaches a queue; what it publishes it takes away."""
    with contextlib.closing(rabbitmq.connect()) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish(names[exchange], names[queue], b"probe", mandatory=True)
            channel.queue_purge(names[queue])
        except pika.exceptions.AMQPError:
            return False
        return True


def readyz_problem(bridge):
    return bridge.readyz()[1].get("broker_problem", "")


@pytest.mark.threads
def test_events_flow_while_the_queue_is_unbound(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()

    def comes_back():
        """Unbound until one does: a look at the topology may bind the queue before."""
        queues.channel.queue_unbind(names["AMQP_QUEUE"], names["AMQP_EXCHANGE"], names["AMQP_QUEUE"])
        return bridge.metrics()["dropbridge_returned_total"] > 0

    with Sender(bridge) as sender:
        sender.wait_sent(20)
        servers.wait_until(comes_back, "one comes back")
        accepted = bridge.accepted("broker")
        servers.wait_until(lambda: bridge.accepted("broker") > accepted + 20, "bound again")
    assert bridge.metrics()["dropbridge_reconnects_total"] == 0, "that interrupts no connection"
    sender.assert_all_acknowledged()
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


@pytest.mark.parametrize("lost", [
    pytest.param("the binding", marks=pytest.mark.threads),
    "all queues and exchanges",
])
def test_an_idle_bridge_declares_again_what_was_lost(start_bridge, queues, names, rabbitmq, lost):
    start_bridge()
    both = (("AMQP_QUEUE", "AMQP_EXCHANGE"), ("AMQP_REJECTED_QUEUE", "AMQP_REJECTED_QUEUE"))
    if lost == "the binding":
        queues.channel.queue_unbind(names["AMQP_QUEUE"], names["AMQP_EXCHANGE"], names["AMQP_QUEUE"])
    else:
        for queue, exchange in both:
            queues.channel.queue_delete(names[queue])
            queues.channel.exchange_delete(names[exchange])
    for queue, exchange in both:
        servers.wait_until(lambda: routes(rabbitmq, names, queue, exchange), f"{queue} is reached again")  # noqa: B023


def test_a_queue_of_another_kind_shuts_the_publishers_until_it_is_gone(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()
    queue = names["AMQP_QUEUE"]
    queues.channel.queue_delete(queue)
    queues.channel.queue_declare(queue, durable=True)
    queues.channel.queue_bind(queue, names["AMQP_EXCHANGE"], queue)
    servers.wait_until(
        lambda: bridge.publishers_connected() == 0, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: "delete that queue" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
    assert queue in readyz_problem(bridge)
    sender = Sender(bridge)
    for _ in range(20):
        sender.send()
    sender.assert_all_acknowledged()
    assert (bridge.accepted("spool"), bridge.waited_for()) == (20, 0)
    assert queues.depth("AMQP_QUEUE") == 0, "nothing is published into it"
    told = [line for line in bridge.stderr.splitlines() if "delete that queue" in line]
    assert len(told) == 1 and queue in told[0]
    queues.channel.queue_delete(queue)
    servers.wait_until(
        lambda: bridge.publishers_connected() == 1, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: not readyz_problem(bridge), bridge.readyz)
    sender.assert_all_arrive(rabbitmq, queue)


def test_a_connection_lost_while_the_queue_is_of_another_kind_is_opened_when_it_is_gone(
        start_bridge, queues, names, rabbitmq, proxy):
    bridge = start_bridge(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2f")
    queue = names["AMQP_QUEUE"]
    queues.channel.queue_delete(queue)
    queues.channel.queue_declare(queue, durable=True)
    proxy.cut()
    proxy.restore()
    servers.wait_until(lambda: "PRECONDITION_FAILED" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
    sender = Sender(bridge)
    for _ in range(5):
        sender.send()
    sender.assert_all_acknowledged()
    queues.channel.queue_delete(queue)
    # Not by routes(): it would empty the queue of what the spool has published by then.
    servers.wait_until(
        lambda: bridge.publishers_connected() == 1, lambda: bridge.stderr[-2000:])
    sender.assert_all_arrive(rabbitmq, queue)
    # Tried again every few seconds, said once.
    assert bridge.stderr.count("PRECONDITION_FAILED") == 1


def test_what_a_full_queue_refuses_arrives_when_the_limit_is_taken_away(start_bridge, queues, names, rabbitmq):
    """The connection does not hear of it: another is opened."""
    bridge = start_bridge()
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":20}', "--apply-to", "queues")
    sender = Sender(bridge)
    try:
        for _ in range(40):
            sender.send()
        # The queue hears of its policy a moment later.
        servers.wait_until(lambda: sender.send() and bridge.metrics()["dropbridge_nacked_total"] > 0)
        sender.assert_all_acknowledged()
    finally:
        rabbitmq.control("clear_policy", policy)
    sender.assert_all_arrive(rabbitmq, policy)


@contextlib.contextmanager
def largest_message(rabbitmq, size):
    """The broker takes no body above it."""
    usual = 134217728

    def limit(bytes_):
        rabbitmq.control("eval", f"application:set_env(rabbit, max_message_size, {bytes_}), "
                                 f"persistent_term:put(max_message_size, {bytes_}).")

    limit(size)
    try:
        yield
    finally:
        limit(usual)


def test_a_message_above_the_brokers_limit_is_kept_and_stops_no_other(start_bridge, queues, names, rabbitmq):
    large = json.dumps({"type": "message.delivered", "data": {"message_id": "m-large", "note": "x" * 20000}}).encode()
    publishers = 4
    with largest_message(rabbitmq, 5000):
        bridge = start_bridge(AMQP_PUBLISHERS=publishers, options={"name": "first"})
        with Sender(bridge) as sender:
            sender.wait_sent(20)
            assert wire.post(bridge.port, wire.WEBHOOK, large, wire.guide(large)).status == 200
            servers.wait_until(lambda: "held back" in bridge.readyz()[1].get("spool_problem", ""), lambda: bridge.stderr[-2000:])
            sender.wait_sent(50)
        sender.assert_all_acknowledged()
        ready = bridge.readyz()[1]
        assert ready["broker"] == "connected" and f"({len(large)} bytes)" in ready["spool_problem"]
        servers.wait_until(lambda: bridge.spooled() == 1, "the others of the spool were published")
        assert bridge.stderr.count("is held back") == 1
        # Once for each publisher, at the most: then it knows.
        assert 1 <= bridge.stderr.count("max size 5000") <= publishers
        bridge.finish()
    again = start_bridge(AMQP_PUBLISHERS=publishers, SPOOL_PATH=bridge.settings["SPOOL_PATH"], options={"name": "second"})
    servers.wait_until(lambda: again.spooled() == 0, lambda: again.stderr[-2000:])
    bodies = [body for _, body in queues.take_all("AMQP_QUEUE")]
    assert bodies.count(large) == 1 and len(set(bodies)) == len(sender.acknowledged) + 1


def test_any_number_of_messages_above_the_brokers_limit_hold_up_nobody(start_bridge, queues, names, rabbitmq, proxy):
    count = 80  # more than the drain holds back
    bridge = start_bridge(AMQP_URL=proxy.url)
    large = [json.dumps({"type": "message.delivered", "data": {"message_id": f"l-{number}", "note": "x" * 8000}}).encode()
             for number in range(count)]
    sender = Sender(bridge)

    def send_while_away(bodies):
        proxy.cut()
        servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "away", lambda: f"away: {bridge.readyz()}")
        for body in bodies:
            assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status == 200
        assert sender.send() == 200
        proxy.restore()
        servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", lambda: bridge.stderr[-2000:])

    with largest_message(rabbitmq, 5000):
        for bodies in (large, []):
            send_while_away(bodies)
            servers.wait_until(lambda: bridge.spooled() == count, lambda: f"{bridge.readyz()} {bridge.stderr[-2000:]}")
        problem = bridge.readyz()[1]["spool_problem"]
        assert "max_message_size" in problem and re.search(r"\(80\d\d bytes\)", problem)
        assert bridge.stderr.count("is held back") == 1
        assert bridge.stderr.count("max size 5000") <= 2, "once for each connection: then it is known"
    send_while_away([])  # those that are held back are tried every now and then
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: "spool_problem" not in bridge.readyz()[1], bridge.readyz)
    bodies = [body for _, body in queues.take_all("AMQP_QUEUE")]
    assert set(large) < set(bodies) and len(set(bodies)) == count + len(sender.acknowledged) == count + 3
    bridge.assert_identities()


def test_a_full_rejected_queue_interrupts_no_event(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=3000)
    policy = names["AMQP_REJECTED_QUEUE"]
    poison = [b"no json %d" % number for number in range(12)]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":1,"overflow":"reject-publish"}',
                     "--apply-to", "queues")

    def reject(body):
        assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status == 400

    def nacked():
        """The queue hears of its policy a moment later."""
        if bridge.metrics()["dropbridge_nacked_total"] > 0:
            return True
        poison.append(b"no json %d" % len(poison))
        reject(poison[-1])
        return False

    try:
        with Sender(bridge) as sender:
            for body in poison:
                reject(body)
            servers.wait_until(nacked, lambda: f"{bridge.metrics()}")
            servers.wait_until(lambda: "AMQP_REJECTED_QUEUE" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
            status, ready = bridge.readyz()
            assert status == 200 and ready["broker"] == "connected" and ready["spool_waiting"] > 0
            sender.wait_sent(50)
        sender.assert_all_acknowledged()
        assert bridge.metrics()["dropbridge_reconnects_total"] == 0, bridge.stderr[-2000:]
        # Every event, but for a broker that a busy machine keeps from confirming in time.
        assert bridge.accepted("broker") >= len(sender.log) or "has not confirmed events" in bridge.stderr
        assert bridge.stderr.count("refuses messages to AMQP_REJECTED_QUEUE") == 1 and "refuses events" not in bridge.stderr
    finally:
        rabbitmq.control("clear_policy", policy)
    rejected = queues.take("AMQP_REJECTED_QUEUE", len(poison))
    assert {body for _, body in rejected} == set(poison)
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])
    servers.wait_until(lambda: not readyz_problem(bridge), bridge.readyz)
    again = "takes messages to the rejected queue again"
    servers.wait_until(lambda: again in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count(again) == 1


def test_a_full_queue_behind_a_broken_spool_is_ready_again_though_nobody_sends(
        start_bridge, queues, names, rabbitmq, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    bridge = start_bridge(SPOOL_PATH=folder / "spool.db")
    folder.rename(tmp_path / "elsewhere")
    servers.wait_until(lambda: bridge.readyz()[1]["spool"] == "failed", lambda: f"{bridge.readyz()}")
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":3}', "--apply-to", "queues")

    def post():
        return wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status

    def ready():
        return bridge.readyz()[0] == 200

    def refused():
        refuses = post() == 503
        status, told = bridge.readyz()
        return refuses and status == 503 and told["broker"] == "refusing"

    try:
        servers.wait_until(refused, lambda: f"{bridge.readyz()}")
        servers.wait_until(ready, "what was said long ago is not believed any more")
        servers.wait_until(refused, lambda: f"{bridge.readyz()}")
        queues.channel.queue_purge(policy)
        servers.wait_until(ready, "ready again")
        assert post() == 200
    finally:
        rabbitmq.control("clear_policy", policy)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", lambda: f"{bridge.readyz()}")
    servers.wait_until(lambda: "takes events again" in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count("refuses events") == bridge.stderr.count("takes events again") == 1


def test_a_full_queue_behind_a_full_spool_is_not_ready_and_says_so(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(SPOOL_MAX_BYTES=1048576)
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":5}', "--apply-to", "queues")

    def post(padding=0):
        body = json.dumps({"type": "message.delivered", "data": {"message_id": "m-1", "note": "x" * padding}}).encode()
        return wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status

    def nothing_is_taken():
        """The queue may take one more by each new connection, and the spool have room then."""
        taken = post() == 200
        status, ready = bridge.readyz()
        full = not taken and status == 503 and ready["broker"] == "refusing" and ready["spool"] == "full"
        return ready if full else None

    try:
        for padding in (100000, 5000, 500):
            servers.wait_until(lambda padding=padding: post(padding) == 503, "both are full")
        servers.wait_until(nothing_is_taken, lambda: f"{bridge.readyz()} {bridge.stderr[-2000:]}")
        servers.wait_until(lambda: "asking again by another connection" in bridge.stderr, "another connection")
        ready = servers.wait_until(nothing_is_taken, lambda: f"{bridge.readyz()} {bridge.stderr[-2000:]}")
        assert "max-length" in ready["broker_problem"] and "bring" not in ready["spool_problem"]
    finally:
        rabbitmq.control("clear_policy", policy)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", bridge.readyz)
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    assert bridge.readyz()[0] == 200 and post() == 200
    servers.wait_until(lambda: bridge.stderr.count("refuses events") == bridge.stderr.count("takes events again"), lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count("refuses events") <= 2, "not for each connection"
    bridge.assert_identities()


def test_a_user_that_is_refused_while_running_is_told_and_waited_for(start_bridge, queues, names, rabbitmq, proxy):
    rabbitmq.control("add_user", "courier", "first")
    rabbitmq.control("set_permissions", "courier", ".*", ".*", ".*")
    try:
        bridge = start_bridge(AMQP_URL=f"amqp://courier:first@127.0.0.1:{proxy.port}/%2f")
        rabbitmq.control("change_password", "courier", "second")
        sender = Sender(bridge)
        sender.send()
        assert bridge.metrics()["dropbridge_publishers_connected"] == 1, "a connection that is open goes on"
        proxy.cut()
        proxy.restore()
        servers.wait_until(lambda: "ACCESS_REFUSED" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
        for _ in range(5):
            sender.send()
        sender.assert_all_acknowledged()
        assert bridge.running() and bridge.stderr.count("ACCESS_REFUSED") <= 2
        assert "first" not in bridge.stderr
        rabbitmq.control("change_password", "courier", "first")
        servers.wait_until(lambda: not readyz_problem(bridge), lambda: bridge.stderr[-2000:])
        sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])
    finally:
        rabbitmq.control("delete_user", "courier")


@pytest.fixture
def mute():
    """The port of a host that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def test_a_broker_that_never_speaks_is_not_waited_for_and_the_next_of_the_list_is_tried(
        start_bridge, queues, names, rabbitmq, mute):
    bridge = start_bridge(broker="away", AMQP_URL=f"amqp://guest:guest@127.0.0.1:{mute}/%2f,{rabbitmq.url}")
    sender = Sender(bridge)
    for _ in range(20):
        sender.send()
    sender.assert_all_acknowledged()
    assert (bridge.readyz()[0], bridge.waited_for()) == (200, 0)
    servers.wait_until(lambda: bridge.publishers_connected() == 1, lambda: bridge.stderr[-2000:])
    assert f"127.0.0.1:{mute}: request timed out" in bridge.stderr, "it was tried"
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


@pytest.mark.full  # three times the time that a host may take to speak
def test_a_lost_connection_is_opened_again_past_a_host_that_never_speaks(start_bridge, queues, names, rabbitmq, proxy, mute):
    bridge = start_bridge(AMQP_URL=f"{proxy.url},amqp://guest:guest@127.0.0.1:{mute}/%2f")
    sender = Sender(bridge)
    for _ in range(2):
        proxy.cut()
        servers.wait_until(lambda: bridge.publishers_connected() == 0)
        sender.send()
        proxy.restore()
        servers.wait_until(lambda: bridge.publishers_connected() == 1, lambda: bridge.stderr[-2000:])
        sender.send()
    sender.assert_all_acknowledged()
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


@contextlib.contextmanager
def stopped(rabbitmq):
    os.kill(rabbitmq.vm_pid(), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(rabbitmq.vm_pid(), signal.SIGCONT)


def test_a_stopped_broker_costs_those_in_flight_one_confirm_timeout_and_the_others_nothing(
        start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=1500, AMQP_PUBLISHERS=2)
    sender = Sender(bridge)
    with stopped(rabbitmq):
        sender.send_at_once(16)
        waited = bridge.waited_for()
        assert 1 <= waited <= 16
        for _ in range(50):
            sender.send()
        assert (bridge.accepted("spool"), bridge.waited_for()) == (66, waited)
    servers.wait_until(lambda: bridge.publishers_connected() == 2, lambda: bridge.stderr[-2000:])
    sender.assert_all_acknowledged()
    assert "has not confirmed events for 1500 ms" in bridge.stderr
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


def test_a_short_pause_of_the_broker_ends_without_another_connection(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=500)
    with Sender(bridge) as sender:
        sender.wait_sent(20)
        with stopped(rabbitmq):
            servers.wait_until(lambda: "nobody waits for it" in bridge.stderr, lambda: bridge.stderr[-2000:])
        servers.wait_until(lambda: "confirms events again" in bridge.stderr, lambda: bridge.stderr[-2000:])
        accepted = bridge.accepted("broker")
        servers.wait_until(lambda: bridge.accepted("broker") > accepted + 20)
    sender.assert_all_acknowledged()
    assert bridge.metrics()["dropbridge_reconnects_total"] == 0
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])
